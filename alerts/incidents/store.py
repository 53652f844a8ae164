"""Every SQL statement that changes an incident. Whoever changes one locks its alert first; several, in order."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from alerts.incidents.domain import HUB_SILENT, PRIORITY, SHARED, Loss, Signal, Trouble
from alerts.policy import Edition
from telecare.db import Connection
from telecare.vocabulary import Kind

_SHARED: Final = sorted(kind.value for kind in SHARED)

# ---------------------------------------------------------------- signals

_SIGNAL: Final = """
    select a.id, h.home_id, area_of(o.council_id, o.postcode), a.kind, f.rule,
           coalesce(x.last_heard_at, a.received_at)
"""
_OF_ALARM: Final = """
      join hubs h on h.name = a.hub
      join homes o on o.id = h.home_id
      left join findings f on f.alarm_id = a.id
      left join silences x on x.alarm_id = a.id
"""
# `test` in a test window is the equipment's own business, and taken as such.
WAITING: Final = f"""
    {_SIGNAL} from alarms_waiting w join alarms a on a.id = w.alarm_id {_OF_ALARM}
     where a.kind = any(%(kinds)s) and not a.test and not w.alarm_id = any(%(aside)s)
     order by w.crowding, w.received_at, a.seq, a.id limit %(most)s for update of w skip locked
"""
RECENT: Final = f"""
    {_SIGNAL} from alarms a {_OF_ALARM}
     where a.kind in ('mains-lost', 'mains-restored', 'network-lost', 'network-restored', 'device-silent')
       and a.received_at > %(since)s and not a.test and area_of(o.council_id, o.postcode) = %(area)s
       and (a.id = any(%(here)s) or exists (select 1 from alert_alarms p where p.alarm_id = a.id))
     order by a.received_at, a.seq, a.id
"""  # noqa: S608


async def next_waiting(conn: Connection, aside: Sequence[UUID], most: int) -> list[Signal]:
    """The longest-waiting alarms of the kinds that may have a shared cause, locked."""
    rows = await (
        await conn.execute(WAITING.encode(), {"kinds": _SHARED, "aside": list(aside), "most": most})
    ).fetchall()
    return [_signal(*row) for row in rows]


async def recent(conn: Connection, area: str, since: datetime, here: Sequence[UUID]) -> list[Signal]:
    """Those of an area since then that have their places or are among `here`, in their order."""
    rows = await (await conn.execute(RECENT.encode(), {"area": area, "since": since, "here": list(here)})).fetchall()
    return [_signal(*row) for row in rows]


LOSING: Final = """
    select area_of(o.council_id, o.postcode), count(distinct o.id)
      from alarms a
      join hubs h on h.name = a.hub
      join homes o on o.id = h.home_id
     where a.kind in ('mains-lost', 'network-lost', 'device-silent') and a.received_at > %s
       and area_of(o.council_id, o.postcode) = any(%s)
     group by 1
"""


async def losing(conn: Connection, areas: Sequence[str], since: datetime) -> dict[str, int]:
    """In how many homes of each of these areas something was lost since then; rather too many than too few."""
    if not areas:
        return {}
    return dict(await (await conn.execute(LOSING, (since, list(areas)))).fetchall())


def _signal(alarm_id: UUID, home_id: UUID, area: str, kind: str, rule: str | None, since: datetime) -> Signal:
    return Signal(alarm_id=alarm_id, home_id=home_id, area=area, kind=Kind(kind), rule=rule, since=since)


# ---------------------------------------------------------------- incidents


@dataclass(frozen=True, slots=True)
class Area:
    """What is known of an area."""

    label: str
    timezone: str
    homes: int  # that have a hub


AREA: Final = """
    select coalesce(nullif(split_part(%(area)s, ':', 2), ''), min(c.name)), min(c.timezone), count(*)
      from homes o join councils c on c.id = o.council_id
     where area_of(o.council_id, o.postcode) = %(area)s and exists (select 1 from hubs h where h.home_id = o.id)
"""


async def area(conn: Connection, name: str) -> Area:
    """What an area is called, and how many homes with a hub it has."""
    row = await (await conn.execute(AREA, {"area": name})).fetchone()
    assert row is not None
    return Area(*row)


async def open_in(conn: Connection, areas: Collection[str]) -> dict[str, int]:
    """The open incident of each area that has one, locked."""
    rows = await (
        await conn.execute(
            """select i.area, a.id from alerts a join incidents i on i.alert_id = a.id
                where a.case_key = any(%s) and a.closed_at is null order by a.id for no key update of a""",
            ([f"incident:{name}" for name in areas],),
        )
    ).fetchall()
    return dict(rows)


OPEN: Final = """
    insert into alerts (case_key, kind, priority, state, reason, raised_at, waiting_since, due_at, alarm_count, policy,
                        policy_id, level_since)
    values (%(key)s, %(kind)s, %(priority)s, 'raised', 'Incident', %(now)s, %(now)s, %(due_at)s, 0, %(policy)s,
            %(policy_id)s, %(now)s)
    on conflict (case_key) where closed_at is null do nothing
    returning id
"""


async def open_incident(
    conn: Connection, name: str, found: Area, kind: Kind, began_at: datetime, now: datetime, due_at: datetime,
    rule: Edition,
) -> int | None:  # fmt: skip
    """A new incident's number, or None where another engine has just opened one."""
    values: dict[str, Any] = {"key": f"incident:{name}", "kind": kind.value, "now": now, "due_at": due_at}
    values |= {"priority": int(PRIORITY), "policy": rule.name, "policy_id": rule.id}
    row = await (await conn.execute(OPEN, values)).fetchone()
    if row is None:
        return None
    await conn.execute(
        "insert into incidents (alert_id, area, label, timezone, began_at) values (%s, %s, %s, %s, %s)",
        (row[0], name, found.label, found.timezone, began_at),
    )
    number: int = row[0]
    return number


async def tell(conn: Connection, alert_id: int, reason: str, joined: int) -> None:
    """An incident has changed: so it is described now, and so many more alarms are in it."""
    await conn.execute(
        "update alerts set reason = %s, alarm_count = alarm_count + %s, version = version + 1 where id = %s",
        (reason, joined, alert_id),
    )


async def give_places(conn: Connection, alert_id: int, alarms: Sequence[UUID], now: datetime) -> None:
    """Give alarms their one place, and take them off the waiting list."""
    await conn.execute(
        """with placed as (insert into alert_alarms (alarm_id, alert_id, joined_at)
                           select alarm, %(alert)s, %(now)s from unnest(%(alarms)s::uuid[]) alarm returning alarm_id)
           delete from alarms_waiting w using placed where w.alarm_id = placed.alarm_id""",
        {"alarms": list(alarms), "alert": alert_id, "now": now},
    )


# ---------------------------------------------------------------- homes


async def homes_of(conn: Connection, alert_id: int, homes: Collection[UUID]) -> dict[UUID, Loss]:
    """Those of these homes that the incident lists. Its alert is locked."""
    rows = await (
        await conn.execute(
            """select home_id, troubles, had, since, changed_at, back_at from incident_homes
                where alert_id = %s and home_id = any(%s)""",
            (alert_id, list(homes)),
        )
    ).fetchall()
    return {row[0]: Loss(_troubles(row[1]), _troubles(row[2]), *row[3:]) for row in rows}


def _troubles(names: Sequence[str]) -> frozenset[Trouble]:
    return frozenset(Trouble(name) for name in names)


KEEP: Final = """
    insert into incident_homes (alert_id, home_id, troubles, had, since, changed_at, back_at)
    select %(alert)s, k.home, string_to_array(k.troubles, ','), string_to_array(k.had, ','), k.since, k.changed_at,
           k.back_at
      from unnest(%(homes)s::uuid[], %(troubles)s::text[], %(had)s::text[], %(since)s::timestamptz[],
                  %(changed_at)s::timestamptz[], %(back_at)s::timestamptz[])
           k (home, troubles, had, since, changed_at, back_at)
    on conflict (alert_id, home_id) do update
       set troubles = excluded.troubles, had = excluded.had, since = excluded.since, changed_at = excluded.changed_at,
           back_at = excluded.back_at
"""


async def keep_homes(conn: Connection, alert_id: int, losses: Mapping[UUID, Loss]) -> None:
    """List these homes, or change how they are listed. The incident's alert is locked."""
    await conn.execute(
        KEEP,
        {
            "alert": alert_id,
            "homes": list(losses),
            "troubles": [",".join(sorted(loss.troubles)) for loss in losses.values()],
            "had": [",".join(sorted(loss.had)) for loss in losses.values()],
            "since": [loss.since for loss in losses.values()],
            "changed_at": [loss.changed_at for loss in losses.values()],
            "back_at": [loss.back_at for loss in losses.values()],
        },
    )


async def without_mains(conn: Connection, homes: Collection[UUID]) -> set[UUID]:
    """Those of these homes whose hub said in its last state that it had no mains power."""
    rows = await (
        await conn.execute(
            """select h.home_id from hubs h join hub_states s on s.hub = h.name
                where h.home_id = any(%s) and not s.mains""",
            (list(homes),),
        )
    ).fetchall()
    return {row[0] for row in rows}


@dataclass(frozen=True, slots=True)
class Listed:
    """Where a home was last listed."""

    alert_id: int
    is_open: bool
    had: frozenset[Trouble]
    back_at: datetime | None

    def takes(self, ended: Trouble, since: datetime) -> bool:
        """Whether an alarm that says `ended` is back belongs there: also after it was closed, if it is the first word.

        Without that, a district's return after its incident was closed would be as many alerts as homes.
        """
        return self.is_open or (ended in self.had and (self.back_at is None or self.back_at > since))


LISTED: Final = """
    select distinct on (h.home_id) h.home_id, h.alert_id, a.closed_at is null, h.had, h.back_at
      from incident_homes h join alerts a on a.id = h.alert_id
     where h.home_id = any(%s) order by h.home_id, h.alert_id desc
"""


async def incidents_of(conn: Connection, homes: Collection[UUID]) -> dict[UUID, Listed]:
    """For each of these homes the newest incident that lists it, open or closed."""
    rows = await (await conn.execute(LISTED, (list(homes),))).fetchall()
    return {row[0]: Listed(row[1], row[2], _troubles(row[3]), row[4]) for row in rows}


async def lock(conn: Connection, alert_ids: Collection[int]) -> None:
    """Lock these alerts, in order of number."""
    await conn.execute("select 1 from alerts where id = any(%s) order by id for no key update", (sorted(alert_ids),))


# Alerts of single homes that were raised within the window by such signals alone, and that nobody has touched.
FOLD_IN: Final = """
    update alerts a
       set state = 'closed', closed_at = %(now)s, due_at = null, cause = 'power-or-line', outcomes = '{information}',
           confirmed_by = 'system', how = %(how)s, version = version + 1
     where a.case_key = any(%(keys)s) and a.state = 'raised' and a.first_claimed_at is null and a.raised_at > %(since)s
       and not exists (select 1 from alert_log l where l.alert_id = a.id and l.who not in ('system', 'device'))
       and not exists (select 1 from alert_alarms p join alarms m on m.id = p.alarm_id
                         left join findings f on f.alarm_id = m.id
                        where p.alert_id = a.id
                          and not (m.kind in ('mains-lost', 'mains-restored', 'network-lost', 'network-restored')
                                   or coalesce(f.rule in (%(silent)s, 'hub-restored'), false)))
    returning id
"""


async def fold_in(conn: Connection, homes: Collection[UUID], since: datetime, how: str, now: datetime) -> list[int]:
    """Close the untouched alerts of single homes that the incident lists now; their numbers."""
    values = {"keys": [f"technical:{home}" for home in homes], "since": since, "how": how, "now": now}
    rows = await (await conn.execute(FOLD_IN, values | {"silent": HUB_SILENT})).fetchall()
    return sorted(row[0] for row in rows)


# ---------------------------------------------------------------- returns

# Heard: no hub of the home is silent. Mains: each hub has said so since it was lost.
_OVER: Final = """
    select i.alert_id, i.home_id,
           array(select t from unnest(i.troubles) t
                  where not (t = 'silent' and not exists (
                                select 1 from silences x
                                 where x.home_id = i.home_id and x.device = '' and x.ended_at is null))
                    and not (t = 'mains' and not exists (
                                select 1 from hubs h left join hub_states s on s.hub = h.name
                                 where h.home_id = i.home_id
                                   and not coalesce(s.online and s.mains and s.received_at > i.changed_at, false))))
           as remains
      from incident_homes i where cardinality(i.troubles) > 0
"""
RETURNED: Final = f"""
    select distinct o.alert_id from ({_OVER}) o join incident_homes i using (alert_id, home_id)
     where o.remains <> i.troubles
"""  # noqa: S608
RETURN: Final = f"""
    update incident_homes i
       set troubles = o.remains, back_at = case when cardinality(o.remains) = 0 then %(now)s::timestamptz end
      from ({_OVER} and i.alert_id = %(alert)s) o
     where i.alert_id = o.alert_id and i.home_id = o.home_id and o.remains <> i.troubles
    returning i.back_at is not null
"""  # noqa: S608


async def with_returns(conn: Connection) -> list[int]:
    """Incidents of which some home has got something back that they do not say yet."""
    rows = await (await conn.execute(RETURNED.encode())).fetchall()
    return sorted(row[0] for row in rows)


async def note_returns(conn: Connection, alert_id: int, now: datetime) -> tuple[int, int]:
    """Write down what an incident's homes have got back: how many have changed, and how many of them are back."""
    rows = await (await conn.execute(RETURN.encode(), {"alert": alert_id, "now": now})).fetchall()
    return len(rows), sum(row[0] for row in rows)


async def is_incident(conn: Connection, alert_id: int) -> bool:
    """Whether this alert is an incident."""
    row = await (await conn.execute("select 1 from incidents where alert_id = %s", (alert_id,))).fetchone()
    return row is not None


def window_start(now: datetime, window_s: float) -> datetime:
    """From when on losses are counted together."""
    return now - timedelta(seconds=window_s)
