"""Taking alarms that may have a shared cause into incidents, and saying in incidents which homes are back.

Each function works inside the caller's transaction, on many alarms or homes at once: two thousand homes that lose their
power are a few statements, and a line in the log for each batch.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from alerts import store as alerts_store
from alerts.domain import first_due
from alerts.incidents import reading, store
from alerts.incidents.domain import PRIORITY, Loss, Signal, Trouble, also, fold_all, headline, needed
from alerts.policy_store import edition_of
from alerts.settings import ladder
from telecare.db import Connection
from telecare.settings import Settings

log = logging.getLogger("alerts")

_TRIES = 5


async def next_waiting(conn: Connection, aside: Sequence[UUID], most: int) -> list[Signal]:
    """The longest-waiting alarms that may have a shared cause, locked."""
    return await store.next_waiting(conn, aside, most)


async def gather(
    conn: Connection, settings: Settings, waiting: Sequence[Signal], now: datetime
) -> tuple[list[UUID], list[int]]:
    """Give the alarms that belong to incidents their places there.

    Returns the alarms that belong to none, which are then taken as any other, and the alerts that have changed.
    """
    taking = _Taking(conn, settings, waiting, now)
    rest = await taking.take()
    return rest, sorted(taking.changed)


class _Taking:
    """One batch of alarms on their way into incidents."""

    def __init__(self, conn: Connection, settings: Settings, waiting: Sequence[Signal], now: datetime) -> None:
        self.conn, self.settings, self.waiting, self.now = conn, settings, waiting, now
        self.since = store.window_start(now, settings.incident_window_s)
        self.changed: set[int] = set()
        self.rules: dict[int, str] = {}  # incidents that were opened, each with the name of its council's policy
        self.opened: dict[int, list[int]] = {}  # incidents, each with the alerts of single homes that it closed

    async def take(self) -> list[UUID]:
        """Take what belongs to incidents; the alarms that do not."""
        incidents = await self._incidents()
        joining: dict[int, list[Signal]] = defaultdict(list)
        rest = []
        begun = {signal.home_id for signal in self.waiting if signal.begins is not None and signal.area in incidents}
        listed = await store.incidents_of(self.conn, {one.home_id for one in self.waiting if one.ends is not None})
        for signal in self.waiting:
            place = listed.get(signal.home_id)
            if signal.home_id in begun and (signal.begins or signal.ends) is not None:
                joining[incidents[signal.area]].append(signal)
            elif signal.ends is not None and place is not None and place.takes(signal.ends, self.since):
                joining[place.alert_id].append(signal)
            else:
                rest.append(signal.alarm_id)
        await store.lock(self.conn, joining)
        for alert_id in sorted(joining):
            await self._join(alert_id, joining[alert_id])
        return rest

    async def _incidents(self) -> dict[str, int]:
        """The open incident of each area in which a loss begins, opened where there are losses enough."""
        areas = sorted({signal.area for signal in self.waiting if signal.begins is not None})
        found = await store.open_in(self.conn, areas)
        losing = await store.losing(self.conn, [name for name in areas if name not in found], self.since)
        for name in areas:
            # Most areas have too few for any incident: they are not looked at one by one.
            if losing.get(name, 0) >= self.settings.incident_least and (opened := await self._open(name)) is not None:
                found[name] = opened
        return found

    async def _open(self, name: str) -> int | None:
        """Open an area's incident with the losses of the window; None where they are too few."""
        here = {signal.alarm_id for signal in self.waiting}
        signals = await store.recent(self.conn, name, self.since, list(here))
        losses, area = fold_all({}, signals, self.now), await store.area(self.conn, name)
        limits = self.settings
        if len(losses) < needed(
            area.homes, most=limits.incident_hubs, share=limits.incident_share, least=limits.incident_least
        ):
            return None
        first = next(signal for signal in signals if signal.begins is not None)
        began_at = min(loss.since for loss in losses.values())
        due_at = first_due(PRIORITY, self.now, ladder(self.settings))
        rule = await edition_of(self.conn, UUID(name.split(":")[0]))
        for _ in range(_TRIES):
            opened = await store.open_incident(self.conn, name, area, first.kind, began_at, self.now, due_at, rule)
            if opened is not None:
                self.rules[opened] = rule.name
                # Those that have places of their own are listed now; those of this batch when they join.
                await self._list(opened, {}, [signal for signal in signals if signal.alarm_id not in here])
                self.opened[opened] = await self._fold_in(opened, list(losses))
                log.info("incident opened", extra={"event": "incident_opened", "alert": opened, "homes": len(losses)})
                return opened
            if (found := (await store.open_in(self.conn, [name])).get(name)) is not None:
                return found  # another engine was quicker
        raise LookupError(f"the incident was opened and closed by others {_TRIES} times")

    async def _fold_in(self, alert_id: int, homes: Sequence[UUID]) -> list[int]:
        """Close the alerts of single homes that this incident explains and that nobody has touched; their numbers."""
        how = f"part of incident {alert_id}"
        folded = await store.fold_in(self.conn, homes, self.since, how, self.now)
        detail = {"cause": "power-or-line", "outcomes": ["information"], "confirmed_by": "system", "how": how}
        for number in folded:
            await alerts_store.log(self.conn, number, self.now, "system", "closed", detail | {"incident": alert_id})
        self.changed |= set(folded)
        return folded

    async def _list(self, alert_id: int, before: Mapping[UUID, Loss], signals: Sequence[Signal]) -> None:
        after = fold_all(before, signals, self.now)
        silent = [home for home, loss in after.items() if Trouble.SILENT in loss.troubles]
        for home in await store.without_mains(self.conn, silent):
            after[home] = also(after[home], Trouble.MAINS)
        await store.keep_homes(self.conn, alert_id, after)

    async def _join(self, alert_id: int, signals: Sequence[Signal]) -> None:
        before = await store.homes_of(self.conn, alert_id, {signal.home_id for signal in signals})
        await self._list(alert_id, before, signals)
        await store.give_places(self.conn, alert_id, [signal.alarm_id for signal in signals], self.now)
        reason = await _tell(self.conn, alert_id, len(signals), self.now)
        what, detail = "alarm-joined", {"kind": signals[0].kind, "alarms": len(signals), "reason": reason}
        if alert_id in self.opened:
            what, detail = "raised", detail | {"rule": self.rules[alert_id]}
        elif all(signal.ends is not None for signal in signals):
            what, detail = "note", {"text": f"{len(signals)} restored. {reason}", "alarms": len(signals)}
        await alerts_store.log(self.conn, alert_id, self.now, "system", what, detail)
        if folded := self.opened.get(alert_id):
            words = f"Alerts of single homes that are part of it, closed: {', '.join(map(str, folded))}"
            await alerts_store.log(self.conn, alert_id, self.now, "system", "note", {"text": words})
        self.changed.add(alert_id)


async def _tell(conn: Connection, alert_id: int, joined: int, now: datetime) -> str:
    """Describe an incident anew on its alert; the words."""
    found = (await reading.summaries(conn, [alert_id]))[alert_id]
    reason = headline(found, now) + "."
    if found.cause is not None:
        reason += f" Shared cause: {found.cause}."
    await store.tell(conn, alert_id, reason, joined)
    return reason


async def note_returns(conn: Connection, now: datetime) -> bool:
    """Say in each incident which of its homes are back, in one line of the log; False where none is new."""
    noted = []
    for alert_id in await store.with_returns(conn):
        await store.lock(conn, [alert_id])
        changed, back = await store.note_returns(conn, alert_id, now)
        if changed:
            reason = await _tell(conn, alert_id, 0, now)
            words = f"{back} back. {reason}" if back else f"{changed} heard again, still without mains. {reason}"
            await alerts_store.log(conn, alert_id, now, "system", "note", {"text": words})
            noted.append(alert_id)
    if noted:
        await alerts_store.publish_changes(conn, noted, now)
    return bool(noted)
