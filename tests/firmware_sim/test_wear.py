"""Worn or not, and a sensor that cannot be believed."""

import random

import pytest

from firmware_sim import trigger, wear
from firmware_sim.trigger import Sample
from firmware_sim.wear import Fault, WearState, Worn
from tests.firmware_sim.signals import FLAT, UP, Signal


def said(samples: list[Sample]) -> list[Worn | Fault]:
    state, found = WearState(), list[Worn | Fault]()
    for one in samples:
        state, one_said = wear.step(state, one)
        found += [one_said] if one_said else []
    return found


def noisy(signal: Signal, noise_g: float = 0.004) -> list[Sample]:
    rng = random.Random(1)
    made = (
        trigger.sample(t, *(n + rng.gauss(0, noise_g) for n in vector))
        for t, vector in zip(signal.times, signal.vectors, strict=True)
    )
    return [one for one in made if one is not None]


def test_left_on_a_table_it_is_not_worn_and_not_broken_and_put_on_again_it_is_worn() -> None:
    samples = noisy(Signal(20).hold(2400, FLAT).hold(60, UP, 1.0, 0.2))
    assert said(samples) == [Worn(False), Worn(True)]


def test_somebody_who_sleeps_and_turns_wears_it() -> None:
    signal = Signal(20)
    for _ in range(6):
        signal.hold(20 * 60, FLAT).hold(3, UP)
    assert said(noisy(signal)) == []


@pytest.mark.parametrize("scale", [9.81, 0.1])
def test_a_wrong_unit_is_a_fault_said_once(scale: float) -> None:
    samples = [Sample(t, *(round(n * scale) for n in xyz)) for t, *xyz in Signal().hold(300, UP, 1.0, 0.2).samples]
    assert said(samples) == [Fault("accelerometer-scale")]


def test_a_dead_axis_is_a_fault() -> None:
    samples = [one._replace(y=0) for one in noisy(Signal(50, (0.7, 0.2, 0.4)).hold(120, UP, 1.0, 0.6))]
    assert said(samples) == [Fault("accelerometer-axis")]


def test_a_saturated_axis_is_a_fault() -> None:
    samples = [one._replace(z=2000) for one in noisy(Signal(50).hold(120, UP, 1.0, 0.3))]
    assert [each for each in said(samples) if isinstance(each, Fault)] == [Fault("accelerometer-scale")]


def test_swapped_axes_are_no_fault() -> None:
    samples = [Sample(t, y, z, x) for t, x, y, z in noisy(Signal(50).hold(120, UP, 1.0, 0.3))]
    assert said(samples) == []


def test_running_is_no_fault() -> None:
    assert said(noisy(Signal(50).hold(300, UP, 1.2, 1.2, 2.5))) == []


def test_a_sensor_that_is_well_again_and_breaks_again_says_so_again() -> None:
    well, broken = noisy(Signal(50).hold(100, UP, 1.0, 0.3)), noisy(Signal(50).hold(100, UP, 3.0, 0.2))
    parts = [broken, well, broken]
    samples = [one._replace(t=one.t + 100_000 * part) for part, each in enumerate(parts) for one in each]
    assert said(samples) == [Fault("accelerometer-scale")] * 2
