"""What a hub decides: which alarm to send now, by which path, when to connect, what a command means. No I/O; `now` is
given, and so is chance.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Any, Final, Literal

import msgspec

from telecare.clock import format_instant, parse_instant
from telecare.vocabulary import TECHNICAL, Kind
from telecare.wire import Command, CommandResult

ANNOUNCEMENTS: Final = frozenset({"help-is-coming", "answered", "on-the-way", "closed"})
HEARTBEAT_RANGE_S: Final = (1.0, 3600.0)  # what `configure` may set
# A hub without a battery clock starts in 1970. Its alarms then say so, and ingest goes by the time of arrival.
CLOCK_SET_AFTER: Final = datetime(2024, 1, 1, tzinfo=UTC)


def passed(since: datetime, seconds: float, now: datetime) -> bool:
    """Whether `seconds` have passed. A clock that was put back counts as passed: rather too early than never."""
    return not 0 <= (now - since).total_seconds() < seconds


# ---------------------------------------------------------------- alarms


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alarm in the outbox: the service has not said yet that it has it."""

    id: str
    seq: int
    payload: bytes
    kept_at: datetime


def urgent(kind: Any) -> bool:
    """Whether somebody may need help: any alarm but a technical one or a test, and whatever we do not know."""
    return not isinstance(kind, str) or (kind not in TECHNICAL and kind != Kind.TEST)


def write_alarm(fields: Mapping[str, Any], alarm_id: str, seq: int, now: datetime) -> bytes:
    """The payload of an alarm: what the device said, as it said it, with the hub's id, number and word on the time."""
    clock: Literal["synced", "unsynced"] = "synced" if now >= CLOCK_SET_AFTER else "unsynced"
    alarm = {"id": alarm_id, "seq": seq, **fields, "clock": clock}
    if alarm.get("at") is None:
        alarm["at"] = format_instant(now)
    return msgspec.json.encode(alarm)


@dataclass(frozen=True, slots=True)
class ReceiptWait:
    """How long an alarm that went out waits for its receipt: as long as its connection had stood then, within limits.

    The younger a connection, the likelier the broker has just come back and the service is not there yet: what is sent
    then reaches nobody. So an alarm goes out again 2, 4, 8, … seconds into a new connection, and seldom on an old one.
    """

    first_s: float
    most_s: float

    def for_age_s(self, age_s: float) -> float:
        """Seconds to wait for the receipt of what was sent when the connection was `age_s` old."""
        return min(max(age_s, self.first_s), self.most_s)


@dataclass(slots=True)
class Sent:
    """What went out on one connection, by seq. On a new one everything goes out again."""

    begun: datetime  # when the connection was made
    wait: ReceiptWait
    newest: int = 0  # the highest seq that was looked at: above it, nothing was sent
    passed_over: set[int] = field(default_factory=set)  # seqs up to `newest` that were held back
    _at: dict[int, datetime] = field(default_factory=dict)  # by seq, those sent longest ago first

    def note(self, seqs: Iterable[int], now: datetime) -> None:
        """These go out at `now`."""
        for seq in seqs:
            self._at.pop(seq, None)
            self._at[seq] = now
            self.passed_over.discard(seq)
            self.newest = max(self.newest, seq)

    def pass_over(self, held: Iterable[int], up_to: int | None) -> None:
        """Of what is held back, the seqs below `up_to` are left behind; all of them (None) where no other is new."""
        behind = {seq for seq in held if seq > self.newest and (up_to is None or seq < up_to)}
        self.passed_over |= behind
        self.newest = max([self.newest, *behind])

    def _wait_s(self, sent_at: datetime) -> float:
        return self.wait.for_age_s((sent_at - self.begun).total_seconds())

    def late(self, now: datetime, limit: int) -> list[int]:
        """Those that have waited too long, longest ago first. Some may have had their receipt since."""
        overdue = takewhile(lambda item: passed(item[1], self._wait_s(item[1]), now), self._at.items())
        return [seq for seq, _ in islice(overdue, limit)]

    def forget(self, seqs: Iterable[int]) -> None:
        """These are no longer in the outbox."""
        for seq in seqs:
            self._at.pop(seq, None)
            self.passed_over.discard(seq)

    def look_again_s(self, now: datetime) -> float | None:
        """In how many seconds the next one is late; None: nothing waits for a receipt."""
        first = next(iter(self._at.values()), None)
        return None if first is None else max(self._wait_s(first) - (now - first).total_seconds(), 0.0)


def fallback_due(waiting: Sequence[Waiting], now: datetime, after_s: float) -> list[Waiting]:
    """The alarms that have waited too long for this path, and those kept before them. `waiting` is in order of seq.

    Without a gap, so that the second path sends in order too. Only a clock that was put back makes a difference.
    """
    last = max((n for n, alarm in enumerate(waiting) if passed(alarm.kept_at, after_s, now)), default=-1)
    return list(waiting[: last + 1])


# ---------------------------------------------------------------- waiting before we try again


@dataclass(frozen=True, slots=True)
class Attempts:
    """How connecting has gone: what the next wait depends on."""

    returning: bool = True  # the last one stood, or there was none yet: many hubs may be doing the same at this moment
    failures: int = 0  # in a row, with those that did not stand for long


def connect_wait_s(attempts: Attempts, chance: float, *, jitter_s: float, first_s: float, most_s: float) -> float:
    """Seconds before the next attempt to connect; `chance` is drawn evenly from 0 to 1.

    All of the wait is chance (full jitter), so that hubs that went together do not come back together. `jitter_s` is 0
    for a hub with which somebody may need help: it spreads the return of the others.
    """
    return chance * max(jitter_s if attempts.returning else 0.0, doubled_s(attempts.failures, first_s, most_s))


def doubled_s(failures: int, first_s: float, most_s: float) -> float:
    """The back-off after so many failures: nothing, `first_s`, then doubling up to `most_s`."""
    if failures == 0:
        return 0.0
    return min(first_s * 2.0 ** min(failures - 1, 32), most_s)


# ---------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class Obey:
    """What to do about a command, and what to answer. `announce` is the text for the wearer."""

    result: CommandResult
    announce: str | None = None
    test_alarm: dict[str, Any] | None = None
    heartbeat_s: float | None = None
    reboot: bool = False


def decide(command: Command, now: datetime) -> Obey:
    """What a command means that was not obeyed before."""
    try:
        expired = now >= parse_instant(command.expires_at)
    except ValueError as problem:
        return _no(command, f"expires_at: {problem}")
    if expired:
        return _no(command, "expired")
    done = CommandResult(id=command.id, ok=True)
    if command.kind == "announce":
        if command.text not in ANNOUNCEMENTS:
            return _no(command, "text: not an announcement we know")
        return Obey(done, announce=command.text)
    if command.kind == "test":
        return Obey(done, test_alarm={"device": "hub", "kind": Kind.TEST.value, "evidence": {"command": command.id}})
    if command.kind == "reboot":
        return Obey(done, reboot=True)
    return _configure(command)


def _configure(command: Command) -> Obey:
    unknown = sorted(command.settings.keys() - {"heartbeat_s"})
    if unknown:
        return _no(command, f"no such setting: {unknown[0][:64]}")
    value = command.settings.get("heartbeat_s")
    least, most = HEARTBEAT_RANGE_S
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        return _no(command, f"heartbeat_s: a number of seconds from {least:g} to {most:g}")
    return Obey(CommandResult(id=command.id, ok=True), heartbeat_s=float(value))


def _no(command: Command, why: str) -> Obey:
    return Obey(CommandResult(id=command.id, ok=False, detail=why))
