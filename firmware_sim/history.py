"""A year that is over: people of two councils, why their alarms went off, how soon somebody came, how reablement ended.

A pure function of (seed, number of people, last day): nobody in it ever lived. Rates and mix after published figures: 2
to 2.5 alarm calls for each person and month, some 6 % of them serious, half ordinary care and help, 2 to 7 % needing an
ambulance. What services forget is in it too: arrivals that nobody wrote down, people whom nobody asked on day 91.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from firmware_sim import residents
from telecare.past import Load, PastCase, PastEpisode, PastPerson, PastStep, Record

LONDON: Final = ZoneInfo("Europe/London")
YEAR_DAYS: Final = 395  # twelve complete months, and the one that is running
CALLS_A_MONTH: Final = 2.3
NOTE: Final = "Simulated: this person is in the demonstration's past year only."


@dataclass(frozen=True, slots=True)
class Council:
    """How a simulated council's service answers."""

    name: str
    prefix: str  # of its references
    town: str
    postcode: str
    answer_s: float  # median
    answer_spread: float  # sigma of its logarithm
    slow: float  # share of answers that take minutes
    on_site_min: float  # median
    arrivals_recorded: float  # share


COUNCILS: Final = (
    Council("Anytown Council", "AT", "Anytown", "AN", 21, 0.48, 0.006, 27, 0.92),
    Council("Otherham Council", "OH", "Otherham", "OT", 25, 0.53, 0.016, 33, 0.78),
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an alarm goes off: how often, what is sent, how many are visited, how many need an ambulance."""

    name: str
    weight: float
    kind: str = "button"
    visited: float = 0.02
    ambulance: float = 0.0
    outcome: str = "reassured"


CAUSES: Final = (
    Cause("accidental", 27, outcome="no-help-needed"),
    Cause("reassurance", 21),
    Cause("personal-help", 21, visited=0.2, outcome="contact-informed"),
    Cause("staff-visit", 5, outcome="no-help-needed"),
    Cause("fall-up", 6, "fall", visited=0.35, outcome="responder-attended-no-lift"),
    Cause("fall-on-floor", 5, "fall", visited=0.95, ambulance=0.2, outcome="responder-lifted"),
    Cause("near-fall", 3, visited=0.1),
    Cause("cannot-get-up", 2.5, visited=0.95, ambulance=0.06, outcome="responder-lifted"),
    Cause("other-illness", 3, visited=0.15, ambulance=0.25, outcome="gp-or-111"),
    Cause("chest-or-heart", 0.8, ambulance=0.85),
    Cause("breathing", 0.8, ambulance=0.7),
    Cause("no-movement", 2, "inactivity", visited=0.3, outcome="contact-informed"),
    Cause("fire-or-smoke", 0.4, "smoke", visited=0.2, outcome="fire-service"),
    Cause("not-known", 1.0, visited=0.8, outcome="left-no-reply-confirmed-elsewhere"),
    Cause("other", 1.5, outcome="information"),
)
_STREETS: Final = ("Mill Lane", "Station Road", "Chapel Street", "Orchard Close", "Victoria Terrace", "Church Walk")
_ROOMS: Final = ("bathroom", "bedroom", "kitchen", "hall", "living")
_GOALS: Final = (
    "Get to the shop on the corner and back on my own", "Have a bath without somebody watching me",
    "Make my own dinner again, a proper one", "Get up the stairs to my own bed",
    "Go to church on Sunday", "Put my stockings on by myself", "Not be frightened of falling when I get up at night",
    "Walk the dog round the green", "Be able to get out into the garden", "Feel like myself again",
    "Dosette box: do my tablets without the nurse", "Get on the bus to my sister's",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Life:
    """What the simulator knows of somebody."""

    person: PastPerson
    council: Council
    calls_a_month: float


def year(seed: int, people: int, until: date) -> Iterator[Record]:
    """Everything that happened in the year before `until`, first what the file is."""
    rng = random.Random(f"past year {seed} {people}")
    lives = [_life(rng, number, people) for number in range(1, people + 1)]
    episodes = [episode for life in lives for episode in _episodes(rng, life, until)]
    cases = sorted(
        (case for life in lives for case in _cases(rng, life, until)), key=lambda case: (case.raised_at, case.name)
    )
    records: list[Record] = [*(life.person for life in lives), *episodes, *cases]
    yield Load(name=f"simulated year {seed}", until=until, total=len(records))
    yield from records


# ---------------------------------------------------------------- people


def _life(rng: random.Random, number: int, people: int) -> Life:
    council = COUNCILS[0] if number <= (people + 1) // 2 else COUNCILS[1]
    who = residents.resident(rng, residents.surname(rng), woman=rng.random() < 0.66)
    born = who.born
    if born is not None and rng.random() < 0.05:
        born = date(born.year + 27, born.month, min(born.day, 28))  # some are not yet 65
    person = PastPerson(
        council=council.name,
        reference=f"{council.prefix}-{number:04d}",
        name=who.name,
        address=f"{rng.randint(1, 120)} {rng.choice(_STREETS)}, {council.town}",
        postcode=f"{council.postcode}{rng.randint(1, 9)} {rng.randint(1, 9)}{rng.choice('ABDE')}{rng.choice('JLNPQ')}",
        born=None if rng.random() < 0.02 else born,
        notes=NOTE,
    )
    return Life(person, council, CALLS_A_MONTH * rng.lognormvariate(-0.18, 0.6))  # a few call very often


# ---------------------------------------------------------------- alerts


def _cases(rng: random.Random, life: Life, until: date) -> Iterator[PastCase]:
    number = 0
    last = datetime.combine(until, time(), LONDON).astimezone(UTC)
    for ago in range(YEAR_DAYS, 0, -1):
        day = until - timedelta(days=ago)
        winter = 1.15 if day.month in (12, 1, 2) else 0.96
        if rng.random() >= life.calls_a_month / 30.4 * winter:
            continue
        number += 1
        case = _case(rng, life, number, _instant(rng, day))
        if case.closed_at < last:
            yield case


def _instant(rng: random.Random, day: date) -> datetime:
    """A time of day: most alarms go off between getting up and going to bed."""
    hour = rng.choice((*range(24), *range(7, 22), *range(7, 22), 7, 8, 9, 10, 18, 19, 20, 21))
    local = datetime.combine(day, time(hour, rng.randrange(60), rng.randrange(60)), LONDON)
    return local.astimezone(UTC)


def _case(rng: random.Random, life: Life, number: int, raised_at: datetime) -> PastCase:
    (cause,) = rng.choices(CAUSES, weights=[cause.weight for cause in CAUSES])
    council = life.council
    answer_s = rng.lognormvariate(0, council.answer_spread) * council.answer_s
    if rng.random() < council.slow:
        answer_s = rng.uniform(75, 420)
    answered_at = raised_at + timedelta(seconds=round(answer_s, 1))
    by = f"desk-{rng.randint(1, 6)}"
    now = answered_at + timedelta(seconds=rng.uniform(60, 420))
    steps = [PastStep(at=now, who=by, what="assessed", detail={"text": f"Spoke through the unit: {cause.name}."})]
    outcomes, confirmed, how = [cause.outcome], "person", "Told the operator so"
    if rng.random() < cause.visited:
        now = _visit(rng, council, by, now, steps)
        confirmed, how = "someone-on-site", "The responder was with them"
    elif cause.outcome.startswith("responder") or cause.name == "not-known":
        outcomes, confirmed, how = ["contact-attending"], "someone-on-site", "A contact was with them"
    if rng.random() < cause.ambulance:
        now += timedelta(seconds=rng.uniform(60, 300))
        steps.append(PastStep(at=now, who=by, what="emergency-service", detail={"text": "999 called"}))
        now += timedelta(minutes=rng.uniform(15, 120))
        taken = rng.random() < 0.6
        outcomes = ["ambulance-called", "ambulance-attended", *(["ambulance-conveyed"] if taken else [])]
        confirmed, how = "crew", "The crew was with them"
    return PastCase(
        council=council.name,
        person=life.person.reference,
        name=f"{life.person.reference}/{number}",
        kind=cause.kind,
        raised_at=raised_at,
        closed_at=now + timedelta(seconds=rng.uniform(20, 240)),
        cause=cause.name,
        outcomes=outcomes,
        confirmed_by=confirmed,
        how=how,
        device="smoke-1" if cause.kind == "smoke" else "detector" if cause.kind == "inactivity" else "pendant-1",
        location=rng.choice(_ROOMS) if rng.random() < 0.5 else None,
        answered_at=answered_at,
        answered_by=by,
        steps=steps,
    )


def _visit(rng: random.Random, council: Council, by: str, now: datetime, steps: list[PastStep]) -> datetime:
    """Somebody is sent and comes; when the visit was written down."""
    car = f"Car {rng.randint(1, 4)}"
    steps.append(PastStep(at=now, who=by, what="dispatched", detail={"responder": car, "note": ""}))
    arrived = now + timedelta(minutes=rng.lognormvariate(0, 0.36) * council.on_site_min)
    detail: dict[str, Any] = {"text": f"{car} with them"}
    if rng.random() < council.arrivals_recorded:
        detail["arrived_at"] = arrived.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    now = arrived + timedelta(minutes=rng.uniform(10, 45))
    steps.append(PastStep(at=now, who=by, what="visit", detail=detail))
    return now


# ---------------------------------------------------------------- reablement


def _episodes(rng: random.Random, life: Life, until: date) -> Iterator[PastEpisode]:
    start = until - timedelta(days=YEAR_DAYS) + timedelta(days=rng.randrange(1, YEAR_DAYS))
    for chance in (0.88, 0.12):  # few come back within the year
        if rng.random() >= chance or start >= until:
            return
        fields, ended = _episode(rng, start, until)
        yield PastEpisode(council=life.council.name, person=life.person.reference, fields=fields)
        if ended is None or fields["sequel"] == "died":
            return
        start = ended + timedelta(days=rng.randint(20, 160))


def _pick(rng: random.Random, chances: Sequence[tuple[str, float]]) -> str:
    (found,) = rng.choices([name for name, _ in chances], weights=[weight for _, weight in chances])
    return found


_REASONS: Final = (("hospital-discharge", 74), ("fall", 10), ("illness", 7), ("carer-crisis", 3), ("review", 6))
_ENDS: Final = (("completed", 85), ("hospital", 6), ("care-home", 3), ("died", 3), ("declined", 3))
_SEQUELS: Final = {
    "completed": (("none", 46), ("universal", 12), ("low-level", 17), ("short-term", 4), ("long-term", 18),
                  ("self-funded", 3)),
    "hospital": (("hospital", 80), ("early-cessation", 20)),
    "care-home": (("care-home", 100),),
    "died": (("died", 100),),
    "declined": (("declined", 60), ("early-cessation", 40)),
}  # fmt: skip
_DAY_91: Final = {
    "completed": (("home", 87), ("hospital", 4), ("care-home", 2), ("died", 2), ("not-reached", 5)),
    "hospital": (("home", 45), ("hospital", 18), ("care-home", 14), ("died", 18), ("not-reached", 5)),
    "care-home": (("care-home", 80), ("home", 6), ("died", 14)),
    "died": (("died", 100),),
    "declined": (("home", 62), ("hospital", 8), ("not-reached", 30)),
}


def _episode(rng: random.Random, start: date, until: date) -> tuple[dict[str, str], date | None]:
    """An episode's fields, and its last day where it has ended."""
    fields = {"reason": _pick(rng, _REASONS), "started_on": start.isoformat()}
    gain = rng.gauss(3, 2.2)
    at_start = min(18, max(3, round(rng.gauss(12, 3))))
    care = max(0.0, round(rng.gauss(9, 4) * 2) / 2)
    measured = {"barthel": at_start, "sct4_control": rng.choice((2, 3, 3, 4)), "sct4_safety": rng.choice((2, 3, 3, 4))}
    for name, value in measured.items():
        if rng.random() < 0.85:
            fields[f"{name}_start"] = str(value)
    if rng.random() < 0.9:
        fields["care_hours_start"] = f"{care:g}"
    goals = rng.sample(_GOALS, rng.choice((1, 2, 2, 3)))
    for place, goal in enumerate(goals, start=1):
        fields[f"goal_{place}"] = goal
    end = start + timedelta(days=min(60, max(6, round(rng.gauss(36, 9)))))
    how = _pick(rng, _ENDS)
    if end >= until:
        return fields, None
    fields |= {"ended_on": end.isoformat(), "end_reason": how, "sequel": _pick(rng, _SEQUELS[how])}
    if how == "completed":
        _measure_end(rng, fields, at_start, gain, care, len(goals))
    due = start + timedelta(days=91)
    asked = due + timedelta(days=rng.randint(0, 9))
    if how != "died" and asked < until and rng.random() < 0.93:  # the others nobody has asked
        fields |= {"day91": _pick(rng, _DAY_91[how]), "day91_asked_on": asked.isoformat(),
                   "day91_asked_by": "Reablement team"}  # fmt: skip
    return fields, end


def _measure_end(
    rng: random.Random, fields: dict[str, str], at_start: int, gain: float, care: float, goals: int
) -> None:
    if rng.random() < 0.72:
        fields["barthel_end"] = str(min(20, max(2, round(at_start + gain))))
    for name in ("sct4_control", "sct4_safety"):
        if rng.random() < 0.68:
            fields[f"{name}_end"] = str(rng.choice((1, 2, 2, 3)))
    if rng.random() < 0.8:
        fields["care_hours_end"] = f"{max(0.0, round((care - abs(gain) * 1.6) * 2) / 2):g}"
    for place in range(1, goals + 1):
        if rng.random() < 0.86:
            fields[f"goal_{place}_reached"] = _pick(rng, (("yes", 62), ("partly", 24), ("no", 14)))
