"""Every SQL statement about ringing those on call: what they are to hear of, what they have heard, and the messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from alerts.on_call import Need
from alerts.watchdog.domain import EMPTY_ROOM
from telecare.db import Connection
from telecare.ids import uuid7
from telecare.rota import Channel, Duty
from telecare.vocabulary import Priority

AT_ONCE: Final = 2000  # needs looked at in one step
# pg_try_advisory_xact_lock key: of many engines one rings, so that a number is not rung by two.
_LOCK: Final = 7_352_273_004


async def lock(conn: Connection) -> bool:
    """Whether it is us who ring until the transaction ends; False where another engine does."""
    row = await (await conn.execute("select pg_try_advisory_xact_lock(%s)", (_LOCK,))).fetchone()
    return row is not None and bool(row[0])


# ---------------------------------------------------------------- needs


async def add_needs(conn: Connection, needs: Sequence[tuple[int, Duty, str]], now: datetime) -> None:
    """Those on call are to hear of these alerts: (alert, duty, why). One statement for a whole batch."""
    if needs:
        columns = zip(*((alert, duty.value, why) for alert, duty, why in needs), strict=True)
        await conn.execute(
            """insert into on_call_needs (alert_id, duty, why, begun_at)
               select n.alert_id, n.duty, n.why, %s from unnest(%s::bigint[], %s::text[], %s::text[])
                      with ordinality n (alert_id, duty, why, place) order by n.place""",
            (now, *(list(column) for column in columns)),
        )


async def empty_room(conn: Connection) -> tuple[int, datetime, dict[Duty, datetime]] | None:
    """The trouble that no screen is connected, since when it lasts, and when each duty was last to hear of it."""
    cursor = await conn.execute(
        """select t.id, t.begun_at, n.duty, max(n.begun_at)
             from troubles t left join on_call_needs n on n.trouble_id = t.id
            where t.key = %s and t.ended_at is null group by 1, 2, 3""",
        (EMPTY_ROOM,),
    )
    rows = await cursor.fetchall()
    if not rows:
        return None
    return rows[0][0], rows[0][1], {Duty(duty): at for _, _, duty, at in rows if duty is not None}


async def add_of_room(conn: Connection, trouble: int, duties: Sequence[Duty], now: datetime) -> None:
    """These are to hear that the room is empty."""
    for duty in duties:
        await conn.execute(
            "insert into on_call_needs (trouble_id, duty, why, begun_at) values (%s, %s, 'no-screen', %s)",
            (trouble, duty.value, now),
        )


# A flood of one council does not hide what another's people are to hear of.
OPEN: Final = """
    with found as (
        select n.id, n.duty, n.why, n.begun_at, n.alert_id, a.priority, a.waiting_since,
               coalesce(h.council_id, (select o.council_id from incident_homes i join homes o on o.id = i.home_id
                                        where i.alert_id = n.alert_id limit 1)) as council_id
          from on_call_needs n
          left join alerts a on a.id = n.alert_id
          left join homes h on h.id = a.home_id
         where n.ended_at is null),
    placed as (select *, row_number() over (partition by council_id, duty order by begun_at, id) as place from found)
    select id, duty, why, begun_at, alert_id, priority, waiting_since, council_id,
           exists (select 1 from on_call_needs_that_stand s where s.id = placed.id)
      from placed order by place, id limit %s
"""


async def open_needs(conn: Connection) -> list[Need]:
    """What those on call have not all heard of yet, and whether it still stands."""
    rows = await (await conn.execute(OPEN, (AT_ONCE,))).fetchall()
    return [
        Need(
            id=row[0], duty=Duty(row[1]), why=row[2], begun_at=row[3], alert_id=row[4],
            priority=Priority(row[5] or Priority.EMERGENCY), waiting_since=row[6], council_id=row[7], stands=row[8],
        )
        for row in rows
    ]  # fmt: skip


async def end_needs(conn: Connection, needs: Sequence[int], became: str, now: datetime) -> None:
    """How needs have ended: 'told', 'nobody' (is on call) or 'not-needed'."""
    if needs:
        await conn.execute(
            "update on_call_needs set ended_at = %s, became = %s where id = any(%s)", (now, became, list(needs))
        )


# ---------------------------------------------------------------- who has heard


async def heard(conn: Connection, needs: Sequence[int]) -> set[tuple[int, str]]:
    """Which of these needs have been told to which number; somebody whose number has changed since has heard too."""
    cursor = await conn.execute(
        """select l.need_id, m.recipient, p.phone
             from on_call_need_messages l
             join messages m on m.id = l.message_id
             join on_call_people p on p.id = m.on_call_id
            where l.need_id = any(%s) and m.channel = 'voice'""",
        (list(needs),),
    )
    return {(row[0], number) for row in await cursor.fetchall() for number in row[1:]}


async def last_rung(conn: Connection, numbers: Sequence[str]) -> dict[str, datetime]:
    """When each of these numbers was last rung on call; those that never were are left out."""
    cursor = await conn.execute(
        """select n.number, m.at
             from unnest(%s::text[]) n (number)
             join lateral (select max(created_at) as at from messages
                            where recipient = n.number and purpose = 'on-call') m on m.at is not null""",
        (list(numbers),),
    )
    return dict(await cursor.fetchall())


# ---------------------------------------------------------------- messages


@dataclass(frozen=True, slots=True)
class Text:
    """A message to somebody on call."""

    on_call_id: UUID
    channel: Channel
    recipient: str
    body: str
    key: str  # the idempotency key
    alert_id: int | None = None
    needs: tuple[int, ...] = ()  # of which it tells


QUEUE: Final = """
    insert into messages (id, alert_id, on_call_id, channel, recipient, body, purpose, idempotency_key, state,
                          next_try_at, created_at)
    select t.id, t.alert_id, t.on_call_id, t.channel, t.recipient, t.body, %(purpose)s, t.key, 'pending', %(now)s,
           %(now)s
      from unnest(%(ids)s::uuid[], %(alerts)s::bigint[], %(people)s::uuid[], %(channels)s::text[],
                  %(recipients)s::text[], %(bodies)s::text[], %(keys)s::text[])
           t (id, alert_id, on_call_id, channel, recipient, body, key)
    on conflict (idempotency_key) do nothing returning id
"""


async def queue(conn: Connection, texts: Sequence[Text], purpose: str, now: datetime) -> int:
    """Have messages sent at once, and keep of what they tell; how many were new. `purpose` is 'on-call' or 'test'."""
    if not texts:
        return 0
    ids = [uuid7() for _ in texts]
    values = {
        "purpose": purpose, "now": now, "ids": ids, "alerts": [one.alert_id for one in texts],
        "people": [one.on_call_id for one in texts], "channels": [one.channel.value for one in texts],
        "recipients": [one.recipient for one in texts], "bodies": [one.body for one in texts],
        "keys": [one.key for one in texts],
    }  # fmt: skip
    made = {row[0] for row in await (await conn.execute(QUEUE, values)).fetchall()}
    links = [(need, number) for number, one in zip(ids, texts, strict=True) if number in made for need in one.needs]
    if links:
        needs, messages = (list(column) for column in zip(*links, strict=True))
        await conn.execute(
            "insert into on_call_need_messages (need_id, message_id) select * from unnest(%s::bigint[], %s::uuid[])",
            (needs, messages),
        )
    return len(made)


async def alerts_of(conn: Connection, message_id: UUID) -> list[int]:
    """The alerts of which a message to somebody on call tells."""
    cursor = await conn.execute(
        """select distinct n.alert_id from on_call_need_messages l join on_call_needs n on n.id = l.need_id
            where l.message_id = %s and n.alert_id is not null order by 1""",
        (message_id,),
    )
    return [row[0] for row in await cursor.fetchall()]
