"""The rules of a care plan, on the clock of the wall."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.detection.rules import Look, is_out, look, next_look
from alerts.detection.seen import Reading, Seen, fold
from telecare.register.plans import CarePlan, in_words

HOME, MARY = UUID(int=1), UUID(int=2)
LONDON = ZoneInfo("Europe/London")


def at(hour: float, day: int = 24, month: int = 11) -> datetime:
    """An hour of a day of 2026, on the wall in London."""
    return (datetime(2026, month, day, tzinfo=LONDON) + timedelta(hours=hour)).astimezone(UTC)


def mary(plan: CarePlan, **seen: Any) -> Look:
    return Look(
        person_id=MARY, name="Mary", plan=plan, seen=Seen(**seen), zone=LONDON, watched_since=at(0, 1, 1)
    )  # fmt: skip


STILL = CarePlan(still_after_min=240, out_after_min=720)
UP = CarePlan(up_by=time(10, 30))


# ---------------------------------------------------------------- no movement


def test_stillness_is_found_when_its_time_has_come_and_said_in_a_sentence() -> None:
    one = mary(STILL, moved_at=at(9.2), moved_where="kitchen")
    assert look(one, at(13.19)) == []
    (found,) = look(one, at(13.25))
    assert found.rule == "no-movement"
    assert found.sentence == (
        "No movement in Mary's home for 4 hours 3 minutes. The last was at 09:12, kitchen."
        " Expected: movement at least every 4 hours between 07:00 and 22:00."
    )


def test_the_same_stillness_is_found_once_and_again_after_as_long_again() -> None:
    one = mary(STILL, moved_at=at(9), moved_where="kitchen")
    keys = [look(one, at(hour))[0].key for hour in (13, 14, 16.9, 17, 17.5)]
    assert len(set(keys[:3])) == len(set(keys[3:])) == 1
    assert keys[2] != keys[3]


def test_a_night_is_not_counted() -> None:
    one = mary(STILL, moved_at=at(21.9, 23), moved_where="bedroom")
    assert look(one, at(3)) == look(one, at(10.9)) == []
    assert "for 4 hours." in look(one, at(11))[0].sentence  # counted from seven, as the plan says
    assert look(one, at(22.5)) == []


def test_hours_may_go_over_midnight_or_round_the_clock() -> None:
    nights = replace(STILL, still_from=time(20), still_until=time(8))
    assert look(mary(nights, moved_at=at(19, 23)), at(0.1))
    assert look(mary(nights, moved_at=at(19, 23)), at(9)) == []
    always = replace(STILL, still_from=time(0), still_until=time(0))
    (found,) = look(mary(always, moved_at=at(23, 23)), at(3.5))
    assert "day and night" in found.sentence


def test_who_has_gone_out_is_not_still_but_must_come_back() -> None:
    out = mary(STILL, moved_at=at(9), door_at=at(9.01))
    assert look(out, at(14)) == []
    (found,) = look(out, at(21.02))
    assert found.rule == "not-back"
    assert "since the outside door was used at 09:00" in found.sentence
    back = mary(STILL, moved_at=at(11), door_at=at(9.01))
    assert look(back, at(15.1))[0].rule == "no-movement"


def test_before_the_hub_was_heard_nothing_counts() -> None:
    one = replace(mary(STILL, moved_at=at(7)), watched_since=at(12))
    assert look(one, at(13)) == []
    assert look(one, at(16.1))


def test_nothing_is_watched_while_away() -> None:
    one = mary(replace(STILL, up_by=time(10, 30), away_until=at(12)), moved_at=at(7, 20))
    assert look(one, at(11)) == []
    assert next_look(one, at(11)) == at(12)
    assert look(one, at(12.1)) == []  # counted from the return; and nobody could get up here this morning
    assert look(one, at(16.1))[0].rule == "no-movement"


def test_a_home_that_never_moved_says_so() -> None:
    assert "None has been seen yet." in look(mary(STILL), at(12))[0].sentence


# ---------------------------------------------------------------- not up


def test_not_up_by_the_time_of_the_plan() -> None:
    one = mary(UP, moved_at=at(2.2), moved_where="bathroom", up_at=at(2.2), bed_at=at(2.3), bed_in=True)
    assert look(one, at(10.49)) == []
    (found,) = look(one, at(10.5))
    assert found.rule == "not-up"
    assert found.sentence == (
        "No sign of Mary getting up since 05:00. The last was at 02:12, bathroom. Expected: up by 10:30."
        " Somebody has been in bed since 02:18."
    )
    assert look(one, at(15))[0].key == found.key  # one finding a day
    assert look(one, at(10.5, 25))[0].key != found.key


def test_who_got_up_or_went_out_is_up() -> None:
    assert look(mary(UP, moved_at=at(8), up_at=at(8)), at(11)) == []
    assert look(mary(UP, moved_at=at(5.5), door_at=at(5.51)), at(11)) == []
    assert look(mary(UP, moved_at=at(18, 23), door_at=at(18.01, 23)), at(11)) == []  # away overnight


def test_a_hub_that_was_not_heard_in_the_morning_is_named() -> None:
    one = replace(mary(UP, moved_at=at(2)), watched_since=at(9))
    assert look(replace(one, watched_since=at(10.5)), at(11)) == []  # it may have been before we could see it
    assert "The hub was not heard until 09:00, so something may have been missed." in look(one, at(11))[0].sentence


@pytest.mark.parametrize(("day", "month"), [(29, 3), (25, 10)])  # the days of 23 and of 25 hours
def test_the_time_is_the_walls_when_the_clocks_change(day: int, month: int) -> None:
    one = mary(UP, moved_at=at(0, day - 1, month))
    wall = datetime(2026, month, day, 10, 30, tzinfo=LONDON).astimezone(UTC)
    assert look(one, wall - timedelta(seconds=1)) == []
    assert look(one, wall)


# ---------------------------------------------------------------- when to look again

_HOURS = st.integers(0, 47).map(lambda n: n / 2)
_PLANS = st.builds(
    CarePlan,
    still_after_min=st.sampled_from([None, 30, 240, 600]),
    still_from=st.sampled_from([time(0), time(7), time(20)]),
    still_until=st.sampled_from([time(0), time(8), time(22)]),
    out_after_min=st.sampled_from([60, 720]),
    up_by=st.sampled_from([None, time(9), time(10, 30)]),
)
_MAYBE = st.none() | st.integers(-2880, 0)


@given(_PLANS, _HOURS, _MAYBE, _MAYBE, _MAYBE)
def test_between_looks_nothing_new_is_to_be_found(
    plan: CarePlan, hour: float, moved: int | None, up: int | None, door: int | None
) -> None:
    now = at(hour, 25, 10)

    def ago(minutes: int | None) -> datetime | None:
        return None if minutes is None else now + timedelta(minutes=minutes)

    one = mary(plan, moved_at=ago(moved), up_at=ago(up), door_at=ago(door))
    then = next_look(one, now)
    assert then > now
    known = {found.key for found in look(one, now)}
    step = (then - now) / 50
    for n in range(1, 50):
        assert {found.key for found in look(one, now + n * step)} <= known


# ---------------------------------------------------------------- what is seen


def reading(measure: str, value: float, when: datetime, **more: Any) -> Reading:
    known = {"device": "pir-kitchen", "location": "kitchen", "leads_outside": False} | more
    return Reading(home_id=HOME, measure=measure, at=when, value=value, **known)


BED = {"device": "bed-1", "location": "bedroom"}
DAY = [
    reading("occupied", 1, at(23, 23), **BED),
    reading("motion", 1, at(2), device="pir-bedroom", location="bedroom"),
    reading("occupied", 0, at(7), **BED),
    reading("motion", 1, at(7.2)),
    reading("motion", 0, at(7.3)),
    reading("temperature", 18.5, at(7.4), device="env-1"),
    reading("open", 1, at(9), device="door-front", location="hall", leads_outside=True),
]


REPEATS = [
    reading("occupied", 0, at(8), **BED),  # the bed says again that it is empty
    reading("open", 0, at(9.5), device="door-front", location="hall", leads_outside=True),
    reading("occupied", 1, at(9.6), device="chair-1", location="living"),
]


def seen_of(readings: list[Reading]) -> Seen:
    seen = Seen()
    for one in readings:
        seen = fold(seen, one)
    return seen


def test_a_day_as_it_is_seen() -> None:
    seen = seen_of(DAY)
    assert seen == Seen(
        moved_at=at(7.2), moved_where="kitchen", up_at=at(7.2), up_where="kitchen", door_at=at(9),
        bed_at=at(7), bed_in=False,
    )  # fmt: skip
    assert is_out(seen)
    assert seen.last_sign == at(9)
    assert seen_of([*DAY, *REPEATS]) == seen  # what only repeats a state is no sign of life
    assert seen_of([*DAY, *DAY]) == seen


@given(st.permutations([one for one in DAY if one.measure != "occupied"]))
def test_the_last_movement_does_not_depend_on_the_order_of_arrival(readings: list[Reading]) -> None:
    seen = seen_of(readings)
    assert (seen.moved_at, seen.moved_where, seen.door_at) == (at(7.2), "kitchen", at(9))


def test_leaving_the_bed_is_getting_up_and_turning_over_is_not() -> None:
    in_bed = fold(Seen(), reading("occupied", 1, at(1), **BED))
    assert fold(in_bed, reading("occupied", 0, at(7), **BED)).up_where == "out of bed"
    assert in_bed.up_at is None
    assert fold(Seen(), reading("occupied", 0, at(7), **BED)).up_at is None  # it may have been empty all night
    turned = fold(in_bed, reading("motion", 1, at(7), device="pir-bedroom", location="bedroom"))
    assert turned.up_at is None
    assert turned.moved_at == at(7)


# ---------------------------------------------------------------- the plan itself


def test_a_plan_out_of_bounds_says_what_is_wrong() -> None:
    bad = CarePlan(still_after_min=5, out_after_min=30, up_by=time(4), away_why="x" * 1001)
    assert set(bad.problems()) == {"still_after_min", "out_after_min", "up_by", "away_why"}
    assert CarePlan().problems() == STILL.problems() == UP.problems() == {}
    assert not CarePlan().watches


@pytest.mark.parametrize(("minutes", "words"), [(0, "0 minutes"), (1, "1 minute"), (90, "1 hour 30 minutes")])
def test_spans_are_said_in_words(minutes: int, words: str) -> None:
    assert in_words(minutes) == words
