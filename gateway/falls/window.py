"""Six seconds of acceleration around an impact, as the model takes them: a trace (`telecare.trace`) in g."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from telecare import trace
from telecare.trace import MISSING, PLACES, BadTrace

Floats = npt.NDArray[np.float64]

MOMENTS: Final = trace.MOMENTS
MOMENT_S: Final = 1 / trace.HZ
IMPACT: Final = trace.IMPACT
FIELDS: Final = PLACES
LEAST_SEEN: Final = 25  # moments; less than a second of samples is no window to judge


def decode(text: Any) -> Floats:
    """A window in g, (`MOMENTS`, `FIELDS`), with NaN where there were no samples.

    Raises:
        BadTrace: it is no trace, or less than a second of it was seen, or not the impact.
    """
    moments = trace.decode(text)
    seen = sum(moment is not None for moment in moments)
    if seen < LEAST_SEEN or moments[IMPACT] is None:
        raise BadTrace(f"only {seen} moments with samples, or no impact among them")
    whole = np.array([(MISSING,) * PLACES if moment is None else moment for moment in moments])
    return np.where((whole == MISSING).all(axis=1)[:, None], np.nan, whole / 1000.0)
