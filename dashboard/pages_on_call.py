"""Who is on call: whom the service rings when nobody takes an alert, at which hours, and whether tests reach them."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from alerts import on_call as rules
from alerts import reach_store, ringing
from dashboard.access import PLANNERS
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.escalation_forms import DAY_ITEMS, window_from
from dashboard.forms import Form
from dashboard.parts import database, parts_of
from telecare.errors import NotFound, Refused
from telecare.register import on_call, on_call_now
from telecare.register.councils import Council, councils
from telecare.register.on_call import NewOnCall
from telecare.register.on_call_now import OnCall
from telecare.rota import CHANNEL_WORDS, DUTY_WORDS, Channel, Duty
from telecare.wall_clock import span_in_words, zone_named

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

TRIED_BY_HAND: Final = (Channel.SMS, Channel.VOICE, Channel.EMAIL)
FIELDS: Final = ("name", "phone", "email", "duty", "council")
EVERY: Final = "all"  # the form's word for every council
WHAT_WORDS: Final = {
    "added": "Put on call",
    "changed": "Changed",
    "ended": "On call no more",
    "window-added": "Hours: added",
    "window-removed": "Hours: taken away",
    "tested": "Test",
}


@router.get("/on-call")
async def on_call_page(request: Request) -> Response:
    """Who is on call, to read; supervisors and administrators change it."""
    return await _page(request)


@router.post("/on-call")
async def add(request: Request) -> Response:
    """Put somebody on call."""
    form, new = _person_from("new", await request.form(), _region(request))
    if new is not None:
        try:
            async with database(request) as (conn, now):
                added = await on_call.add(conn, new, _who(request), now, _region(request))
            return _back(added)
        except Refused as problem:
            _refuse(form, problem)
    return await _page(request, 422, form)


@router.post("/on-call/{on_call_id}")
async def change(request: Request, on_call_id: str) -> Response:
    """What is known of somebody on call, anew."""
    number = register_id(on_call_id, "person on call")
    form, new = _person_from(f"person-{number}", await request.form(), _region(request))
    try:
        async with database(request) as (conn, now):
            await on_call.locked(conn, number)
            if new is not None:
                await on_call.change(conn, number, new, _who(request), now, _region(request))
                return _back(number)
    except Refused as problem:
        _refuse(form, problem)
    return await _page(request, 422, form)


@router.post("/on-call/{on_call_id}/end")
async def end(request: Request, on_call_id: str) -> Response:
    """Ring them no more."""
    number = register_id(on_call_id, "person on call")
    async with database(request) as (conn, now):
        await on_call.end(conn, number, _who(request), now)
    return RedirectResponse("/on-call", 303)


@router.post("/on-call/{on_call_id}/hours")
async def hours(request: Request, on_call_id: str) -> Response:
    """Add hours at which they are on call, or take some away."""
    number, sent = register_id(on_call_id, "person on call"), await request.form()
    form = Form()
    try:
        async with database(request) as (conn, now):
            await on_call.locked(conn, number)
            if sent.get("do") == "remove":
                one = register_id(str(sent.get("one", "")), "hours")
                await on_call.remove_window(conn, number, one, _who(request), now)
            else:
                form, window = window_from(f"hours-{number}", sent)
                if window is not None:
                    await on_call.add_window(conn, number, window, _who(request), now)
    except Refused as problem:
        form.errors["days"] = str(problem)
    return await _page(request, 422, form) if form.errors else _back(number)


@router.post("/on-call/{on_call_id}/test")
async def test(request: Request, on_call_id: str) -> Response:
    """Send a test by every way to them; or write down whether one arrived, as they say."""
    number, sent = register_id(on_call_id, "person on call"), await request.form()
    form = Form(f"test-{number}", {"channel": str(sent.get("channel", ""))})
    try:
        async with database(request) as (conn, now):
            if sent.get("arrived") is None:
                one = _of(await on_call_now.people(conn), number)
                at_local = now.astimezone(zone_named(one.timezone))
                await ringing.send_test(conn, parts_of(request).settings, one, at_local, now)
            else:
                channel, arrived = _tried(sent)
                await on_call.note_test(conn, number, channel, arrived, _who(request), now)
    except Refused as problem:
        form.errors["channel"] = str(problem)
        return await _page(request, 422, form)
    return _back(number)


def _tried(sent: FormData) -> tuple[Channel, bool]:
    channel, arrived = sent.get("channel"), sent.get("arrived")
    if channel not in TRIED_BY_HAND or arrived not in ("yes", "no"):
        raise Refused("Choose what was tried, and whether it arrived")
    return Channel(channel), arrived == "yes"


def _of(people: list[OnCall], number: UUID) -> OnCall:
    for one in people:
        if one.id == number:
            return one
    raise NotFound("nobody of this number is on call")


def _region(request: Request) -> str:
    return parts_of(request).settings.phone_region


def _who(request: Request) -> str:
    return visitor_of(request).member.username


def _back(number: UUID) -> Response:
    return RedirectResponse(f"/on-call#person-{number}", 303)


# ---------------------------------------------------------------- the form of a person


def _person_from(name: str, sent: FormData, region: str) -> tuple[Form, NewOnCall | None]:
    """What was entered about somebody; None where something is wrong, which the form then says."""
    values = {field: str(sent.get(field, "")).strip() for field in FIELDS}
    form = Form(name, values)
    if values["duty"] not in set(Duty):
        form.errors["duty"] = "Choose what they are on call as"
    council = None
    if values["council"] != EVERY:
        try:
            council = UUID(values["council"])
        except ValueError:
            form.errors["council"] = "Choose for whom they are on call"
    duty = Duty(values["duty"]) if "duty" not in form.errors else Duty.SUPERVISOR
    new = NewOnCall(
        duty=duty, name=values["name"], phone=values["phone"], email=values["email"], council_id=council
    )  # fmt: skip
    form.errors |= new.problems(region)
    return form, None if form.errors else new


def _person_form(one: OnCall | None) -> Form:
    if one is None:
        return Form("new", dict.fromkeys(FIELDS, "") | {"duty": Duty.SUPERVISOR.value, "council": EVERY})
    values = {"name": one.name, "phone": one.phone, "email": one.email, "duty": one.duty.value}
    return Form(f"person-{one.id}", values | {"council": str(one.council_id or EVERY)})


def _refuse(form: Form, problem: Refused) -> None:
    """What the register refuses is said at its field."""
    field, _, words = str(problem).partition(": ")
    known = field in FIELDS and bool(words)
    said = words if known else str(problem)
    form.errors[field if known else "name"] = f"{said[:1].upper()}{said[1:]}"


# ---------------------------------------------------------------- the page


async def _page(request: Request, status: int = 200, form: Form | None = None) -> Response:
    async with database(request) as (conn, now):
        people, there = await on_call_now.people(conn), await councils(conn)
        changes = await on_call_now.changes(conn)
    until = now + timedelta(hours=reach_store.GAPS_AHEAD_H)
    gaps = [
        f"{council.name}: nobody is on call as {DUTY_WORDS[duty]}, {span_in_words(gap, zone_named(council.timezone))}."
        for council in there
        for duty in Duty
        for gap in rules.gaps(people, council.id, duty, now, until)
    ]
    forms = {"new": _person_form(None)}
    for one in people:
        forms |= {f"person-{one.id}": _person_form(one)}
        forms |= {f"{kind}-{one.id}": Form(f"{kind}-{one.id}") for kind in ("hours", "test")}
    if form is not None and form.name:
        forms[form.name] = form
    context: dict[str, Any] = {
        "people": [_shown(one, there, rules.on_call_now(one, now)) for one in people],
        "missing": on_call_now.missing(people, there),
        "gaps": gaps,
        "changes": changes,
        "hours": reach_store.GAPS_AHEAD_H,
        "apart_s": parts_of(request).settings.on_call_apart_s,
        "now": now,
        "may_change": visitor_of(request).member.role in PLANNERS.roles,
        "forms": forms,
        "wrong": form if form is not None and form.errors else None,
        "duties": [{"value": duty.value, "text": words.capitalize()} for duty, words in DUTY_WORDS.items()],
        "councils": [{"value": EVERY, "text": "Every council"}]
        + [{"value": str(one.id), "text": one.name} for one in there],
        "channels": [{"value": one.value, "text": CHANNEL_WORDS[one].capitalize()} for one in TRIED_BY_HAND],
        "days": DAY_ITEMS,
        "what_words": WHAT_WORDS,
    }
    return parts_of(request).pages.render(request, "on_call.html", status, context)


def _shown(one: OnCall, there: list[Council], is_now: bool) -> dict[str, Any]:
    """Somebody on call as the page shows them."""
    council = next((each.name for each in there if each.id == one.council_id), "every council")
    return {
        "id": one.id, "name": one.name, "phone": one.phone, "email": one.email, "is_now": is_now,
        "as": f"{DUTY_WORDS[one.duty]} for {council}", "timezone": one.timezone,
        "windows": [{"id": number, "words": str(window)} for number, window in one.windows],
        "ways": [
            {"words": CHANNEL_WORDS[way.channel].capitalize(), "works": way.works, "fails": way.fails,
             "at": way.failed_at if way.fails else way.tested_at}
            for way in one.ways
        ],
    }  # fmt: skip
