"""Recorded homes in the tidy form (docs/recordings.md): what sensors noticed, as far as we have a measure for it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from firmware_sim.households import Event
from telecare.errors import CannotStart
from telecare.register.homes import NewDevice

COLUMNS: Final = ("home", "timestamp", "sensor", "kind", "room", "value")
# A sensor's kind, as the recordings name it, as device and measure. The others (a flush, a light, an item) have
# no measure of ours; calling them one would be a lie about the home, so they are left out and counted.
MEASURES: Final = {
    "motion": ("motion", "motion"),
    "door": ("door", "open"),
    "bed_pressure": ("bed", "occupied"),
    "chair_pressure": ("seat", "occupied"),
}
# The recordings' times have no zone: they are those of the clock in the place where they were made.
ZONES: Final = {"kasteren": "Europe/Amsterdam", "ordonez": "Europe/Madrid", "mit": "America/New_York"}
_OUTSIDE: Final = re.compile(r"front ?door|maindoor|main door|outside", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HomeRecording:
    """One recorded home."""

    home: str
    zone: str
    devices: tuple[NewDevice, ...]
    events: tuple[Event, ...]  # in order of time; times are the recording's own
    left_out: Counter[str]  # by kind of sensor

    @property
    def length_s(self) -> float:
        """From the first event to the last, in seconds."""
        return (self.events[-1].at - self.events[0].at).total_seconds()


def read_home(files: Sequence[Path], home: str) -> HomeRecording:
    """A recorded home.

    Raises:
        CannotStart: a file cannot be read or is no recording of homes, or holds no such home.
    """
    known: set[str] = set()
    for path in files:
        try:
            table = pyarrow.parquet.read_table(path)
        except (OSError, pyarrow.ArrowException) as problem:
            raise CannotStart(f"{path}: {str(problem).splitlines()[0]}") from problem
        missing = [name for name in COLUMNS if name not in table.schema.names]
        if missing:
            raise CannotStart(f"{path}: no recording of homes; it has no column {', '.join(missing)}")
        names = pyarrow.compute.cast(table["home"], pyarrow.string())
        known |= set(names.unique().to_pylist())
        rows = table.filter(pyarrow.compute.equal(names, home)).select(list(COLUMNS)).to_pylist()
        if rows:
            return _recording(home, rows)
    raise CannotStart(f"there is no home {home!r} in the recording; there are {', '.join(sorted(known)) or 'none'}")


def _recording(home: str, rows: Sequence[dict[str, Any]]) -> HomeRecording:
    zone = next((zone for begin, zone in ZONES.items() if home.startswith(begin)), "Europe/London")
    left_out = Counter(row["kind"] for row in rows if row["kind"] not in MEASURES)
    devices: dict[str, NewDevice] = {}
    events = []
    for row in rows:
        if row["kind"] not in MEASURES:
            continue
        kind, measure = MEASURES[row["kind"]]
        name = device_name(kind, row["sensor"])
        outside = kind == "door" and bool(_OUTSIDE.search(f"{row['sensor']} {row['room'] or ''}"))
        devices[name] = NewDevice(name=name, kind=kind, location=_place(row["room"]), leads_outside=outside)
        at: datetime = row["timestamp"].replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        events.append(Event(at, name, measure, row["value"] == "ON"))
    if not events:
        raise CannotStart(f"the home {home!r} has no sensor with a measure of ours")
    return HomeRecording(home, zone, tuple(devices.values()), tuple(sorted(events)), left_out)


def device_name(kind: str, sensor: str) -> str:
    """A device's name from a recorded sensor's."""
    return f"{kind}-{re.sub('[^a-z0-9]+', '-', sensor.lower()).strip('-')}"[:64]


def _place(room: str | None) -> str:
    """The room in our words; a place to sleep is a bedroom."""
    place = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", room or "").lower()
    return "bedroom" if place == "sleep" else place
