"""The HTTP API of a person's contacts: who they are, and that somebody is none any more."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from alerts import leaving
from dashboard.api import PROBLEM, register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.parts import database, parts_of
from dashboard.plain import plain
from dashboard.steps import Text
from telecare.register import contacts, homes
from telecare.register.contacts import WORDS_LIMIT
from telecare.rota import Channel

router = APIRouter(
    prefix="/api/people/{person_id}/contacts", route_class=GuardedRoute, responses=PROBLEM, tags=["contacts"]
)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ListedContact(_Answer):
    """A contact, as they are asked."""

    id: UUID
    name: str
    relationship: str
    phone: str
    email: str
    language: str
    has_key: bool
    under_18: bool = Field(description="never asked to go, never called at night")
    at_night: bool = Field(description="may be asked to go in their quiet hours")
    channels: list[Channel] = Field(description="by which the service may write to them, or ring by itself")


class EndedContact(_Answer):
    """Who is no contact any more."""

    id: UUID
    name: str
    relationship: str
    ended_at: datetime
    ended_by: str
    ended_why: str


class ContactList(_Answer):
    """A person's contacts, in the order in which they are asked."""

    contacts: list[ListedContact]
    ended: list[EndedContact]


class EndContact(BaseModel):
    """Why somebody is no contact any more, and who said so."""

    why: Annotated[Text, Field(min_length=1, max_length=WORDS_LIMIT)]


@router.get("", response_model=ContactList, summary="A person's contacts")
async def listed(request: Request, person_id: str) -> Response:
    """In the order in which they are asked; those who are contacts no more, the newest first, under `ended`."""
    async with database(request) as (conn, _):
        person = (await homes.person(conn, register_id(person_id, "person")))["id"]
        found = {
            "contacts": [
                {name: one[name] for name in ListedContact.model_fields}
                for one in await homes.contacts_of(conn, person)
            ],
            "ended": await contacts.ended_of(conn, person),
        }
    return JSONResponse(plain(found))


@router.post("/{contact_id}/end", response_model=ContactList, summary="Somebody is no contact any more")
async def end(request: Request, person_id: str, contact_id: str, body: EndContact) -> Response:
    """They are asked and written to no more; open questions to them end. The record stays, and it can be undone."""
    person, contact = register_id(person_id, "person"), register_id(contact_id, "contact")
    async with database(request) as (conn, now):
        by = visitor_of(request).member.username
        await leaving.end_contact(conn, parts_of(request).settings, person, contact, body.why, by, now)
    return await listed(request, person_id)


@router.post("/{contact_id}/restore", response_model=ContactList, summary="Somebody is a contact again")
async def restore(request: Request, person_id: str, contact_id: str) -> Response:
    """At the place that they had. Who was asked meanwhile stays asked."""
    person, contact = register_id(person_id, "person"), register_id(contact_id, "contact")
    async with database(request) as (conn, now):
        await leaving.restore_contact(conn, person, contact, visitor_of(request).member.username, now)
    return await listed(request, person_id)
