"""The key pair by which push services and browsers know this service (VAPID, RFC 8292), and proofs made with it."""

import base64
import hashlib
import hmac
import time
from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02, VapidException

from alerts.channels import names_for
from telecare.errors import CannotStart
from telecare.settings import Settings


def public_key(settings: Settings) -> str | None:
    """What browsers are given to subscribe with (base64url); None where this service rings in no browser.

    Raises:
        CannotStart: the private key of the settings is none.
    """
    if settings.demo or settings.vapid_key is None or "webpush" not in names_for(settings, "push"):
        return None
    return _public_half(settings.vapid_key.get_secret_value())


def pair_of(private_key: str) -> Vapid02:
    """The pair with this private key: 32 bytes, or PKCS 8 in DER, in base64url.

    Raises:
        CannotStart: it is none.
    """
    try:
        pair: Vapid02 = Vapid02.from_string(private_key)
        if not isinstance(pair.private_key.curve, ec.SECP256R1):
            raise ValueError("another curve")
    except Exception as problem:  # whatever its parser raises; its words may hold the key
        raise CannotStart("setting TELECARE_VAPID_KEY: is no key; `telecare push-key` makes one") from problem
    return pair


def check_contact(pair: Vapid02, contact: str) -> None:
    """See that push services will take this address of who runs the service.

    Raises:
        CannotStart: it is none.
    """
    try:
        pair.sign({"sub": contact, "aud": "https://localhost", "exp": int(time.time()) + 60})
    except VapidException as problem:
        words = "must be mailto:somebody@example.org, or https://…"
        raise CannotStart(f"setting TELECARE_VAPID_CONTACT: {words}") from problem


def new_pair() -> tuple[str, str]:
    """A new private key and its public one (base64url)."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = _text(key.private_numbers().private_value.to_bytes(32, "big"))
    return private, _public_half(private)


def receipt_proof(private_key: str, attempt: UUID, device: UUID) -> str:
    """What only the browser for which a try was encrypted can say of it, besides us."""
    about = f"telecare push receipt {attempt} {device}".encode()
    return hmac.new(private_key.encode(), about, hashlib.sha256).hexdigest()


@lru_cache(maxsize=4)
def _public_half(private_key: str) -> str:
    key = pair_of(private_key).public_key
    return _text(key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
