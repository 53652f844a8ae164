"""I1 and I7: each number that a hub gave an alarm is accounted for, and so is each alarm in a hub's own ledger."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from alerts.audit.domain import GAP_AFTER, HAS_BEEN, Broken, spans_of

_COUNTED: Final = 100_000  # alarms of one hub that are told apart one by one


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


def number_faults(hub: str, missing: Sequence[int], nameless: int) -> list[Broken]:
    """Numbers that never came. As many alarms as came without a readable number may be among them."""
    if len(missing) <= nameless:
        return []
    return [Broken("I7", f"hub {hub}: {ends} never came", HAS_BEEN) for ends in spans_of(missing, "alarm")]


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
