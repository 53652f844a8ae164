"""How a person stands with the service: written down on their record, and said wherever they are named."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts import standing
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.pages_plans import instant_from
from dashboard.pages_records import person_page
from dashboard.parts import database, parts_of
from telecare.errors import Refused
from telecare.register import homes as register
from telecare.register.person_states import Change
from telecare.vocabulary import PersonState

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

KIT_FAULT_WITHIN: Final = timedelta(hours=24)  # a fault is put right within this, where no day is given


@router.post("/people/{person_id}/state")
async def change(request: Request, person_id: str) -> Response:
    """Write down how the person stands."""
    form = await request.form()
    try:
        async with database(request) as (conn, now):
            record = await register.person(conn, register_id(person_id, "person"))
            home = await register.home(conn, record["home_id"])
            state = _state(str(form.get("state", "")))
            new = Change(
                state=state,
                note=str(form.get("note", "")),
                due_at=_due(state, str(form.get("due", "")).strip(), ZoneInfo(home["timezone"]), now),
                by=visitor_of(request).member.username,
                role=visitor_of(request).member.role,
            )
            await standing.change(conn, parts_of(request).settings, record["id"], new, now)
    except Refused as problem:
        return await person_page(request, person_id, 422, {"problem": str(problem), "problem_at": "state"})
    return RedirectResponse(f"/people/{record['id']}#state", 303)


def _state(text: str) -> PersonState:
    try:
        return PersonState(text)
    except ValueError as problem:
        raise Refused("Choose how the person stands with the service") from problem


def _due(state: PersonState, text: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    if state is not PersonState.KIT_FAULT:
        return None
    if not text:
        return now + KIT_FAULT_WITHIN
    try:
        return instant_from(text, zone)
    except ValueError as problem:
        raise Refused(str(problem)) from problem
