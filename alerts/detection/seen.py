"""What was last seen of the people in a home: readings folded into a few instants, whatever order they come in."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

_BEDROOM: Final = "bedroom"


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading with what the register knows of the device that sent it."""

    home_id: UUID
    device: str
    location: str
    leads_outside: bool
    measure: str
    at: datetime
    value: float  # booleans are 1 and 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The last signs of life in a home; None where there has been none yet."""

    moved_at: datetime | None = None  # movement inside
    moved_where: str = ""
    up_at: datetime | None = None  # somebody up: out of bed, or about in a room that is not a bedroom
    up_where: str = ""
    door_at: datetime | None = None  # a door that leads outside was used
    bed_at: datetime | None = None  # the last word of a bed sensor
    bed_in: bool = False  # and whether somebody lay there

    @property
    def last_sign(self) -> datetime | None:
        """The last sign of life of any kind."""
        return max((at for at in (self.moved_at, self.door_at) if at is not None), default=None)


def fold(seen: Seen, reading: Reading) -> Seen:
    """What is known after one more reading. An older one than what is known changes nothing.

    Sensors repeat an unchanged state now and then, to say that they live. That must not pass for a sign of life: a door
    counts when it opens, a bed when somebody gets in or out of it.
    """
    if reading.measure == "open" and reading.value:
        return _outside_door(seen, reading) if reading.leads_outside else _movement(seen, reading)
    if reading.measure == "occupied" and _is_bed(reading):
        return _bed(seen, reading)
    if reading.measure in ("motion", "pressed") and reading.value:
        return _movement(seen, reading)
    return seen


def _is_bed(reading: Reading) -> bool:
    return reading.device.startswith("bed") or reading.location == _BEDROOM


def _newer(at: datetime, known: datetime | None) -> bool:
    return known is None or at > known


def _outside_door(seen: Seen, reading: Reading) -> Seen:
    return replace(seen, door_at=reading.at) if _newer(reading.at, seen.door_at) else seen


def _bed(seen: Seen, reading: Reading) -> Seen:
    if not _newer(reading.at, seen.bed_at):
        return seen
    lies = bool(reading.value)
    if seen.bed_at is not None and lies == seen.bed_in:
        return seen
    changed = seen.bed_at is not None  # the first word says how it is, not that somebody moved
    seen = replace(seen, bed_at=reading.at, bed_in=lies)
    if not changed:
        return seen
    return _movement(seen, reading) if lies else _up(_movement(seen, reading), reading.at, "out of bed")


def _movement(seen: Seen, reading: Reading) -> Seen:
    where = reading.location or reading.device
    if _newer(reading.at, seen.moved_at):
        seen = replace(seen, moved_at=reading.at, moved_where=where)
    return seen if _is_bed(reading) else _up(seen, reading.at, where)


def _up(seen: Seen, at: datetime, where: str) -> Seen:
    return replace(seen, up_at=at, up_where=where) if _newer(at, seen.up_at) else seen
