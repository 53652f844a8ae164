"""Recorded accelerometer trials in the tidy form (docs/recordings.md), read one row group at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from firmware_sim.fall import Sample
from telecare.errors import CannotStart

KEYS: Final = ("subject", "activity", "trial", "position")
SIGNAL: Final = ("t", "ax", "ay", "az")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which trials; None is any."""

    subject: str | None = None
    activity: str | None = None
    trial: str | None = None
    position: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One recording of one device: its samples in order of time."""

    subject: str
    activity: str
    trial: str
    position: str
    samples: tuple[Sample, ...]

    @property
    def length_s(self) -> float:
        """From the first sample to the last, in seconds."""
        return self.samples[-1].t - self.samples[0].t


def read_trials(files: Sequence[Path], wanted: Wanted) -> Iterator[Trial]:
    """The wanted trials of some files, in the order in which they stand there.

    Raises:
        CannotStart: a file cannot be read, or has not the columns of a recording.
    """
    for path in files:
        try:
            yield from _trials_of(path, wanted)
        except (OSError, pyarrow.ArrowException) as problem:
            raise CannotStart(f"{path}: {str(problem).splitlines()[0]}") from problem


def _trials_of(path: Path, wanted: Wanted) -> Iterator[Trial]:
    with pyarrow.parquet.ParquetFile(path) as file:
        missing = [name for name in (*KEYS, *SIGNAL) if name not in file.schema_arrow.names]
        if missing:
            raise CannotStart(f"{path}: no recording of accelerations; it has no column {', '.join(missing)}")
        for group in range(file.num_row_groups):
            if _may_hold(file.metadata.row_group(group), wanted.subject):
                yield from _trials_in(file.read_row_group(group, columns=[*KEYS, *SIGNAL]), wanted)


def _may_hold(group: Any, subject: str | None) -> bool:
    """Whether a row group may hold the subject, by the file's own statistics."""
    for column in range(group.num_columns):
        found = group.column(column)
        if found.path_in_schema == "subject" and found.statistics is not None and found.statistics.has_min_max:
            return subject is None or bool(found.statistics.min <= subject <= found.statistics.max)
    return True


def _trials_in(table: Any, wanted: Wanted) -> Iterator[Trial]:
    for name in KEYS:
        value = getattr(wanted, name)
        if value is not None:
            table = table.filter(pyarrow.compute.equal(pyarrow.compute.cast(table[name], pyarrow.string()), value))
    samples: list[Sample] = []
    current: tuple[str, ...] | None = None
    columns = [table[name].to_pylist() for name in (*KEYS, *SIGNAL)]
    for *key, t, x, y, z in zip(*columns, strict=True):
        names = tuple(map(str, key))
        if names != current:
            if current is not None:
                yield Trial(*current, tuple(samples))  # type: ignore[call-arg, arg-type]
            current, samples = names, []
        samples.append(Sample(t, x, y, z))
    if current is not None:
        yield Trial(*current, tuple(samples))  # type: ignore[call-arg, arg-type]
