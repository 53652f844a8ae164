"""What a responder enters on a phone: when that was, as far as the phone's clock is believed. Pure.

An entry may reach us long after it was made, where there was no signal. The visit's own clocks run by the server's
time; what the phone said stands beside it. (docs/decisions/0032)
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from telecare.clock import format_instant

LATE_FROM: Final = timedelta(minutes=1)  # sooner than this after it was entered, the server's time says enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that was entered about a visit, once."""

    id: UUID
    visit: UUID
    step: str
    by: str
    entered_at: datetime | None  # by the phone's clock; None: the page ran without its script


def beside_the_time(
    entered_at: datetime | None, received_at: datetime, ahead: timedelta, kept: timedelta
) -> dict[str, Any]:
    """What is written down of the phone's time beside the server's.

    A phone's clock may run ahead by `ahead`, and a phone keeps an entry for `kept` at most: what lies outside is not
    believed, and that is said.
    """
    if entered_at is None:
        return {}
    if entered_at > received_at + ahead or entered_at < received_at - kept:
        return {"not_believed": format_instant(entered_at)}
    late = received_at - entered_at
    found: dict[str, Any] = {"entered_at": format_instant(entered_at)}
    return found | ({"late_s": round(late.total_seconds())} if late >= LATE_FROM else {})
