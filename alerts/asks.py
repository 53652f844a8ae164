"""Asking contacts to go: the shell of the ladder (alerts/ladder.py). Each step is one transaction.

The alert stays with its operator whatever contacts answer: they are not the safety net. All take `now`, the database's
time, and lock the alert before its questions, as closing does.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from alerts import asks_store, climbing, ladder, ladders_store, questions_store, store, telling
from alerts.incidents import store as incident_store
from alerts.ladder import Event, Stage
from alerts.ladders_store import Why
from alerts.settings import carers_ladder
from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.settings import Settings

Answer = Literal["going", "cannot"]
MINUTES: Final = (1, 240)  # how long a contact's way may take


@dataclass(frozen=True, slots=True)
class Told:
    """What became of an answer."""

    taken: bool  # False: the alert had ended, or they are no contact any more
    answer: str | None  # what stands now
    person: str


# ---------------------------------------------------------------- beginning


async def ask(
    conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime, contact: UUID | None = None
) -> bool:
    """Ask the next contact to go (or that one); False where there is nobody left to ask, which is written down.

    The caller has checked that `by` may, and holds a transaction or not.
    """
    async with conn.transaction():
        told = await _ask(conn, settings, alert_id, by, now, "operator", contact)
        await store.publish_change(conn, alert_id, now)
        return told


async def ask_unless_asked(conn: Connection, settings: Settings, alert_id: int, now: datetime) -> None:
    """Nobody has claimed in time: ask the next contact, unless one goes or may still answer.

    An incident has no contacts of its own; it goes on sounding. The caller holds the transaction, and publishes.
    """
    if await incident_store.is_incident(conn, alert_id):
        return
    if not await ladders_store.somebody(conn, alert_id):
        await _ask(conn, settings, alert_id, "system", now, "breached")


async def _ask(
    conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime, why: Why, contact: UUID | None = None
) -> bool:
    await asks_store.lock_alert(conn, alert_id)
    await ladders_store.begin(conn, alert_id, by, why, now)
    if await climbing.ask_one(conn, settings, alert_id, by, now, contact) is not None:
        return True
    before = await questions_store.asked_of(conn, alert_id)
    if contact is not None and any(one.asked.contact_id == contact for one in before):
        return True  # that one has been asked
    if contact is not None:
        await climbing.not_that_one(conn, alert_id, contact, by, now)
        return False
    await climbing.nobody_left(conn, settings, alert_id, by, now)
    return False


async def stop(conn: Connection, alert_id: int, by: str, now: datetime) -> bool:
    """Nobody more is asked by itself, neither in a new round nor who can be asked later; False where nobody would be.

    Who has been asked may still answer. The caller has checked that `by` may, and holds the alert.
    """
    at = await ladders_store.ladder_of(conn, alert_id)
    if at is None or at.due_at is None:
        return False
    await ladders_store.end(conn, alert_id, now)
    await store.log(conn, alert_id, now, by, "note", {"text": "no further contact is asked by itself"})
    await store.publish_change(conn, alert_id, now)
    return True


# ---------------------------------------------------------------- deadlines


async def pass_on(conn: Connection, settings: Settings, now: datetime) -> bool:
    """One deadline of the ladder: ring, pass on, notice who is late, begin (again). False when none is due.

    The caller holds the transaction. An alert that another engine is working on is passed over.
    """
    due = await questions_store.next_due(conn, now)
    if due is not None:
        one = await questions_store.standing(conn, due[0])  # anew: it may have changed before we had the lock
        assert one is not None
        is_open, safe = await questions_store.whether_open(conn, due[1])
        await climbing.happen(conn, settings, one, ladder.Time(safe) if is_open else ladder.Ended(), "system", now)
        return True
    alert_id = await ladders_store.next_due(conn, now)
    if alert_id is None:
        return False
    await _begin_round(conn, settings, alert_id, now)
    return True


async def _begin_round(conn: Connection, settings: Settings, alert_id: int, now: datetime) -> None:
    at = await ladders_store.ladder_of(conn, alert_id)
    if at is None or at.due_at is None or at.due_at > now:
        return  # somebody was quicker
    is_open, safe = await questions_store.whether_open(conn, alert_id)
    if not is_open:
        return await ladders_store.end(conn, alert_id, now)
    timing = carers_ladder(settings)
    if safe:  # looked at again, since a new alarm may unsay it
        return await ladders_store.put_off(conn, alert_id, now + timing.again)
    if await ladders_store.somebody(conn, alert_id):
        return await ladders_store.go_on(conn, alert_id, None)
    begun = at.later_at is not None or bool(await questions_store.asked_of(conn, alert_id))
    if begun and await climbing.ask_one(conn, settings, alert_id, "system", now) is not None:
        return await store.publish_change(conn, alert_id, now)  # somebody is left in this round, or can be asked by now
    first = not begun and at.why == "plan"
    anyone, _, asked = await ladders_store.who_is_left(conn, alert_id)
    if not first and not ladder.again(ladder.Left(round=at.round, asked=asked, anyone=anyone), timing):
        await climbing.nobody_left(conn, settings, alert_id, "system", now, only_looked=True)
        return await store.publish_change(conn, alert_id, now)
    round_ = at.round if first else at.round + 1
    await ladders_store.go_on(conn, alert_id, None, round_=round_)
    rounds = settings.ladder_rounds + 1
    words = f"nobody goes yet: the contacts are asked again, round {round_} of {rounds}"
    words = "the plan is carer alert: the contacts are asked at once" if first else words
    await store.log(conn, alert_id, now, "system", "note", {"text": words})
    if await climbing.ask_one(conn, settings, alert_id, "system", now) is None:
        await climbing.nobody_left(conn, settings, alert_id, "system", now)
    await store.publish_change(conn, alert_id, now)


# ---------------------------------------------------------------- answers


async def answer(
    conn: Connection,
    settings: Settings,
    ask_id: UUID,
    given: Answer | Literal["there"],
    minutes: int | None,
    now: datetime,
    by: str = "contact",
) -> Told:
    """Keep what a contact answers. A yes ends the asking; a no, or a yes that is taken back, moves on at once.

    `by` is a username where an operator writes it down for them.

    Raises:
        NotFound: there is no such ask.
        Refused: the minutes are out of bounds.
    """
    event = _event(given, minutes)
    async with conn.transaction():
        found = await questions_store.standing(conn, ask_id)
        if found is None:
            raise NotFound("there is no such question")
        await asks_store.lock_alert(conn, found.asked.alert_id)
        one = await questions_store.standing(conn, ask_id)
        assert one is not None
        is_open, _ = await questions_store.whether_open(conn, one.asked.alert_id)
        if not is_open or one.question.stage is Stage.OVER or one.contact_ended:
            return Told(False, climbing.said(one.question), one.asked.person)
        now_stands = await climbing.happen(conn, settings, one, event, by, now)
        return Told(True, climbing.said(now_stands), one.asked.person)


async def contact_there(
    conn: Connection, settings: Settings, alert_id: int, contact: UUID, by: str, now: datetime
) -> Told:
    """An operator writes down that a contact is there. Raises `NotFound` where that contact has not been asked."""
    for one in await questions_store.asked_of(conn, alert_id):
        if one.asked.contact_id == contact:
            return await answer(conn, settings, one.id, "there", None, now, by)
    raise NotFound("this contact has not been asked about this alert")


def _event(given: Answer | Literal["there"], minutes: int | None) -> Event:
    if given == "cannot":
        return ladder.No()
    if given == "there":
        return ladder.There()
    if minutes is None or not MINUTES[0] <= minutes <= MINUTES[1]:
        raise Refused(f"Say how many minutes you need, from {MINUTES[0]} to {MINUTES[1]}")
    return ladder.Yes(minutes)


# ---------------------------------------------------------------- the end


async def end(conn: Connection, settings: Settings, alert_id: int, confirmed_by: str | None, now: datetime) -> None:
    """The alert has been closed: everyone who was asked is told. The caller holds the transaction."""
    asked = await questions_store.asked_of(conn, alert_id)
    for one in asked:
        await climbing.happen(conn, settings, one, ladder.Ended(), "system", now)
    await ladders_store.end(conn, alert_id, now)
    await telling.over(conn, settings, asked, confirmed_by, now)


async def to_hospital(
    conn: Connection, settings: Settings, alert_id: int, hospital: str, left_local: datetime, now: datetime
) -> None:
    """An ambulance takes the person there: everyone who was asked is told. The caller holds the transaction."""
    asked = await questions_store.asked_of(conn, alert_id)
    await telling.hospital(conn, settings, asked, hospital, left_local, now)
