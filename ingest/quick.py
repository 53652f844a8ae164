"""The quick way through a plain SenML pack. What is not plain is left to `senml.read_pack`, which says what is wrong.

Plain is: absolute times, one value in each record, `v` or `vb`, and no label that changes what others mean. What both
ways take, they take alike, to the microsecond; a test compares them.
"""

import math
from typing import Final

import msgspec

from telecare.senml import PACK_LIMIT, RELATIVE_BELOW

_LAST_S: Final = 253_402_300_799.0  # the calendar ends with the year 9999
_MUST_UNDERSTAND: Final = b'_"'  # RFC 8428 section 4.4: labels that end so

Quick = tuple[str, int, float | bool, str]  # device/measure, microseconds since 1970, value, unit or ""


class _Record(msgspec.Struct, gc=False):
    n: str = ""
    t: float = 0.0
    v: float | None = None
    vb: bool | None = None
    u: str = ""
    bn: str | None = None
    bt: float | None = None
    bu: str | None = None
    bv: float | None = None
    bver: object = None
    bs: object = None
    s: object = None
    vs: object = None
    vd: object = None


_DECODER: Final = msgspec.json.Decoder(list[_Record])


def read(payload: bytes) -> list[Quick] | None:
    """The readings of a plain pack; None where it is not plain."""
    found: list[Quick] = []
    name, begin, unit, base = "", 0.0, "", 0.0
    for r in _records(payload):
        # `senml` looks at the first five of these, and we do not.
        if not (r.bver is r.bs is r.s is r.vs is r.vd is None) or (r.v is None) is (r.vb is None):
            return None
        name = name if r.bn is None else r.bn
        begin = begin if r.bt is None else r.bt
        unit = unit if r.bu is None else r.bu
        base = base if r.bv is None else r.bv
        seconds = begin + r.t
        value: float | bool = bool(r.vb) if r.v is None else base + r.v
        if not RELATIVE_BELOW <= seconds <= _LAST_S or not math.isfinite(value):
            return None
        found.append((name + r.n, _microseconds(seconds), value, r.u or unit))
    return found or None


def _records(payload: bytes) -> list[_Record]:
    """The records of a pack; none where any of it is out of the ordinary."""
    if _MUST_UNDERSTAND in payload or b"null" in payload:
        return []
    try:
        records = _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return records if len(records) <= PACK_LIMIT else []


def _microseconds(seconds: float) -> int:
    """As `datetime.fromtimestamp` rounds."""
    fraction, whole = math.modf(seconds)
    return int(whole) * 1_000_000 + round(fraction * 1e6)


def fits(known_unit: str | None, value: float | bool, unit: str) -> bool:
    """Whether a value suits a measure: a truth value where it has no unit, else a number in its unit."""
    if known_unit is None:
        return value is True or value is False
    return value is not True and value is not False and (not unit or unit == known_unit)
