"""Mary's home with its sensors, a detection process and supervision, and a clock that the test moves."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from alerts import queue
from alerts.detection.service import Detection
from alerts.providers import DemoProvider
from alerts.service import Engine
from alerts.supervision import Supervision
from ingest import readings_store
from ingest import store as ingest_store
from telecare.clock import SystemClock
from telecare.db import Connection, Pool
from telecare.register import homes, plans
from telecare.register.homes import NewDevice, NewHome, NewPerson
from telecare.register.plans import CarePlan
from telecare.settings import Settings
from telecare.wire import HubState
from tests.helpers import columns

SEVEN = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)

HOME = NewHome(
    address="4 Mill Lane, Anytown",
    people=(NewPerson(name="Mary Ashworth"), NewPerson(name="Tom Ashworth")),
    devices=(
        NewDevice(name="pendant-1", kind="pendant", person=0),
        NewDevice(name="pir-kitchen", kind="motion", location="kitchen"),
        NewDevice(name="door-front", kind="door", location="hall", leads_outside=True),
        NewDevice(name="env-1", kind="temperature", location="living"),
    ),
)


class Watch:
    """What the test moves and asks."""

    def __init__(self, pool: Pool, settings: Settings, *, supervised: bool = True) -> None:
        self.supervised = supervised
        self.pool, self.settings, self.now = pool, settings, SEVEN
        self.hub, self.home, self.mary = "h-1", UUID(int=0), UUID(int=0)
        self.session = 1
        self.start()

    def start(self) -> None:
        """Start the processes; also: start them again."""
        clock = SystemClock()
        self.detection = Detection(self.pool, self.settings, clock, self._now)
        self.supervision = Supervision(self.pool, self.settings, clock, self._now)
        self.engine = Engine(self.pool, self.settings, DemoProvider(), clock, self._now)

    async def _now(self, conn: Connection) -> datetime:
        return self.now

    async def live_in(self) -> None:
        """The home, its hub enrolled and heard, and ingest that has listened for an hour."""
        async with self.pool.connection() as conn:
            self.home = await homes.add_home(conn, HOME)
            await homes.enrol_hub(conn, self.hub, self.home)
            await conn.execute("update hubs set enrolled_at = %s", (self.now - timedelta(days=30),))
            (mary, _) = await homes.people_of(conn, self.home)
            self.mary = mary["id"]
        await self.listen(since=self.now - timedelta(hours=1))
        await self.detection.join()
        await self.hear_hub()

    async def listen(self, since: datetime | None) -> None:
        """Ingest says that it has heard its messages since then; None: it hears nothing."""
        async with self.pool.connection() as conn:
            await conn.execute(
                """insert into service_heartbeats (service, at, detail, well_since) values ('ingest-states', %s, %s, %s)
                   on conflict (service) do update set at = excluded.at, well_since = excluded.well_since""",
                (self.now, Jsonb({"subscribed": since is not None}), since),
            )

    async def hear_hub(self, *, online: bool = True, outbox: int = 0) -> None:
        """The hub's state arrives, as ingest keeps it."""
        state = HubState(online=online, session=self.session, heartbeat_s=60 if online else None, outbox=outbox)
        async with self.pool.connection() as conn:
            assert not await ingest_store.save_states(conn, [(self.hub, state, False)], self.now)

    async def read(self, device: str, measure: str, value: float, at: datetime | None = None) -> None:
        """A reading arrives, as ingest keeps it."""
        name = (self.hub, device, measure)
        async with self.pool.connection() as conn, conn.transaction():
            number = (await readings_store.series_ids(conn, [name]))[name]
            await readings_store.save_readings(conn, columns([(number, at or self.now, value)]), self.now)

    async def plan(self, **rules: Any) -> None:
        async with self.pool.connection() as conn:
            await plans.set_plan(conn, self.mary, CarePlan(**rules), "operator", self.now)

    async def until(self, now: datetime, *, hub_heard: bool = True) -> None:
        """It becomes `now`; the hub has told its state, and everything works off what is due."""
        self.now = now
        await self.listen(since=SEVEN - timedelta(hours=1))
        if hub_heard:
            await self.hear_hub()
        await self.work()

    async def work(self) -> None:
        while await self.detection.step():
            pass
        for _ in range(20):
            noticed = self.supervised and await self.supervision.step()
            if not (noticed or await self.engine.take_step()):
                return
        raise AssertionError("there is no end to it")

    async def open(self) -> list[dict[str, Any]]:
        async with self.pool.connection() as conn:
            return await queue.open_alerts(conn, self.now)

    async def alert(self, number: int | None = None) -> dict[str, Any]:
        """That alert; without a number the only open one."""
        if number is None:
            (found,) = await self.open()
            number = found["id"]
        async with self.pool.connection() as conn:
            return await queue.whole_alert(conn, number, self.now)
