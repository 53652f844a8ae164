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
    life_store,
    reach_store,
    sending,
    sending_store,
    standing_store,
    store,
    taking_store,
)
from alerts.delivery import Outcome
from alerts.domain import Climb, climb
from tests.simulation import watch
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
async def _dead_are_alive(world: World) -> AsyncIterator[None]:
    world.moves.often(0.3, world.moves.somebody_dies_or_leaves)  # so that it does not take months
    with (
        patch.object(asks_store, "_STOPPED", []),
        patch.object(sending_store, "_STOPPED", []),
        patch.object(reach_store, "STOPPED", frozenset()),
        patch.object(standing_store, "stop_writing", _nothing),
    ):
        yield


BUGS = (
    Bug(
        "anybody may claim", "claiming does not look whether somebody has it", watch.DOUBLE,
        _sql(store, "CLAIM", "and state = 'raised'", "and closed_at is null"),
    ),
    Bug(
        "no next rung", "after a rung of the ladder the next deadline is a day too late", watch.TOLD,
        _changed((deadlines, "climb", _tomorrow)),
    ),
    Bug(
        "no lock", "the engine does not lock the alerts whose deadline has come", watch.TWICE,
        _sql(deadlines_store, "DUE", "for update skip locked", ""),
    ),
    Bug(
        "release keeps the deadline", "an alert that is given back keeps the deadline of who had it", watch.TOLD,
        _sql(store, "RELEASE", "due_at = %(due_at)s, missed", "missed"),
    ),
    Bug(
        "release keeps the owner", "an alert that is given back still has its owner (a constraint refuses it)",
        watch.ERROR,
        _sql(store, "RELEASE", "claimed_by = null, claimed_at = null, ", ""),
    ),
    Bug(
        "nobody is asked next", "who has not answered is passed on from, and nobody else is asked", watch.ASKED,
        _changed((climbing, "_move_on", _nothing)),
    ),
    Bug(
        "the dead are written about",
        "contacts of somebody who has died are asked all the same",
        watch.DECEASED,
        _dead_are_alive,
    ),
    Bug(
        "sent whatever happened",
        "a provider that does not answer counts as one that has taken the message",
        watch.MESSAGE,
        _changed((sending, "_hand_over", _all_is_well)),
    ),
    Bug(
        "a second alert", "a further press opens another alert, and no index forbids it", watch.PLACE, _two_open,
    ),
    Bug(
        "a press is dropped", "a press that joins an open alert is taken off the list without a place", watch.PLACE,
        _changed((taking_store, "give_places", _lose_some)),
    ),
    Bug(
        "no closing message", "who was asked is not told that it is over", watch.ASKED,
        _changed((asks, "end", _nothing)),
    ),
    Bug(
        "closed without a word", "closing is not written into the log", watch.LOG,
        _changed((actions, "_record", _not_closed)),
    ),
    Bug(
        "safe though they call again", "a further press leaves the person counted as safe", watch.LOG,
        _sql(taking_store, "JOIN", "safe_at = null, wrapped_up_at = null,", ""),
    ),
    Bug(
        "winter all year", "messages tell the time of Greenwich in summer too", watch.CLOCK,
        _sql(asks_store, "_ASKED", "at time zone k.timezone", "at time zone 'UTC'"),
    ),
    Bug(
        "a state of its own", "the state of an alert is not worked out anew after a step", watch.LOG,
        _changed((life_store, "settle", _nothing)),
    ),
)  # fmt: skip
