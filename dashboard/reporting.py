"""Figures that may be shown outside the control room: small numbers hidden, estimates with their interval."""

from math import sqrt
from typing import Final

HIDDEN: Final = "[c]"  # confidential
_SMALL: Final = 7
_Z95: Final = 1.959964  # standard normal, two-sided 95 %


def disclosed(count: int) -> str:
    """A count as it may be shown: 0 as it is, 1 to 7 hidden, others to the nearest 5."""
    if count == 0:
        return "0"
    return HIDDEN if count <= _SMALL else str(5 * round(count / 5))


def share(part: int, whole: int) -> str:
    """A percentage with its 95 % Wilson interval; hidden where it stands on 7 cases or fewer."""
    if whole <= _SMALL:
        return HIDDEN if whole else "no alerts"
    low, high = wilson(part, whole)
    return f"{100 * part / whole:.1f}% ({100 * low:.1f} to {100 * high:.1f})"


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion."""
    p, z2 = part / whole, _Z95**2
    middle = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    half = _Z95 * sqrt(p * (1 - p) / whole + z2 / (4 * whole**2)) / (1 + z2 / whole)
    return max(0.0, middle - half), min(1.0, middle + half)
