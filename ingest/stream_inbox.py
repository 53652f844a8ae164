"""The readings' connection to the broker, straight on the event loop: nothing is acknowledged before the commit.

It does what `inbox.Inbox` does, at a fraction of its cost (docs/decisions/0009).
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from ingest import mqtt_reader
from ingest.mqtt_reader import Control, Kind, Message, PacketReader, ProtocolError
from telecare.mqtt import tls_for
from telecare.service import Backoff
from telecare.settings import parse_mqtt_url

log = logging.getLogger("ingest")

_SESSION_S: Final = 86_400  # the broker keeps our session this long; a convenience, nothing rests on it
_RECEIVE_MAXIMUM: Final = 5_000  # unacknowledged messages that the broker may send us
_KEEPALIVE_S: Final = 30


class StreamInbox:
    """One connection to the broker and the messages that came on it."""

    def __init__(
        self,
        url: str,
        client_id: str,
        topics: Sequence[str],
        limit: int,
        ca_file: Path | None = None,
        *,
        draining: bool = False,
        answer_s: float = 10.0,
    ) -> None:
        """`limit` is how many messages are held; then we stop reading, and the broker waits.

        `answer_s`: seconds within which the broker answers a connection, and a ping, or is left.

        `draining`: take what the broker still keeps in this session, and let it put nothing more there.
        """
        self._draining = draining
        self.answer_s = answer_s
        self._url = parse_mqtt_url(url)
        self._tls: ssl.SSLContext | None = tls_for(self._url, ca_file)
        self._client_id, self._topics, self._limit = client_id, topics, limit
        self._arrived = asyncio.Event()
        self._waiting: deque[Message] = deque()
        self._connection = 0
        self._link: _Link | None = None
        self._task: asyncio.Task[None] | None = None
        self.subscribed = False

    def open(self) -> None:
        """Begin to connect, and to reconnect whenever the connection is lost."""
        self._task = asyncio.get_running_loop().create_task(self._stay_connected(), name="readings' connection")

    async def close(self, *, for_good: bool = False) -> None:
        """Disconnect. What was not acknowledged stays with the broker, unless the session ends `for_good`."""
        if for_good and self._link is not None:
            self._link.write(mqtt_reader.DISCONNECT_FOR_GOOD)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def take(self, most: int) -> list[Message]:
        """The messages that wait, `most` at most; waits for one."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self.take_waiting(most)

    async def quiet(self, seconds: float) -> bool:
        """Whether the broker has nothing more for us: it brings nothing for `seconds`, though it answers a ping.

        What we acknowledged before the ping makes room for what it still holds, and that comes before the answer.
        """
        while not self._waiting:
            link = self._link if self.subscribed else None
            self._arrived.clear()
            answered = link.ping() if link is not None else 0
            try:
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()
            except TimeoutError:
                if link is not None and link is self._link and link.pings_answered > answered:
                    return True
        return False

    def take_waiting(self, most: int) -> list[Message]:
        """The messages that wait, `most` at most; perhaps none."""
        waiting = self._waiting
        taken = [waiting.popleft() for _ in range(min(most, len(waiting)))]
        if self._link is not None and len(waiting) < self._limit:
            self._link.go_on()
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Let the broker forget these. After a reconnection it sends them again, and the store knows them."""
        if self._link is not None:
            self._link.write(
                mqtt_reader.acknowledgements([m.mid for m in messages if m.qos and m.connection == self._connection])
            )

    # ------------------------------------------------------------ the connection

    async def _stay_connected(self) -> None:
        backoff = Backoff(first_s=0.2, most_s=2.0)
        while True:
            try:
                await self._one_connection(backoff)
            except (OSError, ProtocolError, TimeoutError) as problem:
                why = str(problem) or type(problem).__name__
                log.warning("broker away", extra={"event": "broker_away", "why": why})
            await asyncio.sleep(backoff.again())

    async def _one_connection(self, backoff: Backoff) -> None:
        self._connection += 1
        async with asyncio.timeout(self.answer_s):
            _, link = await asyncio.get_running_loop().create_connection(
                lambda: _Link(self, self._connection), self._url.host, self._url.port, ssl=self._tls
            )
        try:
            async with asyncio.timeout(self.answer_s):
                link.write(
                    mqtt_reader.connect(
                        self._client_id, self._url.username, self._url.password, keepalive_s=_KEEPALIVE_S,
                        session_s=_SESSION_S, receive_maximum=_RECEIVE_MAXIMUM,
                    )
                )  # fmt: skip
                await link.answer(Kind.CONNACK)
                self._link = link
                if self._draining:
                    link.write(mqtt_reader.unsubscribe(self._topics))
                    await link.answer(Kind.UNSUBACK)
                else:
                    link.write(mqtt_reader.subscribe(self._topics))
                    await link.answer(Kind.SUBACK)
            self.subscribed = True
            backoff.well()
            log.info("subscribed", extra={"event": "subscribed", "ok": True})
            await link.while_it_lasts()
        finally:
            self.subscribed, self._link = False, None
            link.close()
            self._waiting.clear()  # the broker sends them again

    def _arrive(self, messages: list[Message]) -> bool:
        """Take messages in; whether there is room for more."""
        self._waiting.extend(messages)
        self._arrived.set()
        return len(self._waiting) < self._limit


class _Link(asyncio.Protocol):
    """One connection: bytes to packets, and what the broker answers."""

    def __init__(self, inbox: StreamInbox, connection: int) -> None:
        self._inbox = inbox
        self._packets = PacketReader(connection)
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._answers: asyncio.Queue[Control | Exception] = asyncio.Queue()
        self._lost = asyncio.get_running_loop().create_future()
        self._heard = False
        self.pings_answered = 0

    async def answer(self, kind: Kind) -> None:
        """Wait for an answer of this kind.

        Raises:
            ProtocolError: it refuses, or something else came.
            OSError: the connection is lost.
        """
        found = await self._answers.get()
        if isinstance(found, Exception):
            raise found
        code = mqtt_reader.refusal(found)
        if found.kind != kind or code is not None:
            raise ProtocolError(f"the broker refuses us (reason {code})")

    async def while_it_lasts(self) -> None:
        """Keep the connection alive; returns or raises when it is lost."""
        while True:
            self._heard = False
            self.write(mqtt_reader.PINGREQ)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._inbox.answer_s):
                    await asyncio.shield(self._lost)
                    return
            # While we do not read, we cannot hear the answer.
            if not self._heard and not self._paused:
                raise ProtocolError("the broker is mute")

    def ping(self) -> int:
        """Ask whether the broker is there; returns how many pings it had answered."""
        self.write(mqtt_reader.PINGREQ)
        return self.pings_answered

    def write(self, data: bytes) -> None:
        """Send bytes; nothing where the connection is gone."""
        if self._transport is not None and data:
            self._transport.write(data)

    def go_on(self) -> None:
        """There is room again."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def close(self) -> None:
        """Say that we go, and go."""
        if self._transport is not None:
            self.write(mqtt_reader.DISCONNECT)
            self._transport.close()

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            messages, controls = self._packets.feed(data)
        except ProtocolError as problem:
            self._lose(problem)
            return
        if messages and not self._inbox._arrive(messages) and not self._paused:
            self._paused = True
            assert self._transport is not None
            self._transport.pause_reading()  # the socket fills, and the broker waits
        for control in controls:
            if control.kind == Kind.DISCONNECT:
                self._lose(ProtocolError(f"the broker ends the connection (reason {mqtt_reader.refusal(control)})"))
            elif control.kind == Kind.PINGRESP:
                self.pings_answered += 1
            else:
                self._answers.put_nowait(control)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lose(exc or ConnectionResetError("the broker closed the connection"))

    def _lose(self, why: Exception) -> None:
        self._answers.put_nowait(why)
        if not self._lost.done():
            self._lost.set_exception(why)
            self._lost.exception()  # looked at: not every loss has somebody who waits for it
        if self._transport is not None:
            self._transport.close()
