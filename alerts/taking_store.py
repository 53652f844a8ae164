"""Every SQL statement by which alarms get their places in alerts: each does its work for a whole batch."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from alerts.domain import Arrival, Placement, Someone
from alerts.incidents.domain import SHARED
from alerts.policy import Edition
from alerts.policy_store import in_force
from telecare.db import Connection
from telecare.ids import uuid7
from telecare.vocabulary import Kind, Priority

_FEW: Final = 3  # a device name in more homes than this is a common name and tells nothing

# Alarms of hubs that send more than a home can need are taken beside the others (ingest/crowd.py).
NEXT_WAITING: Final = """
    select w.alarm_id from alarms_waiting w join alarms a on a.id = w.alarm_id
     where not w.alarm_id = any(%(aside)s) and (a.test or not a.kind = any(%(shared)s)) and w.crowding = %(crowding)s
     order by w.received_at limit %(most)s for update of w skip locked
"""


async def next_waiting(conn: Connection, aside: list[UUID], most: int, *, crowding: bool = False) -> list[UUID]:
    """The longest-waiting alarms that nobody else is taking, locked; alarms in `aside` are passed over.

    Those that may be part of an incident are left to `alerts.incidents`.
    """
    values = {"aside": aside, "most": most, "shared": [kind.value for kind in SHARED], "crowding": crowding}
    return [row[0] for row in await (await conn.execute(NEXT_WAITING, values)).fetchall()]


ARRIVALS: Final = f"""
    select a.id, a.hub, h.home_id, a.device, a.kind, a.at, a.received_at, a.location, a.doubts, a.test,
           d.name is not null or f.alarm_id is not null, p.id, p.name, f.sentence,
           exists (select 1 from test_windows t where t.home_id = h.home_id and t.device = a.device
                    and a.received_at >= t.opened_at and a.received_at < t.ends_at),
           array(select r.id from people r where r.home_id = h.home_id order by r.id),
           array(select r.name from people r where r.home_id = h.home_id order by r.id),
           case when a.kind = 'cancel' then a.evidence ->> 'cancels' end, w.crowding,
           case when a.kind = 'fall' then a.evidence ->> 'outcome' end, {in_force("o.council_id")}
      from alarms_waiting w
      join alarms a on a.id = w.alarm_id
      join hubs h on h.name = a.hub
      join homes o on o.id = h.home_id
      left join devices d on d.home_id = h.home_id and d.name = a.device
      left join findings f on f.alarm_id = a.id
      left join people p on p.id = coalesce(f.person_id, d.person_id)
     where w.alarm_id = any(%s)
"""  # noqa: S608  (parts of our own)
OWNERS: Final = """
    select p.id, p.name from devices d join people p on p.id = d.person_id where d.name = %s limit 4
"""


async def arrivals(conn: Connection, alarms: Sequence[UUID]) -> list[Arrival]:
    """Alarms, in this order, with what the register knows about where each came from."""
    rows = await (await conn.execute(ARRIVALS.encode(), (list(alarms),))).fetchall()
    strangers = {row[3] for row in rows if not row[10]}
    owners = {device: await _owners_of(conn, device) for device in strangers}
    found = {row[0]: _arrival(row, () if row[10] else owners[row[3]]) for row in rows}
    return [found[alarm] for alarm in alarms]


def _arrival(row: Sequence[Any], owners: tuple[Someone, ...]) -> Arrival:
    alarm_id, hub, home_id, device, kind, at, received_at, location, doubts, test, known, wearer, name, *more = row
    sentence, window, ids, names, cancels, crowding, outcome, policy_id = more
    return Arrival(
        alarm_id=alarm_id,
        hub=hub,
        home_id=home_id,
        device=device,
        kind=Kind(kind),
        at=at,
        received_at=received_at,
        location=location,
        doubts=tuple(doubts),
        says_test=test,
        test_window_open=window,
        device_registered=known,
        wearer=Someone(wearer, name) if wearer else None,
        residents=tuple(Someone(*one) for one in zip(ids, names, strict=True)),
        owners_elsewhere=owners,
        finding=sentence,
        cancels=cancels,
        crowding=crowding,
        outcome=outcome,
        policy_id=policy_id,
    )


async def _owners_of(conn: Connection, device: str) -> tuple[Someone, ...]:
    rows = await (await conn.execute(OWNERS, (device,))).fetchall()
    return tuple(Someone(*row) for row in rows) if len(rows) <= _FEW else ()


async def alert_of_alarm(conn: Connection, hub: str, given_id: str) -> int | None:
    """The alert in which the alarm that this hub called `given_id` has its place."""
    row = await (
        await conn.execute(
            """select p.alert_id from alarms a join alert_alarms p on p.alarm_id = a.id
                where a.hub = %s and a.given_id = %s""",
            (hub, given_id),
        )
    ).fetchone()
    return row[0] if row else None


# ---------------------------------------------------------------- alerts

# In the order of the keys, so that two engines that open the same alerts wait for each other and do not lock up.
# Where the plan is carer alert, the ladder of contacts begins at once, as a step of the engine's own (alerts/asks.py).
OPEN: Final = """
    with opened as (
        insert into alerts (case_key, person_id, home_id, hub, kind, possible, priority, state, reason, raised_at,
                            waiting_since, due_at, alarm_count, policy, policy_id, level_since, rises_at)
        select g.case_key, g.person_id, g.home_id, g.hub, g.kind, g.possible, g.priority, 'raised', g.reason, %(now)s,
               %(now)s, g.due_at, 1, g.policy, g.policy_id, %(now)s, g.rises_at
          from jsonb_to_recordset(%(alerts)s::jsonb) g (
               case_key text, person_id uuid, home_id uuid, hub text, kind text, possible boolean, priority smallint,
               reason text, due_at timestamptz, policy text, policy_id bigint, rises_at timestamptz)
         order by g.case_key
        on conflict (case_key) where closed_at is null do nothing
        returning case_key, id, person_id, priority),
    asking as (
        insert into ladders (alert_id, begun_by, begun_at, why, due_at)
        select o.id, 'system', %(now)s, 'plan', %(now)s from opened o join people p on p.id = o.person_id
         where p.service_type = 'carer-alert' and o.priority < %(technical)s)
    select case_key, id from opened
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """An alert that an alarm would open."""

    arrival: Arrival
    placement: Placement
    due_at: datetime
    policy: Edition
    rises_at: datetime | None  # when its level rises by itself; None: it does not, as things stand


async def open_alerts(conn: Connection, openings: Sequence[Opening], now: datetime) -> dict[str, int]:
    """Open alerts with different keys: the new numbers by key. Where one with that key is open, it is left out."""
    written = [
        {
            "case_key": one.placement.case_key,
            "person_id": one.placement.person_id,
            "home_id": one.arrival.home_id,
            "hub": one.arrival.hub,
            "kind": one.placement.kind.value,
            "possible": one.placement.possible,
            "priority": int(one.placement.priority),
            "reason": one.placement.reason,
            "due_at": one.due_at,
            "policy": one.policy.name,
            "policy_id": one.policy.id,
            "rises_at": one.rises_at,
        }
        for one in openings
    ]
    values = {"alerts": msgspec.json.encode(written).decode(), "now": now, "technical": Priority.TECHNICAL}
    cursor = await conn.execute(OPEN, values)
    return dict(await cursor.fetchall())


LOCK: Final = """
    select case_key, id from alerts where case_key = any(%s) and closed_at is null order by case_key for update
"""


async def lock_open(conn: Connection, keys: Collection[str]) -> dict[str, int]:
    """The open alerts with these keys, locked: their numbers by key."""
    if not keys:
        return {}
    return dict(await (await conn.execute(LOCK, (sorted(keys),))).fetchall())


# The gravest of those that join; its level may rise by them and never falls.
JOIN: Final = """
    update alerts a
       set alarm_count = alarm_count + g.count, version = version + 1,
           kind     = case when g.priority < a.priority then g.kind else a.kind end,
           possible = case when g.priority < a.priority then g.possible else a.possible end,
           reason   = case when g.priority < a.priority then g.reason else a.reason end,
           level_since = case when g.priority < a.priority then %(now)s else a.level_since end,
           priority = least(a.priority, g.priority),
           -- Who calls again is not safe, whatever was said before.
           safe_at = null, wrapped_up_at = null,
           due_at = case when a.claimed_by is not null then least(a.due_at, %(now)s) else a.due_at end,
           state = case when state in ('safe', 'wrap-up') then 'claimed' else state end
      from jsonb_to_recordset(%(joining)s::jsonb) g (
           id bigint, count integer, priority smallint, kind text, possible boolean, reason text)
     where a.id = g.id
    returning a.id, a.claimed_by is not null
"""


async def join_alerts(conn: Connection, joining: Mapping[int, Sequence[Placement]], now: datetime) -> list[int]:
    """Count further alarms in open alerts, by the alert's number; returns those that somebody has.

    The caller has locked the alerts.
    """
    written = []
    for alert_id, placements in joining.items():
        gravest = min(placements, key=lambda one: one.priority)
        written.append(
            {
                "id": alert_id,
                "count": len(placements),
                "priority": int(gravest.priority),
                "kind": gravest.kind.value,
                "possible": gravest.possible,
                "reason": gravest.reason,
            }
        )
    if not written:
        return []
    rows = await (await conn.execute(JOIN, {"joining": json.dumps(written), "now": now})).fetchall()
    return [row[0] for row in rows if row[1]]


async def count_alarm(conn: Connection, alert_id: int) -> None:
    """One more alarm in an alert that it does not otherwise change."""
    await conn.execute(
        "update alerts set alarm_count = alarm_count + 1, version = version + 1 where id = %s", (alert_id,)
    )


async def close_tests(conn: Connection, alert_ids: Sequence[int], now: datetime) -> None:
    """Close the records of equipment tests, which nobody has to answer."""
    if alert_ids:
        await conn.execute(
            """update alerts set state = 'closed', closed_at = %s, due_at = null, cause = 'test',
                      outcomes = '{information}', confirmed_by = 'system', how = 'equipment test' where id = any(%s)""",
            (now, list(alert_ids)),
        )


# ---------------------------------------------------------------- what goes with it

PLACES: Final = """
    with placed as (insert into alert_alarms (alarm_id, alert_id, joined_at)
                    select g.alarm_id, g.alert_id, %(now)s
                      from unnest(%(alarms)s::uuid[], %(alerts)s::bigint[]) g (alarm_id, alert_id)
                    returning alarm_id)
    delete from alarms_waiting w using placed where w.alarm_id = placed.alarm_id
"""

Place = tuple[UUID, int]  # an alarm, and the number of its alert


async def give_places(conn: Connection, places: Sequence[Place], now: datetime) -> None:
    """Give alarms their one place each, and take them off the waiting list."""
    alarms, alerts = [alarm for alarm, _ in places], [alert for _, alert in places]
    await conn.execute(PLACES, {"alarms": alarms, "alerts": alerts, "now": now})


ANNOUNCE: Final = """
    insert into commands (id, hub, kind, text, alarm_id, alert_id, created_at, expires_at)
    select g.id, a.hub, 'announce', 'help-is-coming', g.alarm_id, a.id, %(now)s, %(expires)s
      from unnest(%(ids)s::uuid[], %(alarms)s::uuid[], %(alerts)s::bigint[]) with ordinality
           g (id, alarm_id, alert_id, place)
      join alerts a on a.id = g.alert_id order by g.place
"""


async def announce_help(conn: Connection, places: Sequence[Place], now: datetime, expires_at: datetime) -> None:
    """Have hubs tell the wearers that help is coming."""
    if places:
        alarms, alerts = [alarm for alarm, _ in places], [alert for _, alert in places]
        ids = [uuid7() for _ in places]
        values = {"ids": ids, "alarms": alarms, "alerts": alerts, "now": now, "expires": expires_at}
        await conn.execute(ANNOUNCE, values)


LOG: Final = """
    insert into alert_log (alert_id, at, who, what, detail)
    select e.alert_id, %s, e.who, e.what, e.detail::jsonb
      from unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) with ordinality
           e (alert_id, who, what, detail, place)
     order by e.place
"""

Entry = tuple[int, str, str, dict[str, Any]]  # the alert, who, what, detail


async def log_entries(conn: Connection, entries: Sequence[Entry], now: datetime) -> None:
    """Write down steps of one moment, in this order."""
    if entries:
        columns = zip(*((alert, who, what, json.dumps(detail)) for alert, who, what, detail in entries), strict=True)
        await conn.execute(LOG, (now, *(list(column) for column in columns)))
