"""Every SQL statement that ingest sends."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from psycopg import Rollback
from psycopg.types.json import Jsonb

from ingest.domain import RAW_LIMIT, Intake, other_hubs_id
from telecare.arrays import Float8s, Instants, Int4s
from telecare.clock import parse_instant
from telecare.db import Connection
from telecare.settings import Settings
from telecare.wire import CommandResult, HubState

ARRIVED: Final = "telecare_alarms"  # NOTIFY channel: an alarm waits to be taken into an alert


class Saved(Enum):
    """What became of an alarm."""

    NEW = auto()
    REPEAT = auto()  # the same one again
    CONTRADICTION = auto()  # the same id with another content: the first one stands
    NOT_ENROLLED = auto()  # no such hub: it can be nobody's alarm


SAVE_ALARM = """
    insert into alarms (id, hub, given_id, seq, device, kind, at, clock_synced, test, location, evidence, doubts, raw,
                        content_hash, received_at)
    select %(id)s, h.name, %(given_id)s, %(seq)s, %(device)s, %(kind)s, %(at)s, %(clock_synced)s, %(test)s,
           %(location)s, %(evidence)s, %(doubts)s, %(raw)s, %(content_hash)s, %(now)s
      from hubs h where h.name = %(hub)s
    on conflict do nothing
"""


async def save_alarm(conn: Connection, intake: Intake, now: datetime) -> Saved:
    """Commit-ready: the alarm and its place on the waiting list, once, however often it comes."""
    if await _insert(conn, intake, now):
        return Saved.NEW
    row = await (await conn.execute("select hub, content_hash from alarms where id = %s", (intake.id,))).fetchone()
    if row is None:
        return Saved.NOT_ENROLLED
    if row[0] != intake.hub:
        # Hubs that were copied make the same ids. That must not silence the second one.
        enrolled = await (await conn.execute("select 1 from hubs where name = %s", (intake.hub,))).fetchone()
        return await save_alarm(conn, other_hubs_id(intake), now) if enrolled else Saved.NOT_ENROLLED
    await conn.execute("update alarms set repeats = repeats + 1 where id = %s", (intake.id,))
    return Saved.REPEAT if row[1] == intake.content_hash else Saved.CONTRADICTION


async def _insert(conn: Connection, intake: Intake, now: datetime) -> bool:
    read = intake.read
    cursor = await conn.execute(
        SAVE_ALARM,
        {
            "id": intake.id,
            "hub": intake.hub,
            "given_id": read.given_id,
            "seq": read.seq,
            "device": read.device,
            "kind": read.kind.value,
            "at": read.at,
            "clock_synced": read.clock_synced,
            "test": read.test,
            "location": read.location,
            "evidence": Jsonb(read.evidence),
            "doubts": list(read.doubts),
            "raw": intake.raw,
            "content_hash": intake.content_hash,
            "now": now,
        },
    )
    if cursor.rowcount != 1:
        return False
    await conn.execute("insert into alarms_waiting (alarm_id, received_at) values (%s, %s)", (intake.id, now))
    await conn.execute("select pg_notify(%s, '')", (ARRIVED,))
    return True


# A hub counts as silent twice its interval and half a minute after it was last heard; a last will is no sign of life.
SAVE_STATE = """
    insert into hub_states (hub, online, session, firmware, mains, battery, network, outbox, heartbeat_s, stated_at,
                            received_at, silent_at)
    select h.name, %(online)s, %(session)s, %(firmware)s, %(mains)s, %(battery)s, %(network)s, %(outbox)s,
           %(heartbeat_s)s, %(stated_at)s, %(now)s,
           %(now)s::timestamptz + make_interval(secs => 2 * coalesce(%(heartbeat_s)s::float8, 60) + 30)
      from hubs h where h.name = %(hub)s
    on conflict (hub) do update
       set online = excluded.online, session = excluded.session, stated_at = excluded.stated_at,
           received_at = excluded.received_at,
           firmware = coalesce(excluded.firmware, hub_states.firmware),
           mains = coalesce(excluded.mains, hub_states.mains),
           battery = coalesce(excluded.battery, hub_states.battery),
           network = coalesce(excluded.network, hub_states.network),
           outbox = coalesce(excluded.outbox, hub_states.outbox),
           heartbeat_s = coalesce(excluded.heartbeat_s, hub_states.heartbeat_s),
           silent_at = case when not excluded.online then hub_states.silent_at
                            else excluded.received_at + make_interval(
                                secs => 2 * coalesce(excluded.heartbeat_s, hub_states.heartbeat_s, 60) + 30) end
     where excluded.session >= hub_states.session and not %(retained)s
"""


async def save_state(conn: Connection, hub: str, state: HubState, now: datetime, *, retained: bool) -> bool:
    """Keep a hub's state; a will of an older session says nothing. False where the hub is not enrolled.

    A retained state is what the broker remembers, not a sign of life: it only fills a gap.
    """
    cursor = await conn.execute(
        SAVE_STATE,
        {
            "hub": hub,
            "online": state.online,
            "session": state.session,
            "firmware": state.firmware,
            "mains": state.mains,
            "battery": state.battery,
            "network": state.network,
            "outbox": state.outbox,
            "heartbeat_s": state.heartbeat_s,
            "stated_at": parse_instant(state.at) if state.at else None,
            "now": now,
            "retained": retained,
        },
    )
    if cursor.rowcount:
        return True
    return await (await conn.execute("select 1 from hubs where name = %s", (hub,))).fetchone() is not None


async def save_result(conn: Connection, hub: str, result: CommandResult, now: datetime) -> bool:
    """Keep what became of a command, once. False where the hub is not enrolled."""
    await conn.execute(
        """insert into command_results (command_id, hub, ok, detail, received_at)
           select %s, h.name, %s, %s, %s from hubs h where h.name = %s on conflict do nothing""",
        (result.id[:64], result.ok, result.detail[:1000], now, hub),
    )
    return await (await conn.execute("select 1 from hubs where name = %s", (hub,))).fetchone() is not None


async def keep_unreadable(
    conn: Connection, hub: str | None, topic: str, payload: bytes, reason: str, now: datetime
) -> None:
    """Keep what could not be understood, where an engineer sees it."""
    await conn.execute(
        """insert into unreadable (hub, topic, payload, size_bytes, reason, received_at)
           values (%s, %s, %s, %s, %s, %s)""",
        (hub, topic.replace("\0", " ")[:200], payload[:RAW_LIMIT], len(payload), reason.replace("\0", " ")[:500], now),
    )


# ---------------------------------------------------------------- readings

Name = tuple[str, str, str]  # hub, device, measure


async def series_ids(conn: Connection, names: Sequence[Name]) -> dict[Name, int]:
    """The number of each series, made where it is new; a hub that is not enrolled has none."""
    columns = [list(column) for column in zip(*names, strict=True)]
    await conn.execute(
        """insert into series (hub, device, measure)
           select h.name, n.device, n.measure
             from unnest(%b::text[], %b::text[], %b::text[]) n (hub, device, measure) join hubs h on h.name = n.hub
           on conflict do nothing""",
        columns,
    )
    rows = await (
        await conn.execute(
            """select s.hub, s.device, s.measure, s.id
                 from unnest(%b::text[], %b::text[], %b::text[]) n (hub, device, measure)
                 join series s using (hub, device, measure)""",
            columns,
        )
    ).fetchall()
    return {(row[0], row[1], row[2]): row[3] for row in rows}


_GIVEN: Final = "unnest(%b::integer[], %b::timestamptz[], %b::float8[]) n (series_id, at, value)"
_INSERT: Final = f"""
    insert into readings (series_id, at, value, received_at)
    select n.series_id, n.at, n.value, %b from {_GIVEN} on conflict do nothing
"""  # noqa: S608
# What was new goes into the feed of roll-ups and detection (telecare.feed) in the same transaction.
_FEED_ALL: Final = "insert into readings_feed (received_at, series_ids, ats, vals) values (%b, %b, %b, %b)"
_SAVE_MIXED: Final = f"""
    with fresh as ({_INSERT} returning series_id, at, value, received_at),
    fed as (
        insert into readings_feed (received_at, series_ids, ats, vals)
        select min(received_at), array_agg(series_id), array_agg(at), array_agg(value) from fresh having count(*) > 0)
    select count(*) from fresh
"""  # noqa: S608


@dataclass(slots=True)
class Columns:
    """Readings, a list for each column: the series' number, microseconds since 1970, the value."""

    series: list[int] = field(default_factory=list)
    at_us: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, series: int, at_us: int, value: float) -> None:
        """One more."""
        self.series.append(series)
        self.at_us.append(at_us)
        self.values.append(value)


async def save_readings(conn: Connection, readings: Columns, now: datetime) -> int:
    """Store readings; the same one twice is one. How many were new.

    Nearly always all are new, and what came is what the feed gets. Only where some were stored before does it have to
    be asked which: that costs half as much again.
    """
    if not readings.series:
        return 0
    columns = (Int4s(readings.series), Instants(readings.at_us), Float8s(readings.values))
    async with conn.transaction() as attempt:
        cursor = await conn.execute(_INSERT, (now, *columns))
        if cursor.rowcount == len(readings.series):
            await conn.execute(_FEED_ALL, (now, *columns))
            return cursor.rowcount
        raise Rollback(attempt)
    saved = await (await conn.execute(_SAVE_MIXED, (now, *columns))).fetchone()
    assert saved is not None
    return int(saved[0])


async def retire_side_tables(conn: Connection, settings: Settings, now: datetime) -> None:
    """Delete unreadable messages and commands' results that have been kept long enough."""
    for statement, days in (
        ("delete from unreadable where received_at < %s", settings.unreadable_keep_days),
        ("delete from command_results where received_at < %s", settings.commands_keep_days),
    ):
        await conn.execute(statement, (now - timedelta(days=days),))
