"""Very many at once: hubs that come back together, screens that watch."""

import asyncio
import json
import resource
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from bench.load import publication
from ingest import mqtt_reader
from ingest.mqtt_reader import Kind, PacketReader
from telecare.settings import parse_mqtt_url
from telecare.wire import topic
from tests.faults.raw import RawHubs
from tests.faults.world import World

_SPARE_FILES: Final = 500
_STORM_WITHIN_S: Final = 120.0


async def say_state(raw: RawHubs, session: int, heartbeat_s: float = 1.0) -> None:
    """Every hub says that it is online."""
    state = json.dumps({"online": True, "session": session, "heartbeat_s": heartbeat_s}).encode()
    await asyncio.gather(*(raw.publish(topic(hub, "state"), state) for hub in raw.names))


# ---------------------------------------------------------------- hubs


@dataclass(frozen=True, slots=True)
class Login:
    """A hub that may log in."""

    hub: str
    secret: str


async def herd(made: World, count: int) -> list[Login]:
    """Enrol so many, as an administrator does."""
    arguments = ("hub-enrol", "--count", str(count), "--prefix", "herd-")
    found = await asyncio.to_thread(made.system.command, *arguments)
    return [Login(one["hub"], one["secret"]) for one in found["hubs"]]


class _Member(asyncio.Protocol):
    """One hub's connection: log in, say the state, and be told that it has arrived."""

    def __init__(self, login: Login, done: "asyncio.Future[float]") -> None:
        self._login, self._done, self._packets = login, done, PacketReader(1)
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        hub = self._login.hub
        transport.write(
            mqtt_reader.connect(hub, hub, self._login.secret, keepalive_s=300, session_s=0, receive_maximum=100)
        )

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        for control in self._packets.feed(data)[1]:
            if control.kind == Kind.CONNACK and mqtt_reader.refusal(control) is None:
                state = json.dumps({"online": True, "session": 1, "heartbeat_s": 300}).encode()
                self.transport.write(publication(topic(self._login.hub, "state"), state, 0))
            elif control.kind == Kind.PUBACK and not self._done.done():
                self._done.set_result(time.perf_counter())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError(f"{self._login.hub} was sent away"))


async def storm(made: World, hubs: list[Login]) -> dict[str, float]:
    """All connect at once, without jitter, and stay; how long it took until the first, half and all had been heard."""
    need = len(hubs) + _SPARE_FILES
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard == resource.RLIM_INFINITY or hard >= need, f"needs {need} open files"
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    url = parse_mqtt_url(made.settings.mqtt_url_for_hubs)
    loop = asyncio.get_running_loop()
    members: list[_Member] = []

    async def one(login: Login) -> float:
        while True:
            done: asyncio.Future[float] = loop.create_future()
            try:
                _, member = await loop.create_connection(partial(_Member, login, done), url.host, url.port)
                heard = await done
            except OSError:
                await asyncio.sleep(0.5)  # a hub that is not let in comes again
            else:
                members.append(member)
                return heard - begun

    begun = time.perf_counter()
    try:
        async with asyncio.timeout(_STORM_WITHIN_S):
            took = sorted(await asyncio.gather(*(one(login) for login in hubs)))
    finally:
        for member in members:
            if member.transport is not None:
                member.transport.abort()
    return {"half back after s": round(took[len(took) // 2], 2), "all back after s": round(took[-1], 2)}


# ---------------------------------------------------------------- screens


@dataclass(slots=True)
class Screens:
    """What very many consoles were shown, and how often one was sent away and came again."""

    changes: dict[int, int]  # by the screen's number
    sent_away: Counter[str] = field(default_factory=Counter)  # by the answer's first line


@asynccontextmanager
async def screens(made: World, count: int) -> AsyncIterator[Screens]:
    """Consoles that watch and read, and come again when they are sent away, as browsers do."""
    seen = Screens(dict.fromkeys(range(count), 0))

    async def watch(number: int) -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", made.system.port)
            try:
                writer.write(_request(made))
                answer = await reader.readline()
                while line := await reader.readline():
                    seen.changes[number] += line.startswith(b"event: alert")
            finally:
                writer.transport.abort()
            seen.sent_away[answer.decode().strip()] += 1
            await asyncio.sleep(2)

    tasks = [asyncio.create_task(watch(number)) for number in range(count)]
    try:
        yield seen
        assert not [task for task in tasks if task.done()], "a screen found nobody"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def deaf_screens(made: World, count: int) -> AsyncIterator[None]:
    """Consoles that ask for the stream and never read a byte of it."""
    links: list[socket.socket] = []
    try:
        for _ in range(count):
            link = socket.socket()
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            link.connect(("127.0.0.1", made.system.port))
            link.sendall(_request(made))
            links.append(link)
        yield
    finally:
        for link in links:
            link.close()


def _request(made: World) -> bytes:
    headers: dict[str, Any] = {"Host": "127.0.0.1", "Authorization": f"Bearer {made.token}"}
    lines = ["GET /api/alerts/stream HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()
