"""At which level an alarm is answered, and when a level rises: a council's policy. Pure.

The order of levels is the policy's and not the device's; a level rises with age, presses and time on the floor, and
never falls by itself (docs/operators.md, rules A1 and A2 after the order of work of a monitoring centre).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from telecare.vocabulary import KIND_WORDS, PRIORITY_WORDS, TECHNICAL, Kind, Priority

# Somebody who calls, and what may cost a life: never below level 2 (a constraint of the database too, levels_hold).
GRAVE: Final = frozenset(
    {
        Kind.FALL, Kind.SMOKE, Kind.HEAT, Kind.CARBON_MONOXIDE, Kind.GAS, Kind.SEIZURE, Kind.PANIC, Kind.PERSON_DOWN,
        Kind.BUTTON, Kind.PULL_CORD, Kind.BOGUS_CALLER, Kind.INTRUDER,
        Kind.UNKNOWN,  # it may be a press
    }
)  # fmt: skip
# What a policy gives a level: all but equipment, which is always level 4, and its tests, which nobody answers.
DECIDED: Final = tuple(kind for kind in Kind if kind not in TECHNICAL and kind is not Kind.TEST)
PRESSES: Final = frozenset({Kind.BUTTON, Kind.PULL_CORD, Kind.PANIC, Kind.BOGUS_CALLER})  # made by a person's hand

MINUTES: Final = (1, 1440)  # what a policy may say
PRESSES_LIMIT: Final = (1, 20)
_INFLATED: Final = 0.5  # with more than this share of kinds at level 1, level 1 says nothing
_RISING: Final = (Priority.ATTENTION, Priority.URGENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Levels by kind of alarm, and what raises them. None: that raises nothing."""

    levels: Mapping[Kind, Priority]
    possible_fall: Priority
    rise_from_3_min: int | None = None  # minutes for which nobody claims it
    rise_from_2_min: int | None = None
    repeat_presses: int | None = None  # so many further presses raise it by one
    on_floor_min: int | None = None  # so many minutes on the floor make it level 1

    def rise_after(self, level: Priority) -> timedelta | None:
        """How long an alert of this level may wait unclaimed before it rises."""
        minutes = {Priority.ATTENTION: self.rise_from_3_min, Priority.URGENT: self.rise_from_2_min}.get(level)
        return None if minutes is None else timedelta(minutes=minutes)


@dataclass(frozen=True, slots=True)
class Edition:
    """A version of a council's policy, or of the service's own. It never changes."""

    id: int | None  # None: the built-in one
    council: str | None  # its name; None: the service's own
    version: int
    policy: Policy

    @property
    def name(self) -> str:
        """As it stands on every alert."""
        return f"{self.council or 'Service'} {self.version}"


_EMERGENCY: Final = frozenset(
    {Kind.FALL, Kind.SMOKE, Kind.HEAT, Kind.CARBON_MONOXIDE, Kind.GAS, Kind.SEIZURE, Kind.PANIC, Kind.PERSON_DOWN}
)
_URGENT: Final = (GRAVE - _EMERGENCY) | {Kind.FLOOD}


def _first_level(kind: Kind) -> Priority:
    if kind in _EMERGENCY:
        return Priority.EMERGENCY
    return Priority.URGENT if kind in _URGENT else Priority.ATTENTION


# Age raises no press to level 1: on a bad night all that wait would stand before somebody who falls just now.
FIRST: Final = Edition(
    None,
    None,
    1,
    Policy(
        levels={kind: _first_level(kind) for kind in DECIDED},
        possible_fall=Priority.URGENT,  # with the presses
        rise_from_3_min=10,
        repeat_presses=2,
        on_floor_min=30,  # a lie of an hour is tied to serious injury: half of it
    ),
)


def level(policy: Policy, kind: Kind, *, possible: bool = False) -> Priority:
    """The level at which an alarm of this kind is answered; `possible`: it may be a fall, and no more than that."""
    if kind in TECHNICAL:
        return Priority.TECHNICAL
    if possible:
        return policy.possible_fall
    # What a policy does not know (a kind of later) is urgent: it may be a press.
    return policy.levels.get(kind, Priority.URGENT)


# ---------------------------------------------------------------- what a policy may say


def problems(policy: Policy) -> dict[str, str]:
    """Why a policy may not stand, by the field: a kind, 'possible-fall', or a name of `Policy`. Empty when it may."""
    found = {kind.value: words for kind, given in policy.levels.items() if (words := _level_problem(kind, given))}
    found |= {kind.value: f"{KIND_WORDS[kind]}: choose a level" for kind in DECIDED if kind not in policy.levels}
    if policy.possible_fall > Priority.URGENT:
        found["possible-fall"] = "A possible fall is never below level 2: it may be a fall"
    for name, (least, most), unit in (
        ("rise_from_3_min", MINUTES, "minutes"),
        ("rise_from_2_min", MINUTES, "minutes"),
        ("repeat_presses", PRESSES_LIMIT, "presses"),
        ("on_floor_min", MINUTES, "minutes"),
    ):
        value: int | None = getattr(policy, name)
        if value is not None and not least <= value <= most:
            found[name] = f"Enter a whole number of {unit} from {least} to {most}, or nothing"
    return found


def _level_problem(kind: Kind, given: Priority) -> str | None:
    words = KIND_WORDS[kind]
    if kind in TECHNICAL:
        return None if given is Priority.TECHNICAL else f"{words} is about equipment, and stays at level 4"
    if given is Priority.TECHNICAL:
        return f"{words} needs a person: it is never level 4, which nobody hears"
    if kind in GRAVE and given > Priority.URGENT:
        return f"{words} may be a life: it is never below level 2"
    return None


def warnings(policy: Policy) -> list[str]:
    """What should be thought about before a policy is kept."""
    top = [kind for kind in DECIDED if policy.levels.get(kind) is Priority.EMERGENCY]
    found = []
    if len(top) > _INFLATED * len(DECIDED):
        found.append(
            f"{len(top)} of {len(DECIDED)} kinds would be emergencies. Where most is level 1, level 1 says nothing: "
            "about 5% of alerts at level 1 and 15% at level 2 is the yardstick (EEMUA 191)."
        )
    if policy.rise_from_2_min is not None:
        found.append(
            "Presses that wait would become emergencies by age alone. On a bad night they all stand before "
            "somebody who falls just then."
        )
    if policy.repeat_presses is None and policy.on_floor_min is None and policy.rise_from_3_min is None:
        found.append(
            "Nothing would raise a level any more: neither waiting, nor pressing again, nor lying on the floor."
        )
    return found


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a new policy says otherwise."""

    what: str
    before: str
    after: str
    field: str


_RISE_WORDS: Final = {
    "rise_from_3_min": ("Level 3, unclaimed, rises to 2 after", "min"),
    "rise_from_2_min": ("Level 2, unclaimed, rises to 1 after", "min"),
    "repeat_presses": ("Rises by one after further presses", ""),
    "on_floor_min": ("On the floor, becomes level 1 after", "min"),
}


def differences(old: Policy, new: Policy) -> list[Difference]:
    """What changes, in words, kinds first."""
    found = []
    for kind in DECIDED:
        before, after = level(old, kind), level(new, kind)
        if before is not after:
            found.append(Difference(KIND_WORDS[kind], _said(before), _said(after), kind.value))
    if old.possible_fall is not new.possible_fall:
        found.append(Difference("Possible fall", _said(old.possible_fall), _said(new.possible_fall), "possible-fall"))
    for name, (words, unit) in _RISE_WORDS.items():
        before_, after_ = getattr(old, name), getattr(new, name)
        if before_ != after_:
            found.append(Difference(words, _amount(before_, unit), _amount(after_, unit), name))
    return found


def _said(given: Priority) -> str:
    return f"{int(given)} {PRIORITY_WORDS[given]}"


def _amount(value: int | None, unit: str) -> str:
    return "never" if value is None else f"{value} {unit}".strip()


# ---------------------------------------------------------------- rising


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an open alert on which its level depends."""

    level: Priority
    level_since: datetime  # when it came to this level
    waiting_since: datetime | None  # since when nobody has it; None: somebody has
    presses: int = 0  # after the first
    floor_since: datetime | None = None  # None: not on the floor, as far as is known


@dataclass(frozen=True, slots=True)
class Rise:
    """The level as it must be now, why it is another than before, and when it would next rise by itself."""

    level: Priority
    level_since: datetime
    why: tuple[str, ...]
    at: datetime | None


def rise(policy: Policy, alert: Facts, now: datetime) -> Rise:
    """Raise a level as far as its time has come. It never falls, and equipment stays where it is."""
    reached, since, why = alert.level, alert.level_since, list[str]()
    if reached is Priority.TECHNICAL:
        return Rise(reached, since, (), None)
    while (due := _aged_at(policy, reached, since, alert.waiting_since)) is not None and due <= now:
        why.append(f"nobody has claimed it for {_minutes(policy.rise_after(reached))} at level {int(reached)}")
        reached, since = Priority(reached - 1), due
    if _above(reached) and policy.repeat_presses is not None and alert.presses >= policy.repeat_presses:
        again = "once more" if alert.presses == 1 else f"{alert.presses} times more"
        why.append(f"pressed {again}")
        reached, since = Priority(reached - 1), now
    floor = _floor_at(policy, alert.floor_since)
    if _above(reached) and floor is not None and floor <= now:
        why.append(f"on the floor for {policy.on_floor_min} minutes")
        reached, since = Priority.EMERGENCY, now
    if not _above(reached):
        return Rise(reached, since, tuple(why), None)
    instants = [at for at in (_aged_at(policy, reached, since, alert.waiting_since), floor) if at is not None]
    return Rise(reached, since, tuple(why), min(instants, default=None))


def _above(reached: Priority) -> bool:
    """Whether there is a level above this one, for a person."""
    return reached in _RISING


def _aged_at(policy: Policy, reached: Priority, since: datetime, waiting: datetime | None) -> datetime | None:
    after = policy.rise_after(reached)
    return None if after is None or waiting is None else max(since, waiting) + after


def _floor_at(policy: Policy, floor_since: datetime | None) -> datetime | None:
    if policy.on_floor_min is None or floor_since is None:
        return None
    return floor_since + timedelta(minutes=policy.on_floor_min)


def _minutes(length: timedelta | None) -> str:
    minutes = int((length or timedelta()).total_seconds() // 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
