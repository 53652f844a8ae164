"""When somebody arrived, as it is written down. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from telecare.clock import parse_instant

_TIME_OF_DAY: Final = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)", re.ASCII)


def arrival_at(text: str, raised_at: datetime, now: datetime, zone: ZoneInfo) -> datetime:
    """The arrival: an RFC 3339 time, or a time of day by the council's clock, then the last such before now.

    Raises:
        ValueError: it is neither, or lies before the alert or in the future; the words say which.
    """
    match = _TIME_OF_DAY.fullmatch(text.strip())
    begun = raised_at
    if match is not None:
        at = max(one for one in _instants(int(match[1]), int(match[2]), now.astimezone(zone)) if one <= now)
        begun = raised_at.replace(second=0, microsecond=0)  # a time of day has no seconds
    else:
        try:
            at = parse_instant(text.strip())
        except ValueError as problem:
            raise ValueError("write the time of day, like 14:35") from problem
    if at < begun:
        raise ValueError("that is before the alert was raised")
    if at > now:
        raise ValueError("that is in the future")
    return max(at, raised_at)


def _instants(hour: int, minute: int, here: datetime) -> list[datetime]:
    """When a clock on the wall showed this today and yesterday. Where clocks are put back it shows an hour twice."""
    days = (here - timedelta(days=back) for back in (0, 1))
    return [
        day.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=fold).astimezone(UTC)
        for day in days
        for fold in (0, 1)
    ]
