"""How tasks are ended: told until they have."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

_TELL_AGAIN_S: Final = 1.0


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until each has ended.

    Once is not enough (Python 3.11): a task group that fails while its caller is cancelled raises the failure alone,
    `asyncio.wait_for` (a pool of connections waits with it) forgets that it was cancelled when what it waits for comes
    in the same moment, and a loop that deals with the one or the other goes on. So it is told again.
    """
    ended = pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_TELL_AGAIN_S)
    for task in ended:
        if not task.cancelled():
            task.exception()  # seen: whoever wants to know it asks the task
