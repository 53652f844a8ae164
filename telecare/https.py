"""Who may reach the pages: this machine alone, or everybody by HTTPS."""

import ipaddress
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from telecare.errors import CannotStart
from telecare.settings import Settings


def check_address(settings: Settings, *, demo: bool) -> None:
    """See that the pages may be served where the settings say.

    Raises:
        CannotStart: beyond this machine without HTTPS, or with users whose password everybody knows; or the certificate
            cannot be used.
    """
    if (settings.https_certificate is None) != (settings.https_key is None):
        raise CannotStart("settings TELECARE_HTTPS_CERTIFICATE and TELECARE_HTTPS_KEY: give both, or neither")
    if settings.https_certificate is not None and settings.https_key is not None:
        check_certificate(settings.https_certificate, settings.https_key, datetime.now(UTC))
    if is_loopback(settings.host):
        return
    why = "everybody knows the demo users' password" if demo else "without HTTPS, passwords would travel in the open"
    if demo or settings.https_certificate is None:
        raise CannotStart(f"setting TELECARE_HOST: {settings.host} is not a loopback address, and {why}")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_certificate(certificate: Path, key: Path, now: datetime) -> None:
    """See that a certificate and its key can be used.

    Raises:
        CannotStart: one cannot be read, they do not belong together, or the certificate has run out.
    """
    ends = ends_at(certificate)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as problem:
        raise CannotStart(
            f"setting TELECARE_HTTPS_KEY: {key} is no key of {certificate}, or cannot be read"
        ) from problem
    if ends <= now:
        raise CannotStart(f"setting TELECARE_HTTPS_CERTIFICATE: {certificate} ran out on {ends:%-d %B %Y}")


def ends_at(certificate: Path) -> datetime:
    """When a certificate runs out.

    Raises:
        CannotStart: it cannot be read.
    """
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as problem:
        raise CannotStart(f"{certificate} cannot be read as a certificate") from problem
