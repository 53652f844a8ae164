"""When a contact of a person can be reached, and in words why they cannot now. Pure: no I/O, and `now` is a parameter.

Rules, after a council's Silver service and the rota rules of docs/operators.md: nobody in their quiet hours, unless the
message asks them to act and they agreed to be called at night; nobody under 18 is asked to act, or written to at night.
A contact without a rota can be asked at any time. Where the clock shows a time twice, the longer span counts.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final
from uuid import UUID

from telecare.rota import Absence, Channel, ServiceType, Way, Window
from telecare.wall_clock import (
    DAY_MIN,
    Span,
    days_touching,
    end_of,
    from_until,
    in_words,
    instant_of,
    joined,
    within,
    without,
)

CHILD_NIGHT: Final = (time(22), time(7))  # whatever their own quiet hours are: nobody under 18 is written to
LOOK_AHEAD: Final = timedelta(days=14)  # for the first who can be asked again
_MOMENT: Final = timedelta(microseconds=1)


class Purpose(StrEnum):
    """What a message is for."""

    ACT = "act"  # please go
    INFORM = "inform"  # so that you know


# By which ways, and in which order: what rings or shows at once comes first.
CHANNELS: Final[dict[Purpose, tuple[Channel, ...]]] = {
    Purpose.ACT: (Channel.PUSH, Channel.SMS, Channel.VOICE, Channel.EMAIL),
    Purpose.INFORM: (Channel.PUSH, Channel.SMS, Channel.EMAIL),
}
TELEPHONE: Final = frozenset({Channel.SMS, Channel.VOICE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact of a person, with all that says when and how they may be reached."""

    id: UUID
    place: int  # 1 is asked first
    name: str
    has_key: bool = False
    under_18: bool = False
    at_night: bool = True  # may be asked to act in their quiet hours
    night_said: str = ""  # how they agreed to that; '': nobody has asked them
    quiet_from: time = time(22)
    quiet_until: time = time(7)  # the same as `quiet_from`: no quiet hours
    windows: tuple[Window, ...] = ()  # none: at any time
    absences: tuple[Absence, ...] = ()
    ways: tuple[Way, ...] = ()  # those by which they agreed to be reached
    has_phone: bool = False  # there is a number, whether they want to be reached by it or not
    holidays: frozenset[date] = frozenset()  # public ones of the council


@dataclass(frozen=True, slots=True)
class Plan:
    """A person's escalation plan."""

    service_type: ServiceType
    contacts: tuple[Contact, ...]
    zone: tzinfo  # of the council
    person: str = ""  # whose plan it is


def why_not(contact: Contact, zone: tzinfo, now: datetime, purpose: Purpose = Purpose.ACT) -> str | None:
    """Why this contact cannot be reached now, in words; None where they can."""
    if reason := never(contact, purpose):
        return reason
    now = now.astimezone(UTC)  # instants of one local zone would be compared by what its clock shows
    here = Span(now, now + _MOMENT)
    for absence in contact.absences:
        if not without([here], [_absence_span(absence, zone)]):
            return f"{contact.name} is away until {absence.last:%a %-d %b} ({absence.why})"
    quiet = _quiet(contact, zone, now, here.end, purpose)
    if not without([here], quiet):
        end = in_words(next(span.end for span in joined(quiet) if span.start <= now < span.end), zone)
        asleep = "is under 18 and" if contact.under_18 else "has not agreed to be called at night and"
        asleep = asleep if purpose is Purpose.ACT or contact.under_18 else "has quiet hours and"
        return f"{contact.name} {asleep} is left in peace until {end}"
    if contact.windows and not within(_windows(contact, zone, now, here.end), now, here.end):
        later = ahead(contact, zone, now, purpose)
        return f"{contact.name} is not on the rota" + (f" until {in_words(later[0].start, zone)}" if later else " now")
    return None


def never(contact: Contact, purpose: Purpose) -> str | None:
    """Why this contact can never be reached for this purpose."""
    if contact.under_18 and purpose is Purpose.ACT:
        return f"{contact.name} is under 18 and is never asked to go"
    if unreachable(contact, purpose):
        return f"{contact.name} {_no_way(contact, purpose)}"
    return None


def _no_way(contact: Contact, purpose: Purpose) -> str:
    if purpose is Purpose.INFORM:
        return "has no way to be written to"
    return "has agreed neither to text messages nor to calls" if contact.has_phone else "has no telephone number"


def unreachable(contact: Contact, purpose: Purpose) -> bool:
    """Somebody who is to go must have a telephone: e-mail wakes nobody, and an operator must be able to ring them."""
    channels = {way.channel for way in contact.ways}
    return not channels & (TELEPHONE if purpose is Purpose.ACT else set(CHANNELS[purpose]))


def available(
    contact: Contact, zone: tzinfo, start: datetime, end: datetime, purpose: Purpose = Purpose.ACT
) -> list[Span]:
    """When within [start, end) this contact can be reached: in order, neither overlapping nor touching."""
    if never(contact, purpose):
        return []
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    rota = _windows(contact, zone, start, end) if contact.windows else [Span(start, end)]
    free = within(rota, start, end)
    free = without(free, (_absence_span(one, zone) for one in contact.absences))
    return without(free, _quiet(contact, zone, start, end, purpose))


def gaps(plan: Plan, start: datetime, end: datetime) -> list[Span]:
    """When within [start, end) nobody at all could be asked to go: in order, neither overlapping nor touching."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    left = within([Span(start, end)], start, end)
    for contact in plan.contacts:
        if not left:
            break
        left = without(left, available(contact, plan.zone, start, end))
    return left


def ahead(contact: Contact, zone: tzinfo, now: datetime, purpose: Purpose) -> list[Span]:
    """When this contact can be reached in the two weeks after `now`."""
    now = now.astimezone(UTC)
    return available(contact, zone, now, now + LOOK_AHEAD, purpose)


def _windows(contact: Contact, zone: tzinfo, start: datetime, end: datetime) -> list[Span]:
    return [
        from_until(day, window.from_min, window.until_min, zone)
        for day in days_touching(start, end, zone)
        for window in contact.windows
        if day.isoweekday() in window.days and (window.on_holidays or day not in contact.holidays)
    ]


def _absence_span(absence: Absence, zone: tzinfo) -> Span:
    return Span(instant_of(absence.first, 0, zone), end_of(absence.last, DAY_MIN, zone))


def _quiet(contact: Contact, zone: tzinfo, start: datetime, end: datetime, purpose: Purpose) -> list[Span]:
    """When this contact is left in peace, around [start, end)."""
    hours = [(contact.quiet_from, contact.quiet_until)]
    if contact.under_18:
        hours.append(CHILD_NIGHT)
    elif contact.at_night and purpose is Purpose.ACT:
        return []
    return [
        from_until(day, _minutes(begin), _minutes(until) + (DAY_MIN if until < begin else 0), zone)
        for day in days_touching(start, end, zone)
        for begin, until in hours
        if begin != until
    ]


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute
