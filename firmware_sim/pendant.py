"""Pendant firmware: a button, a way to take an alarm back, and an accelerometer that is listened to for falls.

Plain values: each function takes the pendant and returns it as it is afterwards, with the frame to send, if any.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from firmware_sim import fall, frames
from firmware_sim.fall import FallDetected, FallState, Sample
from firmware_sim.frames import AlarmFrame
from telecare.clock import format_instant
from telecare.vocabulary import Kind


class Pendant(NamedTuple):
    """A pendant. `boot` is different at each power-up, so that its alarms are never taken for earlier ones."""

    device: str
    boot: str
    alarms: int = 0
    motion: FallState = FallState()


def raise_alarm(
    pendant: Pendant, kind: Kind, at: datetime, evidence: dict[str, Any] | None = None
) -> tuple[Pendant, AlarmFrame]:
    """An alarm of any kind."""
    number = pendant.alarms + 1
    frame = AlarmFrame(
        device=pendant.device,
        ref=frames.ref(pendant.device, pendant.boot, number),
        kind=kind.value,
        at=format_instant(at),
        evidence=evidence or {},
    )
    return pendant._replace(alarms=number), frame


def press(pendant: Pendant, at: datetime) -> tuple[Pendant, AlarmFrame]:
    """The wearer presses the button."""
    return raise_alarm(pendant, Kind.BUTTON, at)


def cancel(pendant: Pendant, alarm_id: str, at: datetime) -> tuple[Pendant, AlarmFrame]:
    """The wearer says "I'm fine" about an alarm that the hub has kept under `alarm_id`."""
    return raise_alarm(pendant, Kind.CANCEL, at, {"cancels": alarm_id})


def feel(pendant: Pendant, sample: Sample, zero: datetime) -> tuple[Pendant, AlarmFrame | None]:
    """One sample of the accelerometer, whose `t` counts in seconds from `zero`."""
    motion, fallen = fall.step(pendant.motion, sample)
    pendant = pendant._replace(motion=motion)
    return _fallen(pendant, fallen, zero) if fallen else (pendant, None)


def rest(pendant: Pendant, zero: datetime) -> tuple[Pendant, AlarmFrame | None]:
    """No more samples will come: judge by what there is, and begin afresh."""
    fallen = fall.flush(pendant.motion)
    pendant = pendant._replace(motion=FallState())
    return _fallen(pendant, fallen, zero) if fallen else (pendant, None)


def _fallen(pendant: Pendant, fallen: FallDetected, zero: datetime) -> tuple[Pendant, AlarmFrame]:
    return raise_alarm(pendant, Kind.FALL, zero + timedelta(seconds=fallen.t), fallen.evidence)
