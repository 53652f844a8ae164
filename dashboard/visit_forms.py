"""The forms of a responder's own visit: which are offered when, and what was entered into them. Pure.

What a step must capture is `alerts.visiting`'s; here are the responder's own words for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from starlette.datastructures import FormData

from alerts.errors import Incomplete
from alerts.visiting import VisitState
from dashboard.forms import Form, note_problems, read_form
from telecare.clock import parse_instant

V = VisitState
# What is offered in each state: the first as the next step, the others below it. Standing down is the control room's.
OFFERED: Final[Mapping[VisitState, tuple[VisitState, ...]]] = {
    V.REQUESTED: (V.ACCEPTED, V.REFUSED),
    V.ACCEPTED: (V.EN_ROUTE, V.REFUSED),
    V.EN_ROUTE: (V.ARRIVED,),
    V.ARRIVED: (V.ACCESS, V.NO_ACCESS),
    V.NO_ACCESS: (V.ACCESS, V.LEFT),
    V.ACCESS: (V.CHECKED,),
    V.CHECKED: (V.LIFTED, V.NOT_LIFTED, V.LEFT),
    V.LIFTED: (V.LEFT,),
    V.NOT_LIFTED: (V.LEFT, V.LIFTED),
    V.LEFT: (V.REPORTED,),
}
CHECK_IN: Final = "check-in"
PANIC: Final = "panic"
STEPS: Final = frozenset({to.value for offered in OFFERED.values() for to in offered} | {CHECK_IN, PANIC})

BUTTONS: Final[Mapping[str, str]] = {
    "accepted": "I go",
    "refused": "I cannot go",
    "en-route": "I am on the way",
    "arrived": "I have arrived",
    "access": "I am inside",
    "no-access": "I cannot get in",
    "checked": "I have checked",
    "lifted": "Lifted",
    "not-lifted": "Not lifted",
    "left": "I have left",
    "reported": "Send the report",
}


@dataclass(frozen=True, slots=True)
class Picks:
    """Answers to tap instead of writing them; what is written besides is put behind them."""

    field: str
    several: bool
    options: tuple[str, ...]


PICKS: Final[Mapping[str, Picks]] = {
    "refused": Picks("reason", False, ("I am at another visit", "I am too far away", "My shift ends")),
    "arrived": Picks("how", False, ("I pressed the home unit", "I say so: the unit was not pressed")),
    "access": Picks(
        "how",
        False,
        ("The person opened", "Somebody else opened", "The door was open", "Key safe", "Key", "Forced entry"),
    ),
    "no-access": Picks(
        "tried", True, ("Bell", "Letterbox", "Telephone", "Garden", "Windows", "Key safe", "Key")
    ),
    "lifted": Picks("device", False, ("Chair lifter", "Cushion lifter", "Slide sheet", "Got up with guidance")),
    "not-lifted": Picks("reason", False, ("Was not on the floor", "Doubt", "Weight", "Awkward place", "Said no")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offer:
    """A form of the page: in which state it is offered, and for which step."""

    state: str
    to: str

    @property
    def name(self) -> str:
        """Its name on the page, which may offer a step in several states."""
        return f"{self.state}-{self.to}"


def offers(state: VisitState, *, may_lift: bool = True) -> list[tuple[str, list[Offer]]]:
    """Every form that a visit may still need, by state, this state's first: without signal the page goes on by them."""
    ahead, found = [state], []
    while ahead:
        now = ahead.pop(0)
        if now not in found and now in OFFERED:
            found.append(now)
            ahead += OFFERED[now]
    return [
        (one.value, [Offer(one.value, to.value) for to in OFFERED[one] if may_lift or to is not VisitState.LIFTED])
        for one in found
    ]


def read_step(to: str, visit: UUID, sent: FormData) -> Form:
    """What was entered for a step, as the form of `dashboard.forms`; taps and writing are one answer."""
    form = read_form(to if to in (CHECK_IN, PANIC) else "visit", sent)
    form.values["visit"] = str(visit)
    if form.name == "visit":
        form.values["to"] = to
    if picks := PICKS.get(to):
        taps = [one for one in sent.getlist("picks[]") if one in picks.options]
        form.values["picks"] = taps
        form.values["written"] = form.values[picks.field]
        form.values[picks.field] = ": ".join(part for part in (", ".join(taps), form.values[picks.field]) if part)
    return form


def as_shown(form: Form, state: str, to: str, refused: list[str]) -> Form:
    """The form as it comes back to the page with why it was refused."""
    shown = Form(form.name, dict(form.values), dict(form.errors))
    if refused:
        note_problems(shown, Incomplete(refused))
    if picks := PICKS.get(to):
        shown.values[picks.field] = form.values["written"]
    shown.name = Offer(state, to).name
    return shown


def entry_of(sent: FormData) -> tuple[UUID, datetime | None]:
    """The id of what was entered, and when by the phone's clock.

    Raises:
        Incomplete: it has no id, or the time is none.
    """
    given: dict[str, Any] = {name: str(sent.get(name, "")) for name in ("entry", "entered_at")}
    try:
        return UUID(given["entry"]), parse_instant(given["entered_at"]) if given["entered_at"] else None
    except ValueError as problem:
        raise Incomplete(["entry: load the page again: this form is incomplete"]) from problem
