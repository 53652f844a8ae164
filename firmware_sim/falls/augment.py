"""Recorded trials as other devices, worn by the same people, might have felt them.

No recording has every rate, range and mounting. What is drawn here (a lower rate, a smaller range, a wrong gain and
offset, a swing on a cord, a recording that begins late or ends early) is what the detector must not care about.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from firmware_sim.falls.listen import impact_s
from firmware_sim.recordings import Trial
from gateway.falls.window import Floats

RATES_HZ: Final = (20.0, 25.0, 33.0, 50.0, 100.0)
RANGES_G: Final = (2.0, 2.0, 3.0, 4.0, 8.0, 16.0)  # a quarter to a third of cheap devices have two
GAIN: Final = 0.07  # +- of the scale, as accelerometers drift apart with age and temperature
OFFSET_G: Final = 0.02
CROPPED: Final = 0.4  # the share of recordings that are cut to the movement, as SmartFallMM's are
CROP_S: Final = (0.8, 4.0)  # how much is left on either side of the impact
SWINGS: Final = 0.25  # the share that hangs on a cord
SWING_DEG: Final = 20.0  # as far as it swings at most
SWING_HZ: Final = (0.8, 1.5)  # a cord of 15 to 40 cm
FEWER: Final = 1.3  # a rate is only lowered where there are so many times as many samples


def augmented(trial: Trial, rng: np.random.Generator) -> Trial:
    """The trial as another device would have recorded it."""
    trial = _slower(trial, float(rng.choice(RATES_HZ)))
    a = trial.a
    if rng.random() < SWINGS:
        a = _swung(trial.t, a, rng)
    span = float(rng.choice(RANGES_G))
    a = np.clip(a * rng.uniform(1 - GAIN, 1 + GAIN) + rng.normal(0, OFFSET_G, 3), -span, span)
    trial = replace(trial, a=a)
    if rng.random() < CROPPED:
        trial = _cropped(trial, rng.uniform(*CROP_S), rng.uniform(*CROP_S))
    return trial


def _slower(trial: Trial, rate_hz: float) -> Trial:
    """Every so many samples, without a filter, as a cheap device does it."""
    count = len(trial.t)
    apart = (count - 1) / max(trial.length_s, 1e-3) / rate_hz
    if apart < FEWER:
        return trial
    kept = np.unique(np.rint(np.arange(0, count - 1, apart)).astype(int))
    return replace(trial, t=trial.t[kept], a=trial.a[kept])


def _swung(t: Floats, a: Floats, rng: np.random.Generator) -> Floats:
    """The device turns to and fro about an axis while it is moved."""
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    most = np.radians(rng.uniform(0, SWING_DEG))
    angle = most * np.sin(2 * np.pi * rng.uniform(*SWING_HZ) * t + rng.uniform(0, 2 * np.pi))
    angle = angle * np.clip(np.abs(np.linalg.norm(a, axis=1) - 1) * 4, 0.1, 1)  # one who lies still does not swing
    along = (a @ axis)[:, None] * axis
    across = np.cross(axis, a)
    turned: Floats = along + (a - along) * np.cos(angle)[:, None] + across * np.sin(angle)[:, None]
    return turned


def _cropped(trial: Trial, before_s: float, after_s: float) -> Trial:
    at = impact_s(trial)
    kept: npt.NDArray[np.bool_] = (trial.t >= at - before_s) & (trial.t <= at + after_s)
    return replace(trial, t=trial.t[kept], a=trial.a[kept]) if kept.sum() > 1 else trial


def seeded(seed: int, names: Sequence[str]) -> np.random.Generator:
    """A generator that depends on the seed and the names alone, whatever else is drawn and in which order."""
    return np.random.default_rng([seed, *"/".join(names).encode()])
