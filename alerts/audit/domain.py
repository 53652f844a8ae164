"""What must always be so, told apart from what is: seven invariants, judged on plain facts.

Each check takes facts that the store has read and returns its verdict: how many it looked at, and which are broken. A
broken thing is named by ids alone: no person's data leaves here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from alerts.domain import Ladder
from telecare.vocabulary import Priority

EXAMPLES: Final = 10  # of each invariant that is broken, so many are named
STEP_LATE: Final = timedelta(seconds=5)  # a due step has fired by then
PLACED: Final = timedelta(seconds=10)  # an alarm is in an alert by then
GRACE: Final = timedelta(seconds=30)  # an alert nobody owns is not this far past its next step
MESSAGE_LATE: Final = timedelta(seconds=30)  # what has a clock of its own stands still this far past its deadline
SHOWN: Final = timedelta(seconds=5)  # a console has a change by then
GAP_AFTER: Final = timedelta(seconds=60)  # a hub sends again meanwhile; then a number that is missing is missing
DOUBLE: Final = timedelta(
    seconds=1
)  # two steps of one kind that are closer to each other than their interval less this
STARTING: Final = timedelta(seconds=10)  # a service works before it first says that it does
SKEW: Final = timedelta(seconds=1)  # two processes asked the database's clock in turn

WORDS: Final[dict[str, str]] = {
    "I1": "An alarm that a hub was told is stored is there once; each alarm is in one alert, or has waited under 10 s",
    "I2": "Each open alert has an owner, or a next step that is not overdue",
    "I3": "Each due step has fired in time and once; no message, ask, call or visit stands still past its deadline",
    "I4": "Each change of an alert is in the screens' feed, in order and without a gap",
    "I5": "Silence is noticed: of each hub, and of each service",
    "I6": "A hub's clock orders, delays and hides nothing: alerts keep the time of arrival",
    "I7": "Nothing vanishes: each number that a hub gave an alarm is accounted for",
}
# What is so now keeps alarms from people; what has been is told without a siren.
NOW: Final = True
HAS_BEEN: Final = False


@dataclass(frozen=True, slots=True)
class Broken:
    """One thing that is not as it must be. `now`: it is so now, and not only once was."""

    invariant: str
    what: str
    now: bool = NOW


@dataclass(slots=True)
class Report:
    """What an audit found."""

    checked_at: datetime
    since: datetime | None
    checked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WORDS, 0))
    broken: list[Broken] = field(default_factory=list)

    def add(self, invariant: str, checked: int, broken: Iterable[Broken] = ()) -> None:
        """Take in what one check looked at and found."""
        self.checked[invariant] += checked
        self.broken += broken

    @property
    def holds(self) -> bool:
        return not self.broken

    def of(self, invariant: str, *, now: bool | None = None) -> list[str]:
        """What is broken of one invariant."""
        return [b.what for b in self.broken if b.invariant == invariant and now in (None, b.now)]


# ---------------------------------------------------------------- when the engine worked


@dataclass(frozen=True, slots=True)
class Runs:
    """When a service worked without a break: (since, until), oldest first."""

    spans: Sequence[tuple[datetime, datetime]] = ()

    def fair(self, due: datetime, done: datetime) -> datetime:
        """From when a step is late that was due then and done then: not before the run in which it was done began."""
        began = [since for since, _ in self.spans if since - STARTING <= done]
        return max(due, *began) if began else due


# ---------------------------------------------------------------- I3: the ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class Climbed:
    """The steps of one alert since it last began to wait: what the engine wrote down, oldest first."""

    alert: int
    priority: Priority
    waiting_since: datetime
    steps: Sequence[tuple[str, datetime]]
    waits: bool  # it still waits since then


def ladder_faults(climbed: Climbed, ladder: Ladder, runs: Runs, since: datetime | None, now: datetime) -> list[Broken]:
    """Steps since then that were late or came twice, and steps that have not come."""
    offsets: dict[str, timedelta] = {rung: offset for offset, rung in ladder.rungs}
    is_technical = climbed.priority is Priority.TECHNICAL
    interval = ladder.technical if is_technical else ladder.resound
    found: list[tuple[datetime, str]] = []
    seen: dict[str, datetime] = {}
    last = climbed.waiting_since
    for what, at in climbed.steps:
        if twice := _twice(what, at, seen, interval):
            found.append((at, f"{what} {twice}"))
        first = what not in seen and not is_technical
        due = climbed.waiting_since + offsets[what] if first else last + interval
        late = at - runs.fair(due, at)
        if late > STEP_LATE:
            found.append((at, f"{what} came {in_seconds(late)} late"))
        seen[what], last = at, max(last, at)
    name = f"alert {climbed.alert}"
    broken = [Broken("I3", f"{name}: {words}", HAS_BEEN) for at, words in found if since is None or at >= since]
    for what, offset in offsets.items() if climbed.waits and not is_technical else ():
        late = now - runs.fair(climbed.waiting_since + offset, now)
        if what not in seen and late > STEP_LATE:
            broken.append(Broken("I3", f"{name}: {what} has not come, {in_seconds(late)} late"))
    return broken


def _twice(what: str, at: datetime, seen: Mapping[str, datetime], interval: timedelta) -> str:
    """That a step came twice, or ''. Only sounding again comes more than once, and not sooner than its interval."""
    if what not in seen:
        return ""
    if what != "re-sounded":
        return "twice"
    return f"twice within {in_seconds(at - seen[what])}" if at - seen[what] < interval - DOUBLE else ""


def overdue_faults(alerts: Sequence[tuple[int, datetime, bool]], runs: Runs, now: datetime) -> list[Broken]:
    """Open alerts (number, when due, whether somebody owns it) whose next step has not come: I2 and I3."""
    broken = []
    for number, due_at, owned in alerts:
        late = now - runs.fair(due_at, now)
        if late > STEP_LATE:
            broken.append(Broken("I3", f"alert {number}: its next step is {in_seconds(late)} overdue"))
        if not owned and late > GRACE:
            broken.append(
                Broken("I2", f"alert {number}: nobody owns it, and its next step is {in_seconds(late)} overdue")
            )
    return broken


def standing_faults(standing: Sequence[tuple[str, str, datetime]], runs: Runs, now: datetime) -> list[Broken]:
    """Messages, asks, calls, visits and emergency calls (what, id, deadline) that stand still."""
    found = ((what, number, now - runs.fair(deadline, now)) for what, number, deadline in standing)
    return [
        Broken("I3", f"{what} {number}: {in_seconds(late)} past its deadline")
        for what, number, late in found
        if late > MESSAGE_LATE
    ]


# ---------------------------------------------------------------- I1, I6: alarms and their places


def placing_faults(unplaced: Sequence[tuple[str, datetime, bool]], runs: Runs, now: datetime) -> list[Broken]:
    """Alarms that are in no alert (id, when it came, whether it is on the waiting list)."""
    broken = []
    for alarm, received_at, waits in unplaced:
        if not waits and now - received_at > PLACED:
            broken.append(Broken("I1", f"alarm {alarm}: in no alert, and not waiting for one"))
        elif waits and now - runs.fair(received_at, now) > PLACED:
            broken.append(Broken("I1", f"alarm {alarm}: has waited {in_seconds(now - received_at)} for an alert"))
    return broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An alarm that is in an alert: when it came, and when it joined."""

    alarm: str
    alert: int
    received_at: datetime
    joined_at: datetime


def joining_faults(placed: Placed, runs: Runs) -> list[Broken]:
    """An alarm that waited for its place, or had it before it came."""
    name = f"alarm {placed.alarm}: in alert {placed.alert}"
    waited = placed.joined_at - runs.fair(placed.received_at, placed.joined_at)
    if waited > PLACED:
        return [Broken("I6", f"{name} {in_seconds(waited)} late", HAS_BEEN)]
    if placed.joined_at < placed.received_at - SKEW:
        return [Broken("I6", f"{name} before it came", HAS_BEEN)]
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """An alert's times, and when the first of its alarms joined."""

    alert: int
    raised_at: datetime
    waiting_since: datetime
    first_joined_at: datetime


def time_faults(times: Times, now: datetime) -> list[Broken]:
    """An alert whose times are not those of an arrival."""
    broken = []
    if abs(times.raised_at - times.first_joined_at) > SKEW:
        words = f"alert {times.alert}: raised at another time than its first alarm joined"
        broken.append(Broken("I6", words, HAS_BEEN))
    if not times.raised_at - SKEW <= times.waiting_since <= now + SKEW:
        broken.append(Broken("I6", f"alert {times.alert}: waits since a time that cannot be"))
    return broken


# ---------------------------------------------------------------- I5: silence


def silence_faults(hubs: Sequence[tuple[str, datetime]], now: datetime) -> list[Broken]:
    """Hubs (name, since when silent) whose silence nobody has noticed."""
    return [
        Broken("I5", f"hub {hub}: silent for {in_seconds(now - since)}, and nobody was told")
        for hub, since in hubs
        if now - since > GRACE
    ]


def service_faults(
    beats: Mapping[str, datetime], wanted: Mapping[str, timedelta], troubles: Sequence[str], now: datetime
) -> list[Broken]:
    """Services that say nothing, where no trouble says so. `wanted` is after how long each counts as silent."""
    broken = []
    for service, limit in wanted.items():
        at = beats.get(service)
        if (at is None or now - at > limit) and not any(key.endswith(f":{service}") for key in troubles):
            age = "never said that it lives" if at is None else f"said nothing for {in_seconds(now - at)}"
            broken.append(Broken("I5", f"service {service} has {age}, and no trouble says so"))
    return broken


# ---------------------------------------------------------------- words


def in_seconds(length: timedelta) -> str:
    """A length in words."""
    return f"{length.total_seconds():.0f} s"


def spans_of(numbers: Sequence[int], what: str = "change") -> list[str]:
    """Numbers as spans: 'changes 3 to 7'."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return [f"{what} {first}" if first == last else f"{what}s {first} to {last}" for first, last in spans]
