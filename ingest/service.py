"""The two lanes of ingest. Alarms have a connection, a process and a commit of their own, so that no flood of readings
can hold them up.

Each lane: take what waits, store it in one transaction, and only then acknowledge it.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Final

import psycopg

from ingest import quick, store
from ingest.domain import take_in
from ingest.inbox import Inbox
from ingest.mqtt_reader import Message
from ingest.partitions import engine_of
from ingest.rollups import Rollups
from ingest.store import Saved
from ingest.stream_inbox import StreamInbox
from telecare import feed, senml
from telecare.clock import Clock, microseconds
from telecare.db import Connection, Pool, database_now
from telecare.errors import UnreadableMessage
from telecare.service import Backoff, keep_doing, run_workers, say_alive
from telecare.settings import Settings
from telecare.vocabulary import NUMBER_MEASURES
from telecare.wire import CommandResult, Receipt, decode, encode, read_state, receipt, split_topic, topic

log = logging.getLogger("ingest")

ALARM_TOPICS: Final = ("telecare/v1/+/alarm", "telecare/v1/+/state", "telecare/v1/+/result")
READING_TOPICS: Final = ("telecare/v1/+/readings",)
ALARMS_PER_COMMIT: Final = 100  # alarms that wait together share a commit
_DAYS_BACK: Final = 7  # a hub that was cut off for days still finds its partition
_UPKEEP_EVERY_S: Final = 60.0
_SERIES_REMEMBERED: Final = 500_000


class _Lane(ABC):
    """What both lanes do alike."""

    name = ""

    def __init__(self, pool: Pool, inbox: Inbox | StreamInbox, settings: Settings, clock: Clock) -> None:
        self.pool, self.inbox, self.settings, self.clock = pool, inbox, settings, clock

    @abstractmethod
    async def take(self) -> list[Message]:
        """The messages for the next commit; waits for one."""

    @abstractmethod
    async def keep(self, conn: Connection, messages: Sequence[Message], now: datetime) -> list[tuple[str, Receipt]]:
        """Store messages inside one transaction; the receipts to send after it, by hub."""

    async def step(self) -> None:
        """Take, store, commit, then acknowledge and send receipts. A database that is away is waited for."""
        messages = await self.take()
        backoff = Backoff()
        while True:
            try:
                receipts = await self._commit(messages)
                break
            except psycopg.OperationalError as problem:
                log.warning("database away", extra={"event": "database_away", "why": type(problem).__name__})
                await self.clock.sleep(backoff.again())
        self.inbox.acknowledge(messages)
        self.tell(receipts)

    def tell(self, receipts: Sequence[tuple[str, Receipt]]) -> None:  # noqa: B027  (readings get none)
        """Send receipts."""

    async def _commit(self, messages: Sequence[Message]) -> list[tuple[str, Receipt]]:
        try:
            async with self.pool.connection() as conn, conn.transaction():
                return await self.keep(conn, messages, await database_now(conn))
        except (psycopg.DataError, psycopg.IntegrityError) as problem:
            # Our checks let through what the database refuses. One such message must not take others with it.
            if len(messages) > 1:
                return [one for message in messages for one in await self._commit([message])]
            await self._set_aside(messages[0], problem)
            return []

    async def _set_aside(self, message: Message, problem: Exception) -> None:
        log.error("message refused by the database", extra={"event": "refused", "why": type(problem).__name__})
        async with self.pool.connection() as conn:
            now = await database_now(conn)
            await store.keep_unreadable(conn, None, message.topic, message.payload, f"database: {problem}", now)

    async def work(self) -> None:
        """Repeat `step`."""
        while True:
            await self.step()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        self.inbox.open()
        try:
            await run_workers(
                stop,
                work=self.work(),
                alive=say_alive(self.pool, self.clock, self.name, lambda: {"subscribed": self.inbox.subscribed}),
                upkeep=self.upkeep(),
                **self.helpers(),
            )
        finally:
            await self.inbox.close()

    def helpers(self) -> dict[str, Awaitable[None]]:
        """What works beside the lane, by name."""
        return {}

    async def upkeep(self) -> None:  # noqa: B027  (a lane that has none need not say so)
        """What is done now and then."""


class AlarmLane(_Lane):
    """Alarms, hub states and command results."""

    name = "ingest"

    def __init__(self, pool: Pool, inbox: Inbox, settings: Settings, clock: Clock) -> None:
        super().__init__(pool, inbox, settings, clock)
        self._broker = inbox

    def tell(self, receipts: Sequence[tuple[str, Receipt]]) -> None:
        """Publish each to its hub."""
        for hub, message in receipts:
            self._broker.publish(topic(hub, "receipt"), encode(message))

    async def take(self) -> list[Message]:
        return await self.inbox.take(ALARMS_PER_COMMIT)

    async def keep(self, conn: Connection, messages: Sequence[Message], now: datetime) -> list[tuple[str, Receipt]]:
        receipts = []
        for message in messages:
            try:
                hub, channel = split_topic(message.topic)
                if channel == "alarm":
                    receipts += await self._alarm(conn, hub, message, now)
                elif channel == "state":
                    await self._state(conn, hub, message, now)
                else:
                    await self._result(conn, hub, message, now)
            except UnreadableMessage as problem:
                await store.keep_unreadable(conn, None, message.topic, message.payload, str(problem), now)
        return receipts

    async def _alarm(self, conn: Connection, hub: str, message: Message, now: datetime) -> list[tuple[str, Receipt]]:
        intake = take_in(hub, message.payload, now, timedelta(seconds=self.settings.alarm_future_s))
        saved = await store.save_alarm(conn, intake, now)
        log.info("alarm", extra={"event": "alarm", "hub": hub, "alarm": intake.id, "saved": saved.name})
        if saved is Saved.NOT_ENROLLED:
            raise UnreadableMessage("an alarm of a hub that is not enrolled")
        given_id = intake.read.given_id
        if saved is Saved.CONTRADICTION:
            reason = "another alarm with this id is stored already; the first one stands"
            await store.keep_unreadable(conn, hub, message.topic, message.payload, reason, now)
            return [(hub, receipt(given_id, "rejected", now, reason))] if given_id else []
        return [(hub, receipt(given_id, "stored", now))] if given_id else []

    async def _state(self, conn: Connection, hub: str, message: Message, now: datetime) -> None:
        state = read_state(message.payload)
        if not await store.save_state(conn, hub, state, now, retained=message.retained):
            raise UnreadableMessage("a state of a hub that is not enrolled")

    async def _result(self, conn: Connection, hub: str, message: Message, now: datetime) -> None:
        result = decode(message.payload, CommandResult)
        if "\0" in result.id + result.detail:
            raise UnreadableMessage("a NUL in the text")
        if not await store.save_result(conn, hub, result, now):
            raise UnreadableMessage("a result of a hub that is not enrolled")


class ReadingLane(_Lane):
    """Readings: collected for a few milliseconds, stored together."""

    name = "ingest-readings"

    def __init__(self, pool: Pool, inbox: StreamInbox, settings: Settings, clock: Clock) -> None:
        super().__init__(pool, inbox, settings, clock)
        self._stream = inbox
        self._series: dict[store.Name, int] = {}
        # By topic and the name in the pack, with the measure's unit: what the quick way needs to know.
        self._known: dict[tuple[str, str], tuple[int, str | None]] = {}
        self._fresh: dict[store.Name, int] = {}

    async def take(self) -> list[Message]:
        most = self.settings.readings_batch
        messages = await self.inbox.take(most)
        if len(messages) < most:
            await self.clock.sleep(self.settings.readings_linger_ms / 1000)
            messages += self.inbox.take_waiting(most - len(messages))
        return messages

    async def keep(self, conn: Connection, messages: Sequence[Message], now: datetime) -> list[tuple[str, Receipt]]:
        columns = store.Columns()
        unusual = [message for message in messages if not self._quickly(message, columns)]
        if unusual:
            await self._one_by_one(conn, unusual, columns, now)
        await store.save_readings(conn, columns, now)
        return []

    def _quickly(self, message: Message, columns: store.Columns) -> bool:
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

    async def _one_by_one(
        self, conn: Connection, messages: Sequence[Message], columns: store.Columns, now: datetime
    ) -> None:
        """Read packs record by record, name what is wrong with them, and make the series that are new."""
        named: list[tuple[store.Name, datetime, float]] = []
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

    async def _ids(self, conn: Connection, names: set[store.Name]) -> dict[store.Name, int]:
        new = [name for name in names if name not in self._series]
        if not new:
            return self._series
        found = await store.series_ids(conn, new)
        # Remembered only once committed, or a rolled-back number would be used for ever: see `_commit`.
        self._fresh = found
        return self._series | found

    async def _commit(self, messages: Sequence[Message]) -> list[tuple[str, Receipt]]:
        self._fresh = {}
        receipts = await super()._commit(messages)
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
        return {"rollups": self._roll_up()} | more

    def _writer(self) -> "ReadingLane":
        """Another one that takes from the same connection, with a memory of its own."""
        return ReadingLane(self.pool, self._stream, self.settings, self.clock)

    async def _roll_up(self) -> None:
        rollups = Rollups(self.pool, self.settings)
        await rollups.join()
        every_s = self.settings.rollups_every_s
        await keep_doing(rollups.step, asyncio.Event(), self.clock, every_s, "rollups")

    async def upkeep(self) -> None:
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
