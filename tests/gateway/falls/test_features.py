"""What the model looks at does not depend on how the pendant hangs, and is there whatever is missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gateway.falls import features
from gateway.falls.window import IMPACT, MOMENTS, Floats
from tests.firmware_sim.signals import UP, Signal, windows


def window(signal: Signal) -> Floats:
    (found,) = windows(signal.samples)
    return np.array([moment or (np.nan,) * 4 for moment in found.moments], float) / 1000


def fallen(rate_hz: float = 50) -> Floats:
    return window(Signal(rate_hz).hold(5, UP, 1.0, 0.1).fall())


def named(one: Floats) -> dict[str, float]:
    return dict(zip(features.NAMES, features.matrix(one[None])[0].tolist(), strict=True))


@settings(max_examples=30)
@given(st.integers(0, 2**31))
def test_a_turned_pendant_gives_the_same(seed: int) -> None:
    made = fallen()
    turned = made.copy()
    turned[:, :3] = Rotation.random(random_state=seed).apply(made[:, :3])
    without_axes = {"at_the_top"}  # counts what is at the end of the range, which axes have
    for name, value in named(made).items():
        if name not in without_axes:
            assert named(turned)[name] == pytest.approx(value, rel=1e-6, abs=1e-4, nan_ok=True), name


@pytest.mark.parametrize("rate_hz", [20, 25, 33, 100, 200])
def test_the_sampling_rate_hardly_matters(rate_hz: float) -> None:
    one, other = named(fallen(50)), named(fallen(rate_hz))
    for name in ("blow_peak", "blow_length"):
        assert other[name] == pytest.approx(one[name], rel=0.35), name
    for name in ("turn_end", "turn_most"):
        assert other[name] == pytest.approx(one[name], abs=10), name
    assert other["moves_rest"] < 0.05


def test_they_mean_what_they_say() -> None:
    fall = named(fallen())
    assert fall["turn_end"] == pytest.approx(90, abs=3)
    assert fall["drop_least"] == pytest.approx(0.2, abs=0.05)
    assert fall["drop_speed"] == pytest.approx(-0.4 * 0.8, abs=0.1)  # g x s: 0.4 s with a fifth of one's weight
    stamped = named(window(Signal().hold(5, UP, 1.0, 0.3).hold(0.1, UP, 4.0).hold(9, UP, 1.0, 0.3)))
    assert stamped["turn_end"] < 10
    assert stamped["moves_rest"] > fall["moves_rest"]
    assert stamped["steps_after"] > 3


@settings(max_examples=60)
@given(st.integers(0, 2**31), st.floats(0, 1))
def test_gaps_never_stop_it(seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    made = fallen()
    made[rng.random(MOMENTS) < missing] = np.nan
    made[IMPACT] = (0, 0, 4, 4)
    found = features.matrix(made[None])
    assert found.shape == (1, len(features.NAMES))
    assert not np.isinf(found).any()


def test_many_at_once_are_as_each_alone() -> None:
    both = np.stack([fallen(), fallen(20)])
    together = features.matrix(both)
    for place in (0, 1):
        assert together[place] == pytest.approx(features.matrix(both[place : place + 1])[0], nan_ok=True)


def test_none_gives_none() -> None:
    assert features.matrix(np.empty((0, MOMENTS, 4))).shape == (0, len(features.NAMES))
