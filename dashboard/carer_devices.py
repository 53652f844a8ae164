"""A carer's devices in words: what each is called, and what became of the last test. Pure."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from alerts.providers import AtDevice
from alerts.push_store import Device

# In this order: most browsers name others too.
_BROWSERS: Final = (
    ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("Edg", "Edge"), ("SamsungBrowser/", "Samsung Internet"),
    ("OPR/", "Opera"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_MACHINES: Final = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Macintosh", "Mac"),
    ("CrOS", "Chromebook"), ("Linux", "Linux"),
)  # fmt: skip
WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
UNREACHABLE: Final = "unreachable"
NO_DEVICE: Final = "no-device"

Clock = Callable[[datetime], str]


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of the last test: a state, and its words."""

    state: str
    words: str


def name_of(user_agent: str) -> str:
    """What a browser is called, so that its owner knows it among others."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "A browser")
    machine = next((name for mark, name in _MACHINES if mark in user_agent), "")
    return f"{browser} on {machine}" if machine else browser


def mark_of(endpoint: str) -> str:
    """By which a page's script knows its own browser in the list; the endpoint itself is not shown."""
    return hashlib.sha256(endpoint.encode()).hexdigest()


def line_of(device: Device, now: datetime, within: timedelta, clock: Clock) -> str:
    """How a device stands. `within`: a test that has not been shown by then has not arrived."""
    if device.gone_at is not None:
        return f"Cannot be rung any more, since {clock(device.gone_at)}. If you still use it, turn it on again there."
    if device.tested_at is None:
        return "Not tested yet."
    if device.shown_at is not None:
        return f"A test arrived at {clock(device.shown_at)}."
    if device.outcome in (AtDevice.UNAVAILABLE, AtDevice.REFUSED):
        return f"The test of {clock(device.tested_at)} could not be sent there."
    if now < device.tested_at + within:
        return "A test is on its way."
    return f"The test of {clock(device.tested_at)} has not arrived."


def trial_of(
    last: dict[str, Any] | None, devices: Sequence[Device], now: datetime, within: timedelta, clock: Clock
) -> Trial | None:
    """What became of the last test as a whole: delivered, unreachable, or no device; None where there was none."""
    if last is None:
        return None
    if last["state"] == "delivered":
        return Trial(DELIVERED, f"Delivered: the test arrived at {clock(last['delivered_at'])}.")
    if last["state"] in ("pending", "sending") or (last["state"] == "sent" and now < last["sent_at"] + within):
        return Trial(WAITING, "A test is on its way. This takes a few seconds.")
    if not devices:
        return Trial(NO_DEVICE, "No device: there was none to send the test to.")
    at = clock(last["created_at"])
    return Trial(
        UNREACHABLE,
        f"Device unreachable: the test of {at} has arrived on none of your devices. Are they on, and connected?",
    )
