"""The wheel's broker and its front door: both versions of MQTT on one port, and nobody without a secret."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecare.embedded.broker import Broker
from telecare.embedded.wheel_broker import Login, read_login
from telecare.errors import UnreadableMessage
from telecare.mqtt_accounts import hash_secret, read_password_file, secret_matches, write_password_file
from tests.conftest import running_broker


@pytest.fixture(scope="module")
def wheel() -> Iterator[Broker]:
    yield from running_broker(None)


def client(broker: Broker, version: aiomqtt.ProtocolVersion, name: str, secret: str) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", broker.port, username=name, password=secret, protocol=version)


@pytest.mark.parametrize("speaks", [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5])
@pytest.mark.parametrize("hears", [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5])
async def test_both_versions_meet_on_one_port(
    wheel: Broker, speaks: aiomqtt.ProtocolVersion, hears: aiomqtt.ProtocolVersion
) -> None:
    accounts = read_password_file(wheel.password_file) | {"h-1": hash_secret("s-1"), "h-2": hash_secret("s-2")}
    write_password_file(wheel.password_file, accounts)  # read again without a restart
    topic = f"telecare/v1/h-1/{speaks.name}-{hears.name}"
    async with client(wheel, hears, "h-2", "s-2") as second, client(wheel, speaks, "h-1", "s-1") as first:
        await second.subscribe(topic, qos=1)
        await first.publish(topic, b"hello", qos=1)
        async with asyncio.timeout(5):
            assert (await anext(aiter(second.messages))).payload == b"hello"


@pytest.mark.parametrize("version", [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5])
@pytest.mark.parametrize(("name", "secret"), [("h-9", "x"), ("telecare_service", "guess"), ("", "")])
async def test_nobody_enters_without_the_right_secret(
    wheel: Broker, version: aiomqtt.ProtocolVersion, name: str, secret: str
) -> None:
    with pytest.raises(aiomqtt.MqttError, match=r"[Nn]ot authori[sz]ed"):
        async with client(wheel, version, name, secret):
            pass


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\x7f", b"\x10\x04\x00\x04MQ", b"\x10\x00"]
)
def test_what_is_no_client_is_turned_away(wheel: Broker, first: bytes) -> None:
    with socket.create_connection(("127.0.0.1", wheel.port), timeout=5) as stranger:
        stranger.sendall(first)
        stranger.shutdown(socket.SHUT_WR)
        assert stranger.recv(100) == b""


def test_a_login_is_read_from_a_connect_with_a_will() -> None:
    will = b"\x00" + b"\x00\x01t" + b"\x00\x02{}"
    body = b"\x00\x04MQTT\x05\xc6\x00\x3c" + b"\x00" + b"\x00\x01c" + will + b"\x00\x03h-1" + b"\x00\x03s-1"
    assert read_login(body) == Login(5, "h-1", "s-1")


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        assert read_login(body).version in (4, 5)
    except UnreadableMessage:
        return


def test_the_password_file_is_mosquittos() -> None:
    hashed = hash_secret("sesame")
    assert hashed.startswith("$7$101$")
    assert secret_matches("sesame", hashed)
    assert not secret_matches("Sesame", hashed)


def test_a_password_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_password_file(tmp_path / "none") == {}
