"""The pure ladder: whatever happens in whatever order, a question is never forgotten and never worked twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.ladder import (
    Do,
    Ended,
    Event,
    Left,
    Move,
    No,
    OtherGoes,
    Question,
    Removed,
    Stage,
    There,
    Time,
    Timing,
    Yes,
    again,
    asked,
    rest,
    step,
)  # fmt: skip

NOW = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
S = timedelta(seconds=1)
TIMING = Timing(voice=90 * S, answer=180 * S, grace=600 * S, again=600 * S, repeats=3)
_EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Time, st.booleans()), st.builds(Yes, st.integers(1, 240)), st.just(No()), st.just(There()),
    st.just(OtherGoes()), st.just(Ended()), st.builds(Removed, st.booleans()),
)  # fmt: skip


def after(*events: tuple[float, Event]) -> list[Move]:
    """What becomes of a question when these happen, each so many seconds after it was asked."""
    question, moves = asked(NOW, TIMING, can_ring=True), []
    for seconds, event in events:
        moves.append(step(question, event, NOW + seconds * S, TIMING))
        question = moves[-1].question
    return moves


def test_rung_at_90_and_passed_at_180() -> None:
    nothing, rung, quiet, passed, still = after((89, Time()), (90, Time()), (179, Time()), (180, Time()), (9e5, Time()))
    assert nothing.do == quiet.do == still.do == ()
    assert rung.do == (Do.RING,)
    assert (passed.question.stage, passed.do) == (Stage.PASSED, (Do.SAY_NO_ANSWER, Do.ASK_NEXT))


def test_an_engine_that_was_away_passes_on_and_does_not_ring_first() -> None:
    (move,) = after((400, Time()))
    assert move.do == (Do.SAY_NO_ANSWER, Do.ASK_NEXT)


def test_without_a_number_nobody_is_rung() -> None:
    assert asked(NOW, TIMING, can_ring=False).due_at == NOW + 180 * S


def test_who_goes_is_late_once() -> None:
    yes, early, late, again, _ = after(
        (10, Yes(20)), (10 + 1799, Time()), (10 + 1800, Time()), (1900, Yes(5)), (9999, Time())
    )
    assert yes.do == (Do.SAY_ANSWER, Do.ANNOUNCE, Do.TELL_OTHERS)
    assert yes.question.arrive_by == NOW + timedelta(seconds=10, minutes=20) + TIMING.grace
    assert early.do == ()
    assert (late.question.stage, late.do) == (Stage.LATE, (Do.SAY_LATE, Do.ASK_NEXT))
    assert (again.question.stage, again.do, again.question.due_at) == (Stage.LATE, (Do.SAY_ANSWER,), None)


def test_nobody_is_rung_asked_or_late_for_somebody_who_is_safe() -> None:
    assert [move.do for move in after((90, Time(safe=True)), (180, Time(safe=True)))] == [
        (),
        (Do.SAY_NO_ANSWER, Do.LOOK_AGAIN),
    ]
    _, looked = after((10, Yes(1)), (670, Time(safe=True)))
    assert (looked.question.stage, looked.do) == (Stage.GOING, ())
    assert looked.question.arrive_by == NOW + 670 * S + TIMING.grace  # looked at again


def test_a_no_and_a_yes_that_is_taken_back_move_on_at_once() -> None:
    assert after((5, No()))[0].do == (Do.SAY_ANSWER, Do.ASK_NEXT)
    assert after((5, Yes(10)), (50, No()))[1].do == (Do.SAY_ANSWER, Do.ASK_NEXT)
    assert after((5, There()), (50, No()))[1].do == (Do.SAY_ANSWER, Do.ASK_NEXT)
    assert after((5, No()), (6, No()))[1].do == ()


def test_who_is_there_stops_the_others_unless_they_know() -> None:
    assert after((5, Yes(10)), (300, There()))[1].do == (Do.SAY_THERE,)
    assert after((300, There()))[0].do == (Do.SAY_THERE, Do.TELL_OTHERS)
    late = after((5, Yes(1)), (999, Time()), (1000, There()))[2]
    assert late.do == (Do.SAY_THERE, Do.TELL_OTHERS)


def test_the_rounds_end() -> None:
    left = Left(round=1, asked=True, anyone=True)
    assert [rest(replace(left, round=n), NOW, TIMING) for n in (1, 2, 3, 4)] == [NOW + 600 * S] * 3 + [None]
    assert rest(replace(left, anyone=False), NOW, TIMING) is None
    assert rest(replace(left, asked=False), NOW, TIMING) is None  # where nobody could be asked is no round


def test_who_can_be_asked_later_is_waited_for_and_looked_for_meanwhile() -> None:
    last = Left(round=4, asked=True, anyone=True, later_at=NOW + 3600 * S)
    assert rest(last, NOW, TIMING) == NOW + 600 * S  # plans are changed
    assert not again(last, TIMING)
    assert rest(last, NOW + 3500 * S, TIMING) == NOW + 3600 * S
    assert rest(replace(last, round=1), NOW + 3500 * S, TIMING) == NOW + 3600 * S  # before the next round


@given(st.booleans(), st.lists(st.tuples(st.integers(0, 4000), _EVENTS), max_size=12))
def test_whatever_happens(can_ring: bool, happens: list[tuple[int, Event]]) -> None:
    question, now = asked(NOW, TIMING, can_ring=can_ring), NOW
    lates = rings = 0
    for seconds, event in happens:
        now += seconds * S
        before, move = question, step(question, event, now, TIMING)
        question = move.question
        lates += Do.SAY_LATE in move.do
        rings += Do.RING in move.do
        _right(question)
        if before.stage is Stage.OVER:
            assert move == Move(before)
        if isinstance(event, Time):
            assert question.due_at is None or question.due_at > now or question == before
            assert event.safe is False or not {Do.RING, Do.ASK_NEXT, Do.SAY_LATE} & set(move.do)
        # Whoever will not come, whom nobody stopped, has somebody asked instead.
        if before.stage in (Stage.WAITING, Stage.GOING, Stage.THERE) and question.stage is Stage.CANNOT:
            assert Do.ASK_NEXT in move.do
        if isinstance(event, Removed) and before.stage in (Stage.WAITING, Stage.GOING):
            assert move.do == ((Do.LOOK_AGAIN if event.safe else Do.ASK_NEXT),)
        # The same again has no effect.
        if not isinstance(event, Time):
            assert step(question, event, now, TIMING) == Move(question)
    assert lates <= 1
    assert rings <= 1


def _right(question: Question) -> None:
    """What the database holds to as well."""
    stage = question.stage
    assert (question.answer_by is not None) == (stage is Stage.WAITING)
    assert (question.arrive_by is not None) == (stage is Stage.GOING)
    assert question.voice_at is None or stage is Stage.WAITING
    assert question.minutes is None or stage in (Stage.GOING, Stage.LATE)


@given(st.booleans(), st.lists(st.integers(1, 4000), min_size=60, max_size=60))
def test_time_alone_brings_every_question_to_rest(goes: bool, steps: list[int]) -> None:
    question, now = asked(NOW, TIMING, can_ring=True), NOW
    if goes:
        question = step(question, Yes(240), now, TIMING).question
    followed: list[Do] = []
    for seconds in [*steps, 100_000]:
        now += seconds * S
        move = step(question, Time(), now, TIMING)
        question, followed = move.question, followed + list(move.do)
    assert question.due_at is None
    assert followed.count(Do.ASK_NEXT) == 1
