"""The far edge: telling the engineer on call, and the ping to whoever misses us outside."""

import asyncio
import http.client
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, Protocol

from alerts.watchdog.domain import About, Open
from alerts.watchdog.store import Message
from telecare.clock import format_instant
from telecare.errors import TelecareError
from telecare.settings import Settings

log = logging.getLogger("watchdog")


class NotTaken(TelecareError):
    """Nobody has taken the message. The same one may be taken in a while."""


class Engineer(Protocol):
    """Whoever reaches the engineer on call."""

    async def tell(self, message: Message, troubles: Sequence[Open]) -> None:
        """Hand a message over. The same `id` twice is one message.

        Raises:
            NotTaken: try again.
        """
        ...


class Webhook:
    """Posts JSON to a gateway: one of one's own, or Apprise's API, which takes `title`, `body` and `type`."""

    def __init__(self, url: str, timeout_s: float, service: str) -> None:
        self._url, self._timeout_s, self._service = url, timeout_s, service

    async def tell(self, message: Message, troubles: Sequence[Open]) -> None:
        """Hand a message over."""
        document = document_of(message, troubles, self._service)
        request = urllib.request.Request(  # noqa: S310  (the setting is http or https)
            self._url, json.dumps(document).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        await _ask(request, self._timeout_s)


class DemoEngineer:
    """Tells nobody: the page /messages shows what would have been sent."""

    async def tell(self, message: Message, troubles: Sequence[Open]) -> None:
        log.info("message to the engineer shown on the demo page", extra={"event": "oncall_demo", "id": message.id})


class NoEngineer:
    """Nobody is configured: every attempt fails, and says so."""

    async def tell(self, message: Message, troubles: Sequence[Open]) -> None:
        raise NotTaken("nobody on call is configured (TELECARE_ONCALL_WEBHOOK_URL)")


def engineer_for(settings: Settings) -> Engineer:
    """Who is told, by the settings."""
    if settings.oncall_webhook_url is not None:
        url = settings.oncall_webhook_url.get_secret_value()
        return Webhook(url, settings.oncall_try_s, settings.service_name)
    return DemoEngineer() if settings.demo else NoEngineer()


def document_of(message: Message, troubles: Sequence[Open], service: str) -> dict[str, Any]:
    """What is posted. No person's data is in it."""
    about: About = "clear" if message.about == "clear" else "trouble"
    return {
        "id": str(message.id),
        "service": service,
        "state": about,
        "title": f"{service}: {'all clear' if about == 'clear' else 'alarms may not reach people'}",
        "body": message.body,
        "type": "success" if about == "clear" else "failure",
        "at": format_instant(message.made_at),
        "troubles": [
            {"key": one.trouble.key, "words": one.trouble.words, "begun_at": format_instant(one.begun_at)}
            for one in troubles
        ],
    }


async def ping(url: str, timeout_s: float) -> None:
    """Tell whoever listens there that all is well.

    Raises:
        NotTaken: it was not taken.
    """
    await _ask(urllib.request.Request(url), timeout_s)  # noqa: S310  (the setting is http or https)


async def _ask(request: urllib.request.Request, timeout_s: float) -> None:
    def ask() -> None:
        with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310
            pass

    try:
        # The library's timeout is for each wait of its own; this one is for all of them, name look-up included.
        await asyncio.wait_for(asyncio.to_thread(ask), timeout_s + 1)
    except urllib.error.HTTPError as problem:
        problem.close()
        raise NotTaken(f"it answers {problem.code}") from problem
    except TimeoutError as problem:
        raise NotTaken("no answer in time") from problem
    except (OSError, ValueError, http.client.HTTPException) as problem:
        # Not the words of the problem: they may hold the address, and with it a secret.
        raise NotTaken(f"it cannot be reached ({type(problem).__name__})") from problem
