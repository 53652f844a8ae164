"""Reading incidents: their numbers, and their homes in the order in which to ring them."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row, dict_row

from alerts.incidents.domain import Summary
from alerts.incidents.vulnerability import FELL_WITHIN, OwnAlert, Resident, rank
from telecare.db import Connection
from telecare.vocabulary import Cause, Kind

SUMMARIES: Final = """
    select i.alert_id, i.label, i.timezone, i.began_at, count(*) as homes,
           count(*) filter (where 'silent' = any(h.troubles)) as silent,
           count(*) filter (where 'mains' = any(h.troubles) and not 'silent' = any(h.troubles)) as mains,
           count(*) filter (where h.troubles = '{network}') as network,
           count(*) filter (where cardinality(h.troubles) = 0) as back,
           count(*) filter (where cardinality(h.troubles) > 0
                              and (k.at is null or k.at < h.changed_at or k.result = 'no-answer')) as unchecked,
           count(*) filter (where 'mains' = any(h.had)) as had_mains,
           count(*) filter (where 'network' = any(h.had)) as had_network,
           max(h.back_at) as last_back_at
      from incidents i
      join incident_homes h using (alert_id)
      left join lateral (select at, result from incident_checks n
                          where n.alert_id = h.alert_id and n.home_id = h.home_id order by n.id desc limit 1) k on true
     where i.alert_id = any(%s)
     group by i.alert_id order by i.alert_id
"""


async def summaries(conn: Connection, alert_ids: Collection[int]) -> dict[int, Summary]:
    """Incidents in numbers."""
    async with conn.cursor(row_factory=class_row(Summary)) as cursor:
        await cursor.execute(SUMMARIES, (list(alert_ids),))
        return {found.alert_id: found for found in await cursor.fetchall()}


async def open_incidents(conn: Connection) -> list[dict[str, Any]]:
    """The number, state and headline of each open incident, the oldest first: for the top of the screens."""
    return await _records(
        conn,
        """select id, state, reason from alerts where case_key like 'incident:%%' and closed_at is null
            order by raised_at, id""",
        {},
    )


def record(found: Summary) -> dict[str, Any]:
    """An incident as the list of alerts shows it."""
    return {
        "area": found.label,
        "timezone": found.timezone,
        "since": found.began_at,
        "cause": found.cause,
        "homes_count": found.homes,
        "silent": found.silent,
        "without_mains": found.mains,
        "on_second_network": found.network,
        "back": found.back,
        "unchecked": found.unchecked,
    }


HOMES: Final = """
    select h.home_id as home, o.address, o.postcode, o.phone, o.hazards, h.troubles, h.since, h.changed_at, h.back_at,
           k.at as checked_at, coalesce(s.display_name, k.who) as checked_by, k.result, k.words,
           coalesce(k.at >= h.changed_at, false) as check_counts
      from incident_homes h
      join homes o on o.id = h.home_id
      left join lateral (select at, who, result, words from incident_checks n
                          where n.alert_id = h.alert_id and n.home_id = h.home_id order by n.id desc limit 1) k on true
      left join staff s on s.username = k.who
     where h.alert_id = %(alert)s
"""
RESIDENTS: Final = """
    select p.home_id, p.id, p.name, p.born, p.mobile, p.conditions, p.mobility,
           coalesce(c.still_after_min is not null or c.up_by is not null, false) as watched, c.away_until,
           exists (select 1 from contacts k where k.person_id = p.id and k.has_key
                    and k.ended_at is null) as has_key_holder
      from incident_homes h join people p on p.home_id = h.home_id left join care_plans c on c.person_id = p.id
     where h.alert_id = %(alert)s order by p.name, p.id
"""
OWN_ALERTS: Final = """
    select a.home_id, a.id, a.kind, a.possible, a.priority, a.closed_at is null as is_open, a.raised_at, a.cause
      from incident_homes h join alerts a on a.home_id = h.home_id
     where h.alert_id = %(alert)s and (a.closed_at is null or (a.raised_at > %(since)s and a.priority < 4))
     order by a.priority, a.raised_at
"""


async def homes(conn: Connection, alert_id: int, now: datetime) -> list[dict[str, Any]]:
    """An incident's homes: those that are not back and not checked first, among them the most vulnerable."""
    values = {"alert": alert_id, "since": now - FELL_WITHIN}
    residents: dict[UUID, list[Resident]] = defaultdict(list)
    for row in await _records(conn, RESIDENTS, values):
        residents[row.pop("home_id")].append(Resident(**row))
    own: dict[UUID, list[OwnAlert]] = defaultdict(list)
    for row in await _records(conn, OWN_ALERTS, values):
        home, kind, cause = row.pop("home_id"), Kind(row.pop("kind")), row.pop("cause")
        own[home].append(OwnAlert(**row, kind=kind, cause=Cause(cause) if cause else None))
    found = [_home(row, residents[row["home"]], own[row["home"]], now) for row in await _records(conn, HOMES, values)]
    return sorted(found, key=lambda home: (_turn(home), -home["score"], home["since"], home["address"]))


def _home(row: dict[str, Any], residents: list[Resident], own: list[OwnAlert], now: datetime) -> dict[str, Any]:
    place = rank(row["phone"], row.pop("hazards"), residents, own, now)
    check = {"at": row.pop("checked_at"), "by": row.pop("checked_by"), "result": row.pop("result"),
             "words": row.pop("words"), "counts": row.pop("check_counts")}  # fmt: skip
    del row["changed_at"]
    return row | {
        "people": [{"id": one.id, "name": one.name, "mobile": one.mobile} for one in residents],
        "score": place.score,
        "why": list(place.why),
        "check": check if check["at"] is not None else None,
        "alerts": [
            {"id": one.id, "kind": one.kind.value, "title": one.title, "priority": one.priority}
            for one in own
            if one.is_open
        ],
    }


def _turn(home: dict[str, Any]) -> int:
    """Who is to be rung comes first, then who has been cared for, then who is back."""
    if not home["troubles"]:
        return 2
    check = home["check"]
    return 1 if check is not None and check["counts"] and check["result"] != "no-answer" else 0


async def _records(conn: Connection, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values)
        return await cursor.fetchall()
