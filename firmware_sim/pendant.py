"""Pendant firmware: a button, an accelerometer that is listened to for falls, and whether it is worn.

Plain values: each function takes the pendant and returns it as it is afterwards, with the frames to send, if any.

The button: a press calls for help. While the hub and the pendant beep about a fall (the pre-alarm, 20 s), holding it
for `LONG_PRESS_S` takes the fall back and a short press sends for help at once; at any other time a long press is a
call for help like a short one, for somebody may hold on to it in fear.
"""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from firmware_sim import frames, trigger, wear
from firmware_sim.frames import AlarmFrame, ImpactFrame, ReadingFrame
from firmware_sim.trigger import Sample, TriggerState, Window
from firmware_sim.wear import Fault, WearState, Worn
from telecare.clock import format_instant
from telecare.trace import encode
from telecare.vocabulary import Kind

LONG_PRESS_S: Final = 2.0
STATE_BYTES: Final = trigger.STATE_BYTES + wear.STATE_BYTES  # of 8 KiB that the part has for it

Frame = AlarmFrame | ImpactFrame | ReadingFrame


class Pendant(NamedTuple):
    """A pendant. `boot` is different at each power-up, so that its alarms are never taken for earlier ones."""

    device: str
    boot: str
    alarms: int = 0
    motion: TriggerState = TriggerState()
    wear: WearState = WearState()
    prealarm: str | None = None  # the fall that can be taken back, by the hub's id for it
    worn_at: str | None = None  # where such a pendant is worn, where that is known


def raise_alarm(
    pendant: Pendant, kind: Kind, at: datetime, evidence: dict[str, Any] | None = None
) -> tuple[Pendant, AlarmFrame]:
    """An alarm of any kind."""
    pendant, ref = _ref(pendant)
    frame = AlarmFrame(device=pendant.device, ref=ref, kind=kind.value, at=format_instant(at), evidence=evidence or {})
    return pendant, frame


def press(pendant: Pendant, at: datetime, held_s: float = 0.2) -> tuple[Pendant, AlarmFrame]:
    """The wearer presses the button for so many seconds."""
    if held_s < LONG_PRESS_S:
        return raise_alarm(pendant._replace(prealarm=None), Kind.BUTTON, at)
    if pendant.prealarm is None:
        return raise_alarm(pendant, Kind.BUTTON, at, {"press": "long"})
    return cancel(pendant._replace(prealarm=None), pendant.prealarm, at)


def cancel(pendant: Pendant, alarm_id: str, at: datetime) -> tuple[Pendant, AlarmFrame]:
    """The wearer says "I'm fine" about an alarm that the hub has kept under `alarm_id`."""
    return raise_alarm(pendant, Kind.CANCEL, at, {"cancels": alarm_id})


def heard(pendant: Pendant, text: str, alarm: str | None) -> Pendant:
    """The hub announces something: a pre-alarm begins, or something else came of that alarm."""
    if text == "pre-alarm":
        return pendant._replace(prealarm=alarm)
    return pendant._replace(prealarm=None) if alarm == pendant.prealarm else pendant


def feel(pendant: Pendant, sample: Sample, zero: datetime) -> tuple[Pendant, list[Frame]]:
    """One sample of the accelerometer, whose `t` counts in milliseconds from `zero`."""
    motion, window = trigger.step(pendant.motion, sample)
    worn, said = wear.step(pendant.wear, sample)
    device, boot, alarms, _, _, prealarm, worn_at = pendant
    pendant = Pendant(device, boot, alarms, motion, worn, prealarm, worn_at)  # _replace takes as long as all the rest
    sent: list[Frame] = []
    if window is not None and not worn.faulty:
        pendant, frame = _impact(pendant, window, zero)
        sent.append(frame)
    if said is not None:
        pendant, frame_or_reading = _said(pendant, said, zero + timedelta(milliseconds=sample.t))
        sent.append(frame_or_reading)
    return pendant, sent


def rest(pendant: Pendant, zero: datetime) -> tuple[Pendant, list[Frame]]:
    """No more samples will come: judge by what there is, and begin afresh."""
    sent: list[Frame] = []
    for window in trigger.flush(pendant.motion):
        pendant, frame = _impact(pendant, window, zero)
        sent.append(frame)
    return pendant._replace(motion=TriggerState(), wear=WearState()), sent


def _impact(pendant: Pendant, window: Window, zero: datetime) -> tuple[Pendant, ImpactFrame]:
    pendant, ref = _ref(pendant)
    return pendant, ImpactFrame(
        device=pendant.device,
        ref=ref,
        at=format_instant(zero + timedelta(milliseconds=window.at)),
        detector=trigger.DETECTOR,
        peak_g=window.peak / 1000,
        worn=pendant.wear.worn,
        worn_at=pendant.worn_at,
        window=encode(window.moments),
    )


def _said(pendant: Pendant, said: Worn | Fault, at: datetime) -> tuple[Pendant, AlarmFrame | ReadingFrame]:
    if isinstance(said, Worn):
        return pendant, frames.reading(pendant.device, "worn", said.worn, at)
    return raise_alarm(pendant, Kind.FAULT, at, {"fault": said.fault})


def _ref(pendant: Pendant) -> tuple[Pendant, str]:
    number = pendant.alarms + 1
    return pendant._replace(alarms=number), frames.ref(pendant.device, pendant.boot, number)
