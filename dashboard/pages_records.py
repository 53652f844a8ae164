"""Records: homes, people, and in the demo the messages that would have been sent."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts import keys_store, load, queue, reach_store, tasks_store
from alerts.reach import gap_words, gaps, problems_of
from alerts.watchdog import store as watchdog
from dashboard import store
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.parts import database, parts_of
from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.register import carers, learning, person_states, plans
from telecare.register import homes as register
from telecare.rota import SERVICE_TYPE_WORDS, ServiceType
from telecare.vocabulary import PERSON_STATE_WORDS, STOPPED, PersonState, Role

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

HOMES_LIMIT: Final = 200
READINGS_DAYS: Final = 7  # older readings are not "last readings"
WORDS_LIMIT: Final = 100  # characters of a search
MESSAGES_LIMIT: Final = 200
ONCALL_LIMIT: Final = 20


@router.get("/homes")
async def homes(request: Request) -> Response:
    """Homes, all or those that hold the words searched for."""
    words = request.query_params.get("q", "").replace("\0", "").strip()[:WORDS_LIMIT]
    async with database(request) as (conn, now):
        found = await store.find_homes(conn, words, HOMES_LIMIT + 1)
        context: dict[str, Any] = {"counts": await store.count_homes(conn)}
    context |= {"homes": found[:HOMES_LIMIT], "more": len(found) > HOMES_LIMIT, "words": words, "now": now}
    return parts_of(request).pages.render(request, "homes.html", context=context)


@router.get("/homes/{home_id}")
async def home(request: Request, home_id: str) -> Response:
    """A home's record, its equipment, and what was last heard from it."""
    return await home_page(request, home_id)


@router.post("/homes/{home_id}/test-window")
async def test_window(request: Request, home_id: str) -> Response:
    """Let one device's alarms that say `test` count as tests for some minutes."""
    form = await request.form()
    device, minutes = str(form.get("device", "")), str(form.get("minutes", ""))
    try:
        if not (minutes.isascii() and minutes.isdigit() and len(minutes) < 4) or "\0" in device:
            raise Refused("Enter a number of minutes from 1 to 30")
        async with database(request) as (conn, now):
            length = timedelta(minutes=int(minutes))
            username = visitor_of(request).member.username
            home_uuid = register_id(home_id, "home")
            await register.open_test_window(conn, home_uuid, device, username, now, length)
    except Refused as problem:
        words = str(problem)
        return await home_page(request, home_id, 422, {"problem": words[:1].upper() + words[1:], "device": device})
    return RedirectResponse(f"/homes/{home_uuid}#devices", 303)


async def home_page(request: Request, home_id: str, status: int = 200, more: dict[str, Any] | None = None) -> Response:
    """The record's page, as other pages' forms come back to it too."""
    async with database(request) as (conn, now):
        record = await register.home(conn, register_id(home_id, "home"))
        number = record["id"]
        context = {
            "home": record,
            "people": await register.people_of(conn, number),
            "devices": await register.devices_of(conn, number),
            "hubs": await store.hubs_of(conn, number),
            "windows": await store.test_windows_of(conn, number, now),
            "keys": await keys_store.of_home(conn, number, now),
            "readings": await store.last_readings(conn, number, now - timedelta(days=READINGS_DAYS)),
            "days": READINGS_DAYS,
            "now": now,
        }
    return parts_of(request).pages.render(request, "home.html", status, context | (more or {}))


@router.get("/people/{person_id}")
async def person(request: Request, person_id: str) -> Response:
    """A person's record."""
    return await person_page(request, person_id)


async def person_page(
    request: Request, person_id: str, status: int = 200, more: dict[str, Any] | None = None
) -> Response:
    """The record's page, as other pages' forms come back to it too."""
    async with database(request) as (conn, now):
        record = await register.person(conn, register_id(person_id, "person"))
        plan = await plans.plan_of(conn, record["id"])
        context = {
            "person": record,
            "plan": plan,
            "plan_words": plan.sentences(),
            "home": await register.home(conn, record["home_id"]),
            "contacts": await register.contacts_of(conn, record["id"]),
            "loads": await load.of_person(conn, record["id"], now),
            "budget": load.budget_of(parts_of(request).settings),
            "consents": await carers.consents_of(conn, record["id"]),
            "recordings": await learning.consent_of(conn, record["id"]),
            "states": await person_states.history_of(conn, record["id"]),
            "state_choices": _state_choices(visitor_of(request).member.role, PersonState(record["state"])),
            "service_words": SERVICE_TYPE_WORDS[ServiceType(record["service_type"])],
            "escalation": await _escalation(conn, record["id"], now),
            "earlier": await queue.alerts_of_person(conn, record["id"], now),
            "tasks": await tasks_store.tasks_of_person(conn, record["id"], now),
            "may_invite": PersonState(record["state"]) not in STOPPED,
            "now": now,
        }
    return parts_of(request).pages.render(request, "person.html", status, context | (more or {}))


async def _escalation(conn: Connection, person_id: UUID, now: datetime) -> list[str]:
    """What is to be mended about whom to ask, in words."""
    plan = await reach_store.plan_of(conn, person_id)
    if plan is None:
        return []
    found = gaps(plan, now, now + timedelta(hours=reach_store.GAPS_AHEAD_H))
    return [problem.words for problem in problems_of(plan)] + [gap_words(gap, plan.zone) for gap in found]


def _state_choices(role: Role, current: PersonState) -> list[dict[str, Any]]:
    """What this member may write down, as radio buttons."""
    if role not in person_states.MAY_STOP:
        allowed = [] if current in STOPPED else [state for state in PersonState if state not in STOPPED]
    else:
        allowed = list(PersonState)
    return [{"value": state.value, "text": PERSON_STATE_WORDS[state], "checked": state is current} for state in allowed]


@router.post("/people/{person_id}/recordings")
async def recordings(request: Request, person_id: str) -> Response:
    """Write down whether the person lets the recordings of their pendant's blows teach the detector."""
    form = await request.form()
    try:
        if form.get("given") not in ("yes", "no"):
            raise Refused("Choose yes or no")
        async with database(request) as (conn, now):
            record = await register.person(conn, register_id(person_id, "person"))
            by, said = visitor_of(request).member.username, str(form.get("said", ""))
            await learning.record(conn, record["id"], form.get("given") == "yes", said, by, now)
    except Refused as problem:
        return await person_page(request, person_id, 422, {"problem": str(problem), "problem_at": "recordings"})
    return RedirectResponse(f"/people/{record['id']}#recordings", 303)


@router.get("/messages")
async def messages(request: Request) -> Response:
    """Every message that would have been sent. In the demo only."""
    if not parts_of(request).settings.demo:
        raise NotFound("messages are shown in the demo only")
    async with database(request) as (conn, now):
        found = await queue.messages(conn, MESSAGES_LIMIT)
        oncall = await watchdog.messages(conn, ONCALL_LIMIT)
    context = {"oncall": oncall, "messages": found, "limit": MESSAGES_LIMIT, "now": now}
    return parts_of(request).pages.render(request, "messages.html", context=context)
