"""The lane of alarms: a connection, a process and a commit of their own, so that nothing else can hold them up."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from ingest import store
from ingest.crowd import Crowd
from ingest.domain import Intake, take_in
from ingest.inbox import Inbox
from ingest.lane import Lane
from ingest.mqtt_reader import Message
from ingest.store import Saved
from telecare.clock import Clock
from telecare.db import Connection, Pool
from telecare.errors import UnreadableMessage
from telecare.settings import Settings
from telecare.wire import Receipt, encode, receipt, split_topic, topic

log = logging.getLogger("ingest")

# Not shared among processes: each hears every alarm, whichever commits it first has it, and the other sees a repeat.
ALARM_TOPICS: Final = ("telecare/v1/+/alarm",)
ALARMS_PER_COMMIT: Final = 200  # alarms that wait together share a commit
_FIRST_WINS: Final = "another alarm with this id is stored already; the first one stands"


class AlarmLane(Lane):
    """Alarms of every hub."""

    name = "ingest"

    def __init__(self, pool: Pool, inbox: Inbox, settings: Settings, clock: Clock, who: str = "") -> None:
        super().__init__(pool, inbox, settings, clock, who)
        self._broker = inbox
        self._crowd = Crowd(settings.alarms_burst, settings.alarms_per_min / 60)
        self._aside: deque[Message] = deque()  # of hubs that crowd
        self._came_aside, self._room_aside = asyncio.Event(), asyncio.Event()
        self._room_aside.set()

    def tell(self, receipts: Sequence[tuple[str, Receipt]]) -> None:
        """Publish each to its hub."""
        for hub, message in receipts:
            self._broker.publish(topic(hub, "receipt"), encode(message))

    async def take(self) -> list[Message]:
        """The alarms for the next commit; waits for one. Those that crowd are put aside for `crowd_step`."""
        while True:
            await self._room_aside.wait()
            messages = await self.inbox.take(ALARMS_PER_COMMIT)
            at_once = [message for message in messages if not self._crowds(message)]
            if at_once:
                return at_once

    def _crowds(self, message: Message) -> bool:
        """Put aside a message of a hub that sends more than a home can need."""
        if not self._crowd.crowds(message.topic, asyncio.get_running_loop().time()):
            return False
        self._aside.append(message)
        self._came_aside.set()
        if len(self._aside) >= self.settings.ingest_buffer:
            self._room_aside.clear()
        return True

    async def crowd_step(self) -> None:
        """Store what was put aside, many in a commit, beside the others: a mad hub costs few commits."""
        await self._came_aside.wait()
        await asyncio.sleep(self.settings.crowd_linger_ms / 1000)
        while messages := [self._aside.popleft() for _ in range(min(len(self._aside), ALARMS_PER_COMMIT))]:
            self._room_aside.set()
            await self.store(messages, partial(self._keep, crowding=True))
        self._came_aside.clear()

    async def _keep_up_with_crowds(self) -> None:
        while True:
            await self.crowd_step()

    def helpers(self) -> dict[str, Awaitable[None]]:
        return {"crowds": self._keep_up_with_crowds()}

    async def keep(self, conn: Connection, messages: Sequence[Message], now: datetime) -> list[tuple[str, Receipt]]:
        return await self._keep(conn, messages, now, crowding=False)

    async def _keep(
        self, conn: Connection, messages: Sequence[Message], now: datetime, *, crowding: bool
    ) -> list[tuple[str, Receipt]]:
        taken: list[tuple[Message, Intake]] = []
        for message in messages:
            try:
                hub, _ = split_topic(message.topic)
            except UnreadableMessage as problem:
                await store.keep_unreadable(conn, None, message.topic, message.payload, str(problem), now)
                continue
            taken.append((message, take_in(hub, message.payload, now, self._ahead, crowding=crowding)))
        saved = await store.save_alarms(conn, [intake for _, intake in taken], now)
        return [
            told
            for (message, intake), one in zip(taken, saved, strict=True)
            for told in await self._answer(conn, message, intake, one, now)
        ]

    @property
    def _ahead(self) -> timedelta:
        return timedelta(seconds=self.settings.alarm_future_s)

    async def _answer(
        self, conn: Connection, message: Message, intake: Intake, saved: Saved, now: datetime
    ) -> list[tuple[str, Receipt]]:
        """What the hub is told, and what is kept beside the alarm."""
        log.info("alarm", extra={"event": "alarm", "hub": intake.hub, "alarm": intake.id, "saved": saved.name})
        given_id = intake.read.given_id
        if saved is Saved.NOT_ENROLLED:
            why = "an alarm of a hub that is not enrolled"
            await store.keep_unreadable(conn, None, message.topic, message.payload, why, now)
            return []
        if saved is Saved.CONTRADICTION:
            await store.keep_unreadable(conn, intake.hub, message.topic, message.payload, _FIRST_WINS, now)
            return [(intake.hub, receipt(given_id, "rejected", now, _FIRST_WINS))] if given_id else []
        return [(intake.hub, receipt(given_id, "stored", now))] if given_id else []
