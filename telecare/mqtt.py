"""An MQTT 5 client for a URL: the one way in which our processes connect, but for ingest (ingest/inbox.py)."""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from telecare.ending import end_tasks
from telecare.errors import CannotStart
from telecare.settings import MqttUrl, parse_mqtt_url

# Small messages go at once. Otherwise the kernel keeps one back until the one before it is acknowledged, up to 40 ms.
AT_ONCE: Final = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)


def tls_for(url: MqttUrl, ca_file: Path | None) -> ssl.SSLContext | None:
    """How to speak TLS with this broker; None for `mqtt://`. `ca_file` vouches for it instead of the system's CAs.

    Raises:
        CannotStart: the CA file cannot be read.
    """
    if url.scheme != "mqtts":
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as problem:
        raise CannotStart(f"setting TELECARE_MQTT_CA_FILE: {ca_file} cannot be read as certificates") from problem


class PromptClient(aiomqtt.Client):
    """aiomqtt's client, which also hears it when the broker hangs up before it has let us in.

    Without this it waits for its whole timeout, and an alarm with it: a network that comes back in pieces does that.
    """

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if self._connected.cancelled():
            return  # nobody waits any more, and aiomqtt would raise here, which keeps paho from closing the socket
        if self._connected.done():
            super()._on_disconnect(client, userdata, flags, reason_code, properties)
            return
        self._connected.set_exception(aiomqtt.MqttError(f"the broker hung up ({reason_code})"))
        self._connected.exception()  # seen: whoever has given up already does not ask for it

    async def while_connected(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` until it ends or the connection breaks, which ends it at once.

        A publish that waits for the broker's answer would otherwise wait for its whole timeout.

        Raises:
            aiomqtt.MqttError: the connection broke.
        """
        working = asyncio.create_task(work)
        try:
            await asyncio.wait({working, self._disconnected}, return_when=asyncio.FIRST_COMPLETED)
            if not self._disconnected.done():
                await working
                return
        finally:
            await end_tasks([working])
        problem = self._disconnected.exception()
        raise aiomqtt.MqttError("the connection broke") from problem


def client_for(
    url: str,
    *,
    ca_file: Path | None = None,
    username: str | None = None,
    password: str | None = None,
    identifier: str | None = None,
    timeout_s: float = 5.0,
) -> PromptClient:
    """A client that logs in with the URL's name and password, or with those given. Use it with `async with`.

    Raises:
        ValueError: the URL is none of MQTT.
        CannotStart: the CA file cannot be read.
    """
    parts = parse_mqtt_url(url)
    return PromptClient(
        parts.host,
        parts.port,
        username=username if username is not None else parts.username,
        password=password if password is not None else parts.password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5,
        tls_context=tls_for(parts, ca_file),
        timeout=timeout_s,
        socket_options=AT_ONCE,
    )
