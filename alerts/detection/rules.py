"""The rules of a care plan: plain decisions on what was last seen.

Each finding says in a sentence what was seen and what was expected, and has a key: the same finding is made once,
however often the rule is looked at and whatever restarts meanwhile.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.detection.seen import Seen
from telecare.register.plans import CarePlan, in_words

# Who leaves is seen in the hall until the door has closed: movement this soon after the door says nobody stayed.
LEAVING: Final = timedelta(minutes=2)
LOOK_AGAIN: Final = timedelta(minutes=1)  # where it cannot be said now


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One person's plan, and what there is to judge it by."""

    person_id: UUID
    name: str
    plan: CarePlan
    seen: Seen
    zone: ZoneInfo
    watched_since: datetime  # before this the hub was not heard, so nothing could have been seen


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found."""

    rule: str
    key: str
    sentence: str


def look(at: Look, now: datetime) -> list[Finding]:
    """Everything that the plan's rules find now."""
    if at.plan.away_until is not None and now < at.plan.away_until:
        return []
    return [found for rule in (_no_movement, _not_back, _not_up) if (found := rule(at, now)) is not None]


def next_look(at: Look, now: datetime) -> datetime:
    """When a rule may next find something, if nothing moves until then. Movement only makes it later."""
    if at.plan.away_until is not None and now < at.plan.away_until:
        return at.plan.away_until
    tomorrow = _wall(now.astimezone(at.zone).date() + timedelta(days=1), time(), at.zone)
    candidates = [tomorrow, *_movement_looks(at, now), *_up_looks(at, now)]
    if at.seen.door_at is not None:
        candidates.append(at.seen.door_at + timedelta(minutes=at.plan.out_after_min))
    return min(candidate for candidate in candidates if candidate > now)


def is_out(seen: Seen) -> bool:
    """Whether everybody seems to have gone out: the last thing that moved was a door that leads outside."""
    if seen.door_at is None:
        return False
    return seen.moved_at is None or seen.moved_at <= seen.door_at + LEAVING


# ---------------------------------------------------------------- no movement for so long


def _no_movement(at: Look, now: datetime) -> Finding | None:
    plan = at.plan
    since = _still_since(at, now)
    if plan.still_after_min is None or since is None or is_out(at.seen):
        return None
    times = (now - since) // timedelta(minutes=plan.still_after_min)
    if times < 1:
        return None
    sentence = (
        f"No movement in {at.name}'s home for {_span(now - since)}. {_last_movement(at, now)}"
        f" Expected: movement at least every {in_words(plan.still_after_min)}{_hours(plan)}."
    )
    return Finding("no-movement", f"no-movement:{at.person_id}:{since.isoformat()}:{times}", sentence + _bed(at, now))


def _not_back(at: Look, now: datetime) -> Finding | None:
    plan, door_at = at.plan, at.seen.door_at
    if not plan.watches or door_at is None or not is_out(at.seen):
        return None
    if now - door_at < timedelta(minutes=plan.out_after_min):
        return None
    sentence = (
        f"Nothing has moved in {at.name}'s home since the outside door was used {_when(at, door_at, now)}."
        f" Expected: back within {in_words(plan.out_after_min)}."
    )
    return Finding("not-back", f"not-back:{at.person_id}:{door_at.isoformat()}", sentence)


def _still_since(at: Look, now: datetime) -> datetime | None:
    """From when stillness counts; None outside the plan's hours."""
    opened = _window_opened(at.plan, now.astimezone(at.zone), at.zone)
    if opened is None:
        return None
    starts = (opened, at.watched_since, at.seen.last_sign, at.plan.away_until)
    return max(start for start in starts if start is not None)


def _window_opened(plan: CarePlan, wall: datetime, zone: ZoneInfo) -> datetime | None:
    """When the hours in which stillness counts began; None outside them. Day and night: a long time ago."""
    begins, ends, today = plan.still_from, plan.still_until, wall.date()
    if begins == ends:
        return _wall(today - timedelta(days=14), begins, zone)
    if begins < ends:
        return _wall(today, begins, zone) if begins <= wall.time() < ends else None
    if wall.time() >= begins:
        return _wall(today, begins, zone)
    return _wall(today - timedelta(days=1), begins, zone) if wall.time() < ends else None


def _movement_looks(at: Look, now: datetime) -> list[datetime]:
    plan = at.plan
    if plan.still_after_min is None:
        return []
    after = timedelta(minutes=plan.still_after_min)
    found = []
    since = _still_since(at, now)
    if since is not None:
        found.append(since + after * ((now - since) // after + 1))
    today = now.astimezone(at.zone).date()
    return found + [_wall(today + timedelta(days=days), plan.still_from, at.zone) + after for days in (0, 1)]


# ---------------------------------------------------------------- not up by


def _not_up(at: Look, now: datetime) -> Finding | None:
    by, seen = at.plan.up_by, at.seen
    today = now.astimezone(at.zone).date()
    if by is None or now < _wall(today, by, at.zone) or is_out(seen):
        return None
    since = _wall(today, at.plan.up_since, at.zone)
    if at.watched_since >= _wall(today, by, at.zone):
        return None  # whoever got up did so before we could see it
    if at.plan.away_until is not None and at.plan.away_until > since:
        return None  # back since then: nobody can have got up here
    if any(sign is not None and sign >= since for sign in (seen.up_at, seen.door_at)):
        return None
    sentence = f"No sign of {at.name} getting up since {at.plan.up_since:%H:%M}. {_last_movement(at, now)}"
    sentence += f" Expected: up by {by:%H:%M}."
    if at.watched_since > since:
        heard = _when(at, at.watched_since, now).removeprefix("at ")
        sentence += f" The hub was not heard until {heard}, so something may have been missed."
    return Finding("not-up", f"not-up:{at.person_id}:{today.isoformat()}", sentence + _bed(at, now))


def _up_looks(at: Look, now: datetime) -> list[datetime]:
    if at.plan.up_by is None:
        return []
    today = now.astimezone(at.zone).date()
    return [_wall(today + timedelta(days=days), at.plan.up_by, at.zone) for days in (0, 1)]


# ---------------------------------------------------------------- words


def _wall(day: date, hour: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, hour, zone).astimezone(UTC)


def _when(at: Look, instant: datetime, now: datetime) -> str:
    wall, today = instant.astimezone(at.zone), now.astimezone(at.zone).date()
    return f"at {wall:%H:%M}" if wall.date() == today else f"at {wall:%H:%M} on {wall:%-d %B}"


def _last_movement(at: Look, now: datetime) -> str:
    if at.seen.moved_at is None:
        return "None has been seen yet."
    return f"The last was {_when(at, at.seen.moved_at, now)}, {at.seen.moved_where}."


def _bed(at: Look, now: datetime) -> str:
    if not at.seen.bed_in or at.seen.bed_at is None:
        return ""
    return f" Somebody has been in bed since {_when(at, at.seen.bed_at, now).removeprefix('at ')}."


def _span(length: timedelta) -> str:
    return in_words(int(length.total_seconds() // 60))


def _hours(plan: CarePlan) -> str:
    if plan.still_from == plan.still_until:
        return ", day and night"
    return f" between {plan.still_from:%H:%M} and {plan.still_until:%H:%M}"
