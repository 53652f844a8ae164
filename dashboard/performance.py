"""The supervisors' figures, ready to be shown: each with n, its interval, what is asked for, and its source. Pure.

Page, CSV and JSON are written from these lines and see nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from alerts.kpis import FLOOD, MANAGEABLE, TOP, Case, Chatter, Facts, Flooded, Kpis, Lengths, Share, figures
from dashboard.outcomes import definitions as words
from dashboard.outcomes.disclosure import NOT_APPLICABLE
from dashboard.outcomes.wilson import wilson
from telecare.vocabulary import CAUSE_WORDS, PRIORITY_WORDS, Priority, title_of

TSA: Final = "TSA, the UK's telecare trade body; wording as in the MASCOT performance report 2015/16"
EEMUA: Final = "EEMUA 191, alarm systems of process plants: a yardstick here, not a limit"
ISA: Final = "ISA-18.2, management of alarm systems: a yardstick here, not a limit"
OWN: Final = "this service's own count"
LONG_LIE: Final = "falls guidance: a lie of over an hour is tied to serious injury (NHS England PR2063)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure."""

    topic: str
    measure: str
    unit: str  # count, percent, seconds, minutes, alarms
    value: float | None  # None: there is nothing to count
    n: int | None = None  # how many it is made of
    low: float | None = None  # 95 % Wilson interval of a share
    high: float | None = None
    asked: str = ""  # what is asked for
    met: str = ""  # yes, no; '' where nothing is asked for or it cannot be said
    source: str = OWN

    @property
    def text(self) -> str:
        """The figure as people read it."""
        if self.value is None:
            return NOT_APPLICABLE
        if self.unit == "percent":
            return f"{self.value:.1f}% ({self.low:.1f} to {self.high:.1f})"
        digits = {"count": 0, "seconds": 0, "alarms": 2}.get(self.unit, 1)
        shown = f"{self.value:,.{digits}f}"
        return shown + {"seconds": " s", "minutes": " min"}.get(self.unit, "")


def lines(found: Kpis) -> list[Line]:
    """Every figure, in the order of the page."""
    return [*_answering(found), *_visits(found), *_floor(found), *_load(found), *_loud(found), *_kinds(found)]


def answering(cases: Sequence[Case], until: datetime) -> list[Line]:
    """How soon these alerts were answered: the lines that `lines` begins with, without the other facts."""
    return list(_answering(figures(Facts(cases, 0, (), (), ()), until, until)))


def _share(topic: str, measure: str, share: Share, source: str, least: float | None = None) -> Line:
    """A share with its interval; `least` is the percentage that is asked for."""
    asked = "" if least is None else f"{least:g}%"
    if not share.whole:
        return Line(topic=topic, measure=measure, unit="percent", value=None, n=0, asked=asked, source=source)
    low, high = wilson(share.part, share.whole)
    exact = 100 * share.part / share.whole
    met = "" if least is None else "yes" if exact >= least else "no"
    return Line(
        topic=topic, measure=measure, unit="percent", value=round(exact, 1), n=share.whole, low=round(100 * low, 1),
        high=round(100 * high, 1), asked=asked, met=met, source=source,
    )  # fmt: skip


def _count(topic: str, measure: str, count: int, source: str = OWN) -> Line:
    return Line(topic=topic, measure=measure, unit="count", value=count, source=source)


def _minutes(topic: str, measure: str, seconds: float | None, n: int, source: str = OWN) -> Line:
    value = None if seconds is None else round(seconds / 60, 1)
    return Line(topic=topic, measure=measure, unit="minutes", value=value, n=n, source=source)


ANSWERING: Final = "How soon alerts were answered"
VISITS: Final = "How soon somebody was there"
FLOOR: Final = "Time on the floor"
LOAD: Final = "Alarms of an operator"
LOUD: Final = "What rings most"
LEVELS: Final = "Levels"
CAUSES: Final = "Why alarms went off"


def _answering(found: Kpis) -> Iterator[Line]:
    yield _count(ANSWERING, words.ALERTS, found.alerts)
    yield _share(ANSWERING, words.WITHIN_60, found.answered_soon, TSA, 97.5)
    yield _share(ANSWERING, words.WITHIN_180, found.answered_latest, TSA, 99)
    half = found.answer.median_s
    yield Line(topic=ANSWERING, measure=words.MEDIAN, unit="seconds", value=half, n=found.answer.count)


def _visits(found: Kpis) -> Iterator[Line]:
    yield _count(VISITS, words.VISITS, found.visits)
    yield _share(VISITS, words.SHARE_45, found.on_site_soon, TSA, 90)
    yield _share(VISITS, words.SHARE_60, found.on_site_latest, TSA, 100)
    yield _count(VISITS, words.ARRIVAL_NOT_RECORDED, found.arrival.missing)


def _floor(found: Kpis) -> Iterator[Line]:
    for name, lengths in (
        ("From the fall to the person's voice", found.to_voice),
        ("From the fall to being up", found.to_lift),
    ):
        yield from _lengths(name, lengths)
    yield _share(FLOOR, "On the floor for more than an hour", found.long_lies, LONG_LIE)


def _lengths(name: str, lengths: Lengths) -> Iterator[Line]:
    yield _minutes(FLOOR, f"{name}: median", lengths.median_s, lengths.count)
    yield _minutes(FLOOR, f"{name}: longest", lengths.longest_s, lengths.count)
    yield _count(FLOOR, f"{name}: not recorded", lengths.missing)


def _load(found: Kpis) -> Iterator[Line]:
    load = found.load
    met = "" if not load.windows else "yes" if load.mean <= MANAGEABLE else "no"
    mean = round(load.mean, 2) if load.windows else None
    yield Line(
        topic=LOAD, measure="In ten minutes: mean", unit="alarms", value=mean, n=load.windows, met=met,
        asked=f"at most {MANAGEABLE:g}", source=EEMUA,
    )  # fmt: skip
    for name, value in (("median", load.median), ("most", load.most)):
        shown = round(value, 1) if load.windows else None
        yield Line(
            topic=LOAD, measure=f"In ten minutes: {name}", unit="alarms", value=shown, n=load.windows, source=EEMUA
        )
    yield _count(LOAD, f"Floods: more than {FLOOD:g} in ten minutes", len(found.floods), EEMUA)


def _loud(found: Kpis) -> Iterator[Line]:
    yield _count(LOUD, "Chattering devices: three alarms of a kind within a minute", len(found.chattering), ISA)
    yield _count(LOUD, "Stale alerts: open for more than 24 hours", found.stale, ISA)
    yield _share(LOUD, f"Alarms of the {TOP} loudest devices", found.top_share, ISA)


_MIX: Final = {Priority.EMERGENCY: "about 5%", Priority.URGENT: "about 15%"}


def _kinds(found: Kpis) -> Iterator[Line]:
    whole = sum(found.mix.values())
    for level, count in found.mix.items():
        line = _share(LEVELS, f"Level {int(level)} {PRIORITY_WORDS[level]}", Share(count, whole), EEMUA)
        yield _asked(line, _MIX.get(level, "about 80%, with level 4" if level is Priority.ATTENTION else ""))
    closed = sum(found.causes.values())
    for cause, count in found.causes.items():
        yield _share(CAUSES, CAUSE_WORDS[cause], Share(count, closed), OWN)


def _asked(line: Line, asked: str) -> Line:
    """The same with what is asked for in words, which nothing is held against."""
    return replace(line, asked=asked)


def flood_words(flood: Flooded) -> str:
    """How many alarms a flood was."""
    return f"{flood.alarms} alarms"


def chatter_words(one: Chatter) -> str:
    """What a chattering device did."""
    return f"{title_of(one.kind)}: {one.most} within a minute"
