"""Silence is a signal: hubs and devices that fall silent raise a level 4 alert, each by a deadline in the database.

It runs beside the alert engine, not in detection: what detection learns never delays a deadline.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import psycopg

from alerts.detection import store
from alerts.detection.silence import restored_words, rule_of, silent_after, silent_words
from telecare import feed
from telecare.clock import Clock
from telecare.db import Connection, Pool, database_now
from telecare.heartbeat import well_since
from telecare.service import keep_doing
from telecare.settings import Settings

log = logging.getLogger("alerts")

_AFTER_A_BUG_S: Final = 30.0
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

    async def run(self) -> None:
        """Repeat `step`. A bug here is said and tried again: it must not take the alert engine with it."""
        while True:
            try:
                await keep_doing(
                    self.step, asyncio.Event(), self.clock, self.settings.supervision_poll_s, "supervision"
                )
            except (AssertionError, LookupError, TypeError, ValueError, psycopg.Error):
                log.exception("supervision failed", extra={"event": "supervision_failed"})
                await self.clock.sleep(_AFTER_A_BUG_S)

    async def step(self) -> bool:
        """Notice one silence or one return; False when there is neither."""
        for one in (self.return_step, self.hub_step, self.enlist_step, self.device_step):
            if await one():
                return True
        return False

    async def hub_step(self) -> bool:
        """Raise the alert of one hub that is past its deadline."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            listening = await well_since(conn, "ingest-states", now)
            if listening is None:
                return False  # it is we who hear nothing
            first_word = timedelta(hours=self.settings.first_word_h)
            silent = await store.silent_hub(conn, now, listening, first_word)
            if silent is None:
                return False
            await self._raise(conn, silent, now)
            return True

    async def enlist_step(self) -> bool:
        """Begin to watch devices that have been registered since."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            new = await store.new_devices(conn)
            for home, device, hub, kind in new:
                await store.watch_device(conn, home, device, hub, now + silent_after(kind))
        return bool(new)

    async def device_step(self) -> bool:
        """Raise the alert of one device that is past its deadline, or give it longer."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            behind_s = (await feed.lag(conn, now)).get(READER)
            if behind_s is None or behind_s > self.settings.detection_lag_s:
                return False  # what they said has not been read
            silent = await store.silent_device(conn, now, self.settings.settled_outbox)
            if silent is None:
                return False
            heard = await store.heard_otherwise(conn, silent)
            if heard is not None and heard + silent_after(silent.kind) > now:
                await store.wait_longer(conn, silent, heard + silent_after(silent.kind))
            else:
                await self._raise(conn, silent, now)
            return True

    async def _raise(self, conn: Connection, silent: store.Silent, now: datetime) -> None:
        kind, rule = rule_of(silent.device, restored=False)
        zone = ZoneInfo(silent.timezone)
        words = silent_words(silent.device, silent.kind, silent.location, silent.last_heard_at, zone)
        key = f"{rule}:{silent.device}:{now.isoformat()}"
        alarm_id = await store.raise_finding(conn, silent.hub, kind, rule, key, words, now)
        assert alarm_id is not None  # the key holds the instant
        await store.begin_silence(conn, silent, alarm_id, now)
        log.info("silent", extra={"event": rule, "hub": silent.hub, "device": silent.device})

    async def return_step(self) -> bool:
        """End one silence; where its alert is still open, say there that it is over."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            back = await store.heard_again(conn, now)
            if back is None:
                return False
            await store.end_silence(conn, back.id, now)
            if back.alert_open:
                kind, rule = rule_of(back.device, restored=True)
                words = restored_words(back.device, back.kind, back.location, back.noticed_at, now)
                await store.raise_finding(conn, back.hub, kind, rule, f"{rule}:{back.id}", words, now)
            return True
