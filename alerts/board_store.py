"""What the supervisor's board is made of, from the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row, dict_row

from alerts.board import BREACHES_WITHIN, BREAK, ENDS, SHIFT_LONGEST, TAKES, Change, Seat
from alerts.floods import SEEN_WITHIN
from telecare.db import Connection
from telecare.vocabulary import Priority


@dataclass(frozen=True, slots=True)
class Level:
    """Open alerts of one level; those that were put aside are neither."""

    priority: int
    count: int
    unclaimed: int


# Every level has its line, also without an alert.
LEVELS: Final = """
    select n as priority, count(a.id) as count, count(a.id) filter (where a.claimed_by is null) as unclaimed
      from generate_series(%(first)s::integer, %(last)s) n
      left join alerts a on a.priority = n and a.closed_at is null
           and (a.shelved_until is null or a.shelved_until <= %(now)s)
     group by n order by n
"""
UNCLAIMED: Final = """
    select id, waiting_since from alerts where closed_at is null and claimed_by is null and priority < %(technical)s
     order by waiting_since, id limit 1
"""
BREACHES: Final = """
    select l.alert_id as id, l.at, a.priority, a.closed_at, coalesce(p.name, h.address, i.label) as who,
           s.display_name as owner
      from alert_log l
      join alerts a on a.id = l.alert_id
      left join people p on p.id = a.person_id
      left join homes h on h.id = a.home_id
      left join incidents i on i.alert_id = a.id
      left join staff s on s.username = a.claimed_by
     where l.what = 'breached' and l.at > %(since)s and l.at <= %(now)s order by l.at desc, l.id desc
"""
# Who has been at a screen in this shift, or has an alert. Screens that follow one another within a break are one shift.
SEATS: Final = """
    with seen as (
        select c.username, range_agg(tstzrange(c.opened_at, c.seen_at + %(break)s, '[]')) as spans,
               bool_or(c.closed_at is null and c.seen_at > %(seen)s) as connected
          from consoles c
         where c.seen_at > %(before)s and c.opened_at <= %(now)s group by c.username),
    held as (
        select claimed_by as username, count(*) as holds from alerts
         where closed_at is null and claimed_by is not null group by claimed_by)
    select s.username, s.display_name as name, coalesce(n.connected, false) as connected,
           (select greatest(lower(r), %(before)s) from unnest(n.spans) r where r @> %(now)s) as shift_began,
           coalesce(d.holds, 0)::integer as holds
      from staff s left join seen n on n.username = s.username left join held d on d.username = s.username
     where s.role in ('operator', 'supervisor') and (d.holds > 0 or n.spans @> %(now)s)
     order by s.display_name, s.username
"""
# All changes of hands of those alerts that have changed hands in this time, or are somebody's still.
CHANGES: Final = """
    select l.alert_id, l.at, l.who, l.what
      from alert_log l
     where l.what = any(%(whats)s) and l.at <= %(now)s
       and l.alert_id in (select alert_id from alert_log where at > %(since)s and what = any(%(whats)s)
                           union select id from alerts where closed_at is null and claimed_by is not null)
     order by l.at, l.id
"""


async def levels(conn: Connection, now: datetime) -> list[Level]:
    """How many alerts are open of each level, and how many of them nobody has."""
    async with conn.cursor(row_factory=class_row(Level)) as cursor:
        values = {"first": min(Priority), "last": max(Priority), "now": now}
        return await (await cursor.execute(LEVELS, values)).fetchall()


async def oldest_unclaimed(conn: Connection) -> tuple[int, datetime] | None:
    """The alert of a person that nobody has had for longest, and since when; None where somebody has every one."""
    row = await (await conn.execute(UNCLAIMED, {"technical": Priority.TECHNICAL})).fetchone()
    return None if row is None else (row[0], row[1])


async def breaches(conn: Connection, now: datetime) -> list[dict[str, Any]]:
    """Alerts that nobody had taken within the limit (`breach_s`), in the last day, the newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(BREACHES, {"since": now - BREACHES_WITHIN, "now": now})
        return await cursor.fetchall()


async def seats(conn: Connection, now: datetime) -> list[Seat]:
    """Operators and supervisors who are in a shift, or have an alert."""
    async with conn.cursor(row_factory=class_row(Seat)) as cursor:
        values = {"now": now, "seen": now - SEEN_WITHIN, "before": now - SHIFT_LONGEST, "break": BREAK}
        return await (await cursor.execute(SEATS, values)).fetchall()


async def changes(conn: Connection, now: datetime) -> list[Change]:
    """How alerts changed hands in the longest shift that there may be, in order."""
    async with conn.cursor(row_factory=class_row(Change)) as cursor:
        values = {"whats": sorted(TAKES | ENDS), "since": now - SHIFT_LONGEST, "now": now}
        return await (await cursor.execute(CHANGES, values)).fetchall()


async def shift_taken(conn: Connection, now: datetime) -> datetime | None:
    """When the room's last handover was signed; None where that is longer ago than a shift may last."""
    cursor = await conn.execute(
        "select max(taken_at) from handovers where taken_at > %s and taken_at <= %s", (now - SHIFT_LONGEST, now)
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]
