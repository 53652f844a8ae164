"""The movement around a blow, as alarms and impacts carry it (docs/integrators.md): text to moments and back.

Six seconds in `MOMENTS` moments of 40 ms, each with the mean of the three axes and the largest length of acceleration
within it, in thousandths of g. As text it is base64 of signed 16-bit integers, little end first, four a moment: 1,600
characters. `MISSING` in all four places says that there were no samples.
"""

import base64
import binascii
import struct
from collections.abc import Sequence
from typing import Any, Final

Moment = tuple[int, int, int, int]

MOMENTS: Final = 150
HZ: Final = 25  # moments a second
IMPACT: Final = 62  # the moment of the blow where nothing else is said
PLACES: Final = 4
MISSING: Final = -32768
_SHAPE: Final = struct.Struct(f"<{PLACES}h")
_CHARACTERS: Final = 4 * -(-MOMENTS * _SHAPE.size // 3)


class BadTrace(ValueError):
    """What is no trace."""


def encode(moments: Sequence[Moment | None]) -> str:
    """Moments as text; None is one without samples."""
    flat = [(MISSING,) * PLACES if moment is None else moment for moment in moments]
    return base64.b64encode(b"".join(_SHAPE.pack(*moment) for moment in flat)).decode()


def decode(text: Any) -> list[Moment | None]:
    """Text as moments; None is one without samples.

    Raises:
        BadTrace: it is not the base64 of as many integers.
    """
    if not isinstance(text, str) or len(text) != _CHARACTERS:
        raise BadTrace(f"not {_CHARACTERS} characters")
    try:
        packed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise BadTrace("not base64") from problem
    if len(packed) != MOMENTS * _SHAPE.size:
        raise BadTrace(f"{len(packed)} bytes instead of {MOMENTS * _SHAPE.size}")
    return [None if moment == (MISSING,) * PLACES else moment for moment in _SHAPE.iter_unpack(packed)]
