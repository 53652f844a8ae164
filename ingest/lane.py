"""What every lane of ingest does alike: take what waits, store it in one transaction, and only then acknowledge it."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import psycopg

from ingest import store
from ingest.inbox import Inbox
from ingest.mqtt_reader import Message
from ingest.stream_inbox import StreamInbox
from telecare.clock import Clock
from telecare.db import TRY_AGAIN, Connection, Pool, database_now
from telecare.service import Backoff, run_workers, say_alive
from telecare.settings import Settings
from telecare.wire import Receipt

log = logging.getLogger("ingest")


Keep = Callable[[Connection, Sequence[Message], datetime], Awaitable[list[tuple[str, Receipt]]]]


class Lane(ABC):
    """One kind of messages, on a connection of its own."""

    name = ""

    def __init__(self, pool: Pool, inbox: Inbox | StreamInbox, settings: Settings, clock: Clock, who: str = "") -> None:
        """`who` tells this process from others that do the same."""
        self.pool, self.inbox, self.settings, self.clock, self.who = pool, inbox, settings, clock, who

    @abstractmethod
    async def take(self) -> list[Message]:
        """The messages for the next commit; waits for one."""

    @abstractmethod
    async def keep(self, conn: Connection, messages: Sequence[Message], now: datetime) -> list[tuple[str, Receipt]]:
        """Store messages inside one transaction; the receipts to send after it, by hub."""

    async def step(self) -> None:
        """Take, store, commit, then acknowledge and send receipts. A database that is away is waited for."""
        await self.store(await self.take(), self.keep)

    async def store(self, messages: Sequence[Message], keep: Keep) -> None:
        """Let `keep` store messages, commit, then acknowledge them and send the receipts."""
        backoff = Backoff()
        while True:
            try:
                receipts = await self._commit(messages, keep)
                break
            except TRY_AGAIN as problem:
                log.warning("database away", extra={"event": "database_away", "why": type(problem).__name__})
                await self.clock.sleep(backoff.again())
        self.inbox.acknowledge(messages)
        self.tell(receipts)

    def tell(self, receipts: Sequence[tuple[str, Receipt]]) -> None:  # noqa: B027  (readings get none)
        """Send receipts."""

    async def _commit(self, messages: Sequence[Message], keep: Keep) -> list[tuple[str, Receipt]]:
        try:
            async with self.pool.connection() as conn, conn.transaction():
                return await keep(conn, messages, await database_now(conn))
        except (psycopg.DataError, psycopg.IntegrityError) as problem:
            # Our checks let through what the database refuses. One such message must not take others with it.
            if len(messages) > 1:
                return [one for message in messages for one in await self._commit([message], keep)]
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
                alive=say_alive(self.pool, self.clock, self.name, self._condition),
                **self.helpers(),
            )
        finally:
            await self.inbox.close()

    def _condition(self) -> dict[str, object]:
        return {"subscribed": self.inbox.subscribed, "who": self.who}

    def helpers(self) -> dict[str, Awaitable[None]]:
        """What works beside the lane until it is told to end, by name."""
        return {}
