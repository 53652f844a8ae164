"""Entries of responders on the database: whose visit it is, and that each is done once."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from alerts import life_store
from alerts.entering import Entry
from alerts.errors import Conflict, Incomplete
from telecare.db import Connection
from telecare.errors import NotFound

CONFLICT: Final = "conflict"  # the field of a refusal that is of no field


async def alert_of_own_visit(conn: Connection, visit_id: UUID, by: str) -> int:
    """The alert of a responder's own visit.

    Raises:
        NotFound: there is no such visit of theirs.
    """
    sql = "select alert_id from visits where id = %s and responder = %s"
    row = await (await conn.execute(sql, (visit_id, by))).fetchone()
    if row is None:
        raise NotFound("no such visit of yours")
    return int(row[0])


async def enter(conn: Connection, entry: Entry, now: datetime, act: Callable[[], Awaitable[None]]) -> list[str]:
    """Do what was entered, once: a repeat changes nothing and is answered as the first time.

    `act` does it in a transaction of its own. Returns why it was refused, each as "field: words"; empty: it is done.

    Raises:
        NotFound: the visit is not theirs, or this id was given to another entry.
    """
    async with conn.transaction():
        # The alert stays locked from the look for the entry until it is kept: the same, sent twice at once, waits here.
        await life_store.lock(conn, await alert_of_own_visit(conn, entry.visit, entry.by))
        known = await _refusal_of(conn, entry)
        if known is not None:
            return known
        refused: list[str] = []
        try:
            await act()
        except Conflict as problem:
            refused = [f"{CONFLICT}: {problem}"]
        except Incomplete as problem:
            refused = problem.problems
        await conn.execute(
            """insert into visit_entries (entry, visit_id, step, who, entered_at, received_at, refused)
               values (%s, %s, %s, %s, %s, %s, %s)""",
            (entry.id, entry.visit, entry.step, entry.by, entry.entered_at, now, refused),
        )
        return refused


async def _refusal_of(conn: Connection, entry: Entry) -> list[str] | None:
    """How this entry was answered before; None: it is new."""
    sql = "select visit_id, step, who, refused from visit_entries where entry = %s"
    row = await (await conn.execute(sql, (entry.id,))).fetchone()
    if row is None:
        return None
    if row[:3] != (entry.visit, entry.step, entry.by):
        raise NotFound("this was entered as something else before: load the page again")
    return list(row[3])
