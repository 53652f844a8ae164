"""What every service process does alike: logs, signals, waking up, saying that it lives."""

import asyncio
import logging
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import psycopg
from psycopg import AsyncConnection

from telecare.clock import Clock
from telecare.db import TRY_AGAIN, Pool
from telecare.ending import end_tasks
from telecare.heartbeat import EVERY_S, beat
from telecare.logs import set_up_logs

log = logging.getLogger("telecare")

_AFTER_A_BUG_S: Final = 30.0


def run_until_stopped(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run a service until SIGINT or SIGTERM sets its stop event."""
    set_up_logs()

    async def guarded() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await main(stop)

    asyncio.run(guarded())


class WorkerEnded(RuntimeError):
    """A worker that works until it is told to end has ended by itself."""


async def run_workers(stop: asyncio.Event, **workers: Awaitable[None]) -> None:
    """Run named workers side by side until `stop`. One that fails, or ends by itself, takes the others with it.

    Raises:
        BaseExceptionGroup: what workers failed with, also while they were told to end; a `WorkerEnded` for one that
            ended without a failure.
    """
    tasks = [asyncio.create_task(_named(worker), name=name) for name, worker in workers.items()]
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await end_tasks(tasks)
    problems = [problem for task in tasks if not task.cancelled() and (problem := task.exception())]
    if not problems and not stop.is_set():
        # Nobody would do its work any more, and nobody would know.
        names = ", ".join(task.get_name() for task in tasks if task in done)
        problems = [WorkerEnded(f"ended by itself: {names}")]
    if problems:
        raise BaseExceptionGroup("workers failed", problems)


async def _named(worker: Awaitable[None]) -> None:
    await worker


class Backoff:
    """How long to wait before trying again: doubling, with jitter, in seconds."""

    def __init__(self, first_s: float = 0.1, most_s: float = 2.0) -> None:
        self.first_s, self.most_s = first_s, most_s
        self._next_s = first_s

    def again(self) -> float:
        """Seconds to wait now."""
        wait_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311
        self._next_s = min(self._next_s * 2, self.most_s)
        return wait_s

    def well(self) -> None:
        """It went well: begin anew next time."""
        self._next_s = self.first_s


async def keep_doing(
    step: Callable[[], Awaitable[bool]], wake: asyncio.Event, clock: Clock, poll_s: float, name: str
) -> None:
    """Repeat `step` while it finds work (returns True); then wait to be woken, or `poll_s` seconds at most.

    A database that is away is waited for; anything else ends the process, which is started again.
    """
    backoff = Backoff()
    while True:
        wake.clear()
        try:
            while await step():
                pass
        except TRY_AGAIN as problem:
            wait_s = backoff.again()
            log.warning(
                "database away", extra={"event": "database_away", "worker": name, "why": type(problem).__name__}
            )
            await clock.sleep(wait_s)
            continue
        backoff.well()
        with suppress(TimeoutError):
            async with asyncio.timeout(poll_s):  # wait_for would forget a cancellation that comes with the wake-up
                await wake.wait()


async def keep_doing_beside(
    step: Callable[[], Awaitable[bool]], wake: asyncio.Event, clock: Clock, poll_s: float, name: str
) -> None:
    """As `keep_doing`, for work that is not what its process is for: a bug of it is logged and tried again."""
    while True:
        try:
            await keep_doing(step, wake, clock, poll_s, name)
        except (AssertionError, LookupError, TypeError, ValueError, psycopg.Error):
            log.exception("%s failed", name, extra={"event": f"{name}_failed"})
            await clock.sleep(_AFTER_A_BUG_S)


async def listen(database_url: str, clock: Clock, wakes: dict[str, list[asyncio.Event]]) -> None:
    """Set the events of a channel at each NOTIFY on it, and all of them at each (re)connection.

    Only a wake-up: notifications are lost while the connection is, so whoever waits also polls.
    """
    backoff = Backoff()
    while True:
        try:
            async with await AsyncConnection.connect(
                database_url, autocommit=True, connect_timeout=5, keepalives_idle=10, keepalives_interval=5
            ) as conn:
                for channel in wakes:
                    await conn.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(channel)))
                backoff.well()
                for event in (event for events in wakes.values() for event in events):
                    event.set()
                async for notice in conn.notifies():
                    for event in wakes.get(notice.channel, ()):
                        event.set()
        except psycopg.OperationalError:
            pass
        await clock.sleep(backoff.again())


async def say_alive(pool: Pool, clock: Clock, service: str, detail: Callable[[], dict[str, object]]) -> None:
    """Write this service's heartbeat every `heartbeat.EVERY_S` seconds."""
    while True:
        with suppress(psycopg.OperationalError):
            async with pool.connection() as conn:
                await beat(conn, service, detail())
        await clock.sleep(EVERY_S)
