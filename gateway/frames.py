"""Device frames (docs/frames.md): bytes to lines to frames, and the hub's answers. Plain functions, no I/O."""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from telecare.clock import parse_instant
from telecare.errors import TelecareError
from telecare.senml import RELATIVE_BELOW, Reading
from telecare.vocabulary import BOOLEAN_MEASURES, MEASURES
from telecare.wire import NAME_LIMIT

_REF_KEY_LIMIT: Final = 200  # characters; a longer key is replaced by its hash
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:._]*", re.ASCII)  # RFC 8428 section 4.5.1
# What of an alarm frame goes into the alarm, as it is.
_ALARM_FIELDS: Final = ("device", "kind", "at", "test", "location", "evidence")


class BadFrame(TelecareError):
    """A line that is no frame of ours. The device is told, and its next line is read."""

    def __init__(self, reason: str, ref: Any = None) -> None:
        super().__init__(reason)
        self.reason, self.ref = reason, ref


@dataclass(frozen=True, slots=True)
class Hello:
    """A connection that wants to hear announcements."""


@dataclass(frozen=True, slots=True)
class AlarmFrame:
    """An alarm as the device put it: nothing in it is checked, because an alarm is never refused."""

    ref: Any  # the device's own, for recognising a repeat; None where it gave none
    fields: dict[str, Any]

    @property
    def key(self) -> str | None:
        """What makes two frames the same alarm: device and ref. None: every frame is an alarm of its own."""
        if self.ref is None:
            return None
        text = msgspec.json.encode([self.fields.get("device"), self.ref])
        return text.decode() if len(text) <= _REF_KEY_LIMIT else hashlib.sha256(text).hexdigest()


Frame = Hello | AlarmFrame | Reading


class Lines:
    """Cuts a stream of bytes into lines. A line of more than `limit` bytes comes out as None, once, when it ends."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """The lines that end in `data`, without their newline."""
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._hold(part)
            yield None if self._too_long else bytes(self._held)
            self._held.clear()
            self._too_long = False
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        if self._too_long or len(self._held) + len(part) > self._limit:
            self._too_long = True
            self._held.clear()
        else:
            self._held += part


def read_frame(line: bytes, now: datetime) -> Frame:
    """One line from a device.

    Raises:
        BadFrame: it is not a frame. An alarm frame is one whatever is in it.
    """
    raw = _object(line)
    match raw.get("frame"):
        case "alarm":
            return AlarmFrame(raw.get("ref"), {name: raw[name] for name in _ALARM_FIELDS if name in raw})
        case "reading":
            return _reading(raw, now)
        case "hello":
            return Hello()
        case _:
            raise BadFrame("frame: not one of hello, alarm, reading", raw.get("ref"))


def _object(line: bytes) -> dict[str, Any]:
    try:
        raw = msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raw = _mended(line)
    if not isinstance(raw, dict):
        raise BadFrame("not a JSON object")
    return raw


def _mended(line: bytes) -> Any:
    """JSON with bytes that are no text, half characters or numbers beyond all bounds: a press is not lost to those."""
    try:
        raw = json.loads(
            line.decode("utf-8", "replace"), parse_float=_bounded, parse_int=_bounded, parse_constant=lambda name: name
        )
        return msgspec.json.decode(json.dumps(raw, ensure_ascii=False).encode("utf-8", "replace"))
    except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
        raise BadFrame(f"not JSON: {problem}") from problem


def _bounded(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _reading(raw: dict[str, Any], now: datetime) -> Reading:
    device, measure, value = raw.get("device"), raw.get("measure"), raw.get("value")
    if not isinstance(device, str) or len(device) > NAME_LIMIT or not _NAME.fullmatch(device):
        raise BadFrame("device: not a name")
    if not isinstance(measure, str) or measure not in MEASURES:
        raise BadFrame("measure: not one we know")
    return Reading(device, measure, _instant(raw.get("at"), now), _value(measure, value))


def _value(measure: str, value: Any) -> float:
    if measure in BOOLEAN_MEASURES:
        if not isinstance(value, bool):
            raise BadFrame(f"value: {measure} is true or false")
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadFrame(f"value: {measure} is a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadFrame("value: too large")
    return number


def _instant(at: Any, now: datetime) -> datetime:
    instant = now
    if at is not None:
        try:
            instant = parse_instant(at if isinstance(at, str) else "")
        except ValueError as problem:
            raise BadFrame(f"at: {problem}") from problem
    if instant.timestamp() < RELATIVE_BELOW:
        raise BadFrame("at: a clock that was never set")  # in a SenML pack it would mean: relative to now
    return instant


# ---------------------------------------------------------------- what the hub says


def kept(ref: Any, alarm_id: str) -> bytes:
    """The alarm is in the outbox, on the disk."""
    return _line({"frame": "kept", "ref": ref, "id": alarm_id})


def refused(reason: str, ref: Any = None) -> bytes:
    """The line was no frame."""
    return _line({"frame": "refused", "reason": reason, "ref": ref})


def announce(text: str, alarm: str | None) -> bytes:
    """Something for the wearer to hear, about one of their alarms."""
    return _line({"frame": "announce", "text": text, "alarm": alarm})


def _line(fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode(fields) + b"\n"
