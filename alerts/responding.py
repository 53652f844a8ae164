"""The response team: what each responder brings, and what each is doing now. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from alerts.visiting import INSIDE, VisitState


class Skill(StrEnum):
    """What a responder has been trained in."""

    LIFTING = "lifting"
    FIRST_AID = "first-aid"
    DEMENTIA = "dementia"
    MENTAL_HEALTH = "mental-health"
    SIGN_LANGUAGE = "sign-language"


SKILL_WORDS: Final[dict[Skill, str]] = {
    Skill.LIFTING: "Trained to lift",
    Skill.FIRST_AID: "First aid",
    Skill.DEMENTIA: "Dementia",
    Skill.MENTAL_HEALTH: "Mental health",
    Skill.SIGN_LANGUAGE: "Sign language",
}


class Kit(StrEnum):
    """What a vehicle carries. After Camden Careline's list of what is taken along to a call-out."""

    CHAIR_LIFTER = "chair-lifter"
    CUSHION_LIFTER = "cushion-lifter"
    SLIDE_SHEET = "slide-sheet"
    DEFIBRILLATOR = "defibrillator"
    FIRST_AID_KIT = "first-aid-kit"
    GLOVES = "gloves"


KIT_WORDS: Final[dict[Kit, str]] = {
    Kit.CHAIR_LIFTER: "Chair lifter",
    Kit.CUSHION_LIFTER: "Cushion lifter",
    Kit.SLIDE_SHEET: "Slide sheet",
    Kit.DEFIBRILLATOR: "Defibrillator",
    Kit.FIRST_AID_KIT: "First aid kit",
    Kit.GLOVES: "Gloves",
}
LIFTERS: Final = frozenset({Kit.CHAIR_LIFTER, Kit.CUSHION_LIFTER})

_POSTCODE: Final = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?)(?:[0-9][A-Z]{2})?")


def district_of(postcode: str) -> str:
    """The district of a British postcode, or of one given as a district: EX4 of 'ex4 6qx'. '' where there is none."""
    squeezed = "".join(postcode.split()).upper()
    whole = re.fullmatch(r"([A-Z]{1,2}[0-9][A-Z0-9]?)[0-9][A-Z]{2}", squeezed)
    match = whole or _POSTCODE.fullmatch(squeezed)
    return match[1] if match else ""


def area_of(district: str) -> str:
    """The letters that a district begins with: EX of EX4."""
    return district.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ").rstrip("0123456789")


@dataclass(frozen=True, slots=True)
class OnBoard:
    """A piece of kit in a vehicle."""

    kind: Kit
    fault: str = ""  # what is wrong with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """When somebody works, with whom, and in what."""

    from_at: datetime
    until_at: datetime
    partner: str = ""  # '': alone
    vehicle: str = ""  # '': not known
    kit: Sequence[OnBoard] = ()
    away_until: datetime | None = None  # cannot be sent until then
    away_why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A visit of theirs, under way, not yet written up, or just over."""

    alert_id: int
    state: VisitState
    since: datetime  # its last step
    eta_at: datetime | None = None
    left_at: datetime | None = None
    address: str = ""
    postcode: str = ""


class Doing(StrEnum):
    """What a responder is doing, as far as is known."""

    FREE = "free"
    REPORTING = "reporting"  # has left, and the report of the visit is not written
    ASKED = "asked"
    GOING = "going"
    AT_SCENE = "at-scene"
    AWAY = "away"  # on shift, and back by a time that they named
    OFF = "off-shift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a responder is doing: since when, until when where that is known, and where."""

    doing: Doing
    since: datetime | None = None
    until: datetime | None = None
    where: str = ""
    why: str = ""
    alert_id: int | None = None

    def words(self, now: datetime) -> str:
        """In a few words."""
        match self.doing:
            case Doing.FREE:
                return f"free for {length(now - self.since)}" if self.since else "free"
            case Doing.REPORTING:
                return f"has left {self.where}; the report is not written yet"
            case Doing.ASKED:
                return f"asked to go to {self.where}, not set off yet"
            case Doing.GOING:
                return f"on the way to {self.where}{_expected(self.until, now)}"
            case Doing.AT_SCENE:
                since = f" for {length(now - self.since)}" if self.since else ""
                return f"at {self.where}{since}; until when is not known"
            case Doing.AWAY:
                assert self.until is not None
                late = self.until <= now
                when = f"{length(now - self.until)} ago" if late else f"in {length(self.until - now)}"
                return f"{'was to be ' if late else ''}back {when} ({self.why})"
            case Doing.OFF:
                return "off shift"


def _expected(at: datetime | None, now: datetime) -> str:
    if at is None:
        return ""
    return f", expected in {length(at - now)}" if at > now else f", expected {length(now - at)} ago"


def length(span: timedelta) -> str:
    """A length of time in hours and minutes."""
    minutes = max(0, int(span.total_seconds() // 60))
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours and rest else f"{hours} h" if hours else f"{rest} min"


_BUSY: Final = {
    **dict.fromkeys(INSIDE, Doing.AT_SCENE),
    VisitState.EN_ROUTE: Doing.GOING,
    VisitState.ACCEPTED: Doing.ASKED,
    VisitState.REQUESTED: Doing.ASKED,
    VisitState.LEFT: Doing.REPORTING,
}
# Of several errands the one that holds them most is what they are doing.
_HOLDS: Final = (Doing.AT_SCENE, Doing.GOING, Doing.ASKED)


def standing_of(shift: Shift | None, errands: Sequence[Errand], now: datetime) -> Standing:
    """What follows from their visits and their shift. A visit under way counts, also after the shift's end."""
    for doing in _HOLDS:
        for one in errands:
            if _BUSY.get(one.state) is doing:
                return Standing(
                    doing=doing, since=one.since, until=one.eta_at if doing is Doing.GOING else None,
                    where=one.address, alert_id=one.alert_id,
                )  # fmt: skip
    if shift is None or not shift.from_at <= now < shift.until_at:
        return Standing(doing=Doing.OFF)
    if shift.away_until is not None:
        return Standing(doing=Doing.AWAY, until=shift.away_until, why=shift.away_why)
    for one in errands:
        if one.state is VisitState.LEFT:
            return Standing(doing=Doing.REPORTING, since=one.left_at, where=one.address, alert_id=one.alert_id)
    left = [one.left_at for one in errands if one.left_at is not None]
    return Standing(doing=Doing.FREE, since=max([shift.from_at, *left]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """Somebody who can be sent, as the register and their visits show them."""

    username: str
    name: str
    skills: frozenset[Skill] = frozenset()
    languages: tuple[str, ...] = ()  # beside English
    place: str = ""
    district: str = ""
    council: str = ""
    shift: Shift | None = None
    errands: Sequence[Errand] = ()
    recorded: bool = True  # somebody has written down what they bring

    def standing(self, now: datetime) -> Standing:
        """What they are doing."""
        return standing_of(self.shift, self.errands, now)

    @property
    def partner(self) -> str:
        """With whom they work now; '' alone."""
        return self.shift.partner if self.shift else ""

    def works(self, *kinds: Kit) -> list[OnBoard]:
        """Kit of these kinds on board that has no fault."""
        return [one for one in self.on_board(*kinds) if not one.fault]

    def on_board(self, *kinds: Kit) -> list[OnBoard]:
        """Kit of these kinds on board, faulty or not."""
        return [one for one in (self.shift.kit if self.shift else ()) if one.kind in kinds]
