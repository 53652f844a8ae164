"""When a device counts as silent, and what is said of it. Plain values and words."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from telecare.vocabulary import Kind

# A device tells its battery once a day and what it measures more often (docs/frames.md); two hours of grace. No source
# gives figures that may be published for supervised radio devices, so these are ours.
DAILY: Final = timedelta(hours=26)
SILENT_AFTER: Final = {"temperature": timedelta(hours=3)}  # tells an unchanged value every 30 minutes


def silent_after(kind: str) -> timedelta:
    """How long a device of this class may say nothing."""
    return SILENT_AFTER.get(kind, DAILY)


def silent_words(device: str, kind: str, location: str, last_heard_at: datetime | None, zone: ZoneInfo) -> str:
    """That a hub (device '') or a device is silent, what was last heard of it, and what that means."""
    what, meaning = _what(device, kind, location), ""
    expected = "" if not device else f" Expected: at least once in {_hours(silent_after(kind))}."
    if not device:
        meaning = " Until it is heard again, an alarm in this home may not reach us."
    if last_heard_at is None:
        return f"{what} has never been heard.{expected}{meaning}"
    wall = last_heard_at.astimezone(zone)
    return f"{what} has not been heard since {wall:%H:%M} on {wall:%-d %B}.{expected}{meaning}"


def restored_words(device: str, kind: str, location: str, noticed_at: datetime, now: datetime) -> str:
    """That it is heard again."""
    minutes = max(1, round((now - noticed_at).total_seconds() / 60))
    return f"{_what(device, kind, location)} is heard again, {minutes} min after its silence was noticed."


def rule_of(device: str, *, restored: bool) -> tuple[Kind, str]:
    """The kind of alarm and the name of the rule for a hub's (device '') or a device's silence."""
    kind = Kind.DEVICE_RESTORED if restored else Kind.DEVICE_SILENT
    return kind, f"{'device' if device else 'hub'}-{'restored' if restored else 'silent'}"


def _what(device: str, kind: str, location: str) -> str:
    if not device:
        return "The hub"
    about = ", ".join(part for part in (kind if kind != device else "", location) if part)
    return f"The device {device}" + (f" ({about})" if about else "")


def _hours(length: timedelta) -> str:
    return f"{int(length.total_seconds() // 3600)} hours"
