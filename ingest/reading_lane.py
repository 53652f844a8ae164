"""The lane of readings: collected for a few milliseconds, stored together."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Final

import psycopg

from ingest import quick, store
from ingest.lane import Keep, Lane
from ingest.mqtt_reader import Message
from ingest.partitions import engine_of
from ingest.readings_store import Columns, Name, save_readings, series_ids
from ingest.rollups import Rollups
from ingest.stream_inbox import StreamInbox
from telecare import feed, senml
from telecare.clock import Clock, microseconds
from telecare.db import Connection, Pool
from telecare.errors import UnreadableMessage
from telecare.service import keep_doing
from telecare.settings import Settings
from telecare.vocabulary import NUMBER_MEASURES
from telecare.wire import Receipt, split_topic, topic

log = logging.getLogger("ingest")

READING_TOPICS: Final = ("telecare/v1/+/readings",)
_DAYS_BACK: Final = 7  # a hub that was cut off for days still finds its partition
_UPKEEP_EVERY_S: Final = 60.0
_SERIES_REMEMBERED: Final = 500_000


class ReadingLane(Lane):
    """Readings: collected for a few milliseconds, stored together."""

    name = "ingest-readings"

    def __init__(self, pool: Pool, inbox: StreamInbox, settings: Settings, clock: Clock, who: str = "") -> None:
        super().__init__(pool, inbox, settings, clock, who)
        self._stream = inbox
        self._series: dict[Name, int] = {}
        # By topic and the name in the pack, with the measure's unit: what the quick way needs to know.
        self._known: dict[tuple[str, str], tuple[int, str | None]] = {}
        self._fresh: dict[Name, int] = {}

    async def take(self) -> list[Message]:
        most = self.settings.readings_batch
        messages = await self.inbox.take(most)
        if len(messages) < most:
            await self.clock.sleep(self.settings.readings_linger_ms / 1000)
            messages += self.inbox.take_waiting(most - len(messages))
        return messages

    async def keep(self, conn: Connection, messages: Sequence[Message], now: datetime) -> list[tuple[str, Receipt]]:
        columns = Columns()
        unusual = [message for message in messages if not self._quickly(message, columns)]
        if unusual:
            await self._one_by_one(conn, unusual, columns, now)
        await save_readings(conn, columns, now)
        return []

    def _quickly(self, message: Message, columns: Columns) -> bool:
        """Read a plain pack of known series; False where anything is out of the ordinary, and nothing was taken."""
        found = quick.read(message.payload)
        if found is None:
            return False
        rows = []
        for name, at_us, value, unit in found:
            known = self._known.get((message.topic, name))
            if known is None or not quick.fits(known[1], value, unit):
                return False
            rows.append((known[0], at_us, float(value)))
        for row in rows:
            columns.add(*row)
        return True

    async def _one_by_one(self, conn: Connection, messages: Sequence[Message], columns: Columns, now: datetime) -> None:
        """Read packs record by record, name what is wrong with them, and make the series that are new."""
        named: list[tuple[Name, datetime, float]] = []
        for message in messages:
            try:
                hub, _ = split_topic(message.topic)
                pack = senml.read_pack(message.payload, now)
            except UnreadableMessage as problem:
                await store.keep_unreadable(conn, None, message.topic, message.payload, str(problem), now)
                continue
            named += [((hub, r.device, r.measure), r.at, r.value) for r in pack.readings]
            if pack.problems:
                reason = "; ".join(pack.problems[:10])
                await store.keep_unreadable(conn, hub, message.topic, message.payload, reason, now)
        known = await self._ids(conn, {name for name, _, _ in named})
        for name, at, value in named:
            if name in known:
                columns.add(known[name], microseconds(at), value)
        await self._keep_strangers(conn, messages, {name[0] for name, _, _ in named if name not in known}, now)

    async def _ids(self, conn: Connection, names: set[Name]) -> dict[Name, int]:
        new = [name for name in names if name not in self._series]
        if not new:
            return self._series
        found = await series_ids(conn, new)
        # Remembered only once committed, or a rolled-back number would be used for ever: see `_commit`.
        self._fresh = found
        return self._series | found

    async def _commit(self, messages: Sequence[Message], keep: Keep) -> list[tuple[str, Receipt]]:
        self._fresh = {}
        receipts = await super()._commit(messages, keep)
        if len(self._series) > _SERIES_REMEMBERED:
            self._series.clear()
            self._known.clear()
        self._series |= self._fresh
        for (hub, device, measure), series in self._fresh.items():
            self._known[topic(hub, "readings"), f"{device}/{measure}"] = series, NUMBER_MEASURES.get(measure)
        return receipts

    async def _keep_strangers(
        self, conn: Connection, messages: Sequence[Message], strangers: set[str], now: datetime
    ) -> None:
        for message in messages if strangers else ():
            if any(message.topic == topic(hub, "readings") for hub in strangers):
                reason = "readings of a hub that is not enrolled"
                await store.keep_unreadable(conn, None, message.topic, message.payload, reason, now)

    def helpers(self) -> dict[str, Awaitable[None]]:
        # While one writer waits for the database, another reads packs.
        more: dict[str, Awaitable[None]] = {
            f"writer {n}": self._writer().work() for n in range(2, self.settings.readings_writers + 1)
        }
        return {"rollups": self._roll_up(), "upkeep": self._upkeep()} | more

    def _writer(self) -> "ReadingLane":
        """Another one that takes from the same connection, with a memory of its own."""
        return ReadingLane(self.pool, self._stream, self.settings, self.clock)

    async def _roll_up(self) -> None:
        rollups = Rollups(self.pool, self.settings)
        await rollups.join()
        every_s = self.settings.rollups_every_s
        await keep_doing(rollups.step, asyncio.Event(), self.clock, every_s, "rollups")

    async def _upkeep(self) -> None:
        while True:
            try:
                async with self.pool.connection() as conn:
                    made = await self._keep_house(conn)
                if made:
                    log.info("partitions made", extra={"event": "partitions", "count": made})
                await self.clock.sleep(_UPKEEP_EVERY_S)
            except psycopg.OperationalError:
                await self.clock.sleep(5)

    async def _keep_house(self, conn: Connection) -> int:
        """Room for the days to come, none for those that are over; how many pieces are new."""
        now = self.clock.now()
        engine = await engine_of(conn)
        made = await engine.make_ahead(conn, now.date(), _DAYS_BACK, self.settings.partition_days_ahead)
        while gone := await engine.retire(conn, now - timedelta(days=self.settings.readings_keep_days)):
            log.info("readings retired", extra={"event": "retired", "pieces": gone})
        await feed.prune(conn)
        await store.retire_side_tables(conn, self.settings, now)
        return made
