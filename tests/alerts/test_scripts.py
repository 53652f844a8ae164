"""Scripts beside a case: every built-in one whole, and how answers lead through them."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import scripts
from alerts.script_files import WrongScript, built_in, script_for, script_of
from alerts.scripts import SERVICES, Answer, Do, PersonFacts, Script, next_steps, paths
from telecare.rota import ServiceType
from telecare.vocabulary import TECHNICAL, Cause, Kind

ALL = sorted(built_in().values(), key=lambda one: one.id)
EVERY_SCRIPT = pytest.mark.parametrize("script", ALL, ids=lambda one: one.id)
# A script's words stand in people's records beside its version: change them, and raise the version.
FINGERPRINTS = {
    "battery": "a4adee9be95c",
    "carbon-monoxide": "a974ba9db1cb",
    "cold": "72d64f76559a",
    "equipment": "67e9d41ec7ed",
    "fall": "c59725455783",
    "fire": "ab787edbccbf",
    "flood": "f0b8b8a8256c",
    "gas": "2300d36feb79",
    "hot": "e94981af5425",
    "medication": "b291073d7a55",
    "no-movement": "0461ba11ec12",
    "out-of-bed": "f4e0ffa99d90",
    "out-of-home": "ece50e1fb4d2",
    "panic": "f80c7d5ce3b6",
    "possible-fall": "4be63e5cd643",
    "power": "d87aa17696b0",
    "press": "a0f543042035",
    "restored": "62a314ba6d76",
    "seizure": "42d974d699b1",
    "stranger": "8bc4ca2be596",
    "wet-bed": "034f41a95447",
}


def test_every_kind_of_alarm_has_its_script() -> None:
    assert script_for(Kind.FALL).id == script_for(Kind.PERSON_DOWN).id == "fall"
    assert script_for(Kind.FALL, possible=True).id == "possible-fall"
    assert script_for(Kind.BUTTON).id == script_for(Kind.UNKNOWN).id == "press"
    for kind in Kind:
        assert kind in script_for(kind).kinds
    for kind in TECHNICAL:
        red_flags = [one.answer for path in paths(script_for(kind)) for one in path if one.answer.red_flag]
        assert red_flags == []


@EVERY_SCRIPT
def test_every_way_through_a_script_ends_in_an_advice(script: Script) -> None:
    ends = list(paths(script))
    assert ends
    for path in ends:
        steps = next_steps(script, {one.question.id: one.answer.id for one in path})
        assert [one.question.id for one in steps.given] == [one.question.id for one in path]
        assert steps.open is None
        assert steps.advice is not None
        assert steps.advice.decision in ("reassure", "contact", "visit", "emergency-service", "watch")
        assert not steps.red_flags or steps.advice.do in SERVICES


@EVERY_SCRIPT
def test_every_answer_can_be_reached(script: Script) -> None:
    asked = {(question.id, answer.id) for question in script.questions.values() for answer in question.answers}
    assert {(one.question.id, one.answer.id) for path in paths(script) for one in path} == asked


@EVERY_SCRIPT
def test_a_scripts_words_change_with_its_version_only(script: Script) -> None:
    words = repr(
        (
            script.version,
            script.title,
            script.begin,
            script.cause,
            sorted(script.questions.items(), key=lambda one: one[0]),
        )
    )
    assert FINGERPRINTS[script.id] == hashlib.sha256(words.encode()).hexdigest()[:12]


@EVERY_SCRIPT
def test_nobody_who_was_not_reached_is_left_alone(script: Script) -> None:
    for path in paths(script):
        if path[-1].answer.id not in ("nobody", "sounds"):
            continue
        steps = next_steps(script, {one.question.id: one.answer.id for one in path})
        assert steps.advice is not None
        assert steps.advice.do not in (Do.WATCH, Do.REASSURE)
        if path[-1].answer.id == "sounds":
            assert steps.advice.do in (*SERVICES, Do.GO)  # a sound of distress is acted upon at once


ids = st.sampled_from([*{name for one in ALL for name in one.questions}, "gone", ""])
chosen = st.sampled_from(
    [*{answer.id for one in ALL for question in one.questions.values() for answer in question.answers}, "old", ""]
)


@given(st.sampled_from(ALL), st.dictionaries(ids, chosen), st.sampled_from([None, *ServiceType]))
def test_whatever_was_answered_there_is_a_next_step(
    script: Script, answers: dict[str, str], service: ServiceType | None
) -> None:
    steps = next_steps(script, answers, service)
    assert (steps.open is None) <= (steps.advice is not None)
    assert all(answers[one.question.id] == one.answer.id for one in steps.given)
    if steps.open is not None:
        assert steps.open.answer(answers.get(steps.open.id, "")) is None
    # One more answer never takes an advice of 999 back.
    if steps.open is not None and steps.advice is not None and steps.advice.do in SERVICES:
        for one in steps.open.answers:
            later = next_steps(script, answers | {steps.open.id: one.id}, service)
            assert later.advice is not None
            assert later.advice.do in SERVICES


def after(script: str, *answers: str, service: ServiceType | None = None) -> scripts.Steps:
    """Where a script stands after these answers, given to whichever question was open."""
    given: dict[str, str] = {}
    for one in answers:
        steps = next_steps(built_in()[script], given, service)
        assert steps.open is not None, f"{one}: the script has ended"
        assert steps.open.answer(one), f"{steps.open.id} has no answer {one}"
        given[steps.open.id] = one
    return next_steps(built_in()[script], given, service)


def test_a_fall_without_a_sign_and_without_getting_up_is_visited() -> None:
    steps = after("fall", "speaks", "now", "none", "none", "cannot")
    assert (steps.cause, steps.on_floor, steps.red_flags) == (Cause.FALL_ON_FLOOR, True, ())
    assert steps.advice is not None
    assert (steps.advice.words, steps.advice.decision) == ("Send a responder", "visit")


def test_with_a_sign_nobody_is_told_to_get_up() -> None:
    steps = after("fall", "speaks", "now", "head")
    assert steps.advice is not None
    assert steps.advice.do is Do.AMBULANCE  # at once, while the rest is still asked
    assert steps.open is not None
    assert steps.open.id == "body"
    steps = after("fall", "speaks", "now", "head", "blackout")
    assert steps.open is None
    assert steps.red_flags == ("trauma", "loss-of-consciousness")
    assert after("fall", "speaks", "now", "head", "none").open is None


def test_who_is_up_again_is_not_on_the_floor_any_more() -> None:
    steps = after("fall", "speaks", "now", "none", "none", "up")
    assert (steps.cause, steps.on_floor) == (Cause.FALL_UP, False)
    steps = after("fall", "speaks", "long", "none", "none", "up")
    assert steps.advice is not None
    assert steps.advice.do is Do.GO  # an hour on the floor is looked at all the same
    assert any("An hour or more" in words for words in steps.advice.more)
    assert after("possible-fall", "speaks", "nearly", "none", "none", "up").cause is Cause.NEAR_FALL


def test_silence_is_not_safety() -> None:
    assert after("press", "nobody").open is not None  # the other numbers first
    steps = after("press", "nobody", "nobody")
    assert steps.cause is Cause.NOT_KNOWN
    assert steps.advice is not None
    assert steps.advice.decision == "visit"
    assert "Silence is not safety" in steps.advice.more[0]
    assert after("press", "nobody", "speaks").advice is None  # reached after all: on with the questions
    for script in ("fire", "carbon-monoxide", "seizure", "panic", "stranger"):
        advice = after(script, "nobody").advice
        assert advice is not None
        assert advice.do in SERVICES, script


def test_what_sounded_like_all_is_well_is_asked_again() -> None:
    steps = after("press", "speaks", "mistake")
    assert steps.open is not None
    assert (steps.open.id, steps.advice) == ("sure", None)
    unsure, clear = after("press", "speaks", "mistake", "unsure"), after("press", "speaks", "mistake", "clear")
    assert unsure.advice is not None
    assert clear.advice is not None
    assert (unsure.advice.decision, clear.advice.decision) == ("visit", "reassure")


def test_who_goes_follows_from_the_persons_service() -> None:
    for service, decision in (
        (ServiceType.GOLD, "visit"),
        (ServiceType.SILVER, "contact"),
        (ServiceType.CARER_ALERT, "contact"),
        (None, "visit"),
    ):
        advice = after("fall", "nobody", "nobody", service=service).advice
        assert advice is not None
        assert advice.decision == decision
    for service in ServiceType:
        advice = after("fire", "nobody", service=service).advice
        assert advice is not None
        assert advice.decision == "emergency-service"


def test_answers_of_another_script_count_where_it_asks_the_same() -> None:
    given = {"call": "speaks", "what": "fell", "floor": "now", "gone": "x", "injury": "what it was called before"}
    steps = next_steps(script_for(Kind.FALL), given)
    assert [one.question.id for one in steps.given] == ["call", "floor"]
    assert steps.open is not None
    assert steps.open.id == "injury"


def test_the_record_is_repeated_word_for_word() -> None:
    mary = PersonFacts("Mary", "Polish", "Osteoporosis; takes a blood thinner", " ", "Not the hospital")
    assert scripts.other_language(mary) == "Polish"
    assert scripts.reminders(mary) == [
        ("Conditions", "Osteoporosis; takes a blood thinner"),
        ("Wishes", "Not the hospital"),
    ]
    for language in ("", "English", " english "):
        assert scripts.other_language(PersonFacts("Mary", language)) is None


# ---------------------------------------------------------------- tables that may not stand


def table(**changes: Any) -> dict[str, Any]:
    yes, no = {"id": "yes", "words": "Yes", "do": "reassure"}, {"id": "no", "words": "No", "do": "go"}
    questions = [{"id": "well", "ask": "Are you well?", "answers": [yes, no]}]
    return {"id": "x", "version": 1, "title": "X", "kinds": ["button"], "begin": "well", "cause": "other",
            "question": questions} | changes  # fmt: skip


def asking(*answers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return table(question=[{"id": "well", "ask": "Are you well?", "answers": list(answers)} | more])


YES = {"id": "yes", "words": "Yes", "do": "reassure"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (table(begin="nowhere"), "there is no question nowhere"),
        (table(kinds=["earthquake"]), "earthquake"),
        (asking(YES), "between 2 and 9 answers"),
        (asking(YES, YES), "two answers are called the same"),
        (asking(YES, {"id": "no", "words": "No"}), "no: ends without an advice"),
        (asking(YES, {"id": "no", "words": "No", "next": "gone"}), "there is no question gone"),
        (asking(YES, {"id": "no", "words": "No", "do": "go", "next": "well"}), "goes in a circle"),
        (asking(YES, {"id": "no", "words": "No", "do": "go", "red_flag": "trauma"}), "an ambulance is called for it"),
        (asking(YES, {"id": "no", "words": "No", "do": "ambulance", "red_flag": "warts"}), "a sign of ISTUMBLE"),
        (asking(YES, {"id": "no", "words": "N" * 61, "do": "go"}), "between 1 and 60 characters"),
        (asking(YES, {"id": "no", "words": "No", "do": "dance"}), "dance"),
        (asking(YES, {"id": "no", "words": "No", "say": "go"}), "say"),
        (asking(YES, YES | {"id": "no"}, ask=""), "between 1 and 160 characters are said"),
        (table(question=[*table()["question"], table()["question"][0] | {"id": "never"}]), "never: is never asked"),
        (table(use=["nothing"]), "nothing"),
    ],
)
def test_a_wrong_table_is_refused_with_its_reason(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongScript, match=words):
        script_of(wrong, {})


def test_a_right_table_is_a_script() -> None:
    assert script_of(table(), {}).questions["well"].answers[0] == Answer(id="yes", words="Yes", do=Do.REASSURE)
