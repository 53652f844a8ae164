"""Public holidays of each council, which hours of rotas may leave out."""

from datetime import date, timedelta
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from dashboard.access import PLANNERS
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.escalation_forms import day_of
from dashboard.forms import Form
from dashboard.parts import database, parts_of
from telecare.errors import Refused
from telecare.register import councils, holidays

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)


@router.get("/holidays")
async def listed(request: Request) -> Response:
    """Every council's, to read; supervisors and administrators change them."""
    return await _page(request)


@router.post("/holidays")
async def add(request: Request) -> Response:
    """One more."""
    sent = await request.form()
    council = register_id(str(sent.get("council", "")), "council")
    values = {field: str(sent.get(field, "")).strip() for field in ("day", "name")}
    form = Form(f"holiday-{council}", values)
    day = day_of(form, "day")
    if day is not None:
        try:
            async with database(request) as (conn, now):
                await holidays.add(conn, council, day, values["name"], visitor_of(request).member.username, now)
        except Refused as problem:
            form.errors["name"] = str(problem)
    if form.errors:
        return await _page(request, 422, form)
    return _back(council)


@router.post("/holidays/remove")
async def remove(request: Request) -> Response:
    """Take one away."""
    sent = await request.form()
    council = register_id(str(sent.get("council", "")), "council")
    try:
        day = date.fromisoformat(str(sent.get("day", "")))
    except ValueError:
        return _back(council)  # no such day is on the list
    async with database(request) as (conn, _):
        await holidays.remove(conn, council, day)
    return _back(council)


def _back(council: UUID) -> Response:
    return RedirectResponse(f"/holidays#council-{council}", 303)


async def _page(request: Request, status: int = 200, form: Form | None = None) -> Response:
    async with database(request) as (conn, now):
        since = now.date() - timedelta(days=1)
        found = [(one, await holidays.holidays_of(conn, one.id, since)) for one in await councils.councils(conn)]
    context = {
        "found": found,
        "form": form or Form(),
        "may_change": visitor_of(request).member.role in PLANNERS.roles,
    }
    return parts_of(request).pages.render(request, "holidays.html", status, context)
