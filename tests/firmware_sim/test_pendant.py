"""The pendant as a whole: its button in and out of a pre-alarm, and the frames it sends."""

from datetime import UTC, datetime

from firmware_sim import pendant
from firmware_sim.frames import AlarmFrame, ImpactFrame, ReadingFrame
from firmware_sim.pendant import Frame, Pendant
from firmware_sim.trigger import Sample
from gateway.falls.window import IMPACT, decode
from tests.firmware_sim.signals import FLAT, UP, Signal

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
WORN = Pendant("pendant-1", "b", worn_at="waist")


def lived(samples: list[Sample]) -> list[Frame]:
    worn, sent = WORN, list[Frame]()
    for one in samples:
        worn, said = pendant.feel(worn, one, NOW)
        sent += said
    return [*sent, *pendant.rest(worn, NOW)[1]]


def test_a_press_calls_for_help() -> None:
    _, frame = pendant.press(WORN, NOW)
    assert (frame.kind, frame.evidence) == ("button", {})


def test_a_long_press_calls_for_help_as_well() -> None:
    _, frame = pendant.press(WORN, NOW, held_s=5.0)
    assert (frame.kind, frame.evidence) == ("button", {"press": "long"})


def test_in_a_pre_alarm_a_long_press_takes_the_fall_back_and_the_next_one_calls() -> None:
    beeping = pendant.heard(WORN, "pre-alarm", "id-1")
    quiet, frame = pendant.press(beeping, NOW, held_s=2.0)
    assert (frame.kind, frame.evidence) == ("cancel", {"cancels": "id-1"})
    _, frame = pendant.press(quiet, NOW, held_s=2.0)
    assert frame.kind == "button"


def test_in_a_pre_alarm_a_short_press_calls() -> None:
    beeping = pendant.heard(WORN, "pre-alarm", "id-1")
    after, frame = pendant.press(beeping, NOW)
    assert frame.kind == "button"
    assert after.prealarm is None


def test_what_is_announced_of_another_alarm_does_not_end_the_pre_alarm() -> None:
    beeping = pendant.heard(WORN, "pre-alarm", "id-1")
    assert pendant.heard(beeping, "closed", "id-0").prealarm == "id-1"
    assert pendant.heard(beeping, "help-is-coming", "id-1").prealarm is None


def test_a_fall_is_sent_to_the_hub_as_a_window() -> None:
    (frame,) = lived(Signal().hold(5, UP).fall().samples)
    assert isinstance(frame, ImpactFrame)
    assert (frame.device, frame.worn, frame.worn_at, frame.peak_g) == ("pendant-1", True, "waist", 4.0)
    assert frame.at.startswith("2026-11-25T12:00:05.4")
    assert decode(frame.window)[IMPACT, 3] == 4.0


def test_a_broken_accelerometer_says_so_and_falls_no_more() -> None:
    frames = lived([Sample(t, x * 3, y * 3, z * 3) for t, x, y, z in Signal().hold(60, UP).fall().samples])
    assert [frame.kind for frame in frames if isinstance(frame, AlarmFrame)] == ["fault"]
    assert not any(isinstance(frame, ImpactFrame) for frame in frames)


def test_taken_off_is_a_reading() -> None:
    (frame,) = lived(Signal(20).hold(1900, FLAT).samples)
    assert isinstance(frame, ReadingFrame)
    assert (frame.measure, frame.value) == ("worn", False)
