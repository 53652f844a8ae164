"""The console: the queue, and one alert with everything that is needed to answer it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts import asks_screens, calls, floods, queue, reach, reach_store, sending_store
from alerts.actions import OVER
from alerts.errors import Conflict, Incomplete
from alerts.incidents import reading
from alerts.wrapping import outcomes_so_far
from dashboard import dispatching, store, timeline_store
from dashboard.api import AlertNumber
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.code_looks import look_for
from dashboard.fall_words import blows_of, falls_of
from dashboard.forms import FORMS, Form, closing_form, note_problems, read_form, step_of
from dashboard.parts import database, parts_of
from dashboard.rows import fit
from dashboard.script_card import script_card
from dashboard.steps import Step
from dashboard.timeline import LastDay, finding
from dashboard.timeline_svg import draw
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.register import homes, person_states, plans

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

QUEUE_LIMIT: Final = 1000
EARLIER: Final = 10  # alerts of the same person
HOMES: Final = 100  # of an incident, on one page

# What the page says after a step; the address carries only the word on the left.
DONE: Final = {
    "claim": "You have this alert.",
    "take-over": "You have this alert now.",
    "note": "Written down.",
    "contact": "Written down.",
    "notify": "The contact is being asked.",
    "contact-there": "Written down: the contact is with the person.",
    "stop-asking": "Nobody more is asked by itself.",
    "nobody": "Nobody was asked: the log says why.",
    "call": "The clock is running. Write down how the call ends.",
    "call-end": "Written down.",
    "key-out": "Written down.",
    "key-back": "Written down: the key is back.",
    "dispatch": "Written down; the person is told that someone is on the way.",
    "assess": "Written down.",
    "script": "Written down.",
    "emergency": "Written down; its clock is running.",
    "service-news": "Written down.",
    "visit": "Written down.",
    "check-in": "Written down.",
    "panic": "This alert is an emergency now.",
    "agree": "Written down: whoever has this alert may close it without contact.",
    "wrap-up": "Written down.",
    "review": "Written down.",
    "safe": "Written down: the person is safe.",
    "check-homes": "Written down.",
    "release": "Back in the queue.",
    "shelve": "Put aside. It waits in the queue again when its time is over.",
    "unshelve": "Back in the queue.",
    "close": "This alert is closed.",
}

# After these the script's next question is what the operator turns to.
TO_THE_SCRIPT: Final = frozenset({"claim", "take-over", "script"})


async def _queue(request: Request) -> dict[str, Any]:
    visitor = visitor_of(request)
    async with database(request) as (conn, now):
        alerts = await queue.open_alerts(conn, now, QUEUE_LIMIT)
        rows = await parts_of(request).rows.draw(conn, alerts, now)
        return {
            "alerts": alerts,
            "rows": fit(rows, visitor.member.username, visitor.csrf or ""),
            "now": now,
            "counts": await store.count_homes(conn),
            "limit": QUEUE_LIMIT,
            "incidents": await reading.open_incidents(conn),
            "flood": await floods.now_at(conn, now),
        }


@router.get("/console")
async def console(request: Request) -> Response:
    """The queue of open alerts, most urgent first."""
    return parts_of(request).pages.render(request, "console.html", context=await _queue(request))


@router.get("/console/queue")
async def queue_fragment(request: Request) -> Response:
    """The queue alone, which the page's script fetches anew."""
    return parts_of(request).pages.render(request, "queue.html", context=await _queue(request))


@router.get("/console/alerts/{alert_id}")
async def alert(request: Request, number: AlertNumber) -> Response:
    """One alert."""
    done = request.query_params.get("done", "")
    return await _alert_page(request, number, Form(), done=DONE.get(done, ""), at_script=done in TO_THE_SCRIPT)


@router.post("/console/alerts/{alert_id}/key-safe")
async def key_safe(request: Request, number: AlertNumber) -> Response:
    """Show the key safe's code to be read to somebody who is on the way, and write down who looked and for whom."""
    sent = await request.form()
    form = Form("key-safe", {name: str(sent.get(name, "")).strip() for name in ("reader", "whom", "why")})
    try:
        async with database(request) as (conn, now):
            code, whom = await look_for(conn, number, form.values, visitor_of(request).member.username, now)
    except Incomplete as problem:
        note_problems(form, problem)
        return await _alert_page(request, number, form, status=422)
    return await _alert_page(request, number, Form(), code=code, code_for=whom)


@router.post("/console/alerts/{alert_id}/review")
async def review(request: Request, number: AlertNumber) -> Response:
    """A supervisor's review of a closed alert."""
    return await take_step(request, number, "review")


@router.post("/console/alerts/{alert_id}/{step}")
async def take_step(request: Request, number: AlertNumber, step: str) -> Response:
    """One of the alert page's forms. With something missing, it comes back as it was entered."""
    if step not in FORMS or (step == "review") != request.url.path.endswith("/review"):
        raise NotFound("there is nothing at this address")
    form = read_form(step, await request.form())
    asked = step_of(form)
    if asked is None:
        return await _alert_page(request, number, form, status=422)
    try:
        had_effect = await _take(request, number, asked)
    except Conflict as conflict:
        return await _alert_page(request, number, form, status=409, conflict=str(conflict))
    except Incomplete as problem:
        note_problems(form, problem)
        return await _alert_page(request, number, form, status=422)
    return RedirectResponse(f"/console/alerts/{number}?done={step if had_effect else 'nobody'}", 303)


async def _take(request: Request, number: int, asked: Step) -> bool:
    async with database(request) as (conn, now):
        return await asked.take(conn, parts_of(request).settings, number, visitor_of(request).member.username, now)


async def _alert_page(request: Request, number: int, form: Form, *, status: int = 200, **more: Any) -> Response:
    async with database(request) as (conn, now):
        record = await queue.whole_alert(conn, number, now)
        is_incident = record["incident"] is not None
        context = _incident(request, record) if is_incident else await _everything_about(conn, record, now)
        context |= {} if is_incident else await script_card(request, conn, record, context["people"])
    me = visitor_of(request).member.username
    mine = context["alert"]["claimed_by"] == me and context["alert"]["state"] not in OVER
    context |= {"mine": mine, "form": form, "now": now} | more
    return parts_of(request).pages.render(request, "incident.html" if is_incident else "alert.html", status, context)


def _incident(request: Request, record: dict[str, Any]) -> dict[str, Any]:
    """An incident, with one page of its homes."""
    asked = request.query_params.get("from", "")
    first = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 0
    shown = record["incident"]["homes"][first : first + HOMES]
    zone = record["incident"]["timezone"]
    return {"alert": record, "timezone": zone, "shown": shown, "first": first, "page_size": HOMES}


async def _everything_about(conn: Connection, record: dict[str, Any], now: datetime) -> dict[str, Any]:
    number = record["id"]
    home = await homes.home(conn, record["home"])
    people = await homes.people_of(conn, record["home"])
    away, states = None, []
    if record["person"] is not None:
        people = [await homes.person(conn, record["person"])]
        plan = await plans.plan_of(conn, record["person"])
        away = plan if plan.away_until is not None and plan.away_until > now else None
        states = await person_states.history_of(conn, record["person"])
    asks = await asks_screens.asks_of(conn, number)
    earlier = await queue.alerts_of_person(conn, record["person"], now, EARLIER + 1) if record["person"] else []
    return {
        "alert": record,
        "falls": falls_of(record["alarms"]),
        "blows": blows_of(record["alarms"]),
        "away": away,
        "standing": states[0] if states else None,
        "home": home,
        "timezone": home["timezone"],
        "hubs": await store.hubs_of(conn, record["home"]),
        "people": [person | {"contacts": await homes.contacts_of(conn, person["id"])} for person in people],
        "asks": asks,
        "closing": closing_form(record, outcomes_so_far(record["visits"], record["emergency_calls"], asks.values())),
        "askable": await _askable(conn, record, now),
        "ladder": await asks_screens.waiting(conn, number),
        "written": await sending_store.of_alert(conn, number),
        **await _calls(conn, record, people, now),
        **await dispatching.context(conn, record, home, people, now),
        **await _last_day(conn, home, now),
        "earlier": [one for one in earlier if one["id"] != number][:EARLIER],
    }


async def _last_day(conn: Connection, home: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The home's last 24 hours, as a sentence and as a picture; no picture where nothing was heard."""
    shown = await timeline_store.picture_of(conn, home["id"], LastDay.before(now, ZoneInfo(home["timezone"])), now)
    words = finding(shown)
    return {"last_day": {"words": words, "svg": None if shown.is_empty else draw(shown, words)}}


async def _askable(conn: Connection, record: dict[str, Any], now: datetime) -> dict[UUID, reach.Askable]:
    """What speaks against asking each contact; empty where nobody is written to about the person."""
    plan = await reach_store.plan_of(conn, record["person"]) if record["person"] is not None else None
    return {one.id: reach.askable(plan, one, now) for one in plan.contacts} if plan is not None else {}


async def _calls(
    conn: Connection, record: dict[str, Any], people: list[dict[str, Any]], now: datetime
) -> dict[str, Any]:
    """The alert's calls, since when nobody has been speaking with anybody, and what to try next."""
    made = await calls.calls_of(conn, record["id"])
    home = await homes.home(conn, record["home"])
    mobile = bool(record["person"] and people[0]["mobile"])
    lines = frozenset(line for line, there in (("landline", home["phone"]), ("mobile", mobile)) if there)
    advice = calls.next_step(made, lines, record["claimed_at"] or now, now)
    return {"calls": made, "alone_since": (await calls.alone_since(conn)).get(record["id"]), "advice": advice}
