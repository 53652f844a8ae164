"""Windows that `telecare falls export-labels` has written: blows at home, with what they turned out to be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow
import pyarrow.parquet

from gateway.falls.window import Floats, decode
from telecare.errors import CannotStart
from telecare.trace import BadTrace

COLUMNS: Final = ("dataset", "subject", "trial", "age_group", "position", "is_fall", "source", "trace")


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One window, and what it was."""

    dataset: str
    subject: str
    age_group: str
    position: str
    is_fall: bool
    source: str
    window: Floats


def labels_in(directory: Path) -> list[Path]:
    """The files of labels under a directory."""
    return [path for path in sorted(directory.rglob("*.parquet")) if _has_labels(path)]


def _has_labels(path: Path) -> bool:
    try:
        return set(pyarrow.parquet.read_schema(path).names) >= set(COLUMNS)
    except (OSError, pyarrow.ArrowException):
        return False


def read_labels(files: Sequence[Path]) -> Iterator[Labelled]:
    """The labels of some files; a trace without the blow, or with less than a second of samples, is passed over.

    Raises:
        CannotStart: a file cannot be read.
    """
    for path in files:
        try:
            rows = pyarrow.parquet.read_table(path, columns=list(COLUMNS)).to_pylist()
        except (OSError, pyarrow.ArrowException) as problem:
            raise CannotStart(f"{path}: {str(problem).splitlines()[0]}") from problem
        for row in rows:
            try:
                window = decode(row.pop("trace"))
            except BadTrace:
                continue
            del row["trial"]
            yield Labelled(window=window, **row)
