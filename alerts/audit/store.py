"""Every SQL statement of the auditor. It reads one moment, and changes nothing.

`since` bounds what is read of the past; indexes by time (migration 0007) keep a look at the last minutes cheap however
large the tables are. What is so now (open alerts, waiting messages, silent hubs) is read whole: it is always little.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from alerts.audit.domain import Climbed, Placed, Runs, Times
from alerts.audit.numbers import Kept, Numbers
from telecare.db import Connection
from telecare.register import own
from telecare.vocabulary import Priority
from telecare.wire import read_alarm

_RUNGS: Final = ["re-sounded", "escalated-supervisor", "escalated-second-site", "breached"]
CROWD_WAITS: Final = timedelta(minutes=10)  # alarms of a hub gone mad are taken last, on purpose
_SET_ASIDE: Final = 10_000  # messages of one hub that could not be understood, newest first, that are looked through


async def _rows(conn: Connection, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    return await (await conn.execute(sql.encode(), values)).fetchall()


async def runs_of(conn: Connection, service: str) -> Runs:
    """When a service worked: as the watchdog wrote down, and as the service says itself."""
    rows = await _rows(
        conn,
        """select well_since, max(seen_until) from (
               select well_since, seen_until from service_runs where service = %(service)s
               union all
               select well_since, at from service_heartbeats where service = %(service)s and well_since is not null) r
            group by well_since order by well_since""",
        service=service,
    )
    return Runs([(row[0], row[1]) for row in rows])


# ---------------------------------------------------------------- I1, I6: alarms


async def unplaced(
    conn: Connection, since: datetime | None, now: datetime
) -> tuple[int, list[tuple[str, datetime, bool]]]:
    """How many alarms came since then; and those that are in no alert: (id, when it came, whether it waits)."""
    (total,) = await _rows(
        conn,
        "select count(*) from alarms where (%(since)s::timestamptz is null or received_at >= %(since)s) and not past",
        since=since,
    )
    rows = await _rows(
        conn,
        """select a.id::text, a.received_at, w.alarm_id is not null
             from alarms a left join alarms_waiting w on w.alarm_id = a.id
            where (%(since)s::timestamptz is null or a.received_at >= %(since)s) and a.received_at <= %(now)s
              and not a.past and not exists (select 1 from alert_alarms p where p.alarm_id = a.id)
              and not (coalesce(w.crowding, false) and a.received_at > %(crowd)s)
            union
           select w.alarm_id::text, w.received_at, true from alarms_waiting w
            where not w.crowding or w.received_at <= %(crowd)s order by 2""",
        since=since,
        now=now,
        crowd=now - CROWD_WAITS,
    )
    return total[0], [(row[0], row[1], row[2]) for row in rows]


async def both(conn: Connection) -> list[str]:
    """Alarms that are in an alert and still wait for one."""
    rows = await _rows(
        conn, "select w.alarm_id::text from alarms_waiting w join alert_alarms p on p.alarm_id = w.alarm_id"
    )
    return [row[0] for row in rows]


_CAME: Final = """
    with came as (
        select a.id::text as alarm, p.alert_id as alert, a.received_at, p.joined_at, a.crowding
          from alarms a join alert_alarms p on p.alarm_id = a.id
         where (%(since)s::timestamptz is null or a.received_at >= %(since)s) and not a.past)
"""
SLOW: Final = f"""{_CAME}
    select * from came where (joined_at > received_at + %(placed)s and not crowding) or joined_at < received_at
"""  # noqa: S608  (parts of our own)
TIMES: Final = f"""{_CAME}
    select t.id, t.raised_at, t.waiting_since, min(p.joined_at)
      from (select distinct alert from came) c
      join alerts t on t.id = c.alert and t.past_case is null
      join alert_alarms p on p.alert_id = t.id
     group by t.id
"""  # noqa: S608


async def slow(conn: Connection, since: datetime | None, placed: timedelta) -> list[Placed]:
    """Alarms that came since then and joined their alert late, or before they came."""
    rows = await _rows(conn, SLOW, since=since, placed=placed)
    return [Placed(alarm=row[0], alert=row[1], received_at=row[2], joined_at=row[3]) for row in rows]


async def times(conn: Connection, since: datetime | None) -> list[Times]:
    """The times of the alerts that alarms have joined since then."""
    rows = await _rows(conn, TIMES, since=since)
    return [Times(alert=row[0], raised_at=row[1], waiting_since=row[2], first_joined_at=row[3]) for row in rows]


# ---------------------------------------------------------------- I2, I3: steps


async def open_alerts(conn: Connection) -> list[tuple[int, datetime, bool]]:
    """Open alerts: number, when their next step is due, whether somebody owns them."""
    rows = await _rows(conn, "select id, due_at, claimed_by is not null from alerts where closed_at is null")
    return [(row[0], row[1], row[2]) for row in rows]


CLIMBED: Final = """
    with waits as (
        select l.alert_id, (l.detail ->> 'waiting_since')::timestamptz as since
          from alert_log l
         where (%(since)s::timestamptz is null or l.at >= %(since)s) and l.what = any(%(rungs)s)
           and l.detail ? 'waiting_since'
        union
        select id, waiting_since from alerts where state = 'raised')
    select a.id, a.priority, w.since, a.state = 'raised' and a.waiting_since = w.since,
           array(select l.what from alert_log l where l.alert_id = a.id and l.what = any(%(rungs)s)
                    and (l.detail ->> 'waiting_since')::timestamptz = w.since order by l.id),
           array(select l.at from alert_log l where l.alert_id = a.id and l.what = any(%(rungs)s)
                    and (l.detail ->> 'waiting_since')::timestamptz = w.since order by l.id)
      from waits w join alerts a on a.id = w.alert_id where a.past_case is null
"""


async def climbed(conn: Connection, since: datetime | None) -> list[Climbed]:
    """The ladder's steps: of alerts that wait, and of those that took one since then; each from its beginning."""
    rows = await _rows(conn, CLIMBED, since=since, rungs=_RUNGS)
    return [
        Climbed(alert=row[0], priority=Priority(row[1]), waiting_since=row[2], waits=row[3],
                steps=list(zip(row[4], row[5], strict=True)))
        for row in rows
    ]  # fmt: skip


STANDING: Final = """
    select 'message', id::text, next_try_at from messages
     where next_try_at < %(now)s
    union all
    select 'ask', id::text, due_at from asks where due_at < %(now)s
    union all
    select 'ladder', alert_id::text, due_at from ladders where due_at < %(now)s
    union all
    select 'call', id::text, end_by from calls where ended_at is null and end_by < %(now)s
    union all
    select 'visit', id::text, due_at from visits where due_at < %(now)s
    union all
    select 'emergency call', id::text, due_at from emergency_calls where due_at < %(now)s
"""


async def standing(conn: Connection, now: datetime) -> list[tuple[str, str, datetime]]:
    """Whatever is past its deadline, of messages to emergency calls: what, id, deadline."""
    return [(row[0], row[1], row[2]) for row in await _rows(conn, STANDING, now=now)]


# ---------------------------------------------------------------- I4: the feed


async def feed(conn: Connection, since: datetime | None) -> dict[str, Any]:
    """The counter, and the least and greatest number, the count and the time of the least since then."""
    (row,) = await _rows(
        conn,
        """select c.n, e.least, e.greatest, e.count, (select at from alert_events where n = e.least)
             from alert_event_counter c,
                  (select min(n) as least, max(n) as greatest, count(*) as count from alert_events
                    where %(since)s::timestamptz is null or at >= %(since)s) e""",
        since=since,
    )
    if row[1] is None:  # nothing lately: the newest one stays for ever
        (newest,) = await _rows(
            conn,
            "select max(n), max(n), count(*), max(at) from alert_events where n = (select max(n) from alert_events)",
        )
        row = (row[0], *newest)
    return dict(zip(("counter", "least", "greatest", "count", "least_at"), row, strict=True))


UNSHOWN: Final = """
    select l.alert_id from (
        select alert_id, max(at) as at from alert_log where %(since)s::timestamptz is null or at >= %(since)s
         group by alert_id) l
      join alerts a on a.id = l.alert_id and a.past_case is null
      left join (
        select alert_id, max(at) as at from alert_events where %(since)s::timestamptz is null or at >= %(since)s
         group by alert_id) e on e.alert_id = l.alert_id
     where (e.at is null or e.at < l.at) and l.at >= %(kept_from)s
     order by l.alert_id
"""


async def unshown(conn: Connection, since: datetime | None, kept_from: datetime) -> list[int]:
    """Alerts about which something was written down after their last change in the feed."""
    return [row[0] for row in await _rows(conn, UNSHOWN, since=since, kept_from=kept_from)]


async def events(conn: Connection, first: int, last: int) -> dict[int, int]:
    """The changes that are kept, by number: of which alert each is."""
    rows = await _rows(
        conn, "select n, alert_id from alert_events where n between %(first)s and %(last)s", first=first, last=last
    )
    return dict((row[0], row[1]) for row in rows)


async def last_of_open(conn: Connection) -> dict[int, tuple[int, datetime]]:
    """The newest change of each open alert that is kept: its number and time."""
    rows = await _rows(
        conn,
        """select e.alert_id, max(e.n), max(e.at) from alert_events e join alerts a on a.id = e.alert_id
            where a.closed_at is null group by e.alert_id""",
    )
    return {row[0]: (row[1], row[2]) for row in rows}


# ---------------------------------------------------------------- I5: silence

# The rule is that of alerts.supervision, told a second time on purpose: who checks does not ask the one who is checked.
SILENT: Final = """
    with ingest as (select at, well_since from service_heartbeats where service = 'ingest-states'),
         due as (select h.name, coalesce(greatest(s.silent_at, i.well_since + (s.silent_at - s.received_at)),
                                         greatest(h.enrolled_at + %(first_word)s, i.well_since)) as at
                   from ingest i, hubs h left join hub_states s on s.hub = h.name
                  where h.name <> %(own)s and i.well_since is not null and i.at > %(now)s - interval '10 seconds')
    select name, at from due
     where at <= %(now)s
       and not exists (select 1 from silences x where x.hub = due.name and x.device = '' and x.ended_at is null)
     order by at
"""


async def unnoticed(conn: Connection, now: datetime, first_word: timedelta) -> tuple[int, list[tuple[str, datetime]]]:
    """How many hubs there are; and those that are silent (since when) without a row that says so."""
    (total,) = await _rows(conn, "select count(*) from hubs where name <> %(own)s", own=own.HUB)
    rows = await _rows(conn, SILENT, now=now, first_word=first_word, own=own.HUB)
    return total[0], [(row[0], row[1]) for row in rows]


async def beats(conn: Connection) -> dict[str, datetime]:
    """When each service last said that it lives."""
    return {row[0]: row[1] for row in await _rows(conn, "select service, at from service_heartbeats")}


async def trouble_keys(conn: Connection) -> list[str]:
    """The troubles that are open."""
    return [row[0] for row in await _rows(conn, "select key from troubles where ended_at is null")]


# ---------------------------------------------------------------- I7: numbers

# Only hubs with a gap: between the alarm before these and the greatest of these there are more numbers than came.
NUMBERS: Final = """
    with came as (
        select hub, min(seq) as least, max(seq) as greatest, count(distinct seq) as numbers
          from alarms
         where (%(since)s::timestamptz is null or received_at >= %(since)s) and not past and hub <> %(own)s
         group by hub),
    before as (
        select c.*, (select a.seq from alarms a where a.hub = c.hub and a.received_at < %(since)s and a.seq is not null
                      order by a.received_at desc limit 1) as before
          from came c)
    select b.hub, b.before,
           array_agg(a.seq order by a.received_at) filter (where a.seq is not null),
           array_agg(a.received_at order by a.received_at) filter (where a.seq is not null),
           count(*) filter (where a.seq is null and a.doubts <> '{}')
      from before b
      join alarms a on a.hub = b.hub and (%(since)s::timestamptz is null or a.received_at >= %(since)s) and not a.past
     where b.greatest - least(b.least, b.before + 1) + 1 > b.numbers
     group by b.hub, b.before
"""


async def numbers(conn: Connection, since: datetime | None) -> tuple[int, list[Numbers]]:
    """How many numbered alarms came since then; and the numbers of each hub that has a gap."""
    (total,) = await _rows(
        conn,
        """select count(seq) from alarms
            where (%(since)s::timestamptz is null or received_at >= %(since)s) and not past and hub <> %(own)s""",
        since=since,
        own=own.HUB,
    )
    rows = await _rows(conn, NUMBERS, since=since, own=own.HUB)
    return total[0], [
        Numbers(hub=row[0], before=row[1], came=list(zip(row[2], row[3], strict=True)), nameless=row[4]) for row in rows
    ]


async def accounted_for(conn: Connection, hub: str, wanted: Sequence[int]) -> set[int]:
    """Which of these numbers of a hub did come: at another time, or as something that was set aside with its bytes."""
    rows = await _rows(
        conn,
        """select seq from alarms where hub = %(hub)s and seq between %(least)s and %(greatest)s""",
        hub=hub,
        least=min(wanted),
        greatest=max(wanted),
    )
    found = {row[0] for row in rows}
    aside = await _rows(
        conn,
        """select payload from unreadable where topic = 'telecare/v1/' || %(hub)s || '/alarm'
            order by id desc limit %(limit)s""",
        hub=hub,
        limit=_SET_ASIDE,
    )
    return found | {seq for (payload,) in aside if (seq := read_alarm(bytes(payload)).seq) is not None}


# ---------------------------------------------------------------- I1, I7: a hub's ledger


async def stored(conn: Connection, kept: Sequence[Kept]) -> dict[tuple[str, str], int]:
    """How many rows there are for each alarm of a ledger."""
    rows = await _rows(
        conn,
        """select a.hub, a.given_id, count(distinct a.id)
             from unnest(%(hubs)s::text[], %(alarms)s::text[]) k (hub, alarm)
             join alarms a on a.hub = k.hub and a.given_id = k.alarm group by 1, 2""",
        hubs=[one.hub for one in kept],
        alarms=[one.alarm for one in kept],
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def refused(conn: Connection, kept: Sequence[Kept]) -> set[tuple[str, str]]:
    """Which of these alarms' bytes were set aside."""
    rows = await _rows(
        conn,
        """select distinct k.hub, k.alarm
             from unnest(%(hubs)s::text[], %(alarms)s::text[]) k (hub, alarm)
             join unreadable u on u.topic = 'telecare/v1/' || k.hub || '/alarm'
                              and position(convert_to(k.alarm, 'UTF8') in u.payload) > 0""",
        hubs=[one.hub for one in kept],
        alarms=[one.alarm for one in kept],
    )
    return {(row[0], row[1]) for row in rows}
