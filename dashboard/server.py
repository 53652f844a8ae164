"""Serving the application over HTTP until asked to stop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from dashboard.app import create_app
from dashboard.parts import Parts
from telecare.settings import Settings

STOP_WITHIN_S = 2  # what still runs then is cancelled


class Server(uvicorn.Server):
    """uvicorn, with our own signals, and with the event streams ended first: it would wait for them."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        # No access log: an address may hold a name that was searched for.
        config = uvicorn.Config(
            app, log_config=None, log_level="warning", access_log=False, server_header=False, lifespan="on",
            timeout_graceful_shutdown=STOP_WITHIN_S,
            ssl_certfile=settings.https_certificate, ssl_keyfile=settings.https_key,
            proxy_headers=bool(settings.trusted_proxies), forwarded_allow_ips=settings.trusted_proxies,
        )  # fmt: skip
        super().__init__(config)
        self._app = app

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        parts: Parts = self._app.state.parts
        parts.feed.close()
        await super().shutdown(sockets)


def _end_what_nobody_takes(listener: socket.socket, after_s: float) -> None:
    """Have the kernel end connections whose other end takes nothing: a computer without power says no goodbye.

    An event stream always has a beat under way. What is accepted inherits the option; a system without it waits longer.
    """
    if listener.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(after_s * 1000))


async def serve(settings: Settings, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve on `listener` until `stop`."""
    _end_what_nobody_takes(listener, settings.stream_unheard_s)
    server = Server(create_app(settings), settings)

    async def stopping() -> None:
        await stop.wait()
        server.should_exit = True

    waiting = asyncio.create_task(stopping())
    try:
        await server.serve([listener])
    finally:
        waiting.cancel()
