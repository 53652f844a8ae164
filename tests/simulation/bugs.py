"""Bugs to be planted, one at a time: each changes one thing of the real code, as somebody might by mistake.

`found_by` is the invariant that must find it; where the database itself refuses, that is an error which nobody expects.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from alerts import (
    actions,
    asks,
    asks_store,
    climbing,
    deadlines,
    deadlines_store,
    leases_store,
    life_store,
    reach_store,
    receipts,
    replies,
    replies_store,
    sending,
    sending_store,
    standing_store,
    store,
    taking_store,
)
from alerts.delivery import Outcome
from alerts.domain import Climb, climb
from tests.simulation import broken, moves_contacts
from tests.simulation.world import World

Plant = Callable[[World], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake, and what must find it."""

    name: str
    words: str
    found_by: str
    plant: Plant


def _changed(*changes: tuple[Any, str, Any]) -> Plant:
    """Replace these: (module, name, by what)."""

    @asynccontextmanager
    async def plant(world: World) -> AsyncIterator[None]:
        with ExitStack() as stack:
            for module, name, value in changes:
                stack.enter_context(patch.object(module, name, value))
            yield

    return plant


def _sql(module: Any, name: str, old: str, new: str) -> Plant:
    """Change some words of a statement."""
    statement: str = getattr(module, name)
    assert old in statement, f"{name} does not say {old!r} any more"
    return _changed((module, name, statement.replace(old, new)))


# ---------------------------------------------------------------- the mistakes


def _tomorrow(*given: Any) -> Climb:
    made = climb(*given)
    return Climb(made.rungs, made.step, made.due_at + timedelta(days=1))


async def _nothing(*_: Any, **__: Any) -> None:
    return None


async def _none_expires(*_: Any) -> int:
    return 0


_record = actions._record
_give_places = taking_store.give_places


async def _not_closed(conn: Any, alert_id: int, now: Any, by: str, what: str, detail: Any = None) -> None:
    if what == "closed":
        await store.publish_change(conn, alert_id, now)
    else:
        await _record(conn, alert_id, now, by, what, detail)


async def _lose_some(conn: Any, places: Any, now: Any) -> None:
    """Whoever presses again is thought to be known already."""
    rows = await conn.execute("select distinct alert_id from alert_alarms")
    known = {row[0] for row in await rows.fetchall()}
    lost = [alarm for alarm, alert in places if alert in known]
    await _give_places(conn, [one for one in places if one[1] not in known], now)
    await conn.execute("delete from alarms_waiting where alarm_id = any(%s)", (lost,))


@asynccontextmanager
async def _two_open(world: World) -> AsyncIterator[None]:
    await world.watcher.execute("drop index alerts_one_open")
    opening = taking_store.OPEN.replace("on conflict (case_key) where closed_at is null do nothing", "")
    with patch.object(taking_store, "OPEN", opening):
        yield


_hand_over = sending._hand_over


async def _all_is_well(settings: Any, handing: Any) -> Any:
    went = await _hand_over(settings, handing)
    return replace(went, outcome=Outcome.ACCEPTED) if went.outcome is Outcome.UNAVAILABLE else went


@asynccontextmanager
async def _no_next_rung(world: World) -> AsyncIterator[None]:
    world.moves.often(0.3, world.moves.fate.nobody_is_there)  # else alerts are claimed before the second rung
    with patch.object(deadlines, "climb", _tomorrow):
        yield


@asynccontextmanager
async def _safe_all_the_same(world: World) -> AsyncIterator[None]:
    world.moves.often(3, world.moves.devices.who_waits_presses)  # so that it does not take weeks
    async with _sql(taking_store, "JOIN", "safe_at = null, wrapped_up_at = null,", "")(world):
        yield


@asynccontextmanager
async def _dead_are_alive(world: World) -> AsyncIterator[None]:
    world.moves.often(0.3, world.moves.fate.somebody_dies_or_leaves)  # so that it does not take months
    with (
        patch.object(asks_store, "_STOPPED", []),
        patch.object(sending_store, "_STOPPED", []),
        patch.object(reach_store, "STOPPED", frozenset()),
        patch.object(standing_store, "stop_writing", _nothing),
    ):
        yield


_note_receipt = receipts.note


async def _receipt_answers(conn: Any, settings: Any, one: Any, provider: str, status: str, *more: Any) -> Any:
    """Whoever has the message is taken to be on their way."""
    became = await _note_receipt(conn, settings, one, provider, status, *more)
    if status == "delivered" and one.contact_id is not None and one.alert_id is not None:
        question = await replies_store.question(conn, one.alert_id, one.contact_id)
        if question is not None:
            await asks.answer(conn, settings, question.id, "going", 10, more[-1])
    return became


_read_reply = replies.read


def _read_anything(words: str) -> replies.Said:
    return _read_reply(words) or replies.Said("going")


@asynccontextmanager
async def _any_words_are_yes(world: World) -> AsyncIterator[None]:
    for contact in world.by_contact.values():
        contact.answers = contact.goes = 1.0  # so that somebody writes soon
    with patch.object(replies, "read", _read_anything), patch.object(moves_contacts, "_YES", ("who is this?",)):
        yield


BUGS = (
    Bug(
        "anybody may claim", "claiming does not look whether somebody has it", broken.DOUBLE,
        _sql(store, "CLAIM", "and state = 'raised'", "and closed_at is null"),
    ),
    Bug(
        "no next rung", "after a rung of the ladder the next deadline is a day too late", broken.TOLD,
        _no_next_rung,
    ),
    Bug(
        "no lock", "the engine does not lock the alerts whose deadline has come", broken.TWICE,
        _sql(deadlines_store, "DUE", "for update skip locked", ""),
    ),
    Bug(
        "release keeps the deadline", "an alert that is given back keeps the deadline of who had it", broken.TOLD,
        _sql(store, "RELEASE", "due_at = %(due_at)s, missed", "missed"),
    ),
    Bug(
        "release keeps the owner", "an alert that is given back still has its owner (a constraint refuses it)",
        broken.ERROR,
        _sql(store, "RELEASE", "claimed_by = null, claimed_at = null, ", ""),
    ),
    Bug(
        "nobody is asked next", "who has not answered is passed on from, and nobody else is asked", broken.ASKED,
        _changed((climbing, "_move_on", _nothing)),
    ),
    Bug(
        "the dead are written about",
        "contacts of somebody who has died are asked all the same",
        broken.DECEASED,
        _dead_are_alive,
    ),
    Bug(
        "sent whatever happened",
        "a provider that does not answer counts as one that has taken the message",
        broken.MESSAGE,
        _changed((sending, "_hand_over", _all_is_well)),
    ),
    Bug(
        "a second alert", "a further press opens another alert, and no index forbids it", broken.PLACE, _two_open,
    ),
    Bug(
        "a press is dropped", "a press that joins an open alert is taken off the list without a place", broken.PLACE,
        _changed((taking_store, "give_places", _lose_some)),
    ),
    Bug(
        "no closing message", "who was asked is not told that it is over", broken.ASKED,
        _changed((asks, "end", _nothing)),
    ),
    Bug(
        "closed without a word", "closing is not written into the log", broken.LOG,
        _changed((actions, "_record", _not_closed)),
    ),
    Bug(
        "safe though they call again", "a further press leaves the person counted as safe", broken.LOG,
        _safe_all_the_same,
    ),
    Bug(
        "winter all year", "messages tell the time of Greenwich in summer too", broken.CLOCK,
        _sql(asks_store, "_ASKED", "at time zone k.timezone", "at time zone 'UTC'"),
    ),
    Bug(
        "a state of its own", "the state of an alert is not worked out anew after a step", broken.LOG,
        _changed((life_store, "settle", _nothing)),
    ),
    Bug(
        "a receipt is an answer", "a message that has arrived counts as a yes", broken.RECEIPT,
        _changed((receipts, "note", _receipt_answers)),
    ),
    Bug(
        "any words are a yes", "a text message that is not understood counts as a yes", broken.ANSWER,
        _any_words_are_yes,
    ),
    Bug(
        "a lost screen keeps its alert", "an alert stays with whoever has no screen any more", broken.LEASE,
        _changed((leases_store, "expire_lost", _none_expires)),
    ),
)  # fmt: skip
