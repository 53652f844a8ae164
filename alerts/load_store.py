"""SQL on how often contacts were asked to go. Nothing is kept beside the questions, messages and alerts themselves."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row

from telecare.db import Connection

# The hours at which a contact was disturbed are those of the messages, calls and later rounds included. One that never
# left disturbed nobody.
ASKED: Final = """
    select q.contact_id, c.name as contact, p.id as person_id, p.name as person, q.alert_id,
           a.closed_at is not null as closed, a.cause, c.quiet_from, c.quiet_until,
           coalesce(k.timezone, 'Europe/London') as timezone,
           array(select m.created_at from messages m
                  where m.contact_id = q.contact_id and m.alert_id = q.alert_id and m.purpose = 'ask'
                    and m.state not in ('failed', 'stale') order by m.created_at) as at
      from asks q
      join contacts c on c.id = q.contact_id
      join people p on p.id = c.person_id
      join homes h on h.id = p.home_id
      left join councils k on k.id = h.council_id
      join alerts a on a.id = q.alert_id
     where c.ended_at is null and q.asked_at > %(since)s and q.asked_at <= %(now)s {}
     order by p.name, c.place, q.asked_at
"""


@dataclass(frozen=True, slots=True)
class AskedAbout:
    """A contact who was asked about an alert."""

    contact_id: UUID
    contact: str
    person_id: UUID
    person: str
    alert_id: int
    closed: bool
    cause: str | None
    quiet_from: time
    quiet_until: time
    timezone: str
    at: list[datetime]


async def asked(conn: Connection, since: datetime, now: datetime, person_id: UUID | None = None) -> list[AskedAbout]:
    """What contacts were asked after `since`: everyone's, or one person's."""
    where, values = "", {"since": since, "now": now}
    more: dict[str, Any] = {}
    if person_id is not None:
        where, more = "and p.id = %(person)s", {"person": person_id}
    async with conn.cursor(row_factory=class_row(AskedAbout)) as cursor:
        await cursor.execute(ASKED.format(where).encode(), values | more)
        return await cursor.fetchall()
