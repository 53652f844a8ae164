"""A person's care plan: what is watched besides the alarm, and when nothing is."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.forms import Form
from dashboard.parts import database, parts_of
from telecare.register import homes as register
from telecare.register import plans
from telecare.register.plans import CarePlan

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

_TIME: Final = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")
_DAY: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:,? +(?:at +)?(\S+))?")
FIELDS: Final = (
    "still", "still_after_h", "still_from", "still_until", "out_after_h", "up", "up_by", "up_since", "away_until",
    "away_why", "agreed",
)  # fmt: skip


def form_of(plan: CarePlan, zone: ZoneInfo) -> Form:
    """The plan as the form shows it."""
    away = plan.away_until.astimezone(zone) if plan.away_until else None
    return Form(
        "plan",
        {
            "still": "yes" if plan.still_after_min is not None else "",
            "still_after_h": _hours(plan.still_after_min or 240),
            "still_from": f"{plan.still_from:%H:%M}",
            "still_until": f"{plan.still_until:%H:%M}",
            "out_after_h": _hours(plan.out_after_min),
            "up": "yes" if plan.up_by is not None else "",
            "up_by": f"{plan.up_by or time(10, 30):%H:%M}",
            "up_since": f"{plan.up_since:%H:%M}",
            "away_until": f"{away:%-d/%-m/%Y %H:%M}" if away else "",
            "away_why": plan.away_why,
            "agreed": plan.agreed,
        },
    )


def plan_from(sent: FormData, zone: ZoneInfo) -> tuple[Form, CarePlan]:
    """The form as it was sent, with what is wrong with it in `errors`, and the plan where nothing is."""
    values = {name: str(sent.get(name, "")).strip().replace("\r\n", "\n") for name in FIELDS}
    form, plan = Form("plan", values), CarePlan(away_why=values["away_why"], agreed=values["agreed"])

    def read(name: str, how: Callable[[str], Any]) -> Any:
        try:
            return how(values[name])
        except ValueError as problem:
            form.errors[name] = str(problem)
            return None

    if values["still"]:
        found = {"still_after_min": read("still_after_h", _minutes), "out_after_min": read("out_after_h", _minutes)}
        found |= {name: read(name, _time) for name in ("still_from", "still_until")}
        plan = replace(plan, **{name: value for name, value in found.items() if value is not None})
    if values["up"]:
        times = {name: read(name, _time) for name in ("up_by", "up_since")}
        plan = replace(plan, **{name: value for name, value in times.items() if value is not None})
    if values["away_until"]:
        plan = replace(plan, away_until=read("away_until", lambda text: instant_from(text, zone)))
    shown = {"still_after_min": "still_after_h", "out_after_min": "out_after_h"}
    for name, words in plan.problems().items():
        form.errors.setdefault(shown.get(name, name), words)
    return form, plan


def _hours(minutes: int) -> str:
    return f"{minutes / 60:g}"


def _minutes(text: str) -> int:
    try:
        return round(float(text) * 60)
    except (ValueError, OverflowError) as problem:
        raise ValueError("Enter a number of hours, like 4 or 2.5") from problem


def _time(text: str) -> time:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("Enter a time of day, like 7:30 or 22:00")
    return time(int(match[1]), int(match[2]))


def instant_from(text: str, zone: ZoneInfo) -> datetime:
    """A day, perhaps with a time, by a council's clock.

    Raises:
        ValueError: it is none; the words say what to enter.
    """
    match = _DAY.fullmatch(text)
    if match is None:
        raise ValueError("Enter a day, like 27/3/2027, with a time if it is known: 27/3/2027 18:00")
    hour = _time(match[4]) if match[4] else time(12)
    try:
        return datetime(int(match[3]), int(match[2]), int(match[1]), hour.hour, hour.minute, tzinfo=zone)
    except ValueError as problem:
        raise ValueError("There is no such day") from problem


@router.get("/people/{person_id}/plan")
async def plan_page(request: Request, person_id: str) -> Response:
    """The plan, to read and to change."""
    return await _page(request, person_id)


@router.post("/people/{person_id}/plan")
async def change_plan(request: Request, person_id: str) -> Response:
    """Make what was sent the person's plan."""
    sent = await request.form()
    async with database(request) as (conn, now):
        record = await register.person(conn, register_id(person_id, "person"))
        home = await register.home(conn, record["home_id"])
        form, plan = plan_from(sent, ZoneInfo(home["timezone"]))
        if not form.errors:
            await plans.set_plan(conn, record["id"], plan, visitor_of(request).member.username, now)
            return RedirectResponse(f"/people/{record['id']}#plan", 303)
    return await _page(request, person_id, 422, form)


async def _page(request: Request, person_id: str, status: int = 200, form: Form | None = None) -> Response:
    async with database(request) as (conn, now):
        record = await register.person(conn, register_id(person_id, "person"))
        home = await register.home(conn, record["home_id"])
        plan = await plans.plan_of(conn, record["id"])
        context = {
            "person": record,
            "home": home,
            "form": form or form_of(plan, ZoneInfo(home["timezone"])),
            "changes": await plans.changes_of(conn, record["id"]),
            "now": now,
        }
    return parts_of(request).pages.render(request, "plan.html", status, context)
