"""Where push messages may be handed over, and the keys by which a browser can read them. Pure.

A browser names the address itself, and our service posts there: only push services that are named in a setting are
taken, and of an address only what cannot be read in two ways.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

# The push services of Chrome (and most browsers on Android), Firefox, Edge on Windows, and Safari.
PUSH_HOSTS: Final = (
    "fcm.googleapis.com, updates.push.services.mozilla.com, *.push.services.mozilla.com, *.notify.windows.com, "
    "web.push.apple.com, *.push.apple.com"
)
ENDPOINT_LIMIT: Final = 2048  # characters
POINT_BYTES: Final = 65  # an uncompressed point of P-256 (RFC 8291, section 3.1)
AUTH_BYTES: Final = 16  # RFC 8291, section 3.2
_NAME: Final = r"[a-z0-9-]+(?:\.[a-z0-9-]+)*"
_HOST: Final = re.compile(rf"(?:\*\.)?{_NAME}(?::[1-9][0-9]{{0,4}})?")
# No user, no fragment, no backslash (which libraries read as one thing and others as another), nothing unprintable.
_ENDPOINT: Final = re.compile(rf"https://(?P<host>{_NAME})(?::(?P<port>[1-9][0-9]{{0,4}}))?/[!-~]*")


def read_hosts(text: str) -> tuple[str, ...]:
    """The hosts of a list with commas: `name`, `*.name` for every name below it; with `:port` where it is not 443.

    Raises:
        ValueError: one of them is no name of a host.
    """
    hosts = tuple(one.strip() for one in text.split(",") if one.strip())
    for host in hosts:
        if not _HOST.fullmatch(host) or _is_address(host.removeprefix("*.").partition(":")[0]):
            raise ValueError(f"{host} is no name of a host")
    return hosts


def endpoint_problem(endpoint: str, hosts: Iterable[str]) -> str | None:
    """Why no message is handed over at this address; None where it may be."""
    if len(endpoint) > ENDPOINT_LIMIT:
        return "The address of this browser's push service is too long"
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None or "\\" in endpoint or "#" in endpoint:
        return "The address of this browser's push service is none: it must be https, with a host and a path"
    host, port = found["host"], int(found["port"] or 443)
    if _is_address(host) or not any(_fits(host, port, one) for one in hosts):
        return f"This service sends nothing through {host}: use another browser, or ring us"
    return None


def keys_problem(p256dh: str, auth: str) -> str | None:
    """Why nothing can be encrypted for a browser with these keys (base64url); None where it can."""
    point, secret = decoded(p256dh), decoded(auth)
    if point is None or len(point) != POINT_BYTES:
        return f"This browser's public key is none: it must be {POINT_BYTES} bytes in base64url"
    if secret is None or len(secret) != AUTH_BYTES:
        return f"This browser's secret is none: it must be {AUTH_BYTES} bytes in base64url"
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return "This browser's public key is none: it is no point of the curve P-256"
    return None


def decoded(text: str) -> bytes | None:
    """The bytes of base64url, with or without its padding; None where it is none."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}={0,2}", text):
        return None
    bare = text.rstrip("=")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return None


def _fits(host: str, port: int, allowed: str) -> bool:
    name, _, given = allowed.partition(":")
    if port != int(given or 443):
        return False
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _is_address(host: str) -> bool:
    """Whether it is an IP address in any of the ways in which one is written: a name's last part has a letter."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        return last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last) is not None
    return True
