"""An MQTT 5 client for a URL: the one way in which our processes connect, but for ingest (ingest/inbox.py)."""

import socket
import ssl
from pathlib import Path
from typing import Final

import aiomqtt

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


def client_for(
    url: str,
    *,
    ca_file: Path | None = None,
    username: str | None = None,
    password: str | None = None,
    identifier: str | None = None,
    timeout_s: float = 5.0,
) -> aiomqtt.Client:
    """A client that logs in with the URL's name and password, or with those given. Use it with `async with`.

    Raises:
        ValueError: the URL is none of MQTT.
        CannotStart: the CA file cannot be read.
    """
    parts = parse_mqtt_url(url)
    return aiomqtt.Client(
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
