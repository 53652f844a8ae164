"""A responder's own page: where they are sent, the code of the home's key safe, their shift, and kit that is faulty."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts import keys_store, responders_store, vehicles_store
from alerts.errors import Conflict, Incomplete
from alerts.visiting import COMING
from dashboard import response_forms as forms
from dashboard import store
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.code_looks import look
from dashboard.forms import Form
from dashboard.pages_responders import change_shift, shift_forms
from dashboard.pages_visit import visit_page
from dashboard.parts import database, parts_of

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)


@router.get("/responder")
async def responder(request: Request) -> Response:
    """Open alerts to which somebody has been sent, the responder's own visits first."""
    return await _page(request)


@router.post("/responder/visits/{visit_id}/key-safe")
async def key_safe(request: Request, visit_id: str) -> Response:
    """Show the code of the home to which one's own visit is under way, and write down that one looked."""
    visit = register_id(visit_id, "visit")
    on_its_page = (await request.form()).get("from") == "visit"
    try:
        async with database(request) as (conn, now):
            code = await look(conn, visit, visitor_of(request).member.username, now)
    except Conflict as conflict:
        return await _page(request, 409, conflict=str(conflict))
    if on_its_page:
        return await visit_page(request, visit, code=code)
    return await _page(request, code=code, code_of=visit)


@router.post("/responder/shift")
async def shift(request: Request) -> Response:
    """One's own shift."""
    sent, me = await request.form(), visitor_of(request).member.username
    async with database(request) as (conn, now):
        form = await change_shift(conn, me, sent, me, now)
    if form.errors:
        return await _page(request, 422, form)
    return RedirectResponse("/responder#shift", 303)


@router.post("/responder/kit")
async def kit(request: Request) -> Response:
    """What is wrong with a piece of kit in one's own vehicle."""
    sent, me = await request.form(), visitor_of(request).member.username
    form = Form("kit", {name: forms.text_of(sent, name) for name in ("item", "fault")})
    try:
        if not form.values["fault"]:
            raise Incomplete(["fault: say what is wrong with it"])
        item = register_id(form.values["item"], "kit")
        async with database(request) as (conn, now):
            await vehicles_store.set_fault(conn, item, form.values["fault"], me, now, only_in_hands_of=me)
    except Incomplete as problem:
        forms.note(form, problem)
        return await _page(request, 422, form)
    return RedirectResponse("/responder#kit", 303)


async def _page(request: Request, status: int = 200, form: Form | None = None, **more: Any) -> Response:
    me = visitor_of(request).member.username
    async with database(request) as (conn, now):
        team = await responders_store.team(conn, now)
        mine = next((one for one in team if one.username == me), None)
        vehicles = await vehicles_store.vehicles(conn, now)
        context: dict[str, Any] = {
            "visits": await store.visits(conn),
            "own": await store.own_visits(conn, me),
            "keys_out": await keys_store.out(conn, now),
            "me": mine,
            "standing": mine.standing(now) if mine else None,
            "vehicles": vehicles,
            "vehicle": next(
                (one for one in vehicles if mine and mine.shift and one["name"] == mine.shift.vehicle), None
            ),
            "coming": {state.value for state in COMING},
            "now": now,
        }
    found = {made.name: made for made in [*(shift_forms(mine, vehicles) if mine else ()), Form("kit")]}
    if form is not None:
        found[form.name] = form
    context |= {"forms": found, "wrong": form if form is not None and form.errors else None, "username": me}
    return parts_of(request).pages.render(request, "responder.html", status, context | more)
