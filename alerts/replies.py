"""What contacts answer by text message or with a key of their telephone, as an answer to a question that was asked.

Never an automatic text back: where it is not clear what is meant, a person is told, and rings. All in the caller's
transaction.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from alerts import asks, replies_store, store
from alerts.asks import MINUTES, Answer
from alerts.replies_store import Question
from telecare.db import Connection
from telecare.phones import e164
from telecare.settings import Settings

Became = Literal[
    "going", "cannot", "too-late", "not-understood", "no-question", "two-people", "unknown-number", "replayed"
]

_YES: Final = re.compile(
    r"(?:1|yes|y)(?:[\s,.;:!-]+(?:in |about |in about |ca )?([0-9]{1,3}) ?(m|mins?|minutes?)?)?[\s.!]*"
)
_NO: Final = re.compile(r"(?:2|no|n)[\s.!]*")
_WORDS_LIMIT: Final = 2000


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, as we read it."""

    answer: Answer
    minutes: int | None = None  # the contact gave none, or cannot go


def read(text: str) -> Said | None:
    """'1', '1 20', 'yes', 'Yes, 20 min', '2', 'no'; None for anything else: a person reads that.

    Nothing is guessed. 'yes I can' may go on 'but not before six'.
    """
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    if _NO.fullmatch(plain):
        return Said("cannot")
    found = _YES.fullmatch(plain)
    if found is None:
        return None
    if found[1] is None:
        return Said("going")
    if found[1] in ("1", "2") and found[2] is None:
        return None  # both answers at once
    minutes = int(found[1])
    return Said("going", minutes) if MINUTES[0] <= minutes <= MINUTES[1] else None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came in."""

    provider: str
    channel: str  # sms or voice
    sender: str
    words: str
    content: bytes  # a hash of it all: the same again is the same reply


async def take_text(conn: Connection, settings: Settings, reply: Reply, now: datetime) -> Became:
    """Take a text message: from a contact, we hope, and about the one person whom we have asked about."""
    try:
        number = e164(reply.sender, settings.phone_region)
    except ValueError:
        return await _keep(conn, reply, reply.sender, "unknown-number", now)
    contacts = await replies_store.contacts_with(conn, number, settings.phone_region)
    if not contacts:
        return await _keep(conn, reply, number, "unknown-number", now)
    questions = await replies_store.open_questions(conn, contacts)
    said = read(reply.words)
    if len({one.person_id for one in questions}) > 1:
        became, question = "two-people", None
    elif said is None:
        became, question = "not-understood", None
    elif not questions:
        became, question = "no-question", None
    else:
        became = said.answer
        question = next((one for one in questions if one.answer is None), questions[0])
    if question is not None:
        return await _answer(conn, settings, reply, number, question, said, now)
    kept = await _keep(conn, reply, number, became, now)  # type: ignore[arg-type]  # one of the three above
    if kept != "replayed":
        asked = {one.alert_id: one.contact for one in questions}
        alerts = sorted(asked.items()) or await replies_store.open_alerts(conn, contacts)
        await _tell(conn, alerts, reply, f"a text message, {_QUOTED[kept]}", now)
    return kept


async def take_key(
    conn: Connection, settings: Settings, reply: Reply, alert_id: int | None, contact_id: UUID | None, now: datetime
) -> Became:
    """Take the key that was pressed in a call, whose question is known. Somebody on call (None) was asked nothing."""
    question = (
        None if alert_id is None or contact_id is None else await replies_store.question(conn, alert_id, contact_id)
    )
    said = {"1": Said("going"), "2": Said("cannot")}.get(reply.words)
    if question is not None and said is not None:
        return await _answer(conn, settings, reply, reply.sender, question, said, now)
    kept = await _keep(conn, reply, reply.sender, "no-question" if question is None else "not-understood", now)
    if kept != "replayed" and alert_id is not None and contact_id is not None:
        name = await replies_store.name_of(conn, contact_id)
        await _tell(conn, [(alert_id, name)], reply, f"a key in a call, {_QUOTED[kept]}", now)
    return kept


async def _answer(
    conn: Connection,
    settings: Settings,
    reply: Reply,
    sender: str,
    question: Question,
    said: Said | None,
    now: datetime,
) -> Became:
    assert said is not None
    # Kept first: where it is a replay, it answers nothing once more.
    became: Became = said.answer if not question.ended else "too-late"
    kept = await _keep(conn, reply, sender, became, now, question.id)
    if kept == "replayed":
        return kept
    minutes = (said.minutes or settings.contact_way_min) if said.answer == "going" else None
    told = await asks.answer(conn, settings, question.id, said.answer, minutes, now)
    return kept if told.taken else "too-late"


_QUOTED: Final = {
    "two-people": "which may be about either of two people: ring them",
    "not-understood": "which was not understood",
    "no-question": "which answers no question of ours",
}


async def _tell(conn: Connection, alerts: list[tuple[int, str]], reply: Reply, what: str, now: datetime) -> None:
    """The words stand in the alert's log; one that is open sounds again: somebody reads them and rings."""
    still_open = await replies_store.still_open(conn, [alert_id for alert_id, _ in alerts])
    for alert_id, name in alerts:
        words = " ".join(reply.words.split())[:160]
        await store.log(conn, alert_id, now, "contact", "note", {"contact": name, "text": f"{what}: “{words}”"})
        if alert_id in still_open:
            await store.log(conn, alert_id, now, "system", "re-sounded", {"because": f"{name} sent {what}"})
    await store.publish_changes(conn, [alert_id for alert_id, _ in alerts], now)


async def _keep(
    conn: Connection, reply: Reply, sender: str, became: Became, now: datetime, ask_id: UUID | None = None
) -> Became:
    values: dict[str, Any] = {
        "provider": reply.provider, "channel": reply.channel, "sender": sender[:100].replace("\0", ""),
        "words": reply.words[:_WORDS_LIMIT].replace("\0", ""), "content": reply.content, "now": now,
        "became": became, "ask": ask_id,
    }  # fmt: skip
    return became if await replies_store.keep(conn, values) else "replayed"
