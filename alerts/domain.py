"""What becomes of an alarm and of an alert: plain decisions, without I/O and without a clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from alerts.policy import FIRST, Policy, level
from telecare.vocabulary import Kind, Priority, is_possible, title_of

_NOT_SURE: Final = " The detector is not sure that it was a fall."
LATE_AFTER: Final = timedelta(minutes=2)  # an alarm this old on arrival says so
AHEAD_AFTER: Final = timedelta(minutes=5)  # an alarm's own time this far ahead is doubted

# ---------------------------------------------------------------- an alarm's place


@dataclass(frozen=True, slots=True)
class Someone:
    """A person by id and name."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An alarm with what the register knows about where it came from."""

    alarm_id: UUID
    hub: str
    home_id: UUID
    device: str
    kind: Kind
    at: datetime | None
    received_at: datetime
    location: str | None
    doubts: tuple[str, ...]
    says_test: bool
    test_window_open: bool
    device_registered: bool  # in this hub's home
    wearer: Someone | None  # whose device it is
    residents: tuple[Someone, ...]  # of this hub's home
    owners_elsewhere: tuple[Someone, ...]  # of a device of this name in other homes, where few have it
    finding: str | None = None  # what the service itself found, in a sentence; then `wearer` is whom it is about
    cancels: str | None = None  # of a cancel: the alarm that it takes back, as its hub named it
    crowding: bool = False  # its hub sends more alarms than a home can need
    outcome: str | None = None  # of a fall: what its detector made of it, as the alarm says
    policy_id: int | None = None  # the policy in force for its home's council; None: the built-in one

    @property
    def possible(self) -> bool:
        """Whether it may be what its kind says, and no more than that."""
        return is_possible(self.kind, self.outcome)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an alarm goes: the open alert with this key, or a new one."""

    case_key: str
    person_id: UUID | None
    kind: Kind
    priority: Priority
    reason: str
    is_test: bool = False  # recorded as proof that the path works; closed at once
    announces: bool = True  # the wearer is told that help is coming
    possible: bool = False  # it may be what `kind` says, and no more than that


def place(arrival: Arrival, policy: Policy = FIRST.policy) -> Placement:
    """Decide whose case an alarm is, and at which level the policy answers it."""
    words = _what(arrival)
    if arrival.kind is Kind.TEST or (arrival.says_test and arrival.test_window_open):
        key = f"test:{arrival.alarm_id}"
        return Placement(
            key, None, arrival.kind, Priority.TECHNICAL, f"Test: {words}", is_test=True, announces=False,
            possible=arrival.possible,
        )  # fmt: skip
    priority = level(policy, arrival.kind, possible=arrival.possible)
    if priority is Priority.TECHNICAL:
        key = f"technical:{arrival.home_id}"
        return Placement(key, None, arrival.kind, priority, words, announces=False)
    person, doubt = _whose(arrival)
    key = f"person:{person.id}" if person else f"device:{arrival.home_id}:{arrival.device}"
    # Who has not called is not told that help is coming: a voice out of nowhere frightens.
    announces = arrival.finding is None
    return Placement(
        key, person.id if person else None, arrival.kind, priority, words + doubt, announces=announces,
        possible=arrival.possible,
    )  # fmt: skip


def _whose(arrival: Arrival) -> tuple[Someone | None, str]:
    """The person, or None with a sentence that names everyone it could be."""
    if arrival.wearer is not None:
        return arrival.wearer, ""
    possible = {someone.id: someone for someone in arrival.residents}
    if not arrival.device_registered:
        possible |= {someone.id: someone for someone in arrival.owners_elsewhere}
    unassigned = f" The device {arrival.device or 'that sent it'} is not assigned to anyone"
    if arrival.device_registered:
        unassigned = f" The device {arrival.device} belongs to the home"
    if len(possible) == 1:
        (only,) = possible.values()
        return only, "" if arrival.device_registered else f"{unassigned}; only {only.name} lives here."
    if not possible:
        return None, f"{unassigned}, and nobody is registered in this home."
    names = sorted(someone.name for someone in possible.values())
    return None, f"{unassigned}. It could be {', '.join(names[:-1])} or {names[-1]}."


def _what(arrival: Arrival) -> str:
    title = title_of(arrival.kind, possible=arrival.possible)
    if arrival.finding is not None:
        return f"{title}. {arrival.finding}"
    source = ", ".join(part for part in (arrival.device, arrival.location) if part)
    words = title + (f" ({source})" if source else "") + "."
    if arrival.possible:
        words += _NOT_SURE
    if arrival.at is not None and arrival.received_at - arrival.at > LATE_AFTER:
        words += f" It arrived {_span(arrival.received_at - arrival.at)} after it happened."
    if arrival.at is not None and arrival.at - arrival.received_at > AHEAD_AFTER:
        words += " The device's clock is ahead of ours; the time of arrival counts."
    if arrival.doubts:
        words += f" Not all of it could be read ({'; '.join(arrival.doubts)[:200]})."
    if arrival.says_test and not arrival.test_window_open:
        words += " It says that it is a test, but nobody has opened a test window: treat it as real."
    return words


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2880 else f"{minutes // 1440} days"


# ---------------------------------------------------------------- the unclaimed ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """When an unclaimed alert moves on by itself, counted from when it began to wait."""

    resound: timedelta
    supervisor: timedelta
    second_site: timedelta
    breach: timedelta
    technical: timedelta

    @property
    def rungs(self) -> tuple[tuple[timedelta, "Rung"], ...]:
        return (
            (self.resound, "re-sounded"),
            (self.supervisor, "escalated-supervisor"),
            (self.second_site, "escalated-second-site"),
            (self.breach, "breached"),
        )


Rung = Literal["re-sounded", "escalated-supervisor", "escalated-second-site", "breached"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert for which nobody has claimed."""

    priority: Priority
    waiting_since: datetime
    step: int  # how many rungs have been taken


@dataclass(frozen=True, slots=True)
class Climb:
    """What happens now, how far the ladder then stands, and when it goes on."""

    rungs: tuple[Rung, ...]
    step: int
    due_at: datetime


def first_due(priority: Priority, since: datetime, ladder: Ladder) -> datetime:
    """When a new, unclaimed alert first moves on."""
    return since + (ladder.technical if priority is Priority.TECHNICAL else ladder.resound)


def climb(alert: Waiting, now: datetime, ladder: Ladder) -> Climb:
    """Every rung whose time has come, those that were missed while nobody looked included.

    Past the last rung it sounds again every `resound` for as long as nobody claims it. Equipment waits quietly: a level
    4 alert is only shown again, and no contact is told.
    """
    if alert.priority is Priority.TECHNICAL:
        return Climb(("re-sounded",), alert.step, now + ladder.technical)
    rungs = ladder.rungs
    due: list[Rung] = []
    step = alert.step
    while step < len(rungs) and alert.waiting_since + rungs[step][0] <= now:
        due.append(rungs[step][1])
        step += 1
    if step < len(rungs):
        return Climb(tuple(due), step, alert.waiting_since + rungs[step][0])
    return Climb(tuple(due) or ("re-sounded",), step, now + ladder.resound)
