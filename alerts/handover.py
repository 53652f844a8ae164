"""The handover of a shift (A20): what is open now, each item in a sentence. Pure.

The list is HSE's: open cases and their clocks, people who are away, faulty kit, what was put aside, what is out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from alerts.responding import KIT_WORDS, Kit
from alerts.visiting import VISIT_WORDS, VisitState

WORDS_LIMIT: Final = 4000  # characters of what the one who goes says
REMARK_LIMIT: Final = 1000  # and of a remark at an item


class ItemKind(StrEnum):
    """What an item is about."""

    ALERT = "alert"
    VISIT = "visit"
    EMERGENCY = "emergency-service"
    SHELVED = "shelved"
    AWAY = "away"
    KIT_FAULT = "kit-fault"
    TASK = "task"
    KEY = "key"
    VEHICLE = "vehicle"
    KIT = "kit"
    TROUBLE = "trouble"


KIND_WORDS: Final[dict[ItemKind, str]] = {
    ItemKind.ALERT: "Open alerts",
    ItemKind.VISIT: "Visits under way",
    ItemKind.EMERGENCY: "Emergency services called",
    ItemKind.SHELVED: "Equipment put aside",
    ItemKind.AWAY: "People away",
    ItemKind.KIT_FAULT: "Kit faults",
    ItemKind.TASK: "Tasks",
    ItemKind.KEY: "Keys out",
    ItemKind.VEHICLE: "Vehicles out",
    ItemKind.KIT: "Faulty kit of vehicles",
    ItemKind.TROUBLE: "What is wrong with the service",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that the one who comes must know."""

    kind: ItemKind
    words: str
    link: str = ""  # where it stands


Row = Mapping[str, Any]
At = Callable[[datetime], str]  # an instant by the council's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What is open, as the database has it."""

    alerts: Sequence[Row] = ()
    visits: Sequence[Row] = ()
    services: Sequence[Row] = ()
    kit_faults: Sequence[Row] = ()
    away: Sequence[Row] = ()
    tasks: Sequence[Row] = ()
    keys: Sequence[Row] = ()
    vehicles: Sequence[Row] = ()
    troubles: Sequence[str] = ()


def items(found: Open, zone: ZoneInfo) -> list[Item]:
    """Everything that is open, the most urgent kind first."""

    def at(instant: datetime) -> str:
        return f"{instant.astimezone(zone):%-d %b %H:%M}"

    shelved = [one for one in found.alerts if one["shelved_until"] is not None]
    live = [one for one in found.alerts if one["shelved_until"] is None]
    return [
        *(Item(ItemKind.TROUBLE, words) for words in found.troubles),
        *(_alert(one, at) for one in live),
        *(_visit(one, at) for one in found.visits),
        *(_service(one, at) for one in found.services),
        *(_shelved(one, at) for one in shelved),
        *(_kit_fault(one, at) for one in found.kit_faults),
        *(_away(one, at) for one in found.away),
        *_tasks(found.tasks, at),
        *(_key(one, at) for one in found.keys),
        *(item for one in found.vehicles for item in _vehicle(one)),
    ]


def _alert(one: Row, at: At) -> Item:
    who = one["person_name"] or one["address"]
    owner = f"with {one['claimed_by_name'] or one['claimed_by']}" if one["claimed_by"] else "nobody has it"
    words = f"Level {one['priority']}: {one['title']}, {who}, raised {at(one['raised_at'])}; {owner}"
    return Item(ItemKind.ALERT, words, f"/console/alerts/{one['id']}")


def _visit(one: Row, at: At) -> Item:
    pair = f" with {one['second']}" if one["second"] else ""
    words = f"{one['responder']}{pair} to {one['who']}: {VISIT_WORDS[VisitState(one['state'])].lower()}"
    due = f"; to be heard of by {at(one['due_at'])}" if one["due_at"] else ""
    return Item(ItemKind.VISIT, words + due, f"/console/alerts/{one['alert']}#visits")


def _service(one: Row, at: At) -> Item:
    there = f"at the scene since {at(one['arrived_at'])}" if one["arrived_at"] else f"called {at(one['called_at'])}"
    reference = f" {one['reference']}" if one["reference"] else ""
    words = f"{one['service'].capitalize()}{reference} for {one['who']}: {there}"
    return Item(ItemKind.EMERGENCY, words, f"/console/alerts/{one['alert']}#services")


def _shelved(one: Row, at: At) -> Item:
    words = f"{one['title']}, {one['address']}: until {at(one['shelved_until'])}, {one['shelved_why']}"
    return Item(ItemKind.SHELVED, words, f"/console/alerts/{one['id']}")


def _kit_fault(one: Row, at: At) -> Item:
    words = f"{one['name']}: {one['note']} (to be put right by {at(one['due_at'])})"
    return Item(ItemKind.KIT_FAULT, words, f"/people/{one['person']}")


def _away(one: Row, at: At) -> Item:
    why = f", {one['away_why']}" if one["away_why"] else ""
    return Item(ItemKind.AWAY, f"{one['name']}: until {at(one['away_until'])}{why}", f"/people/{one['person']}")


def _tasks(rows: Sequence[Row], at: At) -> Iterator[Item]:
    """All in one: they have a page of their own, and nobody checks two hundred at the end of a shift."""
    if rows:
        overdue = sum(one["overdue"] for one in rows)
        words = f"{len(rows)} open, {overdue} overdue. The first: {rows[0]['words']} (due {at(rows[0]['due_at'])})"
        yield Item(ItemKind.TASK, words, "/tasks")


def _key(one: Row, at: At) -> Item:
    late = "overdue since" if one["overdue"] else "due back"
    words = f"Key {one['tag']}: with {one['taken_by']} since {at(one['out_at'])}, {late} {at(one['due_at'])}"
    return Item(ItemKind.KEY, words, f"/console/alerts/{one['alert_id']}#visits")


def _vehicle(one: Row) -> Iterator[Item]:
    """A vehicle that somebody has, and kit on board that does not work, also of one that stands."""
    if one["with_whom"]:
        yield Item(ItemKind.VEHICLE, f"{one['name']}: with {' and '.join(one['with_whom'])}", "/responders")
    for kit in one["kit"]:
        if kit["fault"]:
            yield Item(ItemKind.KIT, f"{KIT_WORDS[Kit(kit['kind'])]} in {one['name']}: {kit['fault']}", "/responders")
