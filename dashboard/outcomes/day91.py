"""Still at home on day 91: where each episode stands, the known and the unknown apart, and both bounds. Pure.

Source: FIELD notes on ASCOF 2D (formerly 2B part 1): uncontactable people count as not at home in the published figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from dashboard.outcomes.domain import DAY
from dashboard.outcomes.vocabulary import Day91, Reason, Sequel
from dashboard.outcomes.wilson import wilson


@dataclass(frozen=True, slots=True)
class Followed:
    """Of an episode, what the day-91 figure needs."""

    reason: Reason
    started_on: date
    ended_on: date | None
    sequel: Sequel | None
    day91: Day91 | None
    born: date | None


class Place(StrEnum):
    """Where an episode stands in the day-91 figure: exactly one of these."""

    HOME = "At home"
    HOSPITAL = "In hospital"
    CARE_HOME = "In a care home"
    DIED = "Had died"
    NOT_REACHED = "Asked, could not be reached"
    NOT_ASKED = "Not yet asked, though the day has come"
    NOT_DUE = "Day 91 has not come yet"
    OTHER_REASON = "Not after a hospital stay"
    UNDER_65 = "Under 65 at the start"
    AGE_UNKNOWN = "Age not recorded"


_PLACES: Final = {
    Day91.HOME: Place.HOME,
    Day91.HOSPITAL: Place.HOSPITAL,
    Day91.CARE_HOME: Place.CARE_HOME,
    Day91.DIED: Place.DIED,
    Day91.NOT_REACHED: Place.NOT_REACHED,
}


def place_on_day_91(one: Followed, today: date) -> Place:
    """Where an episode stands in the published figure.

    The rule (old ASCOF 2B part 1): aged 65 or over, discharged from hospital into reablement at home; at home 91 days
    later. Who is dead, in hospital or in a care home is not. Somebody whose episode ended with their death by day 91 is
    known not to be at home, asked or not.
    """
    if one.reason is not Reason.HOSPITAL_DISCHARGE:
        return Place.OTHER_REASON
    if one.born is None:
        return Place.AGE_UNKNOWN
    if _age(one.born, one.started_on) < 65:
        return Place.UNDER_65
    due = one.started_on + DAY
    if due > today:
        return Place.NOT_DUE
    if one.sequel is Sequel.DIED and one.ended_on is not None and one.ended_on <= due:
        return Place.DIED
    return Place.NOT_ASKED if one.day91 is None else _PLACES[one.day91]


def places_on_day_91(all_of: Sequence[Followed], today: date) -> dict[Place, int]:
    """How many episodes stand where; every place is named."""
    found = dict.fromkeys(Place, 0)
    for one in all_of:
        found[place_on_day_91(one, today)] += 1
    return found


def _age(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


@dataclass(frozen=True, slots=True)
class StillAtHome:
    """The figure with everything that it stands on. Shares are between 0 and 1."""

    due: int  # whose day 91 has come and to whom the rule applies: the denominator
    home: int
    not_home: int
    unknown: int

    @property
    def known(self) -> int:
        return self.home + self.not_home

    @property
    def lower(self) -> float:
        """The published rule: who is not known to be at home counts as not at home."""
        return self.home / self.due

    @property
    def upper(self) -> float:
        """As if everyone of whom nothing is known were at home."""
        return (self.home + self.unknown) / self.due

    @property
    def of_known(self) -> tuple[float, float, float]:
        """The share of those of whom it is known, with its 95 % Wilson interval."""
        return (self.home / self.known, *wilson(self.home, self.known))


def still_at_home(places: Mapping[Place, int]) -> StillAtHome:
    """The day-91 figure of some episodes."""
    home = places[Place.HOME]
    not_home = places[Place.HOSPITAL] + places[Place.CARE_HOME] + places[Place.DIED]
    unknown = places[Place.NOT_REACHED] + places[Place.NOT_ASKED]
    return StillAtHome(home + not_home + unknown, home, not_home, unknown)
