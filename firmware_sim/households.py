"""Households from a seed: who lives there, what is in the home, and how its people spend their days.

Everything here is a pure function of (seed, number of the home, day): the same arguments give the same lives. Times are
UTC; habits follow the clock on the wall, Europe/London, whose days have 23, 24 or 25 hours.
"""

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from operator import attrgetter
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from firmware_sim import residents
from telecare.register.homes import NewDevice, NewHome
from telecare.register.plans import CarePlan

LONDON: Final = ZoneInfo("Europe/London")

ROOMS: Final = ("hall", "kitchen", "living", "bedroom", "bathroom")
# Mean seconds between two movements that a motion sensor sees: cooking is livelier than television.
MOVES_EVERY_S: Final = {"hall": 20.0, "kitchen": 35.0, "living": 75.0, "bedroom": 60.0, "bathroom": 35.0}
PLAN: Final = CarePlan(still_after_min=240, up_by=time(10, 30))  # what everybody who lives alone has agreed to
TEMPERATURE_EVERY: Final = timedelta(minutes=5)
BATTERY_LIFE_DAYS: Final = {"pendant": 730, "motion": 1100, "door": 1100, "bed": 900, "temperature": 900, "smoke": 1800}
BATTERY_CHANGED_AT: Final = 22.0  # percent: a well-run service does not wait for the low-battery alarm

_STREETS: Final = ("Mill Lane", "Station Road", "Chapel Street", "Orchard Close", "Victoria Terrace", "Church Walk",
                   "Beech Avenue", "Canal Side", "Park View", "Albert Road")  # fmt: skip
_KEY_SAFES: Final = ("left of the front door, behind the meter box", "right of the back door, at knee height",
                     "porch, on the inside of the pillar", "side gate, on the wall behind the bins")  # fmt: skip
_ACCESS: Final = ("Front door sticks: push at the bottom.", "Ring first; it takes two minutes to come to the door.",
                  "Ground-floor flat, entrance at the back. Door code 2580#.", "Parking in the lay-by opposite only.",
                  "Third floor, lift on the right; if it is out of order, stairs are on the left.")  # fmt: skip
_HAZARDS: Final = ("", "", "Small dog, barks, friendly.", "Oxygen cylinder in the living room: no naked flame.",
                   "Loose carpet on the stairs.", "Cat may slip out.", "Cluttered hallway.")  # fmt: skip


class Event(NamedTuple):
    """Something that a device notices: motion, a door opening (True), a temperature in Cel, a battery in percent."""

    at: datetime
    device: str
    measure: str
    value: bool | float


@dataclass(frozen=True, slots=True)
class Habits:
    """How one resident likes to live. Hours are of the clock on the wall: 7.5 is half past seven."""

    wakes: float
    to_bed: float
    night_trips: float  # to the bathroom, on average
    goes_out: float  # chance per day


# ---------------------------------------------------------------- who and what


def _rng(*parts: object) -> random.Random:
    """A generator of this part of this home only, so that one part's drawing never shifts another's."""
    return random.Random("/".join(map(str, parts)))


@cache
def people_count(seed: int, home: int) -> int:
    """One or two: every fourth home or so is a couple's."""
    return 2 if _rng(seed, home, "people").random() < 0.25 else 1


def household(seed: int, home: int) -> NewHome:
    """Home number `home` as the register is told of it, with invented people."""
    rng = _rng(seed, home, "register")
    family, first_is_woman = residents.surname(rng), rng.random() < 0.65
    people = tuple(
        residents.resident(rng, family, woman=first_is_woman == (who == 0)) for who in range(people_count(seed, home))
    )
    if len(people) == 1:  # sensors of the home cannot tell two people apart
        people = (replace(people[0], plan=PLAN),)
    return NewHome(
        address=f"{rng.randint(1, 140)} {rng.choice(_STREETS)}, Anytown",
        postcode=f"AT{rng.randint(1, 9)} {rng.randint(1, 9)}{rng.choice('ABDEFGHJ')}{rng.choice('LNPQRSTUWXYZ')}",
        phone=residents.landline(rng.randrange(1000)),
        access_notes=rng.choice(_ACCESS),
        key_safe_location=rng.choice(_KEY_SAFES),
        key_safe_code=f"{rng.randrange(10_000):04d}",
        hazards=rng.choice(_HAZARDS),
        people=people,
        devices=devices(len(people)),
    )


def devices(people: int) -> tuple[NewDevice, ...]:
    """What is installed: a pendant and a bed sensor for each person, and the home's own sensors."""
    worn = [NewDevice(name=f"pendant-{who + 1}", kind="pendant", person=who) for who in range(people)]
    beds = [NewDevice(name=f"bed-{who + 1}", kind="bed", location="bedroom") for who in range(people)]
    motion = [NewDevice(name=f"pir-{room}", kind="motion", location=room) for room in ROOMS]
    return (
        *worn,
        *motion,
        NewDevice(name="door-front", kind="door", location="hall", leads_outside=True),
        *beds,
        NewDevice(name="env-1", kind="temperature", location="living"),
        NewDevice(name="smoke-1", kind="smoke", location="hall"),
    )


def habits(seed: int, home: int, who: int) -> Habits:
    """How the resident lives; a couple's habits differ a little."""
    shared, own = _rng(seed, home, "habits"), _rng(seed, home, "habits", who)
    return Habits(
        wakes=shared.uniform(6.25, 8.5) + own.uniform(-0.25, 0.25),
        to_bed=shared.uniform(21.5, 22.75) + own.uniform(-0.25, 0.25),
        night_trips=own.uniform(0.3, 2.2),
        goes_out=own.uniform(0.1, 0.7),
    )


# ---------------------------------------------------------------- days


def midnight(day: date) -> datetime:
    """When the day begins on the wall's clock, in UTC."""
    return _wall(day, 0.0)


def _wall(day: date, hours: float) -> datetime:
    return (datetime.combine(day, time(), LONDON) + timedelta(hours=hours)).astimezone(UTC)


def live_day(seed: int, home: int, day: date) -> Iterator[Event]:
    """Everything that the home's devices notice on one day of the wall's clock, in order of time."""
    people = people_count(seed, home)
    streams = [_Day(seed, home, who, day).events() for who in range(people)]
    streams += [_temperatures(seed, home, day), _batteries(seed, home, day), _visits(seed, home, day)]
    return heapq.merge(*streams, key=attrgetter("at"))


def live(seed: int, home: int, start: datetime) -> Iterator[Event]:
    """The home's life after `start`, without end."""
    day = start.astimezone(LONDON).date()
    while True:
        yield from (event for event in live_day(seed, home, day) if event.at > start)
        day += timedelta(days=1)


def current_state(seed: int, home: int, now: datetime) -> list[Event]:
    """What the home's devices show at `now`: doors, beds, temperature, batteries. Motion is no state."""
    shown: dict[tuple[str, str], Event] = {}
    for event in live_day(seed, home, now.astimezone(LONDON).date()):
        key = (event.device, event.measure)
        # What the day has not shown yet is as it will first be shown.
        if event.measure != "motion" and (event.at <= now or key not in shown):
            shown[key] = event._replace(at=now)
    return list(shown.values())


class _Day:
    """One resident's day, from midnight to midnight. Each part moves `at` on and tells what is noticed meanwhile."""

    def __init__(self, seed: int, home: int, who: int, day: date) -> None:
        self.rng = _rng(seed, home, day, who)
        self.habits = habits(seed, home, who)
        self.day = day
        self.bed = f"bed-{who + 1}"
        self.at = midnight(day)
        self.wakes = _wall(day, self.habits.wakes + self.rng.gauss(0, 0.3))
        self.to_bed = _wall(day, min(self.habits.to_bed + self.rng.gauss(0, 0.3), 23.25))  # there is tooth-brushing yet
        self.meals = [_wall(day, hour + self.rng.gauss(0, 0.25)) for hour in (12.5, 17.5)]
        self.outing = _wall(day, self.rng.uniform(10, 15)) if self.rng.random() < self.habits.goes_out else None

    def events(self) -> Iterator[Event]:
        yield self._event(self.bed, "occupied", True)
        yield from self._night()
        yield self._event(self.bed, "occupied", False)
        yield from self._stay("bedroom", 3, 10)
        yield from self._stay("bathroom", 8, 20)
        yield from self._stay("kitchen", 20, 45)
        while self.at < self.to_bed:
            yield from self._what_is_next()
        # From here at most 22 minutes and a walk through the hall: in bed before midnight.
        yield from self._stay("bathroom", 6, 12)
        yield from self._stay("bedroom", 3, 10)
        yield self._event(self.bed, "occupied", True)

    def _event(self, device: str, measure: str, value: bool) -> Event:
        return Event(self.at, device, measure, value)

    def _night(self) -> Iterator[Event]:
        night_s = (self.wakes - self.at).total_seconds()
        trips = min(4, int(self.rng.expovariate(1 / self.habits.night_trips)))
        # Trips begin in the first part of each share of the night, so that one is over before the next.
        starts = [self.at + timedelta(seconds=night_s * (n + self.rng.uniform(0.1, 0.8)) / trips) for n in range(trips)]
        for self.at in starts:
            yield self._event(self.bed, "occupied", False)
            yield from self._stay("bedroom", 1, 2)
            yield from self._stay("bathroom", 3, 8)
            yield from self._stay("bedroom", 1, 2)
            yield self._event(self.bed, "occupied", True)
        self.at = max(self.at, self.wakes)

    def _what_is_next(self) -> Iterator[Event]:
        if self.outing and self.at >= self.outing:
            self.outing = None
            return self._go_out()
        if self.meals and self.at >= self.meals[0]:
            self.meals.pop(0)
            return self._stay("kitchen", 25, 50, self.to_bed)
        room, shortest, longest = self.rng.choices(
            (("living", 30, 80), ("kitchen", 6, 20), ("bathroom", 4, 10), ("bedroom", 4, 15)), (10, 4, 4, 2)
        )[0]
        return self._stay(room, shortest, longest, self.to_bed)

    def _stay(
        self, room: str, shortest_min: float, longest_min: float, at_most: datetime | None = None
    ) -> Iterator[Event]:
        """Through the hall into a room, and about there for some minutes."""
        yield self._event("pir-hall", "motion", True)
        self._pass(4, 15)
        until = self.at + timedelta(minutes=self.rng.uniform(shortest_min, longest_min))
        until = min(until, at_most) if at_most else until
        while self.at < until:
            yield self._event(f"pir-{room}", "motion", True)
            self.at += timedelta(seconds=max(3.0, self.rng.expovariate(1 / MOVES_EVERY_S[room])))

    def _go_out(self) -> Iterator[Event]:
        yield from self._through_the_door()
        away = timedelta(minutes=self.rng.uniform(30, 150))
        self.at = min(self.at + away, _wall(self.day, 19.0))
        yield from self._through_the_door()

    def _through_the_door(self) -> Iterator[Event]:
        yield self._event("pir-hall", "motion", True)
        self._pass(5, 30)
        yield self._event("door-front", "open", True)
        self._pass(6, 25)
        yield self._event("door-front", "open", False)
        self._pass(2, 10)

    def _pass(self, shortest_s: float, longest_s: float) -> None:
        self.at += timedelta(seconds=self.rng.uniform(shortest_s, longest_s))


def _visits(seed: int, home: int, day: date) -> Iterator[Event]:
    """A carer comes in the morning, to some homes; each visit is the door, twice. Closed doors say so at midnight."""
    yield Event(midnight(day), "door-front", "open", False)
    if _rng(seed, home, "carer").random() > 0.35:
        return
    rng = _rng(seed, home, day, "visits")
    comes = _wall(day, 9 + rng.gauss(0, 0.25))
    for at in (comes, comes + timedelta(minutes=rng.uniform(20, 40))):
        yield Event(at, "door-front", "open", True)
        yield Event(at + timedelta(seconds=rng.uniform(6, 20)), "door-front", "open", False)


def _temperatures(seed: int, home: int, day: date) -> Iterator[Event]:
    """Colder at night and in winter, warmest after tea: heating on in the morning and in the evening."""
    rng = _rng(seed, home, day, "temperature")
    base = _rng(seed, home, "temperature").uniform(17.0, 19.5)
    season = -1.5 * math.cos(2 * math.pi * (day.timetuple().tm_yday - 20) / 365)
    at, end = midnight(day) + timedelta(seconds=home % 300), midnight(day + timedelta(days=1))
    while at < end:
        wall = at.astimezone(LONDON)
        hour = wall.hour + wall.minute / 60
        heating = 1.8 * math.exp(-(((hour - 9) / 2.5) ** 2)) + 2.5 * math.exp(-(((hour - 19.5) / 3) ** 2))
        yield Event(at, "env-1", "temperature", round(base + season + heating + rng.gauss(0, 0.05), 1))
        at += TEMPERATURE_EVERY


def _batteries(seed: int, home: int, day: date) -> Iterator[Event]:
    """Each device says once a day how full its battery is."""
    at = midnight(day) + timedelta(seconds=home % 600)  # not all homes at once
    for device in devices(people_count(seed, home)):
        life = BATTERY_LIFE_DAYS[device.kind]
        age = (day.toordinal() + _rng(seed, home, device.name, "battery").randrange(life)) % life
        yield Event(at, device.name, "battery", round(100 - (100 - BATTERY_CHANGED_AT) * age / life))
        at += timedelta(seconds=1)
