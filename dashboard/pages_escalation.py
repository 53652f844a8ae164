"""A person's escalation plan (who is asked, in which order, when and how), and the plans that somebody has to mend."""

import asyncio
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts import reach, reach_store
from dashboard import escalation_forms as forms
from dashboard.access import PLANNERS
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.forms import Form
from dashboard.parts import database, parts_of
from telecare.db import Connection
from telecare.errors import Refused
from telecare.register import carers, contacts, on_call_now, rota
from telecare.register import homes as register
from telecare.rota import CHANNEL_WORDS, SERVICE_TYPE_WORDS, Channel, ServiceType

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

SHOWN: Final = 300  # plans to mend on one page
TRIED_BY_HAND: Final = (Channel.SMS, Channel.VOICE, Channel.EMAIL)
WHAT_WORDS: Final = {
    "service-type-changed": "Service type",
    "contact-added": "New contact",
    "contact-changed": "Contact changed",
    "contact-moved": "Order",
    "contact-ended": "No contact any more",
    "contact-restored": "A contact again",
    "window-added": "Rota: added",
    "window-removed": "Rota: taken away",
    "absence-added": "Absence: added",
    "absence-removed": "Absence: taken away",
    "way-tested": "Test",
}


@router.get("/people/{person_id}/escalation")
async def escalation(request: Request, person_id: str) -> Response:
    """The plan, to read; supervisors and administrators change it."""
    return await escalation_page(request, person_id)


@router.post("/people/{person_id}/escalation")
async def service_type(request: Request, person_id: str) -> Response:
    """Say who answers for the person besides the service."""
    form = await request.form()
    person = register_id(person_id, "person")
    try:
        wanted = ServiceType(str(form.get("service_type", "")))
    except ValueError:
        wrong = Form("service", errors={"service_type": "Choose who answers for the person"})
        return await escalation_page(request, person_id, 422, wrong)
    async with database(request) as (conn, now):
        await contacts.set_service_type(conn, person, wanted, visitor_of(request).member.username, now)
    return _back(person, "service")


@router.post("/people/{person_id}/contacts")
async def add_contact(request: Request, person_id: str) -> Response:
    """A new contact, after those who are there."""
    person = register_id(person_id, "person")
    form, new = forms.contact_from("contact-new", await request.form())
    if new is None:
        return await escalation_page(request, person_id, 422, form)
    try:
        async with database(request) as (conn, now):
            added = await contacts.add(conn, person, new, visitor_of(request).member.username, now)
    except Refused as problem:
        form.errors["name"] = str(problem)
        return await escalation_page(request, person_id, 422, form)
    return _back(person, f"contact-{added}")


@router.post("/people/{person_id}/contacts/{contact_id}")
async def change_contact(request: Request, person_id: str, contact_id: str) -> Response:
    """What is known of a contact, anew."""
    person, contact = register_id(person_id, "person"), register_id(contact_id, "contact")
    form, new = forms.contact_from(f"contact-{contact}", await request.form())
    async with database(request) as (conn, now):
        await carers.contact(conn, person, contact)
        if new is not None:
            await contacts.change(conn, person, contact, new, visitor_of(request).member.username, now)
            return _back(person, f"contact-{contact}")
    return await escalation_page(request, person_id, 422, form)


@router.post("/people/{person_id}/contacts/{contact_id}/move")
async def move(request: Request, person_id: str, contact_id: str) -> Response:
    """Ask this contact earlier, or later."""
    form = await request.form()
    person, contact = register_id(person_id, "person"), register_id(contact_id, "contact")
    by = -1 if form.get("to") == "earlier" else 1
    async with database(request) as (conn, now):
        await contacts.move(conn, person, contact, by, visitor_of(request).member.username, now)
    return _back(person, f"contact-{contact}")


@router.post("/people/{person_id}/contacts/{contact_id}/rota")
async def change_rota(request: Request, person_id: str, contact_id: str) -> Response:
    """Add or take away a window or an absence, or write down how a test went."""
    sent = await request.form()
    person, contact = register_id(person_id, "person"), register_id(contact_id, "contact")
    who, form = visitor_of(request).member.username, Form()
    try:
        async with database(request) as (conn, now):
            await carers.contact(conn, person, contact)
            match sent.get("do"):
                case "window":
                    form, window = forms.window_from(f"window-{contact}", sent)
                    if window is not None:
                        await rota.add_window(conn, person, contact, window, who, now)
                case "absence":
                    form, absence = forms.absence_from(f"absence-{contact}", sent)
                    if absence is not None:
                        await rota.add_absence(conn, person, contact, absence, who, now)
                case "remove":
                    one = register_id(str(sent.get("one", "")), "window or absence")
                    await rota.remove(conn, person, contact, one, who, now)
                case _:
                    form = Form(f"way-{contact}", {"channel": str(sent.get("channel", ""))})
                    channel, arrived = _tried(form, str(sent.get("arrived", "")))
                    await rota.note_test(conn, person, contact, channel, arrived, who, now)
    except Refused as problem:
        field = {"window": "days", "absence": "first"}.get(str(sent.get("do")), "channel")
        form.errors[field] = str(problem)
    if form.errors:
        return await escalation_page(request, person_id, 422, form)
    return _back(person, f"contact-{contact}")


def _tried(form: Form, arrived: str) -> tuple[Channel, bool]:
    if form.values["channel"] not in TRIED_BY_HAND or arrived not in ("yes", "no"):
        raise Refused("Choose what was tried, and whether it arrived")
    return Channel(form.values["channel"]), arrived == "yes"


def _back(person: UUID, to: str) -> Response:
    return RedirectResponse(f"/people/{person}/escalation#{to}", 303)


async def escalation_page(request: Request, person_id: str, status: int = 200, form: Form | None = None) -> Response:
    """The plan's page, as other pages' forms come back to it too."""
    async with database(request) as (conn, now):
        record = await register.person(conn, register_id(person_id, "person"))
        home = await register.home(conn, record["home_id"])
        people = await register.contacts_of(conn, record["id"])
        plan = await reach_store.plan_of(conn, record["id"])
        context: dict[str, Any] = {
            "person": record,
            "home": home,
            "contacts": people,
            "rotas": await rota.rotas_of(conn, record["id"], now),
            "ways": await _ways(conn, people),
            "ended": await contacts.ended_of(conn, record["id"]),
            "changes": await contacts.changes_of(conn, record["id"]),
            "now": now,
        }
    if plan is not None:
        ends = now + timedelta(hours=reach_store.GAPS_AHEAD_H)
        context["problems"] = reach.problems_of(plan)
        context["gaps"] = [reach.gap_words(gap, plan.zone) for gap in reach.gaps(plan, now, ends)]
        context["why_not"] = {one.id: reach.why_not(one, plan.zone, now) for one in plan.contacts}
    context |= {
        "stopped": plan is None,
        "may_change": visitor_of(request).member.role in PLANNERS.roles,
        "forms": _forms(people, form),
        "wrong": form if form is not None and form.errors else None,
        "service_types": SERVICE_TYPE_WORDS,
        "channels": [{"value": one.value, "text": CHANNEL_WORDS[one].capitalize()} for one in TRIED_BY_HAND],
        "days": forms.DAY_ITEMS,
        "all_channels": forms.CHANNEL_ITEMS,
        "nights": [{"value": value, "text": words} for value, words in forms.NIGHTS.items()],
        "what_words": WHAT_WORDS,
        "hours": reach_store.GAPS_AHEAD_H,
    }
    return parts_of(request).pages.render(request, "escalation.html", status, context)


def _forms(people: list[dict[str, Any]], sent: Form | None) -> dict[str, Form]:
    """Every form of the page by its name; what was just sent comes back as it was entered."""
    found = {"service": Form("service"), "contact-new": forms.contact_form("contact-new", None)}
    for one in people:
        name = f"contact-{one['id']}"
        found[name] = forms.contact_form(name, one)
        for kind in ("window", "absence", "way", "end"):
            found[f"{kind}-{one['id']}"] = Form(f"{kind}-{one['id']}")
    if sent is not None:
        found[sent.name] = sent
    return found


async def _ways(conn: Connection, people: list[dict[str, Any]]) -> dict[UUID, list[dict[str, Any]]]:
    return {
        one["id"]: [
            {"words": CHANNEL_WORDS[way.channel].capitalize(), "works": way.works, "fails": way.fails,
             "at": way.failed_at if way.fails else way.tested_at}
            for way in await rota.ways_of(conn, one)
        ]
        for one in people
    }  # fmt: skip


@router.get("/plans")
async def plans_to_mend(request: Request) -> Response:
    """Everyone whose plan has a problem, or hours soon in which nobody could be asked."""
    async with database(request) as (conn, now):
        plans = await reach_store.all_plans(conn)
        missing = await on_call_now.missing_now(conn)
    found = await asyncio.to_thread(reach_store.to_mend, plans, now)
    shown = [
        {
            "id": one.person_id,
            "name": one.plan.person,
            "problems": [problem.words for problem in one.problems],
            "gaps": [reach.gap_words(gap, one.plan.zone) for gap in one.gaps],
        }
        for one in found[:SHOWN]
    ]
    context = {"found": shown, "count": len(found), "all": len(plans), "hours": reach_store.GAPS_AHEAD_H, "now": now}
    context["on_call_missing"] = missing
    return parts_of(request).pages.render(request, "plans.html", context=context)
