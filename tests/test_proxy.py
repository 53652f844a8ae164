"""The bad network does what it says; otherwise the rows that use it would prove nothing."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.proxy import Proxy, Weather


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that says again what it hears."""

    async def say_again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(say_again, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self, words: bytes, within_s: float = 5.0) -> float:
        """Say it and hear it again; how long that took."""
        begun = asyncio.get_running_loop().time()
        self.writer.write(words)
        async with asyncio.timeout(within_s):
            assert await self.reader.readexactly(len(words)) == words
        return asyncio.get_running_loop().time() - begun


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with echo() as port, Proxy(port, random.Random(1)) as made:
        yield made


@asynccontextmanager
async def client_of(proxy: Proxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def test_it_carries_both_ways_and_forgets_a_connection_that_ends(proxy: Proxy) -> None:
    async with client_of(proxy) as client:
        await client.says(b"x" * 900)
        await client.says(b"y")
        assert proxy.connections == 1
    for _ in range(100):
        if proxy.connections == 0:
            break
        await asyncio.sleep(0.05)
    assert proxy.connections == 0


async def test_a_cut_breaks_what_stands_and_refuses_what_comes_until_it_is_mended(proxy: Proxy) -> None:
    async with client_of(proxy) as client:
        await client.says(b"before")
        proxy.cut()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.says(b"cut")
    async with client_of(proxy) as refused:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await refused.says(b"refused")
    proxy.mend()
    async with client_of(proxy) as again:
        await again.says(b"mended")


async def test_a_silent_connection_stays_open_while_new_ones_are_carried(proxy: Proxy) -> None:
    async with client_of(proxy) as client:
        await client.says(b"before")
        proxy.go_silent()
        with pytest.raises(TimeoutError):
            await client.says(b"held", within_s=0.3)
        async with client_of(proxy) as other:
            await other.says(b"new")
        proxy.mend()
        assert await asyncio.wait_for(client.reader.readexactly(4), 5) == b"held"


async def test_a_delay_and_a_stall_are_as_long_as_they_say_and_nothing_overtakes(proxy: Proxy) -> None:
    async with client_of(proxy) as client:
        proxy.weather = Weather(delay_s=0.2, jitter_s=0.05)
        assert await client.says(b"delayed") >= 0.3  # there and back
        proxy.weather = Weather(stall_chance=1.0, stall_s=0.4)
        client.writer.write(b"first")
        await asyncio.sleep(0.1)
        proxy.weather = Weather()
        client.writer.write(b"second")
        assert await asyncio.wait_for(client.reader.readexactly(11), 5) == b"firstsecond"
