"""Reading an episode: what is right, and each thing that can be wrong with it."""

from datetime import date
from decimal import Decimal

import pytest

from dashboard.outcomes.day91 import Followed, Place, StillAtHome, place_on_day_91, places_on_day_91, still_at_home
from dashboard.outcomes.domain import Episode, Goal, as_entered, read_day, read_episode
from dashboard.outcomes.vocabulary import Day91, EndReason, Reached, Reason, Sequel
from dashboard.outcomes.wilson import wilson

TODAY = date(2026, 11, 24)
GOOD = {
    "reason": "hospital-discharge", "started_on": "2/3/2026", "goal_1": "Walk to the shop", "goal_1_reached": "Partly",
    "goal_3": "A bath", "barthel_start": "11", "barthel_end": "17", "care_hours_start": "10.5",
    "ended_on": "2026-04-10",
    "end_reason": "Completed", "sequel": "No support needed", "day91": "home", "day91_asked_on": "03/06/2026",
    "day91_asked_by": "R. Khan",
}  # fmt: skip


def test_an_episode_in_codes_or_words() -> None:
    reading = read_episode(GOOD, TODAY)
    assert reading.problems == {}
    assert reading.episode == Episode(
        reason=Reason.HOSPITAL_DISCHARGE, started_on=date(2026, 3, 2), ended_on=date(2026, 4, 10),
        end_reason=EndReason.COMPLETED, sequel=Sequel.NONE, day91=Day91.HOME, day91_asked_on=date(2026, 6, 3),
        day91_asked_by="R. Khan", goals=(Goal("Walk to the shop", Reached.PARTLY), Goal("A bath")),
        measures=(("barthel", "start", Decimal(11)), ("barthel", "end", Decimal(17)),
                  ("care_hours", "start", Decimal("10.5"))),
    )  # fmt: skip
    assert read_episode(as_entered(reading.episode), TODAY).episode == reading.episode


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"reason": ""}, "reason", "Say why it began"),
        ({"reason": "boredom"}, "reason", "“boredom” is not one of: hospital-discharge"),
        ({"started_on": ""}, "started_on", "Enter the day it began"),
        ({"started_on": "31/02/2026"}, "started_on", "there is no such day"),
        ({"started_on": "1/3/26"}, "started_on", "four digits"),
        ({"started_on": "March"}, "started_on", "is not a date"),
        ({"started_on": "2/3/1026"}, "started_on", "too long ago"),
        ({"ended_on": "1/3/2026"}, "ended_on", "The end, 1 March 2026, is before the start, 2 March 2026"),
        ({"ended_on": "1/3/2027"}, "ended_on", "is in the future"),
        ({"ended_on": ""}, "ended_on", "Enter the day it ended"),
        ({"sequel": ""}, "sequel", "needs what support came after"),
        ({"end_reason": "died"}, "sequel", "both why it ended and what came after"),
        ({"day91_asked_on": "30/5/2026"}, "day91_asked_on", "Day 91 is 1 June 2026; it cannot be known on 30 May 2026"),
        ({"day91_asked_on": "30/12/2026"}, "day91_asked_on", "in the future"),
        ({"day91_asked_by": ""}, "day91_asked_by", "Say who asked"),
        ({"day91": ""}, "day91", "Say where"),
        ({"end_reason": "died", "sequel": "died"}, "day91", "ended with the person's death before day 91"),
        ({"barthel_start": "21"}, "barthel_start", "21 is outside 0 to 20"),
        ({"barthel_start": "10.5"}, "barthel_start", "whole number"),
        ({"barthel_start": "nan"}, "barthel_start", "outside"),
        ({"care_hours_start": "1e999999999"}, "care_hours_start", "outside"),
        ({"care_hours_start": "10.55"}, "care_hours_start", "one decimal"),
        ({"barthel_end": "good"}, "barthel_end", "is not a number"),
        ({"goal_1": "x" * 501}, "goal_1", "At most 500 characters; these are 501"),
        ({"goal_2_reached": "yes"}, "goal_2", "not which goal"),
        ({"goal_1": "nul\0"}, "goal_1", "no text"),
    ],
)
def test_what_is_wrong_is_named_at_its_field(changes: dict[str, str], field: str, words: str) -> None:
    reading = read_episode(GOOD | changes, TODAY)
    assert reading.episode is None
    assert list(reading.problems) == [field]
    assert words in reading.problems[field]


def test_a_start_in_the_future() -> None:
    reading = read_episode({"reason": "fall", "started_on": "25/11/2026"}, TODAY)
    assert "in the future" in reading.problems["started_on"]


@pytest.mark.parametrize(
    "text", ["31/01/2026", "31.1.2026", "2026-01-31", "2026-01-31 00:00:00", "2026-01-31T00:00:00"]
)
def test_dates_as_people_and_spreadsheets_write_them(text: str) -> None:
    assert read_day(text) == date(2026, 1, 31)


def test_two_episodes_overlap_on_one_day() -> None:
    def span(start: int, end: int | None) -> Episode:
        return Episode(
            reason=Reason.FALL, started_on=date(2026, 1, start), ended_on=date(2026, 1, end) if end else None
        )

    assert span(1, 5).overlaps(span(5, 9))
    assert not span(1, 5).overlaps(span(6, 9))
    assert span(1, None).overlaps(span(20, 21))
    assert not span(20, None).overlaps(span(1, 19))


# ---------------------------------------------------------------- day 91


def followed(**changes: object) -> Followed:
    values: dict[str, object] = {
        "reason": Reason.HOSPITAL_DISCHARGE, "started_on": date(2026, 3, 2), "ended_on": None, "sequel": None,
        "day91": None, "born": date(1940, 5, 5),
    }  # fmt: skip
    return Followed(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"day91": Day91.HOME}, Place.HOME),
        ({"day91": Day91.HOSPITAL}, Place.HOSPITAL),
        ({"day91": Day91.CARE_HOME}, Place.CARE_HOME),
        ({"day91": Day91.DIED}, Place.DIED),
        ({"day91": Day91.NOT_REACHED}, Place.NOT_REACHED),
        ({}, Place.NOT_ASKED),
        ({"sequel": Sequel.DIED, "ended_on": date(2026, 6, 1)}, Place.DIED),
        ({"sequel": Sequel.DIED, "ended_on": date(2026, 6, 2)}, Place.NOT_ASKED),
        ({"started_on": date(2026, 8, 25)}, Place.NOT_ASKED),  # day 91 is today
        ({"started_on": date(2026, 8, 26)}, Place.NOT_DUE),
        ({"reason": Reason.FALL, "day91": Day91.HOME}, Place.OTHER_REASON),
        ({"born": None, "day91": Day91.HOME}, Place.AGE_UNKNOWN),
        ({"born": date(1961, 3, 3), "day91": Day91.HOME}, Place.UNDER_65),
        ({"born": date(1961, 3, 2), "day91": Day91.HOME}, Place.HOME),
    ],
)
def test_where_an_episode_stands_in_the_published_figure(changes: dict[str, object], place: Place) -> None:
    assert place_on_day_91(followed(**changes), TODAY) is place


def test_known_and_unknown_apart_and_both_bounds() -> None:
    answers = [Day91.HOME] * 7 + [Day91.HOSPITAL, Day91.DIED, Day91.NOT_REACHED] + [None] * 2
    others = [followed(reason=Reason.FALL), followed(started_on=date(2026, 11, 1))]
    found = still_at_home(places_on_day_91([*(followed(day91=answer) for answer in answers), *others], TODAY))
    assert found == StillAtHome(due=12, home=7, not_home=2, unknown=3)
    assert (found.lower, found.upper) == (7 / 12, 10 / 12)
    assert found.of_known[0] == 7 / 9
    assert found.of_known[1:] == wilson(7, 9)


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(10, 20)
    assert (round(low, 3), round(high, 3)) == (0.299, 0.701)  # Newcombe 1998, method 3
    assert wilson(0, 20)[0] == 0.0
    assert wilson(20, 20)[1] == pytest.approx(1.0)
