"""Every SQL statement that ingest sends about alarms, states and results; readings are in `readings_store`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

import msgspec

from ingest.domain import RAW_LIMIT, Intake, other_hubs_id
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


_GIVEN: Final = """jsonb_to_recordset(%(alarms)s::jsonb) g (
        id uuid, hub text, given_id text, seq bigint, device text, kind text, at timestamptz, clock_synced boolean,
        test boolean, location text, evidence jsonb, doubts text[], raw text, content_hash text, crowding boolean)"""
# In the order of their ids, so that two processes that store the same alarms wait for each other and do not lock up.
SAVE_ALARMS: Final = f"""
    with saved as (
        insert into alarms (id, hub, given_id, seq, device, kind, at, clock_synced, test, location, evidence, doubts,
                            raw, content_hash, received_at, crowding)
        select g.id, h.name, g.given_id, g.seq, g.device, g.kind, g.at, g.clock_synced, g.test, g.location, g.evidence,
               g.doubts, decode(g.raw, 'hex'), decode(g.content_hash, 'hex'), %(now)s, g.crowding
          from {_GIVEN} join hubs h on h.name = g.hub
         order by g.id
        on conflict do nothing
        returning id, crowding),
    waiting as (
        insert into alarms_waiting (alarm_id, received_at, crowding) select id, %(now)s, crowding from saved)
    select id, pg_notify(%(channel)s, '') from saved
"""  # noqa: S608
REPEATED: Final = """
    update alarms set repeats = repeats + 1 where id = %s and received_at < %s - make_interval(secs => %s)
"""
_RESENT_AFTER_S: Final = 3.0  # a hub sends again after 10 s; what comes sooner was heard by two of our processes


async def save_alarms(conn: Connection, intakes: Sequence[Intake], now: datetime) -> list[Saved]:
    """Commit-ready: each alarm and its place on the waiting list, once, however often it comes; what became of each."""
    if not intakes:
        return []
    found = await conn.execute(SAVE_ALARMS, {"alarms": _written(intakes), "now": now, "channel": ARRIVED})
    new = {row[0] for row in await found.fetchall()}
    saved = []
    for intake in intakes:
        if intake.id in new:
            new.remove(intake.id)  # the same id once more in this batch is a repeat
            saved.append(Saved.NEW)
        else:
            saved.append(await _known(conn, intake, now))
    return saved


def _written(intakes: Sequence[Intake]) -> str:
    return msgspec.json.encode([_row(intake) for intake in intakes]).decode()


def _row(intake: Intake) -> dict[str, Any]:
    read = intake.read
    return {
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
        "evidence": read.evidence,
        "doubts": read.doubts,
        "raw": intake.raw.hex() if intake.raw is not None else None,
        "content_hash": intake.content_hash.hex(),
        "crowding": intake.crowding,
    }


async def _known(conn: Connection, intake: Intake, now: datetime) -> Saved:
    """What an alarm is that was not stored: nobody's, or one whose id is stored already."""
    row = await (await conn.execute("select hub, content_hash from alarms where id = %s", (intake.id,))).fetchone()
    if row is None:
        return Saved.NOT_ENROLLED
    if row[0] != intake.hub:
        # Hubs that were copied make the same ids. That must not silence the second one.
        enrolled = await (await conn.execute("select 1 from hubs where name = %s", (intake.hub,))).fetchone()
        return (await save_alarms(conn, [other_hubs_id(intake)], now))[0] if enrolled else Saved.NOT_ENROLLED
    await conn.execute(REPEATED, (intake.id, now, _RESENT_AFTER_S))
    return Saved.REPEAT if row[1] == intake.content_hash else Saved.CONTRADICTION


# A hub counts as silent twice its interval and half a minute after it was last heard; a last will is no sign of life.
SAVE_STATES: Final = """
    insert into hub_states (hub, online, session, firmware, mains, battery, network, outbox, heartbeat_s, stated_at,
                            received_at, silent_at)
    select h.name, g.online, g.session, g.firmware, g.mains, g.battery, g.network, g.outbox, g.heartbeat_s, g.stated_at,
           %(now)s, %(now)s::timestamptz + make_interval(secs => 2 * coalesce(g.heartbeat_s, 60) + 30)
      from jsonb_to_recordset(%(states)s::jsonb) g (
           hub text, online boolean, session bigint, firmware text, mains boolean, battery float8, network text,
           outbox bigint, heartbeat_s float8, stated_at timestamptz, retained boolean)
      join hubs h on h.name = g.hub
     where not g.retained or not exists (select 1 from hub_states x where x.hub = g.hub)
     order by g.hub
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
     where excluded.session >= hub_states.session
"""

Stated = tuple[str, HubState, bool]  # hub, what it says of itself, whether the broker only remembered it


async def save_states(conn: Connection, states: Sequence[Stated], now: datetime) -> set[str]:
    """Keep hubs' states, in their order; a will of an older session says nothing. Hubs that are not enrolled.

    A retained state is what the broker remembers, not a sign of life: it only fills a gap.
    """
    rest = list(states)
    while rest:
        # One statement touches a hub's row once: the second state of a hub goes into the next.
        first = {hub: (hub, state, retained) for hub, state, retained in reversed(rest)}
        rest = [one for one in rest if first[one[0]][1] is not one[1]]
        written = msgspec.json.encode([_state_row(*one) for one in first.values()]).decode()
        await conn.execute(SAVE_STATES, {"states": written, "now": now})
    hubs = {hub for hub, _, _ in states}
    known = await (await conn.execute("select name from hubs where name = any(%s)", (sorted(hubs),))).fetchall()
    return hubs - {row[0] for row in known}


def _state_row(hub: str, state: HubState, retained: bool) -> dict[str, Any]:
    return {
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
        "retained": retained,
    }


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


async def retire_side_tables(conn: Connection, settings: Settings, now: datetime) -> None:
    """Delete unreadable messages and commands' results that have been kept long enough."""
    for statement, days in (
        ("delete from unreadable where received_at < %s", settings.unreadable_keep_days),
        ("delete from command_results where received_at < %s", settings.commands_keep_days),
    ):
        await conn.execute(statement, (now - timedelta(days=days),))
