"""Spans that are said by a council's clock, as instants; right in both nights in which the clocks change. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY_MIN: Final = 1440  # minutes of a day on the clock's face, also of one with 23 or 25 hours
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From an instant until before another."""

    start: datetime
    end: datetime


def zone_named(name: str) -> tzinfo:
    """The zone of this name; UTC where the machine does not know it, since nobody is forgotten for a wrong name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


@lru_cache(maxsize=8192)  # thousands of rotas name the same few times of the same few days
def instant_of(day: date, minutes: int, zone: tzinfo, *, last: bool = False) -> datetime:
    """The instant at which a clock shows so many minutes after a day's midnight (1440 and more: on the next day).

    Where clocks go back it shows some times twice: the first, or with `last` the second. Where they go forward it never
    shows some: then the instant of the jump.
    """
    shown = datetime.combine(day, time()) + timedelta(minutes=minutes)
    first = shown.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = shown.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first <= second:
        return second if last else first
    return _jump(second, first, zone)


def _jump(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first whole minute after `before` whose offset is that of `after`."""
    offset = after.astimezone(zone).utcoffset()
    low, high = 0, int((after - before) / _MINUTE)
    while high - low > 1:
        middle = (low + high) // 2
        if (before + middle * _MINUTE).astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return before + high * _MINUTE


def days_touching(start: datetime, end: datetime, zone: tzinfo) -> Iterator[date]:
    """Each day on which something may begin that lasts a day at most and reaches into [start, end)."""
    day, last = start.astimezone(zone).date() - timedelta(days=1), end.astimezone(zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def end_of(day: date, minutes: int, zone: tzinfo) -> datetime:
    """The end of what lasts until so many minutes after a day's midnight: after it the clock shows no earlier time."""
    minute_before = instant_of(day, minutes - 1, zone, last=True) + _MINUTE
    return min(minute_before, instant_of(day, minutes, zone, last=True))


def from_until(day: date, from_min: int, until_min: int, zone: tzinfo) -> Span:
    """From the first time that the clock shows the beginning until it shows no time before the end any more."""
    return Span(instant_of(day, from_min, zone), end_of(day, until_min, zone))


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same time in order, in spans that neither overlap nor touch, without empty ones."""
    found: list[Span] = []
    for span in sorted(one for one in spans if one.start < one.end):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def within(spans: Iterable[Span], start: datetime, end: datetime) -> list[Span]:
    """What of the spans lies in [start, end), joined."""
    return joined(Span(max(one.start, start), min(one.end, end)) for one in spans)


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """What of the spans is in none of the holes, joined."""
    left = joined(spans)
    for hole in joined(holes):
        left = [
            part
            for one in left
            for part in (Span(one.start, min(one.end, hole.start)), Span(max(one.start, hole.end), one.end))
            if part.start < part.end
        ]
    return left


def in_words(at: datetime, zone: tzinfo) -> str:
    """A day and a time, 'Sat 22:00'; with the zone where the clock shows that time twice: 'Sun 01:30 GMT'."""
    local = at.astimezone(zone)
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{local:%a %H:%M %Z}" if twice else f"{local:%a %H:%M}"


def span_in_words(span: Span, zone: tzinfo) -> str:
    """'Sat 22:00 to Sun 07:00'."""
    return f"{in_words(span.start, zone)} to {in_words(span.end, zone)}"
