"""`GET /api/reports`: the figures of the commissioning page, as JSON, CSV, or notes. Every export is logged."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from dashboard import models
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.outcomes import counting, definitions
from dashboard.outcomes.csv_import import safe_cell
from dashboard.outcomes.pages import chosen_councils
from dashboard.outcomes.reports import BUILDERS, Report, make
from dashboard.parts import database
from dashboard.plain import plain
from dashboard.words import ZONE
from telecare.errors import NotFound


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FigureAnswer(_Answer):
    """One figure, as it may be shown."""

    council: str
    period: str = Field(description="a month as 2026-03, or `12 months`")
    measure: str
    unit: Literal["count", "percent", "seconds"]
    value: float | None = Field(description="null where it is not shown: `mark` says why")
    mark: Literal["", "[c]", "[z]"] = Field(description="[c] small, or would give one away; [z] nothing to count")
    low: float | None = Field(description="95 % Wilson interval of a share")
    high: float | None


class ReportAnswer(_Answer):
    """A report."""

    name: str
    title: str
    period: str
    counted_at: datetime
    definition: list[str]
    source: str
    legend: str
    limits: str
    figures: list[FigureAnswer]


class ReportName(_Answer):
    """A report that may be asked for."""

    name: str
    title: str


class ReportNames(_Answer):
    """The reports."""

    reports: list[ReportName]


_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": words, "content": {"application/problem+json": {"schema": models.PROBLEM_SCHEMA}}}
    for status, words in {
        401: "Nobody is logged in.",
        403: "Not for this role.",
        404: "There is no such report, or no such council that may be seen.",
    }.items()
}

router = APIRouter(prefix="/api", route_class=GuardedRoute, responses=_PROBLEMS, tags=["reports"])

COLUMNS: Final = ("report", "council", "period", "measure", "unit", "value", "mark", "low", "high")


@router.get("/reports", response_model=ReportNames, summary="Which reports there are")
async def reports(request: Request) -> Response:
    """Names and titles."""
    found = [{"name": name, "title": definitions.REPORTS[name][0]} for name in BUILDERS]
    return JSONResponse({"reports": found})


@router.get(
    "/reports/{report}",
    response_model=ReportAnswer,
    summary="A report",
    responses={200: {"content": {"text/csv": {}}, "description": "As JSON, or as CSV with `format`."}},
)
async def report(
    request: Request,
    report: str,
    form: Annotated[
        Literal["json", "csv", "notes"],
        Query(alias="format", description="`csv`: one row for each figure; `notes`: what they mean, as CSV"),
    ] = "json",
    council: Annotated[str | None, Query(description="a council's id; by default all that may be seen")] = None,
) -> Response:
    """The last twelve complete months, counted now. Small numbers are hidden as on the page; `notes` says how."""
    if report not in BUILDERS:
        raise NotFound("no such report")
    async with database(request) as (conn, now):
        shown = await chosen_councils(conn, request, council)
        counted = [await counting.count(conn, one, now) for one in shown]
        whose = ", ".join(one.name for one in shown)
        what = f"report {report} as {form}: {whose}"[:1000]
        await counting.note_export(conn, now, visitor_of(request).member.username, what)
    today = now.astimezone(ZoneInfo(shown[0].timezone if shown else ZONE)).date()
    made = make(report, counted, counting.period_words(today))
    if form == "json":
        return JSONResponse(as_json(made, now))
    text = as_csv(made) if form == "csv" else notes(made, now)
    name = f"{report}.csv" if form == "csv" else f"{report}-notes.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)


def as_json(made: Report, now: datetime) -> dict[str, Any]:
    """A report as JSON."""
    figures = [{name: getattr(one, name) for name in FigureAnswer.model_fields} for one in made.figures]
    answer: dict[str, Any] = plain(
        {
            "name": made.name,
            "title": made.title,
            "period": made.period,
            "counted_at": now,
            "definition": list(made.definition),
            "source": made.source,
            "legend": definitions.LEGEND,
            "limits": definitions.LIMITS,
            "figures": figures,
        }
    )
    return answer


def as_csv(made: Report) -> str:
    """A report as tidy CSV: UTF-8 without a mark, one header row, one row for each figure."""
    rows = [
        (made.name, one.council, one.period, one.measure, one.unit, one.value, one.mark, one.low, one.high)
        for one in made.figures
    ]
    return written(COLUMNS, rows)


def notes(made: Report, now: datetime) -> str:
    """What the figures of a report mean, as CSV."""
    rows: list[tuple[Any, ...]] = [("title", made.title), ("period", made.period), ("counted at", plain(now))]
    rows += [("definition", sentence) for sentence in made.definition]
    rows += [("source", made.source), ("marks and rounding", definitions.LEGEND), ("limits", definitions.LIMITS)]
    return written(("note", "words"), rows)


def written(header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    """A table as CSV; no cell begins a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return safe_cell(value) if isinstance(value, str) else f"{value:.10g}"
