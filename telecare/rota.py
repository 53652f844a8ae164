"""When a contact can be asked, and by which ways: what may be said of it, and what may not. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from telecare.wall_clock import DAY_MIN

WAYS_ON_A_ROTA: Final = 2  # channels by which somebody on a rota has been reached in a test
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class ServiceType(StrEnum):
    """Who answers for a person besides the monitoring centre."""

    GOLD = "gold"
    SILVER = "silver"
    CARER_ALERT = "carer-alert"


SERVICE_TYPE_WORDS: Final[dict[ServiceType, str]] = {
    ServiceType.GOLD: "Gold: we go, and hold a key",
    ServiceType.SILVER: "Silver: three contacts with keys, who agreed to be called day and night, go",
    ServiceType.CARER_ALERT: "Carer alert: contacts are asked at once",
}


class Channel(StrEnum):
    """A way by which a message reaches somebody."""

    PUSH = "push"
    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"


CHANNEL_WORDS: Final[dict[Channel, str]] = {
    Channel.PUSH: "push message",
    Channel.SMS: "text message",
    Channel.VOICE: "telephone call",
    Channel.EMAIL: "e-mail",
}


class Duty(StrEnum):
    """As what somebody of the service is on call."""

    SUPERVISOR = "supervisor"
    SECOND_SITE = "second-site"


DUTY_WORDS: Final[dict[Duty, str]] = {Duty.SUPERVISOR: "supervisor", Duty.SECOND_SITE: "second site"}
ALL_CHANNELS: Final = tuple(Channel)


@dataclass(frozen=True, slots=True)
class Window:
    """Each week, on days from 1 (Monday) to 7 (Sunday), from one time of the council's clock until another."""

    days: frozenset[int]
    from_min: int  # after midnight
    until_min: int  # likewise; above 1440 it ends on the next day
    on_holidays: bool = True  # it begins on the council's public holidays too

    def __str__(self) -> str:
        but = "" if self.on_holidays else ", not on public holidays"
        return f"{_days(self.days)} {clock(self.from_min)} to {clock(self.until_min)}{but}"


@dataclass(frozen=True, slots=True)
class Absence:
    """Days on which somebody cannot be asked, the first and the last included."""

    first: date
    last: date
    why: str


@dataclass(frozen=True, slots=True)
class Way:
    """A channel with its address, and how the last test of it went."""

    channel: Channel
    address: str
    tested_at: datetime | None = None  # when a test last arrived
    failed_at: datetime | None = None  # when a test last did not

    @property
    def works(self) -> bool:
        """A test has arrived, and none has failed since."""
        return self.tested_at is not None and (self.failed_at is None or self.failed_at < self.tested_at)

    @property
    def fails(self) -> bool:
        """The last test did not arrive."""
        return self.failed_at is not None and not self.works


def ways_from(
    phone: str, email: str, tests: Iterable[Way], channels: Collection[str] = ALL_CHANNELS
) -> tuple[Way, ...]:
    """A contact's ways: their number (text, call), their e-mail address, and the devices that subscribed to push.

    `tests` are the results that were kept; those of an address that is the contact's no more say nothing. `channels`
    are those by which the contact agreed to be reached.
    """
    kept = {(test.channel, test.address): test for test in tests}
    own = [(Channel.SMS, phone), (Channel.VOICE, phone), (Channel.EMAIL, email)]
    push = [test for test in kept.values() if test.channel is Channel.PUSH]
    found = (*push, *(kept.get(way, Way(*way)) for way in own if way[1]))
    return tuple(way for way in found if way.channel in channels)


def rota_refused(name: str, ways: Iterable[Way]) -> str | None:
    """Why this contact cannot be put on a rota; None where they can."""
    if (so_far := _too_few(ways)) is None:
        return None
    return f"{name} cannot be on a rota before two ways to reach them have been tested (so far: {so_far})"


def rota_problem(name: str, ways: Iterable[Way]) -> str | None:
    """What is wrong with a contact who is on a rota: a way that once worked has failed, or is another now."""
    if (so_far := _too_few(ways)) is None:
        return None
    return f"{name} is on a rota, and fewer than two ways to reach them are tested now ({so_far}): test them again"


def _too_few(ways: Iterable[Way]) -> str | None:
    """The channels that work, in words, where they are too few for a rota."""
    working = {way.channel for way in ways if way.works}
    if len(working) >= WAYS_ON_A_ROTA:
        return None
    return " and ".join(CHANNEL_WORDS[channel] for channel in sorted(working)) or "none"


def window_problem(window: Window) -> str | None:
    """What is wrong with a window; None where it may be kept."""
    if not window.days or not window.days <= set(range(1, 8)):
        return "Choose one day or more"
    if not (0 <= window.from_min < DAY_MIN and window.from_min < window.until_min <= window.from_min + DAY_MIN):
        return "The window is empty: the end must be another time than the beginning (a whole day is 00:00 until 24:00)"
    return None


def clock(minutes: int) -> str:
    """Minutes after midnight as a clock shows them; the end of a day is 24:00."""
    shown = minutes if minutes <= DAY_MIN else minutes - DAY_MIN
    return f"{shown // 60:02}:{shown % 60:02}"


def _days(days: frozenset[int]) -> str:
    for words, known in (("Every day", range(1, 8)), ("Mon to Fri", range(1, 6)), ("Sat and Sun", range(6, 8))):
        if days == set(known):
            return words
    return ", ".join(DAYS[day - 1] for day in sorted(days))
