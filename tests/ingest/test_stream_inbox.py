"""The readings' connection: a broker that goes, is mute, refuses, or sends more than we can hold."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit

import pytest

from ingest import mqtt_reader
from ingest.mqtt_reader import PacketReader
from ingest.reading_lane import READING_TOPICS
from ingest.stream_inbox import StreamInbox
from telecare.settings import Settings
from tests.helpers import Hub, connected, enrolled, until
from tests.proxy import Proxy

ACCEPTED = b"\x20\x03\x00\x00\x00"
SUBSCRIBED = b"\x90\x04\x00\x01\x00\x01"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def a_broker(handler: Handler) -> AsyncIterator[str]:
    """The far edge: something that answers on a port; its URL."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.get_running_loop().create_task(talk(reader, writer)))

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    try:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@contextlib.asynccontextmanager
async def opened(url: str, limit: int = 1000, answer_s: float = 10.0) -> AsyncIterator[StreamInbox]:
    inbox = StreamInbox(url, "test-readings", READING_TOPICS, limit, answer_s=answer_s)
    inbox.open()
    try:
        yield inbox
    finally:
        await inbox.close()


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    async with connected(settings, await enrolled(settings)) as made:
        yield made


async def test_what_is_not_acknowledged_comes_again_on_the_next_connection(settings: Settings) -> None:
    async with connected(settings, await enrolled(settings)) as hub:
        async with opened(settings.mqtt) as inbox:
            await until(lambda: inbox.subscribed)
            for number in range(3):
                await hub.publish("readings", json.dumps([number]).encode())
            first = await inbox.take(1)
            inbox.acknowledge(first)
            await until(lambda: len(inbox._waiting) == 2)
            # The connection breaks; a new one takes the session up.
            assert inbox._link is not None
            assert inbox._link._transport is not None
            inbox._link._transport.abort()
            await until(lambda: not inbox.subscribed)
            await until(lambda: inbox.subscribed)
            await until(lambda: len(inbox._waiting) == 2)
            again = await inbox.take(10)
            assert [json.loads(message.payload) for message in again] == [[1], [2]]
            assert {message.connection for message in again} == {2}
            inbox.acknowledge(first)  # of a connection that is gone: says nothing
            inbox.acknowledge(again)
        async with opened(settings.mqtt) as inbox:
            await until(lambda: inbox.subscribed)
            await hub.publish("readings", b"[9]")
            assert [message.payload for message in await inbox.take(10)] == [b"[9]"]


async def test_when_it_is_full_it_does_not_read_and_nothing_is_lost(settings: Settings, hub: Hub) -> None:
    async with opened(settings.mqtt, limit=10) as inbox:
        await until(lambda: inbox.subscribed)
        for number in range(200):
            await hub.publish("readings", b"[" + b" " * 20_000 + b"%d]" % number)
        await until(lambda: inbox._link is not None and inbox._link._paused)
        await asyncio.sleep(0.2)
        assert len(inbox._waiting) < 60  # the limit, and what one piece of the stream held
        seen: set[int] = set()
        while len(seen) < 200:
            messages = await inbox.take(7)
            inbox.acknowledge(messages)
            seen |= {json.loads(message.payload)[0] for message in messages}  # one may come again: at least once


async def test_a_session_is_empty_only_when_the_broker_says_so_by_answering(settings: Settings, hub: Hub) -> None:
    """A broker that is slow may hold more: an adopted session that was ended too early would lose it."""
    parts = urlsplit(settings.mqtt)
    async with Proxy(parts.port or 1883, random.Random(1)) as proxy:
        url = urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{proxy.port}"))
        async with opened(url) as inbox:
            await until(lambda: inbox.subscribed)
            assert await inbox.quiet(0.2)
            proxy.go_silent()
            asking = asyncio.create_task(inbox.quiet(0.2))
            await hub.publish("readings", b"[1]")
            done, _ = await asyncio.wait([asking], timeout=1.0)
            assert not done
            proxy.mend()
            assert not await asyncio.wait_for(asking, 20)
            assert [message.payload for message in await inbox.take(10)] == [b"[1]"]


async def test_a_broker_that_falls_mute_is_left() -> None:
    calls = 0

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:  # the first one never says a word
            writer.write(ACCEPTED + SUBSCRIBED)
        while await reader.read(1000):
            pass

    async with a_broker(mute) as url, opened(url, answer_s=0.3) as inbox:
        await until(lambda: calls >= 2 and inbox.subscribed)
        await until(lambda: calls >= 3)


@pytest.mark.parametrize(
    "answer", [b"\x20\x03\x00\x87\x00", ACCEPTED + b"\x90\x04\x00\x01\x00\x80", b"\xff" * 20, b"\x30\x01\x00", b""]
)
async def test_a_broker_that_refuses_or_talks_nonsense_is_asked_again(answer: bytes) -> None:
    calls = 0

    async def bad_then_good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        heard = PacketReader(1).feed(await reader.read(1000))[1]
        assert [control.kind for control in heard] == [1]  # CONNECT
        writer.write(answer if calls == 1 else ACCEPTED)
        if calls == 1:
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()
            return
        await reader.readexactly(len(mqtt_reader.subscribe(READING_TOPICS)))
        writer.write(SUBSCRIBED)
        while await reader.read(1000):
            pass

    async with a_broker(bad_then_good) as url, opened(url) as inbox:
        await until(lambda: inbox.subscribed)
    assert calls == 2
