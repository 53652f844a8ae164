"""Every SQL statement about messages on their way: what is due, each try, each receipt."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from alerts.delivery import Attempt, Outcome, Receipt
from telecare.db import Connection
from telecare.ids import uuid7
from telecare.vocabulary import PERSON_STATE_WORDS, STOPPED, PersonState

_STOPPED: Final = [state.value for state in STOPPED]


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the outbox, with what speaks against sending it now."""

    id: UUID
    alert_id: int | None
    contact_id: UUID | None  # None: it goes to somebody on call
    contact: str  # the name of whoever it goes to
    channel: str
    recipient: str
    body: str
    purpose: str
    key: str
    blanked: bool
    unheard: bool
    person_state: str | None
    alert_closed: bool
    answered: bool
    seen_to: bool  # of a message on call: nothing of what it tells is so any more
    contact_ended: bool
    agreed: bool  # the contact, to this channel
    under_18: bool

    @property
    def unwanted(self) -> str:
        """Why it is not sent any more; '' where it is. Only a question can be answered before it is asked."""
        if self.seen_to:
            return "it has been seen to"
        if self.person_state in _STOPPED:
            return PERSON_STATE_WORDS[PersonState(self.person_state)].lower()
        if self.contact_ended:
            return "is no contact any more"
        if not self.agreed:
            return "the contact does not want to be reached this way"
        if self.purpose == "ask" and self.under_18:
            return "the contact is under 18"
        if self.purpose == "ask" and self.alert_closed:
            return "the alert had ended"
        return "the contact had answered" if self.purpose == "ask" and self.answered else ""


# The newest question counts: a contact may be asked again.
_MESSAGE: Final = """
    select m.id, m.alert_id, m.contact_id, coalesce(c.name, o.name) as contact, m.channel, m.recipient, m.body,
           m.purpose, m.idempotency_key as key, m.blanked_at is not null as blanked,
           m.unheard_at is not null as unheard,
           c.ended_at is not null as contact_ended, coalesce(m.channel = any(c.channels), true) as agreed,
           coalesce(c.under_18, false) as under_18,
           p.state as person_state, coalesce(a.closed_at is not null, false) as alert_closed,
           coalesce((select k.answer is not null or k.over_at is not null from asks k
                      where k.alert_id = m.alert_id and k.contact_id = m.contact_id
                      order by k.asked_at desc limit 1), false) as answered,
           m.purpose = 'on-call' and not exists (
               select 1 from on_call_need_messages l join on_call_needs_that_stand s on s.id = l.need_id
                where l.message_id = m.id) as seen_to
      from messages m
      left join contacts c on c.id = m.contact_id
      left join people p on p.id = c.person_id
      left join on_call_people o on o.id = m.on_call_id
      left join alerts a on a.id = m.alert_id
     where {} for update of m
"""
_DUE: Final = """
    m.id = (select id from messages where next_try_at <= %(now)s order by next_try_at, id limit 1
               for update skip locked)
"""


async def due(conn: Connection, now: datetime) -> Message | None:
    """The message that is longest due and that nobody else is working on, locked."""
    return await _message(conn, _DUE, {"now": now})


async def locked(conn: Connection, message_id: UUID) -> Message | None:
    """This message, locked; None where it is none."""
    return await _message(conn, "m.id = %(id)s", {"id": message_id})


async def _message(conn: Connection, where: str, values: dict[str, Any]) -> Message | None:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_MESSAGE.format(where).encode(), values)
        row = await cursor.fetchone()
    return None if row is None else Message(**row)


async def attempts(conn: Connection, message_id: UUID) -> list[Attempt]:
    """Its tries, oldest first."""
    cursor = await conn.execute(
        """select provider, begun_at, deadline, outcome, ended_at, receipt, why from message_attempts
            where message_id = %s order by number""",
        (message_id,),
    )
    return [
        Attempt(row[0], row[1], row[2], row[3] and Outcome(row[3]), row[4], row[5] and Receipt(row[5]), row[6])
        for row in await cursor.fetchall()
    ]


async def interrupt(conn: Connection, message_id: UUID, now: datetime) -> None:
    """A try that is past its deadline: the engine that made it is gone, and nobody knows how it went."""
    await conn.execute(
        """update message_attempts set outcome = 'interrupted', ended_at = %(now)s, why = 'the engine stopped over it'
            where message_id = %(id)s and outcome is null and deadline <= %(now)s""",
        {"id": message_id, "now": now},
    )


async def begin(conn: Connection, message_id: UUID, provider: str, now: datetime, deadline: datetime) -> UUID:
    """Write down a try before it is made; its id."""
    attempt = uuid7()
    await conn.execute(
        """with message as (update messages set state = 'sending', attempts = attempts + 1, next_try_at = %(deadline)s
                             where id = %(message)s returning attempts)
           insert into message_attempts (id, message_id, number, provider, begun_at, deadline)
           select %(id)s, %(message)s, attempts, %(provider)s, %(now)s, %(deadline)s from message""",
        {"id": attempt, "message": message_id, "provider": provider, "now": now, "deadline": deadline},
    )
    return attempt


async def finish(conn: Connection, attempt: UUID, outcome: Outcome, now: datetime, why: str, ref: str | None) -> None:
    """How a try went. That a provider has it after all is kept, whatever was thought meanwhile."""
    await conn.execute(
        """update message_attempts set outcome = %(outcome)s, ended_at = %(now)s, why = %(why)s,
                  provider_ref = coalesce(provider_ref, %(ref)s)
            where id = %(id)s and (outcome is null or %(outcome)s = 'accepted')""",
        {"id": attempt, "outcome": outcome.value, "now": now, "why": why[:200], "ref": ref},
    )


STATE: Final = """
    update messages set state = %(state)s, next_try_at = %(until)s,
           failure = case when %(why)s <> '' then %(why)s when %(state)s in ('delivered', 'sent') then null
                          else failure end,
           sent_at = coalesce(sent_at, case when %(state)s in ('sent', 'delivered', 'stale') then
                       (select min(ended_at) from message_attempts
                         where message_id = messages.id and outcome = 'accepted') end),
           delivered_at = case when %(state)s = 'delivered' then coalesce(delivered_at, %(now)s) end,
           unheard_at = case when %(unheard)s then coalesce(unheard_at, %(now)s) else unheard_at end,
           blanked_at = case when %(blank)s then coalesce(blanked_at, %(now)s) else blanked_at end,
           body = case when %(blank)s
                       then regexp_replace(body, '/(a|i)/[A-Za-z0-9_-]+', '/\\1/...', 'g') else body end
     where id = %(id)s
"""


async def set_state(
    conn: Connection, message_id: UUID, state: str, now: datetime, *, until: datetime | None = None, why: str = "",
    unheard: bool = False, blank: bool = False,
) -> None:  # fmt: skip
    """How a message stands, and when it is looked at again. Its link is only the recipient's: `blank` takes it out."""
    values = {"id": message_id, "state": state, "now": now, "until": until, "why": why[:200]}
    await conn.execute(STATE, values | {"unheard": unheard, "blank": blank})


async def hurry(conn: Connection, message: Message, now: datetime) -> None:
    """One way has failed: what was to go to the same contact by another way later goes now."""
    await conn.execute(
        """update messages set next_try_at = %(now)s
            where alert_id = %(alert)s and contact_id = %(contact)s and purpose = %(purpose)s and id <> %(id)s
              and state = 'pending' and next_try_at > %(now)s and attempts = 0""",
        {"now": now, "alert": message.alert_id, "contact": message.contact_id, "purpose": message.purpose,
         "id": message.id},
    )  # fmt: skip


# ---------------------------------------------------------------- receipts


@dataclass(frozen=True, slots=True)
class Try:
    """A try that a provider speaks about."""

    id: UUID
    message_id: UUID
    alert_id: int | None
    contact_id: UUID | None  # None: the message went to somebody on call


async def attempt_named(conn: Connection, provider: str, ref: str, key: str) -> Try | None:
    """The try that this provider calls `ref`, or that we do; else the newest of the message with this key: its receipt
    can be quicker than our own note of how the provider calls it.
    """
    cursor = await conn.execute(
        """select t.id, t.message_id, m.alert_id, m.contact_id
             from message_attempts t join messages m on m.id = t.message_id
            where t.provider = %(provider)s
              and (t.provider_ref = %(ref)s or t.id::text = %(ref)s
                   or (t.provider_ref is null and m.idempotency_key = %(key)s))
            order by (t.provider_ref = %(ref)s or t.id::text = %(ref)s) desc nulls last, t.number desc limit 1""",
        {"provider": provider, "ref": ref, "key": key},
    )
    row = await cursor.fetchone()
    return None if row is None else Try(*row)


async def add_receipt(conn: Connection, one: Try, provider: str, status: str, content: bytes, now: datetime) -> bool:
    """Keep a receipt; False where the same one has been kept before."""
    cursor = await conn.execute(
        """insert into message_receipts (attempt_id, provider, status, content_hash, received_at)
           values (%s, %s, %s, %s, %s) on conflict (content_hash) do nothing""",
        (one.id, provider, status, content, now),
    )
    return cursor.rowcount == 1


async def note_receipt(conn: Connection, one: Try, receipt: Receipt, ref: str | None, now: datetime) -> bool:
    """What the provider now says about a try; True where that changes what is known. What comes out of order changes
    nothing: that it arrived stands, then that it failed, then that it is under way. A provider that says anything has
    the message.
    """
    cursor = await conn.execute(
        """update message_attempts set receipt = %(receipt)s, receipt_at = %(now)s, outcome = 'accepted',
                  ended_at = coalesce(ended_at, %(now)s), provider_ref = coalesce(provider_ref, %(ref)s)
            where id = %(id)s and (receipt is null or %(receipt)s = 'delivered' and receipt <> 'delivered'
                                   or receipt = 'under-way' and %(receipt)s <> 'under-way')""",
        {"id": one.id, "receipt": receipt.value, "ref": ref, "now": now},
    )
    return cursor.rowcount == 1


async def of_alert(conn: Connection, alert_id: int) -> list[dict[str, Any]]:
    """What was written to contacts about an alert, and how each message stands, oldest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select m.id, m.contact_id, c.name as contact, m.channel, m.purpose, m.state, m.created_at, m.sent_at,
                      m.delivered_at, m.unheard_at, m.attempts, m.failure
                 from messages m join contacts c on c.id = m.contact_id where m.alert_id = %s
                order by m.created_at, m.id""",
            (alert_id,),
        )
        return await cursor.fetchall()


async def look_again(conn: Connection, message_id: UUID, now: datetime) -> None:
    """Have the engine decide anew at once, unless the message has ended."""
    await conn.execute(
        "update messages set next_try_at = %s where id = %s and state in ('sending', 'sent')", (now, message_id)
    )
