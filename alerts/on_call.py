"""Whom the service rings when nobody takes an alert, and what they hear of together. Pure.

Everybody who is on call for a duty is rung. Where nobody is, the other duty is rung; where nobody at all is on call at
this hour, all who are on call at other hours: it is better to wake somebody than nobody. One number is rung once in
`apart` at most, and then hears of everything that came meanwhile (docs/decisions/0026).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from alerts import availability
from telecare.register.on_call_now import OnCall
from telecare.rota import Channel, Duty, Way
from telecare.vocabulary import Priority
from telecare.wall_clock import Span, within, without, zone_named

# The ladder's rungs at which somebody is rung.
DUTY_OF_RUNG: Final = {"escalated-supervisor": Duty.SUPERVISOR, "escalated-second-site": Duty.SECOND_SITE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that those who have a duty are to hear of."""

    id: int
    duty: Duty
    why: str  # 'unclaimed', 'left-alone' or 'no-screen'
    begun_at: datetime
    alert_id: int | None = None  # None: the empty room
    priority: Priority = Priority.EMERGENCY
    waiting_since: datetime | None = None
    council_id: UUID | None = None  # None: the whole service
    stands: bool = True  # it is still so


# ---------------------------------------------------------------- who


def on_call_now(one: OnCall, now: datetime) -> bool:
    """Whether this is one of their times."""
    return not one.windows or bool(availability.available(_contact(one), zone_named(one.timezone), now, now + _MOMENT))


_MOMENT: Final = timedelta(microseconds=1)


def whom(people: Iterable[OnCall], council: UUID | None, duty: Duty, now: datetime) -> list[OnCall]:
    """Who is rung, each number once; nobody where nobody is on call at all."""
    known = [one for one in people if one.answers_for(council)]
    here = [one for one in known if on_call_now(one, now)]
    for group in (here, known):
        found = [one for one in group if one.duty is duty] or group
        if found:
            return list({one.phone: one for one in reversed(found)}.values())[::-1]
    return []


def gaps(people: Iterable[OnCall], council: UUID, duty: Duty, start: datetime, end: datetime) -> list[Span]:
    """When within [start, end) nobody is on call for this duty, though somebody is at other times."""
    there = [one for one in people if one.duty is duty and one.answers_for(council)]
    if not there or any(not one.windows for one in there):
        return []
    left = within([Span(start, end)], start, end)
    for one in there:
        left = without(left, availability.available(_contact(one), zone_named(one.timezone), start, end))
    return left


def _contact(one: OnCall) -> availability.Contact:
    """Somebody on call as the rules of rotas have them: nobody is left in peace at night who is on call then."""
    windows = tuple(window for _, window in one.windows)
    return availability.Contact(
        id=one.id, place=1, name=one.name, windows=windows, ways=(Way(Channel.VOICE, one.phone),)
    )


# ---------------------------------------------------------------- what is said


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one person hears of now."""

    to: OnCall
    needs: tuple[Need, ...]


@dataclass(slots=True)
class Round:
    """What happens now."""

    bundles: list[Bundle] = field(default_factory=list)
    told: list[int] = field(default_factory=list)  # needs of which everybody concerned has then heard
    nobody: list[Need] = field(default_factory=list)  # of which there is nobody to hear


def next_round(
    needs: Sequence[Need],
    people: Sequence[OnCall],
    heard: Collection[tuple[int, str]],
    last: Mapping[str, datetime],
    now: datetime,
    apart: timedelta,
) -> Round:
    """What is said now about needs that stand. `heard` are the needs with the numbers that have heard of them, `last`
    when each number was last rung.
    """
    found = Round()
    concerned: dict[tuple[UUID | None, Duty], list[OnCall]] = {}
    unheard: dict[str, tuple[OnCall, list[Need]]] = {}
    for need in needs:
        key = (need.council_id, need.duty)
        if key not in concerned:
            concerned[key] = whom(people, *key, now)
        if not concerned[key]:
            found.nobody.append(need)
        for one in concerned[key]:
            if (need.id, one.phone) not in heard:
                unheard.setdefault(one.phone, (one, []))[1].append(need)
    for number, (one, theirs) in unheard.items():
        if number not in last or now - last[number] >= apart:
            found.bundles.append(Bundle(one, tuple(theirs)))
    waiting = {one.to.phone for one in found.bundles}
    held = {need.id for number, (_, theirs) in unheard.items() if number not in waiting for need in theirs}
    found.told = [need.id for need in needs if need.id not in held and concerned[need.council_id, need.duty]]
    return found


@dataclass(frozen=True, slots=True)
class News:
    """What a message on call says: numbers, never a name."""

    waiting: int = 0  # alerts that nobody has taken
    alone: int = 0  # alerts that somebody has taken, and left alone
    no_screen: bool = False
    first: int | None = None  # the most urgent alert
    level: Priority = Priority.EMERGENCY  # of that one
    waited_s: int = 0  # that one, where nobody has taken it


def news_of(needs: Iterable[Need], now: datetime) -> News:
    """What needs come to."""
    by_alert: dict[int, Need] = {}
    no_screen = False
    for need in needs:
        if need.alert_id is None:
            no_screen = True
        else:
            by_alert[need.alert_id] = need
    of_alerts = sorted(
        by_alert.values(), key=lambda need: (need.priority, need.waiting_since or need.begun_at, need.id)
    )
    waiting = sum(need.why == "unclaimed" for need in of_alerts)
    if not of_alerts:
        return News(no_screen=no_screen)
    first = of_alerts[0]
    waited = now - (first.waiting_since or now) if first.why == "unclaimed" else timedelta()
    return News(
        waiting, len(of_alerts) - waiting, no_screen, first.alert_id, first.priority, int(waited.total_seconds())
    )


# ---------------------------------------------------------------- again


def told_again(since: datetime, before: datetime, now: datetime, again: timedelta) -> bool:
    """Whether one of the times at which something that lasts is said again (every `again` after `since`) has come."""
    return (before - since) // again < (now - since) // again


def of_empty_room(
    begun_at: datetime, told: Mapping[Duty, datetime], now: datetime, second: timedelta, again: timedelta
) -> list[Duty]:
    """Who hears now that the room is empty: the supervisor at once, the second site after `second`; each again."""
    first = {Duty.SUPERVISOR: begun_at, Duty.SECOND_SITE: begun_at + second}
    return [duty for duty, at in first.items() if (told[duty] + again if duty in told else at) <= now]
