"""`/performance`: how alarms were answered in some days, for supervisors; the same as JSON and CSV."""

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from alerts import kpis_store
from alerts.errors import Incomplete
from alerts.kpis import Kpis, figures
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.outcomes.api import written
from dashboard.outcomes.counting import note_export
from dashboard.outcomes.pages import chosen_councils
from dashboard.parts import database, parts_of
from dashboard.performance import Line, chatter_words, flood_words, lines
from dashboard.plain import plain
from dashboard.words import ZONE
from telecare.db import Connection
from telecare.register.councils import Council

router = APIRouter(route_class=GuardedRoute)

DAYS: Final = 7  # unless other days are asked for
DAYS_LIMIT: Final = 31


class LineAnswer(BaseModel):
    """One figure."""

    model_config = ConfigDict(extra="forbid")
    topic: str
    measure: str
    unit: Literal["count", "percent", "seconds", "minutes", "alarms"]
    value: float | None = Field(description="null: there was nothing to count")
    n: int | None = Field(description="how many it is made of")
    low: float | None = Field(description="95 % Wilson interval of a share")
    high: float | None
    asked: str = Field(description="what is asked for")
    met: Literal["", "yes", "no"]
    source: str


class PerformanceAnswer(BaseModel):
    """How alarms were answered in some days."""

    model_config = ConfigDict(extra="forbid")
    council: str = Field(description="empty: the whole centre")
    begins: datetime
    ends: datetime = Field(description="not included; now, where the last day has not ended")
    complete: bool = Field(description="false: there were more alarms than are counted")
    lines: list[LineAnswer]


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days by a council's clock, both included."""

    first: date
    last: date
    zone: ZoneInfo

    def instants(self, now: datetime) -> tuple[datetime, datetime]:
        """From when to when: to now at most."""
        begins = datetime(self.first.year, self.first.month, self.first.day, tzinfo=self.zone)
        after = self.last + timedelta(days=1)
        return begins, min(datetime(after.year, after.month, after.day, tzinfo=self.zone), now)


def period_of(first: str, last: str, zone: ZoneInfo, today: date) -> Period:
    """The days that were asked for; the last seven where none were.

    Raises:
        Incomplete: they are none, or too many.
    """
    try:
        end = date.fromisoformat(last) if last else today
        begin = date.fromisoformat(first) if first else end - timedelta(days=DAYS - 1)
    except ValueError as problem:
        raise Incomplete(["from, to: days, like 2027-03-27"]) from problem
    if not date(2000, 1, 1) <= begin <= end <= today:
        raise Incomplete(["from, to: the first day is not after the last, and the last not in the future"])
    if (end - begin).days >= DAYS_LIMIT:
        raise Incomplete([f"from, to: at most {DAYS_LIMIT} days"])
    return Period(begin, end, zone)


@dataclass(frozen=True, slots=True)
class _Counted:
    council: Council | None
    councils: list[Council]
    period: Period
    begins: datetime
    ends: datetime
    kpis: Kpis
    lines: list[Line]
    complete: bool
    now: datetime


async def _count(request: Request, conn: Connection, now: datetime, first: str, last: str, council: str) -> _Counted:
    allowed = await chosen_councils(conn, request, None)
    chosen = (await chosen_councils(conn, request, council))[0] if council else None
    if chosen is None and visitor_of(request).member.council_id is not None:
        chosen = allowed[0]
    zone = ZoneInfo(chosen.timezone if chosen else ZONE)
    period = period_of(first, last, zone, now.astimezone(zone).date())
    begins, ends = period.instants(now)
    facts = await kpis_store.facts(conn, chosen.id if chosen else None, begins, ends)
    found = figures(facts, begins, ends)
    complete = len(facts.signals) < kpis_store.ALARMS_LIMIT
    return _Counted(chosen, allowed, period, begins, ends, found, lines(found), complete, now)


@router.get("/performance", include_in_schema=False)
async def performance(
    request: Request,
    first: Annotated[str, Query(alias="from")] = "",
    last: Annotated[str, Query(alias="to")] = "",
    council: str = "",
) -> Response:
    """The figures of some days, of the whole centre or of a council."""
    problem = ""
    async with database(request) as (conn, now):
        try:
            counted = await _count(request, conn, now, first, last, council)
        except Incomplete as wrong:
            problem = wrong.problems[0].removeprefix("from, to: ").capitalize()
            counted = await _count(request, conn, now, "", "", council)
    today = now.astimezone(counted.period.zone).date()
    topics: dict[str, list[Line]] = {}
    for line in counted.lines:
        topics.setdefault(line.topic, []).append(line)
    context: dict[str, Any] = {
        "counted": counted,
        "topics": topics,
        "problem": problem,
        "asked": {"from": first, "to": last},
        "choices": [(f"{days} days" if days > 1 else "Today", today - timedelta(days=days - 1)) for days in (1, 7, 28)],
        "today": today,
        "chatter_words": chatter_words,
        "flood_words": flood_words,
        "now": now,
    }
    return parts_of(request).pages.render(request, "performance.html", 422 if problem else 200, context)


COLUMNS: Final = ("topic", "measure", "unit", "value", "n", "low", "high", "asked", "met", "source")


@router.get(
    "/api/performance",
    response_model=PerformanceAnswer,
    summary="How alarms were answered",
    tags=["reports"],
    responses={200: {"content": {"text/csv": {}}, "description": "As JSON, or as CSV with `format`."}},
)
async def performance_api(
    request: Request,
    first: Annotated[str, Query(alias="from", description="the first day, like 2027-03-27")] = "",
    last: Annotated[str, Query(alias="to", description="the last day; by default today")] = "",
    council: Annotated[str, Query(description="a council's id; by default the whole centre")] = "",
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """What `/performance` shows: at most 31 days; the last seven unless others are asked for."""
    async with database(request) as (conn, now):
        counted = await _count(request, conn, now, first, last, council)
        whose = counted.council.name if counted.council else "the centre"
        what = f"performance as {form}: {whose}, {counted.period.first} to {counted.period.last}"
        await note_export(conn, now, visitor_of(request).member.username, what)
    if form == "csv":
        name = f"performance-{counted.period.first}-{counted.period.last}.csv"
        text = written(COLUMNS, [tuple(getattr(line, column) for column in COLUMNS) for line in counted.lines])
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)
    answer = {
        "council": counted.council.name if counted.council else "",
        "begins": counted.begins,
        "ends": counted.ends,
        "complete": counted.complete,
        "lines": [asdict(line) for line in counted.lines],
    }
    return JSONResponse(plain(answer))
