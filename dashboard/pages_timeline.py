"""A day in a home: the picture, what it says, and the table under it."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from dashboard import timeline_store
from dashboard.api import register_id
from dashboard.auth import GuardedRoute
from dashboard.parts import database, parts_of
from dashboard.timeline import Day, finding, table
from dashboard.timeline_svg import draw
from telecare.register import homes as register

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)


@router.get("/homes/{home_id}/timeline")
async def timeline(request: Request, home_id: str) -> Response:
    """One day of the council's clock; today unless another is asked for."""
    asked = request.query_params.get("day", "").strip()
    async with database(request) as (conn, now):
        home = await register.home(conn, register_id(home_id, "home"))
        zone = ZoneInfo(home["timezone"])
        today = now.astimezone(zone).date()
        day, problem = _day(asked, today)
        shown = await timeline_store.picture_of(conn, home["id"], Day(day, zone), now)
        people = await register.people_of(conn, home["id"])
    words = finding(shown)
    context: dict[str, Any] = {
        "home": home, "people": people, "day": day, "today": today, "problem": problem, "asked": asked,
        "before": day - timedelta(days=1), "after": day + timedelta(days=1) if day < today else None,
        "shown": shown, "words": words, "svg": None if shown.is_empty else draw(shown, words),
        "rows": [] if shown.is_empty else table(shown), "now": now,
    }  # fmt: skip
    return parts_of(request).pages.render(request, "timeline.html", 422 if problem else 200, context)


def _day(asked: str, today: date) -> tuple[date, str]:
    if not asked:
        return today, ""
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        return today, "Enter a day, like 2027-03-27"
    if not date(2000, 1, 1) <= day <= today:
        return today, "Enter a day that is not in the future"
    return day, ""
