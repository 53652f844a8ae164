"""Apprise: about a hundred and thirty services behind one address each (github.com/caronc/apprise). No receipts."""

import logging
from collections.abc import Mapping
from urllib.parse import quote

import apprise

from alerts.channels.threads import in_thread
from alerts.providers import Handed, Outgoing, ProviderRefused, ProviderUnavailable
from telecare.errors import CannotStart

logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it writes recipients into the log


class Apprise:
    """Hands messages to the service behind the channel's address. `{to}` in it is the recipient, `{contact}` our id."""

    name = "apprise"
    receipts = False

    def __init__(self, urls: Mapping[str, str], title: str) -> None:
        self._urls, self._title = urls, title
        # Its hundred modules are read now, and not while the first message waits.
        for channel, url in urls.items():
            if not apprise.Apprise().add(_filled(url, "+441632960000", "contact")):
                raise CannotStart(f"setting TELECARE_APPRISE_{channel.upper()}_URL: Apprise knows no such address")

    async def send(self, message: Outgoing) -> Handed:
        """Hand a message over. Apprise says only whether that went well."""
        url = self._urls[message.channel]
        if message.contact is None and "{to}" not in url:
            raise ProviderRefused("the address for Apprise holds no {to}, and somebody on call is no contact")
        address = _filled(url, message.to, str(message.contact))
        title = "" if message.channel == "sms" else self._title
        if not await in_thread(lambda: _notify(address, title, message.body)):
            raise ProviderUnavailable("Apprise could not hand it over")
        return Handed()


def _filled(url: str, to: str, contact: str) -> str:
    return url.replace("{to}", quote(to, safe="")).replace("{contact}", contact)


def _notify(address: str, title: str, body: str) -> bool:
    service = apprise.Apprise()
    if not service.add(address):
        raise ProviderRefused("Apprise does not know this kind of address, or this recipient")
    return bool(service.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))
