"""Contacts of a person: who they are, in which order and how they may be asked. Every change is written down."""

import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime, time
from functools import partial
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.phones import e164
from telecare.rota import ALL_CHANNELS, ServiceType

WORDS_LIMIT: Final = 200  # characters of a name, a relationship, an address
CONTACTS_LIMIT: Final = 20  # of one person
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """A carer or key holder. The order in which they stand is the order in which they are asked."""

    name: str
    relationship: str = ""
    phone: str = ""
    email: str = ""
    has_key: bool = False
    language: str = "English"
    under_18: bool = False  # never asked to go, never called at night
    at_night: bool = True  # may be asked to act in their quiet hours
    night_said: str = ""  # how they agreed to that, or did not; '': nobody has asked them
    quiet_from: time = time(22)
    quiet_until: time = time(7)  # the same as `quiet_from`: no quiet hours
    channels: tuple[str, ...] = ALL_CHANNELS  # by which the service may write to them, or ring by itself

    def problems(self) -> dict[str, str]:
        """What is wrong with it, by field, in words; empty when it may be kept."""
        found = {}
        texts = ("name", "relationship", "phone", "email", "language", "night_said")
        for name in texts:
            if len(getattr(self, name)) > WORDS_LIMIT or "\0" in getattr(self, name):
                found[name] = f"At most {WORDS_LIMIT} characters"
        for name, words in (("name", "Enter a name"), ("language", "Enter a language")):
            if not getattr(self, name).strip():
                found[name] = words
        if self.phone:
            try:
                e164(self.phone)
            except ValueError as problem:
                found["phone"] = str(problem)
        if self.email and not _EMAIL.fullmatch(self.email):
            found["email"] = "Enter an e-mail address, like name@example.org"
        if not self.channels or not set(self.channels) <= set(ALL_CHANNELS):
            found["channels"] = "Choose one way or more"
        return found


def checked(new: NewContact) -> NewContact:
    """The contact as it is kept: nobody under 18 is called at night.

    Raises:
        Refused: something is wrong with it; the words say what.
    """
    if problems := new.problems():
        raise Refused("; ".join(f"{name.replace('_', ' ')}: {words}" for name, words in problems.items()))
    return replace(new, at_night=new.at_night and not new.under_18)


def _kept(new: NewContact) -> dict[str, Any]:
    return asdict(checked(new)) | {"channels": [str(one) for one in ALL_CHANNELS if one in new.channels]}


_INSERT: Final = """
    insert into contacts (id, person_id, place, name, relationship, phone, email, has_key, language, under_18, at_night,
                          night_said, quiet_from, quiet_until, channels)
    values (%(id)s, %(person)s, %(place)s, %(name)s, %(relationship)s, %(phone)s, %(email)s, %(has_key)s, %(language)s,
            %(under_18)s, %(at_night)s, %(night_said)s, %(quiet_from)s, %(quiet_until)s, %(channels)s)
"""


async def insert(conn: Connection, person_id: UUID, place: int, new: NewContact) -> UUID:
    """Add a contact at this place, for a person who is just being added; `add` is for those who are known already.

    Raises:
        Refused: something is wrong with it.
    """
    contact_id = uuid7()
    await conn.execute(_INSERT, _kept(new) | {"id": contact_id, "person": person_id, "place": place})
    return contact_id


async def add(conn: Connection, person_id: UUID, new: NewContact, who: str, now: datetime) -> UUID:
    """Add a contact, to be asked after those who are there.

    Raises:
        NotFound: there is no such person.
        Refused: something is wrong with it, or there are too many.
    """
    async with conn.transaction():
        places = await _places(conn, person_id)
        _room_for_one(places)
        contact_id = await insert(conn, person_id, await _last_place(conn, person_id) + 1, new)
        await note(conn, person_id, contact_id, who, now, "contact-added", asdict(new))
    return contact_id


async def change(conn: Connection, person_id: UUID, contact_id: UUID, new: NewContact, who: str, now: datetime) -> None:
    """Make a contact what is given; what it was before stays in the log.

    Raises:
        NotFound: the person has no such contact.
        Refused: something is wrong with it.
    """
    async with conn.transaction():
        before = await locked(conn, person_id, contact_id)
        values = _kept(new)
        changed = {name: value for name, value in values.items() if before[name] != value}
        if not changed:
            return
        columns = ", ".join(f"{name} = %({name})s" for name in values)
        await conn.execute(f"update contacts set {columns} where id = %(id)s".encode(), values | {"id": contact_id})  # noqa: S608
        text = ", ".join(name.replace("_", " ") for name in changed)
        detail = {"text": text, "before": {name: before[name] for name in changed}, "after": changed}
        await note(conn, person_id, contact_id, who, now, "contact-changed", detail)


async def move(conn: Connection, person_id: UUID, contact_id: UUID, by: int, who: str, now: datetime) -> None:
    """Let a contact change places with the one before (`by` -1) or after them (1); the first and the last stay.

    Raises:
        NotFound: the person has no such contact.
    """
    async with conn.transaction():
        places = await _places(conn, person_id)
        if contact_id not in places:
            raise NotFound("no such contact of this person")
        order = sorted(places, key=lambda one: places[one])
        to = order.index(contact_id) + by
        if not 0 <= to < len(order):
            return
        other = order[to]
        await conn.execute(
            """update contacts set place = case id when %(one)s then %(others)s else %(ones)s end
                where id in (%(one)s, %(other)s)""",
            {"one": contact_id, "other": other, "ones": places[contact_id], "others": places[other]},
        )
        detail = {"text": f"from {places[contact_id]} to {places[other]}"}
        await note(conn, person_id, contact_id, who, now, "contact-moved", detail)


async def end(conn: Connection, person_id: UUID, contact_id: UUID, why: str, who: str, now: datetime) -> str:
    """Write down that somebody is no contact any more: their name. Who they were stays, and it can be undone.

    What follows for open alerts is alerts/leaving.py's, in the same transaction, which holds the alerts already.

    Raises:
        NotFound: the person has no such contact (any more).
        Refused: it is not said why.
    """
    await _places(conn, person_id)
    contact = await locked(conn, person_id, contact_id)
    if not why.strip() or len(why) > WORDS_LIMIT or "\0" in why:
        raise Refused(f"Write down why, in at most {WORDS_LIMIT} characters")
    await conn.execute(
        "update contacts set ended_at = %s, ended_by = %s, ended_why = %s where id = %s",
        (now, who, why.strip(), contact_id),
    )
    await conn.execute(
        """update invitations set withdrawn_at = %s
            where contact_id = %s and accepted_at is null and withdrawn_at is null""",
        (now, contact_id),
    )
    await note(conn, person_id, contact_id, who, now, "contact-ended", {"text": why.strip()})
    return str(contact["name"])


async def restore(conn: Connection, person_id: UUID, contact_id: UUID, who: str, now: datetime) -> str:
    """Make somebody a contact again, at the place that they had, with all that was known of them: their name.

    Raises:
        NotFound: the person never had such a contact.
        Refused: they are a contact now, or there are too many.
    """
    places = await _places(conn, person_id)
    if contact_id in places:
        raise Refused("This is a contact already")
    _room_for_one(places)
    cursor = await conn.execute(
        """update contacts set ended_at = null, ended_by = null, ended_why = null
            where id = %s and person_id = %s and ended_at is not null returning name""",
        (contact_id, person_id),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("no such contact who has ended")
    await note(conn, person_id, contact_id, who, now, "contact-restored", {})
    return str(row[0])


async def ended_of(conn: Connection, person_id: UUID) -> list[dict[str, Any]]:
    """Who is no contact of this person any more, since when, by whose word and why; the newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select id, name, relationship, ended_at, ended_by, ended_why from contacts
                where person_id = %s and ended_at is not null order by ended_at desc, id""",
            (person_id,),
        )
        return await cursor.fetchall()


async def set_service_type(conn: Connection, person_id: UUID, wanted: ServiceType, who: str, now: datetime) -> None:
    """Say who answers for a person besides the monitoring centre.

    Raises:
        NotFound: there is no such person.
    """
    async with conn.transaction():
        cursor = await conn.execute("select service_type from people where id = %s for update", (person_id,))
        row = await cursor.fetchone()
        if row is None:
            raise NotFound("no such person")
        if row[0] == wanted:
            return
        await conn.execute("update people set service_type = %s where id = %s", (wanted.value, person_id))
        detail = {"text": f"from {row[0]} to {wanted.value}"}
        await note(conn, person_id, None, who, now, "service-type-changed", detail)


async def locked(conn: Connection, person_id: UUID, contact_id: UUID) -> dict[str, Any]:
    """One of a person's contacts, which nobody else changes until the transaction ends.

    Raises:
        NotFound: the person has no such contact.
    """
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "select * from contacts where id = %s and person_id = %s and ended_at is null for no key update",
            (contact_id, person_id),
        )
        row = await cursor.fetchone()
    if row is None:
        raise NotFound("no such contact of this person")
    return row


async def _places(conn: Connection, person_id: UUID) -> dict[UUID, int]:
    """The place of each contact; nobody else adds, ends or moves one until the transaction ends."""
    if not await (await conn.execute("select 1 from people where id = %s for update", (person_id,))).fetchone():
        raise NotFound("no such person")
    cursor = await conn.execute(
        "select id, place from contacts where person_id = %s and ended_at is null", (person_id,)
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def _last_place(conn: Connection, person_id: UUID) -> int:
    """Who has ended keeps their place, in case they come back."""
    cursor = await conn.execute("select coalesce(max(place), 0) from contacts where person_id = %s", (person_id,))
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


def _room_for_one(places: dict[UUID, int]) -> None:
    if len(places) >= CONTACTS_LIMIT:
        raise Refused(f"At most {CONTACTS_LIMIT} contacts")


async def note(
    conn: Connection, person_id: UUID, contact_id: UUID | None, who: str, now: datetime, what: str, detail: Any
) -> None:
    """Write down who changed what of a plan."""
    plain = Jsonb(detail, dumps=partial(json.dumps, default=str))
    await conn.execute(
        "insert into escalation_log (person_id, contact_id, at, who, what, detail) values (%s, %s, %s, %s, %s, %s)",
        (person_id, contact_id, now, who, what, plain),
    )


async def changes_of(conn: Connection, person_id: UUID, limit: int = 20) -> list[dict[str, Any]]:
    """Who changed what of a person's plan and when, newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select l.at, l.who, l.what, l.detail, c.name as contact
                 from escalation_log l left join contacts c on c.id = l.contact_id
                where l.person_id = %s order by l.id desc limit %s""",
            (person_id, limit),
        )
        return await cursor.fetchall()
