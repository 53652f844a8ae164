"""Whoever carries messages to telephones: the protocol, the demo's provider, and who is used for which channel.

The real ones are in alerts/channels.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from telecare.errors import TelecareError

log = logging.getLogger("alerts")

CHANNELS: Final = ("sms", "email", "push", "voice")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser in which a contact lets us ring (Web Push)."""

    id: UUID
    endpoint: str
    p256dh: str
    auth: str


class AtDevice(StrEnum):
    """How a push message went at the push service of one browser."""

    ACCEPTED = "accepted"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    GONE = "gone"  # there is no such browser any more (404 or 410, RFC 8030 section 7.3)


Devices = Mapping[UUID, AtDevice]  # by the id of the subscription


@dataclass(frozen=True, slots=True)
class Handed:
    """A provider has the message."""

    ref: str | None = None  # the provider's own name for it, where it gives one
    devices: Devices = field(default_factory=dict)  # for push: how it went at each


class NotHanded(TelecareError):
    """A provider does not have the message."""

    def __init__(self, words: str = "", devices: Devices | None = None) -> None:
        super().__init__(words)
        self.devices: Devices = devices or {}  # for push: how it went at each


class ProviderUnavailable(NotHanded):
    """The provider did not take the message. The same message may go through in a while."""


class ProviderRefused(NotHanded):
    """The provider will never take this message."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it is handed over."""

    attempt: UUID  # this try, which receipts may name
    key: str  # the idempotency key: one per recipient and step, the same however often it is tried
    channel: str
    to: str  # a number in E.164, an address, or what the register has
    body: str
    contact: UUID | None  # None: it goes to somebody on call
    again: bool = False  # an earlier try with this provider may have gone through, and nobody knows
    subscriptions: tuple[Subscription, ...] = ()  # for push


class Provider(Protocol):
    """One way to hand messages over."""

    @property
    def name(self) -> str:
        """What settings and the record call it."""
        ...

    @property
    def receipts(self) -> bool:
        """Whether it says afterwards what became of a message."""
        ...

    async def send(self, message: Outgoing) -> Handed:
        """Hand a message over.

        Raises:
            ProviderUnavailable: try again.
            ProviderRefused: do not try again with this one.
        """
        ...


class DemoProvider:
    """Sends nothing to anybody: the page /messages shows what would have been sent."""

    name = "demo"
    receipts = False

    async def send(self, message: Outgoing) -> Handed:
        """Take it, and let it rest."""
        log.info("message shown on the demo page", extra={"event": "message_demo", "attempt": str(message.attempt)})
        return Handed()


class NoProvider:
    """Where none is configured: each message fails, and the alert's log says so."""

    name = "none"
    receipts = False

    async def send(self, message: Outgoing) -> Handed:
        """Refuse."""
        setting = f"TELECARE_{message.channel.upper()}_PROVIDERS"
        raise ProviderRefused(f"no message provider is configured ({setting})")


Table = Mapping[str, Sequence[Provider]]  # by channel, in the order in which they are tried


def table_of(given: Provider | Table) -> Table:
    """Who is used for which channel; one provider alone is used for all."""
    return given if isinstance(given, Mapping) else {channel: (given,) for channel in CHANNELS}
