"""When a contact can be asked, and how tests of the ways to them went. Every change is written down."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg.rows import dict_row

from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.register.contacts import locked, note
from telecare.rota import Absence, Channel, Way, Window, rota_refused, ways_from, window_problem

PER_CONTACT: Final = 30  # windows, and absences, of one contact
WHY_LIMIT: Final = 200  # characters


async def add_window(
    conn: Connection, person_id: UUID, contact_id: UUID, window: Window, who: str, now: datetime
) -> UUID:
    """Put a contact on a rota, or on more of one.

    Raises:
        NotFound: the person has no such contact.
        Refused: the window is empty, or there are too many, or fewer than two ways to the contact have been tested.
    """
    async with conn.transaction():
        contact = await locked(conn, person_id, contact_id)
        if problem := window_problem(window):
            raise Refused(problem)
        if refused := rota_refused(contact["name"], await ways_of(conn, contact)):
            raise Refused(refused)
        await _room_for_one(conn, "contact_windows", contact_id)
        window_id = uuid7()
        await conn.execute(
            """insert into contact_windows (id, contact_id, days, from_min, until_min, on_holidays)
               values (%s, %s, %s, %s, %s, %s)""",
            (window_id, contact_id, sorted(window.days), window.from_min, window.until_min, window.on_holidays),
        )
        await note(conn, person_id, contact_id, who, now, "window-added", {"text": str(window)})
    return window_id


async def add_absence(
    conn: Connection, person_id: UUID, contact_id: UUID, absence: Absence, who: str, now: datetime
) -> UUID:
    """Write down the days on which a contact cannot be asked.

    Raises:
        NotFound: the person has no such contact.
        Refused: the last day is before the first, or it is not said why, or there are too many.
    """
    async with conn.transaction():
        await locked(conn, person_id, contact_id)
        if absence.last < absence.first:
            raise Refused("The last day is before the first")
        if not absence.why.strip() or len(absence.why) > WHY_LIMIT or "\0" in absence.why:
            raise Refused(f"Write down why, in at most {WHY_LIMIT} characters")
        await _room_for_one(conn, "contact_absences", contact_id)
        absence_id = uuid7()
        await conn.execute(
            "insert into contact_absences (id, contact_id, first_day, last_day, why) values (%s, %s, %s, %s, %s)",
            (absence_id, contact_id, absence.first, absence.last, absence.why.strip()),
        )
        text = f"{absence.first} to {absence.last}: {absence.why.strip()}"
        await note(conn, person_id, contact_id, who, now, "absence-added", {"text": text})
    return absence_id


async def remove(conn: Connection, person_id: UUID, contact_id: UUID, one: UUID, who: str, now: datetime) -> None:
    """Take away a window or an absence; one that is gone already is gone.

    Raises:
        NotFound: the person has no such contact.
    """
    async with conn.transaction():
        await locked(conn, person_id, contact_id)
        for table, what in (("contact_windows", "window-removed"), ("contact_absences", "absence-removed")):
            cursor = await conn.execute(
                f"delete from {table} t where id = %s and contact_id = %s returning to_jsonb(t)".encode(),  # noqa: S608
                (one, contact_id),
            )
            row = await cursor.fetchone()
            if row is not None:
                await note(conn, person_id, contact_id, who, now, what, row[0])


async def note_test(
    conn: Connection, person_id: UUID, contact_id: UUID, channel: Channel, arrived: bool, who: str, now: datetime
) -> None:
    """Write down that a test of a way arrived, or did not, as the contact says: a call was answered, a text was read.

    Test messages of the service say so by themselves (alerts/migrations/0013_plans.sql).

    Raises:
        NotFound: the person has no such contact.
        Refused: the contact has no such way, or it is one that nobody can try by hand.
    """
    async with conn.transaction():
        contact = await locked(conn, person_id, contact_id)
        detail = await note_way(conn, "contact", contact, channel, arrived, now)
        await note(conn, person_id, contact_id, who, now, "way-tested", detail)


async def note_way(
    conn: Connection,
    of: Literal["contact", "on_call"],
    whom: dict[str, Any],
    channel: Channel,
    arrived: bool,
    now: datetime,
) -> dict[str, str]:
    """Keep how a test of a way to a contact, or to somebody on call, went; the words for their history.

    Raises:
        Refused: they have no such way, or it is one that nobody can try by hand.
    """
    address = whom["email"] if channel is Channel.EMAIL else whom["phone"]
    if channel is Channel.PUSH or not address:
        raise Refused("There is no such way to them")
    column = "tested_at" if arrived else "failed_at"
    await conn.execute(
        f"""insert into {of}_ways ({of}_id, channel, address, {column}) values (%s, %s, %s, %s)
            on conflict ({of}_id, channel, address) do update set {column} = excluded.{column}""".encode(),  # noqa: S608
        (whom["id"], channel.value, address, now),
    )
    return {"text": f"{channel.value}: {'arrived' if arrived else 'did not arrive'}"}


async def ways_of(conn: Connection, contact: dict[str, Any]) -> tuple[Way, ...]:
    """The ways to a contact, with how their tests went."""
    cursor = await conn.execute(
        "select channel, address, tested_at, failed_at from contact_ways where contact_id = %s", (contact["id"],)
    )
    tests = [Way(Channel(row[0]), row[1], row[2], row[3]) for row in await cursor.fetchall()]
    return ways_from(contact["phone"], contact["email"], tests, contact["channels"])


async def rotas_of(conn: Connection, person_id: UUID, since: datetime) -> dict[UUID, dict[str, Any]]:
    """Windows and absences with their ids, by contact; absences that were over before `since` are left out."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select c.id as contact_id, w.id, w.days, w.from_min, w.until_min, w.on_holidays
                 from contact_windows w join contacts c on c.id = w.contact_id
                where c.person_id = %s order by w.from_min, w.id""",
            (person_id,),
        )
        windows = await cursor.fetchall()
        await cursor.execute(
            """select c.id as contact_id, a.id, a.first_day, a.last_day, a.why
                 from contact_absences a join contacts c on c.id = a.contact_id
                where c.person_id = %s and a.last_day >= %s::date - 1 order by a.first_day, a.id""",
            (person_id, since),
        )
        absences = await cursor.fetchall()
    found: dict[UUID, dict[str, Any]] = {}
    for row in windows:
        window = Window(frozenset(row["days"]), row["from_min"], row["until_min"], row["on_holidays"])
        _of(found, row)["windows"].append({"id": row["id"], "words": str(window)})
    for row in absences:
        _of(found, row)["absences"].append(row)
    return found


def _of(found: dict[UUID, dict[str, Any]], row: dict[str, Any]) -> dict[str, Any]:
    return found.setdefault(row["contact_id"], {"windows": [], "absences": []})


async def _room_for_one(conn: Connection, table: str, contact_id: UUID) -> None:
    cursor = await conn.execute(f"select count(*) from {table} where contact_id = %s".encode(), (contact_id,))  # noqa: S608
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("no such contact of this person")
    if row[0] >= PER_CONTACT:
        raise Refused(f"At most {PER_CONTACT} for each contact: take away one that is over")
