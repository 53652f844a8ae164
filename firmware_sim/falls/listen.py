"""A recorded trial through the pendant's trigger, as the pendant would have lived it."""

from dataclasses import dataclass

import numpy as np

from firmware_sim import trigger
from firmware_sim.recordings import Trial
from firmware_sim.trigger import TriggerState, Window
from gateway.falls.window import Floats, decode
from telecare.trace import BadTrace, encode


@dataclass(frozen=True, slots=True)
class Heard:
    """A window that the trigger let through, as the hub decodes it (None: it cannot); times in the trial's seconds."""

    window: Floats | None
    impact_s: float
    sent_s: float


def listen(trial: Trial) -> list[Heard]:
    """Every window of a trial. Its end flushes the trigger."""
    state, found = TriggerState(), list[tuple[Window, float]]()
    last_s = float(trial.t[-1])
    for sample in samples(trial):
        state, window = trigger.step(state, sample)
        if window is not None:
            found.append((window, sample.t / 1000))
    found += [(window, last_s) for window in trigger.flush(state)]
    return [Heard(_over_the_air(window), window.at / 1000, sent_s) for window, sent_s in found]


def _over_the_air(window: Window) -> Floats | None:
    try:
        return decode(encode(window.moments))
    except BadTrace:
        return None


def samples(trial: Trial) -> list[trigger.Sample]:
    """The samples as the accelerometer's registers would hold them; those with a number that is none are left out."""
    finite = np.isfinite(trial.t) & np.isfinite(trial.a).all(axis=1)
    times = np.rint(trial.t[finite] * 1000).astype(np.int64)
    registers = np.clip(np.rint(trial.a[finite] * 1000), -trigger.LIMIT_MG, trigger.LIMIT_MG).astype(np.int64)
    return [trigger.Sample(t, x, y, z) for t, (x, y, z) in zip(times.tolist(), registers.tolist(), strict=True)]


def impact_s(trial: Trial) -> float:
    """When the largest length was; the first of them, if it was clipped. Seconds of the recording."""
    lengths = np.linalg.norm(np.nan_to_num(trial.a, posinf=0, neginf=0), axis=1)
    return float(trial.t[int(lengths.argmax())])
