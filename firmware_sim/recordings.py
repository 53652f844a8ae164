"""Recorded accelerometer trials in the tidy form (docs/recordings.md), read one row group at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from telecare.errors import CannotStart

KEYS: Final = ("subject", "activity", "trial", "position")
SIGNAL: Final = ("t", "ax", "ay", "az")
ABOUT: Final = ("dataset", "age_group", "is_fall")  # what a measurement needs to know besides
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which trials; None is any."""

    subject: str | None = None
    activity: str | None = None
    trial: str | None = None
    position: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One recording of one device: `t` in seconds, (n,), and `a` in g, (n, 3), in the order of the file."""

    subject: str
    activity: str
    trial: str
    position: str
    t: npt.NDArray[np.float64]
    a: npt.NDArray[np.float64]
    dataset: str = UNKNOWN
    age_group: str = UNKNOWN
    is_fall: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What tells it from other trials."""
        return (self.dataset, self.subject, self.activity, self.trial, self.position)

    @property
    def length_s(self) -> float:
        """From the first sample to the last, in seconds."""
        return float(self.t[-1] - self.t[0])


def read_trials(files: Sequence[Path], wanted: Wanted, about: bool = False) -> Iterator[Trial]:
    """The wanted trials of some files, in the order in which they stand there; with `about`, of what and whom.

    Raises:
        CannotStart: a file cannot be read, or has not the columns of a recording.
    """
    for path in files:
        try:
            yield from _trials_of(path, wanted, (*KEYS, *SIGNAL, *(ABOUT if about else ())))
        except (OSError, pyarrow.ArrowException) as problem:
            raise CannotStart(f"{path}: {str(problem).splitlines()[0]}") from problem


def recordings_in(directory: Path) -> list[Path]:
    """The files under a directory that have every column of a recording; others are passed over.

    Raises:
        CannotStart: there is none.
    """
    found = [path for path in sorted(directory.rglob("*.parquet")) if _is_recording(path)]
    if not found:
        raise CannotStart(f"{directory}: no recordings: no Parquet file with the columns of docs/recordings.md")
    return found


def _is_recording(path: Path) -> bool:
    try:
        names = pyarrow.parquet.read_schema(path).names
    except (OSError, pyarrow.ArrowException):
        return False
    return set(names) >= {*KEYS, *SIGNAL, *ABOUT}


def _trials_of(path: Path, wanted: Wanted, columns: tuple[str, ...]) -> Iterator[Trial]:
    yield from _joined(_parts_of(path, wanted, columns))


def _joined(parts: Iterator[Trial]) -> Iterator[Trial]:
    """Trials whole, though one may go on in the next row group."""
    whole: Trial | None = None
    for part in parts:
        if whole is not None and whole.names == part.names:
            whole = replace(whole, t=np.concatenate([whole.t, part.t]), a=np.concatenate([whole.a, part.a]))
            continue
        if whole is not None:
            yield whole
        whole = part
    if whole is not None:
        yield whole


def _parts_of(path: Path, wanted: Wanted, columns: tuple[str, ...]) -> Iterator[Trial]:
    with pyarrow.parquet.ParquetFile(path) as file:
        missing = [name for name in columns if name not in file.schema_arrow.names]
        if missing:
            raise CannotStart(f"{path}: no recording of accelerations; it has no column {', '.join(missing)}")
        for group in range(file.num_row_groups):
            if _may_hold(file.metadata.row_group(group), wanted.subject):
                yield from _trials_in(file.read_row_group(group, columns=list(columns)), wanted)


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
            table = table.filter(pyarrow.compute.equal(_text(table[name]), value))
    if table.num_rows == 0:
        return
    t, *axes = (_numbers(table[name]) for name in SIGNAL)
    keys = [name for name in (*KEYS, "dataset") if name in table.column_names]
    parts = [np.flatnonzero(_changes(table[name])) + 1 for name in keys]
    bounds = np.unique(np.concatenate([[0], *parts, [table.num_rows]]))
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        about = {name: str(table[name][begin]) for name in KEYS} | _about(table, begin)
        yield Trial(t=t[begin:end], a=np.column_stack([axis[begin:end] for axis in axes]), **about)


def _about(table: Any, row: int) -> dict[str, Any]:
    if not set(ABOUT) <= set(table.column_names):
        return {}
    dataset, age_group, is_fall = (table[name][row].as_py() for name in ABOUT)
    return {"dataset": str(dataset), "age_group": str(age_group or UNKNOWN), "is_fall": bool(is_fall)}


def _text(column: Any) -> Any:
    return pyarrow.compute.cast(column, pyarrow.string())


def _numbers(column: Any) -> npt.NDArray[np.float64]:
    return np.asarray(pyarrow.compute.cast(column, pyarrow.float64()).to_numpy())


def _changes(column: Any) -> npt.NDArray[np.bool_]:
    """Whether each row's value is another than that of the row before."""
    codes = pyarrow.compute.dictionary_encode(_text(column), null_encoding="encode").combine_chunks()
    indices = (codes.combine_chunks() if isinstance(codes, pyarrow.ChunkedArray) else codes).indices.to_numpy()
    return np.asarray(indices[1:] != indices[:-1])
