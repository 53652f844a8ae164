"""The response team: who can be sent, what they are doing, vehicles with their kit, and keys that are out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from alerts import keys_store, responders_store, shifts_store, vehicles_store
from alerts.errors import Incomplete
from alerts.responding import KIT_WORDS, SKILL_WORDS, Kit, Responder
from dashboard import response_forms as forms
from dashboard.access import SUPERVISING
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.forms import Form
from dashboard.parts import database, parts_of
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.register import councils

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

WHAT_WORDS: Final = {
    "brings": "what they bring",
    "shift": "shift",
    "shift-ended": "shift ended",
    "shift-cancelled": "shift taken away",
    "away": "cannot be sent for a time",
    "back": "can be sent again",
    "vehicle-added": "vehicle added",
    "vehicle-retired": "vehicle taken away",
    "kit-added": "kit added",
    "kit-removed": "kit taken away",
    "kit-faulty": "kit is faulty",
    "kit-mended": "kit works again",
    "key-held": "key held",
    "key-given-back": "key given back",
}
SHIFT_FIELDS: Final = ("from", "until", "partner", "vehicle")


@router.get("/responders")
async def responders(request: Request) -> Response:
    """Everybody who can be sent, with what they are doing; vehicles, kit and keys that are out."""
    return await page(request)


@router.post("/responders/{username}")
async def brings(request: Request, username: str) -> Response:
    """What a responder brings."""
    form, new = forms.brings_from(username, await request.form())
    try:
        async with database(request) as (conn, now):
            await responders_store.set_brings(conn, username, new, visitor_of(request).member.username, now)
    except Incomplete as problem:
        forms.note(form, problem)
        return await page(request, 422, form)
    return RedirectResponse(f"/responders#{username}", 303)


@router.post("/responders/{username}/shift")
async def shift(request: Request, username: str) -> Response:
    """A responder's shift, by a supervisor."""
    sent = await request.form()
    async with database(request) as (conn, now):
        form = await change_shift(conn, username, sent, visitor_of(request).member.username, now)
    if form.errors:
        return await page(request, 422, form)
    return RedirectResponse(f"/responders#{username}", 303)


async def change_shift(conn: Connection, username: str, sent: FormData, by: str, now: datetime) -> Form:
    """Begin or end a shift, or say until when somebody cannot be sent; the form, with what was wrong with it.

    Raises:
        NotFound: there is no such responder, or nothing of the kind can be done.
    """
    do = str(sent.get("do", ""))
    try:
        match do:
            case "begin":
                form = Form(f"shift-{username}", {name: forms.text_of(sent, name) for name in SHIFT_FIELDS})
                await _begin(conn, username, form, by, now)
            case "end":
                form = Form(f"shift-{username}")
                await shifts_store.end_shift(conn, username, by, now)
            case "away":
                form = Form(f"away-{username}", {name: forms.text_of(sent, name) for name in ("back_by", "why")})
                back = forms.read(form, "back_by", lambda text: forms.time_ahead(text, now))
                if back is not None:
                    await shifts_store.set_away(conn, username, back, form.values["why"], by, now)
            case "back":
                form = Form(f"away-{username}")
                await shifts_store.set_away(conn, username, None, "", by, now)
            case _:
                raise NotFound("there is nothing of the kind to be done")
    except Incomplete as problem:
        forms.note(form, problem)
    return form


async def _begin(conn: Connection, username: str, form: Form, by: str, now: datetime) -> None:
    def begins(text: str) -> datetime | None:
        return forms.time_ahead(text, now) if text else None

    from_at = forms.read(form, "from", begins)
    until_at = forms.read(form, "until", lambda text: forms.time_ahead(text, from_at or now))
    vehicle = forms.read(form, "vehicle", forms.id_of)
    if not form.errors:
        await shifts_store.begin_shift(
            conn, username, until_at, form.values["partner"], vehicle, by, now, from_at=from_at
        )


@router.post("/vehicles")
async def vehicles(request: Request) -> Response:
    """Vehicles and the kit on board, by a supervisor."""
    sent = await request.form()
    form = Form(
        "vehicles", {name: forms.text_of(sent, name) for name in ("do", "name", "vehicle", "item", "kind", "fault")}
    )
    try:
        async with database(request) as (conn, now):
            await _change_vehicles(conn, form, visitor_of(request).member.username, now)
    except Incomplete as problem:
        forms.note(form, problem)
        return await page(request, 422, form)
    return RedirectResponse("/responders#vehicles", 303)


async def _change_vehicles(conn: Connection, form: Form, by: str, now: datetime) -> None:
    values = form.values
    match values["do"]:
        case "add":
            await vehicles_store.add_vehicle(conn, values["name"], by, now)
        case "retire":
            await vehicles_store.retire_vehicle(conn, register_id(values["vehicle"], "vehicle"), by, now)
        case "kit" if values["kind"] in set(Kit):
            await vehicles_store.add_kit(conn, register_id(values["vehicle"], "vehicle"), Kit(values["kind"]), by, now)
        case "remove":
            await vehicles_store.remove_kit(conn, register_id(values["item"], "kit"), by, now)
        case "fault":
            if not values["fault"]:
                raise Incomplete(["fault: say what is wrong with it"])
            await vehicles_store.set_fault(conn, register_id(values["item"], "kit"), values["fault"], by, now)
        case "mended":
            await vehicles_store.set_fault(conn, register_id(values["item"], "kit"), "", by, now)
        case _:
            raise NotFound("there is nothing of the kind to be done")


async def page(request: Request, status: int = 200, form: Form | None = None) -> Response:
    """The page, as its forms come back to it too."""
    member = visitor_of(request).member
    async with database(request) as (conn, now):
        team = await responders_store.team(conn, now)
        context: dict[str, Any] = {
            "team": [{"one": one, "standing": one.standing(now)} for one in team],
            "next_shifts": await shifts_store.next_shifts(conn, now),
            "vehicles": await vehicles_store.vehicles(conn, now),
            "keys_out": await keys_store.out(conn, now),
            "changes": await responders_store.changes(conn),
            "councils": [one.name for one in await councils.councils(conn)],
            "now": now,
        }
    found = {
        made.name: made for one in team for made in [*shift_forms(one, context["vehicles"]), forms.brings_form(one)]
    }
    if form is not None:
        found[form.name] = form
    context |= {
        "forms": found,
        "wrong": form if form is not None and form.errors else None,
        "may_change": member.role in SUPERVISING.roles,
        "skills": [{"value": value.value, "text": words} for value, words in SKILL_WORDS.items()],
        "kinds": [{"value": value.value, "text": words} for value, words in KIT_WORDS.items()],
        "what_words": WHAT_WORDS,
    }
    return parts_of(request).pages.render(request, "responders.html", status, context)


def shift_forms(one: Responder, vehicles: Sequence[dict[str, Any]]) -> list[Form]:
    """The forms of somebody's shift, filled in with whom and in what they work now."""
    now_in = next((str(each["id"]) for each in vehicles if one.shift and each["name"] == one.shift.vehicle), "")
    return [
        Form(f"shift-{one.username}", {"partner": one.partner, "vehicle": now_in}),
        Form(f"away-{one.username}"),
    ]
