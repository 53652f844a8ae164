"""Local sockets, at any depth of folders."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.sockets import connect, listen
from telecare.errors import CannotStart


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)


async def test_a_path_of_more_than_107_bytes_works_and_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    path = folder / "hub.sock"
    path.touch()
    async with listen(path, echo):
        reader, writer = await connect(path)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
    assert not path.exists()


async def test_what_is_there_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.start_unix_server

    async def later(*given: Any, **more: Any) -> asyncio.Server:
        """A device is quicker than the hub."""
        with socket.socket(socket.AF_UNIX) as device:
            device.connect(str(tmp_path / "s"))
        return await started(*given, **more)

    monkeypatch.setattr(asyncio, "start_unix_server", later)
    async with listen(tmp_path / "s", echo):
        assert [path.name for path in tmp_path.iterdir()] == ["s"]


async def test_connections_end_with_the_listener(tmp_path: Path) -> None:
    async with listen(tmp_path / "s", echo):
        reader, writer = await connect(tmp_path / "s")
        writer.write(b"x\n")
        await reader.readline()
    assert await reader.read() == b""
    writer.close()


async def test_a_handler_that_fails_takes_the_listener_with_it(tmp_path: Path) -> None:
    async def broken(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        raise ZeroDivisionError

    async def listen_to_it() -> None:
        async with listen(tmp_path / "s", broken):
            _, writer = await connect(tmp_path / "s")
            writer.close()
            await asyncio.sleep(5)

    with pytest.raises(ExceptionGroup) as caught:
        await listen_to_it()
    assert caught.group_contains(ZeroDivisionError)


async def test_a_folder_that_is_not_there_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="no socket"):
        async with listen(tmp_path / "nowhere" / "s", echo):
            pass
