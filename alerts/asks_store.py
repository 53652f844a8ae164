"""Every SQL statement about asking contacts, and about messages to them."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row, dict_row

from alerts import reach, reach_store
from telecare.db import Connection
from telecare.ids import uuid7
from telecare.rota import Way
from telecare.vocabulary import PERSON_STATE_WORDS, STOPPED, PersonState


@dataclass(frozen=True, slots=True)
class Asked:
    """A contact who is, was or may be asked, and about whom and what."""

    alert_id: int
    state: str  # of the alert
    contact_id: UUID
    name: str
    phone: str
    person: str  # as the person is known
    raised_local: datetime  # by the clock of the council
    ways: tuple[Way, ...] = ()  # of who is asked next: the best first


_ASKED: Final = """
    select a.id as alert_id, a.state, c.id as contact_id, c.name, c.phone,
           coalesce(nullif(p.known_as, ''), split_part(p.name, ' ', 1)) as person,
           (a.raised_at at time zone k.timezone)::timestamp as raised_local
      from alerts a
      join people p on p.id = a.person_id
      join homes h on h.id = a.home_id
      join councils k on k.id = h.council_id
      join contacts c on c.person_id = p.id
"""
_STOPPED: Final = [state.value for state in STOPPED]
_THAT_ONE: Final = "where a.id = %(alert)s and c.id = %(contact)s"


async def next_contact(conn: Connection, alert_id: int, contact: UUID | None, now: datetime) -> Asked | None:
    """Who is asked next about this alert, or that one if they can be asked now (alerts/reach.py); else None."""
    found = await reach_store.whom(conn, alert_id, contact, now)
    if not isinstance(found, reach.Choice):
        return None
    async with conn.cursor(row_factory=class_row(Asked)) as cursor:
        await cursor.execute((_ASKED + _THAT_ONE).encode(), {"alert": alert_id, "contact": found.contact.id})
        asked = await cursor.fetchone()
    return None if asked is None else replace(asked, ways=found.ways)


async def counts(conn: Connection, alert_id: int) -> tuple[int, bool]:
    """How many contacts have been asked; and whether one of them goes, or may still answer in time."""
    row = await (
        await conn.execute(
            """select count(*), coalesce(bool_or(answer = 'going' or answer_by is not null), false)
                 from asks where alert_id = %s""",
            (alert_id,),
        )
    ).fetchone()
    assert row is not None
    return int(row[0]), bool(row[1])


async def add_ask(
    conn: Connection, alert_id: int, contact_id: UUID, token_hash: bytes, by: str, now: datetime, answer_by: datetime
) -> None:
    """Write down that a contact is asked."""
    await conn.execute(
        """insert into asks (id, alert_id, contact_id, token_hash, asked_by, asked_at, answer_by)
           values (%s, %s, %s, %s, %s, %s, %s)""",
        (uuid7(), alert_id, contact_id, token_hash, by, now, answer_by),
    )


async def overdue(conn: Connection, now: datetime) -> tuple[UUID, int, str] | None:
    """The ask whose answer is longest overdue: (id, alert, name of the contact)."""
    row = await (
        await conn.execute(
            """select k.id, k.alert_id, c.name from asks k join contacts c on c.id = k.contact_id
                where k.answer_by <= %s order by k.answer_by limit 1""",
            (now,),
        )
    ).fetchone()
    return (row[0], row[1], row[2]) if row else None


async def lock_alert(conn: Connection, alert_id: int) -> None:
    """Nobody else changes this alert, or what is asked about it, until the transaction ends."""
    await conn.execute("select 1 from alerts where id = %s for no key update", (alert_id,))


async def let_pass(conn: Connection, ask_id: UUID, now: datetime) -> bool:
    """No longer wait for this answer; False where nobody waits for it any more."""
    cursor = await conn.execute(
        "update asks set answer_by = null, passed_at = %(now)s where id = %(id)s and answer_by <= %(now)s",
        {"now": now, "id": ask_id},
    )
    return cursor.rowcount == 1


ASK: Final = """
    select k.id, k.alert_id, k.contact_id, k.answer, k.minutes, k.answered_at, k.over_at, k.asked_at,
           c.name as contact, c.staff_id, coalesce(nullif(p.known_as, ''), split_part(p.name, ' ', 1)) as person,
           a.state, a.raised_at, a.confirmed_by, z.timezone
      from asks k
      join contacts c on c.id = k.contact_id
      join people p on p.id = c.person_id
      join alerts a on a.id = k.alert_id
      join homes h on h.id = a.home_id
      join councils z on z.id = h.council_id
     where {}
"""


async def ask_by(conn: Connection, *, token_hash: bytes | None = None, ask_id: UUID | None = None) -> Any | None:
    """An ask with whom it is about, by the hash of its link or by its number."""
    where = "k.token_hash = %s" if ask_id is None else "k.id = %s"
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(ASK.format(where).encode(), (token_hash if ask_id is None else ask_id,))
        return await cursor.fetchone()


async def save_answer(conn: Connection, ask_id: UUID, answer: str, minutes: int | None, now: datetime) -> bool:
    """Keep an answer; False where the alert has ended meanwhile, or the same answer has been given."""
    cursor = await conn.execute(
        """update asks k set answer = %(answer)s, minutes = %(minutes)s, answered_at = %(now)s, answer_by = null
            where id = %(id)s and over_at is null
              and (answer is distinct from %(answer)s or minutes is distinct from %(minutes)s)
              and exists (select 1 from alerts a where a.id = k.alert_id and a.closed_at is null)""",
        {"answer": answer, "minutes": minutes, "now": now, "id": ask_id},
    )
    return cursor.rowcount == 1


STOP: Final = """
    with quiet as (update asks set answer_by = null, passed_at = %(now)s
                    where alert_id = %(alert)s and answer is null and over_at is null returning contact_id)
"""
END: Final = """
    with quiet as (update asks set answer_by = null, over_at = %(now)s
                    where alert_id = %(alert)s and over_at is null returning contact_id)
"""
_THOSE: Final = "where a.id = %(alert)s and c.id in (select contact_id from quiet) order by c.place"


async def stop_waiting(conn: Connection, alert_id: int, now: datetime) -> list[Asked]:
    """Somebody goes: wait for no other answer. Those who were asked and have not answered, to be told so."""
    return await _those(conn, STOP, alert_id, now)


async def end_asks(conn: Connection, alert_id: int, now: datetime) -> list[Asked]:
    """The alert has ended: no answer is taken any more. Everyone who was asked, to be told so."""
    return await _those(conn, END, alert_id, now)


async def _those(conn: Connection, change: str, alert_id: int, now: datetime) -> list[Asked]:
    async with conn.cursor(row_factory=class_row(Asked)) as cursor:
        await cursor.execute((change + _ASKED + _THOSE).encode(), {"alert": alert_id, "now": now})
        return await cursor.fetchall()


async def queue_message(
    conn: Connection,
    contact_id: UUID,
    phone: str,
    body: str,
    purpose: str,
    key: str,
    now: datetime,
    alert_id: int | None,
    *,
    send_at: datetime | None = None,
) -> bool:
    """Have a message sent, at once or then; False when one with this key was queued, or its person has died or left.

    The person is looked at under a lock, so that no message slips in beside the news (alerts/standing.py).
    """
    cursor = await conn.execute(
        """with person as (
               select p.id from people p join contacts c on c.person_id = p.id
                where c.id = %(contact)s and p.state <> all(%(stopped)s) for share of p)
           insert into messages (id, alert_id, contact_id, channel, recipient, body, purpose, idempotency_key, state,
                                 next_try_at, created_at)
           select %(id)s, %(alert)s, %(contact)s, 'sms', %(phone)s, %(body)s, %(purpose)s, %(key)s, 'pending',
                  %(send_at)s, %(now)s from person
           on conflict (idempotency_key) do nothing""",
        {
            "id": uuid7(), "alert": alert_id, "contact": contact_id, "phone": phone, "body": body, "purpose": purpose,
            "key": key, "now": now, "send_at": send_at or now, "stopped": _STOPPED,
        },
    )  # fmt: skip
    return cursor.rowcount == 1


# ---------------------------------------------------------------- people about whom nobody is written to


async def why_nobody(conn: Connection, alert_id: int, now: datetime, contact: UUID | None = None) -> str | None:
    """Why nobody, or not that contact, is asked about this alert now; None where somebody can be."""
    cursor = await conn.execute(
        "select p.state from alerts a join people p on p.id = a.person_id where a.id = %s and p.state = any(%s)",
        (alert_id, _STOPPED),
    )
    row = await cursor.fetchone()
    if row is not None:
        return f"{PERSON_STATE_WORDS[PersonState(row[0])].lower()}: nobody is written to"
    found = await reach_store.whom(conn, alert_id, contact, now)
    if found is None:
        return "it is not known whose alarm it is"
    return found.why if isinstance(found, reach.Nobody) else None


async def was_asked(conn: Connection, alert_id: int, contact: UUID) -> bool:
    """Whether this contact has been asked about this alert."""
    cursor = await conn.execute("select 1 from asks where alert_id = %s and contact_id = %s", (alert_id, contact))
    return await cursor.fetchone() is not None


async def lock_open_alerts_of(conn: Connection, person_id: UUID) -> list[int]:
    """A person's open alerts, which nobody else changes until the transaction ends."""
    cursor = await conn.execute(
        "select id from alerts where person_id = %s and closed_at is null order by id for no key update", (person_id,)
    )
    return [row[0] for row in await cursor.fetchall()]


async def stop_writing(conn: Connection, person_id: UUID, state: PersonState, now: datetime) -> None:
    """Send nothing more to this person's contacts, and wait for none of their answers."""
    contacts = "select id from contacts where person_id = %(person)s"
    values = {"person": person_id, "now": now, "why": PERSON_STATE_WORDS[state].lower()}
    await conn.execute(
        f"""update asks set answer_by = null, passed_at = %(now)s
             where answer_by is not null and contact_id in ({contacts})""".encode(),  # noqa: S608
        values,
    )
    await conn.execute(
        f"""update messages set state = 'failed', next_try_at = null, failure = %(why)s
             where state in ('pending', 'sending') and contact_id in ({contacts})""".encode(),  # noqa: S608
        values,
    )
    # What a provider has is waited for no more: the other one is not asked either.
    await conn.execute(
        f"""update messages set next_try_at = null
             where state = 'sent' and contact_id in ({contacts})""".encode(),  # noqa: S608
        values,
    )


# ---------------------------------------------------------------- for the screens


async def _records(conn: Connection, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values)
        return await cursor.fetchall()


async def asks_of(conn: Connection, alert_id: int) -> dict[UUID, dict[str, Any]]:
    """What each contact was asked about an alert and answered, by contact."""
    rows = await _records(
        conn,
        """select contact_id, asked_at, answer_by, answer, minutes, answered_at, passed_at, over_at from asks
            where alert_id = %(alert)s""",
        {"alert": alert_id},
    )
    return {row["contact_id"]: row for row in rows}


async def open_asks_of_login(conn: Connection, staff_id: UUID) -> list[dict[str, Any]]:
    """What a carer is asked now, newest first."""
    return await _records(
        conn,
        ASK.format("c.staff_id = %(staff)s and k.over_at is null and a.closed_at is null order by k.asked_at desc"),
        {"staff": staff_id},
    )


async def last_test(conn: Connection, contact_id: UUID) -> dict[str, Any] | None:
    """The newest test message to a contact."""
    rows = await _records(
        conn,
        """select state, created_at, sent_at, failure from messages
            where contact_id = %(contact)s and purpose = 'test' order by created_at desc limit 1""",
        {"contact": contact_id},
    )
    return rows[0] if rows else None
