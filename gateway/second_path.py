"""The second path: another broker, or the same service by another network, for alarms that have had no receipt.

The alarm goes out there with the same id and the same bytes, so that the service knows it for the one that it may get
by the first path too.
"""

import asyncio
import logging
import random
from typing import Final

import aiomqtt

from gateway.connection import Connection, Dialler
from gateway.domain import Attempts, connect_wait_s
from gateway.hearing import Hearing
from gateway.outbox import Outbox
from gateway.sending import AlarmSender
from gateway.settings import HubSettings
from gateway.waking import Wakes
from telecare.clock import Clock

log = logging.getLogger("gateway")

# No hub's name has an underscore, so this is nobody else's; and where both paths lead to one broker it must not be the
# first path's, which that broker would then close.
_SUFFIX: Final = "_second"


class SecondPath:
    """The connection to the second broker, there only while an alarm is due on it."""

    def __init__(
        self, settings: HubSettings, url: str, clock: Clock, outbox: Outbox, wakes: Wakes, hearing: Hearing
    ) -> None:
        self._settings, self._clock, self._outbox, self._wakes = settings, clock, outbox, wakes
        self._hearing = hearing
        self._dialler = Dialler(settings, url, identifier=settings.hub + _SUFFIX, session_expiry_s=0)

    async def run(self) -> None:
        """Serve the second path whenever it is needed, until cancelled."""
        attempts = Attempts(returning=False)
        while True:
            while not self._outbox.on_second_path():
                self._wakes.second.clear()
                await self._wakes.second.wait()
            failed = not await self._tried()
            attempts = Attempts(returning=False, failures=attempts.failures + 1 if failed else 0)
            await asyncio.sleep(self._wait_s(attempts))

    async def _tried(self) -> bool:
        well = True
        try:
            await self.session()
        except* aiomqtt.MqttError as group:
            self._dialler.note("second_path_down", group)
            well = False
        return well

    def _wait_s(self, attempts: Attempts) -> float:
        settings = self._settings
        chance = random.random()  # noqa: S311  (a spread, no secret)
        return connect_wait_s(
            attempts, chance, jitter_s=0.0, first_s=settings.backoff_first_s, most_s=settings.backoff_most_s
        )

    async def session(self) -> None:
        """Connect, and serve the connection until no alarm has been due on it for a while.

        Raises:
            aiomqtt.MqttError: it could not be made, or broke; also inside an ExceptionGroup.
        """
        async with self._dialler.connection() as connection:
            log.warning("second path in use", extra={"event": "second_path_up", "hub": self._settings.hub})
            # Before anything goes out, so that no receipt is missed; commands, because help is announced by one.
            await connection.subscribe(["receipt", "command"])
            await self._serve(connection)
        log.info("second path closed", extra={"event": "second_path_closed", "hub": self._settings.hub})

    async def _serve(self, connection: Connection) -> None:
        sender = AlarmSender(self._settings, self._clock, self._outbox, connection, "second")
        async with asyncio.TaskGroup() as group:
            workers = [
                group.create_task(self._hearing.keep_hearing(connection, "second")),
                group.create_task(sender.keep_sending(self._wakes.second)),
            ]
            try:
                await self._until_not_needed()
            finally:
                for worker in workers:
                    worker.cancel()

    async def _until_not_needed(self) -> None:
        loop = asyncio.get_running_loop()
        needed_at = loop.time()
        while loop.time() - needed_at < self._settings.second_linger_s or self._outbox.on_second_path():
            if self._outbox.on_second_path():
                needed_at = loop.time()
            await self._clock.sleep(self._settings.housekeeping_s)
