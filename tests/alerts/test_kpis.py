"""The figures of a day written by hand, each reckoned by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.kpis import Case, Chatter, Facts, Flooded, Lengths, Load, Presence, Share, Signal, Standing, figures
from telecare.vocabulary import Cause, Kind, Priority

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
DAY = timedelta(days=1)


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return MIDNIGHT + timedelta(hours=hour, minutes=minute, seconds=second)


def case(raised_at: datetime, answer_s: float | None = 20.0, level: int = 2, **more: Any) -> Case:
    given = {"closed_at": raised_at + timedelta(minutes=30), "cause": Cause.ACCIDENTAL} | more
    return Case(level=Priority(level), raised_at=raised_at, answer_s=answer_s, **given)


NOTHING = Facts((), 0, (), (), ())

# A day with eight alerts of people, two of equipment.
CASES = [
    # A fall at seven, on the floor since half past six as she says; heard after 3 min, up at a quarter past eight.
    case(at(7), 30.0, 1, cause=Cause.FALL_ON_FLOOR, sent=True, arrived_at=at(7, 45), floor_since=at(6, 30),
         spoken_at=at(7, 3), lifted_at=at(8, 15)),
    # A fall at nine: heard at once, up after 20 min, and the responder took exactly an hour.
    case(at(9), 60.0, 1, cause=Cause.FALL_ON_FLOOR, sent=True, arrived_at=at(10), floor_since=at(9),
         spoken_at=at(9, 1), lifted_at=at(9, 20)),
    # Somebody of whom nobody wrote down that they came, nor when he was up.
    case(at(11), 60.5, 1, cause=Cause.FALL_ON_FLOOR, sent=True, floor_since=at(11)),
    # A visit that took 61 minutes.
    case(at(12), 180.0, sent=True, arrived_at=at(13, 1), cause=Cause.REASSURANCE),
    case(at(13), 181.0),
    case(at(14), 10.0),
    case(at(15), None),  # closed without being claimed: not answered in time
    case(at(16), 20.0, 3),
]  # fmt: skip
# Pendant-1 presses three times within a minute; pir-1 three times, but within 61 s; twelve alarms in one window of ten
# minutes with one operator, twenty-four in one with two of whom each has twelve; and one power cut of the equipment.
SIGNALS = [
    *(Signal(at(7, 0, second), "h-1 pendant-1", Kind.BUTTON) for second in (0, 30, 60 - 1)),
    *(Signal(at(8) + timedelta(seconds=second), "h-2 pir-1", Kind.INACTIVITY) for second in (0, 30, 61)),
    *(Signal(at(9, 0, 5 * n), f"h-{n} pendant-1", Kind.BUTTON) for n in range(12)),
    *(Signal(at(9, 10, 2 * n), f"h-{n + 12} pendant-1", Kind.BUTTON) for n in range(22)),
    *(Signal(at(9, minute), "h-50 hub", Kind.MAINS_LOST) for minute in (30, 31, 32)),
]
PRESENCES = [Presence(at(7), "ann"), Presence(at(9), "ann")]
STANDING = [
    Standing(at(0) - 3 * DAY, None),  # open for four days
    Standing(at(0) - DAY, at(0) + timedelta(seconds=1)),  # a second more than a day
    Standing(at(0) - DAY, at(0)),  # a day exactly
    Standing(at(12), None),
]
WHOLE = Facts(CASES, 2, SIGNALS, PRESENCES, STANDING)
FOUND = figures(WHOLE, MIDNIGHT, MIDNIGHT + DAY)


def test_answering() -> None:
    # 30, 60, 10, 20 are within 60 s, exactly 60 s too; 60.5, 180, 181 and the one never claimed are not.
    assert FOUND.alerts == 8
    assert FOUND.answered_soon == Share(4, 8)
    # And 60.5 and exactly 180 within 180 s.
    assert FOUND.answered_latest == Share(6, 8)
    # 10, 20, 30, 60, 60.5, 180, 181: the middle one.
    assert FOUND.answer == Lengths(7, 60.0, 181.0, missing=1)


def test_visits() -> None:
    # 45 min exactly, 60 min exactly, 61 min, and one of which nothing is known.
    assert FOUND.visits == 4
    assert FOUND.on_site_soon == Share(1, 3)
    assert FOUND.on_site_latest == Share(2, 3)
    assert FOUND.arrival == Lengths(3, 3600.0, 3660.0, missing=1)


def test_time_on_the_floor() -> None:
    # 6:30 to 7:03 is 33 min, 9:00 to 9:01 is 1 min; of the third nothing is known.
    assert FOUND.to_voice == Lengths(2, 17 * 60.0, 33 * 60.0, missing=1)
    # 6:30 to 8:15 is 105 min, 9:00 to 9:20 is 20 min.
    assert FOUND.to_lift == Lengths(2, 62.5 * 60, 105 * 60.0, missing=1)
    assert FOUND.long_lies == Share(1, 2)


def test_an_hour_on_the_floor_exactly_is_not_longer_than_an_hour() -> None:
    lying = case(at(1), floor_since=at(1), lifted_at=at(2))
    found = figures(Facts([lying], 0, (), (), ()), MIDNIGHT, MIDNIGHT + DAY)
    assert found.long_lies == Share(0, 1)


def test_who_speaks_before_the_fall_that_they_tell_of_took_no_time() -> None:
    """The person says later since when they have been on the floor, and may be wrong."""
    heard = case(at(1), floor_since=at(1, 5), spoken_at=at(1, 1))
    assert figures(Facts([heard], 0, (), (), ()), MIDNIGHT, MIDNIGHT + DAY).to_voice == Lengths(1, 0.0, 0.0)


def test_the_load_of_each_operator() -> None:
    # 144 windows: 3 at 7:00, 3 at 8:00 (nobody in the log: one operator), 12 at 9:00, 22 at 9:10. Equipment is none.
    assert FOUND.load == Load(144, pytest.approx(40 / 144), 0.0, 22.0)
    assert FOUND.floods == [Flooded(at(9), at(9, 20), 34)]
    two = [*PRESENCES, Presence(at(9), "bob"), Presence(at(9), "bob")]
    shared = figures(Facts(CASES, 2, SIGNALS, two, STANDING), MIDNIGHT, MIDNIGHT + DAY)
    # With two of them 6 and 11 each: only the second window is a flood.
    assert shared.load.most == 11.0
    assert shared.floods == [Flooded(at(9, 10), at(9, 20), 22)]


@pytest.mark.parametrize(("alarms", "floods"), [(10, 0), (11, 1)])
def test_ten_alarms_in_ten_minutes_are_no_flood(alarms: int, floods: int) -> None:
    signals = [Signal(at(3, 0, n), "h-1 p", Kind.BUTTON) for n in range(alarms)]
    assert len(figures(Facts((), 0, signals, (), ()), MIDNIGHT, MIDNIGHT + DAY).floods) == floods


def test_floods_apart_are_two() -> None:
    signals = [Signal(at(3, minute, n), "h-1 p", Kind.BUTTON) for minute in (0, 20) for n in range(11)]
    found = figures(Facts((), 0, signals, (), ()), MIDNIGHT, MIDNIGHT + DAY).floods
    assert found == [Flooded(at(3), at(3, 10), 11), Flooded(at(3, 20), at(3, 30), 11)]


def test_chattering_devices() -> None:
    # The 59 s of the pendant count, the 61 s of the movement sensor do not, nor three losses of power in two minutes.
    assert FOUND.chattering == [Chatter("h-1 pendant-1", Kind.BUTTON, 3)]
    exactly = [Signal(at(1) + timedelta(seconds=s), "h-1 p", Kind.DOOR) for s in (0, 1, 60)]
    assert figures(Facts((), 0, exactly, (), ()), MIDNIGHT, MIDNIGHT + DAY).chattering == [
        Chatter("h-1 p", Kind.DOOR, 3)
    ]


def test_stale_alerts() -> None:
    assert FOUND.stale == 2


def test_the_share_of_the_ten_loudest_sources() -> None:
    # 43 alarms: h-1 pendant-1 has 4 (three and one), h-2 pir-1 and h-50 hub 3 each, 33 others one each: 10 + 7.
    assert FOUND.top[:3] == [("h-1 pendant-1", 4), ("h-2 pir-1", 3), ("h-50 hub", 3)]
    assert len(FOUND.top) == 10
    assert FOUND.top_share == Share(17, 43)


def test_causes_and_the_mix_of_levels() -> None:
    assert dict(FOUND.causes) == {Cause.ACCIDENTAL: 4, Cause.FALL_ON_FLOOR: 3, Cause.REASSURANCE: 1}
    assert {int(one): count for one, count in FOUND.mix.items()} == {1: 3, 2: 4, 3: 1, 4: 2}


def test_what_still_waits_in_time_is_not_yet_judged() -> None:
    waiting = case(at(12), None, closed_at=None, cause=None)
    facts = Facts([waiting], 0, (), (), ())
    assert figures(facts, MIDNIGHT, at(12, 1)).answered_soon == Share(0, 0)
    late = figures(facts, MIDNIGHT, at(12, 1, 1))
    assert (late.answered_soon, late.answered_latest) == (Share(0, 1), Share(0, 0))


def test_a_day_without_anything() -> None:
    found = figures(NOTHING, MIDNIGHT, MIDNIGHT + DAY)
    assert found.answered_soon == found.on_site_soon == found.top_share == found.long_lies == Share(0, 0)
    assert found.answer == found.to_lift == Lengths(0, None, None)
    assert found.load == Load(144, 0.0, 0.0, 0.0)
    assert (found.floods, found.chattering, found.top, found.stale) == ([], [], [], 0)
    assert figures(NOTHING, MIDNIGHT, MIDNIGHT).load.windows == 0
