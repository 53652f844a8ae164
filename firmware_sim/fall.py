"""A simple fall detector: an impact, then lying still in another posture than before.

A pure function of samples with a small memory of fixed size. It works in moments of a quarter of a second, so that the
sampling rate (20 to 200 Hz) hardly matters, and it compares directions, so that
it does not matter how the pendant hangs.
"""

import math
from typing import Any, Final, NamedTuple

DETECTOR: Final = "pendant-0.1"

MOMENT_S: Final = 0.25  # long enough for five samples at 20 Hz, short enough to tell an impact from what follows
IMPACT_G: Final = 2.4  # brisk walking stays below; most falls go above, also from a chair and sampled at 20 Hz
ONE_EVENT_S: Final = 2.0  # impacts closer than this are one event: hips, then hands, then head
SETTLE_S: Final = 0.5  # after an impact the body still rolls and the cord still swings
WINDOW_S: Final = 10.0  # someone who lies still only later than this after the impact lay down by themselves
STILL_G: Final = 0.15  # RMS around the mean of a moment; breathing is a tenth of it, any step is over it
STILL_S: Final = 2.0  # standing up again or picking up a dropped pendant interrupts sooner
STILL_AT_END_S: Final = 1.0  # at the end of a recording, where there is no more to wait for
TURN_DEG: Final = 45.0  # half-way from standing to lying; bending down or sitting heavily turns less, and turns back
BEFORE_MOMENTS: Final = 10  # 2.5 s: how far back the posture before the impact is looked for ...
FALLING_MOMENTS: Final = 3  # ... leaving out the last 0.75 s, in which the body was falling already
LEAST_GRAVITY_G: Final = 0.2  # a mean shorter than this has no direction worth the name
GAP_S: Final = 1.0  # samples further apart than this do not belong to one moment

Vector = tuple[float, float, float]
NOWHERE: Final[Vector] = (0.0, 0.0, 0.0)


class Sample(NamedTuple):
    """One reading of the accelerometer: seconds on the device's own clock, and acceleration in g, gravity included."""

    t: float
    ax: float
    ay: float
    az: float


class FallDetected(NamedTuple):
    """A fall: when the hardest impact was (seconds, the samples' clock) and what it was concluded from."""

    t: float
    peak_g: float
    turn_deg: float
    still_s: float

    @property
    def evidence(self) -> dict[str, Any]:
        """As the alarm carries it."""
        return {
            "detector": DETECTOR,
            "peak_g": round(self.peak_g, 2),
            "turn_deg": round(self.turn_deg),
            "still_s": round(self.still_s, 2),
        }


class Moment(NamedTuple):
    """A quarter of a second of samples, summed."""

    start: float
    last: float
    samples: int
    total: Vector
    total_of_squares: float
    peak_t: float
    peak_square: float

    @property
    def mean(self) -> Vector:
        x, y, z = self.total
        return (x / self.samples, y / self.samples, z / self.samples)

    @property
    def rms(self) -> float:
        """How far the samples are from their mean, in g."""
        x, y, z = self.mean
        return math.sqrt(max(0.0, self.total_of_squares / self.samples - x * x - y * y - z * z))


class Impact(NamedTuple):
    """An impact, and the stillness since."""

    first_t: float
    last_t: float
    peak_t: float
    peak_g: float
    before: Vector
    still_moments: int = 0
    still_sum: Vector = NOWHERE

    @property
    def turn_deg(self) -> float:
        """The angle between the posture before and the posture of the stillness, in degrees."""
        if self.still_moments == 0:
            return 0.0
        x, y, z = self.still_sum
        return _angle_deg(self.before, (x / self.still_moments, y / self.still_moments, z / self.still_moments))


class FallState(NamedTuple):
    """All that the detector remembers."""

    moment: Moment | None = None
    before: tuple[Vector, ...] = ()
    impact: Impact | None = None


def step(state: FallState, sample: Sample) -> tuple[FallState, FallDetected | None]:
    """Take one sample, in order of time.

    A sample that is not finite is passed over; a time that goes back starts afresh.
    """
    t, x, y, z = sample
    square = x * x + y * y + z * z
    if not math.isfinite(square + t):
        return state, None
    moment = state.moment
    if moment is None:
        return state._replace(moment=_begin(sample, square)), None
    if t < moment.last:
        return FallState(moment=_begin(sample, square)), None
    if t - moment.last > GAP_S:
        impact = state.impact and state.impact._replace(still_moments=0, still_sum=NOWHERE)
        return FallState(_begin(sample, square), state.before, impact), None
    if t - moment.start < MOMENT_S:
        return state._replace(moment=_add(moment, sample, square)), None
    return _complete(state, moment, _begin(sample, square))


def flush(state: FallState) -> FallDetected | None:
    """The verdict when no more samples will come: less stillness is enough."""
    if state.moment is not None:
        state, fall = _complete(state, state.moment, None)
        if fall is not None:
            return fall
    return _verdict(state.impact, STILL_AT_END_S)


def _begin(sample: Sample, square: float) -> Moment:
    t, x, y, z = sample
    return Moment(t, t, 1, (x, y, z), square, t, square)


def _add(moment: Moment, sample: Sample, square: float) -> Moment:
    t, x, y, z = sample
    start, _, count, (sx, sy, sz), squares, peak_t, peak_square = moment
    if square > peak_square:
        peak_t, peak_square = t, square
    return Moment(start, t, count + 1, (sx + x, sy + y, sz + z), squares + square, peak_t, peak_square)


def _complete(state: FallState, moment: Moment, following: Moment | None) -> tuple[FallState, FallDetected | None]:
    """Judge a moment that is over."""
    if moment.peak_square >= IMPACT_G * IMPACT_G:
        impact: Impact | None = _hit(state, moment)
    else:
        impact = _after(state.impact, moment)
    fall = _verdict(impact, STILL_S)
    before = (*state.before, moment.mean)[-BEFORE_MOMENTS:]
    return FallState(following, before, None if fall else impact), fall


def _hit(state: FallState, moment: Moment) -> Impact:
    peak_g, known = math.sqrt(moment.peak_square), state.impact
    if known is None or moment.peak_t - known.last_t > ONE_EVENT_S:
        upright = state.before[:-FALLING_MOMENTS] or state.before or (moment.mean,)
        return Impact(moment.peak_t, moment.peak_t, moment.peak_t, peak_g, _mean(upright))
    if peak_g > known.peak_g:
        known = known._replace(peak_t=moment.peak_t, peak_g=peak_g)
    return known._replace(last_t=moment.peak_t, still_moments=0, still_sum=NOWHERE)


def _after(impact: Impact | None, moment: Moment) -> Impact | None:
    if impact is None or moment.start - impact.first_t > WINDOW_S:
        return None
    if moment.start - impact.last_t < SETTLE_S:
        return impact
    if moment.rms > STILL_G:
        return impact._replace(still_moments=0, still_sum=NOWHERE)
    (sx, sy, sz), (x, y, z) = impact.still_sum, moment.mean
    return impact._replace(still_moments=impact.still_moments + 1, still_sum=(sx + x, sy + y, sz + z))


def _verdict(impact: Impact | None, still_s: float) -> FallDetected | None:
    if impact is None or impact.still_moments * MOMENT_S < still_s or impact.turn_deg < TURN_DEG:
        return None
    return FallDetected(impact.peak_t, impact.peak_g, impact.turn_deg, impact.still_moments * MOMENT_S)


def _mean(vectors: tuple[Vector, ...]) -> Vector:
    x, y, z = (sum(axis) / len(vectors) for axis in zip(*vectors, strict=True))
    return (x, y, z)


def _angle_deg(one: Vector, other: Vector) -> float:
    length, other_length = math.hypot(*one), math.hypot(*other)
    if min(length, other_length) < LEAST_GRAVITY_G:
        return 0.0
    cosine = (one[0] * other[0] + one[1] * other[1] + one[2] * other[2]) / (length * other_length)
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
