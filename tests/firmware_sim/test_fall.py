"""The fall detector: falls in, falls out; a life without falls in, nothing out."""

import math
import sys
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim import fall
from firmware_sim.fall import FallDetected, FallState, Sample
from firmware_sim.recordings import Wanted, read_trials
from tests.conftest import SHARED_DATA

SISFALL = SHARED_DATA / "sisfall_waist.parquet"
Vector = tuple[float, float, float]
UP: Vector = (0.0, 1.0, 0.0)
FLAT: Vector = (0.0, 0.0, 1.0)


def detect(samples: Iterable[Sample]) -> list[FallDetected]:
    """Every fall in a recording, its end included."""
    state, falls = FallState(), []
    for sample in samples:
        state, found = fall.step(state, sample)
        falls += [found] if found else []
    last = fall.flush(state)
    return falls + ([last] if last else [])


class Signal:
    """Draws accelerations piece by piece, at a rate, as the device hangs."""

    def __init__(self, rate_hz: float = 50, turned: Vector = (0.0, 0.0, 0.0)) -> None:
        self.rate_hz, self.turned, self.samples = rate_hz, turned, list[Sample]()

    def hold(self, seconds: float, direction: Vector, g: float = 1.0, swing: float = 0.0, hz: float = 2.0) -> "Signal":
        """`g` in a direction, swinging by `swing` g `hz` times a second."""
        for _ in range(round(seconds * self.rate_hz)):
            t = len(self.samples) / self.rate_hz
            size = g + swing * math.sin(2 * math.pi * hz * t)
            self.samples.append(
                Sample(t, *turn((direction[0] * size, direction[1] * size, direction[2] * size), self.turned))
            )
        return self

    def fall(self) -> "Signal":
        """Weightless, then the ground, then lying."""
        return self.hold(0.4, UP, 0.2).hold(0.1, FLAT, 4.0).hold(0.3, FLAT, 1.0, 0.3, 5).hold(6, FLAT, 1.0, 0.02)


def turn(v: Vector, angles: Vector) -> Vector:
    """Rotate about the three axes, in radians."""
    x, y, z = v
    a, b, c = angles
    y, z = y * math.cos(a) - z * math.sin(a), y * math.sin(a) + z * math.cos(a)
    x, z = x * math.cos(b) + z * math.sin(b), -x * math.sin(b) + z * math.cos(b)
    return (x * math.cos(c) - y * math.sin(c), x * math.sin(c) + y * math.cos(c), z)


angles = st.floats(-math.pi, math.pi)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([20, 25, 32, 50, 100, 200]), st.tuples(angles, angles, angles))
def test_a_fall_is_found_at_any_rate_and_however_the_pendant_hangs(rate_hz: float, turned: Vector) -> None:
    falls = detect(Signal(rate_hz, turned).hold(5, UP, 1.0, 0.1).fall().samples)
    assert len(falls) == 1
    assert falls[0].t == pytest.approx(5.45, abs=0.15)
    assert falls[0].peak_g == pytest.approx(4.0, abs=0.1)
    assert falls[0].turn_deg > 80


@pytest.mark.parametrize(
    "signal",
    [
        Signal().hold(60, UP, 1.0, 0.5),
        Signal().hold(10, UP).hold(0.1, UP, 3.5).hold(10, UP),
        Signal().hold(10, UP).hold(0.2, UP, 3.0).hold(10, UP, 1.0, 0.6),
        Signal().hold(5, UP).hold(2, FLAT).hold(30, FLAT),
        Signal().hold(5, UP).hold(0.5, UP, 0.05).hold(0.1, FLAT, 5.0).hold(1.0, FLAT).hold(10, UP, 1.0, 0.3),
        Signal().hold(30, UP, 1.0, 2.0, 2.0),
        Signal().hold(0.5, UP),
        Signal(),
    ],
    ids=[
        "walks",
        "sits down hard",
        "stamps and walks on",
        "lies down",
        "dropped and picked up",
        "jumps",
        "short",
        "empty",
    ],
)
def test_a_life_without_falls_raises_nothing(signal: Signal) -> None:
    assert detect(signal.samples) == []


def test_a_fall_at_the_end_of_a_recording_is_found() -> None:
    assert len(detect(Signal().hold(5, UP).hold(0.4, UP, 0.2).hold(0.1, FLAT, 4.0).hold(2.0, FLAT).samples)) == 1


def test_two_falls_are_two() -> None:
    assert len(detect(Signal().hold(5, UP).fall().hold(20, UP, 1.0, 0.2).fall().samples)) == 2


number = st.floats(allow_nan=True, allow_infinity=True, width=32)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(number, number, number, number), max_size=200))
def test_any_samples_are_taken_and_the_memory_stays_small(samples: list[tuple[float, float, float, float]]) -> None:
    state = FallState()
    for sample in samples:
        state, found = fall.step(state, Sample(*sample))
        assert found is None or math.isfinite(found.t)
        assert len(state.before) <= fall.BEFORE_MOMENTS
    assert _numbers(state) < 8 * 1024 // 8  # in doubles: far below a coin-cell device's 8 KiB


def _numbers(value: object) -> int:
    return sum(map(_numbers, value)) if isinstance(value, tuple) else 1


@pytest.mark.skipif(not SISFALL.exists(), reason="needs ../shared/data/sisfall_waist.parquet")
class TestRecorded:
    """Recorded people (SisFall, waist). Later detectors are judged on people they have not seen; this one is simple."""

    def falls(self, subject: str, activity: str) -> Iterator[list[FallDetected]]:
        for trial in read_trials([SISFALL], Wanted(subject=subject, activity=activity)):
            yield detect(trial.samples)

    def test_every_recorded_fall_of_the_example_is_found(self) -> None:
        found = [len(falls) for falls in self.falls("SA01", "F05")]
        assert found == [1] * 5

    def test_a_recorded_walk_raises_nothing(self) -> None:
        found = list(self.falls("SA01", "D01"))
        assert found
        assert not any(found)


def test_the_detector_needs_no_library() -> None:
    """What would run on a coin-cell device does not ask for more than arithmetic."""
    assert {name for name in vars(fall) if name in sys.stdlib_module_names} <= {"math"}
