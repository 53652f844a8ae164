"""A real broker for each test process, and hubs on it."""

import asyncio
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from gateway.service import run
from gateway.settings import HubSettings
from gateway.sockets import connect
from telecare.clock import SystemClock
from telecare.embedded.broker import Broker, find_mosquitto
from telecare.mqtt_accounts import SERVICE_LOGIN, hash_secret, read_password_file, write_password_file
from telecare.processes import free_port, popen_options, server_user
from tests.helpers import running, until

SECRET = "test-only"
HUBS = [f"gw-{number}" for number in range(200)]  # one for each test: the broker outlives a test
_names = iter(HUBS)
_refs = itertools.count(1)


class BrokerProcess:
    """A broker that a test may stop and start again on its port: Mosquitto, or the wheel where there is none."""

    def __init__(self, folder: Path) -> None:
        mosquitto = find_mosquitto(None)
        user = server_user() if mosquitto is not None else None
        if user is not None:
            os.chown(folder, user.uid, user.gid)
        self.broker = Broker(folder / "broker", free_port(), mosquitto, user, SECRET)
        self.broker.write_files()
        accounts = read_password_file(self.broker.password_file)
        write_password_file(self.broker.password_file, accounts | dict.fromkeys(HUBS, hash_secret(SECRET)))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.broker.command(), **popen_options(self.broker.user, signal.SIGTERM))
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.broker.port), timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None
                time.sleep(0.02)
        raise AssertionError("the broker does not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


@pytest.fixture(scope="session")
def shared_broker() -> Iterator[BrokerProcess]:
    yield from _broker()


@pytest.fixture
def own_broker() -> Iterator[BrokerProcess]:
    """A broker, not started yet, for one test that stops it."""
    yield from _broker(start=False)


def _broker(*, start: bool = True) -> Iterator[BrokerProcess]:
    folder = Path(tempfile.mkdtemp(prefix="telecare-gateway-test-"))
    try:
        broker = BrokerProcess(folder)
        try:
            if start:
                broker.start()
            yield broker
        finally:
            broker.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Service:
    """The other end of the wire: hears everything of one hub, answers nothing by itself."""

    def __init__(self, hub: str, client: aiomqtt.Client) -> None:
        self._hub, self._client = hub, client
        self.heard: list[tuple[str, Any]] = []

    async def listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            with suppress(ValueError):  # what a test itself sent to confuse the hub
                self.heard.append((message.topic.value.rpartition("/")[2], json.loads(message.payload)))

    def on(self, channel: str) -> list[Any]:
        return [payload for name, payload in self.heard if name == channel]

    async def send(self, channel: str, payload: bytes | dict[str, Any]) -> None:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        await self._client.publish(f"telecare/v1/{self._hub}/{channel}", body, qos=1)

    async def store(self, alarm_id: str, status: str = "stored") -> None:
        await self.send("receipt", {"id": alarm_id, "status": status, "at": "2026-11-23T22:41:08Z"})

    async def command(self, command_id: str, kind: str, **more: Any) -> None:
        await self.send("command", {"id": command_id, "kind": kind, "expires_at": "2100-01-01T00:00:00Z", **more})

    async def result_of(self, command_id: str, times: int = 1) -> dict[str, Any]:
        def results() -> list[Any]:
            return [result for result in self.on("result") if result["id"] == command_id]

        await until(lambda: len(results()) == times)
        assert all(result == results()[0] for result in results())
        return dict(results()[0])


class Device:
    """Anything in the home that can open a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, line: bytes | dict[str, Any]) -> None:
        self._writer.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        await self._writer.drain()

    async def hear(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self._reader.readline(), 5)
        assert line.endswith(b"\n")
        return dict(json.loads(line))

    async def press(self, **changes: Any) -> str:
        """Press the button; returns the id that the hub gave."""
        ref = f"r{next(_refs)}"
        await self.say({"frame": "alarm", "device": "pendant-1", "ref": ref, "kind": "button"} | changes)
        answer = await self.hear()
        assert answer["frame"] == "kept"
        return str(answer["id"])


@pytest.fixture
def hub_settings(tmp_path: Path, shared_broker: BrokerProcess) -> HubSettings:
    """A hub on the shared broker, in a hurry."""
    return settings_for(shared_broker, tmp_path / "hub")


def settings_for(broker: BrokerProcess, directory: Path, **changes: Any) -> HubSettings:
    hurried: dict[str, Any] = {
        "receipt_first_s": 30.0,
        "receipt_timeout_s": 30.0,
        "readings_linger_s": 0.05,
        "backoff_first_s": 0.05,
        "backoff_most_s": 0.1,
        "housekeeping_s": 0.05,
        "attempts_apart_s": 0.01,
        "return_jitter_s": 0.0,
        "second_linger_s": 0.3,
        "alarm_reserve_bytes": 64 * 1024,
    }
    return HubSettings(
        hub=next(_names), secret=SECRET, mqtt_url=broker.broker.hub_url, directory=directory, **(hurried | changes)
    )


def running_hub(settings: HubSettings) -> AbstractAsyncContextManager[None]:
    """The hub beside the test."""
    return running(lambda stop: run(settings, SystemClock(), stop))


@asynccontextmanager
async def service_for(settings: HubSettings, broker: BrokerProcess) -> AsyncIterator[Service]:
    async with aiomqtt.Client(
        "127.0.0.1",
        broker.broker.port,
        username=SERVICE_LOGIN,
        password=SECRET,
        protocol=aiomqtt.ProtocolVersion.V5,
    ) as client:
        service = Service(settings.hub, client)
        await client.subscribe(f"telecare/v1/{settings.hub}/#", qos=1)
        listening = asyncio.create_task(service.listen())
        try:
            yield service
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


@asynccontextmanager
async def device_of(settings: HubSettings) -> AsyncIterator[Device]:
    await until(settings.socket_path.exists)
    reader, writer = await connect(settings.socket_path)
    try:
        yield Device(reader, writer)
    finally:
        writer.close()


@pytest.fixture
async def service(hub_settings: HubSettings, shared_broker: BrokerProcess) -> AsyncIterator[Service]:
    """The service's end of `hub_settings`."""
    async with service_for(hub_settings, shared_broker) as opened:
        yield opened
