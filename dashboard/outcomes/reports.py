"""What is reported, ready to be shown: each figure with its mark, definition and source. Pure.

A report is made once, with everything hidden that must be; page, CSV and JSON are written from it and see nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

from dashboard.outcomes import definitions as words
from dashboard.outcomes.day91 import Place, still_at_home
from dashboard.outcomes.disclosure import HIDDEN, NOT_APPLICABLE, Count, Part, hidden_of, hidden_shares, rounded
from dashboard.outcomes.vocabulary import REACHED_WORDS, SEQUEL_WORDS, Reached, Sequel
from dashboard.outcomes.wilson import wilson
from telecare.vocabulary import CAUSE_WORDS, Cause

WHOLE: Final = "12 months"  # the period of what is not told by month


# ---------------------------------------------------------------- what was counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A council's alerts of levels 1 to 3 in one month, tests left out."""

    begins: date
    alerts: int = 0
    answered: int = 0
    within_60: int = 0
    within_180: int = 0
    median_s: float | None = None  # seconds until half of those that were answered were
    visits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """How soon somebody was there, of the alerts to which somebody was sent."""

    within_45: int = 0
    within_60: int = 0  # and not within 45
    later: int = 0
    not_recorded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Everything that is counted for one council."""

    council_id: UUID
    council: str
    months: Sequence[Month]
    median_s: float | None = None
    visits: Visits = Visits()
    causes: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[Place, int] = field(default_factory=lambda: dict.fromkeys(Place, 0))
    sequels: Mapping[str, int] = field(default_factory=dict)
    goals: Mapping[str, int] = field(default_factory=dict)  # 'yes', 'partly', 'no', 'not said'


# ---------------------------------------------------------------- what is shown


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, as it may be shown. Without a value, `mark` says why: hidden, or nothing to count."""

    council: str
    period: str  # a month as 2026-03, or WHOLE
    measure: str
    unit: str  # count, percent, seconds
    value: float | None
    mark: str = ""
    low: float | None = None  # 95 % Wilson interval of a share
    high: float | None = None

    @property
    def text(self) -> str:
        """The figure as people read it."""
        if self.value is None:
            return self.mark
        if self.unit == "percent":
            interval = f" ({self.low:.1f} to {self.high:.1f})" if self.low is not None and self.high is not None else ""
            return f"{self.value:.1f}%{interval}"
        return f"{self.value:.0f} s" if self.unit == "seconds" else f"{self.value:,.0f}"


@dataclass(frozen=True, slots=True)
class Report:
    """Some figures with what they mean."""

    name: str
    title: str
    period: str  # in words
    definition: tuple[str, ...]
    source: str
    figures: tuple[Figure, ...]

    def find(self, council: str, measure: str, period: str = WHOLE) -> Figure:
        """The figure of a council.

        Raises:
            LookupError: there is none.
        """
        for one in self.figures:
            if (one.council, one.measure, one.period) == (council, measure, period):
                return one
        raise LookupError(measure)

    @property
    def councils(self) -> list[str]:
        return list(dict.fromkeys(one.council for one in self.figures))

    @property
    def measures(self) -> list[str]:
        return list(dict.fromkeys(one.measure for one in self.figures))

    @property
    def periods(self) -> list[str]:
        return list(dict.fromkeys(one.period for one in self.figures))


Builder = Callable[[Counted], list[Figure]]


def make(name: str, all_of: Sequence[Counted], period: str) -> Report:
    """The report of this name.

    Raises:
        KeyError: there is none.
    """
    builder = BUILDERS[name]
    title, definition, source = words.REPORTS[name]
    figures = tuple(figure for one in all_of for figure in builder(one))
    return Report(name, title, period, definition, source, figures)


def _count(one: Counted, measure: str, count: int, hidden: bool, period: str = WHOLE) -> Figure:
    if hidden:
        return Figure(one.council, period, measure, "count", None, HIDDEN)
    return Figure(one.council, period, measure, "count", rounded(count))


def _share(one: Counted, measure: str, part: Part, hidden: bool, period: str = WHOLE) -> Figure:
    if part.of == 0:
        return Figure(one.council, period, measure, "percent", None, NOT_APPLICABLE)
    if hidden or part.is_small:
        return Figure(one.council, period, measure, "percent", None, HIDDEN)
    low, high = wilson(part.count, part.of)
    return Figure(
        one.council, period, measure, "percent", round(100 * part.count / part.of, 1),
        low=round(100 * low, 1), high=round(100 * high, 1),
    )  # fmt: skip


def _seconds(one: Counted, measure: str, value: float | None, of: int, hidden: bool, period: str = WHOLE) -> Figure:
    if not of or value is None:
        return Figure(one.council, period, measure, "seconds", None, NOT_APPLICABLE)
    if hidden or Part(of, of).is_small:
        return Figure(one.council, period, measure, "seconds", None, HIDDEN)
    return Figure(one.council, period, measure, "seconds", float(round(value)))


def _tree(one: Counted, total: Count, *, without: frozenset[str] = frozenset()) -> tuple[list[Figure], frozenset[str]]:
    """Every count of a sum as a figure, in its order, but those named in `without`; and which are hidden."""
    hidden = hidden_of(total)
    shown = [count for count in total.walk() if count.name not in without]
    return [_count(one, count.name, count.size, count.name in hidden) for count in shown], hidden


# ---------------------------------------------------------------- the reports


def _answering(one: Counted) -> list[Figure]:
    months = [(f"{month.begins:%Y-%m}", month) for month in one.months]
    alerts = Count(WHOLE, parts=tuple(Count(name, month.alerts) for name, month in months))
    visits = Count(WHOLE, parts=tuple(Count(name, month.visits) for name, month in months))
    hidden, hidden_visits = hidden_of(alerts), hidden_of(visits)
    shares = {}
    for measure, counted in ((words.WITHIN_60, "within_60"), (words.WITHIN_180, "within_180")):
        parts = [Part(month.alerts, getattr(month, counted)) for _, month in months]
        shares[measure] = (parts, *hidden_shares(parts))
    figures = []
    for place, (name, month) in enumerate(months):
        figures.append(_count(one, words.ALERTS, month.alerts, name in hidden, name))
        figures.append(_count(one, words.VISITS, month.visits, name in hidden_visits, name))
        figures.append(_seconds(one, words.MEDIAN, month.median_s, month.answered, name in hidden, name))
        for measure, (parts, closed, _) in shares.items():
            figures.append(_share(one, measure, parts[place], place in closed or name in hidden, name))
    figures.append(_count(one, words.ALERTS, alerts.size, WHOLE in hidden))
    figures.append(_count(one, words.VISITS, visits.size, WHOLE in hidden_visits))
    answered = sum(month.answered for _, month in months)
    figures.append(_seconds(one, words.MEDIAN, one.median_s, answered, WHOLE in hidden))
    for measure, (parts, _, sum_closed) in shares.items():
        whole = Part(sum(part.of for part in parts), sum(part.count for part in parts))
        figures.append(_share(one, measure, whole, sum_closed or WHOLE in hidden))
    return figures


def _visits(one: Counted) -> list[Figure]:
    counted = one.visits
    recorded = Count(
        words.ARRIVAL_RECORDED,
        parts=(
            Count(words.ON_SITE_45, counted.within_45, keep=True),
            Count(words.ON_SITE_60, counted.within_60),
            Count(words.ON_SITE_LATER, counted.later),
        ),
        keep=True,
    )
    total = Count(words.VISITS, parts=(recorded, Count(words.ARRIVAL_NOT_RECORDED, counted.not_recorded)))
    figures, hidden = _tree(one, total)
    built_on = {recorded.name, words.ON_SITE_45}
    share = Part(recorded.size, counted.within_45)
    figures.append(_share(one, words.SHARE_45, share, bool(built_on & hidden)))
    share = Part(recorded.size, counted.within_45 + counted.within_60)
    figures.append(_share(one, words.SHARE_60, share, bool((built_on | {words.ON_SITE_60}) & hidden)))
    return figures


def _causes(one: Counted) -> list[Figure]:
    parts = tuple(
        Count(CAUSE_WORDS[Cause(cause)], count)
        for cause, count in sorted(one.causes.items(), key=lambda item: (-item[1], item[0]))
    )
    return _tree(one, Count(words.CLOSED_ALERTS, parts=parts))[0]


def _day_91(one: Counted) -> list[Figure]:
    def leaves(*places: Place) -> tuple[Count, ...]:
        return tuple(Count(place.value, one.places[place]) for place in places)

    not_home = Count(words.NOT_HOME, parts=leaves(Place.HOSPITAL, Place.CARE_HOME, Place.DIED))
    # The published rule stands on these two: rather than they, something else is hidden.
    at_home = Count(Place.HOME.value, one.places[Place.HOME], keep=True)
    known = Count(words.KNOWN, parts=(at_home, not_home))
    unknown = Count(words.UNKNOWN, parts=leaves(Place.NOT_REACHED, Place.NOT_ASKED))
    due = Count(words.DUE, parts=(known, unknown), keep=True)
    apart = leaves(Place.NOT_DUE, Place.OTHER_REASON, Place.UNDER_65, Place.AGE_UNKNOWN)
    figures, hidden = _tree(one, Count(words.STARTED, parts=(due, *apart)))
    found = still_at_home(one.places)
    home = Place.HOME.value
    lower = Part(found.due, found.home)
    of_known = Part(found.known, found.home)
    upper = Part(found.due, found.home + found.unknown)
    return [
        _bound(_share(one, words.LOWER, lower, bool({due.name, home} & hidden))),
        _bound(_share(one, words.UPPER, upper, bool({due.name, home, unknown.name} & hidden))),
        _share(one, words.OF_KNOWN, of_known, bool({known.name, home} & hidden)),
        *figures,
    ]


def _bound(figure: Figure) -> Figure:
    """A bound is no estimate, and has no interval of its own."""
    return Figure(figure.council, figure.period, figure.measure, figure.unit, figure.value, figure.mark)


# ASCOF 2A: no or lower-level support afterwards, over those and long-term support. The others are left out of both.
_LOWER_LEVEL: Final = (Sequel.NONE, Sequel.UNIVERSAL, Sequel.LOW_LEVEL, Sequel.SHORT_TERM)
_LONG_TERM: Final = (Sequel.LONG_TERM, Sequel.CARE_HOME)


def _sequels(one: Counted) -> list[Figure]:
    def leaves(*sequels: Sequel) -> tuple[Count, ...]:
        return tuple(Count(SEQUEL_WORDS[sequel], one.sequels.get(sequel.value, 0)) for sequel in sequels)

    lower = Count(words.LOWER_LEVEL, parts=leaves(*_LOWER_LEVEL), keep=True)
    longer = Count(words.LONG_TERM, parts=leaves(*_LONG_TERM))
    counted = Count(words.IN_THE_MEASURE, parts=(lower, longer), keep=True)
    left_out = Count(words.LEFT_OUT, parts=leaves(*(one for one in Sequel if one not in (*_LOWER_LEVEL, *_LONG_TERM))))
    figures, hidden = _tree(one, Count(words.ENDED, parts=(counted, left_out)))
    share = Part(counted.size, lower.size)
    return [_share(one, words.SHARE_2A, share, bool({counted.name, lower.name} & hidden)), *figures]


def _goals(one: Counted) -> list[Figure]:
    said = Count(words.GOALS_SAID, parts=tuple(
        Count(f"Reached: {REACHED_WORDS[reached].lower()}", one.goals.get(reached.value, 0)) for reached in Reached
    ))  # fmt: skip
    total = Count(words.GOALS, parts=(said, Count(words.GOALS_NOT_SAID, one.goals.get("not said", 0))))
    figures, hidden = _tree(one, total)
    reached_words = f"Reached: {REACHED_WORDS[Reached.YES].lower()}"
    share = Part(said.size, one.goals.get(Reached.YES.value, 0))
    return [_share(one, words.SHARE_GOALS, share, bool({said.name, reached_words} & hidden)), *figures]


BUILDERS: Final[dict[str, Builder]] = {
    "day-91": _day_91,
    "sequels": _sequels,
    "goals": _goals,
    "answering": _answering,
    "visits": _visits,
    "causes": _causes,
}
