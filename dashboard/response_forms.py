"""Forms of the response team: times by the clock on the wall, and what a responder brings. Pure."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from alerts.errors import Incomplete
from alerts.responders_store import Brings
from alerts.responding import Responder, Skill
from alerts.visits import arrival_at
from dashboard.forms import Form
from dashboard.pages_plans import instant_from
from telecare.wall_clock import instant_of

ZONE: Final = ZoneInfo("Europe/London")  # of the team, which serves every council
_TIME: Final = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)", re.ASCII)


def text_of(sent: FormData, name: str) -> str:
    """What was typed into a field."""
    value = sent.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def time_ahead(text: str, now: datetime, zone: ZoneInfo = ZONE) -> datetime:
    """The next time at which a clock on the wall shows this, or a day with a time.

    Raises:
        ValueError: it is neither.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        try:
            return instant_from(text, zone)
        except ValueError as problem:
            raise ValueError("Enter a time of day, like 22:00, or a day and a time, like 27/3/2027 22:00") from problem
    today, minutes = now.astimezone(zone).date(), int(match[1]) * 60 + int(match[2])
    ahead = (instant_of(today + timedelta(days=days), minutes, zone) for days in (0, 1))
    return next((at for at in ahead if at > now), now)


def time_behind(text: str, since: datetime, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When something was, between `since` and now; None where nothing was entered.

    Raises:
        ValueError: it was not then.
    """
    if not text:
        return None
    try:
        return arrival_at(text, since, now, zone)
    except ValueError as problem:
        raise ValueError("Enter a time of day between when it was taken and now, like 14:35") from problem


def id_of(text: str) -> UUID | None:
    """An id that was chosen; None where none was.

    Raises:
        ValueError: it is none.
    """
    return UUID(text) if text else None


def brings_form(one: Responder) -> Form:
    """What a responder brings, as the form shows it."""
    return Form(
        f"brings-{one.username}",
        {
            "skills": sorted(one.skills),
            "languages": ", ".join(one.languages),
            "place": one.place,
            "district": one.district,
            "council": one.council,
        },
    )


def brings_from(username: str, sent: FormData) -> tuple[Form, Brings]:
    """What was entered; skills that there are not are left out."""
    values: dict[str, Any] = {name: text_of(sent, name) for name in ("languages", "place", "district", "council")}
    values["skills"] = [one for one in sent.getlist("skills[]") if one in set(Skill)]
    languages = [one.strip() for one in values["languages"].split(",") if one.strip()]
    texts = {name: values[name] for name in ("place", "district", "council")}
    return Form(f"brings-{username}", values), Brings(
        skills=[Skill(one) for one in values["skills"]], languages=languages, **texts
    )


def read(form: Form, name: str, how: Callable[[str], Any]) -> Any:
    """A field by `how`; where that raises ValueError, its words stand at the field."""
    try:
        return how(form.values[name])
    except ValueError as problem:
        form.errors[name] = str(problem)
        return None


def note(form: Form, problem: Incomplete) -> None:
    """Put each problem at its field."""
    for line in problem.problems:
        name, _, words = line.partition(": ")
        form.errors.setdefault(name, words[:1].upper() + words[1:])
