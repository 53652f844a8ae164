"""A CSV file of episodes, as spreadsheets write it, read line by line. Pure: bytes in, lines and problems out."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from dashboard.outcomes.domain import FIELDS, Episode, read_episode, said
from telecare.errors import TelecareError

COLUMNS: Final = ("person", *FIELDS)
REQUIRED: Final = ("person", "reason", "started_on")
_DELIMITERS: Final = ",;\t"
_RISKY: Final = re.compile(r"^[=+\-@\t\r]")  # a spreadsheet would take such a cell for a formula
_CELL_LIMIT: Final = 4000  # characters; longer ones are cut before anything is said about them


class NotAFile(TelecareError):
    """The file as a whole cannot be read; the words say why and what to do."""


@dataclass(slots=True)
class Line:
    """One line of the file. `number` counts as a spreadsheet counts rows: the header is 1."""

    number: int
    cells: list[str]
    person: str = ""
    episode: Episode | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)  # (column, what is wrong)


@dataclass(frozen=True, slots=True)
class File:
    """A file that could be read. `notes` are what its reader should know of the reading."""

    header: list[str]
    delimiter: str
    lines: list[Line]
    notes: list[str]


def read_file(content: bytes, today: date, *, most_lines: int) -> File:
    """Every line of a CSV file, each an episode or with what is wrong with it.

    Raises:
        NotAFile: it is empty, not text, has too many lines, or lacks a column that is needed.
    """
    text, notes = _decoded(content)
    delimiter, text = _delimiter(text)
    rows = list(_rows(text, delimiter))
    if not rows:
        raise NotAFile("The file is empty")
    header = [cell.strip() for cell in rows[0]]
    columns = _columns(header)
    notes += _left_out(header, columns)
    lines = [
        Line(number, [cell[:_CELL_LIMIT] for cell in cells])
        for number, cells in enumerate(rows[1:], start=2)
        if any(cell.strip() for cell in cells)
    ]
    if len(lines) > most_lines:
        raise NotAFile(f"The file has {len(lines)} lines; at most {most_lines} are taken at a time. Split it")
    unclosed = _unclosed(text, delimiter)
    for line in lines:
        _read_line(line, columns, len(header), today)
    if unclosed and lines:
        last = lines[-1]
        last.episode, last.problems = None, [("", "A quotation mark is opened here and never closed: what follows "
                                              "cannot be told apart")]  # fmt: skip
    return File(header, delimiter, lines, notes)


def _decoded(content: bytes) -> tuple[str, list[str]]:
    if not content.strip():
        raise NotAFile("The file is empty")
    if content.startswith(b"PK\x03\x04") or content.startswith(b"\xd0\xcf\x11\xe0"):
        raise NotAFile("This is an Excel workbook. In Excel, choose Save as, and CSV UTF-8")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = [("utf-16", "")]
    else:
        old = "The file is not UTF-8; it was read as Windows-1252. Check that letters with accents are right"
        encodings = [("utf-8-sig", ""), ("cp1252", old)]
    for encoding, note in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, [note] if note else []
    raise NotAFile("This is not a text file. Save it as CSV UTF-8")


def _delimiter(text: str) -> tuple[str, str]:
    """What stands between cells, and the text without Excel's line that says so."""
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
        return first.strip()[4], rest
    outside = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=outside.count), text


def _rows(text: str, delimiter: str) -> Iterable[list[str]]:
    # The limit is the whole process's: it is only ever raised, so that another reader never finds it below its need.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error as problem:
        raise NotAFile(f"The file cannot be read as CSV: {problem}") from problem


def _unclosed(text: str, delimiter: str) -> bool:
    """Whether the last line opens a quotation mark that nothing closes."""
    # A closed last cell followed by one more line makes two rows; an open one swallows that line.
    marker = "telecare-end"
    *_, last = csv.reader(io.StringIO(text + "\n" + marker, newline=""), delimiter=delimiter)
    return last != [marker]


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Where each column that we know stands."""
    found: dict[str, int] = {}
    for place, name in enumerate(header):
        known = re.sub(r"[\s-]+", "_", name.strip().lower())
        if known in found:
            raise NotAFile(f"The column {name} stands in the file twice")
        if known in COLUMNS:
            found[known] = place
    if missing := [name for name in REQUIRED if name not in found]:
        raise NotAFile(
            f"The first line must name the columns; missing: {', '.join(missing)}. It has: {', '.join(header)[:300]}"
        )
    return found


def _left_out(header: Sequence[str], columns: Mapping[str, int]) -> list[str]:
    unknown = [name for place, name in enumerate(header) if place not in columns.values() and name]
    return [f"These columns are not known and are left out: {', '.join(unknown)[:300]}"] if unknown else []


def _read_line(line: Line, columns: Mapping[str, int], width: int, today: date) -> None:
    if any(cell.strip() for cell in line.cells[width:]):
        line.problems.append(("", f"Has {len(line.cells)} cells, the first line has {width}"))
        return
    entered = {
        name: plain_cell(line.cells[place]) if place < len(line.cells) else "" for name, place in columns.items()
    }
    line.person = entered["person"].strip()
    if not line.person:
        line.problems.append(("person", "Say whose episode it is: your reference for the person, or our id"))
    reading = read_episode(entered, today)
    line.problems += reading.problems.items()
    line.episode = reading.episode if not line.problems else None


def mark_overlaps(lines: Sequence[Line], owners: Sequence[object]) -> None:
    """Name lines whose episode overlaps an earlier line's of the same person; `owners` are the lines' people."""
    by_person: dict[object, list[Line]] = {}
    for line, owner in zip(lines, owners, strict=True):
        if line.episode is None or owner is None:
            continue
        earlier = by_person.setdefault(owner, [])
        other = next((one for one in earlier if one.episode and one.episode.overlaps(line.episode)), None)
        if other is None:
            earlier.append(line)
            continue
        assert other.episode is not None
        words = f"Overlaps line {other.number}: {span_words(other.episode)}. A person has one episode at a time"
        line.problems.append(("started_on", words))
        line.episode = None


def span_words(episode: Episode) -> str:
    """From when to when, in words."""
    until = f"to {said(episode.ended_on)}" if episode.ended_on else "with no end yet"
    return f"{said(episode.started_on)} {until}"


# ---------------------------------------------------------------- writing


def safe_cell(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if _RISKY.match(cell) else cell


def plain_cell(cell: str) -> str:
    """The reverse of `safe_cell`."""
    return cell[1:] if cell.startswith("'") and _RISKY.match(cell[1:]) else cell


def write_rows(header: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    """Rows as CSV text with Windows line ends."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow([safe_cell(cell) for cell in header])
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()
