"""The subscribers of `bench.clients`: each takes messages at QoS 1 with one client library, in a process of its own.

All work alike: at most 2,000 messages, a "commit" of 10 ms, then their acknowledgements, where the library lets its
user do that; MQTT 5, a session that lasts, and a window of 5,000 unacknowledged messages.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from bench.bare import TOPIC
from ingest.stream_inbox import StreamInbox
from telecare.settings import parse_mqtt_url

BATCH: Final = 2000
COMMIT_S: Final = 0.010
_WINDOW: Final = 5000  # unacknowledged messages that the broker may send: that of ingest
_SESSION_S: Final = 300  # so that what was not acknowledged can be asked for afterwards
_HELD: Final = 20_000  # messages in our reader's memory, as `ingest_buffer`
_WITHIN_S: Final = 300  # whoever has not taken everything by then is ended
_KEEPALIVE_S: Final = 60
Taker = Callable[[str, str, int], None]
T = TypeVar("T")


def main() -> None:
    """`python -m bench.takers NAME MQTT_URL CLIENT_ID COUNT`: `ready` once subscribed, and at the end the figures."""
    name, url, client_id, count = sys.argv[1:]
    signal.alarm(_WITHIN_S)
    TAKERS[name].take(url, client_id, int(count))
    print(json.dumps({"cpu_s": round(_used_s() - _at_ready[0], 3)}), flush=True)


_at_ready: list[float] = []


def _ready() -> None:
    """Subscribed: what is used from here on counts."""
    _at_ready.append(_used_s())
    print("ready", flush=True)


def _used_s() -> float:
    used = os.times()
    return used.user + used.system


def _ours(url: str, client_id: str, count: int) -> None:
    async def take() -> None:
        inbox = StreamInbox(url, client_id, [TOPIC], _HELD)
        inbox.open()
        await inbox.quiet(COMMIT_S)  # it is subscribed, and nothing is published yet
        _ready()
        left = count
        while left > 0:
            messages = await inbox.take(BATCH)
            await asyncio.sleep(COMMIT_S)
            inbox.acknowledge(messages)
            left -= len(messages)
        await inbox.close()

    asyncio.run(take())


def _commit(waiting: deque[T], count: int, acknowledge: Callable[[T], object]) -> None:
    """For libraries with a thread of their own: what waits, batch after batch, until `count` are acknowledged."""
    while count > 0:
        batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
        time.sleep(COMMIT_S)
        for message in batch:
            acknowledge(message)
        count -= len(batch)


def _connect_properties() -> Any:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = _SESSION_S
    properties.ReceiveMaximum = _WINDOW
    return properties


def _paho(url: str, client_id: str, count: int) -> None:
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    parts = parse_mqtt_url(url)
    waiting: deque[paho.MQTTMessage] = deque()
    subscribed = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, manual_ack=True)
    client.username_pw_set(parts.username, parts.password)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda client, userdata, message: waiting.append(message)
    client.connect(parts.host, parts.port, _KEEPALIVE_S, clean_start=False, properties=_connect_properties())
    client.loop_start()
    client.subscribe(TOPIC, qos=1)
    subscribed.wait()
    _ready()
    _commit(waiting, count, lambda message: client.ack(message.mid, message.qos))
    client.disconnect()
    client.loop_stop()


def _aiomqtt(url: str, client_id: str, count: int) -> None:
    import aiomqtt

    parts = parse_mqtt_url(url)

    async def take() -> None:
        async with aiomqtt.Client(
            parts.host, parts.port, username=parts.username, password=parts.password, identifier=client_id,
            protocol=aiomqtt.ProtocolVersion.V5, clean_start=False, properties=_connect_properties(),
        ) as client:  # fmt: skip
            await client.subscribe(TOPIC, qos=1)
            _ready()
            taken = 0
            async for _ in client.messages:
                taken += 1
                if taken % BATCH == 0 or taken == count:
                    await asyncio.sleep(COMMIT_S)
                if taken == count:
                    break

    asyncio.run(take())


def _gmqtt(url: str, client_id: str, count: int) -> None:
    import gmqtt

    parts = parse_mqtt_url(url)

    async def take() -> None:
        loop = asyncio.get_running_loop()
        waiting: deque[asyncio.Future[int]] = deque()
        subscribed = asyncio.Event()

        async def on_message(*_: Any) -> int:
            committed: asyncio.Future[int] = loop.create_future()
            waiting.append(committed)
            return await committed  # it acknowledges when this returns 0

        client = gmqtt.Client(
            client_id, clean_session=False, optimistic_acknowledgement=False, session_expiry_interval=_SESSION_S,
            receive_maximum=_WINDOW,
        )  # fmt: skip
        client.set_auth_credentials(parts.username, parts.password)
        client.on_message = on_message
        client.on_subscribe = lambda *_: subscribed.set()
        await client.connect(parts.host, parts.port, keepalive=_KEEPALIVE_S)
        client.subscribe(TOPIC, qos=1)
        await subscribed.wait()
        _ready()
        left = count
        while left > 0:
            batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
            await asyncio.sleep(COMMIT_S)
            for committed in batch:
                committed.set_result(0)
            left -= len(batch)
        await asyncio.sleep(COMMIT_S)  # its acknowledgements go out on the next turns of the loop
        await client.disconnect()

    asyncio.run(take())


def _pymosquitto(url: str, client_id: str, count: int) -> None:
    from pymosquitto import Mosquitto
    from pymosquitto.client import PropertyFactory
    from pymosquitto.constants import MQTT5PropertyID, Option

    parts = parse_mqtt_url(url)
    waiting: deque[Any] = deque()
    subscribed = threading.Event()
    client = Mosquitto(client_id, clean_start=False, protocol=5)
    client.int_option(Option.RECEIVE_MAXIMUM, _WINDOW)
    client.username_pw_set(parts.username, parts.password)
    client.on_connect = lambda *_: client.subscribe(TOPIC, 1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda client, userdata, message: waiting.append(message)
    session = PropertyFactory.INT32(MQTT5PropertyID.SESSION_EXPIRY_INTERVAL, _SESSION_S)
    client.connect(parts.host, parts.port, _KEEPALIVE_S, props=session)
    client.loop_start()
    subscribed.wait()
    _ready()
    _commit(waiting, count, lambda message: None)
    client.disconnect()
    client.loop_stop(False)


class Kind(NamedTuple):
    """One way to take messages."""

    package: str | None  # that must be installed; None: ours
    module: str
    acknowledges: str
    take: Taker


TAKERS: Final = {
    "ours": Kind(None, "ingest.stream_inbox", "after the commit", _ours),
    "paho-mqtt": Kind("paho-mqtt", "paho.mqtt.client", "after the commit", _paho),
    "aiomqtt": Kind("aiomqtt", "aiomqtt", "on receipt: it has no other way", _aiomqtt),
    "gmqtt": Kind("gmqtt", "gmqtt", "after the commit", _gmqtt),
    "pymosquitto": Kind("pymosquitto", "pymosquitto", "on receipt: it has no other way", _pymosquitto),
}

if __name__ == "__main__":
    main()
