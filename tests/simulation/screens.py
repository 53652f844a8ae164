"""The dashboards' process and the screens that are connected to it.

The process would write down who is connected every few seconds. Here it does where something changes and before an
engine asks, by the simulation's clock; that no beat was missed between is written into the heartbeat beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor

from alerts.leases_store import Console, say_seen
from telecare.ids import uuid7
from tests.simulation.lines import FAST, Plain
from tests.simulation.people import OPERATORS, SUPERVISOR

if TYPE_CHECKING:
    from tests.simulation.world import World

WITHOUT_SCRIPT = "dev"  # their pages hold no stream open
STALE_S = 10.0  # a heartbeat is believed for so long


class _Cursor(AsyncCursor[Any]):
    """What asks the database's clock is told the simulation's."""

    async def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        now = getattr(self.connection, "sim_now", None)
        if now is not None and isinstance(query, str):
            query = query.replace("clock_timestamp()", f"'{now.isoformat()}'::timestamptz")
        return await super().execute(query, params, **more)


class _Pages(Plain):
    sim_now: datetime | None = None


@dataclass(slots=True)
class _Stream:
    id: UUID
    opened: datetime
    closed: datetime | None = None


class Screens:
    """Who is connected, and since when who was is not."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.works = True  # there are pages at all
        self.lost: dict[str, float] = {}  # whose screen is gone, and since when
        self.judged = 0.0  # when an engine last looked at the leases
        self.well_since = 0.0  # since when the pages have been there without a break
        self._streams: dict[str, _Stream] = {}
        self._gone_at = 0.0  # the pages' process
        self._conn: _Pages

    async def begin(self, database_url: str) -> None:
        """Everybody logs in."""
        more = FAST | {"prepare_threshold": None}
        self._conn = await _Pages.connect(database_url, autocommit=True, cursor_factory=_Cursor, **more)
        self.well_since = self.world.now.timestamp()
        for name in (*OPERATORS, SUPERVISOR):
            await self.connect(name)

    async def end(self) -> None:
        """Close the connection."""
        conn: AsyncConnection[Any] = self._conn
        await conn.close()

    def there(self, username: str) -> bool:
        """Whether this one can do anything."""
        return self.works and (username in self._streams or username == WITHOUT_SCRIPT)

    # ------------------------------------------------------------ screens

    async def connect(self, username: str) -> None:
        """Somebody's screen is there, or is there again."""
        if self.works and username != WITHOUT_SCRIPT and username not in self._streams:
            self._streams[username] = _Stream(uuid7(), self.world.now)
            self.lost.pop(username, None)
            await self.write_down()

    async def lose(self, username: str) -> None:
        """Somebody's screen goes."""
        stream = self._streams.get(username)
        if stream is not None:
            stream.closed = self.world.now
            await self.write_down()
            del self._streams[username]
            self.lost[username] = self.world.now.timestamp()

    # ------------------------------------------------------------ the process

    async def pages_die(self) -> list[str]:
        """The process is gone, and tells nobody. Whose screens that were."""
        await self.write_down()
        were, self._gone_at = list(self._streams), self.world.now.timestamp()
        self.lost |= dict.fromkeys(were, self._gone_at)
        self._streams.clear()
        self.works = False
        return were

    async def pages_are_back(self) -> None:
        """A new process."""
        self.works, now = True, self.world.now.timestamp()
        if now - self._gone_at > STALE_S:
            self.well_since = now
        await self.write_down(new=True)

    async def write_down(self, *, new: bool = False) -> None:
        """What the process has written down by now."""
        if not self.works:
            return
        now = self._conn.sim_now = self.world.now
        if not new:
            await self._conn.execute(
                "update service_heartbeats set at = greatest(at, %s - interval '1 s') where service = 'dashboard'",
                (now,),
            )
        seen = [
            Console(one.id, name, now - one.opened, now - one.closed if one.closed is not None else None)
            for name, one in self._streams.items()
        ]
        await say_seen(self._conn, seen)

    def later(self, seconds: float, name: str) -> None:
        """Somebody's screen comes back then."""
        self.world.after(seconds, "screen is back", lambda: self.connect(name))
