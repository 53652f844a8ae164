"""Councils: who buys the service, and by which reference each knows a person."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from psycopg import errors

from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7

REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,39}", re.ASCII)
_TEN_DIGITS: Final = re.compile(r"[0-9]{10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Council:
    """A council. Its days and months are those of its time zone."""

    id: UUID
    name: str
    timezone: str


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody whom a council supports."""

    id: UUID
    name: str
    reference: str  # '' where the council has given none
    born: date | None
    council: Council


async def councils(conn: Connection, only: UUID | None = None) -> list[Council]:
    """Every council, or only one, in order of name."""
    rows = await (
        await conn.execute(
            """select id, name, timezone from councils where %(only)s::uuid is null or id = %(only)s order by name""",
            {"only": only},
        )
    ).fetchall()
    return [Council(*row) for row in rows]


async def council_named(conn: Connection, name: str) -> Council:
    """The council of this name, which is added where it is new."""
    await conn.execute("insert into councils (id, name) values (%s, %s) on conflict (name) do nothing", (uuid7(), name))
    row = await (await conn.execute("select id, name, timezone from councils where name = %s", (name,))).fetchone()
    assert row is not None
    return Council(*row)


_CLIENTS: Final = """
    select p.id, p.name, coalesce(r.reference, ''), p.born, c.id, c.name, c.timezone
      from people p
      join homes h on h.id = p.home_id
      left join person_references r on r.person_id = p.id
      join councils c on c.id = coalesce(r.council_id, h.council_id)
"""


async def client(conn: Connection, person_id: UUID, only: UUID | None = None) -> Client:
    """A person with their council: the one that has given a reference, else that of their home.

    `only` is the one council that may be seen, or None for all.

    Raises:
        NotFound: there is none, or they are another council's.
    """
    row = await (await conn.execute(f"{_CLIENTS} where p.id = %s".encode(), (person_id,))).fetchone()
    if row is None or (only is not None and row[4] != only):
        raise NotFound("no such person")
    return Client(row[0], row[1], row[2], row[3], Council(*row[4:]))


async def clients(conn: Connection, words: str, only: UUID | None, limit: int) -> list[Client]:
    """People whose name or reference holds these words; in order of name."""
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = await (
        await conn.execute(
            f"""{_CLIENTS} where (%(only)s::uuid is null or c.id = %(only)s)
                  and (p.name ilike %(words)s or r.reference ilike %(words)s)
                order by p.name, p.id limit %(limit)s""".encode(),
            {"only": only, "words": f"%{escaped}%", "limit": limit},
        )
    ).fetchall()
    return [Client(row[0], row[1], row[2], row[3], Council(*row[4:])) for row in rows]


async def people_meant(conn: Connection, council_id: UUID, given: Sequence[str]) -> dict[str, UUID]:
    """Which of a council's people are meant, by the council's reference or by our id; who is unknown is left out."""
    rows = await (
        await conn.execute(
            """select g.given, coalesce(r.person_id, p.id)
                 from unnest(%(given)s::text[]) as g (given)
                 left join person_references r on r.council_id = %(council)s and lower(r.reference) = lower(g.given)
                 left join (people p join homes h on h.id = p.home_id
                            left join person_references o on o.person_id = p.id)
                        on p.id::text = lower(g.given) and coalesce(o.council_id, h.council_id) = %(council)s""",
            {"given": sorted(set(given)), "council": council_id},
        )
    ).fetchall()
    return {text: person for text, person in rows if person is not None}


def reference_problem(reference: str) -> str | None:
    """Why a text cannot be a reference, or None when it can."""
    if not REFERENCE.fullmatch(reference):
        return "A reference has 1 to 40 letters, digits, spaces and . / _ -, and begins with a letter or digit"
    if _TEN_DIGITS.fullmatch(re.sub(r"[^0-9A-Za-z]", "", reference)):
        return "Ten digits look like an NHS number. Use a reference of your own"
    return None


async def set_reference(conn: Connection, person_id: UUID, council_id: UUID, reference: str) -> None:
    """Let a council know a person by this reference; an empty one is taken away.

    Raises:
        Refused: it cannot be one, or is another person's.
    """
    if not reference:
        await conn.execute("delete from person_references where person_id = %s", (person_id,))
        return
    if problem := reference_problem(reference):
        raise Refused(problem)
    try:
        async with conn.transaction():
            await conn.execute(
                """insert into person_references (person_id, council_id, reference) values (%s, %s, %s)
                   on conflict (person_id) do update set council_id = excluded.council_id,
                                                         reference = excluded.reference""",
                (person_id, council_id, reference),
            )
    except errors.UniqueViolation as problem_:
        raise Refused(f"The reference {reference} is another person's") from problem_
