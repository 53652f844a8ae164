"""Looking back at closed alerts: which of a handler's month are reviewed, what is marked, and what it adds up to. Pure.

Two alerts of each handler in each month, at least one of them with a 999 call among those of the month if there was
one, services rotated: TEC Monitoring v4.0 (PRACTICE.md section 2).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from alerts.kpis import Share

SAMPLES: Final = 2  # alerts of a handler in a month
MONTHS_BACK: Final = 3  # months that are over and were not drawn yet, after a time in which nothing ran
NOTE_LIMIT: Final = 4000  # characters
_PARTLY: Final = 0.5  # of a yes


class Criterion(StrEnum):
    """What is looked at."""

    ANSWERED = "answered-in-time"
    VOICE = "voice-heard"
    SCRIPT = "script-followed"
    DECISION = "right-decision"
    SAFETY = "safety-confirmed"
    FACTS = "facts-only"


CRITERION_WORDS: Final[dict[Criterion, str]] = {
    Criterion.ANSWERED: "Answered in time",
    Criterion.VOICE: "The person’s own voice was heard, or all was done to hear it",
    Criterion.SCRIPT: "The script was followed",
    Criterion.DECISION: "The decision was right",
    Criterion.SAFETY: "That the person was safe was confirmed, not assumed",
    Criterion.FACTS: "The record holds facts only",
}


class Mark(StrEnum):
    """How it was."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    NOT_APPLICABLE = "not-applicable"


MARK_WORDS: Final[dict[Mark, str]] = {
    Mark.YES: "Yes",
    Mark.PARTLY: "Partly",
    Mark.NO: "No",
    Mark.NOT_APPLICABLE: "Does not apply",
}
Marks = Mapping[Criterion, Mark]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An alert that a handler closed in the month."""

    alert_id: int
    service: str  # for whom it was answered
    had_999: bool = False


# ---------------------------------------------------------------- the draw


def draw(candidates: Iterable[Candidate], last: Mapping[str, date], seed: int, count: int = SAMPLES) -> list[Candidate]:
    """Which alerts are looked at. The same candidates and seed give the same ones, in whatever order they come.

    `last` is the month in which each service was last drawn for this handler; one that never was comes first.
    """
    left = sorted(candidates, key=lambda one: _lot(seed, one.alert_id))
    chosen: list[Candidate] = []
    while left and len(chosen) < count:
        among = [one for one in left if one.had_999] if not chosen else []
        taken = {one.service for one in chosen}
        one = min(among or left, key=lambda one: (one.service in taken, last.get(one.service, date.min)))
        chosen.append(one)
        left.remove(one)
    return chosen


def _lot(seed: int, alert_id: int) -> bytes:
    return hashlib.sha256(f"{seed}:{alert_id}".encode()).digest()


def months_over(now: datetime, zone: ZoneInfo, count: int = MONTHS_BACK) -> list[date]:
    """The first days of the last months that are over by this clock, the oldest first."""
    first = now.astimezone(zone).date().replace(day=1)
    found: list[date] = []
    for _ in range(count):
        first = (first - timedelta(days=1)).replace(day=1)
        found.append(first)
    return found[::-1]


def month_span(month: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From when until when (not included) a month lasts."""
    after = (month + timedelta(days=32)).replace(day=1)
    begins, ends = (datetime(day.year, day.month, 1, tzinfo=zone) for day in (month, after))
    return begins, ends


# ---------------------------------------------------------------- the review


def problems(marks: Mapping[str, str], note: str) -> dict[str, str]:
    """What is wrong with a review, by field; nothing where it can be kept."""
    found: dict[str, str] = {}
    for criterion in Criterion:
        if marks.get(criterion.value) not in MARK_WORDS:
            found[criterion.value] = f"Choose an answer for: {CRITERION_WORDS[criterion]}"
    if not found and set(marks.values()) == {Mark.NOT_APPLICABLE.value}:
        found[Criterion.ANSWERED.value] = "Something must apply"
    if not note.strip():
        found["note"] = "Say what you saw"
    elif len(note) > NOTE_LIMIT:
        found["note"] = f"At most {NOTE_LIMIT} characters"
    return found


def score(marks: Marks) -> int:
    """From 0 to 100: the share of yes among what applies, a partly for half of one."""
    counts = Counter(marks.values())
    applies = len(marks) - counts[Mark.NOT_APPLICABLE]
    return round(100 * (counts[Mark.YES] + _PARTLY * counts[Mark.PARTLY]) / applies) if applies else 0


# ---------------------------------------------------------------- a month


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An alert that was drawn, as far as the month's picture needs it."""

    handler: str
    name: str
    candidates: int
    marks: Marks | None = None  # None: not reviewed yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A handler's month."""

    name: str
    candidates: int  # alerts that they closed
    sampled: int
    reviewed: int
    yes: Share  # of all marks that apply


def pictures(samples: Sequence[Sample]) -> list[Picture]:
    """Each handler's month, by name."""
    of: dict[str, list[Sample]] = {}
    for one in samples:
        of.setdefault(one.handler, []).append(one)
    found = [
        Picture(
            name=ones[0].name, candidates=ones[0].candidates, sampled=len(ones),
            reviewed=sum(one.marks is not None for one in ones), yes=_yes(ones),
        )
        for ones in of.values()
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.name)


def by_criterion(samples: Sequence[Sample]) -> dict[Criterion, Share]:
    """The share of yes of each criterion, over everybody."""
    return {criterion: _yes(samples, criterion) for criterion in Criterion}


def _yes(samples: Iterable[Sample], only: Criterion | None = None) -> Share:
    marks = [
        mark for one in samples for criterion, mark in (one.marks or {}).items() if only is None or criterion is only
    ]
    return Share(marks.count(Mark.YES), len(marks) - marks.count(Mark.NOT_APPLICABLE))
