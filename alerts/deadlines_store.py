"""Every SQL statement by which alerts move on by themselves: each does its work for a whole batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from alerts.domain import Waiting
from telecare.db import Connection
from telecare.vocabulary import Priority

DUE: Final = """
    select id, priority, waiting_since, step, state, claimed_by, due_at from alerts
     where closed_at is null and due_at <= %(now)s and not id = any(%(aside)s)
       and (%(only)s::bigint is null or id = %(only)s)
     order by due_at limit %(most)s for update skip locked
"""


@dataclass(frozen=True, slots=True)
class Due:
    """An alert whose deadline has come."""

    id: int
    waiting: Waiting
    state: str
    claimed_by: str | None
    due_at: datetime


async def lock_due(
    conn: Connection, now: datetime, most: int, aside: Sequence[int] = (), only: int | None = None
) -> list[Due]:
    """The alerts longest past their deadlines that nobody else is working on, locked; those in `aside` are passed over.

    With `only`, that one alert, if it is due.
    """
    values = {"now": now, "most": most, "aside": list(aside), "only": only}
    rows = await (await conn.execute(DUE, values)).fetchall()
    return [Due(row[0], Waiting(Priority(row[1]), row[2], row[3]), row[4], row[5], row[6]) for row in rows]


NEXT: Final = "select min(due_at) from alerts where closed_at is null and due_at > %s"


async def next_due_at(conn: Connection, now: datetime) -> datetime | None:
    """When the next alert that is not due yet will be; None where none is open."""
    row = await (await conn.execute(NEXT, (now,))).fetchone()
    return row[0] if row else None


MOVE: Final = """
    update alerts a set due_at = g.due_at, step = g.step
      from unnest(%s::bigint[], %s::timestamptz[], %s::smallint[]) g (id, due_at, step) where a.id = g.id
"""


async def set_deadlines(conn: Connection, moved: Sequence[tuple[int, datetime, int]]) -> None:
    """When something next happens by itself, and how far the ladder has gone: (alert, due, step). All are locked."""
    if moved:
        columns = zip(*moved, strict=True)
        await conn.execute(MOVE, tuple(list(column) for column in columns))
