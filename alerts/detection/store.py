"""Every SQL statement of detection; findings are raised in `findings`, silences kept in `silence_store`."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.rows import class_row, dict_row

from alerts.detection.rules import Look
from alerts.detection.seen import Reading, Seen
from telecare.db import Connection
from telecare.feed import Fed
from telecare.register.plans import CarePlan

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
      join people on people.id = p.person_id and people.state in ('active', 'kit-fault')
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
