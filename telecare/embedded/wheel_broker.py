"""The `iotcore` wheel's broker for a laptop without Mosquitto, behind a small front door.

    python -m telecare.embedded.wheel_broker PORT PASSWORD_FILE

The wheel speaks MQTT 3.1.1 and 5 on two ports and keeps its accounts fixed. The front door reads each client's CONNECT,
checks its name and secret against the same password file that Mosquitto would use, and joins it to the right port;
after that it only carries bytes. It does not keep hubs apart by topic: a broker for a demonstration on one machine.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telecare.errors import UnreadableMessage
from telecare.logs import set_up_logs
from telecare.mqtt_accounts import read_password_file, secret_matches
from telecare.processes import free_port

log = logging.getLogger("broker")

_CONNECT: Final = 0x10
_FIRST_PACKET_LIMIT: Final = 64 * 1024  # bytes; a CONNECT with a will of 4 KiB is far below
_FIRST_PACKET_WITHIN_S: Final = 10.0
_CHUNK: Final = 64 * 1024
_REFUSED: Final = {4: b"\x20\x02\x00\x05", 5: b"\x20\x03\x00\x87\x00"}  # CONNACK: not authorised


@dataclass(frozen=True, slots=True)
class Login:
    """What a CONNECT says about who connects."""

    version: int  # 4 is MQTT 3.1.1, 5 is MQTT 5
    username: str
    password: str


def read_login(packet: bytes) -> Login:
    """Version, user name and password of a CONNECT packet's body (MQTT 3.1.1 and 5, section 3.1).

    Raises:
        UnreadableMessage: it is no CONNECT of a version that we know.
    """
    try:
        return _Fields(packet).login()
    except (IndexError, UnicodeDecodeError) as problem:
        raise UnreadableMessage("a CONNECT that ends too early") from problem


class _Fields:
    def __init__(self, body: bytes) -> None:
        self.body, self.at = body, 0

    def byte(self) -> int:
        self.at += 1
        return self.body[self.at - 1]

    def data(self) -> bytes:
        length = self.byte() << 8 | self.byte()
        if self.at + length > len(self.body):
            raise IndexError
        self.at += length
        return self.body[self.at - length : self.at]

    def skip_properties(self) -> None:
        length, shift = 0, 0
        while True:
            part = self.byte()
            length |= (part & 127) << shift
            shift += 7
            if part < 128:
                break
        self.at += length

    def login(self) -> Login:
        name, version, flags = self.data(), self.byte(), self.byte()
        if name != b"MQTT" or version not in (4, 5):
            raise UnreadableMessage("not MQTT 3.1.1 or 5")
        self.at += 2  # keep alive
        if version == 5:
            self.skip_properties()
        self.data()  # client id
        if flags & 0x04:  # a will: properties, topic, payload
            if version == 5:
                self.skip_properties()
            self.data()
            self.data()
        username = self.data().decode() if flags & 0x80 else ""
        password = self.data().decode() if flags & 0x40 else ""
        return Login(version, username, password)


class FrontDoor:
    """Lets clients in by the password file."""

    def __init__(self, password_file: Path, ports: dict[int, int]) -> None:
        """`ports` is MQTT version to the wheel's port."""
        self._password_file, self._ports = password_file, ports
        self._accounts: dict[str, str] = {}
        self._read_at: int | None = None

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until either side ends."""
        try:
            async with asyncio.timeout(_FIRST_PACKET_WITHIN_S):
                packet, body = await _first_packet(reader)
            login = read_login(body)
            if not self._may_enter(login):
                writer.write(_REFUSED[login.version])
                await writer.drain()
                return
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._ports[login.version])
            inner_writer.write(packet)
            await _join((reader, inner_writer), (inner_reader, writer))
        except (UnreadableMessage, TimeoutError, OSError, asyncio.IncompleteReadError) as problem:
            log.info(
                "client turned away", extra={"event": "turned_away", "why": str(problem) or type(problem).__name__}
            )
        finally:
            writer.close()

    def _may_enter(self, login: Login) -> bool:
        changed = self._password_file.stat().st_mtime_ns
        if changed != self._read_at:
            self._accounts, self._read_at = read_password_file(self._password_file), changed
        hashed = self._accounts.get(login.username)
        return hashed is not None and secret_matches(login.password, hashed)


async def _first_packet(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(1)
    if head[0] != _CONNECT:
        raise UnreadableMessage("does not begin with CONNECT")
    length, shift = 0, 0
    while True:
        head += await reader.readexactly(1)
        length |= (head[-1] & 127) << shift
        shift += 7
        if head[-1] < 128:
            break
        if shift > 21:
            raise UnreadableMessage("a length of more than four bytes")
    if length > _FIRST_PACKET_LIMIT:
        raise UnreadableMessage("a CONNECT that is too long")
    body = await reader.readexactly(length)
    return head + body, body


Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(*pipes: Pipe) -> None:
    tasks = [asyncio.create_task(_carry(*pipe)) for pipe in pipes]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for _, writer in pipes:
            writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()


_TOML: Final = """\
id = 0
[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 1000
max_segment_size = 10485760
max_segment_count = 10
[v4.1]
name = "v4"
listen = "127.0.0.1:{v4}"
next_connection_delay_ms = 1
[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 1000
dynamic_filters = true
[v5.1]
name = "v5"
listen = "127.0.0.1:{v5}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 1000
dynamic_filters = true
"""


async def serve(port: int, password_file: Path) -> None:
    """Run the wheel's broker and its front door until SIGTERM."""
    from iotcore import Broker

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # "Read the accounts again", to Mosquitto; the front door sees by itself that the file has changed.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ports = {4: free_port(), 5: free_port()}
    with tempfile.TemporaryDirectory(prefix="telecare-broker-") as folder:
        configuration = Path(folder) / "broker.toml"
        configuration.write_text(_TOML.format(v4=ports[4], v5=ports[5]), encoding="ascii")
        with Broker(config_path=str(configuration)):
            door = FrontDoor(password_file, ports)
            async with await asyncio.start_server(door.enter, "127.0.0.1", port, backlog=1024):
                log.info("listening", extra={"event": "broker_up", "port": port, "pid": os.getpid()})
                await stop.wait()


if __name__ == "__main__":
    set_up_logs()
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
