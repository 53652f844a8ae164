"""Every SQL statement that changes an alert."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from alerts import life_store
from telecare.db import Connection
from telecare.ids import uuid7
from telecare.vocabulary import Priority

CHANGED: Final = "telecare_alerts"  # NOTIFY channel: an alert has changed; carries nothing, the table is the truth
ARRIVED: Final = "telecare_alarms"  # NOTIFY channel: an alarm waits
_FEW: Final = 3  # a device name in more homes than this is a common name and tells nothing

# ---------------------------------------------------------------- what people do

# From here on the engine sees to the deadline at once (`life_store.look`).
CLAIM = """
    update alerts set state = 'claimed', claimed_by = %(by)s, claimed_at = %(now)s, due_at = %(now)s,
                      first_claimed_at = coalesce(first_claimed_at, %(now)s), missed = 0, missed_at = null,
                      version = version + 1
     where id = %(id)s and state = 'raised'
"""


async def claim(conn: Connection, alert_id: int, by: str, now: datetime) -> bool:
    """True for the one who gets it: a single conditional update."""
    return (await conn.execute(CLAIM, {"id": alert_id, "by": by, "now": now})).rowcount == 1


TAKE_OVER = """
    update alerts set claimed_by = %(by)s, claimed_at = %(now)s, version = version + 1
     where id = %(id)s and closed_at is null and claimed_by = %(from)s and claimed_by <> %(by)s
"""


async def take_over(conn: Connection, alert_id: int, by: str, previous: str, now: datetime) -> bool:
    """True when `by` has it now instead of `previous`."""
    return (await conn.execute(TAKE_OVER, {"id": alert_id, "by": by, "from": previous, "now": now})).rowcount == 1


RELEASE = """
    update alerts set state = 'raised', claimed_by = null, claimed_at = null, waiting_since = %(now)s, step = 0,
                      due_at = %(due_at)s, missed = 0, missed_at = null, version = version + 1
     where id = %(id)s and closed_at is null and claimed_by = %(by)s
"""


async def release(conn: Connection, alert_id: int, by: str, now: datetime, due_at: datetime) -> bool:
    """True when `by` had it and it waits in the queue again."""
    return (await conn.execute(RELEASE, {"id": alert_id, "by": by, "now": now, "due_at": due_at})).rowcount == 1


async def mark_safe(conn: Connection, alert_id: int, by: str, confirmed_by: str, how: str, now: datetime) -> bool:
    """True when `by` had it and the person is now known to be safe. Who was on the floor is up again by now."""
    cursor = await conn.execute(
        """update alerts set safe_at = %(now)s, confirmed_by = %(confirmed)s, how = %(how)s, version = version + 1,
                  lifted_at = case when floor_since is not null then coalesce(lifted_at, %(now)s) end,
                  spoken_at = case when %(confirmed)s = 'person' then coalesce(spoken_at, %(now)s) else spoken_at end
            where id = %(id)s and closed_at is null and safe_at is null and claimed_by = %(by)s""",
        {"now": now, "confirmed": confirmed_by, "how": how, "id": alert_id, "by": by},
    )
    return cursor.rowcount == 1


CLOSE = """
    update alerts set state = 'closed', closed_at = %(now)s, due_at = null, cause = %(cause)s, outcomes = %(outcomes)s,
                      confirmed_by = %(confirmed_by)s, how = %(how)s, safe_at = coalesce(safe_at, %(now)s),
                      lifted_at = case when floor_since is not null then coalesce(lifted_at, %(now)s) end,
                      agreed_by = %(agreed_by)s, agreed_why = %(agreed_why)s, version = version + 1
     where id = %(id)s and closed_at is null and claimed_by = %(by)s
       and (%(seen_alarms)s::integer is null or alarm_count = %(seen_alarms)s)
"""


async def close(conn: Connection, alert_id: int, by: str, now: datetime, values: dict[str, Any]) -> bool:
    """True when `by` had it, no alarm has joined that they have not seen, and it is closed now."""
    return (await conn.execute(CLOSE, values | {"id": alert_id, "by": by, "now": now})).rowcount == 1


async def owner_and_state(conn: Connection, alert_id: int) -> tuple[str | None, str, int, Priority] | None:
    """Who has an alert, its state, how many alarms are in it, and its level; None where there is no such alert."""
    cursor = await conn.execute(
        "select claimed_by, state, alarm_count, priority from alerts where id = %s", (alert_id,)
    )
    row = await cursor.fetchone()
    return (row[0], row[1], row[2], Priority(row[3])) if row else None


async def raised_where(conn: Connection, alert_id: int) -> tuple[datetime, ZoneInfo]:
    """When an alert was raised, and the time zone of its council."""
    cursor = await conn.execute(
        """select a.raised_at, coalesce(c.timezone, i.timezone, 'Europe/London')
             from alerts a left join homes h on h.id = a.home_id left join councils c on c.id = h.council_id
             left join incidents i on i.alert_id = a.id where a.id = %s""",
        (alert_id,),
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0], ZoneInfo(row[1])


# ---------------------------------------------------------------- the log and the feed


async def log(
    conn: Connection, alert_id: int, now: datetime, who: str, what: str, detail: dict[str, Any] | None = None
) -> None:
    """Write down one step. Nothing is ever changed there."""
    await conn.execute(
        "insert into alert_log (alert_id, at, who, what, detail) values (%s, %s, %s, %s, %s)",
        (alert_id, now, who, what, Jsonb(detail or {})),
    )


async def publish_change(conn: Connection, alert_id: int, now: datetime) -> None:
    """Write the state that follows from this change, and number it for the screens.

    Last in its transaction: the counter row is held until the commit.
    """
    await life_store.settle(conn, alert_id, now)
    await publish_changes(conn, [alert_id], now)


async def publish_changes(conn: Connection, alert_ids: Sequence[int], now: datetime) -> None:
    """Number these changes for the screens, in this order. Last in their transaction."""
    await conn.execute(
        """with next as (update alert_event_counter set n = n + cardinality(%(ids)s::bigint[])
                         returning n - cardinality(%(ids)s::bigint[]) as before),
                made as (insert into alert_events (n, alert_id, at)
                         select next.before + c.place, c.alert_id, %(now)s
                           from next, unnest(%(ids)s::bigint[]) with ordinality c (alert_id, place))
           select pg_notify(%(channel)s, '')""",
        {"ids": list(alert_ids), "now": now, "channel": CHANGED},
    )


# ---------------------------------------------------------------- commands, to be sent after the commit


async def queue_command(
    conn: Connection, alert_id: int, text: str, alarm_id: UUID | None, now: datetime, expires_at: datetime
) -> bool:
    """Have the alert's hub announce something to the wearer; False where nobody is to hear it.

    That is an incident, which is nobody's own; a technical alert; and whatever follows an alert for which nobody has
    called (a finding of the service's own), for a voice out of nowhere frightens. That somebody is on the way is said
    all the same: they are about to come in.
    """
    cursor = await conn.execute(
        """insert into commands (id, hub, kind, text, alarm_id, alert_id, created_at, expires_at)
           select %(id)s, a.hub, 'announce', %(text)s,
                  coalesce(%(alarm)s::uuid, (select alarm_id from alert_alarms
                                              where alert_id = a.id order by joined_at desc limit 1)),
                  a.id, %(now)s, %(expires)s
             from alerts a
            where a.id = %(alert)s and a.hub is not null and a.priority < %(technical)s
              and (%(text)s = 'on-the-way'
                   or exists (select 1 from commands c where c.alert_id = a.id and c.text = 'help-is-coming'))""",
        {
            "technical": Priority.TECHNICAL,
            "id": uuid7(),
            "text": text,
            "alarm": alarm_id,
            "now": now,
            "expires": expires_at,
            "alert": alert_id,
        },
    )
    return cursor.rowcount == 1


COMMANDS_AT_ONCE: Final = 100
UNSENT_COMMANDS = """
    select id, hub, kind, text, alarm_id, expires_at, alert_id from commands
     where sent_at is null and expires_at > %(now)s
     order by created_at limit %(most)s for update skip locked
"""


async def unsent_commands(conn: Connection, now: datetime) -> list[tuple[Any, ...]]:
    """Commands to be published, locked: (id, hub, kind, text, alarm_id, expires_at, alert_id)."""
    return await (await conn.execute(UNSENT_COMMANDS, {"now": now, "most": COMMANDS_AT_ONCE})).fetchall()


async def commands_sent(conn: Connection, command_ids: Sequence[UUID], now: datetime) -> None:
    """The broker has them."""
    await conn.execute("update commands set sent_at = %s where id = any(%s)", (now, list(command_ids)))
