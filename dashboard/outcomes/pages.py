"""The commissioning page: what is reported, with its words, beside one chart."""

from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.outcomes import counting, definitions
from dashboard.outcomes.chart import Line, key, line_chart
from dashboard.outcomes.reports import BUILDERS, WHOLE, Report, make
from dashboard.parts import database, parts_of
from dashboard.words import ZONE
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.register.councils import Council, councils

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

SIDE_BY_SIDE: Final = 3  # councils on one page; with more, one is chosen


async def chosen_councils(conn: Connection, request: Request, council: str | None) -> list[Council]:
    """The councils that this visitor may see, or the one of them that was asked for.

    Raises:
        NotFound: there is no such council, or it is not this visitor's.
    """
    allowed = await councils(conn, visitor_of(request).member.council_id)
    if council is None:
        return allowed
    wanted = register_id(council, "council")
    found = [one for one in allowed if one.id == wanted]
    if not found:
        raise NotFound("no such council")
    return found


def own_council(request: Request) -> UUID | None:
    """The one council that this visitor may see, or None for all."""
    return visitor_of(request).member.council_id


@router.get("/commissioning")
async def commissioning(request: Request, council: str | None = None) -> Response:
    """Outcomes of reablement, and how soon alerts were answered, for the last twelve complete months."""
    async with database(request) as (conn, now):
        allowed = await chosen_councils(conn, request, None)
        shown = allowed if council is None else await chosen_councils(conn, request, council)
        if len(shown) > SIDE_BY_SIDE:
            shown = shown[:1]
        counted = [await counting.count(conn, one, now) for one in shown]
        loading = await counting.load_running(conn)
    period = counting.period_words(now.astimezone(ZoneInfo(shown[0].timezone if shown else ZONE)).date())
    made = {name: make(name, counted, period) for name in BUILDERS}
    context: dict[str, Any] = {
        "councils": allowed,
        "shown": shown,
        "chosen": shown[0].id if len(shown) == 1 else None,
        "period": period,
        "reports": made,
        "findings": {name: finding(made[name]) for name in made},
        "chart": _chart(made["answering"]),
        "loading": loading,
        "words": definitions,
        "WHOLE": WHOLE,
        "now": now,
    }
    return parts_of(request).pages.render(request, "commissioning.html", context=context)


@router.get("/commissioning/progress")
async def progress(request: Request) -> Response:
    """How far the loading of past records has come; `null` when none runs."""
    async with database(request) as (conn, _):
        loading = await counting.load_running(conn)
    return JSONResponse({"loading": {"done": loading[0], "total": loading[1]} if loading else None})


def finding(report: Report) -> str:
    """A heading that says what was found; the report's title where there is nothing that may be said."""
    said = []
    for council in report.councils:
        words = _FINDINGS[report.name](report, council) if report.name in _FINDINGS else None
        if words:
            said.append(f"{words} in {council}" if len(report.councils) > 1 else words)
    if not said:
        return report.title
    joined = ", ".join(said[:-1]) + (" and " if len(said) > 1 else "") + said[-1]
    return f"{_TOPICS.get(report.name, report.title)}: {joined}"


def _at_home(report: Report, council: str) -> str | None:
    lower, upper = (report.find(council, name).value for name in (definitions.LOWER, definitions.UPPER))
    if lower is None:
        return None
    return f"{lower:.0f}% at least" if upper is None else f"{lower:.0f}% to {upper:.0f}%"


def _share_of(measure: str) -> Any:
    def words(report: Report, council: str) -> str | None:
        value = report.find(council, measure).value
        return None if value is None else f"{value:.0f}%"

    return words


def _median(report: Report, council: str) -> str | None:
    value = report.find(council, definitions.MEDIAN).value
    return None if value is None else f"half within {value:.0f} s"


_TOPICS: Final = {"visits": "On site within 45 min", "sequels": "No or lower-level support after reablement"}
_FINDINGS: Final[dict[str, Any]] = {
    "day-91": _at_home,
    "answering": _median,
    "visits": _share_of(definitions.SHARE_45),
    "sequels": _share_of(definitions.SHARE_2A),
    "goals": _share_of(definitions.SHARE_GOALS),
}


def _chart(report: Report) -> dict[str, Any] | None:
    """Median seconds to answer by month, a line for each council."""
    months = [period for period in report.periods if period != WHOLE]
    lines = [
        Line(council, [report.find(council, definitions.MEDIAN, month).value for month in months])
        for council in report.councils
    ]
    if not any(value is not None for line in lines for value in line.values):
        return None
    labels = [month_word(month) for month in months]
    words = "Line chart: median seconds to answer by month. The values are in the table below."
    return {
        "key": key(lines),
        "wide": line_chart(lines, labels, "seconds", words, width=1100, height=240),
        "narrow": line_chart(lines, labels, "seconds", words, width=300, height=210),
    }


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def month_word(month: str) -> str:
    """2026-03 as people read it on an axis."""
    return _MONTHS[int(month[5:]) - 1]
