"""Every SQL statement about an alert's ladder of contacts as a whole: why it began, its round, when it goes on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from alerts.ladder import SOMEBODY
from alerts.questions_store import asked_of
from telecare.db import Connection
from telecare.vocabulary import STOPPED

Why = Literal["operator", "plan", "breached"]


@dataclass(frozen=True, slots=True)
class LadderRow:
    """One alert's ladder."""

    round: int
    due_at: datetime | None  # when it goes on by itself
    why: str
    later_at: datetime | None = None  # when somebody can be asked, nobody being there now
    later_contact: UUID | None = None  # ... who that is


async def begin(conn: Connection, alert_id: int, by: str, why: Why, now: datetime) -> int:
    """The ladder of an alert, begun now where it has not begun: its round."""
    row = await (
        await conn.execute(
            """insert into ladders (alert_id, begun_by, begun_at, why) values (%s, %s, %s, %s)
               on conflict (alert_id) do update set alert_id = excluded.alert_id returning round""",
            (alert_id, by, now, why),
        )
    ).fetchone()
    assert row is not None
    return int(row[0])


async def ladder_of(conn: Connection, alert_id: int) -> LadderRow | None:
    """An alert's ladder, where one has begun."""
    row = await (
        await conn.execute(
            "select round, due_at, why, later_at, later_contact from ladders where alert_id = %s", (alert_id,)
        )
    ).fetchone()
    return LadderRow(*row) if row else None


async def somebody(conn: Connection, alert_id: int) -> bool:
    """Whether a contact goes or is there, or may still answer in time."""
    return any(one.question.stage in SOMEBODY for one in await asked_of(conn, alert_id))


async def who_is_left(conn: Connection, alert_id: int) -> tuple[bool, bool, bool]:
    """Whether somebody who has not said no may be asked (again), whether nobody is written to about the person, and
    whether somebody was asked in this round."""
    row = await (
        await conn.execute(
            """select p.state <> all(%(stopped)s)
                      and exists (select 1 from contacts c where c.person_id = p.id and c.phone <> ''
                                     and c.ended_at is null and not c.under_18
                                     and not exists (select 1 from asks q where q.alert_id = a.id
                                                        and q.contact_id = c.id and q.answer = 'cannot')),
                      p.state = any(%(stopped)s),
                      exists (select 1 from asks q join ladders l on l.alert_id = q.alert_id
                               where q.alert_id = a.id and q.round >= l.round)
                 from alerts a join people p on p.id = a.person_id where a.id = %(alert)s""",
            {"alert": alert_id, "stopped": [state.value for state in STOPPED]},
        )
    ).fetchone()
    return (bool(row[0]), bool(row[1]), bool(row[2])) if row else (False, False, False)


# Many engines work at once: each takes an alert that no other one has.
DUE: Final = """
    select l.alert_id from ladders l join alerts a on a.id = l.alert_id
     where l.due_at <= %(now)s order by l.due_at limit 1 for no key update of a skip locked
"""


async def next_due(conn: Connection, now: datetime) -> int | None:
    """The alert whose ladder has longest been to begin, or to begin again; locked."""
    row = await (await conn.execute(DUE, {"now": now})).fetchone()
    return int(row[0]) if row else None


async def go_on(
    conn: Connection,
    alert_id: int,
    due_at: datetime | None,
    *,
    round_: int | None = None,
    later: tuple[datetime, UUID] | None = None,
) -> None:
    """When the ladder next does something by itself; None: it waits for a contact.

    `later` is when somebody can be asked, and who that is.
    """
    later_at, contact = later or (None, None)
    await conn.execute(
        """update ladders set due_at = %s, ended_at = null, round = coalesce(%s, round), later_at = %s,
                  later_contact = %s where alert_id = %s""",
        (due_at, round_, later_at, contact, alert_id),
    )


async def put_off(conn: Connection, alert_id: int, due_at: datetime) -> None:
    """Look again then; whom the ladder waits for stays as it is."""
    await conn.execute("update ladders set due_at = %s where alert_id = %s and due_at is not null", (due_at, alert_id))


async def end(conn: Connection, alert_id: int, now: datetime) -> None:
    """Nothing happens by itself any more."""
    await conn.execute(
        """update ladders set due_at = null, later_at = null, later_contact = null, ended_at = coalesce(ended_at, %s)
            where alert_id = %s""",
        (now, alert_id),
    )
