"""Messages that ask for nothing: they wait for a civil hour, and go to contacts whom the person lets know."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.rows import class_row

from alerts import asks_store
from alerts.availability import CHILD_NIGHT
from alerts.civil import civil_hour
from alerts.texts import fault_over_text, fault_text
from telecare.db import Connection
from telecare.settings import Settings

PURPOSE: Final = "information"


@dataclass(frozen=True, slots=True)
class _Contact:
    """A contact who may know whether the alarm works, with the fault that they were last written to about."""

    id: UUID
    name: str
    phone: str
    person: str  # as the person is known
    quiet_from: time
    quiet_until: time
    under_18: bool
    timezone: str
    state_id: int  # the newest record of how the person stands
    told_key: str | None  # of the newest message to them about a fault
    told_withdrawn: bool  # ... which was never sent


_MAY_KNOW: Final = """
    select c.id, c.name, c.phone, coalesce(nullif(p.known_as, ''), split_part(p.name, ' ', 1)) as person,
           c.quiet_from, c.quiet_until, c.under_18, z.timezone,
           (select max(id) from person_states where person_id = p.id) as state_id,
           t.idempotency_key as told_key, coalesce(t.state = 'failed' and t.attempts = 0, false) as told_withdrawn
      from contacts c
      join people p on p.id = c.person_id
      join homes h on h.id = p.home_id
      join councils z on z.id = h.council_id
      join lateral (select equipment from consents where contact_id = c.id order by id desc limit 1) k on k.equipment
      left join lateral (select idempotency_key, state, attempts from messages
                          where contact_id = c.id and purpose = 'information' and idempotency_key like 'fault:%%'
                          order by created_at desc limit 1) t on true
     where c.person_id = %(person)s and c.phone <> '' and c.ended_at is null and 'sms' = any(c.channels)
     order by c.place
"""


async def _who_may_know(conn: Connection, person_id: UUID) -> list[_Contact]:
    async with conn.cursor(row_factory=class_row(_Contact)) as cursor:
        await cursor.execute(_MAY_KNOW, {"person": person_id})
        return await cursor.fetchall()


async def tell_of_fault(conn: Connection, settings: Settings, person_id: UUID, now: datetime) -> None:
    """One message to each contact who may know. The fault has just been written down, in the caller's transaction."""
    for one in await _who_may_know(conn, person_id):
        body = fault_text(
            service=settings.service_name, phone=settings.service_phone, contact=_first(one.name), person=one.person
        )
        await _tell(conn, one, body, f"fault:{one.state_id}:{one.id}", now)


async def tell_fault_over(conn: Connection, settings: Settings, person_id: UUID, now: datetime) -> None:
    """The same contacts are told that it is over; who has not been written to yet, is not written to at all."""
    await conn.execute(
        """update messages set state = 'failed', next_try_at = null, failure = 'put right before it was sent'
            where state = 'pending' and attempts = 0 and purpose = %s and idempotency_key like 'fault:%%'
              and contact_id in (select id from contacts where person_id = %s)""",
        (PURPOSE, person_id),
    )
    for one in await _who_may_know(conn, person_id):
        if one.told_key is None or one.told_withdrawn:
            continue
        body = fault_over_text(
            service=settings.service_name, phone=settings.service_phone, contact=_first(one.name), person=one.person
        )
        await _tell(conn, one, body, f"fault-over:{one.told_key.removeprefix('fault:')}", now)


async def _tell(conn: Connection, one: _Contact, body: str, key: str, now: datetime) -> None:
    send_at = _may_be_told(now, one.timezone, one.quiet_from, one.quiet_until, under_18=one.under_18)
    await asks_store.queue_message(conn, one.id, one.phone, body, PURPOSE, key, now, None, send_at=send_at)


def _may_be_told(now: datetime, timezone: str, quiet_from: time, quiet_until: time, *, under_18: bool) -> datetime:
    """From when a contact may be told what asks for nothing; nobody under 18 in the night, whatever their own hours."""
    quiet = [(quiet_from, quiet_until), *([CHILD_NIGHT] if under_18 else [])]
    return civil_hour(now, ZoneInfo(timezone), *quiet)


async def held_until(conn: Connection, contact_id: UUID, now: datetime) -> datetime | None:
    """Until when a message that asks for nothing is not sent to this contact; None where it may be sent now.

    Asked at every try: one that failed in the evening is not made again in the night.
    """
    cursor = await conn.execute(
        """select z.timezone, c.quiet_from, c.quiet_until, c.under_18 from contacts c
             join people p on p.id = c.person_id join homes h on h.id = p.home_id join councils z on z.id = h.council_id
            where c.id = %s""",
        (contact_id,),
    )
    row = await cursor.fetchone()
    assert row is not None
    until = _may_be_told(now, *row[:3], under_18=row[3])
    return until if until > now else None


def _first(name: str) -> str:
    return name.split(" ")[0]
