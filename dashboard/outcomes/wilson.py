"""The interval of a share."""

from math import sqrt
from typing import Final

_Z95: Final = 1.959964  # standard normal, two-sided 95 %


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion."""
    p, z2 = part / whole, _Z95**2
    middle = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    half = _Z95 * sqrt(p * (1 - p) / whole + z2 / (4 * whole**2)) / (1 + z2 / whole)
    return max(0.0, middle - half), min(1.0, middle + half)
