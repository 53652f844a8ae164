"""Hubs that are nothing but MQTT: many at once, and free to say what no real hub would.

They publish with the service's own login, which may speak for every hub, over one connection; where it matters who
speaks, `tests.helpers.connected` logs in as a hub.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiomqtt

from telecare.clock import SystemClock, format_instant
from telecare.enrolment import enrol
from telecare.ids import uuid7
from telecare.mqtt import client_for
from telecare.wire import topic
from tests.faults.ledger import Press
from tests.faults.world import World

_UNDER_WAY: Final = 500  # publications that wait for the broker's acknowledgement
_ACKNOWLEDGED_WITHIN_S: Final = 60.0


class RawHubs:
    """Some hubs of a row; their alarms stand in its ledger, their receipts are heard at the broker."""

    def __init__(self, made: World, names: list[str], client: aiomqtt.Client) -> None:
        self.names, self._ledger, self._client = names, made.ledger, client
        self._seq: Counter[str] = Counter()
        self._room = asyncio.Semaphore(_UNDER_WAY)
        self._by_id: dict[str, Press] = {}
        self.rejected: Counter[str] = Counter()

    def alarm(self, hub: str, **changes: Any) -> dict[str, Any]:
        """A good alarm of this hub, with its next number: a press of pendant-1."""
        self._seq[hub] += 1
        made = {
            "id": str(uuid7()),
            "seq": self._seq[hub],
            "device": "pendant-1",
            "kind": "button",
            "at": format_instant(SystemClock().now()),
            "clock": "synced",
        }
        return made | changes

    async def press(self, hub: str, **changes: Any) -> dict[str, Any]:
        """An alarm that the service has to answer for; returns it when the broker has it."""
        alarm = self.alarm(hub, **changes)
        self.expect(hub, alarm)
        await self.publish(topic(hub, "alarm"), json.dumps(alarm).encode())
        return alarm

    def expect(self, hub: str, alarm: dict[str, Any]) -> Press:
        """Write an alarm into the ledger as pressed and kept."""
        press = self._ledger.press(hub, alarm["id"])
        press.id, press.seq, press.kept_at = alarm["id"], alarm["seq"], press.pressed_at
        self._by_id[alarm["id"]] = press
        return press

    async def publish(self, name: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1."""
        async with self._room:
            await self._client.publish(name, payload, qos=1, retain=retain, timeout=_ACKNOWLEDGED_WITHIN_S)

    async def at_rate(self, count: int, rate: float, **changes: Any) -> float:
        """So many alarms at so many a second, hub after hub; when the last was sent (seconds since 1970)."""
        begun = time.time()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await asyncio.sleep(max(0.0, begun + number / rate - time.time()))
                group.create_task(self.press(self.names[number % len(self.names)], **changes))
        return time.time()

    async def listen(self) -> None:
        """Note the receipts."""
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            receipt = json.loads(message.payload)
            press = self._by_id.get(receipt["id"])
            if receipt["status"] == "rejected":
                self.rejected[receipt["id"]] += 1
            elif press is not None and press.receipt_at is None:
                press.receipt_at, press.status = time.time(), "stored"


@asynccontextmanager
async def raw_hubs(made: World, count: int, prefix: str, *, compared: bool = True) -> AsyncIterator[RawHubs]:
    """Enrol hubs, each with a home and a pendant, and speak for them. `compared`: the row answers for their alarms."""
    names = [f"{prefix}-{n}" for n in range(count)]
    await enrol(made.settings, [(name, made.home(n)) for n, name in enumerate(names, start=1000)])
    if compared:
        made.raw_hubs += names
    async with client_for(made.settings.mqtt) as client:
        hubs = RawHubs(made, names, client)
        await client.subscribe("telecare/v1/+/receipt", qos=1)
        listening = asyncio.create_task(hubs.listen())
        try:
            yield hubs
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await listening
