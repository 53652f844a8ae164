"""The words and forms in which times, numbers and codes are shown."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alerts.tasks import TASK_WORDS, TaskKind
from telecare.vocabulary import (
    CAUSE_WORDS,
    CONFIRMED_BY_WORDS,
    OUTCOME_WORDS,
    PERSON_STATE_WORDS,
    PRIORITY_WORDS,
    Cause,
    ConfirmedBy,
    Kind,
    Outcome,
    PersonState,
    Priority,
    title_of,
)

ZONE: Final = "Europe/London"

STATE_WORDS: Final = {
    "raised": "Waiting",
    "claimed": "Claimed",
    "contacting": "Trying to reach the person",
    "assessed": "Assessed",
    "acting": "Asking for help",
    "watching": "Help is under way",
    "safe": "Person safe",
    "wrap-up": "Person safe, written up",
    "closed": "Closed",
    "reviewed": "Reviewed",
}
CHANNEL_WORDS: Final = {"sms": "Text message", "email": "E-mail", "push": "Push message", "voice": "Call by machine"}
MESSAGE_WORDS: Final = {
    "pending": "waiting to be sent",
    "sending": "being sent",
    "sent": "sent; not yet said to have arrived",
    "delivered": "arrived",
    "failed": "could not be sent",
    "stale": "not said to have arrived, or no longer needed",
}
TROUBLE_WORDS: Final = {"silent": "silent", "mains": "without mains power", "network": "on the second network"}


def zone_of(name: str) -> Any:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):  # a machine without time zone data shows UTC, and says so
        return UTC


def instant(at: datetime | None, timezone: str = ZONE) -> str:
    """A day and a time as people read them."""
    return "not known" if at is None else f"{at.astimezone(zone_of(timezone)):%a %-d %b %Y, %H:%M:%S}"


def clock_time(at: datetime, now: datetime, timezone: str = ZONE) -> str:
    """The time of day; with the day where that is another than today."""
    local = at.astimezone(zone_of(timezone))
    same_day = local.date() == now.astimezone(zone_of(timezone)).date()
    return f"{local:%H:%M:%S}" if same_day else f"{local:%a %-d %b, %H:%M:%S}"


def short_time(at: datetime, now: datetime, timezone: str = ZONE) -> str:
    """The time of day without seconds, for people who do not work here; with the day where it is not today."""
    local = at.astimezone(zone_of(timezone))
    same_day = local.date() == now.astimezone(zone_of(timezone)).date()
    return f"{local:%H:%M}" if same_day else f"{local:%H:%M} on {local:%A %-d %B}"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, in one word and a number."""
    if at is None:
        return "never"
    seconds = (now - at).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 5 else "just now"


def span(length: float | timedelta) -> str:
    """A length of time in its largest whole unit."""
    seconds = int(length.total_seconds() if isinstance(length, timedelta) else length)
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and name != "days"):
            return f"{seconds // size} {name}"
    return f"{max(seconds, 0)} s"


def month_words(month: str) -> str:
    """2026-03 in words."""
    return f"{date.fromisoformat(month + '-01'):%B %Y}"


def kind_words(kind: str, possible: bool = False) -> str:
    """An alarm's kind in words."""
    return title_of(Kind(kind), possible=possible)


def level_words(priority: int) -> str:
    """A level's word."""
    return PRIORITY_WORDS[Priority(priority)]


def person_state_words(state: str) -> str:
    """How a person stands with the service, in words."""
    return PERSON_STATE_WORDS[PersonState(state)]


def task_kind_words(kind: str) -> str:
    """Where a task comes from, in words."""
    return TASK_WORDS[TaskKind(kind)]


def cause_words(cause: str) -> str:
    """A cause in words."""
    return CAUSE_WORDS[Cause(cause)]


def outcome_words(outcome: str) -> str:
    """An outcome in words."""
    return OUTCOME_WORDS[Outcome(outcome)]


def confirmed_words(confirmed_by: str) -> str:
    """Who confirmed, in words."""
    return CONFIRMED_BY_WORDS[ConfirmedBy(confirmed_by)]


def number(value: float) -> str:
    """A reading's value without digits that say nothing."""
    return f"{value:.10g}"


def age_in_years(born: Any, now: datetime) -> int:
    """Full years."""
    today = now.astimezone(zone_of(ZONE)).date()
    return int(today.year - born.year - ((today.month, today.day) < (born.month, born.day)))
