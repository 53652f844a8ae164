"""What the reports count, read from the database: the last twelve complete months by each council's own clock."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.kpis import ANSWER_LATEST_S, ANSWER_SOON_S, ON_SITE_LATEST_MIN, ON_SITE_SOON_MIN
from dashboard.outcomes.day91 import Followed, places_on_day_91
from dashboard.outcomes.reports import Counted, Month, Visits
from dashboard.outcomes.store import records
from dashboard.outcomes.vocabulary import Day91, Reason, Sequel
from telecare.db import Connection
from telecare.register.councils import Council

MONTHS: Final = 12


def month_before(day: date, months: int) -> date:
    """The first day of the month that many months before a day's."""
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def period_words(today: date) -> str:
    """The last twelve complete months."""
    first, last = month_before(today, MONTHS), month_before(today, 1)
    return f"{first:%B %Y} to {last:%B %Y}"


# Alerts of people, tests left out; a council's time is its own. What each column means is the view's to say:
# supervisors' figures are made of the same (alerts/kpis.py).
_ALERTS: Final = """
    with wanted as (
        select f.*, date_trunc('month', f.raised_at at time zone c.timezone)::date as month,
               extract(epoch from f.arrived_at - f.raised_at) / 60 as took_min
          from alert_figures f join councils c on c.id = f.council_id
         where c.id = %(council)s
           and f.raised_at >= %(first)s::timestamp at time zone c.timezone
           and f.raised_at < %(until)s::timestamp at time zone c.timezone
           and (%(person)s::uuid is null or f.person_id = %(person)s)
    )
"""
MONTHLY: Final = f"""{_ALERTS}
    select w.month, count(*) as alerts, count(w.first_claimed_at) as answered,
           count(*) filter (where w.answer_s <= {ANSWER_SOON_S}) as within_60,
           count(*) filter (where w.answer_s <= {ANSWER_LATEST_S}) as within_180,
           percentile_cont(0.5) within group (order by w.answer_s) as median_s,
           count(*) filter (where w.sent) as visits
      from wanted w group by grouping sets ((w.month), ())
"""  # noqa: S608  (parts of our own)
ON_SITE: Final = f"""{_ALERTS}
    select count(*) filter (where took_min <= {ON_SITE_SOON_MIN}) as within_45,
           count(*) filter (where took_min > {ON_SITE_SOON_MIN} and took_min <= {ON_SITE_LATEST_MIN}) as within_60,
           count(*) filter (where took_min > {ON_SITE_LATEST_MIN}) as later,
           count(*) filter (where took_min is null) as not_recorded
      from wanted where sent
"""  # noqa: S608
CAUSES: Final = f"""{_ALERTS}
    select cause, count(*) as n from wanted where closed_at is not null group by cause
"""  # noqa: S608


async def count(conn: Connection, council: Council, now: datetime, *, person: UUID | None = None) -> Counted:
    """Everything that is counted for a council, or for one person there."""
    today = now.astimezone(ZoneInfo(council.timezone)).date()
    first, until = month_before(today, MONTHS), month_before(today, 0)
    values: dict[str, Any] = {"council": council.id, "first": first, "until": until, "person": person}
    months = {month: Month(begins=month) for month in (month_before(today, n) for n in range(MONTHS, 0, -1))}
    median_s: float | None = None
    for row in await records(conn, MONTHLY, values):
        month = row.pop("month")
        if month is None:
            median_s = row["median_s"]
        else:
            months[month] = Month(begins=month, **row)
    (visits,) = await records(conn, ON_SITE, values)
    counted = Counted(
        council_id=council.id,
        council=council.name,
        months=list(months.values()),
        median_s=median_s,
        visits=Visits(**visits),
        causes={row["cause"]: row["n"] for row in await records(conn, CAUSES, values)},
    )
    return counted if person is not None else await _outcomes(conn, counted, values, today)


async def _outcomes(conn: Connection, counted: Counted, values: dict[str, Any], today: date) -> Counted:
    followed = await records(
        conn,
        """select e.reason, e.started_on, e.ended_on, e.sequel, e.day91, p.born
             from episodes e join people p on p.id = e.person_id
            where e.council_id = %(council)s and e.started_on >= %(first)s and e.started_on < %(until)s""",
        values,
    )
    sequels: dict[str, int] = {}
    for row in followed:
        if row["sequel"]:
            sequels[row["sequel"]] = sequels.get(row["sequel"], 0) + 1
    goals = await records(
        conn,
        """select coalesce(g.reached, 'not said') as reached, count(*) as n
             from episodes e join episode_goals g on g.episode_id = e.id
            where e.council_id = %(council)s and e.started_on >= %(first)s and e.started_on < %(until)s
              and e.ended_on is not null group by 1""",
        values,
    )
    places = places_on_day_91([_followed(row) for row in followed], today)
    return replace(counted, places=places, sequels=sequels, goals={row["reached"]: row["n"] for row in goals})


def _followed(row: dict[str, Any]) -> Followed:
    return Followed(
        reason=Reason(row["reason"]),
        started_on=row["started_on"],
        ended_on=row["ended_on"],
        sequel=Sequel(row["sequel"]) if row["sequel"] else None,
        day91=Day91(row["day91"]) if row["day91"] else None,
        born=row["born"],
    )


# ---------------------------------------------------------------- the log of exports, and how far a load has come


async def note_export(conn: Connection, now: datetime, username: str, what: str) -> None:
    """Write down who took figures or episodes out."""
    await conn.execute("insert into access_log (at, username, what) values (%s, %s, %s)", (now, username, what))


async def load_running(conn: Connection) -> tuple[int, int] | None:
    """How many of how many past records are loaded, while a load is not finished."""
    row = await (
        await conn.execute(
            "select done, total from history_loads where finished_at is null order by started_at limit 1"
        )
    ).fetchone()
    return (row[0], row[1]) if row else None
