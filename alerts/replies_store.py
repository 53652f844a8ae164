"""Every SQL statement about what contacts answer by telephone."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from telecare.db import Connection
from telecare.phones import e164


@dataclass(frozen=True, slots=True)
class Question:
    """A contact who was asked to go."""

    id: UUID
    alert_id: int
    person_id: UUID
    contact: str
    answer: str | None
    ended: bool  # the alert has


async def contacts_with(conn: Connection, number: str, region: str) -> list[UUID]:
    """The contacts whose number is `number` (E.164), however the register has it written."""
    cursor = await conn.execute(
        """select id, phone from contacts
            where phone <> '' and ended_at is null and right(regexp_replace(phone, '[^0-9]', '', 'g'), 6) = %s""",
        (number[-6:],),
    )
    return [row[0] for row in await cursor.fetchall() if _is(row[1], number, region)]


def _is(phone: str, number: str, region: str) -> bool:
    try:
        return e164(phone, region) == number
    except ValueError:
        return False


async def open_questions(conn: Connection, contacts: Collection[UUID]) -> list[Question]:
    """What these contacts are asked about alerts that have not ended, newest first, answered or not."""
    cursor = await conn.execute(
        """select k.id, k.alert_id, c.person_id, c.name, k.answer, false
             from asks k join contacts c on c.id = k.contact_id join alerts a on a.id = k.alert_id
            where k.contact_id = any(%s) and k.over_at is null and a.closed_at is null
            order by k.asked_at desc, k.id desc""",
        (list(contacts),),
    )
    return [Question(*row) for row in await cursor.fetchall()]


async def question(conn: Connection, alert_id: int, contact_id: UUID) -> Question | None:
    """What this contact was last asked about this alert."""
    cursor = await conn.execute(
        """select k.id, k.alert_id, c.person_id, c.name, k.answer, k.over_at is not null or a.closed_at is not null
             from asks k join contacts c on c.id = k.contact_id join alerts a on a.id = k.alert_id
            where k.alert_id = %s and k.contact_id = %s order by k.asked_at desc, k.id desc limit 1""",
        (alert_id, contact_id),
    )
    row = await cursor.fetchone()
    return None if row is None else Question(*row)


async def open_alerts(conn: Connection, contacts: Collection[UUID]) -> list[tuple[int, str]]:
    """The open alerts of the people whose contacts these are, each once, with the contact's name."""
    cursor = await conn.execute(
        """select distinct on (a.id) a.id, c.name from alerts a join contacts c on c.person_id = a.person_id
            where c.id = any(%s) and a.closed_at is null and a.priority < 4 order by a.id, c.place""",
        (list(contacts),),
    )
    return [(row[0], row[1]) for row in await cursor.fetchall()]


async def still_open(conn: Connection, alert_ids: Collection[int]) -> set[int]:
    """Which of these alerts have not ended; nobody ends them until the transaction does."""
    cursor = await conn.execute(
        "select id from alerts where id = any(%s) and closed_at is null order by id for no key update",
        (list(alert_ids),),
    )
    return {row[0] for row in await cursor.fetchall()}


async def name_of(conn: Connection, contact_id: UUID) -> str:
    """A contact's name."""
    row = await (await conn.execute("select name from contacts where id = %s", (contact_id,))).fetchone()
    assert row is not None
    return str(row[0])


async def keep(conn: Connection, values: dict[str, Any]) -> bool:
    """Keep what was said; False where the same was kept before."""
    cursor = await conn.execute(
        """insert into replies (provider, channel, sender, words, content_hash, received_at, became, ask_id)
           values (%(provider)s, %(channel)s, %(sender)s, %(words)s, %(content)s, %(now)s, %(became)s, %(ask)s)
           on conflict (content_hash) do nothing""",
        values,
    )
    return cursor.rowcount == 1


async def strays(conn: Connection, limit: int, before: datetime | None = None) -> list[dict[str, Any]]:
    """What belonged to nothing we know, newest first; of each the first bytes. `before`: only what came before then."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select provider, why, substring(raw from 1 for 300) as payload, octet_length(raw) as size_bytes,
                      received_at
                 from stray_callbacks where %(before)s::timestamptz is null or received_at < %(before)s
                order by received_at desc, content_hash limit %(limit)s""",
            {"before": before, "limit": limit},
        )
        return await cursor.fetchall()


async def count_strays(conn: Connection, since: datetime | None = None) -> int:
    """How many are kept, or how many came since then."""
    cursor = await conn.execute(
        "select count(*) from stray_callbacks where %(since)s::timestamptz is null or received_at > %(since)s",
        {"since": since},
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def keep_stray(conn: Connection, provider: str, why: str, raw: bytes, content: bytes, now: datetime) -> bool:
    """Keep what belongs to nothing we know, as it came; False where the same was kept before."""
    cursor = await conn.execute(
        """insert into stray_callbacks (content_hash, provider, why, raw, received_at)
           values (%s, %s, %s, %s, %s) on conflict do nothing""",
        (content, provider, why[:200], raw, now),
    )
    return cursor.rowcount == 1
