"""Time is asked of a `Clock`, never of the system, so that a test decides what time it is."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present instant, timezone-aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock, for processes that have no database (hubs, devices)."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


# RFC 3339, section 5.6, with an explicit offset. Fractions longer than microseconds are cut.
_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 instant into UTC.

    Raises:
        ValueError: it is not such an instant, or has no offset, or no such day exists.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 time with an offset")
    day, clock, fraction, offset = match.groups()
    fraction = (fraction or ".0")[:7]
    offset = "+00:00" if offset in "Zz" else offset
    try:
        return datetime.fromisoformat(f"{day}T{clock}{fraction:0<7}{offset}").astimezone(UTC)
    except OverflowError as problem:
        raise ValueError(str(problem)) from problem


def format_instant(instant: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as the wire contract writes it."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)
