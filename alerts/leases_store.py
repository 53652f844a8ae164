"""Every SQL statement about connected screens and the leases that hang on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from alerts import store
from alerts.domain import first_due
from alerts.leases import Claim, Screens, Verdict, judge
from alerts.settings import ladder
from telecare.db import Connection
from telecare.heartbeat import beat, well_since
from telecare.settings import Settings
from telecare.vocabulary import Priority

DASHBOARD: Final = "dashboard"  # as the pages' processes call themselves in their heartbeat
_AT_ONCE: Final = 100  # claims looked at in one round


@dataclass(frozen=True, slots=True)
class Console:
    """An open event stream, or one that has just ended. Spans are counted back from now."""

    id: UUID
    username: str
    opened_ago: timedelta
    closed_ago: timedelta | None = None


# One statement for all streams of a process. The ages become instants of the database's clock, the one clock of all.
SAY_SEEN: Final = """
    insert into consoles as old (id, username, opened_at, seen_at, closed_at)
    select id, username, now - opened, now - coalesce(closed, interval '0'), now - closed
      from (select clock_timestamp() as now) clock,
           unnest(%(ids)s::uuid[], %(names)s::text[], %(opened)s::interval[], %(closed)s::interval[])
           as c (id, username, opened, closed)
    on conflict (id) do update
       set seen_at = greatest(old.seen_at, excluded.seen_at),
           closed_at = case when excluded.closed_at is not null then greatest(old.opened_at, excluded.closed_at) end
"""


async def say_seen(conn: Connection, consoles: Sequence[Console]) -> None:
    """A dashboard's process says that it lives, and which screens are connected to it, in one transaction.

    Together, so that nobody reads that it works before what it has seen.
    """
    async with conn.transaction():
        if consoles:
            values = {
                "ids": [one.id for one in consoles],
                "names": [one.username for one in consoles],
                "opened": [one.opened_ago for one in consoles],
                "closed": [one.closed_ago for one in consoles],
            }
            await conn.execute(SAY_SEEN, values)
        await beat(conn, DASHBOARD, {})


# Claims whose owner's screens have not been seen for the lease: whether they end is for `leases.judge` to say.
SILENT: Final = """
    select a.id, a.priority, a.version, a.claimed_by, a.claimed_at, seen.last, coalesce(s.display_name, a.claimed_by)
      from alerts a
      left join staff s on s.username = a.claimed_by
      cross join lateral (select max(c.seen_at) as last from consoles c where c.username = a.claimed_by) seen
     where a.closed_at is null and a.claimed_by is not null and seen.last < %(before)s and a.claimed_at < %(before)s
       and seen.last > a.claimed_at - %(lease)s::interval
     order by a.priority, a.id limit %(most)s for no key update of a skip locked
"""
# The old owner and version are named, and a screen that has come back meanwhile keeps its owner.
EXPIRE: Final = """
    update alerts a set state = 'raised', claimed_by = null, claimed_at = null, was_with = %(owner)s,
                        waiting_since = %(now)s, step = 0, due_at = %(due_at)s, missed = 0, missed_at = null,
                        version = version + 1
     where id = %(id)s and version = %(version)s and claimed_by = %(owner)s and closed_at is null
       and not exists (select 1 from consoles c where c.username = %(owner)s and c.seen_at > %(last_seen)s)
"""


async def expire_lost(conn: Connection, settings: Settings, now: datetime) -> int:
    """Put alerts whose owner's screens are lost back into the queue, inside the caller's transaction; how many."""
    working_since = await well_since(conn, DASHBOARD, now)
    if working_since is None:
        return 0
    lease = timedelta(seconds=settings.claim_lease_s)
    cursor = await conn.execute(SILENT, {"before": now - lease, "lease": lease, "most": _AT_ONCE})
    expired: list[int] = []
    for alert_id, priority, version, owner, claimed_at, last_seen, name in await cursor.fetchall():
        claim = Claim(owner=owner, claimed_at=claimed_at, last_seen=last_seen)
        if judge(claim, working_since, now, lease) is Verdict.KEEP:
            continue
        values = {
            "id": alert_id, "version": version, "owner": owner, "last_seen": last_seen, "now": now,
            "due_at": first_due(Priority(priority), now, ladder(settings)),
        }  # fmt: skip
        if (await conn.execute(EXPIRE, values)).rowcount == 1:
            await store.log(conn, alert_id, now, "system", "claim-expired", {"was_with": name})
            await store.log(conn, alert_id, now, "system", "re-sounded", {"because": "the claim ran out"})
            expired.append(alert_id)
    if expired:
        await store.publish_changes(conn, expired, now)
    return len(expired)


# ---------------------------------------------------------------- screens as the watchdog sees them

SCREENS: Final = """
    select (select max(c.seen_at) from consoles c join staff s on s.username = c.username
             where s.role in ('operator', 'supervisor')),
           (select min(raised_at) from alerts where closed_at is null and priority < %(technical)s)
"""


async def screens(conn: Connection, now: datetime) -> Screens:
    """What the database says of the screens."""
    row = await (await conn.execute(SCREENS, {"technical": Priority.TECHNICAL})).fetchone()
    assert row is not None
    return Screens(last_seen=row[0], open_since=row[1], working_since=await well_since(conn, DASHBOARD, now))
