"""A day in a home, as lanes and as a sentence: plain values from what was stored, without SQL and without a clock."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

BIN: Final = timedelta(minutes=5)  # movement is drawn in pieces of this length


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a council's clock: 23, 24 or 25 hours."""

    date: date
    zone: ZoneInfo

    @property
    def title(self) -> str:
        """What the picture is of."""
        return f"{self.date:%A %-d %B %Y}"

    @property
    def when(self) -> str:
        """The same inside a sentence."""
        return "on this day"

    @property
    def start(self) -> datetime:
        return datetime.combine(self.date, time(), self.zone).astimezone(UTC)

    @property
    def end(self) -> datetime:
        return datetime.combine(self.date + timedelta(days=1), time(), self.zone).astimezone(UTC)

    @property
    def hours(self) -> list[datetime]:
        """When each hour of the day begins."""
        count = int((self.end - self.start).total_seconds() // 3600)
        return [self.start + timedelta(hours=n) for n in range(count)]

    def wall(self, at: datetime) -> str:
        """The time of day."""
        return f"{at.astimezone(self.zone):%H:%M}"


@dataclass(frozen=True, slots=True)
class LastDay(Day):
    """The 24 hours before an instant."""

    until: datetime

    @classmethod
    def before(cls, now: datetime, zone: ZoneInfo) -> "LastDay":
        """Those before now."""
        return cls(now.astimezone(zone).date(), zone, now.astimezone(UTC))

    @property
    def title(self) -> str:
        return "The last 24 hours"

    @property
    def when(self) -> str:
        return "in the last 24 hours"

    @property
    def start(self) -> datetime:
        return self.until - timedelta(days=1)

    @property
    def end(self) -> datetime:
        return self.until

    @property
    def hours(self) -> list[datetime]:
        """When each whole hour in it begins."""
        first = self.start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return [first + timedelta(hours=n) for n in range(24)]


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasted: a door open, a bed occupied, an alert."""

    start: datetime
    end: datetime
    words: str = ""
    level: int | None = None
    alert: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at an instant: an alarm."""

    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of the picture. Of `bins`, `spans`, `marks` and `points` it has one."""

    name: str
    bins: tuple[tuple[datetime, int], ...] = ()  # (begin of 5 minutes, how many movements)
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()
    points: tuple[tuple[datetime, float], ...] = ()  # temperatures in Cel
    kind: str = field(default="spans")  # motion, spans, marks, line, alerts


@dataclass(frozen=True, slots=True)
class Picture:
    """A day in a home."""

    day: Day
    lanes: tuple[Lane, ...]
    doors: int  # how often a door that leads outside was opened
    first_move: datetime | None
    last_move: datetime | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is known of the day."""
        return not self.lanes


def picture(day: Day, now: datetime, movements: Sequence[Any], states: Sequence[Any], temperatures: Sequence[Any],
            alarms: Sequence[Any], alerts: Sequence[Any]) -> Picture:  # fmt: skip
    """Put together what was stored.

    `movements`: (device, location, bin, count, first, last). `states`: (device, location, measure, leads_outside, at,
    value), in order of time, the last one before the day included. `temperatures`: (device, location, at, value).
    `alarms`: (at, words). `alerts`: (id, priority, raised_at, closed_at, words).
    """
    until = min(day.end, max(now, day.start))
    lanes: list[Lane] = []
    if alerts:
        spans = (Span(max(raised, day.start), min(closed or until, until), words, level, number)
                 for number, level, raised, closed, words in alerts)  # fmt: skip
        lanes.append(Lane("Alerts", spans=tuple(spans), kind="alerts"))
    if alarms:
        lanes.append(Lane("Alarms", marks=tuple(Mark(at, words) for at, words in alarms), kind="marks"))
    lanes += _motion(movements)
    outside = 0
    for key, rows in _grouped(states).items():
        opened = [at for _, _, _, _, at, value in rows if value and at >= day.start]
        if rows[0][2] == "open" and rows[0][3]:
            outside += len(opened)
        if lasted := tuple(_spans(rows, day, until)):
            lanes.append(Lane(key, spans=lasted))
    lanes += _lines(temperatures)
    moves = [at for row in movements for at in (row[4], row[5])]
    return Picture(day, tuple(lanes), outside, min(moves, default=None), max(moves, default=None))


def _name(device: str, location: str, what: str) -> str:
    return f"{what}, {location}" if location else f"{what}, {device}"


def _motion(movements: Iterable[Any]) -> list[Lane]:
    rooms: dict[str, Counter[datetime]] = {}
    for device, location, begin, count, _, _ in movements:
        rooms.setdefault(_name(device, location, "Movement"), Counter())[begin] += count
    return [Lane(name, bins=tuple(sorted(bins.items())), kind="motion") for name, bins in sorted(rooms.items())]


def _grouped(states: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in states:
        device, _, measure = row[:3]
        what = {"open": "Door", "occupied": "Bed" if device.startswith("bed") else "Seat"}.get(measure, measure)
        which = device.split("-", 1)[-1] if device.lower().startswith(f"{what.lower()}-") else device
        name = f"{what} {which}"
        found.setdefault(name, []).append(row)
    return dict(sorted(found.items()))


def _spans(rows: Sequence[Any], day: Day, until: datetime) -> Iterable[Span]:
    """From each "on" to the next "off"; what was on at midnight begins then, what is on still ends now."""
    begun: datetime | None = None
    for *_, at, value in rows:
        if value and begun is None:
            begun = max(at, day.start)
        elif not value and begun is not None:
            if at > day.start:
                yield Span(begun, min(at, day.end))
            begun = None
    if begun is not None and begun < until:
        yield Span(begun, until)


def _lines(temperatures: Iterable[Any]) -> list[Lane]:
    found: dict[str, list[tuple[datetime, float]]] = {}
    for device, location, at, value in temperatures:
        found.setdefault(_name(device, location, "Temperature"), []).append((at, value))
    return [Lane(name, points=tuple(sorted(points)), kind="line") for name, points in sorted(found.items())]


# ---------------------------------------------------------------- in words


def finding(shown: Picture) -> str:
    """What the day was like, in a sentence or two."""
    if shown.is_empty:
        return f"Nothing was heard from this home {shown.day.when}."
    day, parts = shown.day, []
    if shown.first_move and shown.last_move:
        parts.append(f"First movement {day.wall(shown.first_move)}, last {day.wall(shown.last_move)}")
    else:
        parts.append("No movement was seen")
    if shown.doors:
        parts.append(f"outside door opened {shown.doors} {'time' if shown.doors == 1 else 'times'}")
    for lane in shown.lanes:
        if lane.name.startswith("Bed") and lane.spans:
            longest = max(lane.spans, key=lambda span: span.end - span.start)
            parts.append(f"{lane.name.lower()} longest {day.wall(longest.start)} to {day.wall(longest.end)}")
    values = [value for lane in shown.lanes for _, value in lane.points]
    if values:
        parts.append(f"{_range(values)} °C")
    alerts = sum(len(lane.spans) for lane in shown.lanes if lane.kind == "alerts")
    if alerts:
        parts.append(f"{alerts} {'alert' if alerts == 1 else 'alerts'}")
    return "; ".join(parts) + "."


@dataclass(frozen=True, slots=True)
class Hour:
    """One row of the table under the picture."""

    begins: datetime
    movement: str
    states: str
    temperature: str
    alarms: str


def table(shown: Picture) -> list[Hour]:
    """The day hour by hour; hours in which nothing happened say so with a dash."""
    return [_hour(shown, begins, begins + timedelta(hours=1)) for begins in shown.day.hours]


def _hour(shown: Picture, begins: datetime, ends: datetime) -> Hour:
    day, movement, states, alarms = shown.day, [], [], []
    values: list[float] = []
    for lane in shown.lanes:
        if count := sum(count for at, count in lane.bins if begins <= at < ends):
            movement.append(f"{lane.name.partition(', ')[2]} {count}")
        values += [value for at, value in lane.points if begins <= at < ends]
        alarms += [f"{day.wall(mark.at)} {mark.words}" for mark in lane.marks if begins <= mark.at < ends]
        if lane.kind == "spans":
            states += [
                f"{lane.name} {day.wall(span.start)} to {day.wall(span.end)}"
                for span in lane.spans
                if begins <= span.start < ends
            ]
    warm = _range(values) if values else ""
    return Hour(begins, ", ".join(movement), "; ".join(states), warm, "; ".join(alarms))


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
