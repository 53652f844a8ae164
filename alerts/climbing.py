"""Moves of the ladder of contacts: what the pure core decides (alerts/ladder.py) is kept, sent and written down.

The caller holds a transaction, and the alert in it (alerts/asks.py). Only `happen` publishes the change.
"""

from datetime import datetime
from uuid import UUID

from alerts import asks_store, ladder, ladders_store, questions_store, store, telling
from alerts.asks_store import Asked
from alerts.ladder import Do, Event, Move, Question, Stage
from alerts.questions_store import Standing
from alerts.settings import carers_ladder, command_validity
from telecare.db import Connection
from telecare.settings import Settings


async def ask_one(
    conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime, contact: UUID | None = None
) -> Asked | None:
    """Ask the next contact, or that one: who it is; None where nobody is left in this round."""
    whom = await asks_store.next_contact(conn, alert_id, contact, now)
    if whom is None:
        return None
    at = await ladders_store.ladder_of(conn, alert_id)
    round_ = at.round if at else 1
    question = ladder.asked(now, carers_ladder(settings), can_ring=telling.can_ring(whom))
    ask_id = await asks_store.add_ask(conn, whom, question, round_, by, now)
    await telling.ask(conn, settings, whom, ask_id, round_, now)
    await ladders_store.go_on(conn, alert_id, None)
    await store.log(conn, alert_id, now, by, "notified", {"contact": whom.name, "text": "asked to go"})
    return whom


async def nobody_left(
    conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime, *, only_looked: bool = False
) -> None:
    """Nobody is left who can be asked now: never in silence.

    All are asked again after a while, some times at most; and who can be asked later is asked then. Where
    the engine `only_looked`, that it still waits for the same contact is not said again.
    """
    at = await ladders_store.ladder_of(conn, alert_id)
    assert at is not None
    anyone, stopped, asked = await ladders_store.who_is_left(conn, alert_id)
    found = await asks_store.why_nobody(conn, alert_id, now)
    later = (found.until, found.then.id) if found and found.until and found.then else None
    left = ladder.Left(round=at.round, asked=asked, anyone=anyone, later_at=later[0] if later else None)
    due_at = ladder.rest(left, now, carers_ladder(settings))
    if due_at is not None and at.due_at is not None and at.due_at > now:
        due_at = min(due_at, at.due_at)  # an operator who asks meanwhile puts nothing off
    if due_at is None:
        await ladders_store.end(conn, alert_id, now)
    else:
        await ladders_store.go_on(conn, alert_id, due_at, later=later)
        if only_looked and later is not None and later == (at.later_at, at.later_contact):
            return
    why = found.why if found else "every contact has been asked" if asked else "no contact who can be asked now"
    if due_at is None and asked and not stopped:
        why += f" in {at.round} round{'s' * (at.round > 1)}; nobody is asked any more"
    await _say_nobody(conn, alert_id, by, why, now, again=due_at is not None)


async def not_that_one(conn: Connection, alert_id: int, contact: UUID, by: str, now: datetime) -> None:
    """The contact whom an operator picked is not asked: the log says why, and the ladder goes on as it was."""
    found = await asks_store.why_nobody(conn, alert_id, now, contact)
    await _say_nobody(conn, alert_id, by, found.why if found else "no such contact", now, again=False)


async def _say_nobody(conn: Connection, alert_id: int, by: str, why: str, now: datetime, *, again: bool) -> None:
    await store.log(conn, alert_id, now, by, "notify-failed", {"why": why, "again": again})
    await store.log(conn, alert_id, now, "system", "re-sounded", {"because": why})


def said(question: Question) -> str | None:
    """What a contact has said."""
    words = {Stage.GOING: "going", Stage.LATE: "going", Stage.THERE: "there", Stage.CANNOT: "cannot"}
    return words.get(question.stage)


# ---------------------------------------------------------------- what follows


async def happen(conn: Connection, settings: Settings, one: Standing, event: Event, by: str, now: datetime) -> Question:
    """Let an event happen to a question, and do what follows: how it stands now. The caller holds the alert."""
    move = ladder.step(one.question, event, now, carers_ladder(settings))
    if move == Move(one.question):
        return one.question
    await questions_store.save(conn, one.id, move.question, now)
    if not isinstance(event, ladder.Time):
        await asks_store.withdraw(conn, one.asked.alert_id, one.asked.contact_id)
    changed = await questions_store.standing(conn, one.id)
    assert changed is not None
    for do in move.do:
        await _do(conn, settings, changed, do, by, now)
    if move.do:
        await store.publish_change(conn, one.asked.alert_id, now)
    return move.question


async def _do(conn: Connection, settings: Settings, one: Standing, do: Do, by: str, now: datetime) -> None:
    alert_id = one.asked.alert_id
    match do:
        case Do.RING:
            if await telling.ring(conn, settings, one, now):
                await _log(conn, one, "system", "notified", now, text="is rung")
        case Do.ANNOUNCE:
            if await store.queue_command(conn, alert_id, "on-the-way", None, now, now + command_validity(settings)):
                await store.log(conn, alert_id, now, "system", "announced", {"text": "on-the-way"})
        case Do.SAY_LATE:
            await _late(conn, settings, one, now)
        case Do.TELL_OTHERS:
            await _stop_others(conn, settings, one, now)
        case Do.LOOK_AGAIN:
            await ladders_store.go_on(conn, alert_id, now + carers_ladder(settings).again)
        case Do.ASK_NEXT:
            await _move_on(conn, settings, one, now)
        case _:
            await _write_down(conn, one, do, by, now)


async def _write_down(conn: Connection, one: Standing, do: Do, by: str, now: datetime) -> None:
    if do is Do.SAY_NO_ANSWER:
        return await _log(conn, one, "system", "contact-tried", now, text="no answer in time")
    if do is Do.SAY_THERE:
        what = "answered" if by == "contact" else "contact-answered"
        return await _log(conn, one, by, what, now, answer="there", text="is there")
    minutes = one.question.minutes
    text = "cannot go" if minutes is None else f"is going, about {minutes} min"
    await _log(conn, one, by, "answered", now, answer=said(one.question), minutes=minutes, text=text)


async def _log(conn: Connection, one: Standing, who: str, what: str, now: datetime, **detail: object) -> None:
    await store.log(conn, one.asked.alert_id, now, who, what, {"contact": one.asked.name, **detail})


async def _late(conn: Connection, settings: Settings, one: Standing, now: datetime) -> None:
    words = f"is not there yet, and said about {one.question.minutes} min; others are asked"
    await _log(conn, one, "system", "contact-tried", now, text=words)
    because = f"{one.asked.name} has not arrived in time"
    await store.log(conn, one.asked.alert_id, now, "system", "re-sounded", {"because": because})
    await telling.late(conn, settings, one, now)


async def _stop_others(conn: Connection, settings: Settings, who: Standing, now: datetime) -> None:
    """Somebody goes, or is there: everyone who was asked is told, and nobody else is waited for."""
    others = [one for one in await questions_store.asked_of(conn, who.asked.alert_id) if one.id != who.id]
    for other in others:
        await happen(conn, settings, other, ladder.OtherGoes(), "system", now)
    await ladders_store.go_on(conn, who.asked.alert_id, None)
    there = who.question.stage is Stage.THERE
    await telling.going(conn, settings, others, who, now, there=there)


async def _move_on(conn: Connection, settings: Settings, one: Standing, now: datetime) -> None:
    """Ask the next contact, unless somebody goes or may still answer; who has not answered hears who that is."""
    alert_id = one.asked.alert_id
    if await ladders_store.somebody(conn, alert_id):
        return
    following = await ask_one(conn, settings, alert_id, "system", now)
    if following is None:
        await nobody_left(conn, settings, alert_id, "system", now)
    elif one.question.stage is Stage.PASSED:
        await telling.next_one(conn, settings, one, following.name, now)
