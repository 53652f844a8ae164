"""Apprise: about a hundred and thirty services behind one address each (github.com/caronc/apprise). No receipts."""

import logging
from collections.abc import Mapping
from urllib.parse import quote

import apprise

from alerts.channels.threads import in_thread
from alerts.providers import Outgoing, ProviderRefused, ProviderUnavailable

logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it writes recipients into the log


class Apprise:
    """Hands messages to the service behind the channel's address. `{to}` in it is the recipient, `{contact}` our id."""

    name = "apprise"
    receipts = False

    def __init__(self, urls: Mapping[str, str], title: str) -> None:
        self._urls, self._title = urls, title

    async def send(self, message: Outgoing) -> str | None:
        """Hand a message over. Apprise says only whether that went well."""
        url = self._urls[message.channel]
        address = url.replace("{to}", quote(message.to, safe="")).replace("{contact}", str(message.contact))
        title = "" if message.channel == "sms" else self._title
        if not await in_thread(lambda: _notify(address, title, message.body)):
            raise ProviderUnavailable("Apprise could not hand it over")
        return None


def _notify(address: str, title: str, body: str) -> bool:
    service = apprise.Apprise()
    if not service.add(address):
        raise ProviderRefused("Apprise does not know this kind of address, or this recipient")
    return bool(service.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))
