"""Every SQL statement of a home's timeline. However much a home has sent, little is read: movement comes in bins."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from dashboard.timeline import BIN, Day, Picture, picture
from telecare.db import Connection
from telecare.vocabulary import Kind, is_possible, title_of

_CHANGES: Final = 2000  # of doors and beds in a day
_MARKS: Final = 500
_BEFORE: Final = timedelta(days=3)  # how far back the state at midnight is looked for

_SERIES: Final = """
    from series s join hubs h on h.name = s.hub
    left join devices d on d.home_id = h.home_id and d.name = s.device
"""
MOVEMENTS: Final = f"""
    select s.device, coalesce(d.location, ''), date_bin(%(bin)s, r.at, %(start)s), count(*)::integer,
           min(r.at), max(r.at)
      {_SERIES} join readings r on r.series_id = s.id
     where h.home_id = %(home)s and s.measure = 'motion' and r.value > 0 and r.at >= %(start)s and r.at < %(end)s
     group by 1, 2, 3
"""
STATES: Final = f"""
    select * from (
        select s.device, coalesce(d.location, ''), s.measure, coalesce(d.leads_outside, false), r.at, r.value
          {_SERIES} join readings r on r.series_id = s.id
         where h.home_id = %(home)s and s.measure in ('open', 'occupied') and r.at >= %(start)s and r.at < %(end)s
         order by r.at limit %(changes)s) day
    union all
    select s.device, coalesce(d.location, ''), s.measure, coalesce(d.leads_outside, false), r.at, r.value
      {_SERIES} cross join lateral (
          select at, value from readings where series_id = s.id and at < %(start)s and at >= %(before)s
           order by at desc limit 1) r
     where h.home_id = %(home)s and s.measure in ('open', 'occupied')
     order by 5
"""  # noqa: S608
TEMPERATURES: Final = f"""
    select s.device, coalesce(d.location, ''), date_bin(%(bin)s, r.at, %(start)s),
           round(avg(r.value)::numeric, 1)::float8
      {_SERIES} join readings r on r.series_id = s.id
     where h.home_id = %(home)s and s.measure = 'temperature' and r.at >= %(start)s and r.at < %(end)s
     group by 1, 2, 3
"""
ALARMS: Final = """
    select coalesce(a.at, a.received_at), a.kind, a.evidence ->> 'outcome' from alarms a join hubs h on h.name = a.hub
     where h.home_id = %(home)s and a.device <> 'detector'
       and coalesce(a.at, a.received_at) >= %(start)s and coalesce(a.at, a.received_at) < %(end)s
     order by 1 limit %(marks)s
"""
ALERTS: Final = """
    select id, priority, raised_at, closed_at, kind, possible from alerts
     where home_id = %(home)s and raised_at < %(end)s and coalesce(closed_at, %(now)s) > %(start)s
       and case_key not like 'test:%%'
     order by raised_at limit %(marks)s
"""


async def picture_of(conn: Connection, home_id: UUID, day: Day, now: datetime) -> Picture:
    """A day in a home, put together."""
    values = {
        "home": home_id, "start": day.start, "end": day.end, "before": day.start - _BEFORE, "bin": BIN, "now": now,
        "changes": _CHANGES, "marks": _MARKS,
    }  # fmt: skip

    async def rows(sql: str) -> list[tuple[Any, ...]]:
        return await (await conn.execute(sql.encode(), values)).fetchall()

    alarms = [
        (at, title_of(Kind(kind), possible=is_possible(Kind(kind), outcome)))
        for at, kind, outcome in await rows(ALARMS)
    ]
    alerts = [
        (number, level, raised, closed, title_of(Kind(kind), possible=possible))
        for number, level, raised, closed, kind, possible in await rows(ALERTS)
    ]
    return picture(day, now, await rows(MOVEMENTS), await rows(STATES), await rows(TEMPERATURES), alarms, alerts)
