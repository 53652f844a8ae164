"""Somebody is no contact of a person any more, or is one again by an undo: what becomes of open questions to them.

From the commit on they are not asked, not written to and not rung, and their login shows them the person no more.
"""

from datetime import datetime
from uuid import UUID

from alerts import climbing, ladder, leaving_store, questions_store, standing_store, store
from telecare.db import Connection
from telecare.register import contacts
from telecare.settings import Settings


async def end_contact(
    conn: Connection, settings: Settings, person_id: UUID, contact_id: UUID, why: str, by: str, now: datetime
) -> None:
    """Write down that somebody is no contact any more. Their open questions end, and the next contact is asked.

    Raises:
        NotFound: the person has no such contact.
        Refused: it is not said why.
    """
    async with conn.transaction():
        # Alerts before people, as everywhere (alerts/standing.py).
        open_alerts = await standing_store.lock_open_alerts_of(conn, person_id)
        name = await contacts.end(conn, person_id, contact_id, why, by, now)
        await leaving_store.withdraw_all(conn, contact_id)
        for alert_id in open_alerts:
            words = f"{name} is no contact any more: {why.strip()}"
            await store.log(conn, alert_id, now, by, "note", {"contact": name, "text": words})
            await _end_question(conn, settings, alert_id, contact_id, by, now)
            await store.publish_change(conn, alert_id, now)


async def _end_question(
    conn: Connection, settings: Settings, alert_id: int, contact_id: UUID, by: str, now: datetime
) -> None:
    _, safe = await questions_store.whether_open(conn, alert_id)
    for one in await questions_store.asked_of(conn, alert_id):
        if one.asked.contact_id == contact_id:
            await climbing.happen(conn, settings, one, ladder.Removed(safe), by, now)


async def restore_contact(conn: Connection, person_id: UUID, contact_id: UUID, by: str, now: datetime) -> None:
    """Make somebody a contact again. Questions of open alerts take their answer again; nobody is waited for anew.

    Raises:
        NotFound: the person has no such contact who has ended.
        Refused: there are too many contacts.
    """
    async with conn.transaction():
        open_alerts = await standing_store.lock_open_alerts_of(conn, person_id)
        name = await contacts.restore(conn, person_id, contact_id, by, now)
        await leaving_store.reopen(conn, contact_id, open_alerts, now)
        for alert_id in open_alerts:
            detail = {"contact": name, "text": f"{name} is a contact again"}
            await store.log(conn, alert_id, now, by, "note", detail)
            await store.publish_change(conn, alert_id, now)
