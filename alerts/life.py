"""The life of an alert: in which state it is, what is due next, and what may be done. Pure.

An alert's state follows from what is known of it (`Facts`); nobody sets it. States and what each captures: section 3 of
the workflow in docs/operators.md, after the operations manuals of monitoring centres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from telecare.vocabulary import Cause, ConfirmedBy, Outcome, Priority


class State(StrEnum):
    """Where an alert stands."""

    RAISED = "raised"  # nobody has it
    CLAIMED = "claimed"
    CONTACTING = "contacting"  # somebody is trying to reach the person
    ASSESSED = "assessed"  # the need is known
    ACTING = "acting"  # help has been asked for, and has not yet said that it comes
    WATCHING = "watching"  # help is under way
    SAFE = "safe"  # somebody confirmed that the person is safe
    WRAP_UP = "wrap-up"  # and the alert has been written up
    CLOSED = "closed"
    REVIEWED = "reviewed"


OPEN: Final = frozenset(State) - {State.CLOSED, State.REVIEWED}


class Help(StrEnum):
    """How one action stands: a contact, a visit, an emergency service."""

    ASKED = "asked"
    COMING = "coming"  # or there already


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an alert."""

    priority: Priority
    raised_at: datetime
    owner: str | None = None
    attended_at: datetime | None = None  # when staff last did something about it
    contacted: bool = False  # somebody has tried to reach the person
    assessed: bool = False
    help: Sequence[Help] = ()  # of each action that has not ended
    on_phone_until: datetime | None = None  # a call is under way, and is taken as ended then
    on_floor: bool = False
    safe: bool = False
    wrapped_up: bool = False
    closed: bool = False
    reviewed: bool = False
    missed: int = 0  # deadlines in a row for which nobody did anything
    missed_at: datetime | None = None  # the last of them


def state_of(facts: Facts) -> State:
    """The state that follows from what is known."""
    if facts.closed:
        return State.REVIEWED if facts.reviewed else State.CLOSED
    if facts.owner is None:
        return State.RAISED
    if facts.safe:
        return State.WRAP_UP if facts.wrapped_up else State.SAFE
    if facts.help:
        return State.ACTING if Help.ASKED in facts.help else State.WATCHING
    if facts.assessed:
        return State.ASSESSED
    return State.CONTACTING if facts.contacted or facts.on_phone_until is not None else State.CLAIMED


# ---------------------------------------------------------------- what is due


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long an alert that somebody has may be left alone."""

    alone: timedelta  # A11: nobody on the telephone with the person, and no help under way
    welfare: timedelta  # help is under way
    welfare_floor: timedelta  # and the person is on the floor
    wrap_up: timedelta  # safe, and not yet closed
    technical: timedelta  # equipment
    supervisor_after: int  # deadlines missed in a row


def due_of(facts: Facts, now: datetime, limits: Limits) -> datetime:
    """When something next happens by itself to an open alert that somebody has. Never before now."""
    if facts.on_phone_until is not None:
        return max(facts.on_phone_until, now)
    if facts.missed and facts.missed_at is not None:
        return max(facts.missed_at + _soon(facts, limits), now)
    return max((facts.attended_at or now) + _length(facts, limits), now)


def _soon(facts: Facts, limits: Limits) -> timedelta:
    """What was missed once does not get its full length again."""
    if facts.priority is Priority.TECHNICAL:
        return limits.technical
    return min(_length(facts, limits), limits.alone)


def _length(facts: Facts, limits: Limits) -> timedelta:
    if facts.priority is Priority.TECHNICAL:
        return limits.technical
    match state_of(facts):
        case State.SAFE | State.WRAP_UP:
            return limits.wrap_up
        case State.WATCHING:
            return limits.welfare_floor if facts.on_floor else limits.welfare
        case _:
            return limits.alone


@dataclass(frozen=True, slots=True)
class Missed:
    """A deadline has passed and nobody did anything."""

    what: str  # the log's word
    because: str
    due_at: datetime


def miss(facts: Facts, now: datetime, limits: Limits) -> Missed:
    """What happens when an alert that somebody has was left alone: it sounds again, then the supervisor hears of it."""
    due_at = now + _soon(facts, limits)
    if facts.priority is not Priority.TECHNICAL and facts.missed + 1 == limits.supervisor_after:
        return Missed("escalated-supervisor", _because(facts), due_at)
    watching = state_of(facts) is State.WATCHING or facts.priority is Priority.TECHNICAL
    return Missed("welfare-due" if watching else "re-sounded", _because(facts), due_at)


def _because(facts: Facts) -> str:
    if facts.priority is Priority.TECHNICAL:
        return "nobody has done anything about it for some time"
    match state_of(facts):
        case State.SAFE | State.WRAP_UP:
            return "the person is safe, and the alert is not closed"
        case State.WATCHING:
            where = ", on the floor" if facts.on_floor else ""
            return f"help is under way, and nobody has spoken with the person{where}"
        case State.ACTING:
            return "help has been asked for and has not said that it comes"
        case _:
            return "nobody is on the telephone with the person, and no help is under way"


# ---------------------------------------------------------------- closing

TRIES_BEFORE_NO_CONTACT: Final = 2  # section 7: unit, landline, mobile, unit again; fewer are no tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How somebody wants to close an alert."""

    by: str
    cause: Cause
    outcomes: Sequence[Outcome]
    confirmed_by: ConfirmedBy
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What closing must look at besides the alert: help that has not ended, tries, and who has agreed."""

    services_awaited: Sequence[str] = ()  # emergency services that have not ended
    responders_inside: Sequence[str] = ()  # who has arrived and not left
    tries: int = 0  # to reach the person
    agreed_by: str | None = None


def closing_problems(priority: Priority, closing: Closing, around: Around) -> list[str]:
    """Why an alert may not be closed like this; empty when it may.

    Closing needs somebody's word that the person is safe: inquiries have found "probably asleep" to be none. Where
    nobody was reached, a second person must have agreed (PRACTICE section 7).
    """
    problems = []
    if not closing.outcomes:
        problems.append("outcomes: say at least one")
    if not closing.how.strip():
        problems.append("how: say how you know that the person is safe")
    if closing.confirmed_by is ConfirmedBy.SYSTEM and priority is not Priority.TECHNICAL:
        problems.append("confirmed_by: somebody must have confirmed that the person is safe")
    if closing.cause is Cause.NOT_KNOWN and closing.confirmed_by is ConfirmedBy.PERSON:
        problems.append("cause: 'not known (no contact)' cannot stand with the person's own word")
    if closing.confirmed_by is ConfirmedBy.TWO_PEOPLE:
        problems += _two_people(closing, around)
    problems += [
        f"emergency: the {service} must have ended first: it came, or was stood down"
        for service in around.services_awaited
    ]
    problems += [f"visits: {who} must have left first" for who in around.responders_inside]
    return problems


def _two_people(closing: Closing, around: Around) -> list[str]:
    if around.agreed_by is None:
        return ["confirmed_by: a second person must have agreed to close without contact, and say why"]
    if around.agreed_by == closing.by:
        return ["confirmed_by: the second person must be somebody else"]
    if around.tries < TRIES_BEFORE_NO_CONTACT:
        return [f"confirmed_by: somebody must have confirmed it, or at least {TRIES_BEFORE_NO_CONTACT} tries be made"]
    return []
