"""Browsers in which carers let us ring ("devices"): they come, come back under another address, and go.

In the caller's transaction. What a browser gives is checked here, whoever brings it.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from alerts import push_store
from alerts.channels.vapid import public_key
from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.push import endpoint_problem, keys_problem, read_hosts
from telecare.settings import Settings


@dataclass(frozen=True, slots=True)
class Browser:
    """What a browser gives when it subscribes (W3C Push API, PushSubscription)."""

    endpoint: str
    p256dh: str
    auth: str


class Seen(StrEnum):
    """How a browser that says it still rings stands with a login."""

    KNOWN = "known"
    GONE = "gone"  # the push service has said that it is no more
    OTHERS = "others"  # it rings for another login
    UNKNOWN = "unknown"  # it was removed, or never known


async def register(
    conn: Connection, settings: Settings, staff_id: UUID, browser: Browser, name: str, now: datetime
) -> None:
    """Ring a login in this browser from now on, and nobody else in it.

    Raises:
        Refused: this service rings in no browser, or cannot in this one, or the login has as many as it may.
    """
    _check(settings, browser)
    await push_store.lock_login(conn, staff_id)
    if await push_store.count_others(conn, staff_id, browser.endpoint) >= settings.push_devices:
        raise Refused(f"At most {settings.push_devices} devices: remove one first")
    await push_store.put(conn, staff_id, browser.endpoint, browser.p256dh, browser.auth, name, now)


async def see_again(conn: Connection, settings: Settings, staff_id: UUID, browser: Browser, was: str) -> Seen:
    """A browser says by itself that it still rings, here or where it `was` before. It becomes nobody's by that.

    Raises:
        Refused: this service rings in no browser, or cannot in this one.
    """
    _check(settings, browser)
    found = await push_store.of_endpoint(conn, browser.endpoint)
    if found is None and was:
        found = await push_store.of_endpoint(conn, was)
        if found is not None and found["staff_id"] != staff_id:
            return Seen.UNKNOWN
        if found is not None:
            found["gone_at"] = None  # where it was is gone, and not where it is
    if found is None:
        return Seen.UNKNOWN
    if found["staff_id"] != staff_id:
        return Seen.OTHERS
    await push_store.renew(conn, found["id"], browser.endpoint, browser.p256dh, browser.auth)
    return Seen.KNOWN if found["gone_at"] is None else Seen.GONE


async def move(conn: Connection, settings: Settings, was: str, secret: str, browser: Browser) -> None:
    """A browser says, without a login, that it is rung elsewhere from now on. It proves who it is by its old secret,
    which only it and we have.

    Raises:
        NotFound: no device is there with that secret.
        Refused: this service rings in no browser, or cannot in this one.
    """
    _check(settings, browser)
    found = await push_store.of_endpoint(conn, was)
    if found is None or not hmac.compare_digest(found["auth"].encode(), secret.encode()):
        raise NotFound("no such device")
    there = await push_store.of_endpoint(conn, browser.endpoint)
    if there is not None and there["id"] != found["id"]:
        raise NotFound("no such device")
    await push_store.renew(conn, found["id"], browser.endpoint, browser.p256dh, browser.auth)


def _check(settings: Settings, browser: Browser) -> None:
    if public_key(settings) is None:
        raise Refused("This service does not ring in browsers")
    problem = endpoint_problem(browser.endpoint, read_hosts(settings.push_hosts))
    problem = problem or keys_problem(browser.p256dh, browser.auth)
    if problem is not None:
        raise Refused(problem)
