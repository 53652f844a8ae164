"""The first path: one MQTT connection at a time to the hub's own broker, and what goes out on it."""

import asyncio
import logging
import random
from importlib.metadata import version
from typing import Any, Final

import aiomqtt

from gateway.connection import Connection, Dialler
from gateway.domain import Attempts, connect_wait_s
from gateway.hearing import Hearing
from gateway.outbox import Outbox
from gateway.outbox_file import NoRoom
from gateway.sending import AlarmSender
from gateway.settings import HubSettings
from gateway.waking import Wakes, pause
from telecare import wire
from telecare.clock import Clock, format_instant
from telecare.senml import write_pack
from telecare.wire import HubState

log = logging.getLogger("gateway")

FIRMWARE: Final = version("telecare")


class Link:
    """One hub's connection to its broker, made again whenever it breaks."""

    def __init__(self, settings: HubSettings, clock: Clock, outbox: Outbox, wakes: Wakes, hearing: Hearing) -> None:
        self._settings, self._clock, self._outbox, self._wakes = settings, clock, outbox, wakes
        self._hearing = hearing
        # The session lasts: commands wait at the broker while the hub is away for a moment.
        self._dialler = Dialler(
            settings, settings.mqtt_url, identifier=settings.hub, session_expiry_s=settings.session_expiry_s
        )
        self._up_since: float | None = None

    # ------------------------------------------------------------ connections

    async def run(self, stop: asyncio.Event) -> None:
        """Keep a connection until `stop`; then say goodbye. A broker out of reach is tried again and again."""
        attempts = Attempts()
        await self._wait(attempts, stop)
        while not stop.is_set():
            self._up_since = None
            if await self._tried(stop):
                continue
            attempts = self._after(attempts)
            await self._wait(attempts, stop)

    async def _tried(self, stop: asyncio.Event) -> bool:
        """One connection from beginning to end. True if it ended because we wanted it to."""
        well = True
        try:
            await self.session(stop)
        except* aiomqtt.MqttError as group:
            self._dialler.note("link_down", group)
            well = False
        return well

    def _after(self, attempts: Attempts) -> Attempts:
        """What the attempt that just ended says about the next."""
        if self._up_since is None:
            return Attempts(returning=False, failures=attempts.failures + 1)
        steady = asyncio.get_running_loop().time() - self._up_since >= self._settings.steady_after_s
        return Attempts(returning=True, failures=0 if steady else attempts.failures + 1)

    async def _wait(self, attempts: Attempts, stop: asyncio.Event) -> None:
        """Wait before an attempt; an alarm for which somebody may need help ends the wait, and `stop`."""
        urgent, settings = self._outbox.carries_urgent(), self._settings
        wait_s = connect_wait_s(
            attempts,
            random.random(),  # noqa: S311  (a spread, no secret)
            jitter_s=0.0 if urgent else settings.return_jitter_s,
            first_s=settings.backoff_first_s,
            most_s=settings.backoff_urgent_most_s if urgent else settings.backoff_most_s,
        )
        apart_s = self._settings.attempts_apart_s if attempts.failures else 0.0
        self._wakes.urgent.clear()
        await _first_of([stop], apart_s)
        await _first_of([stop, self._wakes.urgent], max(wait_s - apart_s, 0.0))

    async def session(self, stop: asyncio.Event) -> None:
        """Connect, and serve the connection until `stop` or a reboot.

        Raises:
            aiomqtt.MqttError: it could not be made, or broke; also inside an ExceptionGroup.
        """
        number = self._outbox.session() + 1
        async with self._dialler.connection(wire.encode(HubState(online=False, session=number))) as connection:
            self._begin(number)
            # Before anything goes out, so that no receipt is missed.
            await connection.subscribe(["receipt", "command"])
            await self.say_state(connection, number)
            await self._hearing.answer_commands(connection)
            await self._serve(connection, number, stop)
            goodbye = HubState(online=False, session=number, at=format_instant(self._clock.now()))
            await connection.publish("state", wire.encode(goodbye), retain=True)

    def _begin(self, number: int) -> None:
        self._up_since = asyncio.get_running_loop().time()
        try:
            self._outbox.begin_session(number)
        except NoRoom:
            # The next connection will have the same number, which is better than none.
            log.error("session not counted", extra={"event": "no_room", "hub": self._settings.hub})
        log.info("connected", extra={"event": "link_up", "hub": self._settings.hub, "session": number})

    async def _serve(self, connection: Connection, number: int, stop: asyncio.Event) -> None:
        self._hearing.reboot.clear()
        sender = AlarmSender(self._settings, self._clock, self._outbox, connection, "first")
        async with asyncio.TaskGroup() as group:
            workers = [
                group.create_task(self._hearing.keep_hearing(connection, "first")),
                group.create_task(sender.keep_sending(self._wakes.alarms, sent=self._wakes.readings)),
                group.create_task(self._keep_sending_readings(connection, sender)),
                group.create_task(self._keep_saying_state(connection, number)),
            ]
            try:
                await _first_of([stop, self._hearing.reboot], None)
            finally:
                for worker in workers:
                    worker.cancel()

    # ------------------------------------------------------------ the hub's state

    @property
    def _heartbeat_s(self) -> float:
        return self._outbox.heartbeat_s() or self._settings.heartbeat_s

    async def say_state(self, connection: Connection, number: int) -> None:
        """Publish the hub's state once."""
        state = HubState(
            online=True,
            session=number,
            at=format_instant(self._clock.now()),
            firmware=FIRMWARE,
            outbox=self._outbox.count(),
            readings_lost=self._outbox.readings_lost() or None,
            heartbeat_s=self._heartbeat_s,
        )
        await connection.publish("state", wire.encode(state), retain=True)

    async def _keep_saying_state(self, connection: Connection, number: int) -> None:
        while True:
            self._hearing.heartbeat_changed.clear()
            await pause(self._clock, self._hearing.heartbeat_changed, self._heartbeat_s)
            await self.say_state(connection, number)

    # ------------------------------------------------------------ readings, after alarms

    async def send_readings(self, connection: Connection, alarms: AlarmSender) -> bool:
        """Publish one pack. False if there was none to send, or an alarm goes first.

        Raises:
            aiomqtt.MqttError: the connection broke.
        """
        if alarms.has_unsent():
            return False
        batch = self._outbox.next_readings(self._settings.readings_per_pack)
        if batch is None:
            return False
        await connection.publish("readings", write_pack(batch.readings))
        try:
            self._outbox.readings_delivered(batch.last)
        except NoRoom:
            return False  # they go out again when more come, and the service knows them
        return True

    async def _keep_sending_readings(self, connection: Connection, alarms: AlarmSender) -> None:
        while True:
            self._wakes.readings.clear()
            while await self.send_readings(connection, alarms):
                pass
            await self._wakes.readings.wait()


async def _first_of(events: list[asyncio.Event], seconds: float | None) -> None:
    """Wait for one of these, or for `seconds` at most (None: without end)."""
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
