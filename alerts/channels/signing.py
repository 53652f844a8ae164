"""Signatures between a gateway and us, both ways: HMAC-SHA256 over 'TIMESTAMP.BODY'. Pure."""

import hashlib
import hmac
from typing import Final

TIMESTAMP: Final = "X-Telecare-Timestamp"  # seconds since 1970
SIGNATURE: Final = "X-Telecare-Signature"  # sha256=HEX


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the header says."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_signed(secret: str, timestamp: str, given: str, body: bytes, now_s: float, clock_s: float) -> bool:
    """Whether the body is from someone who has the secret, signed within `clock_s` of now: an old one may be a copy."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    right = hmac.compare_digest(signature(secret, timestamp, body).encode(), given.encode())
    return right and abs(now_s - int(timestamp)) <= clock_s
