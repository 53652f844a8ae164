"""The HTTP API of the response team: who can be sent, keys, shifts, and the code of a key safe."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from alerts import keys_store, queue, responders_store, shifts_store
from alerts.errors import Incomplete
from alerts.responding import Responder
from dashboard import code_looks, dispatching, models
from dashboard import models_response as shapes
from dashboard.api import CONFLICT, PROBLEM, AlertNumber, register_id, take
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.errors import NotAllowed
from dashboard.parts import database
from dashboard.plain import plain
from dashboard.steps_help import KeyOut
from telecare.register import homes
from telecare.vocabulary import Role

router = APIRouter(prefix="/api", route_class=GuardedRoute, responses=PROBLEM, tags=["response team"])


@router.get("/responders", response_model=shapes.Team, summary="Who can be sent, and keys that are out")
async def team(request: Request) -> Response:
    """Everybody of the response team with what they are doing, as it follows from their visits and shifts."""
    async with database(request) as (conn, now):
        found = await responders_store.team(conn, now)
        keys = await keys_store.out(conn, now)
    answer = {"responders": [_member(one, now) for one in found], "keys_out": [_key(key) for key in keys]}
    return JSONResponse(plain(answer))


def _member(one: Responder, now: datetime) -> dict[str, Any]:
    shift, standing = one.shift, one.standing(now)
    return {
        "username": one.username,
        "name": one.name,
        "skills": sorted(one.skills),
        "languages": list(one.languages),
        "place": one.place,
        "district": one.district,
        "council": one.council,
        "recorded": one.recorded,
        "on_shift_until": shift.until_at if shift else None,
        "partner": one.partner,
        "vehicle": shift.vehicle if shift else "",
        "kit": [{"kind": item.kind.value, "fault": item.fault} for item in (shift.kit if shift else ())],
        "doing": standing.doing.value,
        "doing_words": standing.words(now),
        "alert": standing.alert_id,
    }


def _key(key: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "tag", "taken_by", "witness", "out_at", "due_at", "overdue")
    return {name: key[name] for name in names} | {
        "home": key["home_id"],
        "visit": key["visit_id"],
        "alert": key["alert_id"],
    }


@router.get("/alerts/{alert_id}/responders", response_model=shapes.Suggestions, summary="Whom to send, and why")
async def suggestions(request: Request, number: AlertNumber) -> Response:
    """The best first, each with reasons. Anybody may be sent, also somebody else than these."""
    async with database(request) as (conn, now):
        record = await queue.whole_alert(conn, number, now)
        home = await homes.home(conn, record["home"]) if record["home"] else None
        people = await homes.people_of(conn, record["home"]) if record["home"] else []
        if record["person"] is not None:
            people = [await homes.person(conn, record["person"])]
        need, advice = await dispatching.advice_for(conn, record, home, people, now)
    answer = {
        "first": advice.first.responder.username if advice.first else None,
        "warnings": list(advice.warnings),
        "unknown": list(need.unknown),
        "needs_lifting": need.lifting,
        "two_people": need.two_people,
        "responders": [dispatching.as_record(one, now) for one in advice.ranked],
    }
    return JSONResponse(plain(answer))


@router.post("/responders/{username}/shift", response_model=shapes.TeamMember, summary="A shift begins or ends")
async def shift(request: Request, username: str, body: shapes.ShiftChange) -> Response:
    """A responder's own, or by a supervisor. `on_shift` false ends it."""
    me = visitor_of(request).member
    if me.role is Role.RESPONDER and me.username != username:
        raise NotAllowed("a responder's shift is their own to set, or a supervisor's")
    async with database(request) as (conn, now):
        await responders_store.responder_named(conn, username)
        if wrong := body.problems():
            raise Incomplete(wrong)
        if not body.on_shift:
            await shifts_store.end_shift(conn, username, me.username, now)
        elif body.until_at is not None:
            await shifts_store.begin_shift(
                conn, username, body.until_at, body.partner, body.vehicle, me.username, now, from_at=body.from_at
            )
        one = next(one for one in await responders_store.team(conn, now) if one.username == username)
    return JSONResponse(plain(_member(one, now)))


@router.post("/alerts/{alert_id}/keys", response_model=models.ListedAlert, responses=CONFLICT, summary="A key is taken")
async def key_out(request: Request, number: AlertNumber, body: KeyOut) -> Response:
    """To a visit of the alert that is not over. Needs two names. 409 where the key is out already."""
    return await take(request, number, body)


@router.post("/keys/{key_id}/back", response_model=shapes.KeyBack, responses=CONFLICT, summary="A key is back")
async def key_back(request: Request, key_id: str, body: shapes.Back) -> Response:
    """And who saw it hung up. Also when its alert is closed."""
    key = register_id(key_id, "key")
    async with database(request) as (conn, now):
        await keys_store.back_in(conn, key, body.witness, visitor_of(request).member.username, now)
    return JSONResponse({"key": str(key)})


@router.post(
    "/alerts/{alert_id}/key-safe", response_model=shapes.Code, responses=CONFLICT, summary="A code to be read out"
)
async def code(request: Request, number: AlertNumber, body: shapes.AskedCode) -> Response:
    """For operators, to read to somebody who is on the way. Each look is written down, with for whom."""
    by = visitor_of(request).member.username
    async with database(request) as (conn, now):
        found, whom = await code_looks.look_for(conn, number, body.model_dump(), by, now)
    return JSONResponse({"code": found, "for_whom": whom}, headers={"Cache-Control": "no-store"})


@router.post(
    "/alerts/{alert_id}/visits/{visit_id}/key-safe",
    response_model=shapes.Code, responses=CONFLICT, summary="The code, for the responder who goes",
)  # fmt: skip
async def own_code(request: Request, number: AlertNumber, visit_id: str) -> Response:
    """For the responder whose own visit is under way, and not after they have left. Each look is written down."""
    me = visitor_of(request).member
    visit = register_id(visit_id, "visit")
    async with database(request) as (conn, now):
        found = await code_looks.look(conn, visit, me.username, now, alert_id=number)
    return JSONResponse({"code": found, "for_whom": me.username}, headers={"Cache-Control": "no-store"})
