"""Every SQL statement about contacts who end, or are contacts again, beside the register's own."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from telecare.db import Connection


async def withdraw_all(conn: Connection, contact_id: UUID) -> None:
    """Send nothing more to this contact."""
    await conn.execute(
        """update messages set state = 'stale', next_try_at = null, failure = 'is no contact any more'
            where contact_id = %s and state = 'pending'""",
        (contact_id,),
    )


async def reopen(conn: Connection, contact_id: UUID, alert_ids: Sequence[int], now: datetime) -> None:
    """Let the contact answer again what they were asked about these open alerts. A promise of before stops nobody."""
    await conn.execute(
        """update asks set over_at = null, passed_at = coalesce(passed_at, %(now)s),
                  late_at = case when answer = 'going' and there_at is null then coalesce(late_at, %(now)s)
                                 else late_at end
            where contact_id = %(contact)s and alert_id = any(%(alerts)s) and over_at is not null""",
        {"contact": contact_id, "alerts": list(alert_ids), "now": now},
    )
