"""Carers' pages: their own, the answer to one question, and the invitation that leads to a login.

The links of messages open without a login: whoever holds one is the one it was sent to. Opening a link changes nothing.
"""

import time
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts import asks, asks_screens, asks_store, load, push_store, queue, telling
from alerts.channels import vapid
from dashboard import carer_devices, store
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, begin_session, find_visitor, from_another_site, visitor_of
from dashboard.carer_words import all_well, happened
from dashboard.errors import StaleForm, TooManyLogins
from dashboard.parts import database, parts_of
from dashboard.words import ZONE, short_time
from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.register import carers
from telecare.register.carers import Caring, Standing
from telecare.settings import Settings
from telecare.vocabulary import Role

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

MINUTES: Final = (10, 20, 30, 60)  # what a carer may choose with one tap
_ALERTS_LOOKED_AT: Final = 50
_TOKEN_LIMIT: Final = 100  # characters

# ---------------------------------------------------------------- a carer's own page


@router.get("/carer")
async def carer(request: Request) -> Response:
    """For everyone whose contact this carer is: is all well, what happened, what am I asked, how am I reached."""
    return await carer_page(request)


async def carer_page(request: Request, status: int = 200, device_problem: str = "") -> Response:
    """The page; with what was wrong with a device that was to be rung."""
    settings, login = parts_of(request).settings, visitor_of(request).member.id
    budget = load.budget_of(settings)
    async with database(request) as (conn, now):
        caring = await carers.caring_of(conn, login)
        timezone = caring[0].timezone if caring else ZONE
        context = {
            "people": [await _person(conn, one, budget, now) for one in caring],
            "asked": await asks_screens.open_asks_of_login(conn, login),
            "minutes": MINUTES,
            "done": request.query_params.get("done", ""),
            "push": await _push(conn, settings, login, now, timezone) | {"problem": device_problem},
            "timezone": timezone,
            "now": now,
        }
    return parts_of(request).pages.render(request, "carer.html", status, context)


async def _push(conn: Connection, settings: Settings, login: UUID, now: datetime, timezone: str) -> dict[str, Any]:
    """Whether this service rings in browsers, and in which of this carer's."""
    devices = await push_store.devices_of(conn, login)
    within = timedelta(seconds=settings.receipt_s)

    def clock(at: datetime) -> str:
        return short_time(at, now, timezone)

    return {
        "key": vapid.public_key(settings),
        "devices": [
            {"device": one, "mark": carer_devices.mark_of(one.endpoint),
             "line": carer_devices.line_of(one, now, within, clock)}
            for one in devices
        ],
        "test": carer_devices.trial_of(await push_store.last_test(conn, login), devices, now, within, clock),
    }  # fmt: skip


async def _person(conn: Connection, caring: Caring, budget: load.Budget, now: datetime) -> dict[str, Any]:
    facts = await store.facts_for_carers(conn, caring.person_id, caring.home_id)
    alerts: list[dict[str, Any]] = []
    if caring.consent.alerts:
        alerts = await queue.alerts_of_person(conn, caring.person_id, now, _ALERTS_LOOKED_AT)
    return {
        "caring": caring,
        "lines": all_well(caring, facts, lambda at: short_time(at, now, caring.timezone)),
        "happened": happened(caring, alerts, now),
        "load": (await load.of_person(conn, caring.person_id, now)).get(caring.contact_id),
        "budget": budget,
        "test": await asks_screens.last_test(conn, caring.contact_id),
    }


@router.post("/carer/asks/{ask_id}")
async def answer_on_own_page(request: Request, ask_id: str) -> Response:
    """The same answer as by the link, on the carer's own page."""
    number, form = register_id(ask_id, "question"), await request.form()
    async with database(request) as (conn, now):
        found = await asks_store.ask_by(conn, ask_id=number)
        if found is None or found["staff_id"] != visitor_of(request).member.id:
            raise NotFound("no such question")
        await _take_answer(request, conn, number, form, now)
    return RedirectResponse("/carer?done=answered", 303)


@router.post("/carer/contacts/{contact_id}/test")
async def test_message(request: Request, contact_id: str) -> Response:
    """Send a test message to the number that is recorded."""
    number = register_id(contact_id, "contact")
    async with database(request) as (conn, now):
        caring = [
            one for one in await carers.caring_of(conn, visitor_of(request).member.id) if one.contact_id == number
        ]
        if not caring:
            raise NotFound("no such contact")
        contact = {"id": number, "name": caring[0].contact, "phone": caring[0].phone}
        at_local = now.astimezone(ZoneInfo(caring[0].timezone))
        await telling.send_test(conn, parts_of(request).settings, contact, at_local, now)
    return RedirectResponse("/carer?done=test", 303)


# ---------------------------------------------------------------- the link of a message that asks somebody to go


@router.get("/a/{token}")
async def question(request: Request, token: str) -> Response:
    """Who asks, for whom, and two buttons. Opening it changes nothing."""
    return await _question_page(request, token)


@router.post("/a/{token}")
async def answer(request: Request, token: str) -> Response:
    """I can go, I cannot, or I am there."""
    _check_origin(request)
    found = await _asked(request, token)
    form = await request.form()
    try:
        async with database(request) as (conn, now):
            await _take_answer(request, conn, found["id"], form, now)
    except Refused as problem:
        return await _question_page(request, token, 422, str(problem))
    return RedirectResponse(f"/a/{token}", 303)


async def _take_answer(request: Request, conn: Connection, ask_id: UUID, form: Any, now: datetime) -> None:
    given, minutes = str(form.get("answer", "")), str(form.get("minutes", ""))
    settings = parts_of(request).settings
    if given in ("cannot", "there"):
        await asks.answer(conn, settings, ask_id, "cannot" if given == "cannot" else "there", None, now)
    elif given == "going":
        way = int(minutes) if minutes.isascii() and minutes.isdigit() and len(minutes) < 4 else None
        await asks.answer(conn, settings, ask_id, "going", way, now)
    else:
        raise Refused("Choose one of the answers")


async def _asked(request: Request, token: str) -> dict[str, Any]:
    async with database(request) as (conn, _):
        found = await asks_store.ask_by(conn, token_hash=telling.link_hash(token)) if _may_be(token) else None
    if found is None:
        _count_guess(request)
        raise NotFound("this link is not one of ours, or was not copied whole")
    return dict(found)


async def _question_page(request: Request, token: str, status: int = 200, problem: str = "") -> Response:
    found = await _asked(request, token)
    over = found["over_at"] is not None or found["closed_at"] is not None
    async with database(request) as (_, now):
        context = {"asked": found, "over": over, "minutes": MINUTES, "problem": problem, "token": token, "now": now}
    return parts_of(request).pages.render(request, "question.html", status, context)


# ---------------------------------------------------------------- invitations


@router.get("/i/{token}")
async def invitation(request: Request, token: str) -> Response:
    """What being a contact means, and a form for a login. Opening it uses nothing up."""
    return await _invitation_page(request, token)


@router.post("/i/{token}")
async def take_up(request: Request, token: str) -> Response:
    """Take up the invitation, with the login that one has or a new one."""
    _check_origin(request)
    form = await request.form()
    values = {name: str(form.get(name, "")) for name in ("username", "password")}
    visitor = await find_visitor(request)
    errors = {} if visitor else carers.login_problems(values["username"].strip().lower(), values["password"])
    if errors:
        return await _invitation_page(request, token, 422, values["username"], errors)
    try:
        async with parts_of(request).hashing, database(request) as (conn, now):
            member = await carers.accept(
                conn, token[:_TOKEN_LIMIT], now, login=visitor.member if visitor else None,
                username=values["username"].strip().lower(), password=values["password"],
            )  # fmt: skip
    except Refused as problem:
        return await _invitation_page(request, token, 422, values["username"], {"username": str(problem)})
    if member is None:
        return await _invitation_page(request, token, 409)
    response = RedirectResponse("/carer?done=welcome", 303)
    if visitor is None:
        await begin_session(request, response, member)
    return response


async def _invitation_page(
    request: Request, token: str, status: int = 200, username: str = "", errors: dict[str, str] | None = None
) -> Response:
    visitor = await find_visitor(request)
    async with database(request) as (conn, now):
        found = await carers.find_invitation(conn, token[:_TOKEN_LIMIT], now)
    if found.standing is Standing.UNKNOWN:
        _count_guess(request)
        raise NotFound("this link is not one of ours, or was not copied whole")
    context = {
        "invitation": found,
        "standing": found.standing.name,
        "login": visitor.member if visitor and visitor.member.role is Role.CARER else None,
        "username": username,
        "errors": errors or {},
        "token": token,
    }
    if found.standing is not Standing.OPEN and status == 200:
        status = 410  # gone, but known
    return parts_of(request).pages.render(request, "invitation.html", status, context)


def _may_be(token: str) -> bool:
    return len(token) <= _TOKEN_LIMIT


def _check_origin(request: Request) -> None:
    if from_another_site(request):
        raise StaleForm("answer from our own page")


def _count_guess(request: Request) -> None:
    """Guessing links is slowed down as guessing passwords is."""
    parts, address = parts_of(request), request.client.host if request.client else "unknown"
    if not parts.logins.admit((f"links {address}",), time.monotonic()):
        raise TooManyLogins("Too many links that are not ours. Wait five minutes and try again")
