"""Six seconds of acceleration around an impact, as a pendant sends them and as the model takes them.

A window is `MOMENTS` moments of 40 ms, each with the mean of the three axes and the largest length within it, in
thousandths of g; the impact is at moment `IMPACT`. On the wire it is base64 of signed 16-bit integers, little end
first, four a moment: 1,600 characters. `MISSING` in all four says that there were no samples.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOMENTS: Final = 150
MOMENT_S: Final = 0.04
IMPACT: Final = 62
FIELDS: Final = 4
MISSING: Final = -32768
LEAST_SEEN: Final = 25  # moments; less than a second of samples is no window to judge


class BadWindow(ValueError):
    """Text that is no window."""


def encode(moments: Sequence[tuple[int, int, int, int] | None]) -> str:
    """A pendant's window as text."""
    flat = [(MISSING,) * FIELDS if moment is None else moment for moment in moments]
    return base64.b64encode(np.asarray(flat, dtype="<i2").tobytes()).decode()


def decode(text: str) -> Floats:
    """A window in g, (`MOMENTS`, `FIELDS`), with NaN where there were no samples.

    Raises:
        BadWindow: it is not base64 of as many integers, or less than a second of it was seen, or not the impact.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise BadWindow("not base64") from problem
    if len(raw) != MOMENTS * FIELDS * 2:
        raise BadWindow(f"{len(raw)} bytes instead of {MOMENTS * FIELDS * 2}")
    whole = np.frombuffer(raw, dtype="<i2").reshape(MOMENTS, FIELDS)
    seen = ~(whole == MISSING).all(axis=1)
    if seen.sum() < LEAST_SEEN or not seen[IMPACT]:
        raise BadWindow(f"only {seen.sum()} moments with samples, or no impact among them")
    return np.where(seen[:, None], whole / 1000.0, np.nan)
