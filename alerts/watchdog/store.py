"""Every SQL statement of the watchdog, and what the pages read of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from alerts.audit.store import CROWD_WAITS
from alerts.watchdog.domain import Journey, Open, Signs, Trouble
from telecare.db import Connection

LOOK_BACK: Final = timedelta(hours=1)  # an alarm that came before and is in no alert is the auditor's to find

# ---------------------------------------------------------------- the test press

SEEN: Final = """
    select (select e.n from alert_events e, alert_event_counter c
             where e.alert_id = a.id and e.n > c.n - %(newest)s order by e.n desc limit 1)
      from alert_alarms p
      join alerts a on a.id = p.alert_id and a.closed_at is not null
     where p.alarm_id = %(alarm)s
       and exists (select 1 from alert_log l where l.alert_id = a.id and l.what = 'raised')
       and exists (select 1 from alert_log l where l.alert_id = a.id and l.what = 'closed')
"""
_NEWEST: Final = 100_000  # changes among which a press's is looked for


async def event_of_press(conn: Connection, alarm: UUID) -> int | None:
    """The number of a press's change for the screens, once its alert has been raised, written down and closed."""
    row = await (await conn.execute(SEEN, {"alarm": alarm, "newest": _NEWEST})).fetchone()
    return None if row is None or row[0] is None else int(row[0])


async def save_press(conn: Connection, alarm: UUID, age_s: float, journey: Journey) -> None:
    """Write down what became of a press that was made `age_s` seconds ago."""
    await conn.execute(
        """insert into watchdog_presses (id, pressed_at, receipt_s, alert_s, shown_s, missing)
           values (%s, clock_timestamp() - make_interval(secs => %s), %s, %s, %s, %s)""",
        (alarm, age_s, journey.receipt_s, journey.alert_s, journey.shown_s, journey.missing),
    )


# ---------------------------------------------------------------- looking

SIGNS: Final = """
    select (select extract(epoch from %(now)s - min(due_at))::float8 from alerts where closed_at is null),
           count(a.id), extract(epoch from %(now)s - min(a.received_at))::float8
      from alarms a
     where a.received_at > %(from)s and a.received_at <= %(until)s and not a.past
       and not exists (select 1 from alert_alarms p where p.alarm_id = a.id)
       and not (a.crowding and a.received_at > %(crowd_from)s
                and exists (select 1 from alarms_waiting w where w.alarm_id = a.id))
"""


async def signs(conn: Connection, now: datetime, waiting_s: float) -> Signs:
    """What the database says of the alert path."""
    values = {
        "now": now,
        "from": now - LOOK_BACK,
        "until": now - timedelta(seconds=waiting_s),
        "crowd_from": now - CROWD_WAITS,
    }
    row = await (await conn.execute(SIGNS, values)).fetchone()
    assert row is not None
    beats = await (await conn.execute("select service, at, detail from service_heartbeats")).fetchall()
    return Signs(overdue_s=row[0], unplaced=row[1], oldest_s=row[2], beats={b[0]: (b[1], b[2]) for b in beats})


async def note_runs(conn: Connection) -> None:
    """Write down how long each service has now worked without a break."""
    await conn.execute(
        """insert into service_runs (service, well_since, seen_until)
           select service, well_since, greatest(at, well_since) from service_heartbeats where well_since is not null
           on conflict (service, well_since) do update set seen_until = excluded.seen_until"""
    )


# ---------------------------------------------------------------- troubles

BEGIN: Final = """
    insert into troubles (key, words, advice, grave, begun_at)
    values (%(key)s, %(words)s, %(advice)s, %(grave)s, %(begun_at)s)
    on conflict (key) where ended_at is null do nothing
"""


async def begin_trouble(conn: Connection, one: Open) -> None:
    """Write down that something is wrong."""
    trouble = one.trouble
    await conn.execute(
        BEGIN,
        {"key": trouble.key, "words": trouble.words, "advice": trouble.advice, "grave": trouble.grave,
         "begun_at": one.begun_at},
    )  # fmt: skip


async def end_trouble(conn: Connection, key: str, ended_at: datetime) -> None:
    """Write down that it is over."""
    await conn.execute(
        "update troubles set ended_at = greatest(%s, begun_at) where key = %s and ended_at is null", (ended_at, key)
    )


async def word_troubles(conn: Connection, troubles: Sequence[Open]) -> None:
    """Bring the words of troubles that last, and when the engineer was told of them, up to date."""
    for one in troubles:
        await conn.execute(
            """update troubles set words = %(words)s, told_at = %(told)s
                where key = %(key)s and ended_at is null
                  and (words <> %(words)s or told_at is distinct from %(told)s)""",
            {"words": one.trouble.words, "told": one.told_at, "key": one.trouble.key},
        )


async def open_troubles(conn: Connection) -> list[Open]:
    """What is wrong now, oldest first."""
    rows = await (
        await conn.execute(
            """select key, words, advice, grave, begun_at, told_at from troubles
                where ended_at is null order by grave desc, begun_at, id"""
        )
    ).fetchall()
    return [
        Open(Trouble(key=key, words=words, advice=advice, grave=grave), begun_at, told_at)
        for key, words, advice, grave, begun_at, told_at in rows
    ]


# ---------------------------------------------------------------- what the engineer was told


@dataclass(frozen=True, slots=True)
class Message:
    """A message to the engineer on call, and how handing it over went."""

    id: UUID
    about: str
    body: str
    made_at: datetime
    attempts: int
    taken_at: datetime | None
    failure: str


async def save_message(conn: Connection, message: Message) -> None:
    """Write down a message, or how the next attempt to hand it over went."""
    await conn.execute(
        """insert into oncall_messages (id, about, body, made_at, attempts, taken_at, failure)
           values (%s, %s, %s, %s, %s, %s, %s)
           on conflict (id) do update set attempts = excluded.attempts, taken_at = excluded.taken_at,
                                          failure = excluded.failure, body = excluded.body""",
        (message.id, message.about, message.body, message.made_at, message.attempts, message.taken_at,
         message.failure[:200]),
    )  # fmt: skip


async def messages(conn: Connection, limit: int) -> list[dict[str, Any]]:
    """What the engineer on call was told, newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("select * from oncall_messages order by made_at desc limit %s", (limit,))
        return await cursor.fetchall()


# ---------------------------------------------------------------- for /health, /metrics and the doctor


@dataclass(frozen=True, slots=True)
class LastPress:
    """The newest test press: how old it is, how long it took (None: it did not arrive), and what was missing."""

    age_s: float
    took_s: float | None
    missing: str


async def last_press(conn: Connection, now: datetime) -> LastPress | None:
    """The newest test press."""
    row = await (
        await conn.execute(
            """select extract(epoch from %s - pressed_at)::float8,
                      case when missing = '' then greatest(receipt_s, alert_s, shown_s) end, missing
                 from watchdog_presses order by pressed_at desc limit 1""",
            (now,),
        )
    ).fetchone()
    return LastPress(*row) if row else None


async def retire(conn: Connection, before: datetime) -> None:
    """Delete what has been kept long enough. Troubles are few, and stay."""
    for statement in (
        "delete from watchdog_presses where pressed_at < %s",
        "delete from oncall_messages where made_at < %s",
        "delete from service_runs where seen_until < %s",
    ):
        await conn.execute(statement.encode(), (before,))
