"""The live feed of the screens: server-sent events, resumable, from one reader of the database for all streams."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from alerts import queue
from alerts.actions import OVER
from alerts.store import CHANGED
from dashboard.errors import TooManyStreams
from dashboard.plain import plain
from dashboard.rows import Drawn, Record
from telecare.clock import SystemClock
from telecare.db import Connection, Pool, database_now
from telecare.service import keep_doing, listen

POLL_S: Final = 5.0  # notifications can be lost; the table is the truth
RESYNC_AFTER: Final = 1000  # a reader this many events behind loads the list anew
STREAMS: Final = 1000  # open at once, at most
_BATCH: Final = 500
_SENT_TOGETHER: Final = 50  # changes in one write: a write costs more than what it carries, for each of many screens
_RETRY_MS: Final = 2000  # a browser reconnects after this


@dataclass(eq=False, slots=True)
class _Reader:
    """One open stream: what it has still to be sent."""

    rows: bool = False  # it is shown as a queue, and takes each alert's row with it
    pending: deque[tuple[int, str]] = field(default_factory=deque)  # (event number, the event as text)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    overrun: bool = False

    def give(self, event: "_Change") -> None:
        if len(self.pending) >= RESYNC_AFTER:
            self.pending.clear()
            self.overrun = True
        if not self.overrun:
            self.pending.append((event.number, event.text(self.rows)))
        self.wake.set()

    def take(self, at_most: int) -> tuple[int, str]:
        """The next events as one text, and the number of the last; there is one."""
        taken = [self.pending.popleft() for _ in range(min(at_most, len(self.pending)))]
        return taken[-1][0], "".join(text for _, text in taken)


@dataclass(frozen=True, slots=True)
class _Change:
    """One committed change of an alert, as it is sent."""

    number: int
    plain: str
    with_row: str

    def text(self, rows: bool) -> str:
        return self.with_row if rows else self.plain


async def _draw_none(conn: Connection, records: Collection[Record], now: datetime) -> dict[int, str]:
    return {}


class Feed:
    """Reads committed changes once and hands them to every open stream."""

    def __init__(
        self,
        pool: Pool,
        database_url: str,
        beat_s: float,
        beat_data: Callable[[], str] = lambda: "{}",
        draw: Drawn = _draw_none,
        *,
        believed_s: float = 8.0,
    ) -> None:
        """`beat_data` is asked for what each beat carries, as JSON; `draw` draws the rows of streams that want them.

        The feed is alive when it has read the database within `believed_s` seconds.
        """
        self._pool = pool
        self._url = database_url
        self._beat_s = beat_s
        self._beat_data = beat_data
        self._draw = draw
        self._wake = asyncio.Event()
        self._readers: set[_Reader] = set()
        self._position = 0
        self._believed_s = believed_s
        self._read_at = -believed_s
        self._closed = False

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._readers)

    @property
    def position(self) -> int:
        """The newest change that has been read."""
        return self._position

    async def run(self) -> None:
        """Listen and read until cancelled."""
        clock = SystemClock()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen(self._url, clock, {CHANGED: [self._wake]}), name="listen")
            tasks.create_task(keep_doing(self._read_batch, self._wake, clock, POLL_S, "live feed"), name="read")

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closed = True
        for reader in self._readers:
            reader.wake.set()

    async def start(self) -> None:
        """Begin at the newest change. Called before the first stream is opened."""
        async with self._pool.connection() as conn:
            self._position = await queue.last_event(conn)
        self._read_at = time.monotonic()

    async def _read_batch(self) -> bool:
        async with self._pool.connection() as conn:
            events = await queue.events_after(conn, self._position, _BATCH)
            # Also while nobody reads: a stream may be opened during any of these awaits, and must be given them.
            changes = await self._changes(conn, events) if events else []
        for change in changes:
            for reader in self._readers:
                reader.give(change)
        if events:
            self._position = events[-1][0]
        self._read_at = time.monotonic()
        return len(events) == _BATCH

    async def _changes(self, conn: Connection, events: list[tuple[int, int]]) -> list[_Change]:
        now = await database_now(conn)
        records = await queue.list_records(conn, {alert for _, alert in events}, now)
        drawn = await self._draw(conn, [one for one in records.values() if one["state"] not in OVER], now)
        texts = {alert: json.dumps(plain(record)) for alert, record in records.items()}
        rows = {alert: _with_row(text, drawn.get(alert)) for alert, text in texts.items()}
        return [
            _Change(number, _event("alert", number, texts[alert]), _event("alert", number, rows[alert]))
            for number, alert in events
        ]

    async def stream(self, last_seen: int | None, *, rows: bool = False) -> AsyncGenerator[str]:
        """The events after number `last_seen`; from now on where it is None. Ends when the feed is closed.

        With `rows` each alert has its row of the queue with it (`row`, HTML).

        Raises:
            TooManyStreams: as many are open as are served.
        """
        if len(self._readers) >= STREAMS:
            raise TooManyStreams("as many event streams are open as this process serves; try again later")
        reader = _Reader(rows)
        # No await between these two: every event is either replayed or pending, never both and never neither.
        self._readers.add(reader)
        start = self._position
        try:
            yield f"retry: {_RETRY_MS}\n\n" + _event(
                "beat", start if last_seen is None else last_seen, self._beat_data()
            )
            if last_seen is not None and last_seen != start:
                async for text in self._replay(last_seen, start, rows=rows):
                    yield text
            async for text in self._follow(reader, start):
                yield text
        finally:
            self._readers.discard(reader)

    async def _replay(self, last_seen: int, start: int, *, rows: bool) -> AsyncIterator[str]:
        if not 0 <= start - last_seen <= RESYNC_AFTER:
            yield _event("resync", start, "{}")
            return
        while last_seen < start:
            async with self._pool.connection() as conn:
                missed = [event for event in await queue.events_after(conn, last_seen, _BATCH) if event[0] <= start]
                if missed and missed[0][0] != last_seen + 1:  # the next ones are not kept any more
                    yield _event("resync", start, "{}")
                    return
                changes = await self._changes(conn, missed)
            if not changes:
                return
            for change in changes:
                yield change.text(rows)
            last_seen = changes[-1].number

    async def _follow(self, reader: _Reader, position: int) -> AsyncIterator[str]:
        next_beat = time.monotonic() + self._beat_s
        while not self._closed:
            if reader.overrun:
                reader.overrun = False
                position = self._position
                yield _event("resync", position, "{}")
            while reader.pending:
                position, texts = reader.take(_SENT_TOGETHER)
                yield texts
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self._beat_s
                # No beat while the database is mute: a screen that shows nothing must not look alive.
                if time.monotonic() - self._read_at < self._believed_s + self._beat_s:
                    yield _event("beat", position, self._beat_data())
            reader.wake.clear()
            if reader.pending or reader.overrun or self._closed:
                continue
            try:
                async with asyncio.timeout(max(next_beat - time.monotonic(), 0)):
                    await reader.wake.wait()
            except TimeoutError:
                pass


def _with_row(text: str, row: str | None) -> str:
    return f'{text[:-1]}, "row": {json.dumps(row)}}}'


def _event(name: str, number: int, data: str) -> str:
    return f"event: {name}\nid: {number}\ndata: {data}\n\n"
