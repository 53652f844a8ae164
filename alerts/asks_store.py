"""SQL about asking contacts: who is next, what is asked, and the messages that go with it.

How questions stand is in alerts/questions_store.py, the ladder as a whole in alerts/ladders_store.py, what screens show
in alerts/asks_screens.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from alerts import reach, reach_store
from alerts.ladder import Question
from telecare.db import Connection
from telecare.ids import uuid7
from telecare.rota import Channel, Way, ways_from
from telecare.vocabulary import PERSON_STATE_WORDS, STOPPED, PersonState


@dataclass(frozen=True, slots=True)
class Asked:
    """A contact who is, was or may be asked, and about whom and what."""

    alert_id: int
    state: str  # of the alert
    contact_id: UUID
    name: str
    phone: str
    email: str
    push: bool  # their browser takes messages
    person: str  # as the person is known
    raised_local: datetime  # by the clock of the council
    ways: tuple[
        Way, ...
    ] = ()  # those by which they agreed to be reached, and for which there is an address: the best first


# The one place that knows whether a contact's browser takes messages.
PUSH: Final = "exists (select 1 from push_subscriptions s where s.staff_id = c.staff_id and s.gone_at is null)"

ASKED_COLUMNS: Final = f"""
    a.id as alert_id, a.state, c.id as contact_id, c.name, c.phone, c.email, {PUSH} as push, c.channels,
    (select json_agg(json_build_array(y.channel, y.address, y.tested_at, y.failed_at)) from contact_ways y
      where y.contact_id = c.id) as tests,
    coalesce(nullif(p.known_as, ''), split_part(p.name, ' ', 1)) as person,
    (a.raised_at at time zone k.timezone)::timestamp as raised_local
"""  # noqa: S608
_ASKED: Final = f"""
    select {ASKED_COLUMNS}
      from alerts a
      join people p on p.id = a.person_id
      join homes h on h.id = a.home_id
      join councils k on k.id = h.council_id
      join contacts c on c.person_id = p.id
"""  # noqa: S608
_STOPPED: Final = [state.value for state in STOPPED]
# Locked: who ends meanwhile is waited for, and is then not found.
_THAT_ONE: Final = "where a.id = %(alert)s and c.id = %(contact)s and c.ended_at is null for share of c"
_FIELDS: Final = frozenset(field.name for field in fields(Asked)) - {"ways"}


def asked_from(row: Mapping[str, Any]) -> Asked:
    """A row of `ASKED_COLUMNS`."""
    tests = reach_store.tests_from(row["tests"])
    ways = [one for one in ways_from(row["phone"], row["email"], tests, row["channels"]) if one.channel != Channel.PUSH]
    if row["push"] and Channel.PUSH in row["channels"]:
        address = str(row["contact_id"])
        known = next((one for one in tests if one.channel == Channel.PUSH), Way(Channel.PUSH, address))
        # A browser is known by the contact: a message goes to all that subscribed.
        ways.append(Way(Channel.PUSH, address, known.tested_at, known.failed_at))
    return Asked(**{name: row[name] for name in _FIELDS}, ways=reach.in_order(ways))


async def next_contact(conn: Connection, alert_id: int, contact: UUID | None, now: datetime) -> Asked | None:
    """Who is asked next about this alert, or that one if they can be asked now (alerts/reach.py); else None."""
    while isinstance(found := await reach_store.whom(conn, alert_id, contact, now), reach.Choice):
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute((_ASKED + _THAT_ONE).encode(), {"alert": alert_id, "contact": found.contact.id})
            row = await cursor.fetchone()
        if row is not None:
            return asked_from(row)
    return None


async def why_nobody(
    conn: Connection, alert_id: int, now: datetime, contact: UUID | None = None
) -> reach.Nobody | None:
    """Why nobody, or not that contact, is asked about this alert now; None where somebody can be."""
    cursor = await conn.execute(
        "select p.state from alerts a join people p on p.id = a.person_id where a.id = %s and p.state = any(%s)",
        (alert_id, _STOPPED),
    )
    row = await cursor.fetchone()
    if row is not None:
        return reach.Nobody(f"{PERSON_STATE_WORDS[PersonState(row[0])].lower()}: nobody is written to")
    found = await reach_store.whom(conn, alert_id, contact, now)
    if found is None:
        return reach.Nobody("it is not known whose alarm it is")
    return found if isinstance(found, reach.Nobody) else None


async def lock_alert(conn: Connection, alert_id: int) -> None:
    """Nobody else changes this alert, or what is asked about it, until the transaction ends."""
    await conn.execute("select 1 from alerts where id = %s for no key update", (alert_id,))


# ---------------------------------------------------------------- what is asked

# In a later round the same question is asked anew, also one that had ended with its contact, who is one again. The
# links of the first time still lead to it.
ADD: Final = """
    insert into asks (id, alert_id, contact_id, asked_by, asked_at, voice_at, answer_by, round)
    values (%(id)s, %(alert)s, %(contact)s, %(by)s, %(now)s, %(voice_at)s, %(answer_by)s, %(round)s)
    on conflict (alert_id, contact_id) do update
       set voice_at = excluded.voice_at, answer_by = excluded.answer_by, round = excluded.round, answer = null,
           minutes = null, answered_at = null, passed_at = null, arrive_by = null, there_at = null, late_at = null,
           over_at = null
    returning id
"""


async def add_ask(conn: Connection, asked: Asked, question: Question, round_: int, by: str, now: datetime) -> UUID:
    """Write down that a contact is asked: the question's number."""
    values = {
        "id": uuid7(), "alert": asked.alert_id, "contact": asked.contact_id, "by": by, "now": now,
        "voice_at": question.voice_at, "answer_by": question.answer_by, "round": round_,
    }  # fmt: skip
    row = await (await conn.execute(ADD, values)).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


async def add_link(conn: Connection, ask_id: UUID, token_hash: bytes, now: datetime) -> None:
    """Let another link lead to this question."""
    await conn.execute(
        "insert into ask_links (token_hash, ask_id, made_at) values (%s, %s, %s)", (token_hash, ask_id, now)
    )


ASK: Final = """
    select k.id, k.alert_id, k.contact_id, k.answer, k.minutes, k.answered_at, k.over_at, k.asked_at, k.arrive_by,
           k.there_at, k.late_at, c.name as contact, c.staff_id, c.ended_at is not null as contact_ended,
           coalesce(nullif(p.known_as, ''), split_part(p.name, ' ', 1)) as person,
           a.state, a.raised_at, a.closed_at, a.confirmed_by, z.timezone
      from asks k
      join contacts c on c.id = k.contact_id
      join people p on p.id = c.person_id
      join alerts a on a.id = k.alert_id
      join homes h on h.id = a.home_id
      join councils z on z.id = h.council_id
     where {}
"""


async def ask_by(conn: Connection, *, token_hash: bytes | None = None, ask_id: UUID | None = None) -> Any | None:
    """An ask with whom it is about, by the hash of a link that leads to it or by its number."""
    where = "k.id = (select ask_id from ask_links where token_hash = %s)" if ask_id is None else "k.id = %s"
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(ASK.format(where).encode(), (token_hash if ask_id is None else ask_id,))
        return await cursor.fetchone()


# ---------------------------------------------------------------- messages


async def queue_message(
    conn: Connection,
    contact_id: UUID,
    recipient: str,
    body: str,
    purpose: str,
    key: str,
    now: datetime,
    alert_id: int | None,
    *,
    channel: str = "sms",
    send_at: datetime | None = None,
) -> bool:
    """Have a message sent, at once or then. False when one with this key was queued, its person has died or left, or
    its contact has ended or does not agree to be reached this way.

    Both are looked at under a lock: no message slips in beside the news (alerts/standing.py, alerts/leaving.py).
    """
    cursor = await conn.execute(
        """with person as (
               select p.id from people p join contacts c on c.person_id = p.id
                where c.id = %(contact)s and p.state <> all(%(stopped)s)
                  and c.ended_at is null and %(channel)s = any(c.channels) for share of p, c)
           insert into messages (id, alert_id, contact_id, channel, recipient, body, purpose, idempotency_key, state,
                                 next_try_at, created_at)
           select %(id)s, %(alert)s, %(contact)s, %(channel)s, %(recipient)s, %(body)s, %(purpose)s, %(key)s,
                  'pending', %(send_at)s, %(now)s from person
           on conflict (idempotency_key) do nothing""",
        {
            "id": uuid7(), "alert": alert_id, "contact": contact_id, "channel": channel, "recipient": recipient,
            "body": body, "purpose": purpose, "key": key, "now": now, "send_at": send_at or now, "stopped": _STOPPED,
        },
    )  # fmt: skip
    return cursor.rowcount == 1


async def withdraw(conn: Connection, alert_id: int, contact_id: UUID) -> None:
    """Do not send what still waits to be sent to a contact who has answered, or need not any more."""
    await conn.execute(
        """update messages set state = 'stale', next_try_at = null, failure = 'not needed any more'
            where alert_id = %s and contact_id = %s and state = 'pending' and purpose in ('ask', 'next', 'late')""",
        (alert_id, contact_id),
    )
