"""The test press: an alarm of kind `test` over MQTT, followed to the screens' feed. It needs no database to press."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final
from uuid import UUID

import aiomqtt
import psycopg

from alerts.watchdog import store
from alerts.watchdog.domain import Journey
from telecare.clock import Clock, format_instant
from telecare.db import Connection
from telecare.errors import TelecareError, UnreadableMessage
from telecare.ids import uuid7
from telecare.mqtt import client_for
from telecare.pages import ask_health
from telecare.register import own
from telecare.settings import Settings
from telecare.wire import Alarm, HubState, Receipt, decode, encode, topic

log = logging.getLogger("watchdog")

TRIES: Final = 4  # within its deadline it is sent this often while there is no receipt, as a hub does
DEVICE: Final = "test-pendant"
_POLL_S: Final = 0.05
_PAGES_POLL_S: Final = 0.2
_PAGES_ANSWER_S: Final = 5.0
_AGAIN_S: Final = 0.5  # after a step failed
_HEARTBEAT_S: Final = (1.0, 86_400.0)  # what the wire contract allows
Connect = Callable[[], AbstractAsyncContextManager[Connection]]


class Press:
    """One press of the test pendant. `journey` says how far it has come."""

    def __init__(self, settings: Settings, clock: Clock, connect: Connect) -> None:
        self.settings, self.clock, self.connect = settings, clock, connect
        self.alarm: UUID = uuid7()
        self._begun = time.monotonic()
        self._connected = self._looked = False
        self._receipt_s: float | None = None
        self._alert_s: float | None = None
        self._shown_s: float | None = None
        self._event: asyncio.Future[int] | None = None

    @property
    def age_s(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._begun

    @property
    def journey(self) -> Journey:
        """How far it has come."""
        return Journey(self._connected, self._receipt_s, self._looked, self._alert_s, self._shown_s)

    async def follow(self) -> Journey:
        """Press, and wait until it has arrived or its time is over."""
        self._event = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.watchdog_within_s):
                await asyncio.gather(
                    self._until_done(self._over_mqtt), self._until_done(self._in_database), self._on_pages(self._event)
                )
        return self.journey

    async def _until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        """A step that fails is begun again: what counts is whether the press arrives in time."""
        while True:
            try:
                await step()
            except (aiomqtt.MqttError, psycopg.Error, OSError, TelecareError) as problem:
                log.info(
                    "a step of the test press failed", extra={"event": "press_step", "why": type(problem).__name__}
                )
                await self.clock.sleep(_AGAIN_S)
            else:
                return

    # ------------------------------------------------------------ the hub's part

    async def _over_mqtt(self) -> None:
        settings = self.settings
        resend_s = settings.watchdog_within_s / TRIES
        async with client_for(settings.mqtt, ca_file=settings.mqtt_ca_file) as client:
            self._connected = True
            await client.subscribe(topic(own.HUB, "receipt"), qos=1)
            await client.publish(topic(own.HUB, "state"), encode(self._state()), qos=1)
            payload = encode(self._alarm())
            while self._receipt_s is None:
                await client.publish(topic(own.HUB, "alarm"), payload, qos=1)
                with suppress(TimeoutError):
                    async with asyncio.timeout(resend_s):
                        await self._receipt(client)

    async def _receipt(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            try:
                said = decode(bytes(message.payload), Receipt)
            except UnreadableMessage:
                continue
            if said.id == str(self.alarm) and said.status == "stored":
                self._receipt_s = self.age_s
                return

    def _alarm(self) -> Alarm:
        # Not counted one by one: a press is followed by its id, and nothing is kept from which a count could go on.
        seq = int(self.clock.now().timestamp() * 1000)
        at = format_instant(self.clock.now())
        return Alarm(id=str(self.alarm), seq=seq, device=DEVICE, kind="test", at=at)

    def _state(self) -> HubState:
        least, most = _HEARTBEAT_S
        return HubState(
            online=True,
            session=int(self.clock.now().timestamp()),
            heartbeat_s=min(max(self.settings.watchdog_press_every_s, least), most),
        )

    # ------------------------------------------------------------ what should come of it

    async def _in_database(self) -> None:
        async with self.connect() as conn:
            await own.make_sure(conn)
            self._looked = True
            while (event := await store.event_of_press(conn, self.alarm)) is None:
                await self.clock.sleep(_POLL_S)
        self._alert_s = self.age_s
        assert self._event is not None
        self._event.set_result(event)

    async def _on_pages(self, event: asyncio.Future[int]) -> None:
        """The dashboard answers, and its reader of changes, which feeds every screen, has come to this one."""
        number = await event
        timeout_s = min(_PAGES_ANSWER_S, self.settings.watchdog_within_s)
        while True:
            with suppress(OSError):
                _, said = await asyncio.to_thread(ask_health, self.settings, timeout_s)
                position = said.get("changes")
                if isinstance(position, int) and position >= number:
                    self._shown_s = self.age_s
                    return
            await self.clock.sleep(_PAGES_POLL_S)
