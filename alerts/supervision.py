"""Silence is a signal: hubs and devices that fall silent raise an alarm, each by a deadline in the database.

It runs beside the alert engine, not in detection: what detection learns never delays a deadline.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alerts.detection import silence_store
from alerts.detection.findings import Finding, raise_findings
from alerts.detection.silence import restored_words, rule_of, silent_after, silent_words
from alerts.incidents import service as incidents
from telecare import feed
from telecare.clock import Clock
from telecare.db import Connection, Pool, database_now
from telecare.heartbeat import well_since
from telecare.service import keep_doing_beside
from telecare.settings import Settings

log = logging.getLogger("alerts")

READER: Final = "detection"  # whose reading of the feed says when devices were heard


class Supervision:
    """Watches the deadlines of hubs and devices."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        clock: Clock,
        now_of: Callable[[Connection], Awaitable[datetime]] = database_now,
    ) -> None:
        self.pool, self.settings, self.clock, self.now_of = pool, settings, clock, now_of
        self.wake = asyncio.Event()  # a deadline has come

    async def run(self) -> None:
        """Repeat `step`. A bug here is said and tried again: it must not take the alert engine with it."""
        poll_s = self.settings.supervision_poll_s
        await keep_doing_beside(self.step, self.wake, self.clock, poll_s, "supervision")

    async def step(self) -> bool:
        """Notice what is due of one kind: silences, or returns; False when there is neither."""
        for one in (self.return_step, self.hub_step, self.incident_step, self.enlist_step, self.device_step):
            if await one():
                return True
        return False

    async def hub_step(self) -> bool:
        """Raise the alarms of the hubs that are past their deadline, those of a whole district in a few commits."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            listening = await well_since(conn, "ingest-states", now)
            if listening is None:
                return False  # it is we who hear nothing
            first_word = timedelta(hours=self.settings.first_word_h)
            silent = await silence_store.silent_hubs(conn, now, listening, first_word, self.settings.silence_batch)
            await self._raise(conn, silent, now)
            if not silent:
                self._wake_at(await silence_store.next_deadline(conn, now), now)
            return bool(silent)

    def _wake_at(self, deadline: datetime | None, now: datetime) -> None:
        """Look again when the next deadline comes, if that is before the next look."""
        if deadline is not None and (left_s := (deadline - now).total_seconds()) < self.settings.supervision_poll_s:
            asyncio.get_running_loop().call_later(left_s, self.wake.set)

    async def incident_step(self) -> bool:
        """Say in incidents which homes are back; False when none has changed."""
        async with self.pool.connection() as conn, conn.transaction():
            return await incidents.note_returns(conn, await self.now_of(conn))

    async def enlist_step(self) -> bool:
        """Begin to watch devices that have been registered since."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            new = await silence_store.new_devices(conn)
            await silence_store.watch_devices(
                conn, [(home, device, hub, now + silent_after(kind)) for home, device, hub, kind in new]
            )
        return bool(new)

    async def device_step(self) -> bool:
        """Raise the alert of one device that is past its deadline, or give it longer."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            behind_s = (await feed.lag(conn, now)).get(READER)
            if behind_s is None or behind_s > self.settings.detection_lag_s:
                return False  # what they said has not been read
            silent = await silence_store.silent_device(conn, now, self.settings.settled_outbox)
            if silent is None:
                return False
            heard = await silence_store.heard_otherwise(conn, silent)
            if heard is not None and heard + silent_after(silent.kind) > now:
                await silence_store.wait_longer(conn, silent, heard + silent_after(silent.kind))
            else:
                await self._raise(conn, [silent], now)
            return True

    async def _raise(self, conn: Connection, silent: list[silence_store.Silent], now: datetime) -> None:
        if not silent:
            return
        alarms = await raise_findings(conn, [_finding(one, now) for one in silent], now)
        begun = [(one, alarm) for one, alarm in zip(silent, alarms, strict=True) if alarm is not None]
        assert len(begun) == len(silent)  # the key holds the instant
        await silence_store.begin_silences(conn, begun, now)
        for one in silent:
            log.info("silent", extra={"event": "silent", "hub": one.hub, "device": one.device})

    async def return_step(self) -> bool:
        """End the silences that are over; where an alert of a single home is still open, say there that it is over."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            back = await silence_store.heard_again(conn, now, self.settings.silence_batch)
            if not back:
                return False
            await silence_store.end_silences(conn, [one.id for one in back], now)
            await raise_findings(conn, [_restored(one, now) for one in back if one.alert_open], now)
            return True


def _finding(silent: silence_store.Silent, now: datetime) -> Finding:
    kind, rule = rule_of(silent.device, restored=False)
    zone = ZoneInfo(silent.timezone)
    words = silent_words(silent.device, silent.kind, silent.location, silent.last_heard_at, zone)
    return Finding(silent.hub, kind, rule, f"{rule}:{silent.device}:{now.isoformat()}", words)


def _restored(back: silence_store.Back, now: datetime) -> Finding:
    kind, rule = rule_of(back.device, restored=True)
    words = restored_words(back.device, back.kind, back.location, back.noticed_at, now)
    return Finding(back.hub, kind, rule, f"{rule}:{back.id}", words)
