"""The table of a run: what each row pressed, lost, doubled, and how long an alarm took at worst."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

HEADINGS: Final = ("fault", "pressed", "kept", "lost", "doubled", "worst s: during", "after", "seed", "")


@dataclass(slots=True)
class Row:
    """One fault. Delays are from the press to the commit of its place in an alert, in seconds."""

    fault: str
    seed: str
    pressed: int = 0
    kept: int = 0
    lost: int = 0
    doubled: int = 0
    worst_during_s: float | None = None  # of alarms that met the fault
    worst_after_s: float | None = None  # of the others
    verdict: str = "not finished"
    figures: dict[str, Any] = field(default_factory=dict)

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        numbers = (self.pressed, self.kept, self.lost, self.doubled)
        delays = (self.worst_during_s, self.worst_after_s)
        shown = ["-" if delay is None else f"{delay:.2f}" for delay in delays]
        return (self.fault, *map(str, numbers), *shown, self.seed, self.verdict)


def lines(rows: list[Row]) -> Iterator[str]:
    """The table for a terminal, and below it what else was measured."""
    table = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for cells in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    for row in rows:
        if row.figures:
            yield f"{row.fault}: " + ", ".join(f"{name} {value}" for name, value in row.figures.items())


def write(rows: list[Row], folder: Path) -> Path:
    """The same as JSON, under a name of the run's own seed; returns where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"faults-{rows[0].seed}.json"
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return path
