"""A visit's steps, what each captures, and its clocks: pure decisions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.visiting import ENDED, INSIDE, NEXT, Visit, VisitLimits, VisitState, due_of, overdue, problems

NOW = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
S = timedelta(seconds=1)
LIMITS = VisitLimits(
    accept=120 * S, set_off=300 * S, late=300 * S, check_in=1200 * S, again=120 * S, report=3600 * S
)  # fmt: skip
V = VisitState
EVERYTHING: dict[str, Any] = {
    "reason": "x", "minutes": 12, "brief_read": True, "how": "x", "tried": "bell", "flags": [], "device": "cushion",
    "after": "well", "how_left": "in her chair", "confirmed_elsewhere": "her daughter", "report": "x",
}  # fmt: skip


@given(st.sampled_from(V), st.sampled_from(V))
def test_only_what_may_follow_follows(state: VisitState, to: VisitState) -> None:
    found = problems(Visit(state=state), to, EVERYTHING)
    assert (found == []) is (to in NEXT[state])


def test_every_visit_can_end() -> None:
    for state in V:
        reached, left = {state}, [state]
        while left:
            left += [to for to in NEXT[left.pop()] if to not in reached and not reached.add(to)]  # type: ignore[func-returns-value]
        assert reached & ENDED, state


@pytest.mark.parametrize(
    ("state", "to", "without"),
    [
        (V.REQUESTED, V.REFUSED, "reason"),
        (V.ACCEPTED, V.EN_ROUTE, "minutes"),
        (V.ACCEPTED, V.EN_ROUTE, "brief_read"),
        (V.EN_ROUTE, V.ARRIVED, "how"),
        (V.ARRIVED, V.NO_ACCESS, "tried"),
        (V.ARRIVED, V.ACCESS, "how"),
        (V.CHECKED, V.LIFTED, "device"),
        (V.CHECKED, V.LIFTED, "after"),
        (V.CHECKED, V.NOT_LIFTED, "reason"),
        (V.LIFTED, V.LEFT, "how_left"),
        (V.NO_ACCESS, V.LEFT, "confirmed_elsewhere"),
        (V.LEFT, V.REPORTED, "report"),
    ],
)
def test_each_step_says_what_it_must(state: VisitState, to: VisitState, without: str) -> None:
    (problem,) = problems(Visit(state=state), to, EVERYTHING | {without: ""})
    assert problem.startswith(f"{without}: ")


@pytest.mark.parametrize("minutes", [0, 241, "soon"])
def test_a_way_has_minutes(minutes: object) -> None:
    assert problems(Visit(state=V.ACCEPTED), V.EN_ROUTE, EVERYTHING | {"minutes": minutes})


def test_nobody_with_a_sign_of_istumble_is_lifted() -> None:
    hurt = Visit(state=V.CHECKED, flags=frozenset({"trauma", "bleeding-freely"}))
    (problem,) = problems(hurt, V.LIFTED, EVERYTHING)
    assert "do not lift: bleeding freely, trauma to head, neck or back" in problem
    assert problems(hurt, V.NOT_LIFTED, EVERYTHING) == []
    assert problems(Visit(state=V.ACCESS), V.CHECKED, {"flags": ["tired"]})


def test_nobody_leaves_before_the_ambulance() -> None:
    for state in (V.CHECKED, V.NOT_LIFTED, V.LIFTED, V.NO_ACCESS):
        (problem,) = problems(Visit(state=state, ambulance_awaited=True), V.LEFT, EVERYTHING)
        assert "stay until the crew has taken over" in problem


def test_each_state_that_has_not_ended_has_a_deadline() -> None:
    for state in V:
        due = due_of(state, NOW, NOW + 600 * S, LIMITS)
        assert (due is None) is (state in (V.REFUSED, V.REPORTED, V.CANCELLED))
        assert due is None or due > NOW
    assert due_of(V.EN_ROUTE, NOW, NOW + 600 * S, LIMITS) == NOW + 900 * S


def test_two_check_ins_missed_are_an_emergency() -> None:
    for state in INSIDE:
        first = overdue(Visit(state=state), "Sam", NOW, LIMITS)
        assert (first.level_1, first.due_at) == (False, NOW + 120 * S)
        second = overdue(Visit(state=state, missed=1), "Sam", NOW, LIMITS)
        assert second.level_1
        assert "2 times in a row" in second.because
    for state in (V.REQUESTED, V.ACCEPTED, V.EN_ROUTE, V.LEFT):
        assert not overdue(Visit(state=state, missed=9), "Sam", NOW, LIMITS).level_1
