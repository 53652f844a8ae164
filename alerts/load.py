"""What being a contact costs: alerts a week, nights broken, and the share that turned out to be nothing.

Counted from the questions, messages and alerts themselves; there is no second truth. Over the budget, the service is
asked to change the plan: carers who are asked too often stop answering (PRACTICE.md section 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts import load_store
from alerts.load_store import AskedAbout
from telecare.db import Connection
from telecare.settings import Settings
from telecare.vocabulary import Cause

WEEK: Final = timedelta(days=7)
FALSE: Final = frozenset({Cause.ACCIDENTAL.value, Cause.TEST.value})


@dataclass(frozen=True, slots=True)
class Budget:
    """What one contact should be asked to bear in a week, at most."""

    alerts: int = 3
    nights: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One contact's week."""

    contact_id: UUID
    contact: str
    person_id: UUID
    person: str
    alerts: int  # asked about
    nights: int  # in which they were asked in their quiet hours
    closed: int  # of those alerts
    false: int  # of those that were closed

    @property
    def false_percent(self) -> int | None:
        """The share of closed alerts that were accidental or a test; None where none is closed."""
        return round(100 * self.false / self.closed) if self.closed else None

    def over(self, budget: Budget) -> bool:
        """Whether it is more than one contact should bear."""
        return self.alerts > budget.alerts or self.nights > budget.nights

    def words(self, budget: Budget) -> str:
        """The week in a sentence, for the service."""
        times = "once" if self.alerts == 1 else f"{self.alerts} times"
        parts = [f"{_first(self.contact)} was asked {times} this week"]
        if self.nights:
            parts.append(f"in {self.nights} {'night' if self.nights == 1 else 'nights'}")
        if self.false:
            parts.append(f"{self.false} of {self.closed} turned out accidental or a test")
        if not self.over(budget):
            return ", ".join(parts) + "."
        limits = f"{budget.alerts} alerts and {budget.nights} {'night' if budget.nights == 1 else 'nights'}"
        return f"{', '.join(parts)}. That is more than {limits} a week: change the plan."


def _first(name: str) -> str:
    return name.split(" ")[0]


def budget_of(settings: Settings) -> Budget:
    """The budget that is set."""
    return Budget(settings.carer_alerts_week, settings.carer_nights_week)


def night_of(at: datetime, quiet_from: time, quiet_until: time, zone: ZoneInfo) -> date | None:
    """The night (by the day on which it begins) whose quiet hours hold this instant; None outside of them.

    By the clock on the wall, also where it is put forward or back. With the same beginning and end there are none.
    """
    local = at.astimezone(zone)
    clock = local.time()
    if quiet_from < quiet_until:
        return local.date() if quiet_from <= clock < quiet_until else None
    if quiet_from == quiet_until:
        return None
    if clock >= quiet_from:
        return local.date()
    return local.date() - timedelta(days=1) if clock < quiet_until else None


def loads(asked: Sequence[AskedAbout]) -> list[Load]:
    """Each contact's load, in the order in which they come."""
    by_contact: dict[UUID, list[AskedAbout]] = {}
    for one in asked:
        by_contact.setdefault(one.contact_id, []).append(one)
    return [_load(ones) for ones in by_contact.values()]


def _load(ones: Sequence[AskedAbout]) -> Load:
    first, closed = ones[0], [one for one in ones if one.closed]
    nights = {night_of(at, one.quiet_from, one.quiet_until, ZoneInfo(one.timezone)) for one in ones for at in one.at}
    return Load(
        contact_id=first.contact_id, contact=first.contact, person_id=first.person_id, person=first.person,
        alerts=len({one.alert_id for one in ones}), nights=len(nights - {None}), closed=len(closed),
        false=sum(one.cause in FALSE for one in closed),
    )  # fmt: skip


# ---------------------------------------------------------------- as the database has it


async def of_person(conn: Connection, person_id: UUID, now: datetime) -> dict[UUID, Load]:
    """The week of each of a person's contacts who was asked, by contact."""
    return {one.contact_id: one for one in loads(await load_store.asked(conn, now - WEEK, now, person_id))}


async def over_budget(conn: Connection, now: datetime, budget: Budget | None = None) -> list[Load]:
    """Every contact who was asked more in this week than one should bear (by default three alerts and one night)."""
    limits = budget or Budget()
    return [one for one in loads(await load_store.asked(conn, now - WEEK, now)) if one.over(limits)]
