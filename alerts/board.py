"""What each operator has on their hands: alerts claimed, against yardsticks, and how much of the shift they took. Pure.

The yardsticks are EEMUA 191's for alarm systems of process plants: they are no limits. A call takes minutes, so that
occupancy says more about staffing than counts do (PRACTICE.md section 2).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from alerts.kpis import FLOOD, MANAGEABLE, WINDOW
from telecare.wall_clock import Span, joined, within

HOUR: Final = timedelta(hours=1)
SHIFT_LONGEST: Final = timedelta(hours=16)  # a screen that was left open overnight does not make a shift of days
BREAK: Final = timedelta(hours=1)  # without a screen for longer, a shift has ended
BREACHES_WITHIN: Final = timedelta(hours=24)

TAKES: Final = frozenset({"claimed", "taken-over"})
ENDS: Final = frozenset({"released", "claim-expired", "closed"})


@dataclass(frozen=True, slots=True)
class Change:
    """An alert changed hands: a line of its log of a kind in `TAKES` or `ENDS`."""

    alert_id: int
    at: datetime
    who: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """An operator or supervisor, and their screens."""

    username: str
    name: str
    connected: bool  # a screen of theirs is connected
    shift_began: datetime | None = None  # None: no shift is known
    holds: int = 0  # alerts that are theirs now


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What one operator has had on their hands."""

    seat: Seat
    ten_minutes: int = 0  # alerts claimed or taken over in this time
    hour: int = 0
    shift: int | None = None  # None: no shift is known
    mean: float | None = None  # in ten minutes, over the shift
    occupancy: float | None = None  # the part of the shift in which an alert was theirs, from 0 to 1

    @property
    def flooded(self) -> bool:
        """More than ten in ten minutes: nobody answers so many."""
        return self.ten_minutes > FLOOD

    @property
    def over(self) -> bool:
        """Over the shift more than one in ten minutes, in the mean."""
        return self.mean is not None and self.mean > MANAGEABLE


@dataclass(slots=True)
class _Held:
    taken: list[datetime] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)


def hands(seats: Iterable[Seat], changes: Sequence[Change], now: datetime) -> list[Hands]:
    """Each operator's figures, in the order of `seats`; `changes` are in the order in which they happened."""
    held = _held(changes, now)
    return [_of(seat, held.get(seat.username, _Held()), now) for seat in seats]


def _held(changes: Sequence[Change], now: datetime) -> Mapping[str, _Held]:
    found: dict[str, _Held] = {}
    holder: dict[int, tuple[str, datetime]] = {}
    for one in changes:
        if one.alert_id in holder:
            who, since = holder.pop(one.alert_id)
            found[who].spans.append(Span(since, one.at))
        if one.what in TAKES:
            holder[one.alert_id] = (one.who, one.at)
            found.setdefault(one.who, _Held()).taken.append(one.at)
    for who, since in holder.values():
        found[who].spans.append(Span(since, now))
    return found


def _of(seat: Seat, held: _Held, now: datetime) -> Hands:
    counts = {"ten_minutes": _since(held.taken, now - WINDOW), "hour": _since(held.taken, now - HOUR)}
    began = seat.shift_began
    if began is None or began >= now:
        return Hands(seat=seat, **counts)
    shift = _since(held.taken, began)
    busy = sum((span.end - span.start for span in within(joined(held.spans), began, now)), timedelta())
    windows = max(now - began, WINDOW) / WINDOW
    return Hands(seat=seat, **counts, shift=shift, mean=shift / windows, occupancy=busy / (now - began))


def _since(instants: Iterable[datetime], after: datetime) -> int:
    return sum(at > after for at in instants)
