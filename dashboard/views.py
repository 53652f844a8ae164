"""Pages: the templates, and the words in which records are shown."""

from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChainableUndefined, ChoiceLoader, Environment, PackageLoader, PrefixLoader

from alerts.calls import BY_HAND, RESULT_WORDS
from alerts.emergency import NEWS_WORDS
from alerts.incidents.checks import CHECK_WORDS
from alerts.knowing import DECISION_WORDS
from alerts.responding import KIT_WORDS, SKILL_WORDS
from alerts.visiting import ISTUMBLE, NEXT, STEP_WORDS, VISIT_WORDS
from dashboard.access import HAVE_SCREENS, HEAR_TROUBLES, SEARCH, navigation
from dashboard.compiled import Compiled
from dashboard.fall_svg import NARROW, draw
from dashboard.fall_trace import sentence, table
from dashboard.fall_words import rest_of
from dashboard.log_words import LOG_WORDS, log_text, log_title
from dashboard.static import StaticFiles
from dashboard.troubles import Shout
from dashboard.words import (
    CHANNEL_WORDS,
    MESSAGE_WORDS,
    STATE_WORDS,
    TROUBLE_WORDS,
    ZONE,
    age_in_years,
    ago,
    cause_words,
    clock_time,
    confirmed_words,
    instant,
    kind_words,
    level_words,
    month_words,
    number,
    outcome_words,
    person_state_words,
    short_time,
    span,
    task_kind_words,
    zone_of,
)
from telecare.clock import format_instant, parse_instant
from telecare.settings import Settings
from telecare.vocabulary import (
    CAUSE_WORDS,
    CONFIRMED_BY_WORDS,
    OUTCOME_WORDS,
    Role,
)


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
            person_state=person_state_words, moment=parse_instant, rfc3339=format_instant, task_kind=task_kind_words,
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
            "zone": zone_of(ZONE).key if isinstance(zone_of(ZONE), ZoneInfo) else "UTC",
            "design_system": self._static.has_design_system,
        }
        page = self._environment.get_template(template).render(common | (context or {}))
        return HTMLResponse(page, status)
