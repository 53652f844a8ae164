"""Hours at which one may write to people, or expect work of them. Pure; times of day are of the council's clock."""

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

NIGHT: Final = (time(22), time(7))  # what the night shift leaves is for the day shift
DAY_SHIFT_BY: Final = time(10)  # ... to have done by then
_SOON: Final = timedelta(hours=2)
_DAYTIME: Final = (time(8), time(18))


def at_night(at: datetime, zone: ZoneInfo) -> bool:
    """Whether that was in the night shift's hours."""
    return _is_within(at.astimezone(zone).time(), *NIGHT)


def next_morning(at: datetime, zone: ZoneInfo) -> datetime:
    """The next time by which the day shift has done what it found."""
    return _next(at, DAY_SHIFT_BY, zone)


def soon_by_day(at: datetime, zone: ZoneInfo) -> datetime:
    """Two hours from then where that is in the day, else the next morning."""
    due = at + _SOON
    is_day = _is_within(due.astimezone(zone).time(), *_DAYTIME) and _is_within(at.astimezone(zone).time(), *_DAYTIME)
    return due if is_day else next_morning(at, zone)


def civil_hour(at: datetime, zone: ZoneInfo, *quiet: tuple[time, time]) -> datetime:
    """From when a message that asks for nothing may be sent: at once, or when all the contact's quiet hours end.

    Each of `quiet` is a beginning and an end. Hours that leave no time of day free count once.
    """
    for _ in quiet:
        for begin, end in quiet:
            if _is_within(at.astimezone(zone).time(), begin, end):
                at = _next(at, end, zone)
    return at


def _is_within(at: time, begin: time, end: time) -> bool:
    """From `begin` up to `end`, perhaps past midnight. The same time twice is no span."""
    return begin <= at < end if begin <= end else at >= begin or at < end


def _next(at: datetime, clock: time, zone: ZoneInfo) -> datetime:
    local = at.astimezone(zone)
    today = datetime.combine(local.date(), clock, zone).astimezone(UTC)
    tomorrow = datetime.combine(local.date() + timedelta(days=1), clock, zone).astimezone(UTC)
    return today if today > at else tomorrow
