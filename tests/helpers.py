"""Small things that tests of several services need: a hub made of nothing but an MQTT client, and waiting."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import aiomqtt

from ingest.readings_store import Columns
from telecare.clock import microseconds
from telecare.db import Pool
from telecare.enrolment import enrol
from telecare.ids import uuid7
from telecare.mqtt import client_for
from telecare.register.homes import Enrolment, NewContact, NewDevice, NewHome, NewPerson
from telecare.settings import Settings

_numbers = itertools.count(1)


def unique_hub() -> str:
    """A hub name that no other test of this process uses: the broker outlives a test."""
    return f"hub-{next(_numbers)}"


def mary(**changes: Any) -> NewHome:
    """A home with one person, a pendant, a smoke sensor and two contacts."""
    values: dict[str, Any] = {
        "address": "1 High Street",
        "postcode": "AT1 1AA",
        "access_notes": "Ring twice",
        "key_safe_location": "left of the door",
        "key_safe_code": "1234",
        "people": (
            NewPerson(
                name="Mary Green",
                known_as="Mary",
                contacts=(
                    NewContact(name="Jo Green", relationship="daughter", phone="07700 900001", has_key=True),
                    NewContact(name="Ali Khan", relationship="neighbour", phone="07700 900002"),
                ),
            ),
        ),
        "devices": (
            NewDevice(name="pendant-1", kind="pendant", person=0),
            NewDevice(name="smoke-1", kind="smoke"),
        ),
    }
    return NewHome(**(values | changes))


async def enrolled(settings: Settings, home: NewHome | UUID | None = None) -> Enrolment:
    """A hub that the broker lets in."""
    (one,) = await enrol(settings, [(unique_hub(), home if home is not None else mary())])
    return one


class Hub:
    """A hub that is nothing but an MQTT client."""

    def __init__(self, enrolment: Enrolment, client: aiomqtt.Client) -> None:
        self.name, self.home, self.client = enrolment.hub, enrolment.home, client
        self._seq = 0
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def publish(self, channel: str, payload: bytes, **options: Any) -> None:
        """Publish raw bytes on one of the hub's channels, QoS 1."""
        await self.client.publish(f"telecare/v1/{self.name}/{channel}", payload, qos=1, **options)

    def alarm(self, **changes: Any) -> dict[str, Any]:
        """A good alarm: a press of pendant-1."""
        self._seq += 1
        alarm = {
            "id": str(uuid7()),
            "seq": self._seq,
            "device": "pendant-1",
            "kind": "button",
            "at": "2026-11-23T22:41:07.123Z",
            "clock": "synced",
        }
        return {name: value for name, value in (alarm | changes).items() if value is not None}

    async def press(self, **changes: Any) -> dict[str, Any]:
        """Publish an alarm; returns it."""
        alarm = self.alarm(**changes)
        await self.publish("alarm", json.dumps(alarm).encode())
        return alarm

    async def listen(self) -> None:
        """Collect receipts and commands in `heard`."""
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            self.heard.append((message.topic.value.rpartition("/")[2], json.loads(message.payload)))

    def receipts(self) -> dict[str, str]:
        """Status by alarm id."""
        return {m["id"]: m["status"] for channel, m in self.heard if channel == "receipt"}

    def announced(self) -> list[str]:
        """What the wearer heard."""
        return [m["text"] for channel, m in self.heard if channel == "command" and m["kind"] == "announce"]


@asynccontextmanager
async def connected(settings: Settings, enrolment: Enrolment) -> AsyncIterator[Hub]:
    """A hub on the broker, listening to its receipts and commands."""
    async with client_for(
        settings.mqtt_url_for_hubs, username=enrolment.hub, password=enrolment.secret, identifier=enrolment.hub
    ) as client:
        hub = Hub(enrolment, client)
        await client.subscribe(f"telecare/v1/{enrolment.hub}/receipt", qos=1)
        await client.subscribe(f"telecare/v1/{enrolment.hub}/command", qos=1)
        listening = asyncio.create_task(hub.listen())
        try:
            yield hub
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


@asynccontextmanager
async def running(run: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """A service beside the test, stopped at the end; its failure is the test's."""
    stop = asyncio.Event()

    async def guarded() -> None:
        await run(stop)

    task = asyncio.create_task(guarded())
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def until(what: Callable[[], Awaitable[bool] | bool], timeout_s: float = 10.0) -> None:
    """Wait until something is so."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        found = what()
        if found if isinstance(found, bool) else await found:
            return
        assert asyncio.get_running_loop().time() < deadline, f"not so after {timeout_s:g} s"
        await asyncio.sleep(0.02)


async def rows(pool: Pool, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    async with pool.connection() as conn:
        return await (await conn.execute(sql.encode(), values)).fetchall()


async def one(pool: Pool, sql: str, *values: Any) -> Any:
    """The single value that a query finds."""
    found = await rows(pool, sql, *values)
    assert len(found) == 1, found
    return found[0][0]


def columns(readings: Iterable[tuple[int, datetime, float]]) -> Columns:
    """Readings (series, instant, value) as the store takes them."""
    made = Columns()
    for series, at, value in readings:
        made.add(series, microseconds(at), value)
    return made
