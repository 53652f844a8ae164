"""I4: each change of an alert is in the screens' feed, in order and without a gap, and a console saw it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.audit.domain import SHOWN, Broken, spans_of


def feed_faults(
    *, counter: int, least: int | None, greatest: int | None, count: int, least_at: datetime | None, kept_from: datetime
) -> list[Broken]:
    """Gaps among the newest numbered changes. Those from before `kept_from` may have been deleted."""
    broken = []
    if greatest is None or least is None or least_at is None:
        return [Broken("I4", f"changes up to {counter} were numbered, and none is there")] if counter else []
    if greatest != counter:
        broken.append(Broken("I4", f"the newest change is {greatest}, and {counter} were numbered"))
    if count != greatest - least + 1:
        broken.append(
            Broken("I4", f"{greatest - least + 1 - count} changes between {least} and {greatest} are missing")
        )
    if least > 1 and least_at > kept_from:
        broken.append(Broken("I4", f"the change before {least} is missing"))
    return broken


@dataclass(frozen=True, slots=True)
class Seen:
    """A change as a console saw it. `resync`: it read the whole list anew, up to that number."""

    n: int
    alert: int | None = None
    alarm_count: int | None = None
    resync: bool = False

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> "Seen":
        """A line of a transcript.

        Raises:
            ValueError: it is none.
        """
        n, alert, count = line.get("n"), line.get("alert"), line.get("alarm_count")
        if line.get("resync") is True and isinstance(n, int):
            return cls(n, resync=True)
        if not isinstance(n, int) or not isinstance(alert, int) or not isinstance(count, int):
            raise ValueError("a transcript's line names n, alert and alarm_count, or n and resync")
        return cls(n, alert, count)


def transcript_faults(
    seen: Sequence[Seen], events: Mapping[int, int], last_of_open: Mapping[int, tuple[int, datetime]], now: datetime
) -> list[Broken]:
    """What a console's transcript lacks, or has otherwise than the feed.

    `events` are the feed's changes that are still kept (number to alert), `last_of_open` the newest change of each open
    alert. A change that is shown again may tell of more alarms than before, never of fewer and never of another alert.
    """
    if not seen:
        return []
    broken: list[Broken] = []
    told: dict[int, Seen] = {}
    for one in seen:
        before = told.get(one.n)
        if one.resync:
            continue
        if before is not None and (before.alert != one.alert or (before.alarm_count or 0) > (one.alarm_count or 0)):
            broken.append(Broken("I4", f"change {one.n} was shown twice with other content"))
        if one.n in events and events[one.n] != one.alert:
            broken.append(Broken("I4", f"change {one.n} was shown as of alert {one.alert}, it is of {events[one.n]}"))
        told[one.n] = one
    known = _known(seen)
    last = max(one.n for one in seen)
    missing = [n for n in range(min(one.n for one in seen), last) if n not in told and not _within(n, known)]
    broken += [Broken("I4", f"the console was not shown {ends}") for ends in spans_of(missing)]
    for alert, (n, at) in last_of_open.items():
        if n > last and now - at > SHOWN:
            broken.append(Broken("I4", f"the console was not shown change {n} of the open alert {alert}"))
    return broken


def _known(seen: Sequence[Seen]) -> list[tuple[int, int]]:
    """The spans of numbers that a list read anew has made good: from what was shown before it to itself."""
    spans, newest = [], 0
    for one in seen:
        if one.resync:
            spans.append((newest, one.n))
        newest = max(newest, one.n)
    return spans


def _within(n: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(first < n <= last for first, last in spans)
