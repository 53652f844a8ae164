"""What must always be so, told apart from what is: seven invariants, judged on plain facts.

Each check takes facts that the store has read and returns its verdict: how many it looked at, and which are broken. A
broken thing is named by ids alone: no person's data leaves here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from alerts.domain import Ladder
from telecare.vocabulary import Priority

EXAMPLES: Final = 10  # of each invariant that is broken, so many are named
STEP_LATE: Final = timedelta(seconds=5)  # a due step has fired by then
PLACED: Final = timedelta(seconds=10)  # an alarm is in an alert by then
GRACE: Final = timedelta(seconds=30)  # an alert nobody owns is not this far past its next step
MESSAGE_LATE: Final = timedelta(seconds=30)  # a message, ask or call this far past its deadline stands still
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
    "I3": "Each due step has fired in time and once; no message, ask or call stands still past its deadline",
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
            found.append((at, f"{what} came {_seconds(late)} late"))
        seen[what], last = at, max(last, at)
    name = f"alert {climbed.alert}"
    broken = [Broken("I3", f"{name}: {words}", HAS_BEEN) for at, words in found if since is None or at >= since]
    for what, offset in offsets.items() if climbed.waits and not is_technical else ():
        late = now - runs.fair(climbed.waiting_since + offset, now)
        if what not in seen and late > STEP_LATE:
            broken.append(Broken("I3", f"{name}: {what} has not come, {_seconds(late)} late"))
    return broken


def _twice(what: str, at: datetime, seen: Mapping[str, datetime], interval: timedelta) -> str:
    """That a step came twice, or ''. Only sounding again comes more than once, and not sooner than its interval."""
    if what not in seen:
        return ""
    if what != "re-sounded":
        return "twice"
    return f"twice within {_seconds(at - seen[what])}" if at - seen[what] < interval - DOUBLE else ""


def overdue_faults(alerts: Sequence[tuple[int, datetime, bool]], runs: Runs, now: datetime) -> list[Broken]:
    """Open alerts (number, when due, whether somebody owns it) whose next step has not come: I2 and I3."""
    broken = []
    for number, due_at, owned in alerts:
        late = now - runs.fair(due_at, now)
        if late > STEP_LATE:
            broken.append(Broken("I3", f"alert {number}: its next step is {_seconds(late)} overdue"))
        if not owned and late > GRACE:
            broken.append(
                Broken("I2", f"alert {number}: nobody owns it, and its next step is {_seconds(late)} overdue")
            )
    return broken


def standing_faults(standing: Sequence[tuple[str, str, datetime]], runs: Runs, now: datetime) -> list[Broken]:
    """Messages, asks and calls (what, id, deadline) that stand still."""
    found = ((what, number, now - runs.fair(deadline, now)) for what, number, deadline in standing)
    return [
        Broken("I3", f"{what} {number}: {_seconds(late)} past its deadline")
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
            broken.append(Broken("I1", f"alarm {alarm}: has waited {_seconds(now - received_at)} for an alert"))
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
        return [Broken("I6", f"{name} {_seconds(waited)} late", HAS_BEEN)]
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


# ---------------------------------------------------------------- I4: the feed


def feed_faults(
    *, counter: int, least: int | None, greatest: int | None, count: int, least_at: datetime | None, kept_from: datetime
) -> list[Broken]:
    """Gaps among the newest numbered changes. Those from before `kept_from` may have been deleted."""
    broken = []
    if greatest is None or least is None or least_at is None:
        return [Broken("I4", f"changes up to {counter} were numbered, and none is there")] if counter else []
    if greatest != counter:
        broken.append(Broken("I4", f"the newest change is {greatest}, and {counter} were numbered"))
    if count != greatest - least + 1:
        broken.append(
            Broken("I4", f"{greatest - least + 1 - count} changes between {least} and {greatest} are missing")
        )
    if least > 1 and least_at > kept_from:
        broken.append(Broken("I4", f"the change before {least} is missing"))
    return broken


@dataclass(frozen=True, slots=True)
class Seen:
    """A change as a console saw it. `resync`: it read the whole list anew, up to that number."""

    n: int
    alert: int | None = None
    alarm_count: int | None = None
    resync: bool = False

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> "Seen":
        """A line of a transcript.

        Raises:
            ValueError: it is none.
        """
        n, alert, count = line.get("n"), line.get("alert"), line.get("alarm_count")
        if line.get("resync") is True and isinstance(n, int):
            return cls(n, resync=True)
        if not isinstance(n, int) or not isinstance(alert, int) or not isinstance(count, int):
            raise ValueError("a transcript's line names n, alert and alarm_count, or n and resync")
        return cls(n, alert, count)


def transcript_faults(
    seen: Sequence[Seen], events: Mapping[int, int], last_of_open: Mapping[int, tuple[int, datetime]], now: datetime
) -> list[Broken]:
    """What a console's transcript lacks, or has otherwise than the feed.

    `events` are the feed's changes that are still kept (number to alert), `last_of_open` the newest change of each open
    alert. A change that is shown again may tell of more alarms than before, never of fewer and never of another alert.
    """
    if not seen:
        return []
    broken: list[Broken] = []
    told: dict[int, Seen] = {}
    for one in seen:
        before = told.get(one.n)
        if one.resync:
            continue
        if before is not None and (before.alert != one.alert or (before.alarm_count or 0) > (one.alarm_count or 0)):
            broken.append(Broken("I4", f"change {one.n} was shown twice with other content"))
        if one.n in events and events[one.n] != one.alert:
            broken.append(Broken("I4", f"change {one.n} was shown as of alert {one.alert}, it is of {events[one.n]}"))
        told[one.n] = one
    known = _known(seen)
    last = max(one.n for one in seen)
    missing = [n for n in range(min(one.n for one in seen), last) if n not in told and not _within(n, known)]
    broken += [Broken("I4", f"the console was not shown {ends}") for ends in _ranges(missing)]
    for alert, (n, at) in last_of_open.items():
        if n > last and now - at > SHOWN:
            broken.append(Broken("I4", f"the console was not shown change {n} of the open alert {alert}"))
    return broken


def _known(seen: Sequence[Seen]) -> list[tuple[int, int]]:
    """The spans of numbers that a list read anew has made good: from what was shown before it to itself."""
    spans, newest = [], 0
    for one in seen:
        if one.resync:
            spans.append((newest, one.n))
        newest = max(newest, one.n)
    return spans


def _within(n: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(first < n <= last for first, last in spans)


# ---------------------------------------------------------------- I5: silence


def silence_faults(hubs: Sequence[tuple[str, datetime]], now: datetime) -> list[Broken]:
    """Hubs (name, since when silent) whose silence nobody has noticed."""
    return [
        Broken("I5", f"hub {hub}: silent for {_seconds(now - since)}, and nobody was told")
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
            age = "never said that it lives" if at is None else f"said nothing for {_seconds(now - at)}"
            broken.append(Broken("I5", f"service {service} has {age}, and no trouble says so"))
    return broken


# ---------------------------------------------------------------- I7: numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The numbers that came from one hub. `nameless` alarms came whose number could not be read."""

    hub: str
    before: int | None  # the number of the newest alarm before these
    came: Sequence[tuple[int, datetime]]  # number, when it came
    nameless: int = 0


def missing_numbers(numbers: Numbers, now: datetime) -> list[int]:
    """The numbers between the least and the greatest that never came, while a later one is a minute old."""
    there = {number for number, _ in numbers.came}
    settled = [number for number, at in numbers.came if now - at > GAP_AFTER]
    if not settled:
        return []
    least = min(there) if numbers.before is None else min(numbers.before + 1, min(there))
    # A hub that began to count anew, or counts by something else, has no gap that could be told in numbers.
    if max(settled) - least > _COUNTED:
        return []
    return [number for number in range(least, max(settled)) if number not in there]


_COUNTED: Final = 100_000  # alarms of one hub that are told apart one by one


def number_faults(hub: str, missing: Sequence[int], nameless: int) -> list[Broken]:
    """Numbers that never came. As many alarms as came without a readable number may be among them."""
    if len(missing) <= nameless:
        return []
    return [Broken("I7", f"hub {hub}: {ends} never came", HAS_BEEN) for ends in _ranges(missing, "alarm")]


# ---------------------------------------------------------------- I1, I7: a hub's ledger


@dataclass(frozen=True, slots=True)
class Kept:
    """A line of a hub's ledger: an alarm that it kept. `status` is the receipt's; '' while it waits for one."""

    hub: str
    alarm: str
    status: str

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> "Kept":
        """A line of a ledger file.

        Raises:
            ValueError: it is none.
        """
        hub, alarm, status = line.get("hub"), line.get("alarm"), line.get("status")
        if not isinstance(hub, str) or not isinstance(alarm, str) or not (status is None or isinstance(status, str)):
            raise ValueError("a ledger's line names hub, alarm and status")
        return cls(hub, alarm, status or "")


def ledger_faults(
    kept: Sequence[Kept], stored: Mapping[tuple[str, str], int], refused: Collection[tuple[str, str]]
) -> list[Broken]:
    """Against the store. `stored` counts rows by (hub, alarm); `refused` are those whose bytes were set aside.

    Stored means one row; rejected means bytes that were kept. Anything else is still in the hub's outbox.
    """
    broken: list[Broken] = []
    for one in kept:
        name, key = f"alarm {one.alarm} of hub {one.hub}", (one.hub, one.alarm)
        if one.status == "stored" and stored.get(key, 0) != 1:
            broken.append(Broken("I1", f"{name}: told that it is stored, {stored.get(key, 0)} rows", HAS_BEEN))
        elif one.status == "rejected" and key not in refused:
            broken.append(Broken("I7", f"{name}: rejected, and its bytes are not kept", HAS_BEEN))
    return broken


# ---------------------------------------------------------------- words


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.0f} s"


def _ranges(numbers: Sequence[int], what: str = "change") -> list[str]:
    """Numbers as spans: 'changes 3 to 7'."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return [f"{what} {first}" if first == last else f"{what}s {first} to {last}" for first, last in spans]
