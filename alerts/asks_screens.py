"""What screens show about asking contacts."""

from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from alerts.asks_store import ASK
from telecare.db import Connection


async def _records(conn: Connection, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values)
        return await cursor.fetchall()


async def asks_of(conn: Connection, alert_id: int) -> dict[UUID, dict[str, Any]]:
    """What each contact was asked about an alert and answered, by contact."""
    rows = await _records(
        conn,
        """select contact_id, asked_at, voice_at, answer_by, answer, minutes, answered_at, passed_at, over_at,
                  arrive_by, there_at, late_at, round
             from asks where alert_id = %(alert)s""",
        {"alert": alert_id},
    )
    return {row["contact_id"]: row for row in rows}


async def waiting(conn: Connection, alert_id: int) -> dict[str, Any] | None:
    """When the ladder goes on by itself, and whom it waits for, where nobody is left who can be asked now."""
    found = await _records(
        conn,
        """select l.due_at, l.later_at, c.name as later
             from ladders l left join contacts c on c.id = l.later_contact
            where l.alert_id = %(alert)s and l.due_at is not null""",
        {"alert": alert_id},
    )
    return found[0] if found else None


async def open_asks_of_login(conn: Connection, staff_id: UUID) -> list[dict[str, Any]]:
    """What a carer is asked now, newest first."""
    return await _records(
        conn,
        ASK.format(
            "c.staff_id = %(staff)s and c.ended_at is null and k.over_at is null and a.closed_at is null "
            "order by k.asked_at desc"
        ),
        {"staff": staff_id},
    )


async def last_test(conn: Connection, contact_id: UUID) -> dict[str, Any] | None:
    """The newest test message to a contact's number or address."""
    rows = await _records(
        conn,
        """select state, created_at, sent_at, failure from messages
            where contact_id = %(contact)s and purpose = 'test' and channel <> 'push'
            order by created_at desc limit 1""",
        {"contact": contact_id},
    )
    return rows[0] if rows else None
