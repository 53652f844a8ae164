"""Intervals for shares and rates, as they are usually given."""

import math
from typing import Final

from scipy.stats import chi2

Z: Final = 1.959963984540054  # 95 %, both sides

Interval = tuple[float, float]


def share(hits: int, of: int) -> float | None:
    """A share; None of nothing."""
    return hits / of if of else None


def wilson(hits: int, of: int) -> Interval | None:
    """Wilson's 95 % score interval of a share (Wilson, JASA 1927, 22:209); None of nothing."""
    if of == 0:
        return None
    p, square = hits / of, Z * Z
    middle = (p + square / (2 * of)) / (1 + square / of)
    half = Z * math.sqrt(p * (1 - p) / of + square / (4 * of * of)) / (1 + square / of)
    return (max(0.0, middle - half), min(1.0, middle + half))


def garwood(events: int, hours: float) -> Interval | None:
    """Garwood's exact 95 % interval of a Poisson rate (Garwood, Biometrika 1936, 28:437), an hour; None of no time."""
    if hours <= 0:
        return None
    low = chi2.ppf(0.025, 2 * events) / 2 if events else 0.0
    return (float(low) / hours, float(chi2.ppf(0.975, 2 * events + 2)) / 2 / hours)
