"""The feed of readings: every reading that was new, once, to each consumer, in whole commits.

Transactions commit out of order, so a plain "greater than the last number" loses rows. Here a consumer never passes the
oldest transaction that is still running; how far it lags is in `lag`. The cursor moves in the transaction that uses the
readings, so a consumer that dies has used each reading wholly or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from telecare.db import Connection


@dataclass(frozen=True, slots=True)
class Fed:
    """One new reading."""

    series_id: int
    at: datetime
    value: float


JOIN: Final = "insert into feed_cursors (consumer, moved_at) values (%s, %s) on conflict do nothing"


async def join(conn: Connection, consumer: str, now: datetime) -> None:
    """Become a consumer. A new one begins with what is still in the feed; the feed is kept until all have read it."""
    await conn.execute(JOIN, (consumer, now))


NEXT: Final = """
    select f.xid::text, f.n, f.series_ids, f.ats, f.vals from readings_feed f
     where (f.xid, f.n) > (%(xid)s::xid8, %(n)s) and f.xid < pg_snapshot_xmin(pg_current_snapshot())
     order by f.xid, f.n limit %(limit)s
"""


async def take(conn: Connection, consumer: str, now: datetime, commits: int = 50) -> Sequence[Fed]:
    """The next readings, of at most so many commits; the cursor moves past them when the caller's transaction commits.

    A second process with the same consumer's name waits until then.
    """
    row = await (
        await conn.execute("select xid::text, n from feed_cursors where consumer = %s for update", (consumer,))
    ).fetchone()
    if row is None:
        raise LookupError(f"{consumer} has not joined the feed")
    rows = await (await conn.execute(NEXT, {"xid": row[0], "n": row[1], "limit": commits})).fetchall()
    if not rows:
        return []
    await conn.execute(
        "update feed_cursors set xid = %s::xid8, n = %s, moved_at = %s where consumer = %s",
        (rows[-1][0], rows[-1][1], now, consumer),
    )
    return [
        Fed(*reading) for _, _, series_ids, ats, values in rows for reading in zip(series_ids, ats, values, strict=True)
    ]


async def prune(conn: Connection) -> int:
    """Delete what every consumer has read; how many commits that were."""
    cursor = await conn.execute(
        """delete from readings_feed f using (select xid, n from feed_cursors order by xid, n limit 1) last
            where (f.xid, f.n) <= (last.xid, last.n)"""
    )
    return cursor.rowcount


async def lag(conn: Connection, now: datetime) -> dict[str, float]:
    """How old the oldest unread reading of each consumer is, in seconds since it arrived; 0 where all is read."""
    rows = await (
        await conn.execute(
            """select c.consumer, coalesce(extract(epoch from %s - min(f.received_at)), 0)
                 from feed_cursors c left join readings_feed f on (f.xid, f.n) > (c.xid, c.n) group by c.consumer""",
            (now,),
        )
    ).fetchall()
    return {consumer: max(0.0, float(seconds)) for consumer, seconds in rows}


_RANKED: Final = """
    create temporary table ranked on commit drop as
    select *, row_number() over (order by xid, n) - count(*) over () - 1 as place from readings_feed
"""
_MOVE_CURSORS: Final = """
    update feed_cursors c set xid = pg_current_xact_id(), n = seen.place
      from (select c.consumer, coalesce(max(r.place), -9223372036854775808) as place
              from feed_cursors c left join ranked r on (r.xid, r.n) <= (c.xid, c.n) group by c.consumer) seen
     where c.consumer = seen.consumer
"""
_REWRITE: Final = """
    insert into readings_feed (n, received_at, series_ids, ats, vals)
    select place, received_at, series_ids, ats, vals from ranked
"""


async def rebase(conn: Connection) -> None:
    """Put the feed in the order of this server's transactions: needed once after a restore from another server.

    Transaction numbers mean nothing elsewhere. What had been read stays read, what had not stays to be read.
    """
    async with conn.transaction():
        await conn.execute("lock table readings_feed, feed_cursors in exclusive mode")
        await conn.execute(_RANKED)
        await conn.execute(_MOVE_CURSORS)
        await conn.execute("delete from readings_feed")
        await conn.execute(_REWRITE)
