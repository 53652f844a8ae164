"""Accelerations drawn piece by piece, for the pendant's firmware and for the detector."""

import math

import numpy as np

from firmware_sim import trigger
from firmware_sim.recordings import Trial
from firmware_sim.trigger import Sample, TriggerState, Window

Vector = tuple[float, float, float]
UP: Vector = (0.0, 1.0, 0.0)
FLAT: Vector = (0.0, 0.0, 1.0)


class Signal:
    """Accelerations in g at a rate, as the device hangs."""

    def __init__(self, rate_hz: float = 50, turned: Vector = (0.0, 0.0, 0.0)) -> None:
        self.rate_hz, self.turned = rate_hz, turned
        self.times, self.vectors = list[float](), list[Vector]()

    def hold(self, seconds: float, direction: Vector, g: float = 1.0, swing: float = 0.0, hz: float = 2.0) -> "Signal":
        """`g` in a direction, swinging by `swing` g `hz` times a second."""
        for _ in range(round(seconds * self.rate_hz)):
            t = len(self.times) / self.rate_hz
            size = g + swing * math.sin(2 * math.pi * hz * t)
            x, y, z = direction
            self.times.append(t)
            self.vectors.append(turn((x * size, y * size, z * size), self.turned))
        return self

    def fall(self) -> "Signal":
        """Weightless, then the ground, then lying."""
        return self.hold(0.4, UP, 0.2).hold(0.1, FLAT, 4.0).hold(0.3, FLAT, 1.0, 0.3, 5).hold(6, FLAT, 1.0, 0.02)

    @property
    def samples(self) -> list[Sample]:
        """As the accelerometer's registers hold them."""
        made = (trigger.sample(t, *vector) for t, vector in zip(self.times, self.vectors, strict=True))
        return [one for one in made if one is not None]

    def trial(self, is_fall: bool = False, position: str = "waist", subject: str = "S1", trial: str = "r1") -> Trial:
        """As a recording."""
        t, a = np.array(self.times), np.array(self.vectors).reshape(-1, 3)
        return Trial(subject, "A1", trial, position, t, a, "drawn", "young", is_fall)


def turn(v: Vector, angles: Vector) -> Vector:
    """Rotate about the three axes, in radians."""
    x, y, z = v
    a, b, c = angles
    y, z = y * math.cos(a) - z * math.sin(a), y * math.sin(a) + z * math.cos(a)
    x, z = x * math.cos(b) + z * math.sin(b), -x * math.sin(b) + z * math.cos(b)
    return (x * math.cos(c) - y * math.sin(c), x * math.sin(c) + y * math.cos(c), z)


def windows(samples: list[Sample]) -> list[Window]:
    """Every window that the trigger lets through, the last ones included."""
    state, found = TriggerState(), list[Window]()
    for one in samples:
        state, window = trigger.step(state, one)
        found += [window] if window else []
    return [*found, *trigger.flush(state)]
