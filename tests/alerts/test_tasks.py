"""Dated tasks: what asks for one, each once; ended with its reason or by hand; what contacts are told of a fault."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest

from alerts import asks_store, standing, tasks, tasks_store
from alerts.civil import civil_hour, next_morning, soon_by_day
from alerts.errors import Conflict, Incomplete
from alerts.load import Budget, Load
from alerts.tasks import Known, TaskKind, Wanted, reconcile
from alerts.tasks_service import Tasks
from alerts.tasks_sources import SOURCES, Source
from alerts.texts import LIMIT, fault_over_text, fault_text
from telecare.clock import SystemClock
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.register import carers, plans
from telecare.register.person_states import Change
from telecare.register.plans import CarePlan
from telecare.settings import Settings
from telecare.vocabulary import PersonState, Role
from telecare.wall_clock import Span
from tests.alerts.test_engine import NOON, World, world
from tests.helpers import one, rows

__all__ = ["world"]  # the fixture
LONDON = ZoneInfo("Europe/London")


def wanted(key: str, kind: TaskKind = TaskKind.AWAY_OVER) -> Wanted:
    return Wanted(kind=kind, key=key, words="x", due_at=NOON)


# ---------------------------------------------------------------- decisions


def test_what_is_missing_is_made_once_and_what_has_lost_its_reason_ends() -> None:
    known = [Known(1, "there", is_open=True), Known(2, "gone", is_open=True), Known(3, "finished", is_open=False)]
    asked = [wanted("there"), wanted("finished"), wanted("new"), wanted("new")]
    plan = reconcile(asked, known, ends=True)
    assert [one.key for one in plan.make] == ["new"]
    assert plan.end == [2]
    assert reconcile(asked, known, ends=False).end == []


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 11, 24, 21, 59, tzinfo=UTC), datetime(2026, 11, 24, 21, 59, tzinfo=UTC)),
        (datetime(2026, 11, 24, 22, 0, tzinfo=UTC), datetime(2026, 11, 25, 7, 0, tzinfo=UTC)),
        (datetime(2026, 11, 25, 6, 59, tzinfo=UTC), datetime(2026, 11, 25, 7, 0, tzinfo=UTC)),
        (datetime(2026, 11, 25, 7, 0, tzinfo=UTC), datetime(2026, 11, 25, 7, 0, tzinfo=UTC)),
        (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), datetime(2026, 3, 29, 6, 0, tzinfo=UTC)),  # the clocks go forward
    ],
)
def test_what_asks_for_nothing_waits_for_the_end_of_the_quiet_hours(at: datetime, expected: datetime) -> None:
    assert civil_hour(at, LONDON, (time(22), time(7))) == expected


def test_the_same_time_twice_is_no_quiet_hour() -> None:
    assert civil_hour(NOON, LONDON, (time(7), time(7))) == NOON


def test_several_quiet_hours_are_waited_for_one_after_the_other() -> None:
    late, early = (time(22), time(7)), (time(6), time(8, 30))
    at = datetime(2026, 11, 24, 23, tzinfo=UTC)
    for spans in ((late, early), (early, late)):
        assert civil_hour(at, LONDON, *spans) == datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
    always = (time(7), time(22))
    assert civil_hour(at, LONDON, late, always) > at  # no hour is free: some day it is said all the same


def test_what_the_night_leaves_is_due_at_ten() -> None:
    ten = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
    assert next_morning(ten - timedelta(hours=11), LONDON) == ten
    assert next_morning(ten - timedelta(hours=5), LONDON) == ten
    assert soon_by_day(NOON, LONDON) == NOON + timedelta(hours=2)
    assert soon_by_day(ten - timedelta(hours=13), LONDON) == ten


@pytest.mark.parametrize("text", [fault_text, fault_over_text])
@pytest.mark.parametrize("names", [("Jo", "Mary"), ("Wilhelmina-Alexandra" * 3, "Featherstonehaugh" * 3)])
def test_each_text_is_one_sms(text: Callable[..., str], names: tuple[str, str]) -> None:
    body = text(service="Anytown Telecare", phone="01632 960000", contact=names[0], person=names[1])
    assert 0 < len(body) <= LIMIT
    assert "http" not in body


# ---------------------------------------------------------------- rules in the database


class Round:
    """The rules' round, by the world's clock."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rules = Tasks(world.pool, world.settings, SystemClock(), world._now)

    async def at(self, now: datetime) -> None:
        """It is then, and the rules have worked."""
        self.world.now = now
        while await self.rules.step():
            pass

    async def open(self, *kinds: TaskKind) -> list[dict[str, Any]]:
        """Open tasks of these kinds."""
        async with self.world.pool.connection() as conn:
            found = await tasks_store.open_tasks(conn, self.world.now, 100)
        return [one for one in found if one["kind"] in kinds]


@pytest.fixture
def rules(world: World) -> Round:
    return Round(world)


async def person_of(world: World) -> UUID:
    person: UUID = await one(world.pool, "select id from people")
    return person


async def stands(
    world: World, state: PersonState, due: timedelta | None = None, note: str = "Pendant is dead."
) -> None:
    due_at = None if due is None else world.now + due
    new = Change(state=state, note=note, due_at=due_at, by="operator", role=Role.SUPERVISOR)
    person = await person_of(world)
    await world.act(standing.change, world.settings, person, new, world.now)


async def test_who_should_be_back_is_asked_after_once(world: World, rules: Round) -> None:
    away = CarePlan(away_until=NOON + timedelta(hours=3), away_why="Anytown Hospital")
    person = await person_of(world)
    await world.act(plans.set_plan, person, away, "operator", NOON)
    await rules.at(NOON + timedelta(hours=2))
    assert await rules.open(TaskKind.AWAY_OVER) == []
    await rules.at(NOON + timedelta(hours=3, minutes=1))
    (task,) = await rules.open(TaskKind.AWAY_OVER)
    assert task["words"].startswith("Mary Green was away until Tue 24 Nov, 15:00 (Anytown Hospital).")
    assert (task["person"], task["due_at"], task["overdue"]) == (person, NOON + timedelta(hours=5), False)
    # Finished by hand it does not come back, though the date still stands in the plan.
    await world.act(tasks_store.finish, task["id"], "operator", "She is home", world.now)
    await rules.at(NOON + timedelta(hours=4))
    assert await rules.open(TaskKind.AWAY_OVER) == []
    # Another date is another task; a longer stay ends it.
    await world.act(plans.set_plan, person, CarePlan(away_until=world.now), "operator", world.now)
    await rules.at(NOON + timedelta(hours=5))
    assert len(await rules.open(TaskKind.AWAY_OVER)) == 1
    await world.act(plans.set_plan, person, CarePlan(away_until=NOON + timedelta(days=9)), "operator", world.now)
    await rules.at(NOON + timedelta(hours=6))
    assert await rules.open(TaskKind.AWAY_OVER) == []
    assert await rows(world.pool, "select done_by, done_how from tasks where kind = 'away-over' order by id") == [
        ("operator", "She is home"), ("system", "The reason is gone"),
    ]  # fmt: skip


async def test_a_kit_fault_is_a_task_and_at_its_day_a_breach_in_the_queue(world: World, rules: Round) -> None:
    """Acceptance test 10: marker, task, breach at 24 h."""
    await stands(world, PersonState.KIT_FAULT, timedelta(hours=24))
    await rules.at(NOON + timedelta(minutes=1))
    (task,) = await rules.open(TaskKind.KIT_FAULT)
    assert "Pendant is dead." in task["words"]
    assert task["due_at"] == NOON + timedelta(hours=24)
    assert await world.open() == []
    await rules.at(NOON + timedelta(hours=24))
    (task,) = await rules.open(TaskKind.KIT_FAULT)
    assert (task["overdue"], task["breached_at"]) == (True, world.now)
    while await world.engine.take_step():
        pass
    (alert,) = await world.open()
    assert (alert["priority"], alert["kind"], alert["state"]) == (4, "fault", "raised")
    assert "Not put right in time. The alarm of Mary Green is faulty" in alert["reason"]
    await rules.at(NOON + timedelta(hours=30))  # once
    assert await one(world.pool, "select count(*) from findings") == 1
    # A new day is a new task; put right, it ends.
    await stands(world, PersonState.KIT_FAULT, timedelta(hours=5))
    await rules.at(world.now + timedelta(minutes=1))
    (again,) = await rules.open(TaskKind.KIT_FAULT)
    assert (again["id"] != task["id"], again["overdue"]) == (True, False)
    await stands(world, PersonState.ACTIVE)
    await rules.at(world.now + timedelta(minutes=1))
    assert await rules.open(TaskKind.KIT_FAULT) == []


async def test_from_who_has_left_keys_and_kit_come_back(world: World, rules: Round) -> None:
    await stands(world, PersonState.ENDED, note="Moved to her son's.")
    await rules.at(NOON + timedelta(minutes=1))
    found = await rules.open(TaskKind.KEYS_BACK, TaskKind.KIT_BACK)
    assert [(one["kind"], one["due_at"] - NOON) for one in found] == [
        ("keys-back", timedelta(days=7)), ("kit-back", timedelta(days=14)),
    ]  # fmt: skip
    await stands(world, PersonState.ACTIVE)  # it was somebody else
    await rules.at(NOON + timedelta(minutes=2))
    assert await rules.open(TaskKind.KEYS_BACK, TaskKind.KIT_BACK) == []


@pytest.mark.parametrize(
    ("asked_at", "due_at"),
    [
        (datetime(2026, 11, 25, 3, 0, tzinfo=UTC), datetime(2026, 11, 25, 10, 0, tzinfo=UTC)),
        (datetime(2026, 11, 24, 22, 30, tzinfo=UTC), datetime(2026, 11, 25, 10, 0, tzinfo=UTC)),
        (NOON, None),
    ],
)
async def test_a_key_holder_who_did_not_answer_at_night_is_rung_by_day(
    world: World, rules: Round, asked_at: datetime, due_at: datetime | None
) -> None:
    world.now = asked_at
    await world.alarm()
    await world.later(180)  # nobody claims: the first contact is asked
    world.now += timedelta(seconds=181)
    while await world.engine.ask_step():
        pass
    assert await one(world.pool, "select count(*) from alert_log where what = 'contact-tried'") == 1
    await rules.at(world.now + timedelta(minutes=1))
    found = await rules.open(TaskKind.NO_ANSWER)
    assert [one["due_at"] for one in found] == ([due_at] if due_at else [])
    await rules.at(world.now + timedelta(days=3))  # it does not end because it is long ago
    assert len(await rules.open(TaskKind.NO_ANSWER)) == len(found)
    if found:
        assert found[0]["words"].startswith("Jo Green, who has a key of Mary Green's, did not answer at ")
        assert found[0]["alert"] is not None


async def test_contacts_are_tested(world: World, rules: Round) -> None:
    await rules.at(NOON)
    found = await rules.open(TaskKind.UNTESTED)
    assert sorted(one["words"].split(",")[0].split("gone to ")[1] for one in found) == ["Ali Khan", "Jo Green"]
    assert {one["due_at"] - NOON for one in found} == {timedelta(days=14)}
    contact = await one(world.pool, "select id from contacts where place = 1")
    for number, (state, open_tests) in enumerate((("failed", 1), ("sent", 0), ("failed", 1))):
        async with world.pool.connection() as conn:
            await asks_store.queue_message(conn, contact, "07700 900001", "x", "test", f"t{number}", world.now, None)
            await conn.execute(
                "update messages set state = %s, next_try_at = null where idempotency_key = %s", (state, f"t{number}")
            )
        await rules.at(world.now + timedelta(hours=1))
        assert len(await rules.open(TaskKind.UNTESTED)) == 1  # the other contact's
        assert len(await rules.open(TaskKind.TEST_FAILED)) == open_tests
    assert await one(world.pool, "select count(*) from tasks where kind = 'test-failed'") == 2


async def test_a_plan_with_nobody_on_it_is_mended(world: World, rules: Round) -> None:
    await rules.at(world.now)
    kinds = "select kind from tasks where done_at is null and kind in ('plan-problem', 'rota-gap')"
    assert await rows(world.pool, kinds) == []
    await rows(world.pool, "update contacts set phone = '', email = '' returning id")
    await rules.at(world.now)
    assert ("plan-problem",) in await rows(world.pool, kinds)
    words = await one(world.pool, "select words from tasks where kind = 'plan-problem'")
    assert "None of the contacts can be asked to go" in words
    await rows(world.pool, "update contacts set phone = '07700 900001' returning id")
    await rules.at(world.now)
    assert await rows(world.pool, kinds) == []


def test_a_gap_in_a_rota_is_due_when_it_begins_and_one_that_has_begun_is_the_same_task() -> None:
    mary_green = tasks.Person(id=UUID(int=1), home_id=UUID(int=2), name="Mary Green", zone=LONDON)
    end = NOON + timedelta(hours=20)
    ahead, later = Span(NOON + timedelta(hours=10), end), Span(NOON + timedelta(hours=30), NOON + timedelta(hours=31))
    (task,) = tasks.of_plan(mary_green, [], [ahead, later], NOON, timedelta(days=14))
    assert (task.kind, task.due_at) == (TaskKind.ROTA_GAP, ahead.start)
    assert task.words == "Mary Green: nobody can be asked: Tue 22:00 to Wed 08:00."
    (begun,) = tasks.of_plan(mary_green, [], [Span(NOON, end)], NOON + timedelta(hours=12), timedelta(days=14))
    assert begun.key == task.key
    assert tasks.of_plan(mary_green, [], [], NOON, timedelta(days=14)) == []


def test_a_contact_who_is_asked_too_often_is_a_task_once_in_each_week() -> None:
    mary_green = tasks.Person(id=UUID(int=1), home_id=UUID(int=2), name="Mary Green", zone=LONDON)
    jo = Load(
        contact_id=UUID(int=3),
        contact="Jo Green",
        person_id=mary_green.id,
        person="Mary",
        alerts=5,
        nights=2,
        closed=4,
        false=3,
    )
    task = tasks.of_load(mary_green, jo, Budget(), NOON)
    assert task.words.startswith("Mary Green: Jo was asked 5 times this week, in 2 nights, 3 of 4 turned out")
    assert task.words.endswith("change the plan.")
    assert task.due_at == NOON + timedelta(hours=2)
    assert tasks.of_load(mary_green, jo, Budget(), NOON + timedelta(days=1)).key == task.key
    assert tasks.of_load(mary_green, jo, Budget(), NOON + timedelta(days=7)).key != task.key


async def test_the_rules_ask_nothing_about_who_has_died(world: World, rules: Round) -> None:
    await stands(world, PersonState.DECEASED)
    await rules.at(NOON + timedelta(minutes=1))
    assert await one(world.pool, "select count(*) from tasks") == 0


async def test_another_source_is_one_line_and_one_that_fails_holds_up_nobody(world: World) -> None:
    found = [wanted("gap", TaskKind.ROTA_GAP)]

    async def gaps(conn: Connection, settings: Settings, now: datetime) -> list[Wanted]:
        return found

    async def broken(conn: Connection, settings: Settings, now: datetime) -> list[Wanted]:
        raise psycopg.errors.UndefinedTable("no such table")

    sources = (Source((TaskKind.PLAN_PROBLEM,), broken), Source((TaskKind.ROTA_GAP,), gaps))
    work = Tasks(world.pool, world.settings, SystemClock(), world._now, sources)
    world.now = NOON - timedelta(hours=1)
    assert await work.step()
    assert not await work.step()
    assert await rows(world.pool, "select kind, done_at from tasks") == [("rota-gap", None)]
    found.clear()
    assert await work.step()
    # Ended with its reason, it is made anew when the reason is there again.
    found.append(wanted("gap", TaskKind.ROTA_GAP))
    assert await work.step()
    assert await one(world.pool, "select count(*) from tasks where done_at is null") == 1


def test_each_kind_has_words_and_each_source_its_kinds() -> None:
    assert set(tasks.TASK_WORDS) == set(TaskKind)
    kinds = [kind for source in SOURCES for kind in source.kinds]
    assert len(kinds) == len(set(kinds))
    assert {TaskKind.BY_HAND, TaskKind.FOLLOW_UP}.isdisjoint(kinds)  # no rule ends what people have made


# ---------------------------------------------------------------- by hand


async def test_a_task_is_made_by_hand_and_done_once(world: World, rules: Round) -> None:
    await world.alarm()
    (alert,) = await world.open()
    due = NOON + timedelta(days=1)
    number = await world.act(
        tasks_store.add, "Refer to the falls team", due, "operator", NOON, alert_id=alert["id"], kind=TaskKind.FOLLOW_UP
    )
    (task,) = await rules.open(TaskKind.FOLLOW_UP)
    assert (task["id"], task["person_name"], task["made_by_name"]) == (number, "Mary Green", "Operator")
    await rules.at(NOON + timedelta(days=2))
    (task,) = await rules.open(TaskKind.FOLLOW_UP)
    assert task["overdue"]
    await world.act(tasks_store.finish, number, "second", "Referred", world.now)
    with pytest.raises(Conflict, match="done already"):
        await world.act(tasks_store.finish, number, "operator", "Me too", world.now)
    assert await rows(world.pool, "select done_by, done_how from tasks where id = %s", number) == [
        ("second", "Referred")
    ]


@pytest.mark.parametrize(
    ("words", "days", "error"),
    [(" ", 1, Incomplete), ("x" * 1001, 1, Incomplete), ("x\0", 1, Incomplete), ("x", 0, Incomplete)],
)
async def test_a_task_has_words_and_a_day_ahead(world: World, words: str, days: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        await world.act(tasks_store.add, words, NOON + timedelta(days=days), "operator", NOON)


async def test_a_task_is_about_somebody_who_is_there(world: World) -> None:
    due = NOON + timedelta(days=1)
    for about in ({"person_id": UUID(int=5)}, {"alert_id": 99}):
        with pytest.raises(NotFound):
            await world.act(tasks_store.add, "x", due, "operator", NOON, **about)
    with pytest.raises(NotFound):
        await world.act(tasks_store.finish, 99, "operator", "x", NOON)
    number = await world.act(tasks_store.add, "Buy batteries", due, "operator", NOON)
    with pytest.raises(Incomplete):
        await world.act(tasks_store.finish, number, "operator", " ", NOON)


async def test_of_each_reason_one_task_is_open(world: World) -> None:
    async with world.pool.connection() as conn:
        made = await tasks_store.make(conn, [wanted("a"), wanted("a")], "system", NOON)
        assert len(made) == 1
        assert await tasks_store.make(conn, [wanted("a")], "system", NOON) == []
    with pytest.raises(psycopg.errors.UniqueViolation):
        await one(
            world.pool,
            """insert into tasks (kind, key, words, made_at, made_by, due_at)
               select kind, key, words, made_at, made_by, due_at from tasks returning id""",
        )
    with pytest.raises(psycopg.errors.CheckViolation):
        await one(world.pool, "update tasks set done_at = now() returning id")


# ---------------------------------------------------------------- contacts are told of a kit fault


@pytest.fixture
def lets_know(world: World) -> Callable[..., Awaitable[UUID]]:
    """Mary lets her first contact know whether the alarm works (or does not)."""

    async def consent(*, equipment: bool = True) -> UUID:
        contact: UUID = await one(world.pool, "select id from contacts where place = 1")
        given = carers.Consent(equipment=equipment)
        await world.act(carers.record_consent, await person_of(world), contact, given, "Yes", "operator", NOON)
        return contact

    return consent


MESSAGES = "select purpose, contact_id, state, next_try_at, body from messages order by created_at, id"


async def test_who_may_know_is_told_once_and_again_when_it_is_over(
    world: World, lets_know: Callable[..., Awaitable[UUID]]
) -> None:
    contact = await lets_know()
    await stands(world, PersonState.KIT_FAULT, timedelta(hours=24))
    await stands(world, PersonState.KIT_FAULT, timedelta(hours=48))  # a new day is no news for them
    ((purpose, to, state, send_at, body),) = await rows(world.pool, MESSAGES)
    assert (purpose, to, state, send_at) == ("information", contact, "pending", NOON)
    assert body.startswith("Anytown Telecare: Jo, Mary's alarm is not working as it should.")
    while await world.engine.message_step():
        pass
    world.now += timedelta(hours=3)
    await stands(world, PersonState.ACTIVE)
    found = await rows(world.pool, MESSAGES)
    assert [row[2] for row in found] == ["sent", "pending"]
    assert "Mary's alarm works again." in found[1][4]
    # The next fault is another one.
    await stands(world, PersonState.KIT_FAULT, timedelta(hours=24))
    assert len(await rows(world.pool, MESSAGES)) == 3


async def test_at_night_it_waits_for_the_morning_and_what_is_put_right_by_then_is_not_said(
    world: World, lets_know: Callable[..., Awaitable[UUID]]
) -> None:
    await lets_know()
    world.now = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
    await stands(world, PersonState.KIT_FAULT, timedelta(hours=24))
    assert not await world.engine.message_step()
    assert await one(world.pool, "select next_try_at from messages") == datetime(2026, 11, 25, 7, 0, tzinfo=UTC)
    world.now = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
    await stands(world, PersonState.ACTIVE)
    world.now = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    assert not await world.engine.message_step()
    assert await rows(world.pool, "select state, failure from messages") == [
        ("failed", "put right before it was sent")
    ]  # fmt: skip


async def test_who_may_not_know_is_not_told(world: World, lets_know: Callable[..., Awaitable[UUID]]) -> None:
    await lets_know()
    await lets_know(equipment=False)  # taken back
    await stands(world, PersonState.KIT_FAULT, timedelta(hours=24))
    await stands(world, PersonState.ACTIVE)
    assert await rows(world.pool, MESSAGES) == []


async def test_nobody_hears_of_a_fault_of_who_has_died(world: World, lets_know: Callable[..., Awaitable[UUID]]) -> None:
    await lets_know()
    world.now = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
    await stands(world, PersonState.KIT_FAULT, timedelta(hours=24))
    await stands(world, PersonState.DECEASED)
    await stands(world, PersonState.ACTIVE)
    assert [row[2] for row in await rows(world.pool, MESSAGES)] == ["failed"]
