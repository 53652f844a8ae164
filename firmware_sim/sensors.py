"""The home's sensors: what they notice, and which of it is worth a frame. Plain values, no I/O, no clock.

A sensor lives on a battery, so it reports changes and, now and then, that nothing has changed.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from firmware_sim import frames
from firmware_sim.frames import AlarmFrame, ReadingFrame
from telecare.clock import format_instant
from telecare.vocabulary import Kind

Value = bool | float

MOTION_HOLD: Final = timedelta(seconds=20)  # a PIR is blind for a while after each report, to save its battery
TEMPERATURE_STEP_CEL: Final = 0.2  # the sensor's own repeatability; smaller changes are noise
TEMPERATURE_EVERY: Final = timedelta(minutes=30)  # unchanged values are told this often: silence is a signal
BATTERY_LOW_PERCENT: Final = 15.0  # weeks of life left: time to send a new battery
SMOKE_ALARM_DB_M: Final = 0.12  # optical density; the middle of what EN 14604 lets a smoke alarm respond at (0.05-0.20)
SMOKE_CLEAR_DB_M: Final = 0.05  # below it the air is clear, and the alarm may sound anew

SMOKE: Final = "smoke"  # what a smoke alarm's chamber sees, in dB/m: never sent as a reading


class Sensor(NamedTuple):
    """One measure of one device, as far as its reports depend on it."""

    device: str
    measure: str
    boot: str
    told: Value | None = None
    told_at: datetime | None = None
    alarms: int = 0
    alarming: bool = False


def sense(sensor: Sensor, value: Value, at: datetime) -> tuple[Sensor, tuple[ReadingFrame | AlarmFrame, ...]]:
    """The sensor notices `value`; returns what it sends."""
    sensor, alarm = _alarm(sensor, value, at)
    sent: tuple[ReadingFrame | AlarmFrame, ...] = (alarm,) if alarm else ()
    worth_telling = _WORTH_TELLING.get(sensor.measure, _changed)
    if worth_telling(sensor, value, at):
        sensor = sensor._replace(told=value, told_at=at)
        sent = (frames.reading(sensor.device, sensor.measure, value, at), *sent)
    return sensor, sent


def _alarm(sensor: Sensor, value: Value, at: datetime) -> tuple[Sensor, AlarmFrame | None]:
    threshold = _ALARMS.get(sensor.measure)
    if threshold is None:
        return sensor, None
    kind, alarms, clears = threshold
    if sensor.alarming:
        return sensor._replace(alarming=not clears(value)), None
    if not alarms(value):
        return sensor, None
    number = sensor.alarms + 1
    alarm = AlarmFrame(
        device=sensor.device,
        ref=frames.ref(sensor.device, f"{sensor.boot}-{sensor.measure}", number),
        kind=kind.value,
        at=format_instant(at),
        evidence={sensor.measure: value},
    )
    return sensor._replace(alarms=number, alarming=True), alarm


_ALARMS: Final[dict[str, tuple[Kind, Callable[[float], bool], Callable[[float], bool]]]] = {
    SMOKE: (Kind.SMOKE, lambda db_m: db_m >= SMOKE_ALARM_DB_M, lambda db_m: db_m < SMOKE_CLEAR_DB_M),
    "battery": (
        Kind.BATTERY_LOW,
        lambda percent: percent < BATTERY_LOW_PERCENT,
        lambda percent: percent > 2 * BATTERY_LOW_PERCENT,  # a new battery, not a warmer morning
    ),
}


def _changed(sensor: Sensor, value: Value, at: datetime) -> bool:
    return value != sensor.told


def _moved(sensor: Sensor, value: Value, at: datetime) -> bool:
    return value is True and (sensor.told_at is None or at - sensor.told_at >= MOTION_HOLD)


def _warmer_or_colder(sensor: Sensor, value: Value, at: datetime) -> bool:
    if sensor.told is None or sensor.told_at is None or at - sensor.told_at >= TEMPERATURE_EVERY:
        return True
    # Half of the last digit, so that 20.2 is a step from 20.0 in binary too.
    return abs(value - sensor.told) >= TEMPERATURE_STEP_CEL - 0.05


def _always(sensor: Sensor, value: Value, at: datetime) -> bool:
    return True


def _never(sensor: Sensor, value: Value, at: datetime) -> bool:
    return False


_WORTH_TELLING: Final[dict[str, Callable[[Sensor, Value, datetime], bool]]] = {
    "motion": _moved,
    "temperature": _warmer_or_colder,
    "battery": _always,
    SMOKE: _never,
}
