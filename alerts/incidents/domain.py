"""When the losses of an area are one incident, which homes it has, and in which words it is told. Plain values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from telecare.vocabulary import Kind, Priority

# Nobody in it has called, so it stands below every call. That many people cannot call is more than a fault of
# equipment: somebody must ring round, as for a check that was missed.
PRIORITY: Final = Priority.ATTENTION
HUB_SILENT: Final = "hub-silent"  # the rule of a finding


class Trouble(StrEnum):
    """What a home has lost."""

    SILENT = "silent"  # its hub is not heard: an alarm there may not reach us
    MAINS = "mains"  # its hub runs on its battery
    NETWORK = "network"  # its hub speaks by its second network


_BEGINS: Final = {Kind.MAINS_LOST: Trouble.MAINS, Kind.NETWORK_LOST: Trouble.NETWORK}
_ENDS: Final = {Kind.MAINS_RESTORED: Trouble.MAINS, Kind.NETWORK_RESTORED: Trouble.NETWORK}
# Alarms of these kinds are looked at together. All are technical: a person's alarm is never among them.
SHARED: Final = frozenset({*_BEGINS, *_ENDS, Kind.DEVICE_SILENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """An alarm that may be part of an incident."""

    alarm_id: UUID
    home_id: UUID
    area: str
    kind: Kind
    rule: str | None  # of a finding
    since: datetime  # when the loss began, as far as is known

    @property
    def begins(self) -> Trouble | None:
        """What it says is lost."""
        if self.kind is Kind.DEVICE_SILENT:
            return Trouble.SILENT if self.rule == HUB_SILENT else None
        return _BEGINS.get(self.kind)

    @property
    def ends(self) -> Trouble | None:
        """What it says is back."""
        return _ENDS.get(self.kind)


@dataclass(frozen=True, slots=True)
class Loss:
    """A home of an incident: what it has lost now (nothing: it is back), and since when."""

    troubles: frozenset[Trouble]
    had: frozenset[Trouble]  # what it had lost at any time
    since: datetime
    changed_at: datetime  # when something was lost that had not been: what was checked before says nothing any more
    back_at: datetime | None = None


def fold(before: Loss | None, signal: Signal, now: datetime) -> Loss | None:
    """A home after one more signal; None where it has lost nothing yet."""
    if (begins := signal.begins) is not None:
        if before is None:
            return Loss(frozenset({begins}), frozenset({begins}), signal.since, now)
        if begins in before.troubles:
            return before
        since = before.since if before.troubles else signal.since
        return Loss(before.troubles | {begins}, before.had | {begins}, since, now)
    if before is None or signal.ends is None or signal.ends not in before.troubles:
        return before
    left = before.troubles - {signal.ends}
    return Loss(left, before.had, before.since, before.changed_at, None if left else now)


def fold_all(before: Mapping[UUID, Loss], signals: Iterable[Signal], now: datetime) -> dict[UUID, Loss]:
    """The homes after these signals, in their order; only those that some signal is about."""
    after: dict[UUID, Loss] = {}
    for signal in signals:
        folded = fold(after.get(signal.home_id, before.get(signal.home_id)), signal, now)
        if folded is not None:
            after[signal.home_id] = folded
    return after


def needed(homes: int, *, most: int, share: float, least: int) -> int:
    """From how many homes on an area of `homes` is an incident: `most`, or `share` of it but not fewer than `least`."""
    return min(most, max(least, ceil(share * homes)))


def also(loss: Loss, trouble: Trouble) -> Loss:
    """A home that is not back, with something more that it has lost."""
    return replace(loss, troubles=loss.troubles | {trouble}, had=loss.had | {trouble})


# ---------------------------------------------------------------- words


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """An incident in numbers of homes."""

    alert_id: int
    label: str  # what the area is called
    timezone: str
    began_at: datetime
    homes: int
    silent: int
    mains: int  # heard, without mains power
    network: int  # heard, by the second network, with mains power
    back: int
    unchecked: int  # not back, and nobody has written down that they are safe or that somebody goes
    had_mains: int  # whose mains power was lost at any time
    had_network: int
    last_back_at: datetime | None

    @property
    def cause(self) -> str | None:
        """What half of the homes or more have in common; None where nothing is known."""
        if 2 * self.had_mains >= self.homes:
            return "power cut"
        return "network" if 2 * self.had_network >= self.homes else None


def headline(found: Summary, now: datetime) -> str:
    """How many homes, of which area, since when."""
    zone = ZoneInfo(found.timezone)
    began = _clock(found.began_at, now, zone)
    away = found.homes - found.back
    if away == 0:
        assert found.last_back_at is not None  # who is back has come back at some time
        return f"Incident: all {_homes(found.homes)} in {found.label} are back since " + (
            f"{_clock(found.last_back_at, now, zone)}; it began at {began}"
        )
    lost = [
        (count, words)
        for count, words in (
            (found.silent, "silent"),
            (found.mains, "without mains power"),
            (found.network, "on their second network"),
        )
        if count
    ]
    if len(lost) == 1:
        words = f"Incident: {_homes(away)} in {found.label} {lost[0][1]} since {began}"
    else:
        parts = ", ".join(f"{count} {words}" for count, words in lost)
        words = f"Incident: {_homes(away)} in {found.label} since {began}: {parts}"
    return f"{words}; {found.back} {'is' if found.back == 1 else 'are'} back" if found.back else words


def _homes(count: int) -> str:
    return f"{count} {'home' if count == 1 else 'homes'}"


def _clock(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == now.astimezone(zone).date() else f"{local:%H:%M on %-d %B}"
