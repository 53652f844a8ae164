"""Messages to contacts: each is written into the outbox for every way to the contact, as far as they agreed to it.

A message's key names the alert, the contact, the step and the channel, so that a step tried twice writes it once. All
hold a transaction of the caller's.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from alerts import asks_store, long_texts, texts
from alerts.asks_store import Asked
from alerts.questions_store import Standing
from telecare.db import Connection
from telecare.rota import Channel
from telecare.settings import Settings

_YESES_TOLD: Final = 3  # somebody who says yes and no in turn does not have the others written to each time


def link_hash(token: str) -> bytes:
    """What the database keeps of a link's token. Tokens are random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def first_name(name: str) -> str:
    """The first word of a name."""
    return name.split(" ")[0]


def can_ring(asked: Asked) -> bool:
    """Whether there is a number to ring, and the contact agreed to that."""
    return any(way.channel is Channel.VOICE for way in asked.ways)


async def _write(conn: Connection, whom: Asked, bodies: dict[str, str], purpose: str, step: str, now: datetime) -> None:
    """One message by each way of the contact for which there is a text, the best way first."""
    for way in whom.ways:
        if way.channel in bodies:
            key = f"{whom.alert_id}:{whom.contact_id}:{purpose}:{step}:{way.channel}"
            await asks_store.queue_message(
                conn, whom.contact_id, way.address, bodies[way.channel], purpose, key, now, whom.alert_id,
                channel=way.channel,
            )  # fmt: skip


def _short(text: str) -> dict[str, str]:
    return {"sms": text, "push": text}


def _us(settings: Settings) -> dict[str, str]:
    return {"service": settings.service_name, "phone": settings.service_phone}


def _names(whom: Asked) -> dict[str, str]:
    return {"contact": first_name(whom.name), "person": whom.person}


async def _new_link(conn: Connection, settings: Settings, ask_id: UUID, now: datetime) -> str:
    token = secrets.token_urlsafe(12)
    await asks_store.add_link(conn, ask_id, link_hash(token), now)
    return f"{settings.links}/a/{token}"


# ---------------------------------------------------------------- about an alert


async def ask(conn: Connection, settings: Settings, whom: Asked, ask_id: UUID, round_: int, now: datetime) -> None:
    """Ask a contact to go, by everything that can be read."""
    link = await _new_link(conn, settings, ask_id, now)
    known: dict[str, Any] = _us(settings) | _names(whom)
    known |= {"at_local": whom.raised_local, "answered": whom.state != "raised"}
    short = texts.ask_text(**known, link=link, replies=settings.sms_replies)
    bodies = {
        "push": texts.ask_text(**known, link=link),
        "sms": short,
        "email": long_texts.ask_mail(**known, link=link),
    }
    await _write(conn, whom, bodies, "ask", str(round_), now)


async def ring(conn: Connection, settings: Settings, one: Standing, now: datetime) -> bool:
    """Ask the same by a call; False where that has been done, or the contact does not want it (any more)."""
    whom = one.asked
    body = long_texts.ask_spoken(
        at_local=whom.raised_local, answered=whom.state != "raised", **_us(settings), **_names(whom)
    )
    key = f"{whom.alert_id}:{whom.contact_id}:ask:{one.round}:voice"
    return await asks_store.queue_message(
        conn, whom.contact_id, whom.phone, body, "ask", key, now, whom.alert_id, channel="voice"
    )


async def next_one(conn: Connection, settings: Settings, one: Standing, name: str, now: datetime) -> None:
    """Tell a contact who has not answered who is asked now."""
    text = texts.next_text(
        **_us(settings), **_names(one.asked), next_one=first_name(name), replies=settings.sms_replies
    )
    await _write(conn, one.asked, _short(text), "next", str(one.round), now)


async def late(conn: Connection, settings: Settings, one: Standing, now: datetime) -> None:
    """Ask a contact who should have arrived whether they have, and say that others are asked."""
    link = await _new_link(conn, settings, one.id, now)
    text = texts.late_text(**_us(settings), **_names(one.asked), link=link)
    await _write(conn, one.asked, _short(text), "late", str(one.round), now)


async def going(
    conn: Connection, settings: Settings, others: Sequence[Standing], who: Standing, now: datetime, *, there: bool
) -> None:
    """Tell the others who goes, or is there."""
    step = f"{who.asked.contact_id}:{who.round}:{'there' if there else min(who.yeses, _YESES_TOLD)}"
    for other in others:
        text = texts.going_text(**_us(settings), **_names(other.asked), who=first_name(who.asked.name), there=there)
        await _write(conn, other.asked, _short(text), "going", step, now)


async def hospital(
    conn: Connection, settings: Settings, asked: Sequence[Standing], to: str, left_local: datetime, now: datetime
) -> None:
    """Tell everyone who was asked where an ambulance takes the person."""
    for one in asked:
        text = texts.hospital_text(**_us(settings), **_names(one.asked), hospital=to, left_local=left_local)
        await _write(conn, one.asked, _short(text), "hospital", f"{left_local:%H%M}", now)


async def over(
    conn: Connection, settings: Settings, asked: Sequence[Standing], confirmed_by: str | None, now: datetime
) -> None:
    """Tell everyone who was asked how it ended."""
    there = next(((one.asked, one.there_local) for one in asked if one.there_local is not None), None)
    for one in asked:
        with_them = None
        if there is not None and there[1] is not None and there[0].contact_id != one.asked.contact_id:
            with_them = (first_name(there[0].name), there[1])
        text = texts.over_text(**_us(settings), **_names(one.asked), confirmed_by=confirmed_by, with_them=with_them)
        await _write(conn, one.asked, _short(text), "over", "", now)


# ---------------------------------------------------------------- messages that belong to no alert


async def send_invitation(
    conn: Connection, settings: Settings, contact: dict[str, Any], person: str, token: str, now: datetime
) -> bool:
    """Write to a contact who is invited; False where there is no number to write to."""
    if not contact["phone"]:
        return False
    body = texts.invitation_text(
        service=settings.service_name, contact=first_name(contact["name"]), person=first_name(person),
        link=f"{settings.links}/i/{token}",
    )  # fmt: skip
    key = f"invitation:{link_hash(token).hex()}"
    return await asks_store.queue_message(conn, contact["id"], contact["phone"], body, "invitation", key, now, None)


async def send_test(
    conn: Connection, settings: Settings, contact: dict[str, Any], at_local: datetime, now: datetime
) -> bool:
    """Send a contact a test message; False where one was sent in the same minute, or there is no number."""
    if not contact["phone"]:
        return False
    body = texts.test_text(service=settings.service_name, contact=first_name(contact["name"]), at_local=at_local)
    key = f"test:{contact['id']}:{now:%Y%m%d%H%M}"
    return await asks_store.queue_message(conn, contact["id"], contact["phone"], body, "test", key, now, None)


async def send_test_to_devices(
    conn: Connection, settings: Settings, contact_id: UUID, name: str, at_local: datetime, now: datetime
) -> bool:
    """Send a test message to the browsers of a contact's login; False where one was sent within ten seconds."""
    body = texts.test_text(service=settings.service_name, contact=first_name(name), at_local=at_local)
    key = f"test:{contact_id}:{now.timestamp() // 10:.0f}:push"
    return await asks_store.queue_message(
        conn, contact_id, str(contact_id), body, "test", key, now, None, channel="push"
    )
