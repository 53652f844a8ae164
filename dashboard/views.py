"""Pages: the templates, and the words in which records are shown."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChainableUndefined, ChoiceLoader, Environment, PackageLoader, PrefixLoader

from alerts.calls import BY_HAND, RESULT_WORDS, Result
from alerts.emergency import NEWS_WORDS
from alerts.incidents.checks import CHECK_WORDS
from alerts.knowing import DECISION_WORDS
from alerts.responding import KIT_WORDS, SKILL_WORDS
from alerts.tasks import TASK_WORDS, TaskKind
from alerts.visiting import ISTUMBLE, NEXT, STEP_WORDS, VISIT_WORDS
from dashboard.access import HAVE_SCREENS, HEAR_TROUBLES, SEARCH, navigation
from dashboard.compiled import Compiled
from dashboard.fall_svg import NARROW, draw
from dashboard.fall_trace import sentence, table
from dashboard.fall_words import rest_of
from dashboard.static import StaticFiles
from dashboard.troubles import Shout
from telecare.clock import parse_instant
from telecare.settings import Settings
from telecare.vocabulary import (
    CAUSE_WORDS,
    CONFIRMED_BY_WORDS,
    OUTCOME_WORDS,
    PERSON_STATE_WORDS,
    PRIORITY_WORDS,
    Cause,
    ConfirmedBy,
    Kind,
    Outcome,
    PersonState,
    Priority,
    Role,
    title_of,
)

ZONE: Final = "Europe/London"

LOG_WORDS: Final = {
    "raised": "Alert raised",
    "alarm-joined": "Another alarm joined",
    "repeated": "Pressed again",
    "re-sounded": "Sounded again for everyone",
    "escalated-supervisor": "Escalated to the supervisor",
    "escalated-second-site": "Escalated to the second site",
    "breached": "Not answered in time",
    "claimed": "Claimed",
    "claim-expired": "Claim ran out",
    "released": "Put back into the queue",
    "taken-over": "Taken over",
    "note": "Note",
    "contact-tried": "Tried to reach",
    "contact-answered": "Reached",
    "assessed": "Assessed",
    "notified": "Contact told",  # or somebody on call: `log_title`
    "notify-failed": "Contact could not be told",
    "answered": "Contact answered",
    "dispatched": "Sent",
    "visit": "Visit",
    "emergency-service": "Emergency service",
    "welfare-due": "Welfare check due",
    "announced": "Said to the person through the unit",
    "safe": "Person safe",
    "wrapped-up": "Wrapped up",
    "closed": "Closed",
    "reviewed": "Reviewed",
    "reopened": "Opened again",
    "corrected": "Corrected",
}
STATE_WORDS: Final = {
    "raised": "Waiting",
    "claimed": "Claimed",
    "contacting": "Trying to reach the person",
    "assessed": "Assessed",
    "acting": "Asking for help",
    "watching": "Help is under way",
    "safe": "Person safe",
    "wrap-up": "Person safe, written up",
    "closed": "Closed",
    "reviewed": "Reviewed",
}
CHANNEL_WORDS: Final = {"sms": "Text message", "email": "E-mail", "push": "Push message", "voice": "Call by machine"}
MESSAGE_WORDS: Final = {
    "pending": "waiting to be sent",
    "sending": "being sent",
    "sent": "sent; not yet said to have arrived",
    "delivered": "arrived",
    "failed": "could not be sent",
    "stale": "not said to have arrived, or no longer needed",
}
TROUBLE_WORDS: Final = {"silent": "silent", "mains": "without mains power", "network": "on the second network"}
ANNOUNCED_WORDS: Final = {
    "help-is-coming": "“Help is coming”",
    "answered": "“An operator is with you”",
    "on-the-way": "“Someone is on the way”",
    "closed": "“The call has ended”",
}


class Pages:
    """Renders pages."""

    def __init__(
        self,
        settings: Settings,
        static: StaticFiles,
        shouts: Callable[[], Sequence[Shout]],
        tasks_due: Callable[[], tuple[int, int]],
        strays: Callable[[], int],
    ) -> None:
        """`shouts` says what is wrong with the service now, `tasks_due` how many tasks are due, and overdue, `strays`
        how many callbacks of the last day belong to nothing we know."""
        self._shouts, self._tasks_due, self._strays = shouts, tasks_due, strays
        self._settings = settings
        self._static = static
        self._environment = Environment(
            loader=ChoiceLoader(
                [
                    PackageLoader("dashboard"),
                    PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
                ]
            ),
            autoescape=True,
            undefined=ChainableUndefined,  # the design system's macros ask for parameters that were not given
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            bytecode_cache=Compiled(),
        )
        self._environment.filters.update(
            instant=instant, clock=clock_time, short=short_time, ago=ago, span=span, kind=kind_words, cause=cause_words,
            outcome=outcome_words, confirmed=confirmed_words, level=level_words, log_text=log_text, log_title=log_title,
            number=number,
            age=age_in_years, month=month_words, rest_of=rest_of, fall_sentence=sentence, fall_table=table,
            person_state=person_state_words, moment=parse_instant, task_kind=task_kind_words,
        )  # fmt: skip
        self._environment.globals.update(
            asset=static.url, LOG_WORDS=LOG_WORDS, STATE_WORDS=STATE_WORDS, MESSAGE_WORDS=MESSAGE_WORDS,
            CHANNEL_WORDS=CHANNEL_WORDS,
            causes=CAUSE_WORDS, outcomes=OUTCOME_WORDS, confirmations=CONFIRMED_BY_WORDS,
            fall_picture=draw, NARROW=NARROW, RESULT_WORDS=RESULT_WORDS, RESULTS=BY_HAND, CHECK_WORDS=CHECK_WORDS,
            TROUBLE_WORDS=TROUBLE_WORDS, ISTUMBLE=ISTUMBLE, VISIT_WORDS=VISIT_WORDS, NEWS_WORDS=NEWS_WORDS,
            STEP_WORDS=STEP_WORDS, KIT_WORDS=KIT_WORDS, SKILL_WORDS=SKILL_WORDS,
            DECISION_WORDS=DECISION_WORDS, NEXT_VISIT={of.value: sorted(to) for of, to in NEXT.items()},
        )  # fmt: skip

    def part(self, template: str, context: dict[str, Any]) -> str:
        """A piece of a page that is the same for everybody."""
        return self._environment.get_template(template).render(context)

    def render(
        self, request: Request, template: str, status: int = 200, context: dict[str, Any] | None = None
    ) -> HTMLResponse:
        """A page. Who is logged in, and the form token, are at hand in every template."""
        visitor = getattr(request.state, "visitor", None)
        settings = self._settings
        common = {
            "path": request.url.path,
            "member": visitor.member if visitor else None,
            "csrf": visitor.csrf if visitor else None,
            "navigation": navigation(visitor.member.role, settings.demo) if visitor else [],
            "service": settings.service_name,
            "service_phone": settings.service_phone,
            "demo": settings.demo,
            "hears_troubles": visitor is not None and visitor.member.role in HEAR_TROUBLES,
            "has_screen": visitor is not None and visitor.csrf is not None and visitor.member.role in HAVE_SCREENS,
            "searches": visitor is not None and visitor.member.role in SEARCH,
            "troubles": self._shouts(),
            "strays": self._strays() if visitor is not None and visitor.member.role is Role.ADMIN else 0,
            "tasks_due": self._tasks_due(),
            "oncall_phone": settings.oncall_phone,
            "zone": _zone(ZONE).key if isinstance(_zone(ZONE), ZoneInfo) else "UTC",
            "design_system": self._static.has_design_system,
        }
        page = self._environment.get_template(template).render(common | (context or {}))
        return HTMLResponse(page, status)


def _zone(name: str) -> Any:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):  # a machine without time zone data shows UTC, and says so
        return UTC


def instant(at: datetime | None, timezone: str = ZONE) -> str:
    """A day and a time as people read them."""
    return "not known" if at is None else f"{at.astimezone(_zone(timezone)):%a %-d %b %Y, %H:%M:%S}"


def clock_time(at: datetime, now: datetime, timezone: str = ZONE) -> str:
    """The time of day; with the day where that is another than today."""
    local = at.astimezone(_zone(timezone))
    same_day = local.date() == now.astimezone(_zone(timezone)).date()
    return f"{local:%H:%M:%S}" if same_day else f"{local:%a %-d %b, %H:%M:%S}"


def short_time(at: datetime, now: datetime, timezone: str = ZONE) -> str:
    """The time of day without seconds, for people who do not work here; with the day where it is not today."""
    local = at.astimezone(_zone(timezone))
    same_day = local.date() == now.astimezone(_zone(timezone)).date()
    return f"{local:%H:%M}" if same_day else f"{local:%H:%M} on {local:%A %-d %B}"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, in one word and a number."""
    if at is None:
        return "never"
    seconds = (now - at).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 5 else "just now"


def span(length: float | timedelta) -> str:
    """A length of time in its largest whole unit."""
    seconds = int(length.total_seconds() if isinstance(length, timedelta) else length)
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and name != "days"):
            return f"{seconds // size} {name}"
    return f"{max(seconds, 0)} s"


def month_words(month: str) -> str:
    """2026-03 in words."""
    return f"{date.fromisoformat(month + '-01'):%B %Y}"


def kind_words(kind: str, possible: bool = False) -> str:
    """An alarm's kind in words."""
    return title_of(Kind(kind), possible=possible)


def level_words(priority: int) -> str:
    """A level's word."""
    return PRIORITY_WORDS[Priority(priority)]


def person_state_words(state: str) -> str:
    """How a person stands with the service, in words."""
    return PERSON_STATE_WORDS[PersonState(state)]


def task_kind_words(kind: str) -> str:
    """Where a task comes from, in words."""
    return TASK_WORDS[TaskKind(kind)]


def cause_words(cause: str) -> str:
    """A cause in words."""
    return CAUSE_WORDS[Cause(cause)]


def outcome_words(outcome: str) -> str:
    """An outcome in words."""
    return OUTCOME_WORDS[Outcome(outcome)]


def confirmed_words(confirmed_by: str) -> str:
    """Who confirmed, in words."""
    return CONFIRMED_BY_WORDS[ConfirmedBy(confirmed_by)]


def number(value: float) -> str:
    """A reading's value without digits that say nothing."""
    return f"{value:.10g}"


def age_in_years(born: Any, now: datetime) -> int:
    """Full years."""
    today = now.astimezone(_zone(ZONE)).date()
    return int(today.year - born.year - ((today.month, today.day) < (born.month, born.day)))


def log_title(entry: dict[str, Any]) -> str:
    """What a log entry is called. Contacts and those on call are told alike, and are not the same people."""
    detail = entry["detail"] or {}
    if entry["what"] == "notified" and "on_call" in detail:
        return "Rung on call"
    if entry["what"] == "notify-failed" and "on_call" in detail:
        return "Not reached on call"
    return LOG_WORDS[entry["what"]]


def log_text(entry: dict[str, Any]) -> str:
    """The words of a log entry beside what it is."""
    detail = entry["detail"]
    special = _SPECIAL.get(entry["what"])
    if special is not None:
        return special(detail)
    parts = [
        _call_words(detail) if name == "result" else str(detail[name])
        for name in ("reason", "contact", "on_call", "result", "responder", "text", "note", "why")
        if detail.get(name)
    ]
    return ". ".join(parts)


def _call_words(detail: dict[str, Any]) -> str:
    line = "" if detail.get("line") == "contact" else f"{detail.get('line')}: "
    return f"{line}{RESULT_WORDS[Result(detail['result'])].lower()}, {span(detail.get('seconds') or 0)}"


def _closed(detail: dict[str, Any]) -> str:
    if "confirmed_by" not in detail:  # an equipment test, which closes itself
        return str(detail.get("reason", ""))
    done = ", ".join(outcome_words(outcome) for outcome in detail.get("outcomes", ()))
    words = f"{cause_words(detail['cause'])}. {done}. {_safe(detail)}"
    return f"{words} — {detail['note']}" if detail.get("note") else words


def _safe(detail: dict[str, Any]) -> str:
    return f"{confirmed_words(detail['confirmed_by'])}: {detail.get('how', '')}"


def _sentence(words: object) -> str:
    text = str(words or "")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _alarm(detail: dict[str, Any]) -> str:
    return str(detail.get("reason") or kind_words(detail["kind"]) if "kind" in detail else "")


def _visit(detail: dict[str, Any]) -> str:
    if "arrived_at" not in detail:
        return str(detail.get("text", ""))
    at = parse_instant(detail["arrived_at"]).astimezone(_zone(ZONE))
    return f"Arrived {at:%H:%M}. {detail.get('text', '')}"


_SPECIAL: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "closed": _closed,
    "safe": _safe,
    "raised": _alarm,
    "alarm-joined": _alarm,
    "repeated": _alarm,
    "visit": _visit,
    "taken-over": lambda detail: f"from {detail.get('from', '?')}: {detail.get('reason', '')}",
    "claim-expired": lambda detail: f"was with {detail.get('was_with', '?')}, whose screen is no longer connected",
    "announced": lambda detail: ANNOUNCED_WORDS.get(detail.get("text", ""), str(detail.get("text", ""))),
    "welfare-due": lambda detail: _sentence(detail.get("because")) or "Is the person safe?",
    "re-sounded": lambda detail: _sentence(detail.get("because")),
    "escalated-supervisor": lambda detail: _sentence(detail.get("because")),
}
