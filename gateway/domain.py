"""What a hub decides: which alarm to send now, what a command means, what it says of itself. No I/O; `now` is given."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from telecare.clock import format_instant, parse_instant
from telecare.vocabulary import Kind
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
    sent_at: datetime | None  # on the present connection


@dataclass(frozen=True, slots=True)
class AlarmPlan:
    """What to publish now, and in how many seconds to look again (None: when something happens)."""

    send: tuple[Waiting, ...]
    look_again_s: float | None


def write_alarm(fields: Mapping[str, Any], alarm_id: str, seq: int, now: datetime) -> bytes:
    """The payload of an alarm: what the device said, as it said it, with the hub's id, number and word on the time."""
    clock: Literal["synced", "unsynced"] = "synced" if now >= CLOCK_SET_AFTER else "unsynced"
    alarm = {"id": alarm_id, "seq": seq, **fields, "clock": clock}
    if alarm.get("at") is None:
        alarm["at"] = format_instant(now)
    return msgspec.json.encode(alarm)


def plan_alarms(waiting: Sequence[Waiting], now: datetime, *, receipt_timeout_s: float, at_once: int) -> AlarmPlan:
    """Send what was never sent, in its order, then what has had no receipt in time; at most `at_once`."""
    fresh = sorted((alarm for alarm in waiting if alarm.sent_at is None), key=lambda alarm: alarm.seq)
    sent = [(alarm.sent_at, alarm) for alarm in waiting if alarm.sent_at is not None]
    late = [alarm for sent_at, alarm in sent if passed(sent_at, receipt_timeout_s, now)]
    due = [*fresh, *late]
    if due:
        return AlarmPlan(tuple(due[:at_once]), 0.0)
    if not sent:
        return AlarmPlan((), None)
    longest_s = max((now - sent_at).total_seconds() for sent_at, _ in sent)
    return AlarmPlan((), receipt_timeout_s - longest_s)


def fallback_due(waiting: Iterable[Waiting], now: datetime, after_s: float) -> list[Waiting]:
    """The alarms that have waited too long for this path."""
    return [alarm for alarm in waiting if passed(alarm.kept_at, after_s, now)]


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
