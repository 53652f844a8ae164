"""A responder's own visit on their phone: what they are told, and one step after the other.

Each form carries an id of its own: sent twice, it is done once (alerts/entries_store.py). The page's script keeps what
cannot be sent, and sends it in order later; it is then answered with JSON.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from alerts import entries_store, visit_actions
from alerts.entering import Entry, beside_the_time
from alerts.errors import Incomplete
from alerts.visiting import COMING, INSIDE
from dashboard import visit_forms
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.forms import Form, step_of
from dashboard.parts import database, parts_of
from dashboard.steps_help import VisitStep
from dashboard.visit_brief import brief
from telecare.clock import format_instant
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.ids import uuid7
from telecare.settings import Settings

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

_SCRIPT: Final = "application/json"


@router.get("/responder/token")
async def token(request: Request) -> Response:
    """The form token of the session, for what was entered under one that has ended; and whose session it is."""
    visitor = visitor_of(request)
    return JSONResponse({"token": visitor.csrf, "member": visitor.member.username})


@router.get("/responder/visits/{visit_id}")
async def visit(request: Request, visit_id: str) -> Response:
    """One's own visit: what one is told, and the next step."""
    return await visit_page(request, register_id(visit_id, "visit"))


@router.post("/responder/visits/{visit_id}/{to}")
async def step(request: Request, visit_id: str, to: str) -> Response:
    """A step of one's own visit, done once however often it is sent."""
    found, me, sent = register_id(visit_id, "visit"), visitor_of(request).member.username, await request.form()
    if to not in visit_forms.STEPS:
        raise NotFound("there is nothing at this address")
    settings = parts_of(request).settings
    form = visit_forms.read_step(to, found, sent)
    async with database(request) as (conn, now):
        alert_id = await entries_store.alert_of_own_visit(conn, found, me)
        try:
            number, entered_at = visit_forms.entry_of(sent)
        except Incomplete as problem:
            refused = problem.problems
        else:
            entry = Entry(id=number, visit=found, step=to, by=me, entered_at=entered_at)
            act = partial(_take, conn, settings, alert_id, entry, form, now)
            refused = await entries_store.enter(conn, entry, now, act)
    conflict = next((one.partition(": ")[2] for one in refused if one.startswith(entries_store.CONFLICT)), "")
    if request.headers.get("accept") == _SCRIPT:
        return _for_script(refused, conflict, now)
    if refused:
        return await visit_page(request, found, 409 if conflict else 422, to, form, refused, conflict=conflict)
    return RedirectResponse(f"/responder/visits/{found}", 303)


async def _take(conn: Connection, settings: Settings, alert_id: int, entry: Entry, form: Form, now: datetime) -> None:
    """Do what was entered. Raises what `visit_actions` raises."""
    ahead, kept = (timedelta(seconds=value) for value in (settings.phone_ahead_s, settings.phone_keeps_s))
    beside = beside_the_time(entry.entered_at, now, ahead, kept)
    if entry.step == visit_forms.CHECK_IN:
        return await visit_actions.check_in(conn, settings, alert_id, entry.visit, entry.by, now, beside)
    if entry.step == visit_forms.PANIC:
        return await visit_actions.panic(conn, alert_id, entry.visit, entry.by, now, beside)
    asked = step_of(form)
    if asked is None:
        raise Incomplete([f"{name}: {words}" for name, words in form.errors.items()])
    assert isinstance(asked, VisitStep)
    captured: dict[str, Any] = asked.model_dump(exclude={"to", "visit"})
    return await visit_actions.take_step(
        conn, settings, alert_id, entry.visit, entry.by, asked.to, captured, now, beside
    )


def _for_script(refused: list[str], conflict: str, now: datetime) -> Response:
    if not refused:
        return JSONResponse({"done": True, "at": format_instant(now)})
    words = [one.partition(": ")[2] or one for one in refused]
    return JSONResponse({"done": False, "refused": words}, 409 if conflict else 422)


async def visit_page(
    request: Request, visit_id: UUID, status: int = 200, to: str = "", form: Form | None = None,
    refused: list[str] | None = None, **more: Any,
) -> Response:  # fmt: skip
    """The page of one's own visit; with a form that was refused as it was entered.

    Raises:
        NotFound: there is no such visit of theirs.
    """
    me, parts = visitor_of(request).member.username, parts_of(request)
    async with database(request) as (conn, now):
        alert_id = await entries_store.alert_of_own_visit(conn, visit_id, me)
        context = await brief(conn, visit_id, alert_id, now)
    state = context["state"]
    settings = parts.settings
    context |= {
        "form": visit_forms.as_shown(form, state.value, to, refused or []) if form is not None else Form(),
        "offers": visit_forms.offers(state, may_lift=not context.get("flags")),
        "picks": visit_forms.PICKS,
        "buttons": visit_forms.BUTTONS,
        "new_entry": uuid7,
        "coming": state in COMING,
        "inside": state in INSIDE,
        "check_in_s": settings.visit_check_in_s,
        "warn_s": settings.visit_check_in_warn_s,
        "now": now,
    }
    return parts.pages.render(request, "visit.html", status, context | more)
