"""Sending messages to contacts: the protocol, and the one provider there is for now."""

import logging
from typing import Protocol

from telecare.errors import TelecareError

log = logging.getLogger("alerts")


class ProviderUnavailable(TelecareError):
    """The provider did not take the message. The same message may go through in a while."""


class ProviderRefused(TelecareError):
    """The provider will never take this message."""


class Provider(Protocol):
    """Whoever carries messages to telephones."""

    async def send(self, message_id: str, recipient: str, body: str) -> None:
        """Hand a message over.

        Raises:
            ProviderUnavailable: try again.
            ProviderRefused: do not try again.
        """
        ...


class DemoProvider:
    """Sends nothing to anybody: the page /messages shows what would have been sent."""

    async def send(self, message_id: str, recipient: str, body: str) -> None:
        log.info("message shown on the demo page", extra={"event": "message_demo", "id": message_id})


class NoProvider:
    """Outside a demo, until a provider is configured: each message fails, and the alert's log says so."""

    async def send(self, message_id: str, recipient: str, body: str) -> None:
        raise ProviderRefused("no message provider is configured")
