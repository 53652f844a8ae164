"""GOV.UK Notify: text messages and e-mail, for public bodies (docs.notifications.service.gov.uk)."""

import logging
from typing import Any, Final

from notifications_python_client.errors import APIError
from notifications_python_client.notifications import NotificationsAPIClient

from alerts.channels.threads import in_thread
from alerts.providers import Handed, Outgoing, ProviderRefused, ProviderUnavailable

# It writes the service's answer into the log, and an answer may quote the message.
logging.getLogger("notifications_python_client").setLevel(logging.CRITICAL)

_NEVER_AGAIN: Final = frozenset({400, 401, 403, 404, 410, 422})  # our key, our template or their number is wrong
_FAILED: Final = frozenset({"permanent-failure", "temporary-failure", "technical-failure"})


class Notify:
    """Hands messages to GOV.UK Notify. A template of ours is nothing but the text: `((message))`."""

    name = "notify"
    receipts = True

    def __init__(self, key: str, url: str, sms_template: str, email_template: str, subject: str, try_s: float) -> None:
        self._key, self._url, self._try_s = key, url, try_s
        self._sms_template, self._email_template, self._subject = sms_template, email_template, subject

    async def send(self, message: Outgoing) -> Handed:
        """Hand a message over; Notify's id of it."""
        return Handed(await in_thread(lambda: self._send(message)))

    def _send(self, message: Outgoing) -> str:
        client: Any = NotificationsAPIClient(self._key, self._url, self._try_s)  # type: ignore[no-untyped-call]  # one a thread
        try:
            if message.again and (found := self._found(client, message.key)):
                return found
            answer = self._post(client, message)
            return str(answer["id"])
        except APIError as problem:
            words = f"GOV.UK Notify answers {problem.status_code}"
            if problem.response is None:
                raise ProviderUnavailable("GOV.UK Notify cannot be reached") from None
            raise (ProviderRefused if problem.status_code in _NEVER_AGAIN else ProviderUnavailable)(words) from None
        except (KeyError, TypeError, AttributeError):
            raise ProviderUnavailable("GOV.UK Notify answers something else") from None
        finally:
            client.request_session.close()

    def _post(self, client: Any, message: Outgoing) -> Any:
        if message.channel == "sms":
            return client.send_sms_notification(
                phone_number=message.to, template_id=self._sms_template,
                personalisation={"message": message.body}, reference=message.key,
            )  # fmt: skip
        return client.send_email_notification(
            email_address=message.to, template_id=self._email_template,
            personalisation={"subject": self._subject, "message": message.body}, reference=message.key,
        )  # fmt: skip

    def _found(self, client: Any, key: str) -> str | None:
        """The message of this key that Notify has already, from a try of which we did not hear the end."""
        found = client.get_all_notifications(reference=key).get("notifications", [])
        return next((str(one["id"]) for one in found if one.get("status") not in _FAILED), None)
