"""How a person stands with the service: active, with a kit fault, died, or ended. The newest record counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.vocabulary import STOPPED, PersonState, Role

NOTE_LIMIT: Final = 1000  # characters
# It stops what looks after a person: not for one operator alone to say, nor to take back.
MAY_STOP: Final = frozenset({Role.SUPERVISOR, Role.ADMIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is written down."""

    state: PersonState
    note: str  # who said so; of a kit fault what is wrong, and what is done meanwhile
    due_at: datetime | None = None  # of a kit fault: when it is to be put right
    by: str
    role: Role


async def record(conn: Connection, person_id: UUID, change: Change, now: datetime) -> PersonState:
    """Write down how a person stands, inside the caller's transaction; returns how they stood before.

    Raises:
        NotFound: there is no such person.
        Refused: something is missing, or it is not for this member to say.
    """
    cursor = await conn.execute("select state from people where id = %s for update", (person_id,))
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("no such person")
    before = PersonState(row[0])
    _check(change, before, now)
    await conn.execute(
        """insert into person_states (person_id, state, note, due_at, recorded_by, recorded_at)
           values (%s, %s, %s, %s, %s, %s)""",
        (person_id, change.state.value, change.note.strip(), change.due_at, change.by, now),
    )
    await conn.execute("update people set state = %s where id = %s", (change.state.value, person_id))
    # Detection begins anew: nobody is missed for the time in which they were not looked for.
    await conn.execute("update care_plans set version = version + 1 where person_id = %s", (person_id,))
    return before


def _check(change: Change, before: PersonState, now: datetime) -> None:
    if {change.state, before} & STOPPED and change.role not in MAY_STOP:
        raise Refused("Only a supervisor or an administrator may write down that a person has died or left, or undo it")
    if not change.note.strip() or len(change.note) > NOTE_LIMIT or "\0" in change.note:
        raise Refused(f"Write down who said so, and what is done meanwhile, in at most {NOTE_LIMIT} characters")
    if (change.state is PersonState.KIT_FAULT) != (change.due_at is not None):
        raise Refused("A kit fault, and nothing else, needs a day by which it is put right")
    if change.due_at is not None and change.due_at <= now:
        raise Refused("The day by which it is put right must lie ahead")


async def history_of(conn: Connection, person_id: UUID) -> list[dict[str, Any]]:
    """Everything that was written down about it, the newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select state, note, due_at, recorded_by, recorded_at from person_states where person_id = %s
                order by id desc""",
            (person_id,),
        )
        return await cursor.fetchall()
