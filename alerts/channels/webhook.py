"""A gateway of one's own: our JSON by HTTP POST, signed. Calls, and whatever else the gateway carries.

What is posted, and what comes back to /hooks/webhook, is in docs/integrators.md.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Final

from alerts.channels.signing import SIGNATURE, TIMESTAMP, signature
from alerts.channels.threads import in_thread
from alerts.providers import Handed, Outgoing, ProviderRefused, ProviderUnavailable

_ANSWER_LIMIT: Final = 65_536  # bytes of an answer that are read
_AGAIN: Final = frozenset({408, 425, 429})  # refusals that may pass


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A gateway that has moved is an error: a person's number is not sent on to wherever an answer says."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Webhook:
    """Posts messages to a gateway."""

    name = "webhook"
    receipts = True

    def __init__(
        self, url: str, secret: str, receipts_to: str, service: str, try_s: float,
        now_s: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._url, self._secret, self._receipts_to = url, secret, receipts_to
        self._service, self._try_s, self._now_s = service, try_s, now_s
        self._opener = urllib.request.build_opener(_NoRedirect)

    async def send(self, message: Outgoing) -> Handed:
        """Hand a message over; how the gateway calls it, where its answer has an `id`."""
        return Handed(await in_thread(lambda: self._post(message)))

    def document(self, message: Outgoing) -> dict[str, Any]:
        """What is posted."""
        found: dict[str, Any] = {
            "id": str(message.attempt), "idempotency_key": message.key, "service": self._service,
            "channel": message.channel, "to": message.to, "body": message.body,
            "contact": str(message.contact) if message.contact else None,
            "receipts_to": self._receipts_to,
        }  # fmt: skip
        # Somebody on call has nothing to answer: only a claim ends the ladder.
        is_asked = message.channel == "voice" and message.contact is not None
        return found | ({"keys": {"1": "going", "2": "cannot"}} if is_asked else {})

    def _post(self, message: Outgoing) -> str | None:
        body, timestamp = json.dumps(self.document(message)).encode(), str(int(self._now_s()))
        headers = {
            "Content-Type": "application/json", "Idempotency-Key": message.key,
            TIMESTAMP: timestamp, SIGNATURE: signature(self._secret, timestamp, body),
        }  # fmt: skip
        request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310  (http or https)
        try:
            with self._opener.open(request, timeout=self._try_s) as answer:
                return _id_in(answer.read(_ANSWER_LIMIT))
        except urllib.error.HTTPError as problem:
            problem.close()
            words = f"the gateway answers {problem.code}"
            if 400 <= problem.code < 500 and problem.code not in _AGAIN:
                raise ProviderRefused(words) from None
            raise ProviderUnavailable(words) from None
        except (OSError, ValueError, http.client.HTTPException) as problem:
            # Not the words of the problem: they may hold the address, and with it a secret.
            raise ProviderUnavailable(f"the gateway cannot be reached ({type(problem).__name__})") from None


def _id_in(answer: bytes) -> str | None:
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    given = found.get("id") if isinstance(found, dict) else None
    return given[:200] if isinstance(given, str) and given else None
