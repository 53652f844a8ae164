"""A bad network between a hub and the broker: a TCP proxy that cuts, falls silent, delays and stalls.

A packet that is lost under TCP is sent again after a while, and everything behind it waits: so loss is a stall here.
"""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

_CHUNK: Final = 16 * 1024
_HELD: Final = 64  # chunks under way in one direction; then the sender waits


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to each chunk on its way. Seconds, and a chance between 0 and 1."""

    delay_s: float = 0.0
    jitter_s: float = 0.0  # the delay varies by so much either way
    stall_chance: float = 0.0
    stall_s: float = 0.0


class _Connection:
    """One client's connection, with the one to the server that belongs to it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._ends = (client, server)
        self.forwarding = asyncio.Event()
        self.forwarding.set()

    def abort(self) -> None:
        for end in self._ends:
            end.transport.abort()


class Proxy:
    """Listens on a port of its own and carries each connection to `target_port`, both on the loopback address."""

    def __init__(self, target_port: int, rng: random.Random) -> None:
        self._target_port, self._rng = target_port, rng
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing = False
        self._server: asyncio.Server | None = None
        self.weather = Weather()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *problem: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------ faults

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        self._refusing = True
        for connection in self._connections:
            connection.abort()

    def go_silent(self) -> None:
        """Leave the connections that stand open and carry nothing on them any more; new ones are carried.

        As after the restart of a router that knew them: neither end is told.
        """
        for connection in self._connections:
            connection.forwarding.clear()

    def mend(self) -> None:
        """Take new connections; what was held in silent ones goes on."""
        self._refusing = False
        for connection in self._connections:
            connection.forwarding.set()

    @property
    def connections(self) -> int:
        """How many stand."""
        return len(self._connections)

    # ------------------------------------------------------------ carrying

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # only `__aexit__` does so
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            return
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            return
        connection = _Connection(writer, to_writer)
        self._connections.add(connection)
        try:
            ways = [
                asyncio.ensure_future(self._carry(connection, *way))
                for way in ((reader, to_writer), (to_reader, writer))
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._connections.discard(connection)
            to_writer.transport.abort()

    async def _carry(self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until it ends; what was read is delivered before that."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_HELD)
        delivering = asyncio.ensure_future(_deliver(connection, under_way, writer))
        try:
            with suppress(OSError):
                while chunk := await reader.read(_CHUNK):
                    await under_way.put((asyncio.get_running_loop().time() + self._takes_s(), chunk))
                await under_way.put((0.0, b""))
                await delivering
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)

    def _takes_s(self) -> float:
        weather = self.weather
        takes_s = max(0.0, weather.delay_s + self._rng.uniform(-weather.jitter_s, weather.jitter_s))
        return takes_s + (weather.stall_s if self._rng.random() < weather.stall_chance else 0.0)


async def _deliver(
    connection: _Connection, under_way: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter
) -> None:
    """In order: what comes behind a late chunk waits for it."""
    loop = asyncio.get_running_loop()
    while True:
        due, chunk = await under_way.get()
        if not chunk:
            return
        await asyncio.sleep(max(0.0, due - loop.time()))
        await connection.forwarding.wait()
        writer.write(chunk)
        await writer.drain()
