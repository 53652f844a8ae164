"""Device frames (docs/frames.md): bytes to lines to frames, and the hub's answers. Plain functions, no I/O."""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard

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


@dataclass(frozen=True, slots=True)
class ImpactFrame:
    """What a pendant's trigger let through. Only `device` and `ref` matter for custody; the rest is taken as it is."""

    ref: Any
    device: str
    at: str | None
    window: str | None
    detector: str
    peak_g: float | None
    worn: bool | None
    worn_at: str | None

    @property
    def key(self) -> str | None:
        """As an alarm frame's."""
        return AlarmFrame(self.ref, {"device": self.device}).key


Frame = Hello | AlarmFrame | ImpactFrame | Reading


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
        case "impact":
            return _impact(raw)
        case "reading":
            return _reading(raw, now)
        case "hello":
            return Hello()
        case _:
            raise BadFrame("frame: not one of hello, alarm, impact, reading", raw.get("ref"))


def _impact(raw: dict[str, Any]) -> ImpactFrame:
    """Somebody may have fallen: a field that is odd is left out, and what is left is judged."""

    def of(name: str, kind: type[Any]) -> Any:
        value = raw.get(name)
        return value if isinstance(value, kind) else None

    peak_g = raw.get("peak_g")
    return ImpactFrame(
        ref=raw.get("ref"),
        device=str(raw.get("device")),
        at=of("at", str),
        window=of("window", str),
        detector=of("detector", str) or "",
        peak_g=peak_g if isinstance(peak_g, int | float) and not isinstance(peak_g, bool) else None,
        worn=of("worn", bool),
        worn_at=of("worn_at", str),
    )


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


def is_name(device: Any) -> TypeGuard[str]:
    """Whether readings can be of a device of this name."""
    return isinstance(device, str) and len(device) <= NAME_LIMIT and _NAME.fullmatch(device) is not None


def _reading(raw: dict[str, Any], now: datetime) -> Reading:
    device, measure, value = raw.get("device"), raw.get("measure"), raw.get("value")
    if not is_name(device):
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


def judged(ref: Any, verdict: str, alarm_id: str | None, prealarm_s: float) -> bytes:
    """What an impact is; with an id it is kept, and is sent after the pre-alarm unless it is taken back."""
    return _line({"frame": "judged", "ref": ref, "verdict": verdict, "id": alarm_id, "prealarm_s": prealarm_s})


def taken_back(ref: Any, alarm_id: str) -> bytes:
    """The fall was still in its pre-alarm, and is not sent."""
    return _line({"frame": "taken-back", "ref": ref, "id": alarm_id})


def refused(reason: str, ref: Any = None) -> bytes:
    """The line was no frame."""
    return _line({"frame": "refused", "reason": reason, "ref": ref})


def announce(text: str, alarm: str | None) -> bytes:
    """Something for the wearer to hear, about one of their alarms."""
    return _line({"frame": "announce", "text": text, "alarm": alarm})


def _line(fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode(fields) + b"\n"
