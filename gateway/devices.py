"""The side of the devices: frames in, the outbox, answers and announcements out."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from gateway import frames
from gateway.domain import passed, urgent
from gateway.falling import Falling
from gateway.frames import AlarmFrame, BadFrame, Hello, ImpactFrame, Lines
from gateway.outbox import Outbox
from gateway.outbox_file import NoRoom
from gateway.settings import HubSettings
from gateway.waking import Wakes
from telecare.clock import Clock
from telecare.senml import Reading
from telecare.vocabulary import Kind

log = logging.getLogger("gateway")

_CHUNK_BYTES: Final = 64 * 1024

PREALARM: Final = "pre-alarm"  # the hub and the pendant beep: a press of the cancel button ends it
TAKEN_BACK: Final = "taken-back"

Announce = Callable[[str, str | None], int]  # text and alarm's id, to how many devices heard it


class Devices:
    """The devices of one home."""

    def __init__(self, settings: HubSettings, clock: Clock, outbox: Outbox, wakes: Wakes, falling: Falling) -> None:
        self._settings, self._clock, self._outbox, self._wakes = settings, clock, outbox, wakes
        self._falling = falling
        self._listening: set[asyncio.StreamWriter] = set()
        self._readings: list[Reading] = []  # not yet in the outbox
        self._readings_came = asyncio.Event()
        self._lost = 0  # readings thinned or not kept that the log does not know of,
        self._lost_said_at: datetime | None = None  # ... and when it was last told

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
                    return self._answered(alarm.ref, lambda: self._keep(alarm))
                case ImpactFrame() as impact:
                    return self._answered(impact.ref, lambda: self._judge(impact))
                case Reading() as reading:
                    self._hold(reading)
                    return b""
        except BadFrame as problem:
            log.warning(
                "frame refused", extra={"event": "frame_refused", "hub": self._settings.hub, "why": problem.reason}
            )
            return frames.refused(problem.reason, problem.ref)

    def _answered(self, ref: Any, keep: Callable[[], bytes]) -> bytes:
        try:
            return keep()
        except NoRoom:
            # Never "kept": the device goes on sending, and the next time there may be room.
            log.critical("no room for an alarm", extra={"event": "no_room_for_alarm", "hub": self._settings.hub})
            return frames.refused("no room: send it again", ref)

    def _judge(self, impact: ImpactFrame) -> bytes:
        answer, held = self._falling.take(impact)
        if held is not None:
            self.announce(PREALARM, held)
        return answer

    def _keep(self, alarm: AlarmFrame) -> bytes:
        if alarm.fields.get("kind") == Kind.CANCEL:
            cancelled = _cancelled(alarm)
            if self._falling.taken_back(cancelled):
                self.announce(TAKEN_BACK, cancelled)
                return frames.taken_back(alarm.ref, str(cancelled))
        elif urgent(alarm.fields.get("kind")):
            with suppress(NoRoom):  # the fall's own time will come: what is said now must not wait for it
                self._falling.pressed()
        fields = self._falling.with_blow(alarm.fields)
        alarm_id, new = self._outbox.keep_alarm(
            fields, alarm.key, self._clock.now(), repeat_within_s=self._settings.repeat_within_s
        )
        # Committed, so the device may forget it from here on.
        if new:
            if fields is not alarm.fields:
                self._falling.blow_told(fields.get("device"))
            log.info("alarm kept", extra={"event": "alarm_kept", "hub": self._settings.hub, "alarm": alarm_id})
            self._wakes.alarms.set()
            if urgent(alarm.fields.get("kind")):
                self._wakes.urgent.set()
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
        self._lost += self._outbox.add_readings(
            self._readings, self._settings.readings_limit_rows, self._settings.readings_limit_bytes
        )
        self._readings.clear()
        self._say_lost(self._clock.now())
        self._wakes.readings.set()

    def _say_lost(self, now: datetime) -> None:
        """Say how many readings were lost, now and then: a full disk wants no line for each."""
        said_at, every_s = self._lost_said_at, self._settings.thinned_said_every_s
        if self._lost and (said_at is None or passed(said_at, every_s, now)):
            extra = {"event": "thinned", "hub": self._settings.hub, "readings": self._lost}
            log.warning("readings thinned", extra=extra)
            self._lost, self._lost_said_at = 0, now

    async def keep_storing(self) -> None:
        """Store readings a short while after the first of them came."""
        while True:
            await self._readings_came.wait()
            await asyncio.sleep(self._settings.readings_linger_s)
            self.store_readings()


def _cancelled(alarm: AlarmFrame) -> Any:
    """The alarm that a `cancel` speaks of."""
    evidence = alarm.fields.get("evidence")
    return evidence.get("cancels") if isinstance(evidence, dict) else None
