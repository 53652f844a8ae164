"""An MQTT 5 client for a URL: the one way in which our processes connect, but for ingest (ingest/inbox.py)."""

import aiomqtt

from telecare.settings import parse_mqtt_url


def client_for(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    identifier: str | None = None,
    timeout_s: float = 5.0,
) -> aiomqtt.Client:
    """A client that logs in with the URL's name and password, or with those given. Use it with `async with`.

    Raises:
        ValueError: the URL is none of MQTT.
    """
    parts = parse_mqtt_url(url)
    return aiomqtt.Client(
        parts.host,
        parts.port,
        username=username if username is not None else parts.username,
        password=password if password is not None else parts.password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=timeout_s,
    )
