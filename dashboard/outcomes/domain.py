"""Reablement episodes: reading what was entered, and what makes an episode right. Plain values; no clock, no SQL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final, TypeVar

from dashboard.outcomes.vocabulary import (
    DAY91_WORDS,
    END_REASON_WORDS,
    MEASURES,
    REACHED_WORDS,
    REASON_WORDS,
    SEQUEL_WORDS,
    Day91,
    EndReason,
    Measure,
    Reached,
    Reason,
    Sequel,
)

DAY: Final = timedelta(days=91)  # day 91 is this long after the start (ASCOF 2D, formerly 2B part 1)
GOALS: Final = 5  # of one episode at most
GOAL_LIMIT: Final = 500  # characters of a goal
NAME_LIMIT: Final = 100  # characters of who asked
FIRST_YEAR: Final = 2000  # an earlier start is a slip of the pen

Entered = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Goal:
    """Something that the person wanted to be able to do again, in their own words."""

    words: str
    reached: Reached | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Time-limited support after a crisis."""

    reason: Reason
    started_on: date
    ended_on: date | None = None
    end_reason: EndReason | None = None
    sequel: Sequel | None = None
    day91: Day91 | None = None
    day91_asked_on: date | None = None
    day91_asked_by: str = ""
    goals: tuple[Goal, ...] = ()
    measures: tuple[tuple[str, str, Decimal], ...] = ()  # (measure, 'start' or 'end', value)

    def overlaps(self, other: "Episode") -> bool:
        """Whether both run on one day at least."""
        far = date.max
        return self.started_on <= (other.ended_on or far) and other.started_on <= (self.ended_on or far)


FIELDS: Final = (
    "reason", "started_on",
    *(name for place in range(1, GOALS + 1) for name in (f"goal_{place}", f"goal_{place}_reached")),
    *(f"{measure.code}_{moment}" for measure in MEASURES for moment in ("start", "end")),
    "ended_on", "end_reason", "sequel", "day91", "day91_asked_on", "day91_asked_by",
)  # fmt: skip

FIELD_WORDS: Final[dict[str, str]] = {
    "person": "Person",
    "reason": "Reason",
    "started_on": "Start",
    "ended_on": "End",
    "end_reason": "Why it ended",
    "sequel": "What support came after",
    "day91": "Where they were on day 91",
    "day91_asked_on": "When they were asked",
    "day91_asked_by": "Who asked",
    **{f"goal_{n}": f"Goal {n}" for n in range(1, GOALS + 1)},
    **{f"goal_{n}_reached": f"Goal {n} reached" for n in range(1, GOALS + 1)},
    **{f"{m.code}_{moment}": f"{m.words}, {moment}" for m in MEASURES for moment in ("start", "end")},
}


# ---------------------------------------------------------------- reading what was entered


@dataclass(slots=True)
class Reading:
    """What was entered, read: the episode, or what is wrong by field."""

    episode: Episode | None
    problems: dict[str, str]


def read_episode(entered: Entered, today: date) -> Reading:
    """The episode that was entered on a page or stands in a line of a file; every problem is named at its field.

    Choices may be given by code or in words. Dates are day/month/year or year-month-day.
    """
    reader = _Reader(entered)
    episode = Episode(
        reason=reader.choice("reason", Reason, REASON_WORDS, "Say why it began") or Reason.OTHER,
        started_on=reader.day("started_on", "Enter the day it began") or date.max,
        ended_on=reader.day("ended_on"),
        end_reason=reader.choice("end_reason", EndReason, END_REASON_WORDS),
        sequel=reader.choice("sequel", Sequel, SEQUEL_WORDS),
        day91=reader.choice("day91", Day91, DAY91_WORDS),
        day91_asked_on=reader.day("day91_asked_on"),
        day91_asked_by=reader.text("day91_asked_by", NAME_LIMIT),
        goals=reader.goals(),
        measures=reader.measures(),
    )
    for name, words in _contradictions(episode, today, reader.problems).items():
        reader.problems.setdefault(name, words)
    return Reading(None if reader.problems else episode, reader.problems)


Choice = TypeVar("Choice", bound=StrEnum)


class _Reader:
    def __init__(self, entered: Entered) -> None:
        self._entered = entered
        self.problems: dict[str, str] = {}

    def _given(self, name: str) -> str:
        return self._entered.get(name, "").strip()

    def text(self, name: str, limit: int) -> str:
        given = self._given(name)
        if len(given) > limit:
            self.problems[name] = f"At most {limit} characters; these are {len(given)}"
        elif "\0" in given:
            self.problems[name] = "Holds a character that is no text"
        return given

    def choice(
        self, name: str, kind: type[Choice], words: Mapping[Choice, str], missing: str | None = None
    ) -> Choice | None:
        given = self._given(name)
        if not given:
            if missing:
                self.problems[name] = missing
            return None
        found = next((one for one in kind if given.casefold() in (one.value, words[one].casefold())), None)
        if found is None:
            self.problems[name] = f"“{_short(given)}” is not one of: {', '.join(kind)}"
        return found

    def day(self, name: str, missing: str | None = None) -> date | None:
        given = self._given(name)
        if not given:
            if missing:
                self.problems[name] = missing
            return None
        try:
            return read_day(given)
        except ValueError as problem:
            self.problems[name] = str(problem)
            return None

    def goals(self) -> tuple[Goal, ...]:
        found = []
        for place in range(1, GOALS + 1):
            words = self.text(f"goal_{place}", GOAL_LIMIT)
            reached = self.choice(f"goal_{place}_reached", Reached, REACHED_WORDS)
            if words:
                found.append(Goal(words, reached))
            elif reached is not None:
                self.problems[f"goal_{place}"] = "It is said whether this goal was reached, but not which goal it is"
        return tuple(found)

    def measures(self) -> tuple[tuple[str, str, Decimal], ...]:
        found = []
        for measure in MEASURES:
            for moment in ("start", "end"):
                name = f"{measure.code}_{moment}"
                if not (given := self._given(name)):
                    continue
                try:
                    found.append((measure.code, moment, read_measure(measure, given)))
                except ValueError as problem:
                    self.problems[name] = str(problem)
        return tuple(found)


def _contradictions(episode: Episode, today: date, problems: Mapping[str, str]) -> dict[str, str]:
    """What cannot be true together. Fields that could not be read are left out."""
    found: dict[str, str] = {}
    start = None if "started_on" in problems else episode.started_on
    if start is not None and start > today:
        found["started_on"] = f"{said(start)} is in the future"
    elif start is not None and start.year < FIRST_YEAR:
        found["started_on"] = f"{said(start)} is too long ago: check the year"
    if "started_on" in found:
        start = None  # what hangs on it would be said for nothing
    end = episode.ended_on
    if end is not None and start is not None and end < start:
        found["ended_on"] = f"The end, {said(end)}, is before the start, {said(start)}"
    elif end is not None and end > today:
        found["ended_on"] = f"{said(end)} is in the future: leave the end empty until it has come"
    return found | _end_problems(episode, problems) | _day91_problems(episode, start, today, problems)


def _end_problems(episode: Episode, problems: Mapping[str, str]) -> dict[str, str]:
    closing = {"ended_on": episode.ended_on, "end_reason": episode.end_reason, "sequel": episode.sequel}
    if not any(closing.values()) or any(name in problems for name in closing):
        return {}
    words = {
        "ended_on": "Enter the day it ended: something of the end is given",
        "end_reason": "Say why it ended",
        "sequel": "An episode that has ended needs what support came after",
    }
    found = {name: words[name] for name, value in closing.items() if value is None}
    died = (episode.end_reason is EndReason.DIED, episode.sequel is Sequel.DIED)
    if not found and any(died) and not all(died):
        found["sequel"] = "If the person died, both why it ended and what came after must say so"
    return found


def _day91_problems(episode: Episode, start: date | None, today: date, problems: Mapping[str, str]) -> dict[str, str]:
    given = (episode.day91, episode.day91_asked_on, episode.day91_asked_by)
    if not any(given) or any(name in problems for name in ("day91", "day91_asked_on", "day91_asked_by")):
        return {}
    found: dict[str, str] = {}
    if episode.day91 is None:
        found["day91"] = "Say where the person was on day 91, or that they could not be reached"
    if not episode.day91_asked_by:
        found["day91_asked_by"] = "Say who asked"
    asked = episode.day91_asked_on
    if asked is None:
        found["day91_asked_on"] = "Enter the day on which they were asked"
    elif asked > today:
        found["day91_asked_on"] = f"{said(asked)} is in the future"
    elif start is not None and episode.day91 is not Day91.DIED and asked < start + DAY:
        found["day91_asked_on"] = f"Day 91 is {said(start + DAY)}; it cannot be known on {said(asked)}"
    elif start is not None and asked < start:
        found["day91_asked_on"] = f"{said(asked)} is before the start"
    died_on = episode.ended_on if episode.sequel is Sequel.DIED else None
    if died_on and start and died_on <= start + DAY and episode.day91 not in (None, Day91.DIED):
        found["day91"] = "The episode ended with the person's death before day 91"
    return found


_DAY_MONTH_YEAR: Final = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?: 0{1,2}:00(?::00)?)?", re.ASCII)
_YEAR_MONTH_DAY: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ]00:00(?::00)?)?", re.ASCII)
_SHORT_YEAR: Final = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2}", re.ASCII)


def read_day(text: str) -> date:
    """A date as people and spreadsheets write it: 31/01/2026 or 2026-01-31.

    Raises:
        ValueError: it is none; the words say why.
    """
    if match := _DAY_MONTH_YEAR.fullmatch(text):
        day, month, year = (int(part) for part in match.groups())
    elif match := _YEAR_MONTH_DAY.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
    elif _SHORT_YEAR.fullmatch(text):
        raise ValueError(f"“{text}”: write the year with four digits")
    else:
        raise ValueError(f"“{_short(text)}” is not a date: write it like 31/01/2026 or 2026-01-31")
    try:
        return date(year, month, day)
    except ValueError as problem:
        raise ValueError(f"“{text}”: there is no such day") from problem


def read_measure(measure: Measure, text: str) -> Decimal:
    """A measure's value.

    Raises:
        ValueError: it is no number, or outside the measure's range.
    """
    try:
        value = Decimal(text)
    except InvalidOperation as problem:
        raise ValueError(f"“{_short(text)}” is not a number") from problem
    if not value.is_finite() or not measure.least <= value <= measure.most:
        raise ValueError(f"{_short(text)} is outside {measure.least} to {measure.most}")
    if value != value.quantize(Decimal(1) if measure.whole else Decimal("0.1")):
        raise ValueError(f"{_short(text)} must be a whole number" if measure.whole else "At most one decimal place")
    return value


def said(day: date) -> str:
    """A day as people read it."""
    return f"{day.day} {day:%B %Y}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def as_entered(episode: Episode) -> dict[str, str]:
    """An episode as the form and the file have it: the reverse of `read_episode`."""
    values = {
        "reason": episode.reason.value,
        "started_on": f"{episode.started_on:%d/%m/%Y}",
        "ended_on": f"{episode.ended_on:%d/%m/%Y}" if episode.ended_on else "",
        "end_reason": episode.end_reason or "",
        "sequel": episode.sequel or "",
        "day91": episode.day91 or "",
        "day91_asked_on": f"{episode.day91_asked_on:%d/%m/%Y}" if episode.day91_asked_on else "",
        "day91_asked_by": episode.day91_asked_by,
    }
    for place, goal in enumerate(episode.goals, start=1):
        values |= {f"goal_{place}": goal.words, f"goal_{place}_reached": goal.reached or ""}
    for measure, moment, value in episode.measures:
        values[f"{measure}_{moment}"] = f"{value.normalize():f}"
    return {name: str(values.get(name, "")) for name in FIELDS}
