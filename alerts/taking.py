"""Taking alarms into alerts: those that wait together share a transaction, and one that cannot be taken holds up none.

Every alarm gets exactly one place in exactly one alert; a repeat finds it has one (`alert_alarms`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Final
from uuid import UUID

from alerts import life_store, store, taking_store
from alerts.detection.findings import Finding, raise_findings
from alerts.domain import Arrival, Placement, first_due, place
from alerts.incidents import service as incidents
from alerts.policy import Edition, Facts, rise
from alerts.policy_store import Editions
from alerts.settings import command_validity, ladder
from alerts.taking_store import Entry, Opening, Place
from telecare.db import Connection, Pool
from telecare.settings import Settings
from telecare.vocabulary import Kind

log = logging.getLogger("alerts")

ALARMS_PER_COMMIT: Final = 100
_TRIES: Final = 5
_SET_ASIDE_S: Final = 30.0  # an alarm whose taking failed is tried again after this long; the others go on meanwhile
_BUGS: Final = (AssertionError, LookupError, TypeError, ValueError)

Placed = tuple[Arrival, Placement]


class Turn(Enum):
    """Which alarms are taken together."""

    CALLS = auto()  # what is about one home, calls for help among them
    INCIDENTS = auto()  # what may have a shared cause
    CROWDS = auto()  # what is about one home, of hubs that send more than a home can need


class Taking:
    """Takes what ingest has put on the waiting list."""

    def __init__(self, pool: Pool, settings: Settings, now_of: Callable[[Connection], Awaitable[datetime]]) -> None:
        self._pool, self._settings, self._now_of = pool, settings, now_of
        self._aside: dict[UUID, float] = {}
        self._editions = Editions()
        self._at_once = settings.incident_batch

    async def step(self) -> bool:
        """Give the longest-waiting alarms their places; False when none waits but those of crowds.

        Nobody who calls waits behind a power cut: its alarms have their turn when no more calls wait.
        """
        return await self._turn(Turn.CALLS) or await self._turn(Turn.INCIDENTS)

    async def crowd_step(self) -> bool:
        """Give some alarms of hubs that send more than a home can need their places; False when none waits.

        Repeated beside `step`, so that nobody else waits until these are done.
        """
        return await self._turn(Turn.CROWDS)

    async def _turn(self, turn: Turn) -> bool:
        try:
            return await self._some(ALARMS_PER_COMMIT, turn)
        except _BUGS:
            # One of them: the others must not wait for it.
            log.exception("alarms could not be taken together", extra={"event": "alarms_one_by_one"})
            for _ in range(ALARMS_PER_COMMIT):
                if not await self._one(turn):
                    break
            return True

    async def _one(self, turn: Turn) -> bool:
        """One alarm, as one of a single home. One that cannot be taken is set aside for a while.

        It keeps its place in the queue, the row's age is watched by /health, and it is tried again.
        """
        taking: list[UUID] = []
        try:
            return await self._some(1, turn, taking)
        except _BUGS:
            if not taking:
                raise
            log.exception("alarm could not be taken", extra={"event": "alarm_set_aside", "alarm": taking[0]})
            self._aside[taking[0]] = asyncio.get_running_loop().time() + _SET_ASIDE_S
            return True

    async def _some(self, most: int, turn: Turn, taking: list[UUID] | None = None) -> bool:
        """Those that wait together share a commit. With `taking`, which is told which they are, no incident is made."""
        now_s = asyncio.get_running_loop().time()
        self._aside = {alarm: until for alarm, until in self._aside.items() if until > now_s}
        async with self._pool.connection() as conn, conn.transaction():
            aside, told = list(self._aside), None
            if turn is not Turn.INCIDENTS:
                alarms = await taking_store.next_waiting(conn, aside, most, crowding=turn is Turn.CROWDS)
            else:
                told = await incidents.next_waiting(conn, aside, most if taking is not None else self._at_once)
                alarms = [signal.alarm_id for signal in told]
            if taking is not None:
                taking += alarms
            if not alarms:
                return False
            now, changed = await self._now_of(conn), list[int]()
            if told is not None and taking is None:
                alarms, changed = await incidents.gather(conn, self._settings, told, now)
            await self._take(conn, alarms[:most], changed, now)
            return True

    async def _take(self, conn: Connection, alarms: Sequence[UUID], changed: Sequence[int], now: datetime) -> None:
        """Give alarms of single homes their places; `changed` are incidents that have changed in this transaction."""
        arrivals = await taking_store.arrivals(conn, alarms)
        policies = await self._editions.of(conn, {arrival.policy_id for arrival in arrivals})
        batch = _Batch(self._settings, policies, now)
        placed: list[Placed] = []
        if crowds := crowd_findings(arrivals, now):
            await raise_findings(conn, crowds, now)
        for arrival in arrivals:
            if arrival.cancels is None or not await batch.join_cancelled(conn, arrival):
                placed.append((arrival, place(arrival, policies[arrival.policy_id].policy)))
        await batch.open_or_join(conn, placed)
        await batch.write(conn, changed)


def crowd_findings(arrivals: Sequence[Arrival], now: datetime) -> list[Finding]:
    """What an engineer must know about hubs that send more alarms than a home can need; at most once an hour each."""
    words = (
        "The hub sends more alarms than a home can need. All are kept, but the further ones are taken after those of "
        "all other homes: until it is put right, a press in this home may wait behind them."
    )
    hubs = sorted({arrival.hub for arrival in arrivals if arrival.crowding})
    return [Finding(hub, Kind.FAULT, "hub-crowds", f"hub-crowds:{hub}:{now:%Y-%m-%dT%H}", words) for hub in hubs]


class _Batch:
    """What one transaction does: places, log entries, announcements, in the order in which the alarms came."""

    def __init__(self, settings: Settings, policies: Mapping[int | None, Edition], now: datetime) -> None:
        self._settings, self._policies, self._now = settings, policies, now
        self._places: list[Place] = []
        self._announced: list[Place] = []
        self._entries: list[Entry] = []
        self._tests: list[int] = []
        self._unsafe: list[int] = []  # alerts that somebody has, and that another alarm has joined

    async def join_cancelled(self, conn: Connection, arrival: Arrival) -> bool:
        """A cancel joins the alert of the alarm that it names, open or closed, and changes nothing else there.

        False where that alarm is not known: then the cancel is an alarm like any other.
        """
        assert arrival.cancels is not None
        alert_id = await taking_store.alert_of_alarm(conn, arrival.hub, arrival.cancels)
        if alert_id is None:
            return False
        await taking_store.count_alarm(conn, alert_id)
        detail = {"kind": arrival.kind, "cancels": arrival.cancels}
        self._entries.append((alert_id, "wearer", "alarm-joined", detail))
        self._places.append((arrival.alarm_id, alert_id))
        return True

    async def open_or_join(self, conn: Connection, placed: Sequence[Placed]) -> None:
        """Find each alarm's alert, or open it.

        Raises:
            LookupError: others opened and closed an alert again and again.
        """
        waiting: dict[str, list[Placed]] = {}
        for arrival, placement in placed:
            waiting.setdefault(placement.case_key, []).append((arrival, placement))
        for _ in range(_TRIES):  # an open alert may be closed between our two statements
            if not waiting:
                return
            opened = await taking_store.open_alerts(
                conn, [self._opening(group[0]) for group in waiting.values()], self._now
            )
            joined = await taking_store.lock_open(conn, waiting.keys() - opened.keys())
            joining: dict[int, list[Placement]] = {}
            for key, alert_id in (opened | joined).items():
                group = waiting.pop(key)
                if key in opened:
                    self._raised(alert_id, *group[0])
                    group = group[1:]
                if group:
                    joining[alert_id] = [placement for _, placement in group]
                    self._joined(alert_id, group)
            self._unsafe += await taking_store.join_alerts(conn, joining, self._now)
        raise LookupError(f"alerts were opened and closed by others {_TRIES} times")

    def _opening(self, first: Placed) -> Opening:
        arrival, placement = first
        edition, now = self._policies[arrival.policy_id], self._now
        facts = Facts(level=placement.priority, level_since=now, waiting_since=now)
        due_at = first_due(placement.priority, now, ladder(self._settings))
        return Opening(arrival, placement, due_at, edition, rise(edition.policy, facts, now).at)

    def _raised(self, alert_id: int, arrival: Arrival, placement: Placement) -> None:
        detail = {
            "alarm": str(arrival.alarm_id),
            "kind": placement.kind,
            "rule": self._policies[arrival.policy_id].name,
            "reason": placement.reason,
        }
        self._entries.append((alert_id, "system", "raised", detail))
        if placement.is_test:
            self._tests.append(alert_id)
            self._entries.append((alert_id, "system", "closed", {"cause": "test", "reason": "proof of the path"}))
        self._give_place(alert_id, arrival, placement)
        log.info(
            "alert raised",
            extra={"event": "alert_raised", "alert": alert_id, "level": int(placement.priority), "hub": arrival.hub},
        )

    def _joined(self, alert_id: int, group: Sequence[Placed]) -> None:
        """Write down who joins. Those of a hub that sends more than a home can need are counted in one line."""
        crowd = [arrival for arrival, _ in group if arrival.crowding]
        for arrival, placement in group:
            if arrival.crowding:
                self._places.append((arrival.alarm_id, alert_id))
                continue
            detail = {"alarm": str(arrival.alarm_id), "kind": arrival.kind, "reason": placement.reason}
            self._entries.append((alert_id, "device", "alarm-joined", detail))
            self._entries.append((alert_id, "system", "re-sounded", {"because": "another alarm"}))
            self._give_place(alert_id, arrival, placement)
        if crowd:
            first, last = str(crowd[0].alarm_id), str(crowd[-1].alarm_id)
            why = "its hub sends more alarms than a home can need"
            count: dict[str, object] = {"alarms": len(crowd), "first": first, "last": last, "reason": why}
            self._entries.append((alert_id, "device", "repeated", count))

    def _give_place(self, alert_id: int, arrival: Arrival, placement: Placement) -> None:
        self._places.append((arrival.alarm_id, alert_id))
        if placement.announces:
            self._announced.append((arrival.alarm_id, alert_id))
            self._entries.append((alert_id, "system", "announced", {"text": "help-is-coming"}))

    async def write(self, conn: Connection, changed: Sequence[int]) -> None:
        """Write everything down; the numbers for the screens last, since their counter is held until the commit."""
        now = self._now
        await taking_store.close_tests(conn, self._tests, now)
        await taking_store.give_places(conn, self._places, now)
        await taking_store.announce_help(conn, self._announced, now, now + command_validity(self._settings))
        await taking_store.log_entries(conn, self._entries, now)
        await life_store.unsay_safety(conn, self._unsafe, now)
        await store.publish_changes(conn, list(dict.fromkeys((*changed, *(alert for _, alert in self._places)))), now)
