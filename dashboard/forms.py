"""Forms of the alert page: what was entered, as a step of the alert's life or as a list of what is missing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError
from starlette.datastructures import FormData

from alerts.errors import Incomplete
from dashboard import steps, steps_help
from telecare.vocabulary import Outcome

Entered = dict[str, Any]
SOMEBODY_ELSE: Final = "else"  # of those who can be sent: nobody of the register


@dataclass(slots=True)
class Form:
    """A form as it comes back: which one, what was entered, and what is wrong with it, by field."""

    name: str = ""
    values: Entered = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip().replace("\r\n", "\n") if isinstance(value, str) else ""


def _note(entered: Entered) -> steps.Step:
    detail = steps.LogDetail(text=entered["text"], arrived_at=entered["arrived_at"])
    return steps.Log(what=entered["what"], detail=detail)


def _contact(entered: Entered) -> steps.Step:
    text = ": ".join(part for part in (entered["contact"], entered["text"]) if part)
    return steps.Log(what=entered["what"], detail=steps.LogDetail(text=text))


def _dispatch(entered: Entered) -> steps.Step:
    chosen = "" if entered["responder"] or entered["chosen"] == SOMEBODY_ELSE else entered["chosen"]
    return steps.Dispatch(
        responder=entered["responder"] or chosen, second=entered["second"], as_paired=bool(chosen), note=entered["note"]
    )


def _model(model: type[steps.Step]) -> Callable[[Entered], steps.Step]:
    return lambda entered: model.model_validate(
        {name: value for name, value in entered.items() if value not in ("", [])}
    )


# Each form's fields, and how a step is made of them. A field that ends in [] may be given several times.
FORMS: Final[dict[str, tuple[tuple[str, ...], Callable[[Entered], steps.Step]]]] = {
    "claim": ((), _model(steps.Claim)),
    "take-over": (("reason",), _model(steps.TakeOver)),
    "note": (("what", "text", "arrived_at"), _note),
    "contact": (("what", "contact", "text"), _contact),
    "notify": (("contact",), _model(steps.Notify)),
    "contact-there": (("contact",), _model(steps.ContactThere)),
    "stop-asking": ((), _model(steps.StopAsking)),
    "call": (("line", "contact"), _model(steps.StartCall)),
    "call-end": (("call", "result", "words"), _model(steps.EndCall)),
    "assess": (("cause", "on_floor", "red_flags[]", "decision", "reason"), _model(steps_help.Assess)),
    "script": (("question", "answer", "seen"), _model(steps_help.ScriptAnswer)),
    "emergency": (("service", "reference", "minutes", "access_told", "on_line"), _model(steps_help.CallService)),
    "service-news": (("call", "news", "minutes", "taken_to", "text"), _model(steps_help.ServiceNews)),
    "visit": (
        (
            "visit",
            "to",
            "second",
            "reason",
            "minutes",
            "brief_read",
            "how",
            "tried",
            "flags[]",
            "on_floor",
            "device",
            "after",
            "how_left",
            "confirmed_elsewhere",
            "report",
        ),
        _model(steps_help.VisitStep),
    ),
    "check-in": (("visit",), _model(steps_help.CheckIn)),
    "panic": (("visit",), _model(steps_help.Panic)),
    "agree": (("why",), _model(steps_help.Agree)),
    "wrap-up": (
        ("cause", "outcomes[]", "note", "kit_fault", "safeguarding", "falls_referral", "family_told", "follow_up"),
        _model(steps_help.WrapUp),
    ),
    "shelve": (("hours", "shelve_why"), _model(steps_help.Shelve)),
    "unshelve": ((), _model(steps_help.Unshelve)),
    "review": (("score", "words"), _model(steps_help.Review)),
    "dispatch": (("chosen", "responder", "second", "note"), _dispatch),
    "key-out": (("visit", "key", "taken_by", "witness"), _model(steps_help.KeyOut)),
    "safe": (("confirmed_by", "how"), _model(steps.Safe)),
    "release": (("reason",), _model(steps.Release)),
    "check-homes": (("homes[]", "all_left", "result", "words"), _model(steps.CheckHomes)),
    "close": (("cause", "outcomes[]", "confirmed_by", "how", "note", "seen_alarms"), _model(steps.Close)),
}


def closing_form(record: Mapping[str, Any], done: Iterable[Outcome]) -> Form:
    """The closing form of an alert as it begins: the cause and what was `done` as they were written down so far."""
    assessed = (record["assessment"] or {}).get("cause")
    outcomes = record["outcomes"] or [outcome.value for outcome in done]
    values = {"cause": record["cause"] or assessed or "", "outcomes": outcomes, "how": record["how"] or ""}
    return Form("close", values)


# Forms whose steps say themselves what is missing, each in words for its own case.
_SAYS_ITSELF: Final = frozenset(
    {"assess", "emergency", "service-news", "visit", "agree", "review", "key-out", "key-safe"}
)


def read_form(name: str, sent: FormData) -> Form:
    """What was entered into the form of this name."""
    fields, _ = FORMS[name]
    values: Entered = {
        one.removesuffix("[]"): [v for v in sent.getlist(one) if isinstance(v, str)]
        if one.endswith("[]")
        else _text(sent, one)
        for one in fields
    }
    return Form(name, values)


def step_of(form: Form) -> steps.Step | None:
    """The step that the form asks for, or None with the form's errors filled in."""
    try:
        return FORMS[form.name][1](form.values)
    except ValidationError as problem:
        note_problems(form, steps.field_problems(problem))
        return None


def note_problems(form: Form, problems: list[str] | Incomplete) -> None:
    """Put each problem at its field, in the form's own words."""
    for line in problems.problems if isinstance(problems, Incomplete) else problems:
        where, _, words = line.partition(": ")
        where = where.split(".")[0] if where.startswith("outcomes") else where
        name = where.removeprefix("detail.")
        known = steps.FORM_WORDS.get(where) or steps.FORM_WORDS.get(f"detail.{name}")
        too_long = "at most" in words and len(form.values.get(name, "")) > 0
        own = isinstance(problems, Incomplete) and (form.name in _SAYS_ITSELF or where == "confirmed_by")
        specific = words if own or too_long or "cannot stand" in words else None
        form.errors.setdefault(name, _sentence(specific or known or words))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
