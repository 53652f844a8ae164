"""The six seconds around a fall, out of what a hub sent: plain numbers, or None where they cannot be read.

A hub may send anything: nothing here raises.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from telecare.trace import HZ, IMPACT, MISSING, MOMENTS, BadTrace, Moment, decode

_MG: Final = 1000

# Tried on SisFall's recordings at the waist, through the pendant's trigger: by this, the person lies still in about two
# of three windows of falls, and in one of five of daily living (of 241 and of 999 windows).
STILL_G: Final = 0.1  # RMS around the mean of a second
STILL_MOMENTS: Final = HZ
_BEGINS_G: Final = 2 * STILL_G  # further from the mean than this, a moment still belongs to the blow

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time in seconds after the blow."""

    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Trace:
    """The movement around a blow, for a picture and a sentence."""

    lengths_g: tuple[float | None, ...]  # the largest length of acceleration within each moment; None: no samples
    impact: int  # the moment of the blow
    still: tuple[Span, ...]  # a second or more with hardly any movement, after the blow

    @property
    def blow_g(self) -> float:
        """How hard the blow was."""
        return self.lengths_g[self.impact] or 0.0

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.lengths_g) / HZ

    @property
    def end_s(self) -> float:
        """When it ends, in seconds after the blow."""
        return self.at_s(len(self.lengths_g))

    def at_s(self, moment: int) -> float:
        """When a moment begins, in seconds after the blow."""
        return (moment - self.impact) / HZ

    @property
    def gaps(self) -> tuple[Span, ...]:
        """Where there were no samples."""
        empty = _runs([length is None for length in self.lengths_g])
        return tuple(Span(self.at_s(begin), self.at_s(end)) for begin, end in empty)


def read_trace(evidence: Any) -> Trace | None:
    """The trace of a fall alarm's evidence; None where there is none, or none that can be one.

    `trace_hz` and `trace_impact` may be absent; what they say must fit.
    """
    if not isinstance(evidence, dict) or not _is(evidence.get("trace_hz", HZ), HZ):
        return None
    impact = evidence.get("trace_impact", IMPACT)
    if isinstance(impact, bool) or not isinstance(impact, int) or not 0 <= impact < MOMENTS:
        return None
    moments = _moments(evidence.get("trace"))
    if moments is None or moments[impact] is None:
        return None
    lengths = tuple(None if moment is None else moment[3] / _MG for moment in moments)
    means = [None if moment is None else _in_g(moment) for moment in moments]
    return Trace(lengths, impact, tuple(_stillness(means, impact)))


def _is(value: Any, expected: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == expected


def _moments(written: Any) -> list[Moment | None] | None:
    try:
        moments = decode(written)
    except BadTrace:
        return None
    # A length below nothing, or an axis without the others, is no movement.
    wrong = any(moment is not None and (MISSING in moment or moment[3] < 0) for moment in moments)
    return None if wrong else moments


def _in_g(moment: Sequence[int]) -> Vector:
    x, y, z = moment[:3]
    return x / _MG, y / _MG, z / _MG


def _stillness(means: Sequence[Vector | None], impact: int) -> Iterator[Span]:
    """Every stretch after the blow in which each second is still."""
    still = [False] * len(means)
    lying = False
    for begin in range(impact + 1, len(means) - STILL_MOMENTS + 1):
        distances = _from_their_mean(means[begin : begin + STILL_MOMENTS])
        quiet = distances is not None and math.sqrt(sum(d * d for d in distances) / len(distances)) <= STILL_G
        lying = quiet and (lying or (distances is not None and distances[0] <= _BEGINS_G))
        if lying:
            still[begin : begin + STILL_MOMENTS] = [True] * STILL_MOMENTS
    for begin, end in _runs(still):
        yield Span((begin - impact) / HZ, (end - impact) / HZ)


def _from_their_mean(second: Sequence[Vector | None]) -> list[float] | None:
    """How far each moment of a second is from the mean of all, in g; None where a moment has no samples."""
    known = [moment for moment in second if moment is not None]
    if len(known) < len(second):
        return None
    mean = [sum(axis) / len(known) for axis in zip(*known, strict=True)]
    return [math.dist(moment, mean) for moment in known]


def _runs(marked: Sequence[bool]) -> Iterator[tuple[int, int]]:
    begin: int | None = None
    for place, mark in enumerate([*marked, False]):
        if mark and begin is None:
            begin = place
        elif not mark and begin is not None:
            yield begin, place
            begin = None


# ---------------------------------------------------------------- in words


def sentence(trace: Trace) -> str:
    """The picture in words, for those who cannot see it."""
    parts = [f"a blow of {trace.blow_g:.1f} g"]
    if trace.still:
        parts.append(f"still {' and '.join(_from_to(span, trace.end_s) for span in trace.still)}")
    elif trace.end_s >= STILL_MOMENTS / HZ and not any(gap.end_s > 0 for gap in trace.gaps):
        parts.append("not still for a whole second afterwards")
    else:
        parts.append("whether it was still afterwards cannot be told")
    if unknown := sum(gap.end_s - gap.begin_s for gap in trace.gaps):
        parts.append(f"nothing was measured for {unknown:.1f} seconds of it")
    return f"Acceleration over {trace.seconds:.0f} seconds: {'; '.join(parts)}."


def _from_to(span: Span, end_s: float) -> str:
    begin = f"{span.begin_s:.1f}" if span.begin_s >= 0.1 else ""  # "0.0 seconds" is no way to say it
    if span.end_s >= end_s:
        return f"from {f'{begin} seconds' if begin else 'right'} after it until the end"
    return f"from {begin or 'the blow'} to {span.end_s:.1f} seconds after it"


def _timed(trace: Trace) -> Iterator[tuple[float, float | None]]:
    for moment, length in enumerate(trace.lengths_g):
        yield trace.at_s(moment), length


@dataclass(frozen=True, slots=True)
class Row:
    """Half a second of the table that says the same as the picture."""

    when: str
    most_g: str
    what: str


def table(trace: Trace) -> list[Row]:
    """Every half second from the first to the last moment; the last row takes what little is left after it."""
    first, last = math.floor(trace.at_s(0) * 2), max(1, round(trace.end_s * 2))
    return [_row(trace, half / 2, (half + 1) / 2, half == last - 1) for half in range(first, last)]


def _row(trace: Trace, begin_s: float, end_s: float, is_last: bool) -> Row:
    lengths = [length for at_s, length in _timed(trace) if begin_s <= at_s and (at_s < end_s or is_last)]
    known = [length for length in lengths if length is not None]
    what = []
    if begin_s <= 0 < end_s:
        what.append("the blow")
    if any(span.begin_s <= begin_s and span.end_s >= min(end_s, trace.end_s) for span in trace.still):
        what.append("still")
    elif any(span.begin_s < end_s and span.end_s > begin_s for span in trace.still):
        what.append("partly still")
    if len(known) < len(lengths):
        what.append("not all of it measured" if known else "nothing measured")
    when = f"{abs(begin_s):g} to {abs(end_s):g} s {'after' if begin_s >= 0 else 'before'}"
    return Row(when, f"{max(known):.1f}" if known else "–", ", ".join(what))
