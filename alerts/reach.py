"""Whom of a person's contacts is asked next, by which ways, or why nobody; and what is wrong with a plan. Pure.

Contacts are asked by place, and only those who can be asked now (alerts/availability.py).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final
from uuid import UUID

from alerts.availability import (
    CHANNELS,
    TELEPHONE,
    Contact,
    Plan,
    Purpose,
    ahead,
    available,
    gaps,
    never,
    unreachable,
    why_not,
)
from telecare.phones import e164
from telecare.rota import ServiceType, Way, rota_problem
from telecare.wall_clock import Span, in_words, span_in_words

__all__ = [
    "Askable", "Choice", "Contact", "Nobody", "Plan", "Problem", "Purpose", "askable", "available", "gap_words", "gaps",
    "next_contact", "problems_of", "ways_to", "why_not",
]  # fmt: skip

SILVER_CONTACTS: Final = 3  # with keys, who agreed to be called day and night


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked next, and the ways to them, the best first."""

    contact: Contact
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Nobody:
    """Why nobody is asked, as a sentence for an operator, and from when on somebody can be, who is that then."""

    why: str
    until: datetime | None = None
    then: Contact | None = None


@dataclass(frozen=True, slots=True)
class Askable:
    """What speaks against asking a contact to go now, and whether an operator may ask them all the same."""

    why: str  # '': nothing does
    may_pick: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a plan, for a person to mend."""

    words: str
    contact: UUID | None = None  # None: with the plan as a whole


# ---------------------------------------------------------------- who is next


def next_contact(
    plan: Plan,
    asked: Collection[UUID],
    now: datetime,
    purpose: Purpose = Purpose.ACT,
    chosen: UUID | None = None,
) -> Choice | Nobody:
    """The first contact who can be asked now and has not been; or `chosen`, whom an operator picked.

    An operator may pick somebody who is off their rota or away, and nobody whom age or night protects.
    """
    contacts = [one for one in sorted(plan.contacts, key=lambda one: one.place) if chosen in (None, one.id)]
    if chosen is not None:
        contacts = [replace(one, windows=(), absences=()) for one in contacts]
    open_to_ask = [one for one in contacts if one.id not in asked]
    for contact in open_to_ask:
        if why_not(contact, plan.zone, now, purpose) is None:
            return Choice(contact, ways_to(contact, purpose))
    return _nobody(plan.zone, contacts, open_to_ask, now, purpose)


def _nobody(zone: tzinfo, contacts: list[Contact], unasked: list[Contact], now: datetime, purpose: Purpose) -> Nobody:
    if not contacts:
        return Nobody("there is no contact to ask")
    if not unasked:
        return Nobody("every contact has been asked")
    if len(unasked) == len(contacts) and all(
        unreachable(one, purpose) and not one.under_18 and not one.has_phone for one in unasked
    ):
        return Nobody("no contact with a telephone number")
    reasons = "; ".join(why_not(one, zone, now, purpose) or "" for one in unasked)
    other = " else" if len(unasked) < len(contacts) else ""
    words = f"nobody{other} can be asked now: {reasons}"
    later = [(spans[0].start, one) for one in unasked if (spans := ahead(one, zone, now, purpose))]
    if not later:
        return Nobody(words)
    at, first = min(later, key=lambda one: (one[0], one[1].place))
    return Nobody(f"{words}. Nobody{other} until {in_words(at, zone)}, then {first.name}", at, first)


def askable(plan: Plan, contact: Contact, now: datetime) -> Askable:
    """Whether a contact of a plan can be asked to go now, for the operator who thinks of asking them."""
    if contact.under_18:
        return Askable(f"{contact.name} is under 18 and is not asked to go: another contact is needed", may_pick=False)
    why = why_not(contact, plan.zone, now)
    picked = isinstance(next_contact(plan, (), now, chosen=contact.id), Choice)
    if why is None and not any(way.works for way in contact.ways):
        why = f"no way to {contact.name} has been tested" + (
            "; the last test failed" * any(w.fails for w in contact.ways)
        )
    return Askable(why or "", picked)


def ways_to(contact: Contact, purpose: Purpose = Purpose.ACT) -> tuple[Way, ...]:
    """The ways by which a contact is reached, in the order of `in_order`."""
    return in_order(contact.ways, purpose)


def in_order(ways: Iterable[Way], purpose: Purpose = Purpose.ACT) -> tuple[Way, ...]:
    """The ways that fit, the best first; one whose last test failed is tried last, but tried."""
    fitting = [way for way in ways if way.channel in CHANNELS[purpose]]
    return tuple(sorted(fitting, key=lambda way: (way.fails, CHANNELS[purpose].index(way.channel))))


# ---------------------------------------------------------------- what is wrong with a plan


def gap_words(gap: Span, zone: tzinfo) -> str:
    """A gap for the one who is to close it."""
    return f"Nobody can be asked: {span_in_words(gap, zone)}"


def problems_of(plan: Plan) -> list[Problem]:
    """What of a plan is to be mended, the gravest first."""
    found = []
    if not plan.contacts:
        return [Problem("There is no contact: nobody can be asked")]
    if all(never(one, Purpose.ACT) for one in plan.contacts):
        found.append(Problem("None of the contacts can be asked to go: name another contact"))
    if plan.service_type is ServiceType.SILVER:
        found += _silver(plan)
    for contact in sorted(plan.contacts, key=lambda one: one.place):
        found += [Problem(words, contact.id) for words in _contact_problems(contact)]
    return found


def _silver(plan: Plan) -> list[Problem]:
    fit = [
        one for one in plan.contacts if one.has_key and one.at_night and one.night_said and not never(one, Purpose.ACT)
    ]
    if len(fit) >= SILVER_CONTACTS:
        return []
    names = ", ".join(one.name for one in fit) or "nobody"
    return [
        Problem(
            f"Silver needs {SILVER_CONTACTS} contacts with keys who agreed to be called day and night; so far: {names}"
        )
    ]


def _contact_problems(contact: Contact) -> list[str]:
    found = []
    if contact.under_18:
        found.append(
            f"{contact.name} is under 18: never asked to go, never called at night. Name another contact in their place"
        )
    numbers = {way.address for way in contact.ways if way.channel in TELEPHONE}
    if not numbers and (words := never(replace(contact, under_18=False), Purpose.ACT)):
        found.append(words)
    for number in numbers:
        try:
            e164(number)
        except ValueError:
            found.append(f"The telephone number of {contact.name} is no number")
    if contact.windows and (failing := rota_problem(contact.name, contact.ways)):
        found.append(failing)
    return found
