"""The pendant's trigger: no blow is missed, whatever the device; no broken sensor is a blow."""

import math
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware_sim import pendant, trigger, wear
from firmware_sim.trigger import LEAD, WINDOW, Sample, TriggerState
from tests.firmware_sim.signals import FLAT, UP, Signal, windows

angles = st.floats(-math.pi, math.pi)
number = st.floats(allow_nan=True, allow_infinity=True, width=32)


@settings(max_examples=40)
@given(st.sampled_from([20, 25, 32, 50, 100, 200]), st.tuples(angles, angles, angles))
def test_a_fall_is_let_through_at_any_rate_and_however_the_pendant_hangs(
    rate_hz: float, turned: tuple[float, float, float]
) -> None:
    (window,) = windows(Signal(rate_hz, turned).hold(5, UP, 1.0, 0.1).fall().samples)
    assert window.at / 1000 == pytest.approx(5.45, abs=0.15)
    assert window.peak / 1000 == pytest.approx(4.0, abs=0.1)
    assert len(window.moments) == WINDOW
    lengths = [math.hypot(*moment[:3]) if moment else 0.0 for moment in window.moments]
    assert max(lengths) == lengths[LEAD]


@pytest.mark.parametrize(
    "signal",
    [
        Signal().hold(60, UP, 1.0, 0.3),
        Signal().hold(5, UP).hold(2, FLAT).hold(30, FLAT),
        Signal().hold(0.5, UP),
        Signal(),
        Signal().hold(3600, FLAT),
    ],
    ids=["walks", "lies down", "short", "empty", "on a table"],
)
def test_what_is_no_blow_is_not_let_through(signal: Signal) -> None:
    assert windows(signal.samples) == []


def test_the_end_of_a_recording_gives_what_is_there() -> None:
    (window,) = windows(Signal().hold(1, UP).hold(0.4, UP, 0.2).hold(0.1, FLAT, 4.0).hold(0.5, FLAT).samples)
    seen = [moment is not None for moment in window.moments]
    assert 40 < sum(seen) < 60
    assert not seen[0]
    assert seen[LEAD]
    assert not seen[-1]


def test_a_stumble_does_not_hide_the_fall_after_it() -> None:
    signal = Signal().hold(5, UP).hold(0.1, UP, 4.5).hold(2.5, UP).hold(0.4, UP, 0.2).hold(0.1, FLAT, 3.0).hold(9, FLAT)
    assert [round(window.at / 1000) for window in windows(signal.samples)] == [5, 8]


def test_an_hour_of_running_needs_no_more_memory_than_a_minute() -> None:
    state = TriggerState()
    for one in Signal(50).hold(120, UP, 1.3, 1.2, 2.5).samples:
        state, _ = trigger.step(state, one)
        assert len(state.ring) <= WINDOW
    assert pendant.STATE_BYTES <= 8 * 1024


@settings(max_examples=50)
@given(st.lists(st.tuples(number, number, number, number), max_size=200))
@example([(0.0, 0.0, 0.0, 2.0), (6.0, 0.0, 0.0, 0.0)])  # nothing but a gap is left of the seconds around the blow
def test_any_samples_are_taken(samples: list[tuple[float, float, float, float]]) -> None:
    made = [one for each in samples if (one := trigger.sample(*each)) is not None]
    for window in windows(made):
        assert len(window.moments) == WINDOW
    state = wear.WearState()
    for one in made:
        state, _ = wear.step(state, one)


@pytest.mark.parametrize("gap_s", [0.2, 1.0, 3.0, 30.0])
def test_a_gap_is_no_blow_and_the_fall_after_it_is_found(gap_s: float) -> None:
    early, late = Signal().hold(5, UP).samples, Signal().hold(2, UP).fall().samples
    shifted = [one._replace(t=one.t + 5000 + round(gap_s * 1000)) for one in late]
    (window,) = windows([*early, *shifted])
    assert window.at / 1000 == pytest.approx(7.45 + gap_s, abs=0.15)


def test_a_gap_longer_than_the_memory_still_gives_the_window_before_it() -> None:
    fallen = Signal().hold(5, UP).hold(0.4, UP, 0.2).hold(0.1, FLAT, 4.0).hold(1, FLAT).samples
    late = [one._replace(t=one.t + 60_000) for one in Signal().hold(5, FLAT).samples]
    assert len(windows([*fallen, *late])) == 1


def test_late_samples_are_passed_over() -> None:
    samples = Signal().hold(5, UP).fall().samples
    late = [one._replace(x=9000) for one in samples[50:60]]
    assert windows([*samples[:120], *late, *samples[120:]]) == windows(samples)


def test_a_burst_with_one_time_is_one_moment() -> None:
    samples = [one._replace(t=one.t // 200 * 200) for one in Signal(50).hold(5, UP).fall().samples]
    assert len(windows(samples)) == 1


@pytest.mark.parametrize("scale", [9.81, 0.05])
def test_a_wrong_unit_is_never_a_blow(scale: float) -> None:
    samples = [Sample(t, *(round(n * scale) for n in xyz)) for t, *xyz in Signal().hold(30, UP, 1.0, 0.5).samples]
    assert windows(samples) == []


def test_a_saturated_axis_is_never_a_blow() -> None:
    assert windows([one._replace(z=2000) for one in Signal().hold(60, UP, 1.0, 0.3).samples]) == []


def test_the_firmware_needs_no_library() -> None:
    """What would run on a coin-cell device does not ask for more than whole numbers and their square root."""
    for module in (trigger, wear):
        assert {name for name in vars(module) if name in sys.stdlib_module_names} <= {"math"}
