"""Which screens are connected to this process: written down in one statement every few seconds (alerts/leases.py)."""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import psycopg

from alerts.leases_store import Console, say_seen
from telecare.db import Pool
from telecare.ids import uuid7

log = logging.getLogger(__name__)

_WITHIN_S = 4.0  # a database that takes longer is away; the next beat tries again


@dataclass(eq=False, slots=True)
class _Stream:
    username: str
    id: UUID = field(default_factory=uuid7)
    opened: float = field(default_factory=time.monotonic)
    closed: float | None = None


class Consoles:
    """The screens of people who are logged in; programs' streams are none."""

    def __init__(self, pool: Pool, every_s: float) -> None:
        self._pool, self._every_s = pool, every_s
        self._streams: set[_Stream] = set()

    @contextmanager
    def connected(self, username: str) -> Iterator[None]:
        """For as long as this lasts, a screen of that user is connected."""
        stream = _Stream(username)
        self._streams.add(stream)
        try:
            yield
        finally:
            stream.closed = time.monotonic()

    async def run(self) -> None:
        """Write down until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_WITHIN_S):
                    await self.step()
            except (psycopg.OperationalError, TimeoutError):
                pass  # whoever judges leases sees that nobody writes
            except Exception:
                # What a screen shows does not hang on this.
                log.exception("consoles could not be written down", extra={"event": "consoles_unwritten"})
            await asyncio.sleep(self._every_s)

    async def step(self) -> None:
        """Write down once: those that are open, and those that have ended since."""
        streams = list(self._streams)
        # Taken before the clock of the database is asked: a stream that closes meanwhile is told in the next step.
        ended = [stream for stream in streams if stream.closed is not None]
        now = time.monotonic()
        async with self._pool.connection(_WITHIN_S) as conn:
            await say_seen(conn, [_console(stream, now, stream in ended) for stream in streams])
        self._streams.difference_update(ended)


def _console(stream: _Stream, now: float, has_ended: bool) -> Console:
    closed_ago = timedelta(seconds=max(now - stream.closed, 0)) if has_ended and stream.closed is not None else None
    opened_ago = timedelta(seconds=max(now - stream.opened, 0))
    return Console(stream.id, stream.username, max(opened_ago, closed_ago or opened_ago), closed_ago)
