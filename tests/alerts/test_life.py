"""In which state an alert is, what is due next, and what closing takes: pure decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.life import (
    OPEN,
    Around,
    Closing,
    Facts,
    Help,
    Limits,
    State,
    closing_problems,
    due_of,
    miss,
    state_of,
)
from telecare.vocabulary import Cause, ConfirmedBy, Outcome, Priority

NOW = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
S = timedelta(seconds=1)
LIMITS = Limits(
    alone=120 * S, welfare=600 * S, welfare_floor=300 * S, wrap_up=1800 * S, technical=3600 * S, supervisor_after=2
)
RAISED = Facts(priority=Priority.URGENT, raised_at=NOW)
CLAIMED = replace(RAISED, owner="op", attended_at=NOW)
WATCHING = replace(CLAIMED, help=[Help.COMING])

facts = st.builds(
    Facts, priority=st.sampled_from(Priority), raised_at=st.just(NOW), owner=st.sampled_from([None, "op"]),
    attended_at=st.sampled_from([None, NOW - 5000 * S, NOW - 60 * S, NOW]), contacted=st.booleans(),
    assessed=st.booleans(), help=st.lists(st.sampled_from(Help), max_size=3),
    on_phone_until=st.sampled_from([None, NOW - S, NOW + 900 * S]), on_floor=st.booleans(), safe=st.booleans(),
    wrapped_up=st.booleans(), closed=st.booleans(), reviewed=st.booleans(), missed=st.integers(0, 5),
    missed_at=st.sampled_from([None, NOW - 500 * S, NOW]),
)  # fmt: skip


@pytest.mark.parametrize(
    ("known", "state"),
    [
        (RAISED, State.RAISED),
        (CLAIMED, State.CLAIMED),
        (replace(CLAIMED, contacted=True), State.CONTACTING),
        (replace(CLAIMED, on_phone_until=NOW + 60 * S), State.CONTACTING),
        (replace(CLAIMED, contacted=True, assessed=True), State.ASSESSED),
        (replace(CLAIMED, help=[Help.COMING, Help.ASKED]), State.ACTING),
        (WATCHING, State.WATCHING),
        (replace(WATCHING, safe=True), State.SAFE),
        (replace(WATCHING, safe=True, wrapped_up=True), State.WRAP_UP),
        (replace(WATCHING, owner=None), State.RAISED),  # help goes on; the alert waits for somebody
        (replace(CLAIMED, closed=True), State.CLOSED),
        (replace(CLAIMED, closed=True, reviewed=True), State.REVIEWED),
    ],
)
def test_the_state_follows_from_what_is_known(known: Facts, state: State) -> None:
    assert state_of(known) is state


@given(facts)
def test_there_is_always_a_next_instant_and_it_is_never_past(known: Facts) -> None:
    assert due_of(known, NOW, LIMITS) >= NOW
    missed = miss(known, NOW, LIMITS)
    assert missed.due_at > NOW
    assert missed.because
    again = replace(known, missed=known.missed + 1, missed_at=NOW, on_phone_until=None)
    assert due_of(again, NOW, LIMITS) == missed.due_at


@given(facts)
def test_only_who_has_an_owner_has_a_state_of_work(known: Facts) -> None:
    state = state_of(known)
    assert (state in OPEN) is not known.closed
    if state in OPEN:
        assert (state is State.RAISED) is (known.owner is None)


def test_nobody_is_left_alone_for_long() -> None:
    assert due_of(CLAIMED, NOW, LIMITS) == NOW + 120 * S
    assert due_of(replace(CLAIMED, assessed=True), NOW, LIMITS) == NOW + 120 * S
    assert due_of(replace(CLAIMED, help=[Help.ASKED]), NOW, LIMITS) == NOW + 120 * S
    assert due_of(WATCHING, NOW, LIMITS) == NOW + 600 * S
    assert due_of(replace(WATCHING, on_floor=True), NOW, LIMITS) == NOW + 300 * S
    assert due_of(replace(CLAIMED, safe=True), NOW, LIMITS) == NOW + 1800 * S
    on_phone = replace(CLAIMED, attended_at=NOW - 900 * S, on_phone_until=NOW + 900 * S)
    assert due_of(on_phone, NOW, LIMITS) == NOW + 900 * S


def test_what_is_missed_twice_reaches_the_supervisor() -> None:
    floor = replace(WATCHING, on_floor=True)
    first = miss(floor, NOW, LIMITS)
    assert (first.what, first.due_at) == ("welfare-due", NOW + 120 * S)
    assert "on the floor" in first.because
    second = miss(replace(floor, missed=1, missed_at=NOW), NOW, LIMITS)
    assert second.what == "escalated-supervisor"
    third = miss(replace(floor, missed=2, missed_at=NOW), NOW, LIMITS)
    assert third.what == "welfare-due"
    assert miss(CLAIMED, NOW, LIMITS).what == "re-sounded"


def test_equipment_waits_quietly() -> None:
    technical = replace(CLAIMED, priority=Priority.TECHNICAL)
    for missed in range(4):
        found = miss(replace(technical, missed=missed), NOW, LIMITS)
        assert (found.what, found.due_at) == ("welfare-due", NOW + 3600 * S)


# ---------------------------------------------------------------- closing

GOOD = Closing(
    by="op", cause=Cause.ACCIDENTAL, outcomes=[Outcome.REASSURED], confirmed_by=ConfirmedBy.PERSON, how="spoke to her"
)
SILENT = replace(GOOD, cause=Cause.NOT_KNOWN, confirmed_by=ConfirmedBy.TWO_PEOPLE)


def problems(closing: Closing, priority: Priority = Priority.URGENT, **around: object) -> list[str]:
    return closing_problems(priority, closing, Around(**around))  # type: ignore[arg-type]


def test_closing_needs_somebodys_word() -> None:
    assert problems(GOOD) == []
    assert problems(replace(GOOD, confirmed_by=ConfirmedBy.SYSTEM))
    assert problems(replace(GOOD, how="  "))
    assert problems(replace(GOOD, cause=Cause.NOT_KNOWN))
    assert problems(replace(GOOD, outcomes=[]))
    system = replace(GOOD, cause=Cause.TEST, confirmed_by=ConfirmedBy.SYSTEM, outcomes=[Outcome.INFORMATION])
    assert problems(system, Priority.TECHNICAL) == []


def test_silence_is_closed_by_two_people_after_tries() -> None:
    assert problems(SILENT, tries=4)  # nobody has agreed
    assert problems(SILENT, tries=4, agreed_by="op")  # nobody else has
    assert problems(SILENT, tries=1, agreed_by="second")  # hardly tried
    assert problems(SILENT, tries=2, agreed_by="second") == []


def test_nothing_is_closed_while_help_is_under_way() -> None:
    assert problems(GOOD, services_awaited=["ambulance"]) == [
        "emergency: the ambulance must have ended first: it came, or was stood down"
    ]
    assert problems(GOOD, responders_inside=["Sam"]) == ["visits: Sam must have left first"]
