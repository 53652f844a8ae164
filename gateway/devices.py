"""The side of the devices: frames in, the outbox, answers and announcements out."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from gateway import frames
from gateway.frames import AlarmFrame, BadFrame, Hello, Lines
from gateway.outbox import Outbox
from gateway.settings import HubSettings
from gateway.waking import Wakes
from telecare.clock import Clock
from telecare.senml import Reading

log = logging.getLogger("gateway")

_CHUNK_BYTES: Final = 64 * 1024


class Devices:
    """The devices of one home."""

    def __init__(self, settings: HubSettings, clock: Clock, outbox: Outbox, wakes: Wakes) -> None:
        self._settings, self._clock, self._outbox, self._wakes = settings, clock, outbox, wakes
        self._listening: set[asyncio.StreamWriter] = set()
        self._readings: list[Reading] = []  # not yet in the outbox
        self._readings_came = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk with one connection until it ends."""
        lines = Lines(self._settings.frame_limit_bytes)
        try:
            with suppress(ConnectionError):  # a device may go as it likes
                while data := await reader.read(_CHUNK_BYTES):
                    for line in lines.feed(data):
                        writer.write(self.take(line, writer))
                    await writer.drain()
        finally:
            self._listening.discard(writer)

    def take(self, line: bytes | None, writer: asyncio.StreamWriter) -> bytes:
        """Act on one line (None: one that was too long); returns the answer, empty where there is none."""
        if line is not None and not line.strip():
            return b""
        try:
            if line is None:
                raise BadFrame(f"longer than {self._settings.frame_limit_bytes} bytes")
            match frames.read_frame(line, self._clock.now()):
                case Hello():
                    self._listening.add(writer)
                    return b""
                case AlarmFrame() as alarm:
                    return self._keep(alarm)
                case Reading() as reading:
                    self._hold(reading)
                    return b""
        except BadFrame as problem:
            log.warning(
                "frame refused", extra={"event": "frame_refused", "hub": self._settings.hub, "why": problem.reason}
            )
            return frames.refused(problem.reason, problem.ref)

    def _keep(self, alarm: AlarmFrame) -> bytes:
        alarm_id, new = self._outbox.keep_alarm(alarm.fields, alarm.key, self._clock.now())
        # Committed, so the device may forget it from here on.
        if new:
            log.info("alarm kept", extra={"event": "alarm_kept", "hub": self._settings.hub, "alarm": alarm_id})
            self._wakes.alarms.set()
        return frames.kept(alarm.ref, alarm_id)

    def announce(self, text: str, alarm: str | None) -> int:
        """Say something to every device that listens; returns how many that were."""
        said = 0
        for writer in list(self._listening):
            if writer.is_closing():
                continue
            if writer.transport.get_write_buffer_size() > self._settings.device_backlog_bytes:
                log.warning("deaf device dropped", extra={"event": "device_deaf", "hub": self._settings.hub})
                writer.transport.abort()
                continue
            writer.write(frames.announce(text, alarm))
            said += 1
        return said

    # ------------------------------------------------------------ readings

    def _hold(self, reading: Reading) -> None:
        self._readings.append(reading)
        if len(self._readings) >= self._settings.readings_per_pack:
            self.store_readings()
        else:
            self._readings_came.set()

    def store_readings(self) -> None:
        """Put the readings that wait for company into the outbox, in one commit."""
        self._readings_came.clear()
        if not self._readings:
            return
        gone = self._outbox.add_readings(self._readings, self._settings.readings_limit_rows)
        self._readings.clear()
        if gone:
            log.warning("readings thinned", extra={"event": "thinned", "hub": self._settings.hub, "readings": gone})
        self._wakes.readings.set()

    async def keep_storing(self) -> None:
        """Store readings a short while after the first of them came."""
        while True:
            await self._readings_came.wait()
            await asyncio.sleep(self._settings.readings_linger_s)
            self.store_readings()
