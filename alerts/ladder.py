"""The carers' ladder: what becomes of a question to a contact. Plain decisions, without I/O and without a clock.

A contact is written to at once, rung when there is no answer, and passed on from; who says that they go has a time by
which they should be there, and who is late opens the ladder again (PRACTICE.md section 4; docs/decisions/0020).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long each step waits."""

    voice: timedelta  # from the question to the call
    answer: timedelta  # from the question to the next contact
    grace: timedelta  # what an arrival may be late by
    again: timedelta  # from the last contact to a new round
    repeats: int  # how often all are asked again


class Stage(StrEnum):
    """How a question to one contact stands."""

    WAITING = "waiting"  # for an answer, by a deadline
    PASSED = "passed"  # no answer in time, or somebody else goes; an answer is still taken
    GOING = "going"
    LATE = "late"  # has not arrived in time; others are asked
    THERE = "there"
    CANNOT = "cannot"
    OVER = "over"  # the alert has ended, or who was asked is no contact any more: no answer is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One contact's question."""

    stage: Stage
    voice_at: datetime | None = None
    answer_by: datetime | None = None
    arrive_by: datetime | None = None
    minutes: int | None = None  # as the contact thinks
    was_late: bool = False  # in this round

    @property
    def due_at(self) -> datetime | None:
        """When something next happens by itself."""
        return min((at for at in (self.voice_at, self.answer_by, self.arrive_by) if at is not None), default=None)


# ---------------------------------------------------------------- what happens


@dataclass(frozen=True, slots=True)
class Time:
    """A deadline may have come."""

    safe: bool = False  # the person is known to be safe


@dataclass(frozen=True, slots=True)
class Yes:
    """The contact goes."""

    minutes: int


@dataclass(frozen=True, slots=True)
class No:
    """The contact cannot go, or takes a yes back."""


@dataclass(frozen=True, slots=True)
class There:
    """The contact is with the person."""


@dataclass(frozen=True, slots=True)
class OtherGoes:
    """Another contact goes, or is there."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The contact is none any more."""

    safe: bool = False  # the person is known to be safe


@dataclass(frozen=True, slots=True)
class Ended:
    """The alert has ended."""


Event = Time | Yes | No | There | OtherGoes | Removed | Ended


class Do(StrEnum):
    """What follows."""

    RING = "ring"
    SAY_NO_ANSWER = "say-no-answer"
    SAY_LATE = "say-late"  # written down, and it sounds again
    SAY_ANSWER = "say-answer"
    SAY_THERE = "say-there"
    ANNOUNCE = "announce"  # the person hears that somebody is on the way
    TELL_OTHERS = "tell-others"  # everyone who was asked hears who goes; nobody else is waited for
    ASK_NEXT = "ask-next"  # unless somebody goes or may still answer
    LOOK_AGAIN = "look-again"  # the asking rests, and is looked at again after a while


@dataclass(frozen=True, slots=True)
class Move:
    """How the question stands now, and what follows, in this order."""

    question: Question
    do: tuple[Do, ...] = ()


def asked(now: datetime, timing: Timing, *, can_ring: bool) -> Question:
    """A question that is asked now."""
    voice_at = now + timing.voice if can_ring and timing.voice < timing.answer else None
    return Question(stage=Stage.WAITING, voice_at=voice_at, answer_by=now + timing.answer)


def step(question: Question, event: Event, now: datetime, timing: Timing) -> Move:
    """What an event does to a question. What has no effect leaves it as it is, with nothing to do."""
    if question.stage is Stage.OVER:
        return Move(question)
    match event:
        case Time(safe):
            return _time(question, now, timing, safe)
        case Yes(minutes):
            return _yes(question, minutes, now, timing)
        case No():
            if question.stage is Stage.CANNOT:
                return Move(question)
            return Move(_still(question, Stage.CANNOT), (Do.SAY_ANSWER, Do.ASK_NEXT))
        case There():
            return _there(question)
        case OtherGoes():
            return Move(_still(question, Stage.PASSED) if question.stage is Stage.WAITING else question)
        case Removed(safe):
            return _removed(question, safe)
        case Ended():
            return Move(_still(question, Stage.OVER))


def _there(question: Question) -> Move:
    if question.stage is Stage.THERE:
        return Move(question)
    known = question.stage is Stage.GOING  # then the others have been told
    return Move(_still(question, Stage.THERE), (Do.SAY_THERE, *(() if known else (Do.TELL_OTHERS,))))


def _removed(question: Question, safe: bool) -> Move:
    if question.stage is Stage.THERE:
        return Move(question)  # they are with the person all the same
    was_waited_for = question.stage in (Stage.WAITING, Stage.GOING)
    do = (Do.LOOK_AGAIN if safe else Do.ASK_NEXT,) if was_waited_for else ()
    return Move(_still(question, Stage.OVER), do)


def _still(question: Question, stage: Stage) -> Question:
    """Nothing happens by itself any more."""
    return Question(stage=stage, was_late=question.was_late)


def _time(question: Question, now: datetime, timing: Timing, safe: bool) -> Move:
    if question.due_at is None or now < question.due_at:
        return Move(question)
    if question.stage is Stage.GOING:
        if safe:  # looked at again, since a new alarm may unsay it
            return Move(replace(question, arrive_by=now + timing.grace))
        late = replace(question, stage=Stage.LATE, arrive_by=None, was_late=True)
        return Move(late, (Do.SAY_LATE, Do.ASK_NEXT))
    if question.answer_by is not None and question.answer_by <= now:
        # Nobody is sent out of bed to somebody who is safe; but a new alarm may unsay it.
        return Move(_still(question, Stage.PASSED), (Do.SAY_NO_ANSWER, Do.LOOK_AGAIN if safe else Do.ASK_NEXT))
    return Move(replace(question, voice_at=None), () if safe else (Do.RING,))


def _yes(question: Question, minutes: int, now: datetime, timing: Timing) -> Move:
    if question.stage is Stage.THERE:
        return Move(question)
    if question.stage in (Stage.GOING, Stage.LATE) and question.minutes == minutes:
        return Move(question)
    if question.was_late:
        # Others are asked, and go on being asked: a second promise stops nobody.
        return Move(Question(stage=Stage.LATE, minutes=minutes, was_late=True), (Do.SAY_ANSWER,))
    arrive_by = now + timedelta(minutes=minutes) + timing.grace
    going = Question(stage=Stage.GOING, arrive_by=arrive_by, minutes=minutes)
    known = question.stage is Stage.GOING
    return Move(going, (Do.SAY_ANSWER, *(() if known else (Do.ANNOUNCE, Do.TELL_OTHERS))))


# ---------------------------------------------------------------- nobody is left


SOMEBODY: Final = frozenset({Stage.WAITING, Stage.GOING, Stage.THERE})  # then no further contact is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Who is left, nobody being there who can be asked now."""

    round: int
    asked: bool  # somebody was asked in this round
    anyone: bool  # somebody may be asked again: has not said no, and is not too young
    later_at: datetime | None = None  # when somebody can be asked who has not been in this round


def again(left: Left, timing: Timing) -> bool:
    """Whether all are to be asked once more. Where nobody could be asked, that is no round."""
    return left.asked and left.anyone and left.round <= timing.repeats


def rest(left: Left, now: datetime, timing: Timing) -> datetime | None:
    """When the ladder looks again by itself: for a new round, or for who can be asked then. None: it has ended.

    While it waits for somebody it looks as often, since plans are changed.
    """
    if again(left, timing):
        return min(now + timing.again, left.later_at or datetime.max.replace(tzinfo=now.tzinfo))
    return None if left.later_at is None else min(left.later_at, now + timing.again)
