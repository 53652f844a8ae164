"""Every SQL statement of the dashboard's own. What belongs to an alert is read through `alerts.queue`."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from alerts.queue import title_of_alarm
from dashboard.carer_words import Facts
from telecare import feed
from telecare.db import Connection
from telecare.register import own
from telecare.register.staff import Member
from telecare.vocabulary import Role

Record = dict[str, Any]


async def _records(conn: Connection, sql: str, values: dict[str, Any] | None = None) -> list[Record]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values or {})
        return await cursor.fetchall()


async def _record(conn: Connection, sql: str, values: dict[str, Any] | None = None) -> Record:
    (only,) = await _records(conn, sql, values)
    return only


# ---------------------------------------------------------------- sessions and who looked


async def begin_session(
    conn: Connection, key_hash: bytes, staff_id: UUID, csrf_token: str, now: datetime, ends_at: datetime
) -> None:
    """Begin a session, and forget those that have ended."""
    await conn.execute("delete from sessions where ends_at <= %s", (now,))
    await conn.execute(
        "insert into sessions (key_hash, staff_id, csrf_token, created_at, ends_at) values (%s, %s, %s, %s, %s)",
        (key_hash, staff_id, csrf_token, now, ends_at),
    )


async def session(conn: Connection, key_hash: bytes, now: datetime) -> tuple[Member, str] | None:
    """Whose running session this is, with its form token; None where there is none."""
    cursor = await conn.execute(
        """select s.id, s.username, s.display_name, s.role, s.council_id, e.csrf_token
             from sessions e join staff s on s.id = e.staff_id
            where e.key_hash = %s and e.ends_at > %s and s.active""",
        (key_hash, now),
    )
    row = await cursor.fetchone()
    return None if row is None else (Member(row[0], row[1], row[2], Role(row[3]), row[4]), row[5])


async def end_session(conn: Connection, key_hash: bytes) -> None:
    """Log out."""
    await conn.execute("delete from sessions where key_hash = %s", (key_hash,))


async def note_access(
    conn: Connection,
    now: datetime,
    username: str,
    what: str,
    home_id: UUID,
    alert_id: int,
    for_whom: str,
    why: str = "",
) -> None:
    """Write down who looked at something sensitive, and for whom."""
    await conn.execute(
        """insert into access_log (at, username, what, home_id, alert_id, for_whom, why)
           values (%s, %s, %s, %s, %s, %s, %s)""",
        (now, username, what, home_id, alert_id, for_whom, why),
    )


# ---------------------------------------------------------------- homes


async def count_homes(conn: Connection) -> Record:
    """How many homes have a hub, how many hubs there are, how many of them are online; our own test home left out."""
    return await _record(
        conn,
        """select count(distinct home_id) as homes, count(*) as hubs,
                  count(*) filter (where online) as hubs_online from hubs_heard where name <> %(own)s""",
        {"own": own.HUB},
    )


FIND_HOMES: Final = """
    select h.id, h.address, h.postcode,
           array(select jsonb_build_object('id', p.id, 'name', p.name) from people p
                  where p.home_id = h.id order by p.name) as people,
           array(select jsonb_build_object('name', u.name, 'online', u.online) from hubs_heard u
                  where u.home_id = h.id order by u.name) as hubs,
           (select max(u.received_at) from hubs_heard u where u.home_id = h.id) as last_heard
      from homes h
     where %(words)s = ''
        or h.address ilike %(pattern)s or replace(h.postcode, ' ', '') ilike %(no_spaces)s or h.phone ilike %(pattern)s
        or exists (select 1 from people p where p.home_id = h.id
                    and (p.name ilike %(pattern)s or p.known_as ilike %(pattern)s))
        or exists (select 1 from hubs u where u.home_id = h.id and u.name ilike %(pattern)s)
     order by exists (select 1 from hubs u where u.home_id = h.id) desc, h.address, h.id limit %(limit)s
"""


async def find_homes(conn: Connection, words: str, limit: int) -> list[Record]:
    """Homes whose address, postcode, telephone, people or hubs contain these words; all where there are none.

    Those that have a hub come first.
    """
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    values = {"words": words, "pattern": f"%{escaped}%", "no_spaces": f"%{escaped.replace(' ', '')}%"}
    return await _records(conn, FIND_HOMES, values | {"limit": limit})


async def hubs_of(conn: Connection, home_id: UUID) -> list[Record]:
    """A home's hubs with what each last said."""
    return await _records(conn, "select * from hubs_heard where home_id = %(home)s order by name", {"home": home_id})


async def test_windows_of(conn: Connection, home_id: UUID, now: datetime) -> dict[str, datetime]:
    """For each device of a home that may say `test` now: until when."""
    rows = await (
        await conn.execute(
            "select device, max(ends_at) from test_windows where home_id = %s and ends_at > %s group by device",
            (home_id, now),
        )
    ).fetchall()
    return dict(rows)


async def last_readings(conn: Connection, home_id: UUID, since: datetime) -> list[Record]:
    """The newest reading of each measure of each device in a home."""
    return await _records(
        conn,
        """select s.device, s.measure, r.at, r.value
             from series s
             join hubs h on h.name = s.hub
             cross join lateral (select at, value from readings where series_id = s.id and at > %(since)s
                                  order by at desc limit 1) r
            where h.home_id = %(home)s order by s.device, s.measure""",
        {"home": home_id, "since": since},
    )


async def alarms_between(conn: Connection, home_id: UUID, start: datetime, end: datetime, limit: int) -> list[Record]:
    """A home's alarms by when they happened (when they arrived, where that is not known), oldest first."""
    found = await _records(
        conn,
        """select a.id, a.kind, a.device, a.location, a.at, a.received_at, a.test, a.evidence, a.doubts,
                  p.alert_id as alert
             from alarms a join hubs h on h.name = a.hub left join alert_alarms p on p.alarm_id = a.id
            where h.home_id = %(home)s and coalesce(a.at, a.received_at) >= %(start)s
              and coalesce(a.at, a.received_at) < %(end)s
            order by coalesce(a.at, a.received_at), a.id limit %(limit)s""",
        {"home": home_id, "start": start, "end": end, "limit": limit},
    )
    return [alarm | {"title": title_of_alarm(alarm["kind"], alarm["evidence"])} for alarm in found]


async def readings_between(conn: Connection, home_id: UUID, start: datetime, end: datetime, limit: int) -> list[Record]:
    """A home's readings, oldest first."""
    return await _records(
        conn,
        """select r.at, s.device, s.measure, r.value
             from series s join hubs h on h.name = s.hub join readings r on r.series_id = s.id
            where h.home_id = %(home)s and r.at >= %(start)s and r.at < %(end)s
            order by r.at, s.device, s.measure limit %(limit)s""",
        {"home": home_id, "start": start, "end": end, "limit": limit},
    )


# ---------------------------------------------------------------- visits, administration


async def visits(conn: Connection) -> list[Record]:
    """Open alerts for which somebody has been sent, most urgent first, with who was sent."""
    return await _records(
        conn,
        """select a.id, a.kind, a.possible, a.priority, a.raised_at, a.state, a.home_id is null as is_incident,
                  a.reason, p.name as person_name, p.mobility, coalesce(h.address, i.label) as address, h.postcode,
                  h.phone, h.access_notes, h.key_safe_location, h.hazards,
                  jsonb_agg(jsonb_build_object('at', l.at, 'responder', l.detail ->> 'responder',
                                               'note', l.detail ->> 'note') order by l.id) as sent
             from alerts a
             join alert_log l on l.alert_id = a.id and l.what = 'dispatched'
             left join homes h on h.id = a.home_id
             left join incidents i on i.alert_id = a.id
             left join people p on p.id = a.person_id
            where a.closed_at is null
            group by a.id, p.id, h.id, i.alert_id order by a.priority, a.raised_at limit 200""",
    )


async def own_visits(conn: Connection, username: str) -> list[Record]:
    """A responder's own visits that are not over or not reported yet, the newest first."""
    return await _records(
        conn,
        """select v.id, v.alert_id, v.state, v.second, v.eta_at, v.due_at, p.name as person_name,
                  coalesce(h.address, i.label) as address, h.postcode, h.phone, h.access_notes, h.key_safe_location,
                  coalesce(h.key_safe_code <> '', false) as has_key_safe_code, h.hazards, p.mobility,
                  a.kind, a.possible, a.priority, a.raised_at, a.home_id is null as is_incident, a.reason
             from visits v join alerts a on a.id = v.alert_id
             left join homes h on h.id = a.home_id
             left join incidents i on i.alert_id = a.id
             left join people p on p.id = a.person_id
            where v.responder = %(username)s and v.due_at is not null
            order by v.requested_at desc""",
        {"username": username},
    )


async def unreadable(conn: Connection, limit: int) -> list[Record]:
    """The newest messages that could not be understood."""
    return await _records(
        conn,
        """select id, hub, topic, substring(payload from 1 for 200) as payload, size_bytes, reason, received_at
             from unreadable order by id desc limit %(limit)s""",
        {"limit": limit},
    )


async def staff_list(conn: Connection) -> list[Record]:
    """Everyone who works here."""
    return await _records(conn, "select username, display_name, role, active, demo from staff order by username")


# ---------------------------------------------------------------- health and figures


async def heartbeats(conn: Connection) -> dict[str, Record]:
    """What each service last said of itself."""
    rows = await _records(conn, "select service, at, detail, well_since from service_heartbeats order by service")
    return {row["service"]: row for row in rows}


async def vital_signs(conn: Connection, now: datetime) -> Record:
    """What tells whether alarms reach people: who waits, since when, and which deadline has passed."""
    signs = await _record(
        conn,
        """select (select count(*) from alarms_waiting) as waiting,
                  (select extract(epoch from %(now)s - min(received_at))::float8 from alarms_waiting where not crowding)
                     as oldest_s,
                  (select extract(epoch from %(now)s - min(due_at))::float8 from alerts
                    where closed_at is null) as overdue_s,
                  (select count(distinct role) from staff where demo and active) as demo_roles""",
        {"now": now},
    )
    return signs | {"feed_lag_s": await feed.lag(conn, now)}


async def figures(conn: Connection) -> Record:
    """What /metrics shows, beside the vital signs and the homes."""
    return await _record(
        conn,
        """select (select coalesce(jsonb_object_agg(priority, n), '{}') from (
                    select priority, count(*) as n from alerts where closed_at is null group by priority) o) as open,
                  (select count(*) from unreadable) as unreadable,
                  (select count(*) from messages where state = 'failed') as messages_failed""",
    )


FOR_CARERS: Final = """
    select (select min(raised_at) from alerts where person_id = %(person)s and closed_at is null and priority < 4)
               as open_since,
           exists (select 1 from alerts where person_id = %(person)s and claimed_by is not null and closed_at is null
                    and priority < 4)
               as answered,
           (select moved_at from home_seen where home_id = %(home)s) as moved_at,
           coalesce((select bool_and(online) from hubs_heard where home_id = %(home)s), false)
               and not exists (select 1 from silences where home_id = %(home)s and ended_at is null) as equipment_well,
           (select max(received_at) from hubs_heard where home_id = %(home)s) as hub_heard_at
"""


async def facts_for_carers(conn: Connection, person_id: UUID, home_id: UUID) -> Facts:
    """What a carer's page says of a person, before consent is asked."""
    return Facts(**await _record(conn, FOR_CARERS, {"person": person_id, "home": home_id}))


async def has_demo_users(conn: Connection) -> bool:
    """Whether anybody can log in with the password that everybody knows."""
    row = await (await conn.execute("select exists (select 1 from staff where demo and active)")).fetchone()
    return row is not None and bool(row[0])
