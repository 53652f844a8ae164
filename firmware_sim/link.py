"""A home's devices on the hub's local socket: frames out, an alarm again and again until the hub has kept it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from firmware_sim.frames import (
    AlarmFrame,
    Announce,
    Hello,
    ImpactFrame,
    Judged,
    Kept,
    ReadingFrame,
    RefusedFrame,
    TakenBack,
    read_hub_frame,
    write,
)
from gateway.sockets import connect
from telecare.clock import Clock
from telecare.errors import UnreadableMessage

log = logging.getLogger("firmware_sim")

RETRY_S: Final = 2.0  # an alarm that the hub has not kept is sent again after this
RECONNECT_S: Final = 0.5

Answer = Kept | Judged | TakenBack


class Link:
    """One connection for all devices of a home. Alarms wait for the hub; readings are lost while it is away."""

    def __init__(
        self, socket: Path, devices: Sequence[str], clock: Clock, heard: Callable[[Announce], None] | None = None
    ) -> None:
        """`heard` is told what the hub announces to the wearer."""
        self._socket, self._devices, self._clock = socket, list(devices), clock
        self._heard = heard
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[str, tuple[AlarmFrame | ImpactFrame, asyncio.Future[Answer]]] = {}

    @property
    def connected(self) -> bool:
        """Whether the hub is there now."""
        return self._writer is not None and not self._writer.is_closing()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            with suppress(OSError):
                await self._connection()
            await self._clock.sleep(RECONNECT_S)

    async def _connection(self) -> None:
        reader, writer = await connect(self._socket)
        try:
            writer.write(write(Hello(devices=self._devices)))
            self._writer = writer
            for frame, _ in self._waiting.values():
                writer.write(write(frame))
            async for line in reader:
                self._take(line)
        finally:
            self._writer = None
            writer.close()

    def _take(self, line: bytes) -> None:
        try:
            frame = read_hub_frame(line)
        except UnreadableMessage as problem:
            log.warning("hub not understood", extra={"event": "hub_frame", "why": str(problem)})
            return
        match frame:
            case Kept() | Judged() | TakenBack():
                waiting = self._waiting.get(frame.ref)
                if waiting is not None and not waiting[1].done():
                    waiting[1].set_result(frame)
            case Announce():
                if self._heard is not None:
                    self._heard(frame)
            case RefusedFrame():
                log.warning("frame refused", extra={"event": "frame_refused", "why": frame.reason})

    def tell(self, frame: ReadingFrame) -> None:
        """Send a reading, if the hub is there."""
        if self._writer is not None and self.connected:
            self._writer.write(write(frame))

    async def drain(self) -> None:
        """Wait until the hub has taken most of what was told."""
        if self._writer is not None and self.connected:
            with suppress(ConnectionError):
                await self._writer.drain()

    async def alarm(self, frame: AlarmFrame) -> str:
        """Send an alarm until the hub has kept it, or has taken back the fall that it cancels; the alarm's id."""
        answer = await self._answered(frame)
        if isinstance(answer, Judged):
            raise UnreadableMessage("an alarm was answered as if it were an impact")
        return answer.id

    async def impact(self, frame: ImpactFrame) -> Judged:
        """Send an impact until the hub has judged it."""
        answer = await self._answered(frame)
        if not isinstance(answer, Judged):
            raise UnreadableMessage("an impact was answered as if it were an alarm")
        return answer

    async def _answered(self, frame: AlarmFrame | ImpactFrame) -> Answer:
        kept: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[frame.ref] = (frame, kept)
        try:
            while True:
                if self._writer is not None and self.connected:
                    self._writer.write(write(frame))
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        return await asyncio.shield(kept)
        finally:
            del self._waiting[frame.ref]
