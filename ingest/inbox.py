"""A bridge from paho-mqtt to asyncio that acknowledges only when told to.

aiomqtt acknowledges on receipt, and drops what its bounded queue cannot hold; here a message stays unacknowledged, so
that the broker sends it again, until `acknowledge` is called after the commit (docs/decisions/0003).
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.mqtt_reader import Message
from telecare.mqtt import AT_ONCE, tls_for
from telecare.settings import parse_mqtt_url

log = logging.getLogger("ingest")

_SESSION_S: Final = 86_400  # the broker keeps our session this long; a convenience, nothing rests on it
_RECEIVE_MAXIMUM: Final = 5_000  # unacknowledged messages that the broker may send us
_KEEPALIVE_S: Final = 30


class Inbox:
    """One connection to the broker and the messages that came on it."""

    def __init__(
        self, url: str, client_id: str, topics: Sequence[str], limit: int, ca_file: Path | None = None
    ) -> None:
        """`limit` is how many messages are held; then we stop reading, and the broker waits."""
        self._url = parse_mqtt_url(url)
        self._topics = topics
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._waiting: deque[Message] = deque()
        self._room = threading.Condition()
        self._closing = False
        self._connection = 0
        self._signalled = False
        self.subscribed = False
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5, manual_ack=True
        )
        self._client.username_pw_set(self._url.username, self._url.password)
        if (tls := tls_for(self._url, ca_file)) is not None:
            self._client.tls_set_context(tls)
        self._client.max_inflight_messages_set(_RECEIVE_MAXIMUM)  # receipts on their way to hubs
        self._client.reconnect_delay_set(min_delay=1, max_delay=2)
        self._client.on_socket_open = self._on_socket_open
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def open(self) -> None:
        """Begin to connect, and to reconnect whenever the connection is lost."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _SESSION_S
        properties.ReceiveMaximum = _RECEIVE_MAXIMUM
        self._client.connect_async(
            self._url.host, self._url.port, keepalive=_KEEPALIVE_S, clean_start=False, properties=properties
        )
        self._client.loop_start()

    async def close(self) -> None:
        """Disconnect. What was not acknowledged stays with the broker."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._room:
            self._closing = True
            self._room.notify_all()
        self._client.disconnect()
        self._client.loop_stop()

    async def take(self, most: int) -> list[Message]:
        """The messages that wait, `most` at most; waits for one."""
        while not (taken := self.take_waiting(most)):
            self._arrived.clear()
            self._signalled = False
            if not self._waiting:
                await self._arrived.wait()
        return taken

    def take_waiting(self, most: int) -> list[Message]:
        """The messages that wait, `most` at most; perhaps none."""
        with self._room:
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._room.notify_all()
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Let the broker forget these. After a reconnection it sends them again, and the store knows them."""
        for message in messages:
            if message.qos and message.connection == self._connection:
                self._client.ack(message.mid, message.qos)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send something, QoS 1, without waiting."""
        self._client.publish(topic, payload, qos=1)

    # ------------------------------------------------------------ on paho's thread

    def _on_socket_open(self, client: paho.Client, userdata: Any, link: Any) -> None:
        for option in AT_ONCE:
            link.setsockopt(*option)

    def _on_connect(
        self, client: paho.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            log.error("broker refuses us", extra={"event": "broker_refuses", "why": str(reason)})
            return
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self._topics])

    def _on_subscribe(
        self, client: paho.Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        self.subscribed = not any(reason.is_failure for reason in reasons)
        log.info("subscribed", extra={"event": "subscribed", "ok": self.subscribed})

    def _on_disconnect(
        self, client: paho.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self.subscribed = False
        with self._room:
            self._connection += 1
            self._waiting.clear()  # the broker sends them again
        if not self._closing:
            log.warning("broker away", extra={"event": "broker_away", "why": str(reason)})

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        with self._room:
            while len(self._waiting) >= self._limit and not self._closing:
                self._room.wait()  # we stop reading: the socket fills, and the broker waits
            self._waiting.append(
                Message(
                    message.topic, bytes(message.payload), message.retain, message.mid, message.qos, self._connection
                )
            )
        if not self._signalled and not self._closing:
            self._signalled = True
            self._loop.call_soon_threadsafe(self._arrived.set)
