"""Local stream sockets at paths of any length: the hub listens, devices connect."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from telecare.errors import CannotStart

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listen(path: Path, handler: Handler) -> AsyncIterator[None]:
    """Listen at `path`, and run `handler` for every connection, until the block ends; then all of them are closed.

    A socket that was left there by an earlier process is replaced. A handler that fails takes the block with it.

    Raises:
        CannotStart: the socket cannot be made there.
    """
    sock = _bound(path)
    try:
        async with asyncio.TaskGroup() as connections:
            tasks: set[asyncio.Task[None]] = set()

            def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = connections.create_task(_serve(handler, reader, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

            server = await asyncio.start_unix_server(on_connection, sock=sock)
            try:
                yield
            finally:
                server.close()
                for task in tasks:
                    task.cancel()
    finally:
        sock.close()
        path.unlink(missing_ok=True)


async def connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the hub that listens at `path`.

    Raises:
        OSError: there is no folder, no socket, or nobody listening.
    """
    with _short(path) as address:
        return await asyncio.open_unix_connection(address)


async def _serve(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await handler(reader, writer)
    finally:
        writer.close()


def _bound(path: Path) -> socket.socket:
    """A socket that listens. It gets its name last: a device that finds it there is not refused."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    making = path.with_name(f".{path.name}.new")
    try:
        making.unlink(missing_ok=True)
        with _short(making) as address:
            sock.bind(address)
        making.chmod(0o660)
        sock.listen()
        making.replace(path)
    except OSError as problem:
        sock.close()
        raise CannotStart(f"{path}: no socket can be made there ({problem})") from problem
    return sock


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A short name of `path`: the kernel takes 107 bytes, and folders lie deeper than that."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
