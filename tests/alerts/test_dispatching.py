"""What responders are doing, and whom to send with which reasons: pure decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.dispatching import Advice, Need, advise, need_of
from alerts.responding import (
    Doing,
    Errand,
    Kit,
    OnBoard,
    Responder,
    Shift,
    Skill,
    area_of,
    district_of,
    length,
    standing_of,
)
from alerts.visiting import VisitState
from telecare.vocabulary import Cause, Kind, Priority

NOW = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
MIN = timedelta(minutes=1)
SHIFT = Shift(from_at=NOW - 60 * MIN, until_at=NOW + 300 * MIN, vehicle="Van 1")
CUSHION = OnBoard(Kit.CUSHION_LIFTER)


def errand(state: VisitState, **more: Any) -> Errand:
    values: dict[str, Any] = {"alert_id": 7, "since": NOW - 25 * MIN, "address": "1 High Street", "postcode": "AT1 1AA"}
    return Errand(state=state, **values | more)


def who(name: str, *, shift: Shift | None = SHIFT, **more: Any) -> Responder:
    return Responder(username=name.lower(), name=name, shift=shift, **more)


def need(**more: Any) -> Need:
    values: dict[str, Any] = {"alert_id": 1, "priority": Priority.URGENT, "lifting": False, "postcode": "AT1 2BC"}
    return Need(**values | more)


def names(advice: Advice) -> list[str]:
    return [one.responder.name for one in advice.ranked]


def words(advice: Advice, name: str) -> str:
    return next(one.words for one in advice.ranked if one.responder.name == name)


@pytest.mark.parametrize(
    ("postcode", "district", "area"),
    [("EX4 6QX", "EX4", "EX"), ("ex46qx", "EX4", "EX"), ("EC1A 1BB", "EC1A", "EC"), ("w1a 0ax", "W1A", "W"),
     ("EX4", "EX4", "EX"), ("M1 1AE", "M1", "M"), ("", "", ""), ("somewhere", "", ""), ("AT12 3CD", "AT12", "AT")],
)  # fmt: skip
def test_a_postcodes_district(postcode: str, district: str, area: str) -> None:
    assert (district_of(postcode), area_of(district)) == (district, area)


@pytest.mark.parametrize(
    ("shift", "errands", "doing", "said"),
    [
        (None, [], Doing.OFF, "off shift"),
        (replace(SHIFT, until_at=NOW), [], Doing.OFF, "off shift"),
        (replace(SHIFT, from_at=NOW + MIN), [], Doing.OFF, "off shift"),
        (SHIFT, [], Doing.FREE, "free for 1 h"),
        (SHIFT, [errand(VisitState.REPORTED, left_at=NOW - 20 * MIN)], Doing.FREE, "free for 20 min"),
        (SHIFT, [errand(VisitState.LEFT, left_at=NOW - 20 * MIN)], Doing.REPORTING,
         "has left 1 High Street; the report is not written yet"),
        (SHIFT, [errand(VisitState.REQUESTED)], Doing.ASKED, "asked to go to 1 High Street, not set off yet"),
        (SHIFT, [errand(VisitState.EN_ROUTE, eta_at=NOW + 9 * MIN)], Doing.GOING,
         "on the way to 1 High Street, expected in 9 min"),
        (SHIFT, [errand(VisitState.EN_ROUTE, eta_at=NOW - 3 * MIN)], Doing.GOING,
         "on the way to 1 High Street, expected 3 min ago"),
        (SHIFT, [errand(VisitState.CHECKED)], Doing.AT_SCENE,
         "at 1 High Street for 25 min; until when is not known"),
        (None, [errand(VisitState.NO_ACCESS)], Doing.AT_SCENE, "at 1 High Street for 25 min; until when is not known"),
        (replace(SHIFT, away_until=NOW + 12 * MIN, away_why="a meal"), [], Doing.AWAY, "back in 12 min (a meal)"),
        (replace(SHIFT, away_until=NOW - 5 * MIN, away_why="a meal"), [], Doing.AWAY,
         "was to be back 5 min ago (a meal)"),
        (SHIFT, [errand(VisitState.REQUESTED), errand(VisitState.ACCESS)], Doing.AT_SCENE,
         "at 1 High Street for 25 min; until when is not known"),
    ],
)  # fmt: skip
def test_what_somebody_is_doing(shift: Shift | None, errands: list[Errand], doing: Doing, said: str) -> None:
    standing = standing_of(shift, errands, NOW)
    assert (standing.doing, standing.words(NOW)) == (doing, said)


def test_the_free_come_first_and_of_those_who_has_been_free_longest() -> None:
    short = replace(SHIFT, from_at=NOW - 10 * MIN)
    team = [
        who("Busy", errands=[errand(VisitState.CHECKED)]),
        who("Short", shift=short, district="AT1"),
        who("Long", district="AT1"),
        who("Off", shift=None),
        who("Asked", errands=[errand(VisitState.REQUESTED)]),
    ]
    advice = advise(need(), team, NOW)
    assert names(advice) == ["Long", "Short", "Asked", "Busy", "Off"]
    assert advice.first is not None
    assert (advice.first.responder.name, advice.warnings) == ("Long", ())
    assert words(advice, "Long") == "Free for 1 h; goes alone; usually in AT1, the same postcode district."
    assert [one.available for one in advice.ranked] == [True, True, True, True, False]


def test_who_needs_lifting_gets_somebody_with_a_lifter_that_works() -> None:
    faulty = replace(SHIFT, kit=[OnBoard(Kit.CHAIR_LIFTER, "battery flat")])
    team = [
        who("Near", district="AT1", skills=frozenset({Skill.LIFTING})),
        who("Faulty", district="AT1", shift=faulty, skills=frozenset({Skill.LIFTING})),
        who("Untrained", district="AT9", shift=replace(SHIFT, kit=[CUSHION])),
        who("Lifter", district="AT9", shift=replace(SHIFT, kit=[CUSHION]), skills=frozenset({Skill.LIFTING})),
        who("Unknown", shift=replace(SHIFT, vehicle="")),
    ]
    advice = advise(need(lifting=True), team, NOW)
    assert names(advice) == ["Lifter", "Untrained", "Faulty", "Near", "Unknown"]
    assert "has a cushion lifter; is trained to lift" in words(advice, "Lifter")
    assert "But: training to lift is not recorded" in words(advice, "Untrained")
    assert "the chair lifter on board is faulty: battery flat" in words(advice, "Faulty")
    assert "no lifter on board" in words(advice, "Near")
    assert "what is on board is not known" in words(advice, "Unknown")
    assert "where they are is not known" in words(advice, "Unknown")
    # Where nobody needs it, near is better; where nobody knows, near first too.
    assert names(advise(need(), team, NOW))[0] in ("Near", "Faulty")
    assert names(advise(need(lifting=None), team, NOW))[0] in ("Near", "Faulty")
    advice = advise(need(lifting=True), [team[0], replace(team[3], errands=[errand(VisitState.ACCESS)])], NOW)
    assert names(advice) == ["Near", "Lifter"]
    assert advice.warnings == ("They need lifting, and Near has no lifter that works; Lifter has one.",)


def test_two_people_are_sent_where_the_home_asks_for_them() -> None:
    pair = replace(SHIFT, partner="Kim")
    team = [who("Alone", district="AT1"), who("Pair", shift=pair, errands=[errand(VisitState.EN_ROUTE)])]
    advice = advise(need(two_people=True), team, NOW)
    assert names(advice) == ["Pair", "Alone"]
    assert "Goes with Kim, as two people are asked for here" in words(advice, "Pair")
    assert "goes alone, and two people are asked for here" in words(advice, "Alone")
    assert advice.warnings == ("Nobody who suits this is free.",)
    advice = advise(need(two_people=True), [team[0], replace(team[1], shift=None, errands=())], NOW)
    assert names(advice) == ["Alone", "Pair"]
    assert advice.warnings == ("Two people are asked for here, and nobody works in a pair: send a second person too.",)


def test_near_is_what_postcodes_and_councils_say_and_where_somebody_just_was() -> None:
    was = errand(VisitState.REPORTED, left_at=NOW - 10 * MIN, postcode="AT1 9ZZ")
    long_ago = errand(VisitState.REPORTED, left_at=NOW - 70 * MIN, postcode="AT1 9ZZ")
    team = [
        who("Elsewhere", district="EX4", council="Devon"),
        who("Council", council="Anytown Council"),
        who("Area", district="AT7"),
        who("Nowhere"),
        who("JustThere", district="EX4", errands=[was]),
        who("LongAgo", district="EX4", errands=[long_ago]),
    ]
    advice = advise(need(council="Anytown Council"), team, NOW)
    assert names(advice)[:4] == ["JustThere", "Area", "Council", "Nowhere"]
    assert "was in AT1 10 min ago, the same postcode district" in words(advice, "JustThere")
    assert "usually in AT7, the same postcode area" in words(advice, "Area")
    assert "of the same council" in words(advice, "Council")
    assert "usually in EX4, not near as far as is known" in words(advice, "LongAgo")
    assert not any("minutes nearer" in one.words or " km" in one.words for one in advice.ranked)


def test_red_flags_ask_for_first_aid_and_not_for_a_lifter() -> None:
    aid = who("Aid", shift=replace(SHIFT, kit=[OnBoard(Kit.DEFIBRILLATOR)]), skills=frozenset({Skill.FIRST_AID}))
    team = [who("Lifter", shift=replace(SHIFT, kit=[CUSHION]), skills=frozenset({Skill.LIFTING})), aid]
    advice = advise(need(lifting=True, red_flags=frozenset({"loss-of-consciousness"})), team, NOW)
    assert names(advice) == ["Aid", "Lifter"]
    assert "knows first aid; has a defibrillator" in words(advice, "Aid")
    assert "lifter" not in words(advice, "Lifter")
    assert advice.warnings == ("There are red flags: ring 999. Whoever goes does not lift.",)


def test_a_language_and_dementia_decide_between_equals() -> None:
    team = [
        who("Ann"),
        who("Bo", languages=("Punjabi",)),
        who("Cy", skills=frozenset({Skill.DEMENTIA}), recorded=False),
    ]
    advice = advise(need(language="punjabi"), team, NOW)
    assert names(advice)[0] == "Bo"
    assert "speaks punjabi" in words(advice, "Bo")
    advice = advise(need(memory=True), team, NOW)
    assert names(advice)[0] == "Cy"
    assert "knows dementia" in words(advice, "Cy")
    assert "what they can do is not recorded" in words(advice, "Cy")


def test_the_report_of_a_visit_comes_before_the_next_job_that_is_not_urgent() -> None:
    writing = errand(VisitState.LEFT, left_at=NOW - 5 * MIN, postcode="AT1 9ZZ")
    team = [who("Writing", errands=[writing]), who("Free")]
    assert names(advise(need(priority=Priority.ATTENTION), team, NOW)) == ["Free", "Writing"]
    assert names(advise(need(priority=Priority.EMERGENCY), team, NOW)) == ["Writing", "Free"]  # nearer, and at once


def test_nobody_is_suggested_who_cannot_be_sent() -> None:
    there = errand(VisitState.EN_ROUTE, alert_id=1)
    team = [
        who("There", errands=[there]),
        who("Away", shift=replace(SHIFT, away_until=NOW + MIN, away_why="a meal")),
        who("Off", shift=None),
    ]
    advice = advise(need(), team, NOW)
    assert advice.first is None
    assert advice.warnings == ("Nobody of the response team can be sent now, as far as is known.",)
    assert "has been sent there already" in words(advice, "There")
    assert advise(need(), [], NOW).first is None
    back = [who("Away", shift=replace(SHIFT, away_until=NOW - MIN, away_why="a meal"))]
    first = advise(need(), back, NOW).first
    assert first is not None
    assert first.against[0] == "was to be back 1 min ago (a meal)"


@pytest.mark.parametrize(
    ("hazards", "two"),
    [("Two people only: her son", True), ("Do not go alone.", True), ("Never attend alone after dark", True),
     ("In pairs", True), ("Double-up visit", True), ("2 responders", True), ("Lives alone. Small dog.", False),
     ("", False), ("Two steps down into the kitchen", False), ("No dog; he is not well. Lives alone", False)],
)  # fmt: skip
def test_the_records_words_ask_for_two_people(hazards: str, two: bool) -> None:
    found = need_of(alert_id=1, priority=Priority.URGENT, kind=Kind.SMOKE, cause=None, on_floor=False, hazards=hazards)
    assert found.two_people is two
    assert any("none is recorded" in one for one in found.unknown) is (hazards == "")


@pytest.mark.parametrize(
    ("kind", "cause", "on_floor", "lifting"),
    [(Kind.FALL, None, False, None), (Kind.BUTTON, None, False, None), (Kind.SMOKE, None, False, False),
     (Kind.BUTTON, None, True, True), (Kind.BUTTON, Cause.CANNOT_GET_UP, False, True),
     (Kind.FALL, Cause.FALL_UP, False, False), (Kind.FALL, Cause.FALL_ON_FLOOR, False, True)],
)  # fmt: skip
def test_whether_somebody_needs_lifting(kind: Kind, cause: Cause | None, on_floor: bool, lifting: bool | None) -> None:
    found = need_of(
        alert_id=1, priority=Priority.URGENT, kind=kind, cause=cause, on_floor=on_floor, postcode="AT1 1AA",
        hazards="dog", language="English",
    )  # fmt: skip
    assert found.lifting is lifting
    assert found.language == ""
    assert bool(found.unknown) is (lifting is None)


def test_lengths_in_words() -> None:
    assert [length(one * MIN) for one in (-3, 0, 59, 60, 125)] == ["0 min", "0 min", "59 min", "1 h", "2 h 5 min"]


SHIFTS = st.one_of(
    st.none(),
    st.builds(
        Shift, from_at=st.just(NOW - 60 * MIN), until_at=st.sampled_from([NOW, NOW + MIN]),
        partner=st.sampled_from(["", "K"]),
        kit=st.lists(st.builds(OnBoard, st.sampled_from(Kit), st.sampled_from(["", "broken"])), max_size=3),
    ),
)  # fmt: skip
TEAM = st.lists(
    st.builds(
        Responder, username=st.text("ab", min_size=1, max_size=3), name=st.text("ab", min_size=1, max_size=3),
        shift=SHIFTS,
        district=st.sampled_from(["", "AT1", "EX4"]), council=st.sampled_from(["", "A"]),
        errands=st.lists(st.sampled_from([errand(state, left_at=NOW if state in ("left", "reported") else None)
                                          for state in VisitState]), max_size=2),
    ), max_size=6,
)  # fmt: skip


@given(TEAM, st.sampled_from([None, True, False]), st.booleans(), st.sampled_from(Priority))
def test_everybody_is_there_once_and_the_first_can_be_sent(
    team: list[Responder], lifting: bool | None, two: bool, priority: Priority
) -> None:
    advice = advise(need(lifting=lifting, two_people=two, priority=priority), team, NOW)
    assert sorted(names(advice)) == sorted(one.name for one in team)
    assert (advice.first is None) is not any(one.available for one in advice.ranked)
    for one in advice.ranked:
        assert one.words.endswith(".")
        assert one.reasons or one.against
