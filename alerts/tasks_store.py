"""Every SQL statement that reads or changes tasks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from alerts.errors import Conflict, Incomplete
from alerts.tasks import WORDS_LIMIT, Known, TaskKind, Wanted
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.ids import uuid7

SYSTEM: Final = "system"
GONE: Final = "The reason is gone"
_RECENT: Final = 20  # finished tasks that are shown

# ---------------------------------------------------------------- what the rules make and end


async def known(conn: Connection, kinds: Collection[TaskKind], keys: Collection[str]) -> list[Known]:
    """Tasks of these kinds that are open, and those under these keys that somebody has finished."""
    cursor = await conn.execute(
        """select id, key, done_at is null from tasks
            where kind = any(%(kinds)s) and (done_at is null or (key = any(%(keys)s) and done_by <> %(system)s))""",
        {"kinds": [kind.value for kind in kinds], "keys": list(keys), "system": SYSTEM},
    )
    return [Known(*row) for row in await cursor.fetchall()]


MAKE: Final = """
    insert into tasks (kind, key, person_id, home_id, alert_id, words, made_at, made_by, due_at)
    select kind, key, person, home, alert, words, %(now)s, %(by)s, due
      from unnest(%(kinds)s::text[], %(keys)s::text[], %(people)s::uuid[], %(homes)s::uuid[], %(alerts)s::bigint[],
                  %(words)s::text[], %(dues)s::timestamptz[]) as t (kind, key, person, home, alert, words, due)
    on conflict (key) where done_at is null do nothing
    returning id
"""


async def make(conn: Connection, wanted: Sequence[Wanted], by: str, now: datetime) -> list[int]:
    """Make these, each once; the numbers of those that were not there."""
    values = {
        "now": now,
        "by": by,
        "kinds": [one.kind.value for one in wanted],
        "keys": [one.key for one in wanted],
        "people": [one.person_id for one in wanted],
        "homes": [one.home_id for one in wanted],
        "alerts": [one.alert_id for one in wanted],
        "words": [one.words for one in wanted],
        "dues": [one.due_at for one in wanted],
    }
    return [row[0] for row in await (await conn.execute(MAKE, values)).fetchall()]


async def end(conn: Connection, task_ids: Sequence[int], now: datetime) -> int:
    """The reason of these is gone; how many ended."""
    cursor = await conn.execute(
        "update tasks set done_at = %s, done_by = %s, done_how = %s where id = any(%s) and done_at is null",
        (now, SYSTEM, GONE, list(task_ids)),
    )
    return cursor.rowcount


@dataclass(frozen=True, slots=True)
class Overdue:
    """A task whose time has come without an end; `hub` is one of its home's, None where there is none."""

    id: int
    kind: TaskKind
    key: str
    words: str
    person_id: UUID | None
    hub: str | None


BREACH: Final = """
    update tasks t set breached_at = %(now)s
     where t.id in (select id from tasks where done_at is null and due_at <= %(now)s and breached_at is null
                     order by due_at limit %(most)s for update skip locked)
    returning t.id, t.kind, t.key, t.words, t.person_id, (select min(name) from hubs where home_id = t.home_id)
"""


async def breach(conn: Connection, now: datetime, most: int) -> list[Overdue]:
    """Mark tasks as overdue, each once."""
    rows = await (await conn.execute(BREACH, {"now": now, "most": most})).fetchall()
    return [Overdue(row[0], TaskKind(row[1]), *row[2:]) for row in rows]


# ---------------------------------------------------------------- what people do


async def add(
    conn: Connection,
    words: str,
    due_at: datetime,
    by: str,
    now: datetime,
    *,
    person_id: UUID | None = None,
    alert_id: int | None = None,
    kind: TaskKind = TaskKind.BY_HAND,
) -> int:
    """Make a task by hand, or the follow-up of an alert; its number.

    One that is about an alert is about the alert's person and home.

    Raises:
        Incomplete: no words, too many, or a day that has passed.
        NotFound: there is no such person or alert.
    """
    problems = []
    if not words.strip() or len(words) > WORDS_LIMIT or "\0" in words:
        problems.append(f"words: say what is to be done, in at most {WORDS_LIMIT} characters")
    if due_at <= now:
        problems.append("due_at: must lie ahead")
    if problems:
        raise Incomplete(problems)
    cursor = await conn.execute(
        """insert into tasks (kind, key, person_id, home_id, alert_id, words, made_at, made_by, due_at)
           select %(kind)s, %(key)s, coalesce(p.id, a.person_id), coalesce(p.home_id, a.home_id), a.id, %(words)s,
                  %(now)s, %(by)s, %(due)s
             from (select 1) one
             left join people p on p.id = %(person)s
             left join alerts a on a.id = %(alert)s
            where (%(person)s::uuid is null or p.id is not null) and (%(alert)s::bigint is null or a.id is not null)
           returning id""",
        {
            "kind": kind.value, "key": f"{kind.value}:{uuid7()}", "person": person_id, "alert": alert_id,
            "words": words.strip(), "now": now, "by": by, "due": due_at,
        },
    )  # fmt: skip
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("no such person or alert")
    return int(row[0])


async def finish(conn: Connection, task_id: int, by: str, how: str, now: datetime) -> None:
    """Write down that a task is done, and how.

    Raises:
        Incomplete: it is not said how.
        NotFound: there is no such task.
        Conflict: it has been done already.
    """
    if not how.strip() or len(how) > WORDS_LIMIT or "\0" in how:
        raise Incomplete([f"how: say what was done, in at most {WORDS_LIMIT} characters"])
    cursor = await conn.execute(
        "update tasks set done_at = %s, done_by = %s, done_how = %s where id = %s and done_at is null",
        (now, by, how.strip(), task_id),
    )
    if cursor.rowcount == 1:
        return
    row = await (await conn.execute("select done_by from tasks where id = %s", (task_id,))).fetchone()
    if row is None:
        raise NotFound(f"no task {task_id}")
    raise Conflict(f"this task is done already (by {row[0]})", claimed_by=row[0], state="done")


# ---------------------------------------------------------------- for the screens

_LISTED: Final = """
    select t.id, t.kind, t.words, t.due_at, t.due_at <= %(now)s and t.done_at is null as overdue, t.made_at, t.made_by,
           coalesce(m.display_name, t.made_by) as made_by_name, t.breached_at, t.done_at, t.done_by,
           coalesce(d.display_name, t.done_by) as done_by_name, t.done_how, t.person_id as person, t.home_id as home,
           t.alert_id as alert, p.name as person_name, coalesce(h.address, '') as address,
           coalesce(z.timezone, 'Europe/London') as timezone
      from tasks t
      left join people p on p.id = t.person_id
      left join homes h on h.id = t.home_id
      left join councils z on z.id = h.council_id
      left join staff m on m.username = t.made_by
      left join staff d on d.username = t.done_by
"""


async def _records(conn: Connection, where: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute((_LISTED + where).encode(), values)
        return await cursor.fetchall()


async def open_tasks(conn: Connection, now: datetime, limit: int) -> list[dict[str, Any]]:
    """Open tasks, those that are due first first."""
    return await _records(
        conn, "where t.done_at is null order by t.due_at, t.id limit %(limit)s", {"now": now, "limit": limit}
    )


async def finished_tasks(conn: Connection, now: datetime, limit: int = _RECENT) -> list[dict[str, Any]]:
    """What was finished last, newest first."""
    return await _records(
        conn, "where t.done_at is not null order by t.done_at desc limit %(limit)s", {"now": now, "limit": limit}
    )


async def tasks_of_person(conn: Connection, person_id: UUID, now: datetime) -> list[dict[str, Any]]:
    """A person's open tasks, those that are due first first; then what was finished last."""
    return await _records(
        conn,
        """where t.person_id = %(person)s
            order by t.done_at desc nulls first, t.due_at, t.id limit %(limit)s""",
        {"person": person_id, "now": now, "limit": _RECENT},
    )


async def count_due(conn: Connection, until: datetime, now: datetime) -> tuple[int, int]:
    """How many open tasks are due until then, and how many of these are overdue."""
    row = await (
        await conn.execute(
            "select count(*), count(*) filter (where due_at <= %s) from tasks where done_at is null and due_at <= %s",
            (now, until),
        )
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
