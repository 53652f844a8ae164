"""What a period of answering alarms amounts to. Pure: each figure is a function of what the database kept.

What each figure means and where its rule is from stands in docs/operators.md. The facts of an alert come from the view
`alert_figures`, which the commissioners' reports count from too: a figure that both show is one figure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import Final

from telecare.vocabulary import TECHNICAL, Cause, Kind, Priority

# TSA's wording: answered within 60 s (97.5 %) and 180 s (99 %); on site within 45 min (90 %) and 60 min (100 %).
ANSWER_SOON_S: Final = 60
ANSWER_LATEST_S: Final = 180
ON_SITE_SOON_MIN: Final = 45
ON_SITE_LATEST_MIN: Final = 60
LONG_LIE: Final = timedelta(hours=1)  # on the floor for longer is tied to serious injury
WINDOW: Final = timedelta(minutes=10)  # EEMUA 191: alarms of an operator in ten minutes
MANAGEABLE: Final = 1.0  # in a window, in the mean
FLOOD: Final = 10.0  # more than so many in a window
CHATTER: Final = 3  # alarms of one device and kind
CHATTER_WITHIN: Final = timedelta(minutes=1)
STALE_AFTER: Final = timedelta(hours=24)
TOP: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An alert of a person, tests and equipment left out."""

    level: Priority
    raised_at: datetime
    answer_s: float | None = None  # from raised to first claimed; None: nobody has
    closed_at: datetime | None = None
    cause: Cause | None = None  # of those that are closed
    sent: bool = False  # somebody was sent
    arrived_at: datetime | None = None
    floor_since: datetime | None = None  # None: not on the floor, as far as is known
    spoken_at: datetime | None = None
    lifted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """An alarm, tests left out."""

    at: datetime
    source: str  # hub and device
    kind: Kind


@dataclass(frozen=True, slots=True)
class Presence:
    """An operator wrote something into the log in this hour."""

    hour: datetime
    who: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How long an alert stood open, whatever its level."""

    raised_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything of a period that figures are made of."""

    cases: Sequence[Case]  # raised in the period
    technical: int  # alerts about equipment that were raised in it
    signals: Sequence[Signal]  # that came in it
    presences: Sequence[Presence]
    standing: Sequence[Standing]  # open at some time in it


# ---------------------------------------------------------------- figures


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole."""

    part: int
    whole: int


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long something took, where it is known; `missing` counts where it is not."""

    count: int
    median_s: float | None
    longest_s: float | None
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """Alarms of an operator in ten minutes, over the windows of the period."""

    windows: int
    mean: float
    median: float
    most: float


@dataclass(frozen=True, slots=True)
class Flooded:
    """Ten-minute windows in a row with more alarms for each operator than anybody can answer."""

    begins: datetime
    ends: datetime
    alarms: int


@dataclass(frozen=True, slots=True)
class Chatter:
    """A device that repeats itself: so many alarms of one kind within a minute at most."""

    source: str
    kind: Kind
    most: int


@dataclass(frozen=True, slots=True)
class Kpis:
    """The figures of a period."""

    alerts: int
    answered_soon: Share
    answered_latest: Share
    answer: Lengths
    visits: int
    on_site_soon: Share
    on_site_latest: Share
    arrival: Lengths
    to_voice: Lengths  # from the fall to the person's own voice
    to_lift: Lengths  # from the fall to standing or sitting again
    long_lies: Share
    load: Load
    floods: Sequence[Flooded]
    chattering: Sequence[Chatter]
    stale: int
    top: Sequence[tuple[str, int]]
    top_share: Share
    causes: Mapping[Cause, int]
    mix: Mapping[Priority, int]


def figures(found: Facts, first: datetime, until: datetime) -> Kpis:
    """The figures of the time from `first` to `until` (not included); `until` is at most now."""
    cases, signals = found.cases, found.signals
    calls = [one for one in signals if one.kind not in TECHNICAL]
    visits = [one for one in cases if one.sent]
    arrivals = [(one.arrived_at - one.raised_at) for one in visits if one.arrived_at is not None]
    fallen = [(one, one.floor_since) for one in cases if one.floor_since is not None]
    lifts = [one.lifted_at - since for one, since in fallen if one.lifted_at is not None]
    voices = [max(one.spoken_at - since, timedelta()) for one, since in fallen if one.spoken_at is not None]
    answers = [timedelta(seconds=one.answer_s) for one in cases if one.answer_s is not None]
    load, floods = _load(calls, found.presences, first, until)
    sources = Counter(one.source for one in signals)
    top = sorted(sources.items(), key=lambda item: (-item[1], item[0]))[:TOP]
    levels = Counter(one.level for one in cases)
    causes = Counter(one.cause for one in cases if one.closed_at is not None and one.cause is not None)
    return Kpis(
        alerts=len(cases),
        answered_soon=_answered(cases, ANSWER_SOON_S, until),
        answered_latest=_answered(cases, ANSWER_LATEST_S, until),
        answer=_lengths(answers, len(cases)),
        visits=len(visits),
        on_site_soon=_within(arrivals, timedelta(minutes=ON_SITE_SOON_MIN)),
        on_site_latest=_within(arrivals, timedelta(minutes=ON_SITE_LATEST_MIN)),
        arrival=_lengths(arrivals, len(visits)),
        to_voice=_lengths(voices, len(fallen)),
        to_lift=_lengths(lifts, len(fallen)),
        long_lies=Share(sum(length > LONG_LIE for length in lifts), len(lifts)),
        load=load,
        floods=floods,
        chattering=_chattering(signals),
        stale=sum((one.closed_at or until) - one.raised_at > STALE_AFTER for one in found.standing),
        top=top,
        top_share=Share(sum(count for _, count in top), len(signals)),
        causes=dict(sorted(causes.items(), key=lambda item: (-item[1], item[0]))),
        mix={one: found.technical if one is Priority.TECHNICAL else levels[one] for one in Priority},
    )


def _answered(cases: Sequence[Case], within_s: float, until: datetime) -> Share:
    """Those answered in time. One that nobody has claimed and that is not yet late is in neither number."""
    judged = [one for one in cases if one.answer_s is not None or not _still_in_time(one, within_s, until)]
    return Share(sum(one.answer_s is not None and one.answer_s <= within_s for one in judged), len(judged))


def _still_in_time(one: Case, within_s: float, until: datetime) -> bool:
    return one.closed_at is None and (until - one.raised_at).total_seconds() <= within_s


def _within(lengths: Sequence[timedelta], limit: timedelta) -> Share:
    return Share(sum(length <= limit for length in lengths), len(lengths))


def _lengths(lengths: Sequence[timedelta], of: int) -> Lengths:
    seconds = [length.total_seconds() for length in lengths]
    if not seconds:
        return Lengths(0, None, None, of)
    return Lengths(len(seconds), median(seconds), max(seconds), of - len(seconds))


# ---------------------------------------------------------------- alarms


def _load(
    calls: Sequence[Signal], presences: Iterable[Presence], first: datetime, until: datetime
) -> tuple[Load, list[Flooded]]:
    """Alarms of each operator in each window; without anybody in the log of that hour, of one operator."""
    at_work: dict[datetime, set[str]] = defaultdict(set)
    for one in presences:
        at_work[one.hour].add(one.who)
    counts = Counter((one.at - first) // WINDOW for one in calls)
    each: list[float] = []
    floods: list[Flooded] = []
    for place in range(max(-((first - until) // WINDOW), 0)):
        begins = first + place * WINDOW
        operators = len(at_work.get(begins.replace(minute=0, second=0, microsecond=0), ())) or 1
        each.append(counts[place] / operators)
        if each[-1] > FLOOD:
            if floods and floods[-1].ends == begins:
                before = floods.pop()
                floods.append(Flooded(before.begins, begins + WINDOW, before.alarms + counts[place]))
            else:
                floods.append(Flooded(begins, begins + WINDOW, counts[place]))
    if not each:
        return Load(0, 0.0, 0.0, 0.0), []
    return Load(len(each), fmean(each), float(median(each)), max(each)), floods


def _chattering(signals: Sequence[Signal]) -> list[Chatter]:
    """Devices with three alarms of one kind or more within a minute, the worst first."""
    times: dict[tuple[str, Kind], list[datetime]] = defaultdict(list)
    for one in signals:
        times[one.source, one.kind].append(one.at)
    found = []
    for (source, kind), instants in times.items():
        instants.sort()
        begin = most = 0
        for end, at in enumerate(instants):
            while at - instants[begin] > CHATTER_WITHIN:
                begin += 1
            most = max(most, end - begin + 1)
        if most >= CHATTER:
            found.append(Chatter(source, kind, most))
    return sorted(found, key=lambda one: (-one.most, one.source, one.kind))
