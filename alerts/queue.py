"""Reading alerts: the queue, one whole alert, and the feed of changes. Instants in these records are datetimes."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row

from alerts import emergency, knowing, visit_actions
from alerts.incidents import reading
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.vocabulary import Kind, is_possible, title_of

# What the list shows of an alert, the fields of the contract first.
_COLUMNS: Final = """
    a.id, a.person_id as person, a.home_id as home, a.kind, a.possible, a.priority, a.state, a.raised_at, a.due_at,
    a.claimed_by, a.alarm_count,
    extract(epoch from coalesce(a.first_claimed_at, a.closed_at, %(now)s) - a.raised_at)::float8 as wait_s,
    a.step, a.reason, a.policy, a.version, a.hub, p.name as person_name, p.state as person_state,
    coalesce(h.address, i.label) as address,
    coalesce(h.postcode, '') as postcode,
    s.display_name as claimed_by_name, w.display_name as was_with,
    case when a.shelved_until > %(now)s then a.shelved_until end as shelved_until, a.shelved_why,
    b.display_name as shelved_by_name
"""
_FROM: Final = """
      from alerts a
      left join homes h on h.id = a.home_id
      left join incidents i on i.alert_id = a.id
      left join people p on p.id = a.person_id
      left join staff s on s.username = a.claimed_by
      left join staff w on w.username = a.was_with
      left join staff b on b.username = a.shelved_by
"""


async def _records(conn: Connection, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values)
        return await cursor.fetchall()


async def _listed(conn: Connection, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Alerts as the list shows them: each with its name in words, an incident with its numbers."""
    records = await _records(conn, sql, values)
    incidents = [record["id"] for record in records if record["home"] is None]
    found = await reading.summaries(conn, incidents) if incidents else {}
    return [
        record
        | {
            "title": _title(record),
            "incident": reading.record(found[record["id"]]) if record["id"] in found else None,
        }
        for record in records
    ]


def _title(record: dict[str, Any]) -> str:
    if record["home"] is None:
        return "Incident"
    return title_of(Kind(record["kind"]), possible=record["possible"])


def title_of_alarm(kind: str, evidence: Any) -> str:
    """What an alarm is called; `evidence` is whatever its hub sent."""
    outcome = evidence.get("outcome") if isinstance(evidence, dict) else None
    return title_of(Kind(kind), possible=is_possible(Kind(kind), outcome))


async def open_alerts(conn: Connection, now: datetime, limit: int = 100) -> list[dict[str, Any]]:
    """Open alerts, most urgent first, within a level the oldest first; incidents after those of a level that are of one
    person or home, whom nobody else looks after.
    """
    return await _listed(
        conn,
        f"""select {_COLUMNS} {_FROM} where a.closed_at is null
             order by a.priority, a.home_id is null, a.raised_at, a.id limit %(limit)s""",
        {"now": now, "limit": limit},
    )


async def alerts_after(conn: Connection, now: datetime, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """Alerts in any state, in order of id, after `after`."""
    return await _listed(
        conn,
        f"select {_COLUMNS} {_FROM} where a.id > %(after)s order by a.id limit %(limit)s",
        {"now": now, "after": after, "limit": limit},
    )


async def list_record(conn: Connection, alert_id: int, now: datetime) -> dict[str, Any]:
    """One alert as the list shows it.

    Raises:
        NotFound: there is none.
    """
    records = await list_records(conn, [alert_id], now)
    if not records:
        raise NotFound(f"no alert {alert_id}")
    return records[alert_id]


async def list_records(conn: Connection, alert_ids: Collection[int], now: datetime) -> dict[int, dict[str, Any]]:
    """Alerts as the list shows them, by number."""
    values = {"ids": list(alert_ids), "now": now}
    records = await _listed(conn, f"select {_COLUMNS} {_FROM} where a.id = any(%(ids)s)", values)
    return {record["id"]: record for record in records}


async def whole_alert(conn: Connection, alert_id: int, now: datetime) -> dict[str, Any]:
    """One alert with how it ended, its `alarms` and its `log`, both oldest first; an incident also with its homes.

    Raises:
        NotFound: there is none.
    """
    record = await list_record(conn, alert_id, now)
    ending = await _records(
        conn,
        """select claimed_at, first_claimed_at, closed_at, cause, outcomes, confirmed_by, how, agreed_by, agreed_why,
                  spoken_at, floor_since, lifted_at, safe_at, wrap_up, wrapped_up_at
             from alerts where id = %(id)s""",
        {"id": alert_id},
    )
    alarms = await _records(
        conn,
        """select a.id, a.hub, a.kind, a.device, a.location, a.at, a.clock_synced, a.received_at, a.test, a.evidence,
                  a.doubts, a.repeats, j.joined_at
             from alert_alarms j join alarms a on a.id = j.alarm_id
            where j.alert_id = %(id)s order by j.joined_at, a.received_at""",
        {"id": alert_id},
    )
    log = await _records(
        conn,
        """select l.at, l.who, l.what, l.detail, coalesce(s.display_name, l.who) as who_name
             from alert_log l left join staff s on s.username = l.who
            where l.alert_id = %(id)s order by l.id""",
        {"id": alert_id},
    )
    if record["incident"] is not None:
        record["incident"]["homes"] = await reading.homes(conn, alert_id, now)
    helpers = {
        "visits": await visit_actions.visits_of(conn, alert_id),
        "emergency_calls": await emergency.calls_of(conn, alert_id),
    }
    named = [alarm | {"title": title_of_alarm(alarm["kind"], alarm["evidence"])} for alarm in alarms]
    return record | ending[0] | await knowing.known(conn, alert_id) | helpers | {"alarms": named, "log": log}


async def alerts_of_person(conn: Connection, person_id: object, now: datetime, limit: int = 20) -> list[dict[str, Any]]:
    """A person's alerts, newest first."""
    return await _listed(
        conn,
        f"""select {_COLUMNS}, a.closed_at, a.cause, a.outcomes, a.confirmed_by {_FROM} where a.person_id = %(person)s
             order by a.raised_at desc limit %(limit)s""",
        {"person": person_id, "now": now, "limit": limit},
    )


async def last_event(conn: Connection) -> int:
    """The number of the newest committed change."""
    row = await (await conn.execute("select n from alert_event_counter")).fetchone()
    assert row is not None
    return int(row[0])


async def events_after(conn: Connection, after: int, limit: int = 500) -> list[tuple[int, int]]:
    """Changes after number `after`, oldest first: (number, alert id). Numbers are in the order of commits."""
    rows = await (
        await conn.execute("select n, alert_id from alert_events where n > %s order by n limit %s", (after, limit))
    ).fetchall()
    return [(row[0], row[1]) for row in rows]


async def messages(conn: Connection, limit: int = 200) -> list[dict[str, Any]]:
    """Messages to contacts and to those on call, newest first."""
    return await _records(
        conn,
        """select m.id, m.alert_id, coalesce(c.name, o.name) as contact,
                  case when o.id is null then c.relationship else 'on call' end as relationship,
                  m.channel, m.recipient, m.body, m.state, m.created_at, m.sent_at, m.failure
             from messages m
             left join contacts c on c.id = m.contact_id
             left join on_call_people o on o.id = m.on_call_id
            order by m.created_at desc limit %(limit)s""",
        {"limit": limit},
    )
