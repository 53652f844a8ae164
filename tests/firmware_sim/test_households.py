"""Simulated people: the same from the same seed, and plausible."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from firmware_sim import households
from firmware_sim.frames import AlarmFrame, ReadingFrame
from firmware_sim.households import LONDON, Event
from firmware_sim.sensors import SMOKE, Sensor, sense
from firmware_sim.simulate import Life, Wish
from telecare.vocabulary import BOOLEAN_MEASURES, MEASURES

DAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def day(home: int, on: date = DAY, seed: int = 1) -> list[Event]:
    return list(households.live_day(seed, home, on))


def test_the_same_seed_gives_the_same_people_and_days() -> None:
    assert households.household(1, 7) == households.household(1, 7)
    assert day(7) == day(7)
    assert households.household(1, 7) != households.household(2, 7)
    assert day(7) != day(8)


@pytest.mark.parametrize("home", range(1, 30))
def test_a_home_is_one_that_the_register_takes(home: int) -> None:
    made = households.household(1, home)
    assert made.address
    assert made.key_safe_code
    assert 1 <= len(made.people) <= 2
    for person in made.people:
        assert person.born is not None
        assert 70 <= DAY.year - person.born.year <= 99
        assert 1 <= len(person.contacts) <= 3
        # Numbers that Ofcom keeps free for drama: nobody is rung by mistake.
        assert all(contact.phone.startswith(("01632 960", "07700 900")) for contact in person.contacts)
    worn = [device.person for device in made.devices if device.kind == "pendant"]
    assert worn == list(range(len(made.people)))


@pytest.mark.parametrize("on", [DAY, date(2026, 3, 29), date(2026, 10, 25)], ids=["ordinary", "23 hours", "25 hours"])
def test_a_day_is_in_order_and_of_the_right_length(on: date) -> None:
    begin, end = households.midnight(on), households.midnight(on + timedelta(days=1))
    for home in range(1, 10):
        events = day(home, on)
        assert all(a.at <= b.at for a, b in pairwise(events))
        assert begin <= events[0].at
        assert events[-1].at < end + timedelta(hours=2)  # someone may be up past midnight
        assert {event.measure for event in events} <= MEASURES
        assert all(isinstance(event.value, bool) == (event.measure in BOOLEAN_MEASURES) for event in events)


def test_people_sleep_at_night_and_move_by_day() -> None:
    by_hour = [0] * 24
    for home in range(1, 20):
        for event in day(home):
            if event.measure == "motion":
                by_hour[event.at.astimezone(LONDON).hour] += 1
    assert sum(by_hour[1:5]) < sum(by_hour[9:13]) / 5
    assert min(by_hour[10:20]) > 0


@pytest.mark.parametrize("home", range(1, 6))
def test_nights_are_spent_in_bed(home: int) -> None:
    three = datetime(2026, 11, 24, 3, tzinfo=LONDON)
    nights = [
        event.value
        for night in range(14)
        for event in households.current_state(1, home, three + timedelta(days=night))
        if event.measure == "occupied"
    ]
    assert nights.count(True) > 0.8 * len(nights) > 0  # but for a trip to the bathroom


def test_faster_days_end_now_and_never_run_ahead() -> None:
    life = Life.of(Wish(homes=1, seed=1, days=2, speed=1000), NOW)
    end = NOW + timedelta(days=2) / 1000
    assert life.wait_s(end, NOW) == pytest.approx(2 * 86_400 / 1000)
    assert life.wait_s(life.starts, NOW) == 0


# ---------------------------------------------------------------- sensors


def test_motion_is_told_and_then_held() -> None:
    sensor = Sensor("pir-hall", "motion", "boot")
    sensor, first = sense(sensor, True, NOW)
    sensor, again = sense(sensor, True, NOW + timedelta(seconds=5))
    sensor, later = sense(sensor, True, NOW + timedelta(seconds=30))
    assert [len(first), len(again), len(later)] == [1, 0, 1]


def test_a_door_tells_changes_only() -> None:
    sensor = Sensor("door-front", "open", "boot")
    told = []
    for minute, value in enumerate([False, False, True, True, False]):
        sensor, frames = sense(sensor, value, NOW + timedelta(minutes=minute))
        told += [frame.value for frame in frames if isinstance(frame, ReadingFrame)]
    assert told == [False, True, False]


def test_smoke_alarms_once_until_the_air_is_clear() -> None:
    sensor = Sensor("smoke-1", SMOKE, "boot")
    alarms = []
    for minute, density in enumerate([0.0, 0.2, 0.3, 0.01, 0.2]):
        sensor, frames = sense(sensor, density, NOW + timedelta(minutes=minute))
        alarms += [frame for frame in frames if isinstance(frame, AlarmFrame)]
    assert [alarm.kind for alarm in alarms] == ["smoke", "smoke"]
    assert alarms[0].ref != alarms[1].ref


def test_a_low_battery_is_an_alarm_once() -> None:
    sensor = Sensor("pendant-1", "battery", "boot")
    kinds = []
    for days, percent in enumerate([20.0, 14.0, 13.0, 12.0]):
        sensor, frames = sense(sensor, percent, NOW + timedelta(days=days))
        kinds += [frame.kind for frame in frames if isinstance(frame, AlarmFrame)]
    assert kinds == ["battery-low"]
