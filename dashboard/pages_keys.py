"""Keys that the service holds: on a home's record, and back from a visit."""

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts import keys_store
from alerts.errors import Incomplete
from dashboard import response_forms as forms
from dashboard.api import alert_number, register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.forms import Form
from dashboard.pages_records import home_page
from dashboard.pages_responders import page
from dashboard.parts import database
from telecare.errors import NotFound, Refused
from telecare.register import homes as register

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)


@router.post("/homes/{home_id}/keys")
async def keys(request: Request, home_id: str) -> Response:
    """The service holds another key of this home, or one no more."""
    sent, by = await request.form(), visitor_of(request).member.username
    values = {name: forms.text_of(sent, name) for name in ("do", "tag", "kept", "key")}
    try:
        async with database(request) as (conn, now):
            home = (await register.home(conn, register_id(home_id, "home")))["id"]
            match values["do"]:
                case "held":
                    await keys_store.add(conn, home, values["tag"], values["kept"], by, now)
                case "given-back":
                    await keys_store.give_back(conn, home, register_id(values["key"], "key"), by, now)
                case _:
                    raise Refused("Choose what is to be written down")
    except Refused as problem:
        return await home_page(request, home_id, 422, {"problem": str(problem), "problem_at": "keys", "key": values})
    return RedirectResponse(f"/homes/{home}#keys", 303)


@router.post("/keys/{key_id}/back")
async def back(request: Request, key_id: str) -> Response:
    """A key hangs in its place again, and who saw it."""
    sent = await request.form()
    key = register_id(key_id, "key")
    form = Form(f"key-{key}", {name: forms.text_of(sent, name) for name in ("witness", "at")})
    try:
        async with database(request) as (conn, now):
            since, zone = await keys_store.out_since(conn, key)
            at = forms.read(form, "at", lambda text: forms.time_behind(text, since, now, ZoneInfo(zone)))
            if not form.errors:
                by = visitor_of(request).member.username
                await keys_store.back_in(conn, key, form.values["witness"], by, now, at)
    except Incomplete as problem:
        forms.note(form, problem)
    if form.errors:
        return await page(request, 422, form)
    return RedirectResponse(_where(forms.text_of(sent, "alert")), 303)


def _where(alert: str) -> str:
    """Back to the alert's page from which it was said; else to the team's."""
    try:
        return f"/console/alerts/{alert_number(alert)}?done=key-back"
    except NotFound:
        return "/responders#keys"
