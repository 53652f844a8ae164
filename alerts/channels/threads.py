"""Libraries that block, kept from holding anything up."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result]) -> Result:
    """What `work` returns or raises, done in a thread of its own.

    Not one of a pool: a library that hangs for longer than its time would hold a place that the next message needs, and
    the end of the process. One that is given up runs on by itself, as long as the library's own time.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, problem: BaseException | None) -> None:
        if done.cancelled():
            return
        if problem is not None:
            done.set_exception(problem)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # None only where that is the result

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except Exception as problem:
            failure = problem
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="provider", daemon=True).start()
    return await done
