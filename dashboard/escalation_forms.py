"""Forms of the escalation plan: what was entered, as contacts, windows and absences, or what is wrong. Pure."""

import re
from datetime import date, time
from typing import Any, Final

from starlette.datastructures import FormData

from dashboard.forms import Form
from telecare.register.contacts import NewContact
from telecare.rota import CHANNEL_WORDS, DAYS, Absence, Window, window_problem

_CLOCK: Final = re.compile(r"(\d{1,2})[:.]([0-5]\d)")
_DAY: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
NIGHTS: Final = {
    "unasked": "Not asked yet: they are asked at night too",
    "yes": "Agreed to be called at night",
    "no": "Is not to be called at night",
}
TEXTS: Final = ("name", "relationship", "phone", "email", "language", "night_said", "quiet_from", "quiet_until")


def contact_form(name: str, contact: dict[str, Any] | None) -> Form:
    """A contact as the form shows them; an empty form for a new one."""
    if contact is None:
        return Form(name, dict.fromkeys(TEXTS, "") | _EMPTY)
    night = "no" if not contact["at_night"] else "yes" if contact["night_said"] else "unasked"
    values = {field: contact[field] for field in TEXTS}
    values |= {field: f"{contact[field]:%H:%M}" for field in ("quiet_from", "quiet_until")}
    ticked = {field: "yes" if contact[field] else "" for field in ("has_key", "under_18")}
    return Form(name, values | ticked | {"night": night, "channels": list(contact["channels"])})


_EMPTY: Final = {
    "language": "English", "quiet_from": "22:00", "quiet_until": "07:00", "has_key": "", "under_18": "",
    "night": "unasked", "channels": [channel.value for channel in CHANNEL_WORDS],
}  # fmt: skip


def contact_from(name: str, sent: FormData) -> tuple[Form, NewContact | None]:
    """What was entered about a contact; None where something is wrong, which the form then says."""
    form = Form(name, {field: _text(sent, field) for field in (*TEXTS, "has_key", "under_18", "night")})
    values = form.values
    values["channels"] = _several(sent, "channels[]")
    quiet = {field: _time(form, field) for field in ("quiet_from", "quiet_until")}
    if values["night"] not in NIGHTS:
        form.errors["night"] = "Choose whether they may be called at night"
    elif values["night"] != "unasked" and not values["night_said"] and not values["under_18"]:
        form.errors["night_said"] = "Write down how they said so, and when"
    texts = {field: values[field] for field in ("name", "relationship", "phone", "email", "language")}
    new = NewContact(
        **texts,
        has_key=values["has_key"] == "yes",
        under_18=values["under_18"] == "yes",
        at_night=values["night"] != "no" and values["under_18"] != "yes",
        night_said="" if values["night"] == "unasked" else values["night_said"],
        quiet_from=quiet["quiet_from"] or time(22),
        quiet_until=quiet["quiet_until"] or time(7),
        channels=tuple(values["channels"]),
    )
    for field, words in new.problems().items():
        form.errors.setdefault(field, words)
    return form, None if form.errors else new


def window_from(name: str, sent: FormData) -> tuple[Form, Window | None]:
    """A window of a rota as it was entered."""
    form = Form(name, {field: _text(sent, field) for field in ("from", "until")})
    form.values["days"] = _several(sent, "days[]")
    form.values["on_holidays"] = "no" if _text(sent, "on_holidays") == "no" else "yes"
    begin, end = (_minutes(form, field) for field in ("from", "until"))
    days = frozenset(int(one) for one in form.values["days"] if one in _DAY_VALUES)
    if not days:
        form.errors["days"] = "Choose one day or more"
    if begin is None or end is None or form.errors:
        return form, None
    until = end if end > begin else end + 1440 if end < begin else end
    window = Window(days, begin, until, form.values["on_holidays"] == "yes")
    if problem := window_problem(window):
        form.errors["until"] = problem
        return form, None
    return form, window


_DAY_VALUES: Final = {str(number) for number in range(1, 8)}
DAY_ITEMS: Final = [{"value": str(number), "text": name} for number, name in enumerate(DAYS, start=1)]
CHANNEL_ITEMS: Final = [{"value": one.value, "text": words.capitalize()} for one, words in CHANNEL_WORDS.items()]


def absence_from(name: str, sent: FormData) -> tuple[Form, Absence | None]:
    """Days of absence as they were entered."""
    form = Form(name, {field: _text(sent, field) for field in ("first", "last", "why")})
    first, last = (day_of(form, field) for field in ("first", "last"))
    if not form.values["why"]:
        form.errors["why"] = "Write down why, like: holiday"
    if first and last and last < first:
        form.errors["last"] = "The last day is before the first"
    if first is None or last is None or form.errors:
        return form, None
    return form, Absence(first, last, form.values["why"])


def _several(sent: FormData, field: str) -> list[str]:
    return [one for one in sent.getlist(field) if isinstance(one, str)]


def _text(sent: FormData, field: str) -> str:
    value = sent.get(field, "")
    return value.strip().replace("\r\n", "\n") if isinstance(value, str) else ""


def _minutes(form: Form, field: str) -> int | None:
    """Minutes after midnight; 24:00 is the end of a day."""
    match = _CLOCK.fullmatch(form.values[field])
    minutes = int(match[1]) * 60 + int(match[2]) if match else -1
    if not 0 <= minutes <= 1440:
        form.errors[field] = "Enter a time of day, like 7:30 or 22:00"
        return None
    return minutes


def _time(form: Form, field: str) -> time | None:
    minutes = _minutes(form, field)
    return None if minutes is None else time(minutes // 60 % 24, minutes % 60)


def day_of(form: Form, field: str) -> date | None:
    """A day as it was entered; None where it is none, which the form then says."""
    match = _DAY.fullmatch(form.values[field])
    try:
        if match:
            return date(int(match[3]), int(match[2]), int(match[1]))
    except ValueError:
        pass
    form.errors[field] = "Enter a day, like 27/3/2027"
    return None
