"""Whether a person lets the recordings of their pendant's blows teach the detector of falls (docs/falls.md)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from telecare.db import Connection
from telecare.errors import Refused
from telecare.register.carers import WORDS_LIMIT


async def consent_of(conn: Connection, person_id: UUID) -> dict[str, Any] | None:
    """What counts now: `given`, `said`, `recorded_by`, `recorded_at`; None where the person was never asked."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select given, said, recorded_by, recorded_at from recording_consents where person_id = %s
                order by id desc limit 1""",
            (person_id,),
        )
        return await cursor.fetchone()


async def record(conn: Connection, person_id: UUID, given: bool, said: str, by: str, now: datetime) -> None:
    """Write down what the person says to it; it counts at once, and what counted before stays on record.

    Raises:
        Refused: it is not said how the person said so.
    """
    if not said.strip() or len(said) > WORDS_LIMIT or "\0" in said:
        raise Refused(f"Write down how the person said so, in at most {WORDS_LIMIT} characters")
    await conn.execute(
        """insert into recording_consents (person_id, given, said, recorded_by, recorded_at)
           values (%s, %s, %s, %s, %s)""",
        (person_id, given, said.strip(), by, now),
    )
