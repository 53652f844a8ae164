"""What is known of an alert, read from the database; and its state and deadline, written there.

No step sets a state: each writes down what happened, and `settle` writes the state that follows.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import dict_row

from alerts.life import Around, Facts, Help, Limits, Missed, due_of, miss, state_of
from alerts.visiting import COMING, INSIDE
from telecare.db import Connection
from telecare.vocabulary import Priority

# Who writes into the log and is no member of staff.
NOT_STAFF: Final = ["system", "device", "wearer", "contact"]
_CALL_ENDS: Final = timedelta(seconds=5)  # the engine ends a call that nobody has ended within this after its time

FACTS: Final = """
    select a.priority, a.raised_at, a.claimed_by, a.state, a.due_at, a.closed_at, a.missed, a.missed_at,
           a.attended_at as counted_from, a.safe_at is not null as safe, a.wrapped_up_at is not null as wrapped_up,
           a.floor_since is not null and a.lifted_at is null as on_floor,
           l.attended_at, coalesce(l.contacted, false) or c.alert_id is not null as contacted,
           coalesce(l.assessed, false) as assessed, c.on_phone_until,
           exists (select 1 from reviews r where r.alert_id = a.id) as reviewed,
           array(select case when k.answer = 'going' then 'coming' else 'asked' end from asks k
                  where k.alert_id = a.id and k.over_at is null
                    and (k.answer_by is not null
                         or (k.answer = 'going' and (k.late_at is null or k.there_at is not null)))
                 union all
                 select case when v.state = any(%(coming)s) then 'coming' else 'asked' end from visits v
                  where v.alert_id = a.id and (v.state = 'requested' or v.state = any(%(coming)s))
                 union all
                 select 'coming' from emergency_calls e where e.alert_id = a.id and e.state <> 'ended') as help
      from alerts a
      left join lateral (
           select max(at) as attended_at, bool_or(what in ('contact-tried', 'contact-answered')) as contacted,
                  bool_or(what = 'assessed') as assessed
             from alert_log where alert_id = a.id and who <> all(%(not_staff)s)) l on true
      left join lateral (
           select alert_id, max(end_by) filter (where ended_at is null) as on_phone_until
             from calls where alert_id = a.id group by alert_id) c on true
     where a.id = %(id)s for no key update of a
"""


async def _row(conn: Connection, alert_id: int) -> dict[str, Any] | None:
    values = {"id": alert_id, "coming": [state.value for state in COMING], "not_staff": NOT_STAFF}
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(FACTS, values)
        return await cursor.fetchone()


def _facts(row: dict[str, Any]) -> Facts:
    missed = 0 if _attended_since(row) else row["missed"]
    return Facts(
        priority=Priority(row["priority"]), raised_at=row["raised_at"], owner=row["claimed_by"],
        attended_at=row["attended_at"], contacted=row["contacted"], assessed=row["assessed"],
        help=[Help(one) for one in row["help"]], on_phone_until=row["on_phone_until"], on_floor=row["on_floor"],
        safe=row["safe"], wrapped_up=row["wrapped_up"], closed=row["closed_at"] is not None,
        reviewed=row["reviewed"], missed=missed, missed_at=row["missed_at"] if missed else None,
    )  # fmt: skip


def _attended_since(row: dict[str, Any]) -> bool:
    """Whether staff have done something since deadlines were last counted as missed."""
    last, counted_from = row["attended_at"], row["counted_from"]
    return last is not None and (counted_from is None or last > counted_from)


async def settle(conn: Connection, alert_id: int, now: datetime) -> None:
    """Write the state that follows from what is now known. The engine then sees to the deadline at once (`look`)."""
    row = await _row(conn, alert_id)
    if row is None:
        return
    state = state_of(_facts(row)).value
    attended = _attended_since(row)
    if state == row["state"] and not attended:
        return
    looked_at = row["claimed_by"] is not None and row["closed_at"] is None
    await conn.execute(
        """update alerts set state = %(state)s, due_at = case when %(look)s then least(due_at, %(now)s) else due_at end,
                  attended_at = %(attended)s, missed = case when %(reset)s then 0 else missed end,
                  missed_at = case when %(reset)s then null else missed_at end
            where id = %(id)s""",
        {"state": state, "look": looked_at, "now": now, "attended": row["attended_at"], "reset": attended,
         "id": alert_id},
    )  # fmt: skip


async def look(conn: Connection, alert_id: int, now: datetime, limits: Limits) -> Missed | None:
    """The deadline of an alert that somebody has: set it to when it is due, or say what was missed and count it.

    The caller holds the alert's lock, writes down what was missed and publishes it.
    """
    row = await _row(conn, alert_id)
    assert row is not None
    facts = _facts(row)
    due_at = due_of(facts, now, limits)
    if facts.on_phone_until is not None:
        due_at = max(due_at, now + _CALL_ENDS)
    if due_at > now:
        await conn.execute("update alerts set due_at = %s where id = %s", (due_at, alert_id))
        return None
    missed = miss(facts, now, limits)
    await conn.execute(
        """update alerts set due_at = %s, missed = %s, missed_at = %s, attended_at = coalesce(%s, attended_at)
            where id = %s""",
        (missed.due_at, min(facts.missed + 1, 1000), now, facts.attended_at, alert_id),
    )
    return missed


async def lock(conn: Connection, alert_id: int) -> None:
    """Nobody else changes this alert until the transaction ends."""
    await conn.execute("select 1 from alerts where id = %s for no key update", (alert_id,))


async def end_agreement(conn: Connection, alert_id: int, now: datetime) -> tuple[str, str] | None:
    """Who agreed to close without contact, and why; it is used up."""
    row = await (
        await conn.execute(
            "update agreements set ended_at = %s where alert_id = %s and ended_at is null returning by, why",
            (now, alert_id),
        )
    ).fetchone()
    return (row[0], row[1]) if row else None


async def around(conn: Connection, alert_id: int) -> Around:
    """What closing must look at besides the alert itself."""
    row = await (
        await conn.execute(
            """select array(select service from emergency_calls where alert_id = %(id)s and state <> 'ended'),
                      array(select responder from visits where alert_id = %(id)s and state = any(%(inside)s)),
                      (select count(*) from calls
                        where alert_id = %(id)s and line <> 'contact' and ended_at is not null)
                      + (select count(*) from alert_log where alert_id = %(id)s and what = 'contact-tried'
                            and who <> all(%(not_staff)s) and not detail ? 'line'),
                      (select by from agreements where alert_id = %(id)s and ended_at is null)""",
            {"id": alert_id, "inside": [state.value for state in INSIDE], "not_staff": NOT_STAFF},
        )
    ).fetchone()
    assert row is not None
    return Around(services_awaited=row[0], responders_inside=row[1], tries=int(row[2]), agreed_by=row[3])


async def unsay_safety(conn: Connection, alert_ids: list[int], now: datetime) -> None:
    """Another alarm has come: what was said about safety and about closing does not count any more."""
    if not alert_ids:
        return
    await conn.execute(
        "update agreements set ended_at = %s where ended_at is null and alert_id = any(%s)", (now, alert_ids)
    )
    for alert_id in alert_ids:
        await settle(conn, alert_id, now)
