"""Readings as SenML packs (RFC 8428, JSON): reading them, and writing them.

A pack is read record by record: what is wrong with one record is named and the others stand.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from telecare.errors import UnreadableMessage
from telecare.vocabulary import BOOLEAN_MEASURES, NUMBER_MEASURES
from telecare.wire import NAME_LIMIT

# RFC 8428 section 4.5.3: a time below 2**28 is relative to now.
RELATIVE_BELOW: Final = 2**28
# RFC 8428 section 4.5.1: the characters of a resolved name.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:._]*", re.ASCII)
_KNOWN: Final = frozenset({"bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"})
_MUST_UNDERSTAND: Final = "_"  # RFC 8428 section 4.4: a label that ends so may not be ignored
_VALUES: Final = ("v", "vb", "vs", "vd")
PACK_LIMIT: Final = 10_000  # records in one pack


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value. Booleans are 1.0 and 0.0; numbers are in the unit of `vocabulary.NUMBER_MEASURES`."""

    device: str
    measure: str
    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack read: its readings, and what was wrong with the records that gave none."""

    readings: tuple[Reading, ...]
    problems: tuple[str, ...]


def read_pack(payload: bytes, now: datetime) -> Pack:
    """Read a SenML pack; relative times count from `now`.

    Raises:
        UnreadableMessage: it is not JSON, not a list of objects, too long, or of a version we do not know.
    """
    try:
        records = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise UnreadableMessage(f"not JSON: {problem}") from problem
    if not isinstance(records, list) or not records or not all(isinstance(r, dict) for r in records):
        raise UnreadableMessage("not a SenML pack: a list of objects")
    if len(records) > PACK_LIMIT:
        raise UnreadableMessage(f"more than {PACK_LIMIT} records")
    base: dict[str, Any] = {}
    readings: list[Reading] = []
    problems: list[str] = []
    for number, record in enumerate(records, start=1):
        try:
            base = _base(base, record)
            if any(name in record for name in _VALUES) or "n" in record or "s" in record:
                readings.append(_resolve(base, record, now))
        except UnreadableMessage as problem:
            problems.append(f"record {number}: {problem}")
    return Pack(tuple(readings), tuple(problems))


def _base(base: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    for label in record:
        if label not in _KNOWN and label.endswith(_MUST_UNDERSTAND):
            raise UnreadableMessage(f"label {label[:20]!r} must be understood and is not")
    if record.get("bver", 10) != 10:
        raise UnreadableMessage("bver: not version 10")
    named = {label: record[label] for label in ("bn", "bt", "bu", "bv", "bs") if label in record}
    return base | named if named else base


def _number(fields: dict[str, Any], label: str, default: float = 0.0) -> float:
    value = fields.get(label, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableMessage(f"{label}: not a number")
    try:
        number = float(value)
    except OverflowError as problem:
        raise UnreadableMessage(f"{label}: too large") from problem
    if not math.isfinite(number):
        raise UnreadableMessage(f"{label}: not finite")
    return number


def _text(fields: dict[str, Any], label: str) -> str:
    value = fields.get(label, "")
    if not isinstance(value, str):
        raise UnreadableMessage(f"{label}: not a text")
    return value


def _resolve(base: dict[str, Any], record: dict[str, Any], now: datetime) -> Reading:
    device, slash, measure = (_text(base, "bn") + _text(record, "n")).rpartition("/")
    if not slash or not is_name(device):
        raise UnreadableMessage("name: not device/measure")
    return Reading(device, measure, _instant(base, record, now), _value(base, record, measure))


def is_name(device: str) -> bool:
    """Whether this can be a device's name in a pack."""
    return len(device) <= NAME_LIMIT and _NAME.fullmatch(device) is not None


def _value(base: dict[str, Any], record: dict[str, Any], measure: str) -> float:
    given = [label for label in _VALUES if label in record]
    if len(given) != 1:
        raise UnreadableMessage("not exactly one of v, vb, vs, vd")
    if measure in BOOLEAN_MEASURES:
        if record.get("vb") is not True and record.get("vb") is not False:
            raise UnreadableMessage(f"{measure}: needs vb, true or false")
        return float(record["vb"])
    if measure not in NUMBER_MEASURES:
        raise UnreadableMessage(f"no such measure: {measure[:NAME_LIMIT]!r}")
    if given != ["v"]:
        raise UnreadableMessage(f"{measure}: needs v, a number")
    unit = _text(record, "u") or _text(base, "bu")
    if unit and unit != NUMBER_MEASURES[measure]:
        raise UnreadableMessage(f"{measure}: unit {unit[:20]!r} is not {NUMBER_MEASURES[measure]}")
    return _number(base, "bv") + _number(record, "v")


def _instant(base: dict[str, Any], record: dict[str, Any], now: datetime) -> datetime:
    seconds = _number(base, "bt") + _number(record, "t")
    try:
        if seconds < RELATIVE_BELOW:
            return now + timedelta(seconds=seconds)
        return datetime.fromtimestamp(seconds, UTC)  # rounds to the microsecond, the database's resolution
    except (OverflowError, OSError, ValueError) as problem:
        raise UnreadableMessage("time: outside the calendar") from problem


def write_pack(readings: Iterable[Reading]) -> bytes:
    """Readings as one SenML pack."""
    records: list[dict[str, Any]] = []
    for reading in readings:
        record: dict[str, Any] = {"n": f"{reading.device}/{reading.measure}", "t": round(reading.at.timestamp(), 3)}
        if reading.measure in BOOLEAN_MEASURES:
            record["vb"] = bool(reading.value)
        else:
            record |= {"u": NUMBER_MEASURES[reading.measure], "v": reading.value}
        records.append(record)
    return msgspec.json.encode(records)
