"""Whose case an alarm is, how urgent, and what happens when nobody answers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.domain import Arrival, Ladder, Someone, Waiting, climb, place
from alerts.policy import FIRST, level
from telecare.vocabulary import TECHNICAL, Kind, Priority

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOME = UUID(int=1)
MARY, SAM, ANN = (Someone(UUID(int=n), name) for n, name in ((2, "Mary Green"), (3, "Sam Green"), (4, "Ann Lee")))
S = timedelta(seconds=1)
LADDER = Ladder(resound=30 * S, supervisor=60 * S, second_site=120 * S, breach=180 * S, technical=3600 * S)


def arrival(**changes: Any) -> Arrival:
    values: dict[str, Any] = {
        "alarm_id": UUID(int=9),
        "hub": "h-1",
        "home_id": HOME,
        "device": "pendant-1",
        "kind": Kind.BUTTON,
        "at": NOW,
        "received_at": NOW,
        "location": None,
        "doubts": (),
        "says_test": False,
        "test_window_open": False,
        "device_registered": True,
        "wearer": MARY,
        "residents": (MARY,),
        "owners_elsewhere": (),
    }
    return Arrival(**(values | changes))


def test_a_press_is_its_wearers_case() -> None:
    placed = place(arrival())
    assert (placed.case_key, placed.person_id, placed.priority) == (f"person:{MARY.id}", MARY.id, Priority.URGENT)
    assert placed.announces


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [(Kind.FALL, 1), (Kind.SMOKE, 1), (Kind.BUTTON, 2), (Kind.UNKNOWN, 2), (Kind.INACTIVITY, 3), (Kind.BATTERY_LOW, 4)],
)
def test_the_level_is_set_by_policy(kind: Kind, wanted: int) -> None:
    assert level(FIRST.policy, kind) == wanted


@pytest.mark.parametrize(
    ("kind", "outcome", "level", "begins"),
    [
        (Kind.FALL, "possible-fall", 2, "Possible fall (pendant-1). The detector is not sure that it was a fall."),
        (Kind.FALL, "fall", 1, "Fall detected (pendant-1)."),
        (Kind.FALL, None, 1, "Fall detected (pendant-1)."),
        (Kind.FALL, "Possible-Fall", 1, "Fall detected (pendant-1)."),
        (Kind.FALL, "no-fall", 1, "Fall detected (pendant-1)."),
        (Kind.FALL, '["possible-fall"]', 1, "Fall detected (pendant-1)."),
        (Kind.BUTTON, "possible-fall", 2, "Pendant pressed (pendant-1)."),
        (Kind.SMOKE, "possible-fall", 1, "Smoke (pendant-1)."),
        (Kind.BATTERY_LOW, "possible-fall", 4, "Battery low (pendant-1)."),
    ],
)
def test_a_possible_fall_stands_with_the_presses_and_says_what_it_is(
    kind: Kind, outcome: str | None, level: int, begins: str
) -> None:
    placed = place(arrival(kind=kind, outcome=outcome))
    assert placed.priority == level
    assert placed.reason.startswith(begins)
    assert placed.possible is (begins.startswith("Possible"))


def test_a_practice_fall_that_is_only_possible_is_a_test_all_the_same() -> None:
    placed = place(arrival(kind=Kind.FALL, outcome="possible-fall", says_test=True, test_window_open=True))
    assert (placed.is_test, placed.priority, placed.possible) == (True, Priority.TECHNICAL, True)


def test_every_kind_has_a_level_and_only_equipment_is_technical() -> None:
    assert {kind for kind in Kind if level(FIRST.policy, kind) is Priority.TECHNICAL} == set(TECHNICAL)


def test_two_people_in_one_home_have_two_cases() -> None:
    both = (MARY, SAM)
    keys = {place(arrival(wearer=who, residents=both)).case_key for who in both}
    assert len(keys) == 2


def test_a_sensor_of_a_home_with_one_person_is_that_persons_case() -> None:
    assert place(arrival(device="smoke-1", kind=Kind.SMOKE, wearer=None)).person_id == MARY.id


def test_a_sensor_of_a_home_with_two_people_names_both() -> None:
    placed = place(arrival(device="smoke-1", kind=Kind.SMOKE, wearer=None, residents=(MARY, SAM)))
    assert placed.person_id is None
    assert "Mary Green or Sam Green" in placed.reason


def test_a_device_that_is_not_assigned_says_so() -> None:
    placed = place(arrival(device_registered=False, wearer=None))
    assert placed.person_id == MARY.id
    assert "not assigned" in placed.reason


def test_a_device_of_another_home_names_everyone_it_could_be() -> None:
    placed = place(arrival(device_registered=False, wearer=None, owners_elsewhere=(ANN,)))
    assert placed.person_id is None
    assert "Ann Lee or Mary Green" in placed.reason


def test_a_home_where_nobody_is_registered_still_raises() -> None:
    placed = place(arrival(device_registered=False, wearer=None, residents=()))
    assert placed.person_id is None
    assert "nobody is registered" in placed.reason


@pytest.mark.parametrize("kind", sorted(TECHNICAL))
def test_equipment_never_joins_a_person(kind: Kind) -> None:
    placed = place(arrival(kind=kind))
    assert placed.case_key == f"technical:{HOME}"
    assert placed.person_id is None
    assert not placed.announces


def test_a_test_counts_as_one_only_in_a_window() -> None:
    assert place(arrival(kind=Kind.TEST)).is_test
    assert place(arrival(says_test=True, test_window_open=True)).is_test
    real = place(arrival(says_test=True))
    assert not real.is_test
    assert "treat it as real" in real.reason


def test_a_late_alarm_shows_its_age() -> None:
    assert "3 hours after" in place(arrival(at=NOW - timedelta(hours=3))).reason


# ---------------------------------------------------------------- the ladder


def test_the_ladder_is_climbed_rung_by_rung() -> None:
    seen, alert, now = [], Waiting(Priority.URGENT, NOW, 0), NOW
    for _ in range(4):
        now += 30 * S
        step = climb(alert, now, LADDER)
        seen += step.rungs
        alert, now = Waiting(alert.priority, NOW, step.step), step.due_at - 30 * S
    assert seen == ["re-sounded", "escalated-supervisor", "escalated-second-site", "breached"]


def test_rungs_missed_while_nobody_looked_are_all_taken() -> None:
    step = climb(Waiting(Priority.EMERGENCY, NOW, 0), NOW + timedelta(hours=1), LADDER)
    assert step.rungs == ("re-sounded", "escalated-supervisor", "escalated-second-site", "breached")


def test_past_the_last_rung_it_sounds_again_and_again() -> None:
    step = climb(Waiting(Priority.URGENT, NOW, 4), NOW + 240 * S, LADDER)
    assert step.rungs == ("re-sounded",)


def test_equipment_waits_quietly() -> None:
    step = climb(Waiting(Priority.TECHNICAL, NOW, 0), NOW + timedelta(hours=1), LADDER)
    assert step.rungs == ("re-sounded",)
    assert step.due_at == NOW + timedelta(hours=2)


@given(st.sampled_from(Priority), st.integers(0, 4), st.integers(0, 100_000))
def test_the_next_deadline_is_always_ahead(priority: Priority, step: int, waited_s: int) -> None:
    now = NOW + waited_s * S
    climbed = climb(Waiting(priority, NOW, step), now, LADDER)
    assert climbed.due_at > now
    assert climbed.step >= step
