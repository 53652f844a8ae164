"""One MQTT connection of a hub, by whichever path: made, subscribed, and closed whatever happens."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.settings import HubSettings
from telecare import wire
from telecare.mqtt import AT_ONCE, PromptClient, tls_for
from telecare.settings import parse_mqtt_url
from telecare.wire import Channel

log = logging.getLogger("gateway")

_NO_SUCH_LOGIN: Final = frozenset({134, 135})  # MQTT 5 reason codes: bad user name or password, not authorised
_NO_MQTT_5: Final = 132
_FAILURES_FROM: Final = 128  # reason codes from here on are refusals


class Connection:
    """What a hub says and hears on one connection."""

    def __init__(self, hub: str, client: aiomqtt.Client) -> None:
        self._hub, self._client = hub, client

    async def subscribe(self, channels: Iterable[Channel]) -> None:
        """Hear these channels of the hub's own.

        Raises:
            aiomqtt.MqttError: the broker refuses, or the connection broke.
        """
        options = SubscribeOptions(qos=1)
        answers = await self._client.subscribe([(wire.topic(self._hub, channel), options) for channel in channels])
        refusals = [code for code in answers if _value(code) >= _FAILURES_FROM]
        if refusals:
            raise aiomqtt.MqttError(f"the broker refuses a subscription: {refusals[0]}")

    async def publish(self, channel: Channel, payload: bytes, *, retain: bool = False) -> None:
        """Publish, and wait until the broker has it.

        Raises:
            aiomqtt.MqttError: the broker did not say so in time, or the connection broke.
        """
        await self._client.publish(wire.topic(self._hub, channel), payload, qos=1, retain=retain)

    async def messages(self) -> AsyncIterator[tuple[str, bytes]]:
        """What comes, by channel, until the connection breaks.

        Raises:
            aiomqtt.MqttError: it broke.
        """
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            yield message.topic.value.rpartition("/")[2], message.payload


class Dialler:
    """Makes connections to one broker with the hub's name and secret."""

    def __init__(self, settings: HubSettings, url: str, *, identifier: str, session_expiry_s: int) -> None:
        """`session_expiry_s`: the broker keeps what comes for us so long after a connection; 0: not at all.

        Raises:
            CannotStart: the CA file cannot be read.
        """
        self._settings, self._url = settings, parse_mqtt_url(url)
        self._identifier, self._session_expiry_s = identifier, session_expiry_s
        self._tls = tls_for(self._url, settings.mqtt_ca_file)
        self._trouble = ""  # what was last said about it, so as to say it once

    @asynccontextmanager
    async def connection(self, will: bytes | None = None) -> AsyncIterator[Connection]:
        """A connection for the length of the block. `will` is the state that the broker publishes if it breaks.

        Raises:
            aiomqtt.MqttError: it could not be made.
        """
        client = self._client(will)
        # paho connects in a thread, which cannot be cancelled: whoever loses interest meanwhile must still close it.
        entering = asyncio.ensure_future(client.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            entering.add_done_callback(lambda entered: _abandon(client, entered))
            raise
        except aiomqtt.MqttError:
            _abandon(client, entering)
            raise
        self._trouble = ""
        try:
            yield Connection(self._settings.hub, client)
        finally:
            await client.__aexit__(None, None, None)

    def _client(self, will: bytes | None) -> aiomqtt.Client:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._session_expiry_s
        topic = wire.topic(self._settings.hub, "state")
        return PromptClient(
            self._url.host,
            self._url.port,
            identifier=self._identifier,
            username=self._settings.hub,
            password=self._settings.secret,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=None if will is None else aiomqtt.Will(topic, will, qos=1, retain=True),
            clean_start=not self._session_expiry_s,
            properties=properties,
            timeout=self._settings.mqtt_timeout_s,
            keepalive=self._settings.keepalive_s,
            tls_context=self._tls,
            socket_options=AT_ONCE,
        )

    def note(self, event: str, group: BaseExceptionGroup[Any]) -> None:
        """Say why there is no connection, once for each reason."""
        trouble = _first(group)
        code = trouble.rc if isinstance(trouble, aiomqtt.MqttCodeError) else None
        value = code.value if isinstance(code, ReasonCode) else code
        words, level = "no connection to the broker", logging.WARNING
        if isinstance(trouble, MqttConnectError) and value in _NO_SUCH_LOGIN:
            words, level = "the broker refuses the hub's name or secret", logging.ERROR
        elif isinstance(trouble, MqttConnectError) and value == _NO_MQTT_5:
            words, level = "the broker does not speak MQTT 5", logging.ERROR
        if str(trouble) != self._trouble:
            self._trouble = str(trouble)
            log.log(level, words, extra={"event": event, "hub": self._settings.hub, "why": self._trouble})


def _abandon(client: aiomqtt.Client, entered: asyncio.Future[aiomqtt.Client]) -> None:
    """Close a connection that was never used; aiomqtt leaves the socket open when the broker does not answer."""
    if not entered.cancelled():
        entered.exception()  # seen: nobody else will ask for it
    client._client.disconnect()


def _value(code: int | ReasonCode) -> int:
    return code.value if isinstance(code, ReasonCode) else code


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
