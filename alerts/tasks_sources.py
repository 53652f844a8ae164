"""Where tasks come from. A source reads facts and says which tasks they want; a new one is one line in SOURCES."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from alerts import load, reach_store, tasks
from alerts.civil import at_night
from alerts.tasks import Person, TaskKind, Wanted
from telecare.db import Connection
from telecare.settings import Settings
from telecare.vocabulary import STOPPED, PersonState

_LOOK_BACK: Final = timedelta(days=1)  # an answer that did not come is noticed within this
_STOPPED: Final = [state.value for state in STOPPED]

Reader = Callable[[Connection, Settings, datetime], Awaitable[list[Wanted]]]


@dataclass(frozen=True, slots=True)
class Source:
    """A source of tasks. `ends`: where what it reads no longer wants a task, the task ends by itself."""

    kinds: tuple[TaskKind, ...]
    read: Reader
    ends: bool = True


async def _rows(conn: Connection, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    return await (await conn.execute(sql.encode(), values)).fetchall()


def _person(row: tuple[Any, ...]) -> Person:
    return Person(id=row[0], home_id=row[1], name=row[2], zone=ZoneInfo(row[3]))


async def away_over(conn: Connection, settings: Settings, now: datetime) -> list[Wanted]:
    """People whose return date has passed."""
    rows = await _rows(
        conn,
        """select p.id, p.home_id, p.name, z.timezone, c.away_until, c.away_why
              from people p join homes h on h.id = p.home_id join councils z on z.id = h.council_id
              join care_plans c on c.person_id = p.id
             where c.away_until <= %(now)s and p.state <> all(%(stopped)s)""",
        now=now,
        stopped=_STOPPED,
    )
    found = (tasks.of_away(tasks.Away(_person(row), row[4], row[5]), now) for row in rows)
    return [one for one in found if one is not None]


async def standings(conn: Connection, settings: Settings, now: datetime) -> list[Wanted]:
    """Kit faults, and what comes back from people who have left."""
    rows = await _rows(
        conn,
        """select p.id, p.home_id, p.name, z.timezone, s.id, s.state, s.note, s.due_at, s.recorded_at
              from people p join homes h on h.id = p.home_id join councils z on z.id = h.council_id
              join lateral (select * from person_states where person_id = p.id order by id desc limit 1) s on true
             where p.state in ('kit-fault', 'ended')""",
    )
    keys, kit = timedelta(days=settings.keys_back_days), timedelta(days=settings.kit_back_days)
    facts = (tasks.Standing(_person(row), row[4], PersonState(row[5]), *row[6:]) for row in rows)
    return [one for fact in facts for one in tasks.of_standing(fact, keys, kit)]


async def no_answers(conn: Connection, settings: Settings, now: datetime) -> list[Wanted]:
    """Key holders who were asked in the night and passed on from without an answer."""
    rows = await _rows(
        conn,
        """select distinct on (k.alert_id, c.id) p.id, p.home_id, p.name, z.timezone, k.alert_id, c.id, c.name, l.at
              from alert_log l
              join asks k on k.alert_id = l.alert_id and k.answer is null
              join contacts c on c.id = k.contact_id and c.name = l.detail ->> 'contact' and c.has_key
                   and c.ended_at is null
              join people p on p.id = c.person_id
              join homes h on h.id = p.home_id join councils z on z.id = h.council_id
             where l.at > %(since)s and l.at <= %(now)s and l.what = 'contact-tried' and l.who = 'system'
               and p.state <> all(%(stopped)s)
             order by k.alert_id, c.id, l.id""",
        since=now - _LOOK_BACK,
        now=now,
        stopped=_STOPPED,
    )
    facts = [tasks.NoAnswer(_person(row), *row[4:]) for row in rows]
    return [tasks.of_no_answer(fact) for fact in facts if at_night(fact.at, fact.person.zone)]


async def untested(conn: Connection, settings: Settings, now: datetime) -> list[Wanted]:
    """Contacts whom nobody has ever sent a test message, and those whose last one failed."""
    rows = await _rows(
        conn,
        """select p.id, p.home_id, p.name, z.timezone, c.id, c.name, t.id, coalesce(t.state = 'failed', false),
                   t.created_at
              from people p join homes h on h.id = p.home_id join councils z on z.id = h.council_id
              join contacts c on c.person_id = p.id
              left join lateral (select id, state, created_at from messages
                                  where contact_id = c.id and purpose = 'test' and channel <> 'push'
                                  order by created_at desc limit 1) t
                     on true
             where c.phone <> '' and c.ended_at is null and 'sms' = any(c.channels)
               and p.state <> all(%(stopped)s) and (t.id is null or t.state = 'failed')""",
        stopped=_STOPPED,
    )
    within = timedelta(days=settings.untested_days)
    found = (tasks.of_reached(tasks.Reached(_person(row), *row[4:]), now, within) for row in rows)
    return [one for one in found if one is not None]


async def plans_to_mend(conn: Connection, settings: Settings, now: datetime) -> list[Wanted]:
    """Plans that cannot work, and hours of the next two days in which nobody could be asked to go."""
    plans = await reach_store.all_plans(conn)
    mend = await asyncio.to_thread(reach_store.to_mend, plans, now)  # thousands of plans take a second of reckoning
    if not mend:
        return []
    rows = await _rows(
        conn,
        """select p.id, p.home_id, p.name, z.timezone from people p
             join homes h on h.id = p.home_id join councils z on z.id = h.council_id where p.id = any(%(ids)s)""",
        ids=[one.person_id for one in mend],
    )
    people = {row[0]: _person(row) for row in rows}
    within = timedelta(days=settings.untested_days)
    return [
        task
        for one in mend
        if one.person_id in people
        for task in tasks.of_plan(people[one.person_id], one.problems, one.gaps, now, within)
    ]


async def asked_too_often(conn: Connection, settings: Settings, now: datetime) -> list[Wanted]:
    """Contacts who were asked more in this week than one should bear: their plan is to be changed."""
    budget = load.budget_of(settings)
    over = await load.over_budget(conn, now, budget)
    rows = await _rows(
        conn,
        """select p.id, p.home_id, p.name, z.timezone from people p
             join homes h on h.id = p.home_id join councils z on z.id = h.council_id where p.id = any(%(ids)s)""",
        ids=[one.person_id for one in over],
    )
    people = {row[0]: _person(row) for row in rows}
    return [tasks.of_load(people[one.person_id], one, budget, now) for one in over if one.person_id in people]


SOURCES: Final[tuple[Source, ...]] = (
    Source((TaskKind.AWAY_OVER,), away_over),
    Source((TaskKind.KIT_FAULT, TaskKind.KEYS_BACK, TaskKind.KIT_BACK), standings),
    Source((TaskKind.NO_ANSWER,), no_answers, ends=False),
    Source((TaskKind.UNTESTED, TaskKind.TEST_FAILED), untested),
    Source((TaskKind.ROTA_GAP, TaskKind.PLAN_PROBLEM), plans_to_mend),
    Source((TaskKind.OVER_BUDGET,), asked_too_often, ends=False),
)
