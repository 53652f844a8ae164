"""A responder's visit: its steps, what each must capture, and when the next one is overdue. Pure.

Steps and captures: the workflow of docs/operators.md, after Camden Careline's manual for call-outs. ISTUMBLE is the
ambulance services' check before anybody on the floor is lifted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final


class VisitState(StrEnum):
    """Where a visit stands."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EN_ROUTE = "en-route"
    ARRIVED = "arrived"
    NO_ACCESS = "no-access"
    ACCESS = "access"
    CHECKED = "checked"
    LIFTED = "lifted"
    NOT_LIFTED = "not-lifted"
    LEFT = "left"
    REPORTED = "reported"
    CANCELLED = "cancelled"  # stood down


V = VisitState
NEXT: Final[Mapping[VisitState, frozenset[VisitState]]] = {
    V.REQUESTED: frozenset({V.ACCEPTED, V.REFUSED, V.CANCELLED}),
    V.ACCEPTED: frozenset({V.EN_ROUTE, V.REFUSED, V.CANCELLED}),
    V.EN_ROUTE: frozenset({V.ARRIVED, V.CANCELLED}),
    V.ARRIVED: frozenset({V.ACCESS, V.NO_ACCESS}),
    V.NO_ACCESS: frozenset({V.ACCESS, V.LEFT}),
    V.ACCESS: frozenset({V.CHECKED}),
    V.CHECKED: frozenset({V.LIFTED, V.NOT_LIFTED, V.LEFT}),
    V.LIFTED: frozenset({V.LEFT}),
    V.NOT_LIFTED: frozenset({V.LIFTED, V.LEFT}),
    V.LEFT: frozenset({V.REPORTED}),
    V.REFUSED: frozenset(),
    V.REPORTED: frozenset(),
    V.CANCELLED: frozenset(),
}
ON_THE_WAY: Final = frozenset({V.REQUESTED, V.ACCEPTED, V.EN_ROUTE})  # may still be stood down
INSIDE: Final = frozenset({V.ARRIVED, V.NO_ACCESS, V.ACCESS, V.CHECKED, V.LIFTED, V.NOT_LIFTED})
COMING: Final = INSIDE | {V.ACCEPTED, V.EN_ROUTE}  # help that has said that it comes
ENDED: Final = frozenset(V) - INSIDE - ON_THE_WAY

VISIT_WORDS: Final[dict[VisitState, str]] = {
    V.REQUESTED: "Asked to go",
    V.ACCEPTED: "Accepted",
    V.REFUSED: "Refused",
    V.EN_ROUTE: "On the way",
    V.ARRIVED: "Arrived",
    V.NO_ACCESS: "Cannot get in",
    V.ACCESS: "Inside",
    V.CHECKED: "Checked (ISTUMBLE)",
    V.LIFTED: "Lifted",
    V.NOT_LIFTED: "Not lifted",
    V.LEFT: "Left",
    V.REPORTED: "Reported",
    V.CANCELLED: "Stood down",
}
# A visit's steps that leave its state as it is.
STEP_WORDS: Final[dict[str, str]] = {
    "check-in": "Checked in",
    "panic": "Called for help",
    "overdue": "Not heard from in time",
    "key-out": "Key taken",
    "key-back": "Key back",
    "code": "Looked at the code",
} | {state.value: words for state, words in VISIT_WORDS.items()}

ISTUMBLE: Final[dict[str, str]] = {
    "intense-pain": "Intense pain",
    "suspected-collapse": "Suspected collapse",
    "trauma": "Trauma to head, neck or back",
    "unusual-behaviour": "Unusual behaviour",
    "marked-breathing-difficulty": "Marked difficulty in breathing, or chest pain",
    "bleeding-freely": "Bleeding freely",
    "loss-of-consciousness": "Loss of consciousness",
    "evidence-of-fracture": "Evidence of fracture",
}
WAY_MINUTES: Final = (1, 240)

# What each step must say, and the words for what is missing.
_NEEDED: Final[Mapping[VisitState, tuple[tuple[str, str], ...]]] = {
    V.REFUSED: (("reason", "say why they cannot go"),),
    V.EN_ROUTE: (("minutes", f"say how many minutes the way takes, {WAY_MINUTES[0]} to {WAY_MINUTES[1]}"),),
    V.ARRIVED: (("how", "say how the arrival was confirmed: the home unit was pressed, or they said so"),),
    V.NO_ACCESS: (("tried", "say what was tried: bell, letterbox, telephone, garden, windows, key safe, key"),),
    V.ACCESS: (("how", "say how they got in"),),
    V.LIFTED: (("device", "say what they were lifted with"), ("after", "say how they are after it")),
    V.NOT_LIFTED: (("reason", "say why they were not lifted"),),
    V.LEFT: (("how_left", "say how the person was left, and the door"),),
    V.REPORTED: (("report", "write the report"),),
    V.CANCELLED: (("reason", "say why they are stood down"),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A visit as it stands."""

    state: VisitState
    flags: frozenset[str] = frozenset()  # of the last ISTUMBLE check
    ambulance_awaited: bool = False
    missed: int = 0


def problems(visit: Visit, to: VisitState, detail: Mapping[str, Any]) -> list[str]:
    """Why a visit cannot take this step, by field; empty when it can."""
    if to not in NEXT[visit.state]:
        ways = ", ".join(sorted(VISIT_WORDS[one].lower() for one in NEXT[visit.state])) or "nothing"
        return [f"state: after “{VISIT_WORDS[visit.state].lower()}” comes: {ways}"]
    found = [f"{name}: {words}" for name, words in _NEEDED.get(to, ()) if not str(detail.get(name) or "").strip()]
    if to is V.EN_ROUTE and not found and not WAY_MINUTES[0] <= _minutes(detail) <= WAY_MINUTES[1]:
        found.append(f"minutes: from {WAY_MINUTES[0]} to {WAY_MINUTES[1]}")
    if to is V.EN_ROUTE and not detail.get("brief_read"):
        found.append("brief_read: read them the alarm, what is known, the risks, and who else attends")
    if to is V.CHECKED:
        unknown = sorted(set(detail.get("flags") or ()) - ISTUMBLE.keys())
        found += [f"flags: {one} is no sign of ISTUMBLE" for one in unknown]
    if to is V.LIFTED and visit.flags:
        signs = ", ".join(ISTUMBLE[flag].lower() for flag in sorted(visit.flags))
        found.append(f"state: do not lift: {signs}. Ring 999")
    if to is V.LEFT and visit.ambulance_awaited:
        found.append("state: an ambulance is awaited: stay until the crew has taken over")
    if to is V.LEFT and visit.state is V.NO_ACCESS and not str(detail.get("confirmed_elsewhere") or "").strip():
        found.append("confirmed_elsewhere: say who confirmed, and how, that the person is safe elsewhere")
    return found


def _minutes(detail: Mapping[str, Any]) -> int:
    try:
        return int(str(detail.get("minutes")))
    except ValueError:
        return 0


# ---------------------------------------------------------------- clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitLimits:
    """How long each part of a visit may take before somebody asks."""

    accept: timedelta
    set_off: timedelta
    late: timedelta  # past the arrival that they named
    check_in: timedelta  # from arriving to leaving, the accountability clock of a responder (docs/operators.md)
    again: timedelta  # after a check-in that was missed
    report: timedelta


def due_of(to: VisitState, now: datetime, eta_at: datetime | None, limits: VisitLimits) -> datetime | None:
    """When the next step of a visit is overdue; None when there is none."""
    if to in (V.REFUSED, V.REPORTED, V.CANCELLED):
        return None
    if to is V.EN_ROUTE and eta_at is not None:
        return max(eta_at, now) + limits.late
    lengths = {V.REQUESTED: limits.accept, V.ACCEPTED: limits.set_off, V.LEFT: limits.report}
    return now + lengths.get(to, limits.check_in)


@dataclass(frozen=True, slots=True)
class Overdue:
    """A step that has not come."""

    because: str
    level_1: bool  # the responder may be in danger
    due_at: datetime


MISSED_IS_DANGER: Final = 2  # check-ins in a row


def overdue(visit: Visit, who: str, now: datetime, limits: VisitLimits) -> Overdue:
    """What happens when a visit's next step has not come."""
    if visit.state in INSIDE:
        missed = visit.missed + 1
        times = "once" if missed == 1 else f"{missed} times in a row"
        return Overdue(
            f"{who} is on site and has not checked in {times}", missed >= MISSED_IS_DANGER, now + limits.again
        )
    words = {
        V.REQUESTED: f"{who} has not said whether they go",
        V.ACCEPTED: f"{who} has accepted and not set off",
        V.EN_ROUTE: f"{who} is late: not arrived yet",
        V.LEFT: f"{who}'s report of the visit is missing",
    }
    again = limits.report if visit.state is V.LEFT else limits.accept
    return Overdue(words[visit.state], False, now + again)
