"""Escalation plans as the database keeps them, for one person or for all in one query."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from alerts.reach import Choice, Contact, Nobody, Plan, Problem, gaps, next_contact, problems_of
from telecare.db import Connection
from telecare.rota import Absence, Channel, ServiceType, Way, Window, ways_from
from telecare.vocabulary import STOPPED
from telecare.wall_clock import Span, zone_named

GAPS_AHEAD_H: Final = 48  # a gap is warned of this long before it begins

# A row for each contact; one without a contact for a person who has none.
_PLANS: Final = """
    select p.id as person_id, p.name as person, p.service_type, coalesce(k.timezone, 'Europe/London') as timezone,
           h.council_id, c.channels,
           c.id, c.place, c.name, c.phone, c.email, c.has_key, c.under_18, c.at_night, c.night_said,
           c.quiet_from, c.quiet_until,
           (select json_agg(json_build_array(w.days, w.from_min, w.until_min, w.on_holidays) order by w.from_min, w.id)
              from contact_windows w where w.contact_id = c.id) as windows,
           (select json_agg(json_build_array(a.first_day, a.last_day, a.why) order by a.first_day, a.id)
              from contact_absences a where a.contact_id = c.id) as absences,
           (select json_agg(json_build_array(y.channel, y.address, y.tested_at, y.failed_at))
              from contact_ways y where y.contact_id = c.id) as ways
      from people p
      join homes h on h.id = p.home_id
      left join councils k on k.id = h.council_id
      left join contacts c on c.person_id = p.id and c.ended_at is null
     where p.state <> all(%(stopped)s) {}
     order by p.id, c.place
"""


async def plan_of(conn: Connection, person_id: UUID) -> Plan | None:
    """A person's plan; None where nobody is written to about them any more, or there is no such person."""
    return (await _plans(conn, "and p.id = %(person)s", {"person": person_id})).get(person_id)


async def all_plans(conn: Connection) -> dict[UUID, Plan]:
    """The plan of everyone who is with the service and has an alarm: no alarm comes from a home without a hub."""
    return await _plans(conn, "and exists (select 1 from hubs u where u.home_id = h.id)", {})


async def gaps_within(conn: Connection, now: datetime, hours: float = GAPS_AHEAD_H) -> dict[UUID, list[Span]]:
    """When within the next hours nobody at all could be asked to go, by person; people without a gap are left out."""
    plans = await all_plans(conn)
    return gaps_of(plans, now, hours)


def gaps_of(plans: dict[UUID, Plan], now: datetime, hours: float = GAPS_AHEAD_H) -> dict[UUID, list[Span]]:
    """The same of plans that have been read; pure, and for thousands of them not for an event loop."""
    end = now + timedelta(hours=hours)
    return {person: found for person, plan in plans.items() if (found := gaps(plan, now, end))}


@dataclass(frozen=True, slots=True)
class ToMend:
    """A person whose plan somebody has to look at."""

    person_id: UUID
    plan: Plan
    problems: list[Problem]
    gaps: list[Span]


def to_mend(plans: dict[UUID, Plan], now: datetime, hours: float = GAPS_AHEAD_H) -> list[ToMend]:
    """Whose plan has a problem, or a gap within the next hours: the soonest gap first. Pure, as `gaps_of` is."""
    open_hours = gaps_of(plans, now, hours)
    found = [ToMend(one, plan, problems_of(plan), open_hours.get(one, [])) for one, plan in plans.items()]
    found = [one for one in found if one.problems or one.gaps]
    return sorted(
        found, key=lambda one: (one.gaps[0].start if one.gaps else datetime.max.replace(tzinfo=UTC), one.plan.person)
    )


async def whom(conn: Connection, alert_id: int, contact: UUID | None, now: datetime) -> Choice | Nobody | None:
    """Who is asked next about an alert (or that contact), or why nobody; None where there is nobody to write about."""
    row = await (await conn.execute("select person_id from alerts where id = %s", (alert_id,))).fetchone()
    plan = None if row is None or row[0] is None else await plan_of(conn, row[0])
    if plan is None:
        return None
    return next_contact(plan, await already_asked(conn, alert_id), now, chosen=contact)


async def already_asked(conn: Connection, alert_id: int) -> set[UUID]:
    """The contacts who are not asked about this alert again: in this round of its ladder, or at all."""
    cursor = await conn.execute(
        """select q.contact_id from asks q left join ladders l on l.alert_id = q.alert_id
            where q.alert_id = %s
              and (q.answer = 'cannot' or q.there_at is not null or q.round >= coalesce(l.round, 1))""",
        (alert_id,),
    )
    return {row[0] for row in await cursor.fetchall()}


async def _plans(conn: Connection, where: str, values: dict[str, Any]) -> dict[UUID, Plan]:
    stopped = {"stopped": [state.value for state in STOPPED]}
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_PLANS.format(where).encode(), values | stopped)
        rows = await cursor.fetchall()
    holidays = await _holidays(conn)
    found: dict[UUID, Plan] = {}
    for row in rows:
        person = row["person_id"]
        before = found[person].contacts if person in found else ()
        contacts = (
            before if row["id"] is None else (*before, _contact(row, holidays.get(row["council_id"], frozenset())))
        )
        found[person] = Plan(ServiceType(row["service_type"]), contacts, zone_named(row["timezone"]), row["person"])
    return found


async def _holidays(conn: Connection) -> dict[UUID, frozenset[date]]:
    cursor = await conn.execute("select council_id, array_agg(day) from public_holidays group by council_id")
    return {row[0]: frozenset(row[1]) for row in await cursor.fetchall()}


def _contact(row: dict[str, Any], holidays: frozenset[date]) -> Contact:
    tests = tests_from(row["ways"])
    plain = ("id", "place", "name", "has_key", "under_18", "at_night", "night_said")
    return Contact(
        **{name: row[name] for name in plain},
        quiet_from=_minute(row["quiet_from"]),
        quiet_until=_minute(row["quiet_until"]),
        windows=tuple(Window(frozenset(days), *rest) for days, *rest in _each(row["windows"])),
        absences=tuple(
            Absence(date.fromisoformat(first), date.fromisoformat(last), why)
            for first, last, why in _each(row["absences"])
        ),
        ways=ways_from(row["phone"], row["email"], tests, row["channels"]),
        has_phone=bool(row["phone"]),
        holidays=holidays,
    )


def tests_from(found: list[Any] | None) -> list[Way]:
    """Rows of `contact_ways` as JSON."""
    return [Way(Channel(one[0]), one[1], _instant(one[2]), _instant(one[3])) for one in _each(found)]


def _each(found: list[Any] | None) -> Iterable[Any]:
    return found or ()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _minute(at: time) -> time:
    return at.replace(second=0, microsecond=0)
