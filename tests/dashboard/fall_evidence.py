"""Evidence of falls as a hub sends it, made by hand: standing, a blow, and what is asked for afterwards."""

import base64
import math
import struct
from collections.abc import Sequence
from typing import Any

Moment = tuple[int, int, int, int]
NOTHING: Moment = (-32768, -32768, -32768, -32768)


def pack(moments: Sequence[Sequence[int]]) -> str:
    """Moments as the trace of an alarm."""
    return base64.b64encode(b"".join(struct.pack("<4h", *moment) for moment in moments)).decode()


def movement(*, still_after: int = 30, blow_mg: int = 3400, moments: int = 150) -> list[Moment]:
    """Six seconds: walking, a blow at moment 62, rolling about for `still_after` moments, then lying still."""
    made = []
    for n in range(moments):
        sway = round(250 * math.sin(n))
        if n < 62:
            made.append((sway, 0, 1000, 1000 + abs(sway)))
        elif n == 62:
            made.append((1500, 900, 900, blow_mg))
        elif n < 62 + still_after:
            made.append((900, 3 * sway, 300, 1200 + abs(sway)))
        else:
            made.append((990, 10 * (n % 2), 60, 1005))
    return made


def fall(**changes: Any) -> dict[str, Any]:
    """The evidence of a plain fall. A value of None leaves the field out."""
    whole = {
        "detector": "pendant-2.0", "model": "falls-1", "outcome": "fall", "probability": 0.93, "peak_g": 3.4,
        "reasons": ["lies in another posture than before", "a hard blow", "stayed still afterwards"],
        "worn": True, "trace": pack(movement()), "trace_hz": 25, "trace_impact": 62,
    } | changes  # fmt: skip
    return {name: value for name, value in whole.items() if value is not None}
