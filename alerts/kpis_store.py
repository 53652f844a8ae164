"""What the figures of a period are made of, from the database. `council` is the only one that counts; None: all."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from alerts.kpis import STALE_AFTER, Case, Facts, Presence, Signal, Standing
from telecare.db import Connection
from telecare.vocabulary import Cause, Kind, Priority

ALARMS_LIMIT: Final = 200_000  # of one period; a page says when there were more

_COUNCIL: Final = "h.council_id is not null and (%(council)s::uuid is null or h.council_id = %(council)s)"

CASES: Final = """
    select h.priority, h.raised_at, h.answer_s, h.closed_at, h.cause, h.sent, h.arrived_at, h.floor_since, h.spoken_at,
           h.lifted_at
      from alert_figures h
     where h.raised_at >= %(first)s and h.raised_at < %(until)s and {council} order by h.raised_at, h.id
"""
# The same cases without what happened later, which takes longer to find.
ANSWERS: Final = """
    select h.priority, h.raised_at, h.answer_s, h.closed_at
      from alert_figures h
     where h.raised_at >= %(first)s and h.raised_at < %(until)s and {council} order by h.raised_at, h.id
"""
TECHNICAL: Final = """
    select count(*) from alerts a join homes h on h.id = a.home_id
     where a.priority = 4 and a.case_key not like 'test:%%' and a.raised_at >= %(first)s and a.raised_at < %(until)s
       and {council}
"""
SIGNALS: Final = """
    select r.received_at, r.hub || ' ' || r.device, r.kind
      from alarms r
      join alert_alarms j on j.alarm_id = r.id
      join alerts a on a.id = j.alert_id
      join hubs u on u.name = r.hub
      join homes h on h.id = u.home_id
     where r.received_at >= %(first)s and r.received_at < %(until)s and a.case_key not like 'test:%%' and {council}
     order by r.received_at limit %(most)s
"""
# By the hour of UTC: no council's clock is off it by less.
PRESENCES: Final = """
    select distinct date_trunc('hour', l.at, 'UTC'), l.who
      from alert_log l
      join staff s on s.username = l.who and s.role in ('operator', 'supervisor')
      join alerts a on a.id = l.alert_id
      join homes h on h.id = a.home_id
     where l.at >= date_trunc('hour', %(first)s::timestamptz, 'UTC') and l.at < %(until)s and {council}
"""
STANDING: Final = """
    select a.raised_at, a.closed_at
      from alerts a
      join homes h on h.id = coalesce(a.home_id,
                                      (select x.home_id from incident_homes x where x.alert_id = a.id limit 1))
     where a.past_case is null and a.case_key not like 'test:%%' and a.raised_at < %(until)s - %(stale)s::interval
       and (a.closed_at is null or (a.closed_at > %(first)s and a.closed_at > a.raised_at + %(stale)s::interval))
       and {council}
"""


async def _rows(conn: Connection, sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    return await (await conn.execute(sql.format(council=_COUNCIL).encode(), values)).fetchall()


async def facts(conn: Connection, council: UUID | None, first: datetime, until: datetime) -> Facts:
    """What happened from `first` to `until` (not included)."""
    values = {"council": council, "first": first, "until": until, "stale": STALE_AFTER, "most": ALARMS_LIMIT}
    (technical,) = (await _rows(conn, TECHNICAL, values))[0]
    return Facts(
        cases=[_case(*row) for row in await _rows(conn, CASES, values)],
        technical=technical,
        signals=[Signal(at, source, Kind(kind)) for at, source, kind in await _rows(conn, SIGNALS, values)],
        presences=[Presence(*row) for row in await _rows(conn, PRESENCES, values)],
        standing=[Standing(*row) for row in await _rows(conn, STANDING, values)],
    )


async def answers(conn: Connection, council: UUID | None, first: datetime, until: datetime) -> list[Case]:
    """The cases from `first` to `until` (not included), each with how it was answered and nothing more."""
    rows = await _rows(conn, ANSWERS, {"council": council, "first": first, "until": until})
    return [
        Case(level=Priority(level), raised_at=raised_at, answer_s=answer_s, closed_at=closed_at)
        for level, raised_at, answer_s, closed_at in rows
    ]


def _case(
    level: int, raised_at: datetime, answer_s: float | None, closed_at: datetime | None, cause: str | None, sent: bool,
    arrived_at: datetime | None, floor_since: datetime | None, spoken_at: datetime | None, lifted_at: datetime | None,
) -> Case:  # fmt: skip
    return Case(
        level=Priority(level), raised_at=raised_at, answer_s=answer_s, closed_at=closed_at,
        cause=Cause(cause) if cause else None, sent=sent, arrived_at=arrived_at, floor_since=floor_since,
        spoken_at=spoken_at, lifted_at=lifted_at,
    )  # fmt: skip
