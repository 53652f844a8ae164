"""Alerts that move on by themselves: those that are due share a transaction, and one that fails holds up none.

A breach asks a contact to go: it has a transaction of its own, so that no number for the screens is held meanwhile.
That somebody on call is to be rung is written down with the step; ringing them is another worker's (alerts/ringing.py).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from alerts import asks, deadlines_store, life_store, on_call_store, store, taking_store
from alerts.deadlines_store import Due
from alerts.domain import Ladder, climb
from alerts.life import Missed
from alerts.on_call import DUTY_OF_RUNG, told_again
from alerts.settings import ladder, limits
from telecare.clock import Clock
from telecare.db import Connection, Pool
from telecare.rota import Duty
from telecare.service import keep_doing
from telecare.settings import Settings
from telecare.vocabulary import Priority

log = logging.getLogger("alerts")

ALERTS_PER_COMMIT: Final = 100
_GATHER_S: Final = 0.1  # what becomes due within so many seconds shares the next commit; a step is late by no more
_SET_ASIDE_S: Final = 30.0  # an alert that could not move on is tried again after this long; the others go on meanwhile
_BUGS: Final = (AssertionError, LookupError, TypeError, ValueError, psycopg.DataError, psycopg.IntegrityError)


# ---------------------------------------------------------------- what becomes of one


@dataclass(frozen=True, slots=True)
class Move:
    """What happens to an alert whose deadline has come."""

    alert_id: int
    due_at: datetime | None  # when something next happens by itself; None: that has been set
    step: int  # how far the ladder then stands
    steps: tuple[tuple[str, dict[str, Any]], ...]  # for the log: what, detail
    asks: bool = False  # the next contact is asked to go
    tells: tuple[Duty, ...] = ()  # those who are on call as that are rung
    why: str = "unclaimed"  # they are


def unclaimed(due: Due, now: datetime, ladder: Ladder, again: timedelta) -> Move:
    """Nobody has it: the ladder goes on, and the first contact is asked at its end.

    Those on call are rung at their rungs and, past the last one, every `again`.
    """
    climbed = climb(due.waiting, now, ladder)
    detail = {"waiting_since": str(due.waiting.waiting_since)}
    steps = tuple((rung, detail) for rung in climbed.rungs)
    tells = tuple(DUTY_OF_RUNG[rung] for rung in climbed.rungs if rung in DUTY_OF_RUNG)
    if due.waiting.priority is not Priority.TECHNICAL and due.waiting.step == len(ladder.rungs):
        since = due.waiting.waiting_since + ladder.breach
        tells = tuple(Duty) if told_again(since, due.due_at - ladder.resound, now, again) else ()
    return Move(due.id, climbed.due_at, climbed.step, steps, asks="breached" in climbed.rungs, tells=tells)


def attended(due: Due, missed: Missed) -> Move:
    """Somebody has it, and has left it alone for too long. Its deadline has been set (`life_store.look`)."""
    steps = ((missed.what, {"owner": due.claimed_by, "because": missed.because}),)
    tells = (Duty.SUPERVISOR,) if missed.what in DUTY_OF_RUNG else ()
    return Move(due.id, None, 0, steps, tells=tells, why="left-alone")


# ---------------------------------------------------------------- the worker


class Deadlines:
    """Moves on what is due."""

    def __init__(self, pool: Pool, settings: Settings, now_of: Callable[[Connection], Awaitable[datetime]]) -> None:
        self._pool, self._settings, self._now_of = pool, settings, now_of
        self._aside: dict[int, float] = {}
        self._full = False  # more may be due than the last step took
        self._looked_at: datetime | None = None  # what has become due since then has not been looked for

    async def run(self, clock: Clock, poll_s: float) -> None:
        """Work for ever: at the next deadline, and every `poll_s` seconds at least."""
        wake = asyncio.Event()

        async def turn() -> bool:
            if await self.step():
                if not self._full:
                    await clock.sleep(_GATHER_S)
                return True
            asyncio.get_running_loop().call_later(await self.idle_s(poll_s), wake.set)
            return False

        await keep_doing(turn, wake, clock, poll_s, "deadlines")

    async def idle_s(self, most_s: float) -> float:
        """Seconds until there is something to do again, as far as is known now."""
        async with self._pool.connection() as conn:
            now = await self._now_of(conn)
            due_at = await deadlines_store.next_due_at(conn, self._looked_at or now)
        return most_s if due_at is None else min(most_s, max(0.0, (due_at - now).total_seconds()))

    async def step(self) -> bool:
        """Move on the alerts that are longest overdue; False when none is due."""
        try:
            found, asking = await self._together()
        except _BUGS as problem:
            # One of them: the others must not wait for it.
            _complain("alerts could not move on together", problem, event="deadlines_one_by_one")
            for _ in range(ALERTS_PER_COMMIT):
                if not await self._alone():
                    break
            return True
        for alert_id in asking:
            await self._alone(alert_id)
        return found

    async def _together(self) -> tuple[bool, list[int]]:
        """Whether any was due, and those that are still to have a transaction of their own."""
        async with self._pool.connection() as conn, conn.transaction():
            now = await self._now_of(conn)
            due = await deadlines_store.lock_due(conn, now, ALERTS_PER_COMMIT, self._passed_over())
            self._full, self._looked_at = len(due) == ALERTS_PER_COMMIT, now
            moves = await self._moves(conn, due, now)
            await self._write(conn, [one for one in moves if not one.asks], now)
            return bool(due), [one.alert_id for one in moves if one.asks]

    async def _alone(self, alert_id: int | None = None) -> bool:
        """One alert (that one, or the longest overdue); False when none is due. One that fails is set aside.

        It stays due, the watchdog sees that it is past its deadline, and it is tried again.
        """
        working: list[int] = []
        try:
            async with self._pool.connection() as conn, conn.transaction():
                now = await self._now_of(conn)
                due = await deadlines_store.lock_due(conn, now, 1, self._passed_over(), alert_id)
                working += [one.id for one in due]
                await self._write(conn, await self._moves(conn, due, now), now)
                return bool(due)
        except _BUGS as problem:
            if not working:
                raise
            _complain("alert could not move on", problem, event="deadline_set_aside", alert=working[0])
            self._aside[working[0]] = asyncio.get_running_loop().time() + _SET_ASIDE_S
            return True

    def _passed_over(self) -> list[int]:
        now_s = asyncio.get_running_loop().time()
        self._aside = {alert: until for alert, until in self._aside.items() if until > now_s}
        return list(self._aside)

    async def _moves(self, conn: Connection, due: Sequence[Due], now: datetime) -> list[Move]:
        """What happens to those that are due; one that is not due after all is left out."""
        moves = []
        for one in due:
            if one.state == "raised":
                again = timedelta(seconds=self._settings.on_call_again_s)
                moves.append(unclaimed(one, now, ladder(self._settings), again))
            elif missed := await life_store.look(conn, one.id, now, limits(self._settings)):
                moves.append(attended(one, missed))
        return moves

    async def _write(self, conn: Connection, moves: Sequence[Move], now: datetime) -> None:
        """Write everything down; the numbers for the screens last, since their counter is held until the commit."""
        if not moves:
            return
        await deadlines_store.set_deadlines(conn, [(one.alert_id, one.due_at, one.step) for one in moves if one.due_at])
        entries = [(one.alert_id, "system", what, detail) for one in moves for what, detail in one.steps]
        await taking_store.log_entries(conn, entries, now)
        tells = [(one.alert_id, duty, one.why) for one in moves for duty in one.tells]
        await on_call_store.add_needs(conn, tells, now)
        for one in moves:
            if one.asks:
                await asks.ask_unless_asked(conn, self._settings, one.alert_id, now)
        await store.publish_changes(conn, [one.alert_id for one in moves], now)


def _complain(what: str, problem: Exception, **extra: object) -> None:
    """Log a failure. The database's own words hold the row, and a person's data with it: they stay out."""
    if isinstance(problem, psycopg.Error):
        why = {"why": type(problem).__name__, "constraint": problem.diag.constraint_name}
        log.error(what, extra=why | extra)
    else:
        log.error(what, extra=extra, exc_info=problem)
