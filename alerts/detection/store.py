"""Every SQL statement of detection and supervision."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from alerts.detection.rules import Look
from alerts.detection.seen import Reading, Seen
from alerts.store import ARRIVED
from telecare.db import Connection
from telecare.feed import Fed
from telecare.ids import uuid7
from telecare.register.plans import CarePlan
from telecare.vocabulary import Kind

DETECTOR: Final = "detector"  # the device whose alarms the service itself raises
_SEEN: Final = tuple(field.name for field in fields(Seen))
_PLAN: Final = tuple(field.name for field in fields(CarePlan))
_HEARD_STEP: Final = timedelta(minutes=1)  # a device's last word is written down at most this often

# ---------------------------------------------------------------- what was read

NAMED: Final = """
    select s.id, s.measure, h.home_id, s.hub, s.device, coalesce(d.location, '') as location,
           coalesce(d.leads_outside, false) as leads_outside, d.name is not null as registered,
           coalesce(d.kind, '') as kind
      from series s join hubs h on h.name = s.hub
      left join devices d on d.home_id = h.home_id and d.name = s.device
     where s.id = any(%s)
"""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a series comes from."""

    id: int
    measure: str
    home_id: UUID
    hub: str
    device: str
    location: str
    leads_outside: bool
    registered: bool
    kind: str

    def reading(self, fed: Fed) -> Reading:
        """A reading of this series."""
        return Reading(
            self.home_id, self.device, self.location, self.leads_outside, self.measure, fed.at, fed.value
        )  # fmt: skip


async def sources(conn: Connection, series_ids: Collection[int]) -> dict[int, Source]:
    """Where these series come from."""
    async with conn.cursor(row_factory=class_row(Source)) as cursor:
        await cursor.execute(NAMED, (list(series_ids),))
        return {source.id: source for source in await cursor.fetchall()}


async def seen_in(conn: Connection, homes: Collection[UUID]) -> dict[UUID, Seen]:
    """What was last seen in these homes; homes of which nothing is known are left out."""
    columns = ", ".join(_SEEN)
    rows = await (
        await conn.execute(
            f"select home_id, {columns} from home_seen where home_id = any(%s)".encode(),  # noqa: S608  (our own names)
            (list(homes),),
        )
    ).fetchall()
    return {row[0]: Seen(**dict(zip(_SEEN, row[1:], strict=True))) for row in rows}


SAVE_SEEN: Final = """
    insert into home_seen (home_id, moved_at, moved_where, up_at, up_where, door_at, bed_at, bed_in)
    values (%(home_id)s, %(moved_at)s, %(moved_where)s, %(up_at)s, %(up_where)s, %(door_at)s, %(bed_at)s, %(bed_in)s)
    on conflict (home_id) do update
       set moved_at = excluded.moved_at, moved_where = excluded.moved_where, up_at = excluded.up_at,
           up_where = excluded.up_where, door_at = excluded.door_at, bed_at = excluded.bed_at, bed_in = excluded.bed_in
"""


async def save_seen(conn: Connection, seen: dict[UUID, Seen]) -> None:
    """Keep what was last seen."""
    async with conn.cursor() as cursor:
        await cursor.executemany(
            SAVE_SEEN,
            [{"home_id": home} | {name: getattr(one, name) for name in _SEEN} for home, one in sorted(seen.items())],
        )


HEARD: Final = """
    insert into device_heard (home_id, device, hub, heard_at, silent_at)
    values (%(home)s, %(device)s, %(hub)s, %(at)s, %(silent_at)s)
    on conflict (home_id, device) do update
       set hub = excluded.hub, heard_at = excluded.heard_at, silent_at = excluded.silent_at
     where device_heard.heard_at is null or device_heard.heard_at < excluded.heard_at - %(step)s
"""


@dataclass(frozen=True, slots=True, order=True)
class Heard:
    """A device's last word, and when it counts as silent if there is no other."""

    home: UUID
    device: str
    hub: str
    at: datetime
    silent_at: datetime


async def save_heard(conn: Connection, heard: Iterable[Heard]) -> None:
    """Keep when devices were last heard."""
    async with conn.cursor() as cursor:
        await cursor.executemany(
            HEARD,
            [
                {"home": h.home, "device": h.device, "hub": h.hub, "at": h.at, "silent_at": h.silent_at,
                 "step": _HEARD_STEP}
                for h in sorted(heard)
            ],
        )  # fmt: skip


# ---------------------------------------------------------------- whose plan is to be looked at

NEXT_LOOK: Final = """
    select p.person_id from care_plans p left join plan_looks l using (person_id)
     where (p.still_after_min is not null or p.up_by is not null)
       and (l.look_at is null or l.look_at <= %s or l.version <> p.version)
     order by l.look_at nulls first limit 1 for update of p skip locked
"""

LOOK: Final = """
    select p.*, people.name, c.timezone, people.home_id,
           hub.name as hub, hub.enrolled_at, hub.settled,
           (select max(s.ended_at) from silences s where s.hub = hub.name and s.device = '') as back_at
      from care_plans p
      join people on people.id = p.person_id
      join homes h on h.id = people.home_id
      join councils c on c.id = h.council_id
      left join lateral (
           select u.name, u.enrolled_at,
                  coalesce(s.online and s.silent_at > %(now)s and coalesce(s.outbox, 0) <= %(backlog)s, false)
                  as settled
             from hubs u left join hub_states s on s.hub = u.name
            where u.home_id = h.id order by s.received_at desc nulls last limit 1) hub on true
     where p.person_id = %(person)s
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A plan that is to be looked at. `settled`: its hub is heard, and what it knows we know."""

    look: Look
    hub: str | None
    settled: bool


async def next_due(conn: Connection, now: datetime) -> UUID | None:
    """Whose plan has waited longest to be looked at, locked; None when none is due."""
    row = await (await conn.execute(NEXT_LOOK, (now,))).fetchone()
    return row[0] if row else None


async def to_judge(conn: Connection, person_id: UUID, now: datetime, backlog: int) -> Due:
    """A person's plan, and what there is to judge it by."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(LOOK, {"person": person_id, "now": now, "backlog": backlog})
        found: dict[str, Any] | None = await cursor.fetchone()
    assert found is not None
    seen = await seen_in(conn, [found["home_id"]])
    since = max((at for at in (found["enrolled_at"], found["back_at"]) if at is not None), default=now)
    look = Look(
        person_id=found["person_id"],
        name=found["name"],
        plan=CarePlan(**{name: found[name] for name in _PLAN}),
        seen=seen.get(found["home_id"], Seen()),
        zone=ZoneInfo(found["timezone"]),
        watched_since=since,
    )
    return Due(look, found["hub"], bool(found["settled"]))


async def looked(conn: Connection, person_id: UUID, now: datetime, look_at: datetime) -> None:
    """Write down that a plan was looked at, and when it will be next. Its row is locked: no other version is meant."""
    await conn.execute(
        """insert into plan_looks (person_id, version, looked_at, look_at)
           select person_id, version, %s, %s from care_plans where person_id = %s
           on conflict (person_id) do update
              set version = excluded.version, looked_at = excluded.looked_at, look_at = excluded.look_at""",
        (now, look_at, person_id),
    )


# ---------------------------------------------------------------- findings

RAISE: Final = """
    insert into alarms (id, hub, given_id, device, kind, at, clock_synced, test, evidence, doubts, content_hash,
                        received_at)
    values (%(id)s, %(hub)s, %(key)s, %(device)s, %(kind)s, %(now)s, true, false, %(evidence)s, '{}', %(hash)s, %(now)s)
    on conflict (hub, given_id) do nothing
"""


async def raise_finding(
    conn: Connection,
    hub: str,
    kind: Kind,
    rule: str,
    key: str,
    sentence: str,
    now: datetime,
    person: UUID | None = None,
) -> UUID | None:
    """Let a finding enter as an alarm of the device `detector`; None where the same one has entered before."""
    alarm_id = uuid7()
    cursor = await conn.execute(
        RAISE,
        {"id": alarm_id, "hub": hub, "key": key, "device": DETECTOR, "kind": kind.value, "now": now,
         "evidence": Jsonb({"rule": rule, "sentence": sentence}), "hash": hashlib.sha256(key.encode()).digest()},
    )  # fmt: skip
    if cursor.rowcount == 0:
        return None
    await conn.execute(
        "insert into findings (alarm_id, person_id, rule, sentence) values (%s, %s, %s, %s)",
        (alarm_id, person, rule, sentence),
    )
    await conn.execute("insert into alarms_waiting (alarm_id, received_at) values (%s, %s)", (alarm_id, now))
    await conn.execute("select pg_notify(%s, '')", (ARRIVED,))
    return alarm_id


# ---------------------------------------------------------------- silence

SILENT_HUB: Final = """
    select h.name as hub, h.home_id, '' as device, '' as kind, '' as location, s.received_at as last_heard_at,
           c.timezone
      from hubs h
      join homes on homes.id = h.home_id
      join councils c on c.id = homes.council_id
      left join hub_states s on s.hub = h.name
     where coalesce(greatest(s.silent_at, %(well_since)s + (s.silent_at - s.received_at)),
                    h.enrolled_at + %(first_word)s) <= %(now)s
       and not exists (select 1 from silences x where x.hub = h.name and x.device = '' and x.ended_at is null)
     order by s.silent_at nulls first limit 1 for no key update of h skip locked
"""

SILENT_DEVICE: Final = """
    select d.hub, d.home_id, d.device, v.kind, v.location, d.heard_at as last_heard_at, c.timezone
      from device_heard d
      join homes on homes.id = d.home_id
      join councils c on c.id = homes.council_id
      join devices v on v.home_id = d.home_id and v.name = d.device
      join hub_states s on s.hub = d.hub
     where d.silent_at <= %(now)s and s.online and s.silent_at > %(now)s and coalesce(s.outbox, 0) <= %(backlog)s
       and not exists (select 1 from silences x where x.home_id = d.home_id and x.hub = d.hub and x.device = d.device
                                                  and x.ended_at is null)
     order by d.silent_at limit 1 for update of d skip locked
"""


@dataclass(frozen=True, slots=True)
class Silent:
    """A hub (device '') or a device that is past its deadline."""

    hub: str
    home_id: UUID
    device: str
    kind: str
    location: str
    last_heard_at: datetime | None
    timezone: str  # of the home's council


async def silent_hub(conn: Connection, now: datetime, well_since: datetime, first_word: timedelta) -> Silent | None:
    """The hub that is longest past its deadline, locked. A span in which we did not listen is not held against it."""
    async with conn.cursor(row_factory=class_row(Silent)) as cursor:
        await cursor.execute(SILENT_HUB, {"now": now, "well_since": well_since, "first_word": first_word})
        return await cursor.fetchone()


async def silent_device(conn: Connection, now: datetime, backlog: int) -> Silent | None:
    """The device that is longest past its deadline, locked; only where its hub is heard and has told all it knows."""
    async with conn.cursor(row_factory=class_row(Silent)) as cursor:
        await cursor.execute(SILENT_DEVICE, {"now": now, "backlog": backlog})
        return await cursor.fetchone()


async def heard_otherwise(conn: Connection, silent: Silent) -> datetime | None:
    """When a device last gave an alarm, or its hub came back: later than its last reading, it is no silence yet."""
    row = await (
        await conn.execute(
            """select greatest((select max(received_at) from alarms where hub = %(hub)s and device = %(device)s),
                               (select max(ended_at) from silences where hub = %(hub)s and device = ''))""",
            {"hub": silent.hub, "device": silent.device},
        )
    ).fetchone()
    return row[0] if row else None


async def wait_longer(conn: Connection, silent: Silent, silent_at: datetime) -> None:
    """Move a device's deadline."""
    await conn.execute(
        "update device_heard set silent_at = %s where home_id = %s and device = %s",
        (silent_at, silent.home_id, silent.device),
    )


async def begin_silence(conn: Connection, silent: Silent, alarm_id: UUID, now: datetime) -> None:
    """Write down that a hub or device has fallen silent."""
    await conn.execute(
        """insert into silences (home_id, hub, device, last_heard_at, noticed_at, alarm_id)
           values (%s, %s, %s, %s, %s, %s)""",
        (silent.home_id, silent.hub, silent.device, silent.last_heard_at, now, alarm_id),
    )


NEW_DEVICES: Final = """
    select d.home_id, d.name, (select min(h.name) from hubs h where h.home_id = d.home_id) as hub, d.kind
      from devices d
     where not exists (select 1 from device_heard x where x.home_id = d.home_id and x.device = d.name)
       and exists (select 1 from hubs h where h.home_id = d.home_id)
     limit %s
"""


async def new_devices(conn: Connection, limit: int = 500) -> list[tuple[UUID, str, str, str]]:
    """Devices that are not watched yet: (home, device, hub, kind) of each."""
    rows = await (await conn.execute(NEW_DEVICES, (limit,))).fetchall()
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def watch_device(conn: Connection, home: UUID, device: str, hub: str, silent_at: datetime) -> None:
    """Begin to watch a device that has not been heard yet."""
    await conn.execute(
        """insert into device_heard (home_id, device, hub, silent_at) values (%s, %s, %s, %s) on conflict do nothing""",
        (home, device, hub, silent_at),
    )


HEARD_AGAIN: Final = """
    select x.id, x.hub, x.home_id, x.device, coalesce(v.kind, '') as kind, coalesce(v.location, '') as location,
           x.noticed_at,
           exists (select 1 from alert_alarms p join alerts a on a.id = p.alert_id
                    where p.alarm_id = x.alarm_id and a.state <> 'closed') as alert_open
      from silences x
      left join hub_states s on x.device = '' and s.hub = x.hub
      left join device_heard d on x.device <> '' and d.home_id = x.home_id and d.device = x.device
      left join devices v on v.home_id = x.home_id and v.name = x.device
     where x.ended_at is null and coalesce(s.received_at, d.heard_at) > x.noticed_at
       and coalesce(s.online, true) and coalesce(s.silent_at, d.silent_at) > %(now)s
       and exists (select 1 from alert_alarms p where p.alarm_id = x.alarm_id)
     order by x.id limit 1 for update of x skip locked
"""


@dataclass(frozen=True, slots=True)
class Back:
    """A silence that is over."""

    id: int
    hub: str
    home_id: UUID
    device: str
    kind: str
    location: str
    noticed_at: datetime
    alert_open: bool


async def heard_again(conn: Connection, now: datetime) -> Back | None:
    """A hub or device that was silent and has been heard since, locked."""
    async with conn.cursor(row_factory=class_row(Back)) as cursor:
        await cursor.execute(HEARD_AGAIN, {"now": now})
        return await cursor.fetchone()


async def end_silence(conn: Connection, silence_id: int, now: datetime) -> None:
    """Write down that it is over."""
    await conn.execute("update silences set ended_at = %s where id = %s", (now, silence_id))
