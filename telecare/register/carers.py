"""Contacts as carers: what the person lets them see, and how they come to a login of their own."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.register import staff
from telecare.register.staff import Member
from telecare.vocabulary import Role

PASSWORD_LEAST: Final = 10  # characters
WORDS_LIMIT: Final = 1000
_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person lets a contact see. Being asked to go needs none."""

    alerts: bool = False  # that an alert was raised, and how it ended
    activity: bool = False  # when movement was last seen
    equipment: bool = False  # whether the alarm works


async def consents_of(conn: Connection, person_id: UUID) -> dict[UUID, dict[str, Any]]:
    """The consent that counts now for each of a person's contacts, with who recorded it; those without are left out."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select distinct on (c.id) c.id as contact_id, k.alerts, k.activity, k.equipment, k.said, k.recorded_by,
                      k.recorded_at
                 from contacts c join consents k on k.contact_id = c.id
                where c.person_id = %s order by c.id, k.id desc""",
            (person_id,),
        )
        return {row["contact_id"]: row for row in await cursor.fetchall()}


async def record_consent(
    conn: Connection, person_id: UUID, contact_id: UUID, consent: Consent, said: str, by: str, now: datetime
) -> None:
    """Write down what the person lets a contact see; it counts at once, and what counted before stays on record.

    Raises:
        Refused: it is not said how the person said so.
        NotFound: the person has no such contact.
    """
    if not said.strip() or len(said) > WORDS_LIMIT or "\0" in said:
        raise Refused(f"Write down how the person said so, in at most {WORDS_LIMIT} characters")
    cursor = await conn.execute(
        """insert into consents (contact_id, alerts, activity, equipment, said, recorded_by, recorded_at)
           select id, %s, %s, %s, %s, %s, %s from contacts
            where id = %s and person_id = %s and ended_at is null""",
        (consent.alerts, consent.activity, consent.equipment, said.strip(), by, now, contact_id, person_id),
    )
    if cursor.rowcount == 0:
        raise NotFound("no such contact of this person")


# ---------------------------------------------------------------- invitations


class Standing(Enum):
    """How an invitation's link stands."""

    OPEN = auto()
    USED = auto()
    WITHDRAWN = auto()  # a newer one was made
    EXPIRED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that was found, and whom it is for."""

    standing: Standing
    contact_id: UUID | None = None
    contact: str = ""
    person: str = ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def contact(conn: Connection, person_id: UUID, contact_id: UUID) -> dict[str, Any]:
    """One of a person's contacts.

    Raises:
        NotFound: the person has no such contact.
    """
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "select * from contacts where id = %s and person_id = %s and ended_at is null", (contact_id, person_id)
        )
        row = await cursor.fetchone()
    if row is None:
        raise NotFound("no such contact of this person")
    return row


async def invite(conn: Connection, contact_id: UUID, by: str, now: datetime, valid: timedelta) -> str:
    """A new link for a contact, known only to the caller; an earlier one that was not taken up is withdrawn."""
    token = secrets.token_urlsafe(16)
    async with conn.transaction():
        await conn.execute("select 1 from contacts where id = %s for no key update", (contact_id,))
        await conn.execute(
            """update invitations set withdrawn_at = %s
                where contact_id = %s and accepted_at is null and withdrawn_at is null""",
            (now, contact_id),
        )
        await conn.execute(
            "insert into invitations (token_hash, contact_id, made_by, made_at, ends_at) values (%s, %s, %s, %s, %s)",
            (_digest(token), contact_id, by, now, now + valid),
        )
    return token


FIND: Final = """
    select i.contact_id, c.name, coalesce(nullif(p.known_as, ''), split_part(p.name, ' ', 1)),
           i.accepted_at, i.withdrawn_at, i.ends_at
      from invitations i join contacts c on c.id = i.contact_id join people p on p.id = c.person_id
     where i.token_hash = %s
"""


async def find_invitation(conn: Connection, token: str, now: datetime) -> Invitation:
    """How a link stands. Looking uses nothing up: programs that check messages open links too."""
    row = await (await conn.execute(FIND, (_digest(token),))).fetchone()
    if row is None:
        return Invitation(Standing.UNKNOWN)
    contact_id, name, person, accepted_at, withdrawn_at, ends_at = row
    standing = Standing.OPEN
    if accepted_at is not None:
        standing = Standing.USED
    elif withdrawn_at is not None:
        standing = Standing.WITHDRAWN
    elif ends_at <= now:
        standing = Standing.EXPIRED
    return Invitation(standing, contact_id, name, person)


def login_problems(username: str, password: str) -> dict[str, str]:
    """What is wrong with a name and password that a carer has chosen, by field."""
    found = {}
    if not _USERNAME.fullmatch(username):
        found["username"] = "Use small letters, digits, dots and hyphens, at most 63; begin with a letter or digit"
    if not PASSWORD_LEAST <= len(password) <= 1000:
        found["password"] = f"Use at least {PASSWORD_LEAST} characters; three words make a good password"
    return found


async def accept(
    conn: Connection, token: str, now: datetime, *, login: Member | None = None, username: str = "", password: str = ""
) -> Member | None:
    """Take up an invitation: with an existing carer's login, or a new one. None where the link is not open any more.

    Raises:
        Refused: the user name is taken, or the login is not a carer's.
    """
    if login is not None and login.role is not Role.CARER:
        raise Refused("You are logged in as a member of staff. Log out, and open the link again")
    async with conn.transaction():
        row = await (
            await conn.execute(
                """update invitations i set accepted_at = %(now)s from contacts c
                    where i.token_hash = %(hash)s and i.accepted_at is null and i.withdrawn_at is null
                      and i.ends_at > %(now)s and c.id = i.contact_id and c.ended_at is null
                   returning c.id, c.name""",
                {"now": now, "hash": _digest(token)},
            )
        ).fetchone()
        if row is None:
            return None
        member = login or await staff.add_member(conn, username, row[1], Role.CARER, password)
        await conn.execute("update contacts set staff_id = %s where id = %s", (member.id, row[0]))
    return member


# ---------------------------------------------------------------- whose contact a carer is


@dataclass(frozen=True, slots=True)
class Caring:
    """A carer as the contact of one person, with what they may see."""

    contact_id: UUID
    contact: str
    phone: str
    email: str
    person_id: UUID
    person: str  # full name
    called: str  # as the person is known
    home_id: UUID
    timezone: str
    channels: list[str]  # by which they agreed to be reached
    consent: Consent


CARING: Final = """
    select c.id as contact_id, c.name as contact, c.phone, c.email, p.id as person_id, p.name as person,
           coalesce(nullif(p.known_as, ''), split_part(p.name, ' ', 1)) as called, p.home_id, z.timezone, c.channels,
           coalesce(k.alerts, false) as alerts, coalesce(k.activity, false) as activity,
           coalesce(k.equipment, false) as equipment
      from contacts c
      join people p on p.id = c.person_id
      join homes h on h.id = p.home_id
      join councils z on z.id = h.council_id
      left join lateral (select * from consents where contact_id = c.id order by id desc limit 1) k on true
     where c.staff_id = %s and c.ended_at is null and p.state not in ('deceased', 'ended') order by p.name, c.place
"""


async def caring_of(conn: Connection, staff_id: UUID) -> list[Caring]:
    """Everyone whose contact this carer is."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(CARING, (staff_id,))
        rows = await cursor.fetchall()
    seen = ("alerts", "activity", "equipment")
    return [
        Caring(
            **{name: value for name, value in row.items() if name not in seen},
            consent=Consent(**{name: row[name] for name in seen}),
        )
        for row in rows
    ]


async def link_demo_carer(conn: Connection, home_id: UUID, now: datetime) -> None:
    """Make the demo's carer the first contact of somebody in a home, with consent, unless they are one already."""
    async with conn.transaction():
        row = await (
            await conn.execute(
                """update contacts set staff_id = (select id from staff where username = 'carer' and demo)
                    where id = (select c.id from contacts c join people p on p.id = c.person_id
                                 where p.home_id = %s and c.ended_at is null order by p.name, c.place limit 1)
                      and not exists (select 1 from contacts k join staff s on s.id = k.staff_id
                                       where s.username = 'carer')
                   returning id, person_id""",
                (home_id,),
            )
        ).fetchone()
        if row is not None:
            consent = Consent(alerts=True, activity=True, equipment=True)
            await record_consent(conn, row[1], row[0], consent, "Simulated: yes to all", "register", now)
