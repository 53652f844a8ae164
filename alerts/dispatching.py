"""Whom to send: responders in an order, each with the reasons in plain words. Pure.

It goes by what is known and invents nothing: no distance, no time of arrival. What is not known is said to be so. The
order is our own (docs/decisions/0028): can be sent at all; goes as a pair where two people are asked for; is free; can
lift where lifting is needed; is near as far as postcodes and councils tell; brings what helps; has been free longest.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.responding import (
    KIT_WORDS,
    LIFTERS,
    Doing,
    Errand,
    Kit,
    Responder,
    Skill,
    Standing,
    area_of,
    district_of,
    length,
)
from telecare.vocabulary import Cause, Kind, Priority

LAST_PLACE_COUNTS: Final = timedelta(hours=1)  # where somebody was seen last says where they are for so long
_AT_ONCE: Final = frozenset({Priority.EMERGENCY, Priority.URGENT})
_FALLS: Final = frozenset({Kind.FALL, Kind.PERSON_DOWN})
_LIFTED: Final = frozenset({Cause.FALL_ON_FLOOR, Cause.CANNOT_GET_UP})
_HEART: Final = frozenset({"loss-of-consciousness", "marked-breathing-difficulty", "suspected-collapse"})
_PAIR: Final = re.compile(
    r"\b(?:two|2)[ -](?:people|persons?|responders|staff|up|handed)\b|\bdouble[ -](?:up|handed)\b|\bin pairs?\b"
    r"|\bpairs? only\b|\b(?:never|not|don'?t)\b[^.;]{0,30}\balone\b|\bno lone work",
    re.IGNORECASE,
)
_MEMORY: Final = re.compile(r"(?<!no )\b(?:dementia|alzheimer|memory|confus)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What an alert asks of who is sent."""

    alert_id: int = 0
    priority: Priority
    lifting: bool | None = None  # None: not known
    red_flags: frozenset[str] = frozenset()  # of ISTUMBLE
    language: str = ""
    two_people: bool = False  # as the home's record says
    memory: bool = False
    postcode: str = ""
    council: str = ""
    unknown: tuple[str, ...] = ()  # what is not known and would matter, in words


def need_of(
    *, alert_id: int, priority: Priority, kind: Kind, cause: Cause | None, on_floor: bool,
    red_flags: Iterable[str] = (), language: str = "", conditions: str = "", hazards: str = "", postcode: str = "",
    council: str = "",
) -> Need:  # fmt: skip
    """What an alert asks, of what is known of it. `cause` is None while nobody has assessed it."""
    flags = frozenset(red_flags)
    lifting = _lifting_needed(kind, cause, on_floor)
    unknown = []
    if lifting is None:
        unknown.append("whether they need lifting" + (" (a fall)" if kind in _FALLS else ""))
    if not district_of(postcode):
        unknown.append("the postcode of the home")
    if not hazards.strip():
        unknown.append("whether there is a risk to who goes: none is recorded")
    return Need(
        alert_id=alert_id, priority=priority, lifting=lifting, red_flags=flags,
        language="" if language.strip().lower() in ("", "english") else language.strip(),
        two_people=bool(_PAIR.search(hazards)), memory=bool(_MEMORY.search(conditions)), postcode=postcode,
        council=council, unknown=tuple(unknown),
    )  # fmt: skip


def _lifting_needed(kind: Kind, cause: Cause | None, on_floor: bool) -> bool | None:
    if on_floor or cause in _LIFTED:
        return True
    if cause is not None:
        return False
    return None if kind in _FALLS or kind is Kind.BUTTON else False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A responder with what speaks for and against sending them."""

    responder: Responder
    standing: Standing
    available: bool  # on shift, not away, not sent there already
    reasons: tuple[str, ...]
    against: tuple[str, ...]

    @property
    def words(self) -> str:
        """All of it as one sentence."""
        said = "; ".join(self.reasons)
        but = f"{'. But: ' if said else ''}{'; '.join(self.against)}" if self.against else ""
        text = f"{said}{but}."
        return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Advice:
    """Everybody in order, the one to be sent first, and what the operator should know besides."""

    ranked: tuple[Suggestion, ...]
    first: Suggestion | None
    warnings: tuple[str, ...]


def advise(need: Need, team: Iterable[Responder], now: datetime) -> Advice:
    """Whom to send."""
    found = [(_order(need, one, now), _suggestion(need, one, now)) for one in team]
    ranked = tuple(suggestion for _, suggestion in sorted(found, key=lambda pair: pair[0]))
    first = ranked[0] if ranked and ranked[0].available else None
    return Advice(ranked, first, tuple(_warnings(need, ranked, first)))


# ---------------------------------------------------------------- the order


def _order(need: Need, one: Responder, now: datetime) -> tuple[object, ...]:
    standing = one.standing(now)
    lifting = _lifting_gap(one)
    wishes = sum((bool(need.language) and _speaks(one, need.language), need.memory and Skill.DEMENTIA in one.skills))
    return (
        not _available(need, one, standing, now),
        need.two_people and not one.partner,
        _wait(need, standing),
        lifting if need.lifting and not need.red_flags else 0,
        Skill.FIRST_AID not in one.skills if need.red_flags else False,
        _far(need, one, now),
        lifting if need.lifting is None else 0,
        -wishes,
        standing.since or now,
        one.name,
        one.username,
    )


def _available(need: Need, one: Responder, standing: Standing, now: datetime) -> bool:
    if _sent_already(need, one):
        return False
    if standing.doing is Doing.AWAY:
        return standing.until is not None and standing.until <= now
    return standing.doing is not Doing.OFF


def _sent_already(need: Need, one: Responder) -> bool:
    return any(errand.alert_id == need.alert_id and errand.left_at is None for errand in one.errands)


def _wait(need: Need, standing: Standing) -> int:
    """How long they are likely to be held, in steps and not in minutes: those are not known."""
    if standing.doing is Doing.REPORTING:  # Camden: the job sheet is complete before the next non-urgent job
        return 0 if need.priority in _AT_ONCE else 1
    return {Doing.FREE: 0, Doing.AWAY: 1, Doing.ASKED: 2, Doing.GOING: 2, Doing.AT_SCENE: 3}.get(standing.doing, 4)


def _lifting_gap(one: Responder) -> int:
    lifter, trained = bool(one.works(*LIFTERS)), Skill.LIFTING in one.skills
    return 0 if lifter and trained else 1 if lifter else 2 if trained else 3


def _speaks(one: Responder, language: str) -> bool:
    return language.lower() in {spoken.lower() for spoken in one.languages}


def _last_seen(one: Responder, now: datetime) -> Errand | None:
    """The home where they were last seen, where that is recent enough to say anything."""
    seen = [errand for errand in one.errands if errand.left_at and now - errand.left_at <= LAST_PLACE_COUNTS]
    return max(seen, key=lambda errand: errand.left_at or now, default=None)


def _far(need: Need, one: Responder, now: datetime) -> int:
    home, own = district_of(need.postcode), _districts(one, now)
    if home and home in own:
        return 0
    if home and area_of(home) in {area_of(district) for district in own}:
        return 1
    if need.council and need.council == one.council:
        return 2
    return 3 if not own and not one.council else 4


def _districts(one: Responder, now: datetime) -> list[str]:
    last = _last_seen(one, now)
    seen = district_of(last.postcode) if last else ""
    return [seen] if seen else [one.district] if one.district else []


# ---------------------------------------------------------------- the reasons


def _suggestion(need: Need, one: Responder, now: datetime) -> Suggestion:
    standing = one.standing(now)
    good: list[str] = []
    bad: list[str] = []
    (good if standing.doing is Doing.FREE else bad).append(
        "has been sent there already" if _sent_already(need, one) else standing.words(now)
    )
    for part in (_pairing, _lifting, _place, _skills):
        part(need, one, now, good, bad)
    return Suggestion(
        responder=one, standing=standing, available=_available(need, one, standing, now), reasons=tuple(good),
        against=tuple(bad),
    )  # fmt: skip


def _pairing(need: Need, one: Responder, now: datetime, good: list[str], bad: list[str]) -> None:
    if one.partner:
        good.append(f"goes with {one.partner}" + (", as two people are asked for here" if need.two_people else ""))
    elif need.two_people:
        bad.append("goes alone, and two people are asked for here")
    elif one.shift is not None:
        good.append("goes alone")


def _lifting(need: Need, one: Responder, now: datetime, good: list[str], bad: list[str]) -> None:
    if need.lifting is False or need.red_flags:
        return
    lifters = one.works(*LIFTERS)
    if lifters:
        names = " and ".join(sorted(KIT_WORDS[lifter.kind].lower() for lifter in lifters))
        good.append(f"has a {names}")
    elif faulty := [lifter for lifter in one.on_board(*LIFTERS) if lifter.fault]:
        bad.append(f"the {KIT_WORDS[faulty[0].kind].lower()} on board is faulty: {faulty[0].fault}")
    elif one.shift is not None and not one.shift.vehicle:
        bad.append("what is on board is not known")
    elif need.lifting:
        bad.append("no lifter on board")
    if Skill.LIFTING in one.skills:
        good.append("is trained to lift")
    elif need.lifting:
        bad.append("training to lift is not recorded")


def _place(need: Need, one: Responder, now: datetime, good: list[str], bad: list[str]) -> None:
    far, last = _far(need, one, now), _last_seen(one, now)
    own = _districts(one, now)
    if last is not None and last.left_at is not None and own == [district_of(last.postcode)]:
        where = f"was in {own[0]} {length(now - last.left_at)} ago"
    else:
        where = f"usually in {own[0]}" if own else ""
    match far:
        case 0:
            good.append(f"{where}, the same postcode district")
        case 1:
            good.append(f"{where}, the same postcode area")
        case 2:
            good.append(f"{where + ', ' if where else ''}of the same council")
        case 3:
            bad.append("where they are is not known")
        case _:
            bad.append(f"{where}, not near as far as is known" if where else f"usually in {one.council}, elsewhere")


def _skills(need: Need, one: Responder, now: datetime, good: list[str], bad: list[str]) -> None:
    if need.red_flags:
        if Skill.FIRST_AID in one.skills:
            good.append("knows first aid")
        if need.red_flags & _HEART and one.works(Kit.DEFIBRILLATOR):
            good.append("has a defibrillator")
    if need.language and _speaks(one, need.language):
        good.append(f"speaks {need.language}")
    if need.memory and Skill.DEMENTIA in one.skills:
        good.append("knows dementia")
    if not one.recorded:
        bad.append("what they can do is not recorded")


# ---------------------------------------------------------------- besides


def _warnings(need: Need, ranked: Sequence[Suggestion], first: Suggestion | None) -> Iterable[str]:
    if need.red_flags:
        yield "There are red flags: ring 999. Whoever goes does not lift."
    if first is None:
        yield "Nobody of the response team can be sent now, as far as is known."
        return
    if first.standing.doing is not Doing.FREE:
        yield "Nobody who suits this is free."
    if need.two_people and not first.responder.partner:
        yield "Two people are asked for here, and nobody works in a pair: send a second person too."
    if need.lifting and not need.red_flags and not first.responder.works(*LIFTERS):
        with_one = [one.responder.name for one in ranked if one.available and one.responder.works(*LIFTERS)]
        busy = f"; {with_one[0]} has one" if with_one else ""
        yield f"They need lifting, and {first.responder.name} has no lifter that works{busy}."
