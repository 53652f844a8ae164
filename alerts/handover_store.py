"""Every SQL statement of shift handovers. Each function that changes something is one transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from alerts import keys_store, queue, tasks_store, vehicles_store
from alerts.errors import Conflict, Incomplete
from alerts.handover import REMARK_LIMIT, WORDS_LIMIT, Item, Open
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.ids import uuid7

_ALERTS: Final = 500  # more are a flood, and no handover
_TASKS: Final = 200
_RECENT: Final = 20

_WHO: Final = "coalesce(p.name, h.address, i.label) as who, a.id as alert"
_OF_ALERT: Final = """
    join alerts a on a.id = x.alert_id left join people p on p.id = a.person_id
    left join homes h on h.id = a.home_id left join incidents i on i.alert_id = a.id
"""
VISITS: Final = f"""
    select coalesce(s.display_name, x.responder) as responder, x.second, x.state, x.due_at, {_WHO}
      from visits x {_OF_ALERT} left join staff s on s.username = x.responder
     where x.state not in ('refused', 'reported', 'cancelled') order by x.requested_at
"""  # noqa: S608 - words of our own
SERVICES: Final = f"""
    select x.service, x.reference, x.called_at, x.arrived_at, {_WHO}
      from emergency_calls x {_OF_ALERT} where x.state <> 'ended' order by x.called_at
"""  # noqa: S608
KIT_FAULTS: Final = """
    select p.id as person, p.name, s.note, s.due_at
      from people p
      cross join lateral (select note, due_at from person_states where person_id = p.id order by id desc limit 1) s
     where p.state = 'kit-fault' order by s.due_at
"""
AWAY: Final = """
    select p.id as person, p.name, c.away_until, c.away_why
      from care_plans c join people p on p.id = c.person_id
     where c.away_until > %(now)s and p.state not in ('deceased', 'ended') order by c.away_until
"""


async def _records(conn: Connection, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values)
        return await cursor.fetchall()


async def open_now(conn: Connection, now: datetime, troubles: Sequence[str] = ()) -> Open:
    """What is open."""
    values = {"now": now}
    return Open(
        alerts=await queue.open_alerts(conn, now, _ALERTS),
        visits=await _records(conn, VISITS, values),
        services=await _records(conn, SERVICES, values),
        kit_faults=await _records(conn, KIT_FAULTS, values),
        away=await _records(conn, AWAY, values),
        tasks=await tasks_store.open_tasks(conn, now, _TASKS),
        keys=await keys_store.out(conn, now),
        vehicles=await vehicles_store.vehicles(conn, now),
        troubles=troubles,
    )


async def give(conn: Connection, by: str, words: str, given: Sequence[Item], now: datetime) -> UUID:
    """Hand over what is open; an earlier handover of the same member that nobody has taken is replaced. Its id.

    Raises:
        Incomplete: nothing is said, or too much.
    """
    if not 0 < len(words.strip()) <= WORDS_LIMIT:
        raise Incomplete([f"words: say what the next shift must know, in at most {WORDS_LIMIT} characters"])
    handover = uuid7()
    async with conn.transaction():
        await conn.execute(
            "update handovers set ended_at = %s where given_by = %s and taken_at is null and ended_at is null",
            (now, by),
        )
        await conn.execute(
            "insert into handovers (id, given_by, given_at, words) values (%s, %s, %s, %s)",
            (handover, by, now, words.strip()),
        )
        async with conn.cursor() as cursor:
            await cursor.executemany(
                "insert into handover_items (handover_id, place, kind, words, link) values (%s, %s, %s, %s, %s)",
                [(handover, place, one.kind.value, one.words, one.link) for place, one in enumerate(given, 1)],
            )
    return handover


async def take(
    conn: Connection,
    handover: UUID,
    by: str,
    checked: Collection[int],
    item_remarks: dict[int, str],
    remarks: str,
    now: datetime,
) -> list[int]:
    """Check items, and sign when all have been; the places of those that have not.

    What was checked stays checked when something is left.

    Raises:
        NotFound: there is no such handover.
        Conflict: it is over, or one's own.
        Incomplete: a remark is too long.
    """
    if len(remarks) > WORDS_LIMIT or any(len(words) > REMARK_LIMIT for words in item_remarks.values()):
        raise Incomplete([f"remarks: at most {WORDS_LIMIT} characters, and {REMARK_LIMIT} at an item"])
    async with conn.transaction():
        await _lock_open(conn, handover, by)
        for place in checked:
            await conn.execute(
                """update handover_items set checked_by = %s, checked_at = %s, remark = %s
                    where handover_id = %s and place = %s and checked_by is distinct from %s""",
                (by, now, item_remarks.get(place, ""), handover, place, by),
            )
        cursor = await conn.execute(
            "select place from handover_items where handover_id = %s and checked_by is distinct from %s order by place",
            (handover, by),
        )
        left = [row[0] for row in await cursor.fetchall()]
        if not left:
            await conn.execute(
                "update handovers set taken_by = %s, taken_at = %s, remarks = %s where id = %s",
                (by, now, remarks.strip(), handover),
            )
    return left


async def _lock_open(conn: Connection, handover: UUID, by: str) -> None:
    row = await (
        await conn.execute(
            "select given_by, taken_by, ended_at from handovers where id = %s for no key update", (handover,)
        )
    ).fetchone()
    if row is None:
        raise NotFound("no such handover")
    given_by, taken_by, ended_at = row
    if taken_by is not None:
        raise Conflict(f"{taken_by} has taken this handover already", claimed_by=taken_by, state="taken")
    if ended_at is not None:
        raise Conflict("another handover has replaced this one", claimed_by=given_by, state="ended")
    if given_by == by:
        raise Conflict("somebody else must take your handover", claimed_by=given_by, state="given")


_HANDOVERS: Final = """
    select v.id, v.given_by, g.display_name as given_by_name, v.given_at, v.words, v.taken_by,
           t.display_name as taken_by_name, v.taken_at, v.remarks, v.ended_at,
           (select count(*) from handover_items where handover_id = v.id) as item_count,
           (select count(*) from handover_items where handover_id = v.id and checked_by is not null) as checked_count
      from handovers v join staff g on g.username = v.given_by left join staff t on t.username = v.taken_by
"""


async def waiting(conn: Connection) -> list[dict[str, Any]]:
    """Handovers that nobody has taken yet, the newest first."""
    return await _records(
        conn, f"{_HANDOVERS} where v.taken_at is null and v.ended_at is null order by v.given_at desc", {}
    )


async def recent(conn: Connection) -> list[dict[str, Any]]:
    """Those that were taken last."""
    return await _records(
        conn, f"{_HANDOVERS} where v.taken_at is not null order by v.taken_at desc limit %(most)s", {"most": _RECENT}
    )


async def handover_of(conn: Connection, handover: UUID) -> dict[str, Any]:
    """One handover with its items.

    Raises:
        NotFound: there is none.
    """
    found = await _records(conn, f"{_HANDOVERS} where v.id = %(id)s", {"id": handover})
    if not found:
        raise NotFound("no such handover")
    listed = await _records(
        conn,
        """select i.place, i.kind, i.words, i.link, i.checked_at, i.checked_by, i.remark,
                  s.display_name as checked_by_name
             from handover_items i left join staff s on s.username = i.checked_by
            where i.handover_id = %(id)s order by i.place""",
        {"id": handover},
    )
    return found[0] | {"listed": listed}
