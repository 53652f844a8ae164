"""What carers read: plain words, and only what the person lets them see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from telecare.register.carers import Caring

LATELY: Final = timedelta(days=14)  # "what happened" goes back this far

ENDED: Final = {
    "person": "{person} told us how things were.",
    "someone-on-site": "Somebody was with {person}.",
    "crew": "An ambulance or other crew was with {person}.",
    "hospital": "{person} was in the hospital’s care.",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the service knows of one person now."""

    open_since: datetime | None  # the oldest open alert of levels 1 to 3
    answered: bool  # an operator has it
    moved_at: datetime | None  # movement was last seen
    equipment_well: bool  # the hub is heard, and no device is silent
    hub_heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a carer reads, and how it stands: well, look (something is up), quiet (not shared, not known)."""

    title: str
    words: str
    tone: str


def all_well(caring: Caring, facts: Facts, clock: Any) -> list[Line]:
    """Is all well? One line for alerts, activity and equipment each. `clock` says an instant as people read it."""
    return [_alert(caring, facts, clock), _activity(caring, facts, clock), _equipment(caring, facts, clock)]


def _not_shared(title: str, caring: Caring) -> Line:
    return Line(title, f"{caring.called} has not chosen to share this with you.", "quiet")


def _alert(caring: Caring, facts: Facts, clock: Any) -> Line:
    title = "Alarm"
    if not caring.consent.alerts:
        return _not_shared(title, caring)
    if facts.open_since is None:
        return Line(title, "No alarm is being answered now.", "well")
    doing = "We are dealing with it now." if facts.answered else "We are about to answer it."
    return Line(title, f"{caring.called}’s alarm went off at {clock(facts.open_since)}. {doing}", "look")


def _activity(caring: Caring, facts: Facts, clock: Any) -> Line:
    title = "Up and about"
    if not caring.consent.activity:
        return _not_shared(title, caring)
    if facts.moved_at is None:
        return Line(title, "No movement sensor has told us anything yet.", "quiet")
    return Line(title, f"Movement in the home was last seen at {clock(facts.moved_at)}.", "well")


def _equipment(caring: Caring, facts: Facts, clock: Any) -> Line:
    title = "Equipment"
    if not caring.consent.equipment:
        return _not_shared(title, caring)
    if facts.equipment_well:
        return Line(title, "The alarm unit is in touch with us.", "well")
    heard = f" It was last heard at {clock(facts.hub_heard_at)}." if facts.hub_heard_at else ""
    return Line(title, f"Something is not in order with the alarm unit or a sensor.{heard} We know.", "look")


def happened(caring: Caring, alerts: Sequence[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """The person's alerts of late, in words that tell how each ended and nothing of what was wrong."""
    return [
        {"at": one["raised_at"], "words": _how_it_ended(caring, one)}
        for one in alerts
        if one["priority"] < 4 and now - one["raised_at"] <= LATELY
    ]


def _how_it_ended(caring: Caring, alert: dict[str, Any]) -> str:
    what = "We saw no movement for some time." if alert["kind"] == "inactivity" else "The alarm went off."
    if alert["state"] not in ("closed", "reviewed"):
        return f"{what} We are dealing with it."
    return f"{what} {ENDED.get(alert['confirmed_by'], '').format(person=caring.called)}".strip()
