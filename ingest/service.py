"""One process of ingest: which lanes it has, on which sessions at the broker, and whose left sessions it empties.

Alarms: every process hears every alarm, so that none depends on which process the broker chose; the store knows
repeats. Readings, states and results: the processes share them (`$share/ingest/…`), and a session that one has left
behind is emptied by another.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final

from ingest.alarm_lane import ALARM_TOPICS, AlarmLane
from ingest.inbox import Inbox
from ingest.reading_lane import READING_TOPICS, ReadingLane
from ingest.slots import Keeper, Slots
from ingest.state_lane import STATE_TOPICS, StateLane
from ingest.stream_inbox import StreamInbox
from telecare.clock import Clock
from telecare.db import Pool
from telecare.service import keep_doing, run_workers
from telecare.settings import Settings

log = logging.getLogger("ingest")

SHARE: Final = "$share/ingest/"
_QUIET_S: Final = 3.0  # a left session that has brought nothing for this long is empty

SHARED: Final[tuple[tuple[str, tuple[str, ...], type[ReadingLane] | type[StateLane]], ...]] = (
    ("readings", READING_TOPICS, ReadingLane),
    ("states", STATE_TOPICS, StateLane),
)


async def run_alarms(settings: Settings, pool: Pool, clock: Clock, stop: asyncio.Event) -> None:
    """Take alarms until `stop`."""
    keeper = Keeper(settings.database, Slots("alarms"), clock)
    slot = await keeper.claim()
    inbox = Inbox(settings.mqtt, client_id("alarms", slot), ALARM_TOPICS, settings.ingest_buffer, settings.mqtt_ca_file)
    await _while_held(keeper, AlarmLane(pool, inbox, settings, clock, str(keeper.slots.holder)).run(stop))


async def run_readings(settings: Settings, pool: Pool, clock: Clock, stop: asyncio.Event) -> None:
    """Take our share of readings, states and results until `stop`, and what others have left behind."""
    keeper = Keeper(settings.database, Slots("readings"), clock)
    slot = await keeper.claim()
    who = keeper.slots.holder
    lanes = [
        make(pool, shared_inbox(settings, kind, topics, slot), settings, clock, str(who)).run(stop)
        for kind, topics, make in SHARED
    ]
    heirs = Heirs(settings, pool, clock, keeper)
    await _while_held(keeper, *lanes, heirs.run(stop))


def client_id(kind: str, slot: int) -> str:
    """The name of a session at the broker."""
    return f"telecare-ingest-{kind}-{slot}"


def shared_inbox(
    settings: Settings, kind: str, topics: tuple[str, ...], slot: int, *, draining: bool = False
) -> StreamInbox:
    """The connection of a session that is shared."""
    return StreamInbox(
        settings.mqtt, client_id(kind, slot), [SHARE + topic for topic in topics], settings.ingest_buffer,
        settings.mqtt_ca_file, draining=draining, answer_s=settings.broker_answer_s,
    )  # fmt: skip


async def _while_held(keeper: Keeper, *work: Awaitable[None]) -> None:
    """Work, and hold our number meanwhile. Work that fails, or a number that is lost, ends all."""

    async def one(part: Awaitable[None]) -> None:
        await part

    try:
        async with asyncio.TaskGroup() as group:
            holding = group.create_task(keeper.keep(), name="slot")
            await asyncio.gather(*(group.create_task(one(part)) for part in work))
            holding.cancel()
    finally:
        await keeper.close()


class Heirs:
    """Empties sessions that other processes have left behind."""

    def __init__(self, settings: Settings, pool: Pool, clock: Clock, keeper: Keeper) -> None:
        self._settings, self._pool, self._clock, self._keeper = settings, pool, clock, keeper

    async def run(self, stop: asyncio.Event) -> None:
        """Repeat `step` until `stop`."""
        every_s = self._settings.adopt_every_s
        await run_workers(stop, heirs=keep_doing(self.step, asyncio.Event(), self._clock, every_s, "heirs"))

    async def step(self) -> bool:
        """Empty one left place; False where there is none."""
        slot = await self._keeper.adopt()
        if slot is None:
            return False
        for kind, topics, make in SHARED:
            await self._empty(shared_inbox(self._settings, kind, topics, slot, draining=True), make)
        await self._keeper.forget(slot)
        log.info("left session emptied", extra={"event": "slot_emptied", "slot": slot})
        return True

    async def _empty(self, inbox: StreamInbox, make: type[ReadingLane] | type[StateLane]) -> None:
        """Store what a session still holds, then end it. If we are stopped meanwhile, it stays as it is."""
        lane = make(self._pool, inbox, self._settings, self._clock)
        inbox.open()
        done = False
        try:
            while not await inbox.quiet(_QUIET_S):
                await lane.step()
            done = True
        finally:
            await inbox.close(for_good=done)
