"""Putting a technical alert aside for some hours (A13): with a reason and an end; what needs a person never is.

After ISA-18.2's shelving. It needs no worker: an alert whose time is over waits in the queue again, and its deadline,
which is that time, shows it again.
"""

from datetime import datetime, timedelta
from typing import Final

from alerts import store
from alerts.actions import TEXT_LIMIT
from alerts.errors import Conflict, Incomplete
from telecare.clock import format_instant
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.vocabulary import Priority

MOST: Final = timedelta(hours=12)

# Somebody else's claim is not taken from them; one's own ends with it.
SHELVE: Final = """
    update alerts set state = 'raised', claimed_by = null, claimed_at = null, shelved_at = %(now)s,
                      shelved_until = %(until)s, shelved_by = %(by)s, shelved_why = %(why)s, due_at = %(until)s,
                      waiting_since = %(now)s, step = 0, missed = 0, missed_at = null, version = version + 1
     where id = %(id)s and closed_at is null and priority = 4 and (claimed_by is null or claimed_by = %(by)s)
"""
UNSHELVE: Final = """
    update alerts set shelved_at = null, shelved_until = null, shelved_by = null, shelved_why = '', due_at = %(now)s,
                      version = version + 1
     where id = %(id)s and closed_at is null and shelved_until > %(now)s
"""


async def shelve(conn: Connection, alert_id: int, by: str, hours: int, why: str, now: datetime) -> None:
    """Put a technical alert aside for whole hours.

    Raises:
        NotFound: there is no such alert.
        Incomplete: no reason is given, or not 1 to 12 hours.
        Conflict: it is closed, somebody else's, or of a person.
    """
    problems = []
    if not why.strip() or len(why) > TEXT_LIMIT:
        problems.append("shelve_why: say why this may wait")
    if not timedelta() < timedelta(hours=hours) <= MOST:
        problems.append(f"hours: from 1 to {MOST // timedelta(hours=1)}")
    if problems:
        raise Incomplete(problems)
    until = now + timedelta(hours=hours)
    async with conn.transaction():
        values = {"id": alert_id, "by": by, "why": why.strip(), "until": until, "now": now}
        if not (await conn.execute(SHELVE, values)).rowcount:
            raise await _refuse(conn, alert_id)
        detail = {"text": f"Put aside: {why.strip()}", "until": format_instant(until)}
        await store.log(conn, alert_id, now, by, "note", detail)
        await store.publish_change(conn, alert_id, now)


async def unshelve(conn: Connection, alert_id: int, by: str, now: datetime) -> None:
    """Put an alert back into the queue before its time; one that is not put aside stays as it is.

    Raises:
        NotFound: there is no such alert.
    """
    async with conn.transaction():
        if (await conn.execute(UNSHELVE, {"id": alert_id, "now": now})).rowcount:
            await store.log(conn, alert_id, now, by, "note", {"text": "Back in the queue"})
            await store.publish_change(conn, alert_id, now)
        elif await store.owner_and_state(conn, alert_id) is None:
            raise NotFound(f"no alert {alert_id}")


async def _refuse(conn: Connection, alert_id: int) -> Conflict:
    found = await store.owner_and_state(conn, alert_id)
    if found is None:
        raise NotFound(f"no alert {alert_id}")
    owner, state, _, priority = found
    if state in ("closed", "reviewed"):
        why = "this alert is closed"
    elif Priority(priority) is not Priority.TECHNICAL:
        why = "only a technical alert may be put aside: this one needs a person"
    else:
        why = f"{owner} has this alert"
    return Conflict(why, claimed_by=owner, state=state)
