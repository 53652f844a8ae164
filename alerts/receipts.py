"""What a provider says became of a message. That it arrived is no answer: nothing here stops anybody from being asked.

In the caller's transaction.
"""

from datetime import datetime
from typing import Final, Literal

from alerts import sending_store, store
from alerts.delivery import Receipt
from alerts.sending_store import Try
from telecare.db import Connection
from telecare.settings import Settings

Became = Literal["noted", "known", "no news"]

# The words of providers, and what they mean. A call that was picked up has arrived; one that rang out has not.
STATUS: Final[dict[str, Receipt]] = {
    "created": Receipt.UNDER_WAY,
    "sending": Receipt.UNDER_WAY,
    "pending": Receipt.UNDER_WAY,
    "queued": Receipt.UNDER_WAY,
    "ringing": Receipt.UNDER_WAY,
    "sent": Receipt.UNDER_WAY,
    "delivered": Receipt.DELIVERED,
    "answered": Receipt.DELIVERED,
    "shown": Receipt.DELIVERED,
    "busy": Receipt.TEMPORARY_FAILURE,
    "no-answer": Receipt.TEMPORARY_FAILURE,
    "temporary-failure": Receipt.TEMPORARY_FAILURE,
    "technical-failure": Receipt.TECHNICAL_FAILURE,
    "failed": Receipt.TECHNICAL_FAILURE,
    "permanent-failure": Receipt.PERMANENT_FAILURE,
}


async def take(
    conn: Connection, settings: Settings, one: Try, provider: str, status: str, ref: str | None, content: bytes,
    now: datetime,
) -> Became:  # fmt: skip
    """Keep a receipt, and have the message looked at again. `status` is one of `STATUS`."""
    became = await note(conn, settings, one, provider, status, ref, content, now)
    if became == "noted" and one.alert_id is not None:
        await store.publish_change(conn, one.alert_id, now)
    return became


async def note(
    conn: Connection, settings: Settings, one: Try, provider: str, status: str, ref: str | None, content: bytes,
    now: datetime,
) -> Became:  # fmt: skip
    """The same for a caller who goes on to change the alert, and publishes that: the message is locked before it."""
    message = await sending_store.locked(conn, one.message_id)
    assert message is not None
    if not await sending_store.add_receipt(conn, one, provider, status, content, now):
        return "known"
    if not await sending_store.note_receipt(conn, one, STATUS[status], ref, now):
        return "no news"
    if STATUS[status] is Receipt.DELIVERED:
        await sending_store.set_state(conn, message.id, "delivered", now, blank=not settings.demo)
    elif STATUS[status] is not Receipt.UNDER_WAY:
        await sending_store.look_again(conn, message.id, now)
    return "noted"
