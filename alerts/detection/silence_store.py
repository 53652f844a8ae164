"""Every SQL statement about hubs and devices that fall silent, and come back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from telecare.db import Connection

# A hub that was heard has its deadline in `hub_states.silent_at` (an index finds those that have passed); one that was
# never heard has its enrolment's.
SILENT_HUBS: Final = """
    select h.name as hub, h.home_id, '' as device, '' as kind, '' as location, s.received_at as last_heard_at,
           c.timezone
      from hubs h
      join homes on homes.id = h.home_id
      join councils c on c.id = homes.council_id
      left join hub_states s on s.hub = h.name
     where h.name in (select hub from hub_states where silent_at <= %(now)s
                      union all
                      select e.name from hubs e where e.enrolled_at <= %(now)s - %(first_word)s
                         and not exists (select 1 from hub_states x where x.hub = e.name))
       and (s.hub is null or %(well_since)s + (s.silent_at - s.received_at) <= %(now)s)
       and not exists (select 1 from silences x where x.home_id = h.home_id and x.hub = h.name and x.device = ''
                                                  and x.ended_at is null)
     order by s.silent_at nulls first, h.name limit %(most)s for no key update of h skip locked
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


async def silent_hubs(
    conn: Connection, now: datetime, well_since: datetime, first_word: timedelta, most: int
) -> list[Silent]:
    """Hubs past their deadline, longest first, locked. A span in which we did not listen is not held against them."""
    async with conn.cursor(row_factory=class_row(Silent)) as cursor:
        await cursor.execute(
            SILENT_HUBS, {"now": now, "well_since": well_since, "first_word": first_word, "most": most}
        )
        return await cursor.fetchall()


async def next_deadline(conn: Connection, now: datetime) -> datetime | None:
    """When the next hub that has been heard will count as silent, if nothing more is heard of it."""
    row = await (await conn.execute("select min(silent_at) from hub_states where silent_at > %s", (now,))).fetchone()
    return row[0] if row else None


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


async def begin_silences(conn: Connection, begun: Sequence[tuple[Silent, UUID]], now: datetime) -> None:
    """Write down that hubs or devices have fallen silent, each with the alarm that says so."""
    await conn.execute(
        """insert into silences (home_id, hub, device, last_heard_at, noticed_at, alarm_id)
           select b.home, b.hub, b.device, b.last_heard_at, %s, b.alarm
             from unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::uuid[])
                  b (home, hub, device, last_heard_at, alarm)""",
        (
            now,
            [silent.home_id for silent, _ in begun],
            [silent.hub for silent, _ in begun],
            [silent.device for silent, _ in begun],
            [silent.last_heard_at for silent, _ in begun],
            [alarm_id for _, alarm_id in begun],
        ),
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


async def watch_devices(conn: Connection, new: Sequence[tuple[UUID, str, str, datetime]]) -> None:
    """Begin to watch devices that have not been heard yet: (home, device, hub, silent_at) of each."""
    columns = [list(column) for column in zip(*new, strict=True)] or [[], [], [], []]
    await conn.execute(
        """insert into device_heard (home_id, device, hub, silent_at)
           select * from unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[]) on conflict do nothing""",
        columns,
    )


# An incident says by itself which of its homes are back: only the open alert of a single home is told by an alarm.
HEARD_AGAIN: Final = """
    select x.id, x.hub, x.home_id, x.device, coalesce(v.kind, '') as kind, coalesce(v.location, '') as location,
           x.noticed_at,
           exists (select 1 from alert_alarms p join alerts a on a.id = p.alert_id
                    where p.alarm_id = x.alarm_id and a.closed_at is null
                      and not exists (select 1 from incidents i where i.alert_id = a.id)) as alert_open
      from silences x
      left join hub_states s on x.device = '' and s.hub = x.hub
      left join device_heard d on x.device <> '' and d.home_id = x.home_id and d.device = x.device
      left join devices v on v.home_id = x.home_id and v.name = x.device
     where x.ended_at is null and coalesce(s.received_at, d.heard_at) > x.noticed_at
       and coalesce(s.online, true) and coalesce(s.silent_at, d.silent_at) > %(now)s
       and exists (select 1 from alert_alarms p where p.alarm_id = x.alarm_id)
     order by x.id limit %(most)s for update of x skip locked
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


async def heard_again(conn: Connection, now: datetime, most: int) -> list[Back]:
    """Hubs and devices that were silent and have been heard since, locked."""
    async with conn.cursor(row_factory=class_row(Back)) as cursor:
        await cursor.execute(HEARD_AGAIN, {"now": now, "most": most})
        return await cursor.fetchall()


async def end_silences(conn: Connection, silence_ids: Sequence[int], now: datetime) -> None:
    """Write down that they are over."""
    await conn.execute("update silences set ended_at = %s where id = any(%s)", (now, list(silence_ids)))
