"""Contacts of a person: what they may see, inviting them to a page of their own, and the end of being a contact."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts import leaving, telling
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.forms import Form
from dashboard.pages_escalation import escalation_page
from dashboard.pages_records import person_page
from dashboard.parts import database, parts_of
from telecare.errors import Refused
from telecare.register import carers
from telecare.register import homes as register
from telecare.register.carers import Consent
from telecare.vocabulary import PERSON_STATE_WORDS, STOPPED, PersonState

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)


@router.post("/people/{person_id}/contacts/{contact_id}/consent")
async def consent(request: Request, person_id: str, contact_id: str) -> Response:
    """Write down what the person lets this contact see."""
    form = await request.form()
    person, contact = register_id(person_id, "person"), register_id(contact_id, "contact")
    given = Consent(*(form.get(name) == "yes" for name in ("alerts", "activity", "equipment")))
    try:
        async with database(request) as (conn, now):
            by = visitor_of(request).member.username
            await carers.record_consent(conn, person, contact, given, str(form.get("said", "")), by, now)
    except Refused as problem:
        return await person_page(request, person_id, 422, {"problem": str(problem), "problem_at": contact})
    return RedirectResponse(f"/people/{person}#contact-{contact}", 303)


@router.post("/people/{person_id}/contacts/{contact_id}/end")
async def end(request: Request, person_id: str, contact_id: str) -> Response:
    """Somebody is no contact any more: their open questions end, and the next one is asked."""
    sent, settings = await request.form(), parts_of(request).settings
    person, contact = register_id(person_id, "person"), register_id(contact_id, "contact")
    form = Form(f"end-{contact}", {"why": str(sent.get("why", "")).strip()})
    try:
        async with database(request) as (conn, now):
            by = visitor_of(request).member.username
            await leaving.end_contact(conn, settings, person, contact, form.values["why"], by, now)
    except Refused as problem:
        form.errors["why"] = str(problem)
        return await escalation_page(request, person_id, 422, form)
    return RedirectResponse(f"/people/{person}/escalation#ended", 303)


@router.post("/people/{person_id}/contacts/{contact_id}/restore")
async def restore(request: Request, person_id: str, contact_id: str) -> Response:
    """Undo that."""
    person, contact = register_id(person_id, "person"), register_id(contact_id, "contact")
    async with database(request) as (conn, now):
        await leaving.restore_contact(conn, person, contact, visitor_of(request).member.username, now)
    return RedirectResponse(f"/people/{person}/escalation#contact-{contact}", 303)


@router.post("/people/{person_id}/contacts/{contact_id}/invite")
async def invite(request: Request, person_id: str, contact_id: str) -> Response:
    """Make a link for this contact, write to them, and show the link once. Not about somebody who has died or left."""
    settings = parts_of(request).settings
    async with database(request) as (conn, now), conn.transaction():
        record = await register.person(conn, register_id(person_id, "person"))
        contact = await carers.contact(conn, record["id"], register_id(contact_id, "contact"))
        if PersonState(record["state"]) in STOPPED:
            raise Refused(f"{PERSON_STATE_WORDS[PersonState(record['state'])]}: nobody is invited")
        by, valid = visitor_of(request).member.username, timedelta(days=settings.invitation_days)
        token = await carers.invite(conn, contact["id"], by, now, valid)
        called = record["known_as"] or record["name"].split(" ")[0]
        written = await telling.send_invitation(conn, settings, contact, called, token, now)
    context = {
        "person": record,
        "contact": contact,
        "link": f"{settings.links}/i/{token}",
        "written": written,
        "until": now + valid,
    }
    return parts_of(request).pages.render(request, "invited.html", context=context)
