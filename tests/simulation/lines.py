"""Connections on which a process can die between any two statements, and on which two processes can be interleaved.

Everything is decided by the simulation's one generator, so that a run replays exactly: two transactions take turns
statement by statement, and one that waits for a lock of the other is known to wait because PostgreSQL says so.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor, waiting

_PATIENCE_S = 0.002  # real seconds: longer than most statements take; then PostgreSQL is asked who waits
_HANGS_S = 20.0
# A plan is made once for each statement, which is half of the server's work here.
FAST: dict[str, Any] = {
    "prepare_threshold": 1,
    "options": "-c timezone=UTC -c jit=off -c plan_cache_mode=force_generic_plan",
}


class Crash(BaseException):
    """The process is gone: nothing of it runs on."""


class Line:
    """What happens to one process's connection: it may die at a point, and it may have to wait for its turn.

    A point is before any statement, and right after any commit.
    """

    def __init__(self) -> None:
        self.points = 0  # passed in all
        self._left: int | None = None
        self._how: type[BaseException] = Crash
        self.turn: Turn | None = None

    def die_after(self, points: int | None, how: type[BaseException] = Crash) -> None:
        """Die when so many more points have been passed; None: live."""
        self._left, self._how = points, how

    async def point(self) -> None:
        """One point is reached."""
        if self.turn is not None:
            await self.turn.mine()
        self.points += 1
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._left = None
                raise self._how("as the simulation wants it")


class _Cursor(AsyncCursor[Any]):
    async def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        line: Line | None = getattr(self.connection, "line", None)
        if line is not None:
            await line.point()
        return await super().execute(query, params, **more)


class Plain(AsyncConnection[Any]):
    """A connection that waits for the server without the event loop, as long as nobody else has a turn.

    Alone, nothing else could run meanwhile, and this costs a third of the time.
    """

    line: Line | None = None

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if self.line is not None and self.line.turn is not None:
            return await super().wait(gen, interval, timeout)
        return waiting.wait(gen, self.pgconn.socket, interval=interval, timeout=timeout)


class OnePool:
    """A pool of one connection, which commits and rolls back as the real one does."""

    def __init__(self, conn: AsyncConnection[Any], line: Line) -> None:
        self.conn, self.line = conn, line

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        try:
            yield self.conn
        except BaseException:
            await self.conn.rollback()
            raise
        await self.conn.commit()
        await self.line.point()


async def open_line(database_url: str) -> OnePool:
    """A connection of one process."""
    conn = await Plain.connect(database_url, cursor_factory=_Cursor, **FAST)
    conn.line = Line()
    return OnePool(conn, conn.line)


# ---------------------------------------------------------------- two at once


class Turn:
    """One of several that take turns."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()  # it stands before its next statement
        self._go = asyncio.Event()

    async def mine(self) -> None:
        """Wait until it is one's turn."""
        self.waits.set()
        await self._go.wait()
        self._go.clear()

    def go(self) -> None:
        self.waits.clear()
        self._go.set()


class _Player:
    def __init__(self, pool: OnePool, play: Callable[[], Awaitable[Any]]) -> None:
        self.pool, self.turn = pool, Turn()
        pool.line.turn = self.turn
        self.task = asyncio.ensure_future(self._play(play))

    async def _play(self, play: Callable[[], Awaitable[Any]]) -> Any:
        await self.turn.mine()
        return await play()

    async def settle(self, watcher: AsyncConnection[Any]) -> bool:
        """Wait until it stands before its next statement or has ended (True), or waits for another's lock (False)."""
        waits = asyncio.ensure_future(self.turn.waits.wait())
        try:
            for _ in range(int(_HANGS_S / _PATIENCE_S)):
                await asyncio.wait({waits, self.task}, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
                if self.task.done() or self.turn.waits.is_set():
                    return True
                row = await (
                    await watcher.execute(
                        "select cardinality(pg_blocking_pids(%s))", (self.pool.conn.info.backend_pid,)
                    )
                ).fetchone()
                assert row is not None
                if row[0] and not self.turn.waits.is_set() and not self.task.done():
                    return False
            raise AssertionError("a step hangs")
        finally:
            waits.cancel()


async def together(
    rng: Random, watcher: AsyncConnection[Any], plays: Sequence[tuple[OnePool, Callable[[], Awaitable[Any]]]]
) -> list[Any]:
    """Let several processes run at once, a statement of one and then of another; what each returned or raised."""
    players = [_Player(pool, play) for pool, play in plays]
    for player in players:
        await player.turn.waits.wait()
    try:
        await _take_turns(rng, watcher, players)
    except BaseException:
        for player in players:
            player.task.cancel()
        raise
    finally:
        for player in players:
            player.pool.line.turn = None
        results = await asyncio.gather(*(p.task for p in players), return_exceptions=True)
    for result in results:
        if isinstance(result, psycopg.errors.DeadlockDetected):
            raise AssertionError("two transactions waited for each other") from result
    return results


async def _take_turns(rng: Random, watcher: AsyncConnection[Any], players: Sequence[_Player]) -> None:
    blocked: list[_Player] = []
    while ready := [p for p in players if not p.task.done() and p not in blocked]:
        player = ready[rng.randrange(len(ready))]
        player.turn.go()
        if not await player.settle(watcher):
            blocked.append(player)
        for other in list(blocked):
            if other is not player and await other.settle(watcher):
                blocked.remove(other)
        if blocked and all(p.task.done() or p in blocked for p in players):
            # Each waits for the other: PostgreSQL ends one of them, and the simulation says that it had to.
            await asyncio.wait({p.task for p in blocked}, return_when=asyncio.FIRST_COMPLETED, timeout=_HANGS_S)
            blocked.clear()
