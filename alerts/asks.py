"""Asking contacts to go: one after the other, by a deadline, until one says yes. Each step is one transaction.

The alert stays with its operator whatever contacts answer: they are not the safety net. All take `now`, the database's
time, and lock the alert before its questions, as closing does.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from alerts import asks_store, store
from alerts.asks_store import Asked
from alerts.incidents import store as incident_store
from alerts.settings import command_validity
from alerts.texts import ask_text, going_text, invitation_text, over_text, test_text
from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.settings import Settings

Answer = Literal["going", "cannot"]
MINUTES: Final = (1, 240)  # how long a contact's way may take


@dataclass(frozen=True, slots=True)
class Told:
    """What became of an answer."""

    taken: bool  # False: the alert had ended
    answer: str | None  # what stands now
    person: str


def link_hash(token: str) -> bytes:
    """What the database keeps of a link's token. Tokens are random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


async def ask(
    conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime, contact: UUID | None = None
) -> bool:
    """Ask the next contact to go (or that one); False where there is nobody left to ask, which is written down.

    The caller has checked that `by` may, and holds a transaction or not.
    """
    async with conn.transaction():
        await asks_store.lock_alert(conn, alert_id)
        asked = await asks_store.next_contact(conn, alert_id, contact, now)
        if asked is None:
            return await _nobody_left(conn, alert_id, by, now, contact)
        token = secrets.token_urlsafe(12)
        answer_by = now + timedelta(seconds=settings.contact_answer_s)
        await asks_store.add_ask(conn, alert_id, asked.contact_id, link_hash(token), by, now, answer_by)
        body = ask_text(
            service=settings.service_name, phone=settings.service_phone, contact=_first(asked.name),
            person=asked.person, at_local=asked.raised_local, answered=asked.state != "raised",
            link=f"{settings.links}/a/{token}",
        )  # fmt: skip
        key = f"{alert_id}:{asked.contact_id}:ask"
        await asks_store.queue_message(conn, asked.contact_id, asked.phone, body, "ask", key, now, alert_id)
        await store.log(conn, alert_id, now, by, "notified", {"contact": asked.name, "text": "asked to go"})
        await store.publish_change(conn, alert_id, now)
        return True


async def _nobody_left(conn: Connection, alert_id: int, by: str, now: datetime, contact: UUID | None) -> bool:
    if contact is not None and await asks_store.was_asked(conn, alert_id, contact):
        return True
    why = await asks_store.why_nobody(conn, alert_id, now, contact) or "nobody can be asked"
    await store.log(conn, alert_id, now, by, "notify-failed", {"why": why})
    await store.log(conn, alert_id, now, "system", "re-sounded", {"because": why})
    await store.publish_change(conn, alert_id, now)
    return False


async def ask_unless_asked(conn: Connection, settings: Settings, alert_id: int, now: datetime) -> None:
    """Nobody has claimed in time: ask the next contact, unless one goes or may still answer.

    An incident has no contacts of its own; it goes on sounding.
    """
    if await incident_store.is_incident(conn, alert_id):
        return
    _, somebody = await asks_store.counts(conn, alert_id)
    if not somebody:
        await ask(conn, settings, alert_id, "system", now)


async def pass_on(conn: Connection, settings: Settings, now: datetime) -> bool:
    """One contact has not answered in time: ask the next. False when none is due. The caller holds the transaction."""
    due = await asks_store.overdue(conn, now)
    if due is None:
        return False
    ask_id, alert_id, name = due
    await asks_store.lock_alert(conn, alert_id)
    if not await asks_store.let_pass(conn, ask_id, now):
        return True  # answered, or over, while we waited for the lock
    await store.log(conn, alert_id, now, "system", "contact-tried", {"contact": name, "text": "no answer in time"})
    await ask(conn, settings, alert_id, "system", now)
    return True


async def answer(
    conn: Connection, settings: Settings, ask_id: UUID, given: Answer, minutes: int | None, now: datetime
) -> Told:
    """Keep what a contact answers. A yes ends the asking; a no, or a yes that is taken back, moves on at once.

    Raises:
        NotFound: there is no such ask.
        Refused: the minutes are out of bounds.
    """
    if given == "going" and (minutes is None or not MINUTES[0] <= minutes <= MINUTES[1]):
        raise Refused(f"Say how many minutes you need, from {MINUTES[0]} to {MINUTES[1]}")
    async with conn.transaction():
        found = await asks_store.ask_by(conn, ask_id=ask_id)
        if found is None:
            raise NotFound("there is no such question")
        await asks_store.lock_alert(conn, found["alert_id"])
        way = minutes if given == "going" else None
        if not await asks_store.save_answer(conn, ask_id, given, way, now):
            again = await asks_store.ask_by(conn, ask_id=ask_id)
            same = again is not None and again["state"] not in ("closed", "reviewed") and again["answer"] == given
            return Told(same, found["answer"], found["person"])
        await _follow_answer(conn, settings, found, given, way, now)
        return Told(True, given, found["person"])


async def _follow_answer(
    conn: Connection, settings: Settings, found: dict[str, Any], given: Answer, minutes: int | None, now: datetime
) -> None:
    alert_id, name = found["alert_id"], found["contact"]
    said = f"is going, about {minutes} min" if given == "going" else "cannot go"
    detail = {"contact": name, "answer": given, "minutes": minutes, "text": said}
    await store.log(conn, alert_id, now, "contact", "answered", detail)
    await store.publish_change(conn, alert_id, now)
    if given == "cannot":
        _, somebody = await asks_store.counts(conn, alert_id)
        if not somebody:
            await ask(conn, settings, alert_id, "system", now)
        return
    if await store.queue_command(conn, alert_id, "on-the-way", None, now, now + command_validity(settings)):
        await store.log(conn, alert_id, now, "system", "announced", {"text": "on-the-way"})
    for other in await asks_store.stop_waiting(conn, alert_id, now):
        body = going_text(
            service=settings.service_name, phone=settings.service_phone, contact=_first(other.name),
            person=other.person, who=_first(name),
        )  # fmt: skip
        await _tell(conn, other, body, "going", now)


async def end(conn: Connection, settings: Settings, alert_id: int, confirmed_by: str | None, now: datetime) -> None:
    """The alert has been closed: everyone who was asked is told. The caller holds the transaction."""
    for one in await asks_store.end_asks(conn, alert_id, now):
        body = over_text(
            service=settings.service_name, phone=settings.service_phone, contact=_first(one.name),
            person=one.person, confirmed_by=confirmed_by,
        )  # fmt: skip
        await _tell(conn, one, body, "over", now)


async def _tell(conn: Connection, whom: Asked, body: str, purpose: str, now: datetime) -> None:
    key = f"{whom.alert_id}:{whom.contact_id}:{purpose}"
    await asks_store.queue_message(conn, whom.contact_id, whom.phone, body, purpose, key, now, whom.alert_id)


# ---------------------------------------------------------------- messages that belong to no alert


async def send_invitation(
    conn: Connection, settings: Settings, contact: dict[str, Any], person: str, token: str, now: datetime
) -> bool:
    """Write to a contact who is invited; False where there is no number to write to."""
    if not contact["phone"]:
        return False
    body = invitation_text(
        service=settings.service_name, contact=_first(contact["name"]), person=_first(person),
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
    body = test_text(service=settings.service_name, contact=_first(contact["name"]), at_local=at_local)
    key = f"test:{contact['id']}:{now:%Y%m%d%H%M}"
    return await asks_store.queue_message(conn, contact["id"], contact["phone"], body, "test", key, now, None)


def _first(name: str) -> str:
    return name.split(" ")[0]
