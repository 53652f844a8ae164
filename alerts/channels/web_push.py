"""Web Push: rings in browsers that a contact has let us ring in (RFC 8030, 8291, 8292)."""

import json
import logging

import requests
from pywebpush import WebPushException, webpush

from alerts.channels.threads import in_thread
from alerts.providers import Outgoing, ProviderRefused, ProviderUnavailable, Subscription

log = logging.getLogger("alerts")


class WebPush:
    """Hands messages to the browsers' own push services, encrypted for the browser.

    A push service says that it has a message, not that the browser showed it: no receipts.
    """

    name = "webpush"
    receipts = False

    def __init__(self, key: str, contact: str, title: str, try_s: float, lasts_s: float) -> None:
        self._key, self._contact, self._title = key, contact, title
        self._try_s, self._lasts_s = try_s, lasts_s

    async def send(self, message: Outgoing) -> str | None:
        """Ring in each of the contact's browsers; it has been handed over where one push service took it."""
        if not message.subscriptions:
            raise ProviderRefused("this contact has let us ring in no browser")
        return await in_thread(lambda: self._ring(message))

    def _ring(self, message: Outgoing) -> str | None:
        problems = [self._push(message, one) for one in message.subscriptions]
        if None in problems:
            return None
        if any(isinstance(one, ProviderUnavailable) for one in problems):
            raise ProviderUnavailable("the push service did not take it")
        raise ProviderRefused("the push service knows none of this contact's browsers any more")

    def _push(self, message: Outgoing, one: Subscription) -> Exception | None:
        info = {"endpoint": one.endpoint, "keys": {"p256dh": one.p256dh, "auth": one.auth}}
        data = json.dumps({"id": str(message.attempt), "title": self._title, "body": message.body})
        try:
            webpush(
                info, data, vapid_private_key=self._key, vapid_claims={"sub": self._contact}, timeout=self._try_s,
                ttl=int(self._lasts_s), headers={"Urgency": "high"},
            )  # fmt: skip
        except WebPushException as problem:
            status = problem.response.status_code if problem.response is not None else 0
            gone = status in (400, 401, 403, 404, 410, 413)
            log.info("push not taken", extra={"event": "push_refused", "subscription": str(one.id), "status": status})
            return ProviderRefused("gone") if gone else ProviderUnavailable("away")
        except requests.RequestException:
            return ProviderUnavailable("away")
        except (ValueError, TypeError):
            return ProviderRefused("its keys are none")
        return None
