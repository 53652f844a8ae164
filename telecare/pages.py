"""Asking our own pages how they are, from a process on the same machine."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from telecare.https import is_loopback
from telecare.settings import Settings


def health_address(settings: Settings) -> str:
    """Where this machine's dashboard says how it is."""
    host = settings.host if is_loopback(settings.host) else "127.0.0.1"
    scheme = "http" if settings.https_certificate is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}/health"


def ask_health(settings: Settings, timeout_s: float) -> tuple[int, dict[str, Any]]:
    """The status and the document of `GET /health`, whether it says well or unwell.

    Raises:
        OSError: nothing answers there in time, or what answers is not our dashboard.
    """
    # What counts is that our own pages answer, under whatever name they have outside: the certificate is not looked at.
    context = ssl._create_unverified_context() if settings.https_certificate is not None else None  # noqa: S323
    try:
        with urllib.request.urlopen(health_address(settings), timeout=timeout_s, context=context) as answer:  # noqa: S310
            return int(answer.status), _document(answer.read(1 << 20))
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, _document(problem.read(1 << 20))
    except http.client.HTTPException as problem:
        raise OSError(f"it does not speak HTTP as it should ({type(problem).__name__})") from problem


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as problem:
        raise OSError("it does not speak as our dashboard does") from problem
    if not isinstance(found, dict):
        raise OSError("it does not speak as our dashboard does")
    return found
