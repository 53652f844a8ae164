"""Dated tasks: what facts make one wanted, and what is then to be made and ended. Plain decisions (PRACTICE A21).

A task's `key` names the instance of its reason: this fault, this contact, this evening's question. What somebody has
finished is not made again under the same key; another instance is another task.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.civil import next_morning, soon_by_day
from alerts.load import Budget, Load
from alerts.reach import Problem, gap_words
from telecare.vocabulary import PersonState
from telecare.wall_clock import Span

WORDS_LIMIT: Final = 1000  # characters of what is to be done, and of how it was done
_TEST_AGAIN: Final = timedelta(days=2)


class TaskKind(StrEnum):
    """Where a task comes from."""

    BY_HAND = "by-hand"
    FOLLOW_UP = "follow-up"  # of an alert that was wrapped up
    AWAY_OVER = "away-over"
    KIT_FAULT = "kit-fault"
    KEYS_BACK = "keys-back"
    KIT_BACK = "kit-back"
    NO_ANSWER = "no-answer"
    UNTESTED = "untested"
    TEST_FAILED = "test-failed"
    ROTA_GAP = "rota-gap"
    PLAN_PROBLEM = "plan-problem"
    OVER_BUDGET = "over-budget"


TASK_WORDS: Final[dict[TaskKind, str]] = {
    TaskKind.BY_HAND: "Made by hand",
    TaskKind.FOLLOW_UP: "Follow-up of an alert",
    TaskKind.AWAY_OVER: "Return date has passed",
    TaskKind.KIT_FAULT: "Kit fault",
    TaskKind.KEYS_BACK: "Keys back",
    TaskKind.KIT_BACK: "Equipment back",
    TaskKind.NO_ANSWER: "Key holder did not answer",
    TaskKind.UNTESTED: "Contact never tested",
    TaskKind.TEST_FAILED: "Test of a contact failed",
    TaskKind.ROTA_GAP: "Gap in a rota",
    TaskKind.PLAN_PROBLEM: "Plan cannot work",
    TaskKind.OVER_BUDGET: "Carer asked too often",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A task that facts ask for."""

    kind: TaskKind
    key: str
    words: str
    due_at: datetime
    person_id: UUID | None = None
    home_id: UUID | None = None
    alert_id: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A task that is there under a key: open, or finished by somebody. One that ended with its reason is not known."""

    id: int
    key: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made, and which tasks end because their reason is gone."""

    make: Sequence[Wanted]
    end: Sequence[int]


def reconcile(wanted: Sequence[Wanted], known: Collection[Known], *, ends: bool) -> Plan:
    """Compare what one source of tasks wants with what is there. `ends`: its reasons can go, and tasks with them."""
    keys = {one.key for one in wanted}
    there = {one.key for one in known}
    made: dict[str, Wanted] = {}
    for one in wanted:
        if one.key not in there:
            made.setdefault(one.key, one)
    gone = [one.id for one in known if one.is_open and one.key not in keys] if ends else []
    return Plan(list(made.values()), gone)


# ---------------------------------------------------------------- what facts ask for


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a fact is about."""

    id: UUID
    home_id: UUID
    name: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Away:
    """Somebody's plan says that they were away until then."""

    person: Person
    until: datetime
    why: str


def of_away(fact: Away, now: datetime) -> Wanted | None:
    """A return date that has passed: watching has begun again, perhaps in an empty home."""
    if fact.until > now:
        return None
    until, why = _day(fact.until, fact.person.zone), f" ({fact.why})" if fact.why else ""
    words = f"{fact.person.name} was away until {until}{why}. Ask whether they are back, and set the care plan right."
    key, due_at = f"away-over:{fact.person.id}:{fact.until.isoformat()}", soon_by_day(fact.until, fact.person.zone)
    return _about(fact.person, TaskKind.AWAY_OVER, key, words, due_at)


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands with the service, as it was last written down (a row of person_states)."""

    person: Person
    record: int
    state: PersonState
    note: str
    due_at: datetime | None
    since: datetime


def of_standing(fact: Standing, keys_back: timedelta, kit_back: timedelta) -> list[Wanted]:
    """A kit fault is put right by its day; from who has left, keys and equipment come back."""
    person = fact.person
    if fact.state is PersonState.KIT_FAULT and fact.due_at is not None:
        words = f"The alarm of {person.name} is faulty: {fact.note} Put it right, or agree on what is done until it is."
        return [_about(person, TaskKind.KIT_FAULT, f"kit-fault:{fact.record}", words, fact.due_at)]
    if fact.state is not PersonState.ENDED:
        return []
    keys = f"{person.name} has left the service. Give back the keys that we hold, and delete the key safe's code."
    kit = f"{person.name} has left the service. Fetch the equipment."
    return [
        _about(person, TaskKind.KEYS_BACK, f"keys-back:{fact.record}", keys, fact.since + keys_back),
        _about(person, TaskKind.KIT_BACK, f"kit-back:{fact.record}", kit, fact.since + kit_back),
    ]


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A key holder was asked to go and passed on from."""

    person: Person
    alert_id: int
    contact_id: UUID
    contact: str
    at: datetime


def of_no_answer(fact: NoAnswer) -> Wanted:
    """What the night shift saw, the day shift clears up."""
    zone = fact.person.zone
    words = (
        f"{fact.contact}, who has a key of {fact.person.name}'s, did not answer at {fact.at.astimezone(zone):%H:%M} "
        "in the night. Ring, and ask whether they can still be called at night."
    )
    return _about(
        fact.person, TaskKind.NO_ANSWER, f"no-answer:{fact.alert_id}:{fact.contact_id}", words,
        next_morning(fact.at, zone), fact.alert_id,
    )  # fmt: skip


def of_plan(
    person: Person, problems: Sequence[Problem], gaps: Sequence[Span], now: datetime, within: timedelta
) -> list[Wanted]:
    """What of an escalation plan is to be mended: its problems, and the first hours in which nobody could be asked."""
    made = []
    if problems:
        words = f"{person.name}'s plan cannot work as it is. " + ". ".join(one.words for one in problems) + "."
        made.append(
            _about(person, TaskKind.PLAN_PROBLEM, f"plan-problem:{person.id}", words[:WORDS_LIMIT], now + within)
        )
    if gaps:
        gap = gaps[0]
        words = f"{person.name}: {gap_words(gap, person.zone)[:1].lower()}{gap_words(gap, person.zone)[1:]}."
        key = f"rota-gap:{person.id}:{gap.end:%Y-%m-%dT%H:%M}"  # a gap that has begun is the same one
        made.append(_about(person, TaskKind.ROTA_GAP, key, words, max(gap.start, now)))
    return made


def of_load(person: Person, load: Load, budget: Budget, now: datetime) -> Wanted:
    """A contact bears more than their share: once in each week of the calendar."""
    year, week, _ = now.astimezone(person.zone).isocalendar()
    key = f"over-budget:{load.contact_id}:{year}-{week:02}"
    words = f"{person.name}: {load.words(budget)}"
    return _about(person, TaskKind.OVER_BUDGET, key, words, soon_by_day(now, person.zone))


@dataclass(frozen=True, slots=True)
class Reached:
    """A contact with a number, and the newest test message to them (None: there never was one)."""

    person: Person
    contact_id: UUID
    contact: str
    test_id: UUID | None
    test_failed: bool
    test_at: datetime | None


def of_reached(fact: Reached, now: datetime, untested: timedelta) -> Wanted | None:
    """Whoever is asked to go can be reached: nobody knows that without a test."""
    person = fact.person
    if fact.test_id is None:
        words = f"No test message has ever gone to {fact.contact}, a contact of {person.name}. Send one, or ring."
        return _about(person, TaskKind.UNTESTED, f"untested:{fact.contact_id}", words, now + untested)
    if not fact.test_failed or fact.test_at is None:
        return None
    words = f"The test message to {fact.contact}, a contact of {person.name}, could not be sent. Check the number."
    return _about(person, TaskKind.TEST_FAILED, f"test-failed:{fact.test_id}", words, fact.test_at + _TEST_AGAIN)


def _about(
    person: Person, kind: TaskKind, key: str, words: str, due_at: datetime, alert_id: int | None = None
) -> Wanted:
    return Wanted(
        kind=kind, key=key, words=words[:WORDS_LIMIT], due_at=due_at, person_id=person.id, home_id=person.home_id,
        alert_id=alert_id,
    )  # fmt: skip


def _day(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %-d %b, %H:%M}"
