"""The pendant's trigger: what of a day of acceleration is worth the hub's second look (docs/falls.md).

A streaming pure function with a small memory of fixed size (`STATE_BYTES`), in whole numbers only, as a microcontroller
without floating point (Cortex-M0+) would do it: acceleration in thousandths of g, time in milliseconds. It works in
moments of 40 ms, so that the sampling rate (20 to 200 Hz) hardly matters, and on lengths, so that it does not matter
how the pendant hangs. Recall comes first: it lets through nearly every fall, and many a step on the stairs.
"""

import math
from typing import Final, NamedTuple

DETECTOR: Final = "pendant-2.0"

MOMENT_MS: Final = 40  # 25 a second: an impact of the body lasts 50 to 200 ms; at 20 Hz a gap is filled here and there
LEAD: Final = 62  # moments of a window before the impact: 2.5 s, of which the fall itself takes up to one
TAIL: Final = 87  # ... and after it: 3.5 s, in which one who stumbled walks on and one who sat down heavily moves
WINDOW: Final = LEAD + 1 + TAIL  # moments: 6 s
IMPACT_MG: Final = 1450  # the mean of a moment; brisk walking is about there, softly slumping to a mat just above
AGAIN: Final = 25  # moments: a second blow within 1 s of an impact is the same fall (hips, then hands, then head)
FILL: Final = 10  # moments: up to 0.4 s without samples are filled with a straight line; longer ones stay empty
FORGET: Final = 250  # moments: after 10 s without samples the past says nothing about the present

# What a working accelerometer shows on average over a window, in thousandths of g: 1000 at rest, 1300 while running.
# Outside of it the unit, the scale or an axis is wrong, and what looks like a blow is none.
LEAST_MEAN_MG: Final = 600
MOST_MEAN_MG: Final = 1700

LIMIT_MG: Final = 32767  # what 16 bits hold
# In C: a ring of WINDOW moments of three axes and a peak (16 bits each), and, in 32 bits, the moment being summed
# (7), the impact that is waited for (4), the moment last judged.
STATE_BYTES: Final = WINDOW * 4 * 2 + (7 + 4 + 1) * 4

Moment = tuple[int, int, int, int]  # the mean of each axis and the largest length, in thousandths of g


class Sample(NamedTuple):
    """One reading: milliseconds on the pendant's own clock, and thousandths of g, gravity included."""

    t: int
    x: int
    y: int
    z: int


class Window(NamedTuple):
    """Six seconds around an impact: what the hub judges.

    `moments` has `WINDOW` places, 40 ms each, with None where there were no samples; the impact is at place `LEAD`.
    `at` is when the largest length was (ms, the samples' clock), and `peak` how large (thousandths of g).
    """

    at: int
    peak: int
    moments: tuple[Moment | None, ...]


class _Sum(NamedTuple):
    """The moment that is being summed."""

    number: int = -1  # the time divided by MOMENT_MS; -1: none yet
    samples: int = 0
    x: int = 0
    y: int = 0
    z: int = 0
    square: int = 0  # the largest length so far, squared
    at: int = 0  # ... and when it was


class _Impact(NamedTuple):
    """The hardest blow of those that were not judged yet."""

    number: int
    square: int  # the length of its moment's mean, squared
    peak_square: int  # the largest length of a sample within the moment, squared
    at: int


class TriggerState(NamedTuple):
    """All that the trigger remembers."""

    now: _Sum = _Sum()
    ring: tuple[Moment | None, ...] = ()  # the last moments, the newest last
    impact: _Impact | None = None
    judged: int = -AGAIN  # the number of the last moment that was judged as an impact


_FLOOR: Final = IMPACT_MG * IMPACT_MG


def sample(t_s: float, x_g: float, y_g: float, z_g: float) -> Sample | None:
    """A sample as the accelerometer's registers would hold it; None where a number is none."""
    if not math.isfinite(t_s + x_g + y_g + z_g):
        return None
    return Sample(round(t_s * 1000), _register(x_g), _register(y_g), _register(z_g))


def _register(g: float) -> int:
    return max(-LIMIT_MG, min(LIMIT_MG, round(g * 1000)))


def step(state: TriggerState, one: Sample) -> tuple[TriggerState, Window | None]:
    """Take one sample.

    A sample that comes late, from a moment that is over, is passed over. After a long gap, and where the clock was put
    back far, it begins afresh, with the window of an impact that was waited for as far as it goes.
    """
    t, x, y, z = one
    number, count, sx, sy, sz, most, at = state[0]
    square = x * x + y * y + z * z
    this = t // MOMENT_MS
    if this == number:
        if square > most:
            most, at = square, t
        return TriggerState(_Sum(number, count + 1, sx + x, sy + y, sz + z, most, at), *state[1:]), None
    begun = _Sum(this, 1, x, y, z, square, t)
    if number < 0 or abs(this - number) > FORGET:
        return TriggerState(begun), next(iter(flush(state)), None)
    if this < number:
        return state, None
    state, window = _ended(state)
    return _skipped(state, begun), window


def flush(state: TriggerState) -> tuple[Window, ...]:
    """No more samples will come: the windows of the impacts that are still waited for, as far as they go."""
    if state.now.number < 0:
        return ()
    newest = state.now.number
    state, window = _ended(state)
    found = [window]
    impact = state.impact
    while impact is not None:
        found.append(_window(state.ring, newest, impact))
        impact = _hardest(state.ring, newest, impact.number + AGAIN)
    return tuple(window for window in found if window is not None)


def _ended(state: TriggerState) -> tuple[TriggerState, Window | None]:
    """The moment that was summed is over."""
    number, count, sx, sy, sz, most, at = state.now
    x, y, z = sx // count, sy // count, sz // count
    ring = (*state.ring[-WINDOW + 1 :], (x, y, z, min(LIMIT_MG, math.isqrt(most))))
    square = x * x + y * y + z * z
    impact = state.impact
    if square >= _FLOOR and number - state.judged >= AGAIN and (impact is None or square > impact.square):
        impact = _Impact(number, square, most, at)
    state = TriggerState(state.now, ring, impact, state.judged)
    return _due(state, number)


def _due(state: TriggerState, number: int) -> tuple[TriggerState, Window | None]:
    """Hand over the window of an impact whose tail is complete, and look for the next in what came since."""
    impact = state.impact
    if impact is None or number - impact.number < TAIL:
        return state, None
    window = _window(state.ring, number, impact)
    state = TriggerState(state.now, state.ring, _hardest(state.ring, number, impact.number + AGAIN), impact.number)
    return state, window


def _hardest(ring: tuple[Moment | None, ...], newest: int, since: int) -> _Impact | None:
    """The hardest blow among the newest moments, from the number `since` on."""
    found: _Impact | None = None
    for number in range(max(since, newest - len(ring) + 1), newest + 1):
        moment = ring[number - newest - 1]
        if moment is None:
            continue
        x, y, z, peak = moment
        square = x * x + y * y + z * z
        if square >= _FLOOR and (found is None or square > found.square):
            found = _Impact(number, square, peak * peak, number * MOMENT_MS + MOMENT_MS // 2)
    return found


def _skipped(state: TriggerState, begun: _Sum) -> TriggerState:
    """Moments without a sample between the last and the new one."""
    missing = begun.number - state.now.number - 1
    if missing == 0:
        return TriggerState(begun, *state[1:])
    filled: tuple[Moment | None, ...] = (None,) * min(missing, WINDOW)
    before = state.ring[-1]
    if missing <= FILL and before is not None:
        filled = tuple(_between(before, begun, part, missing + 1) for part in range(1, missing + 1))
    return TriggerState(begun, (*state.ring, *filled)[-WINDOW:], *state[2:])


def _between(before: Moment, after: _Sum, part: int, parts: int) -> Moment:
    x, y, z, peak = before
    after_peak = math.isqrt(after.square)
    return (
        x + (after.x - x) * part // parts,
        y + (after.y - y) * part // parts,
        z + (after.z - z) * part // parts,
        peak + (after_peak - peak) * part // parts,
    )


def _window(ring: tuple[Moment | None, ...], newest: int, impact: _Impact) -> Window | None:
    """The six seconds around an impact; None where the accelerometer cannot be believed."""
    oldest = newest - len(ring) + 1
    places = range(impact.number - LEAD, impact.number + TAIL + 1)
    moments = tuple(ring[number - oldest] if oldest <= number <= newest else None for number in places)
    lengths = [math.isqrt(x * x + y * y + z * z) for x, y, z, _ in filter(None, moments)]
    if not lengths or not LEAST_MEAN_MG <= sum(lengths) // len(lengths) <= MOST_MEAN_MG:  # none: a gap has eaten them
        return None
    return Window(impact.at, min(LIMIT_MG, math.isqrt(impact.peak_square)), moments)
