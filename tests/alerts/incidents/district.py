"""Homes by the hundred, an engine and supervision, and a clock that the test moves."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from alerts import actions, queue
from alerts.providers import DemoProvider
from alerts.service import Engine
from alerts.supervision import Supervision
from ingest.domain import take_in
from ingest.store import Saved, save_alarms
from telecare.clock import SystemClock
from telecare.db import Connection, Pool
from telecare.ids import uuid7
from telecare.register import homes
from telecare.register.homes import NewHome
from telecare.settings import Settings
from telecare.vocabulary import Cause, ConfirmedBy, Outcome
from tests.helpers import one

TWO: Final = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)

ADD_HOMES: Final = """
    with council as (
        insert into councils (id, name) values (gen_random_uuid(), %(council)s)
        on conflict (name) do update set name = excluded.name returning id),
    home as (
        insert into homes (id, council_id, address, postcode, phone)
        select gen_random_uuid(), council.id, n || ' Mill Lane', %(postcode)s, '01632 96' || lpad(n::text, 4, '0')
          from council, generate_series(1, %(count)s::integer) n
        returning id, split_part(address, ' ', 1)::integer as n),
    person as (
        insert into people (id, home_id, name) select gen_random_uuid(), id, 'Resident ' || n from home
        returning id, home_id),
    device as (
        insert into devices (home_id, name, kind, person_id) select home_id, 'pendant-1', 'pendant', id from person),
    hub as (
        insert into hubs (name, home_id, secret_hash, enrolled_at)
        select %(prefix)s || n, id, 'none', %(now)s::timestamptz - interval '30 days' from home returning name)
    insert into hub_states (hub, online, session, mains, heartbeat_s, received_at, silent_at)
    select name, true, 1, true, 60, %(now)s, %(now)s::timestamptz + interval '150 s' from hub
"""
ALARMS: Final = """
    with made as (
        insert into alarms (id, hub, given_id, seq, device, kind, at, clock_synced, test, evidence, doubts,
                            content_hash, received_at)
        select gen_random_uuid(), h, gen_random_uuid()::text, %(seq)s, 'hub', %(kind)s, %(now)s, true, false, '{}',
               '{}', ''::bytea, %(now)s
          from unnest(%(hubs)s::text[]) h returning id)
    insert into alarms_waiting (alarm_id, received_at) select id, %(now)s from made
"""


class District:
    """What the test moves and asks."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self.pool, self.settings, self.now, self.seq = pool, settings, TWO, 0
        self.supervision = Supervision(pool, settings, SystemClock(), self._now)
        self.engine = self.another_engine()

    def another_engine(self) -> Engine:
        return Engine(self.pool, self.settings, DemoProvider(), SystemClock(), self._now)

    async def _now(self, conn: Connection) -> datetime:
        return self.now

    async def execute(self, sql: str, values: Any = None) -> None:
        async with self.pool.connection() as conn:
            await conn.execute(sql.encode(), values)

    # ------------------------------------------------------------ homes and hubs

    async def add_homes(
        self, count: int, postcode: str = "EX4 3QT", prefix: str = "h-", council: str = "Anytown Council"
    ) -> list[str]:
        """So many homes, each with a person, a pendant and a hub that has just been heard; the hubs."""
        values = {"council": council, "postcode": postcode, "prefix": prefix, "count": count}
        await self.execute(ADD_HOMES, values | {"now": self.now})
        return [f"{prefix}{number}" for number in range(1, count + 1)]

    async def add_home(self, hub: str, new: NewHome) -> UUID:
        """One home with all that is to be known of it, and a hub that has just been heard."""
        async with self.pool.connection() as conn:
            home = await homes.add_home(conn, new)
            await homes.enrol_hub(conn, hub, home)
        await self.execute("update hubs set enrolled_at = %s where name = %s", (self.now - timedelta(days=30), hub))
        await self.execute(
            """insert into hub_states (hub, online, session, mains, heartbeat_s, received_at, silent_at)
               values (%s, true, 1, true, 60, %s, %s)""",
            (hub, self.now, self.now + timedelta(seconds=150)),
        )
        return home

    async def home_of(self, hub: str) -> UUID:
        found: UUID = await one(self.pool, "select home_id from hubs where name = %s", hub)
        return found

    async def hear(self, hubs: Sequence[str], *, mains: bool = True) -> None:
        """These hubs tell their state."""
        await self.execute(
            """update hub_states set online = true, mains = %s, received_at = %s, silent_at = %s where hub = any(%s)""",
            (mains, self.now, self.now + timedelta(seconds=150), list(hubs)),
        )

    async def alarms(self, kind: str, hubs: Sequence[str]) -> None:
        """Each of these hubs sends an alarm of this kind, as ingest keeps it."""
        self.seq += 1
        await self.execute(ALARMS, {"kind": kind, "hubs": list(hubs), "now": self.now, "seq": self.seq})

    async def press(self, hub: str, kind: str = "button", **changes: Any) -> str:
        """One alarm from a home's pendant; its id."""
        self.seq += 1
        alarm = {"id": str(uuid7()), "seq": self.seq, "device": "pendant-1", "kind": kind, "clock": "synced",
                 "at": self.now.isoformat()} | changes  # fmt: skip
        async with self.pool.connection() as conn:
            intake = take_in(hub, json.dumps(alarm).encode(), self.now, timedelta(minutes=5))
            assert await save_alarms(conn, [intake], self.now) == [Saved.NEW]
        return str(alarm["id"])

    # ------------------------------------------------------------ time and work

    async def later(self, **length: float) -> None:
        """Time passes; ingest has listened all the while."""
        self.now += timedelta(**length)
        await self.execute(
            """insert into service_heartbeats (service, at, detail, well_since) values ('ingest-states', %s, %s, %s)
               on conflict (service) do update set at = excluded.at, well_since = excluded.well_since""",
            (self.now, Jsonb({"subscribed": True}), TWO - timedelta(hours=1)),
        )

    async def work(self) -> int:
        """Work off what is due; in how many steps."""
        for steps in range(200):
            steps_of = (self.supervision.step, self.engine.take_step, self.engine.crowd_step)
            if not any([await step() for step in steps_of]):
                return steps
        raise AssertionError("there is no end to it")

    # ------------------------------------------------------------ what there is

    async def open(self) -> list[dict[str, Any]]:
        async with self.pool.connection() as conn:
            return await queue.open_alerts(conn, self.now)

    async def incident(self) -> dict[str, Any]:
        """The only open incident, whole."""
        (found,) = [alert for alert in await self.open() if alert["incident"] is not None]
        return await self.alert(found["id"])

    async def alert(self, number: int) -> dict[str, Any]:
        async with self.pool.connection() as conn:
            return await queue.whole_alert(conn, number, self.now)

    async def alert_of(self, alarm: str) -> dict[str, Any]:
        number = await one(
            self.pool,
            "select p.alert_id from alert_alarms p join alarms a on a.id = p.alarm_id where a.given_id = %s",
            alarm,
        )
        return await self.alert(number)

    async def claim(self, number: int, by: str = "operator") -> None:
        async with self.pool.connection() as conn:
            await actions.claim(conn, self.settings, number, by, self.now)

    async def close(self, number: int, by: str = "operator") -> None:
        async with self.pool.connection() as conn:
            await actions.close(
                conn, self.settings, number, by, self.now, cause=Cause.POWER_OR_LINE, outcomes=[Outcome.INFORMATION],
                confirmed_by=ConfirmedBy.SYSTEM, how="the network operator says so",
            )  # fmt: skip
