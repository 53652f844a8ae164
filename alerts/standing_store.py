"""Every SQL statement about people about whom nobody is written to any more."""

from datetime import datetime
from uuid import UUID

from telecare.db import Connection
from telecare.vocabulary import PERSON_STATE_WORDS, PersonState


async def lock_open_alerts_of(conn: Connection, person_id: UUID) -> list[int]:
    """A person's open alerts, which nobody else changes until the transaction ends."""
    cursor = await conn.execute(
        "select id from alerts where person_id = %s and closed_at is null order by id for no key update", (person_id,)
    )
    return [row[0] for row in await cursor.fetchall()]


async def stop_writing(conn: Connection, person_id: UUID, state: PersonState, now: datetime) -> None:
    """Send nothing more to this person's contacts, and wait for none of their answers or arrivals."""
    contacts = "select id from contacts where person_id = %(person)s"
    values = {"person": person_id, "now": now, "why": PERSON_STATE_WORDS[state].lower()}
    await conn.execute(
        f"""update asks set voice_at = null, answer_by = null, arrive_by = null, passed_at = %(now)s
             where due_at is not null and contact_id in ({contacts})""".encode(),  # noqa: S608
        values,
    )
    await conn.execute(
        f"""update messages set state = 'failed', next_try_at = null, failure = %(why)s
             where state in ('pending', 'sending') and contact_id in ({contacts})""".encode(),  # noqa: S608
        values,
    )
