"""Web Push: rings in browsers that a contact has let us ring in (RFC 8030, 8291, 8292)."""

import asyncio
import json
import logging
import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import requests
from pywebpush import WebPushException, webpush

from alerts.channels.threads import in_thread
from alerts.channels.vapid import check_contact, pair_of, receipt_proof
from alerts.providers import AtDevice, Handed, Outgoing, ProviderRefused, ProviderUnavailable, Subscription
from telecare.push import endpoint_problem

log = logging.getLogger("alerts")

NO_DEVICE: Final = "this contact has let us ring in no browser"
# Of the time for one try: how the others took it must be known before it is over.
_SHARE: Final = 0.8
_GONE: Final = frozenset({404, 410})  # RFC 8030, section 7.3
_NEVER: Final = frozenset({400, 401, 403, 413})  # our key or our request is wrong, for this browser or for all
_LINK: Final = re.compile(r"https?://[^/\s]+(/(?:a|i)/[A-Za-z0-9_-]+)")


class WebPush:
    """Hands messages to the browsers' own push services, encrypted for the browser.

    A push service says only that it has a message. That it was shown is said by our own script in the browser
    (dashboard/static/push-worker.js), with the proof that came in the message.
    """

    name = "webpush"
    receipts = True

    def __init__(self, key: str, contact: str, title: str, hosts: Sequence[str], try_s: float, lasts_s: float) -> None:
        """`hosts`: where messages may be handed over (telecare/push.py); `lasts_s`: how long one may still be shown.

        Raises:
            CannotStart: the key is none, or the contact.
        """
        self._key, self._pair, self._contact, self._title = key, pair_of(key), contact, title
        check_contact(self._pair, contact)
        self._hosts, self._try_s, self._lasts_s = hosts, try_s * _SHARE, lasts_s

    async def send(self, message: Outgoing) -> Handed:
        """Ring in all of the contact's browsers at once; it has been handed over where one push service took it."""
        if not message.subscriptions:
            raise ProviderRefused(NO_DEVICE)
        results = await asyncio.gather(*(self._ring(message, one) for one in message.subscriptions))
        devices = {one.id: how for one, how in zip(message.subscriptions, results, strict=True)}
        if AtDevice.ACCEPTED in results:
            return Handed(devices=devices)
        if AtDevice.UNAVAILABLE in results:
            raise ProviderUnavailable("the push service did not take it", devices)
        if AtDevice.REFUSED in results:
            raise ProviderRefused("the push service refuses it", devices)
        raise ProviderRefused("the push service knows none of this contact's browsers any more", devices)

    async def _ring(self, message: Outgoing, one: Subscription) -> AtDevice:
        if endpoint_problem(one.endpoint, self._hosts):
            return AtDevice.REFUSED  # the setting has become narrower
        try:
            async with asyncio.timeout(self._try_s):
                return await in_thread(lambda: self._push(message, one))
        except TimeoutError:
            return AtDevice.UNAVAILABLE

    def _push(self, message: Outgoing, one: Subscription) -> AtDevice:
        info = {"endpoint": one.endpoint, "keys": {"p256dh": one.p256dh, "auth": one.auth}}
        try:
            with requests.Session() as session:
                session.max_redirects = 0  # a push service that sends us elsewhere is not one of those we know
                webpush(
                    info, self.payload(message, one.id), vapid_private_key=self._pair,
                    vapid_claims={"sub": self._contact}, timeout=self._try_s, ttl=int(self._lasts_s),
                    headers={"Urgency": "high"}, requests_session=session,
                )  # fmt: skip
        except WebPushException as problem:
            status = problem.response.status_code if problem.response is not None else 0
            log.info("push not taken", extra={"event": "push_refused", "subscription": str(one.id), "status": status})
            if status in _GONE:
                return AtDevice.GONE
            return AtDevice.REFUSED if status in _NEVER else AtDevice.UNAVAILABLE
        except requests.RequestException:
            return AtDevice.UNAVAILABLE
        except (ValueError, TypeError):
            return AtDevice.REFUSED  # its keys are none
        return AtDevice.ACCEPTED

    def payload(self, message: Outgoing, device: UUID) -> str:
        """What the browser is given: JSON. The link is a path, to which the browser adds our own origin."""
        link = _LINK.search(message.body)
        return json.dumps(
            {
                "id": str(message.attempt), "device": str(device), "title": self._title, "body": message.body,
                "tag": message.key, "link": link[1] if link else None,
                "proof": receipt_proof(self._key, message.attempt, device),
            },
            ensure_ascii=False,
        )  # fmt: skip
