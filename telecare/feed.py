"""The feed of readings: every reading that was new, once, to each consumer, in whole commits.

Transactions commit out of order, so a plain "greater than the last number" loses rows. Here a consumer never passes the
oldest transaction that is still running; how far it lags is in `lag`. The cursor moves in the transaction that uses the
readings, so a consumer that dies has used each reading wholly or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

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


_LAST: Final = """
    select next.xid::text, next.n from (
        select f.xid, f.n from readings_feed f
         where (f.xid, f.n) > (%(xid)s::xid8, %(n)s) and f.xid < pg_snapshot_xmin(pg_current_snapshot())
         order by f.xid, f.n limit %(limit)s) next
     order by next.xid desc, next.n desc limit 1
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive commits of the feed: after the first place, up to and with the last."""

    after: tuple[str, int]
    last: tuple[str, int]

    @property
    def values(self) -> dict[str, Any]:
        """What `IN_SPAN` needs."""
        return {"after_xid": self.after[0], "after_n": self.after[1], "last_xid": self.last[0], "last_n": self.last[1]}


IN_SPAN: Final = """(f.xid, f.n) > (%(after_xid)s::xid8, %(after_n)s::bigint)
                    and (f.xid, f.n) <= (%(last_xid)s::xid8, %(last_n)s::bigint)"""
_READINGS: Final = f"select f.series_ids, f.ats, f.vals from readings_feed f where {IN_SPAN} order by f.xid, f.n"  # noqa: S608


async def advance(conn: Connection, consumer: str, now: datetime, commits: int = 50) -> Span | None:
    """Move the cursor past the next commits, at most so many: which they are, or None where there are none.

    The cursor has moved when the caller's transaction commits; a second process with the same consumer's name waits
    until then.
    """
    row = await (
        await conn.execute("select xid::text, n from feed_cursors where consumer = %s for update", (consumer,))
    ).fetchone()
    if row is None:
        raise LookupError(f"{consumer} has not joined the feed")
    last = await (await conn.execute(_LAST, {"xid": row[0], "n": row[1], "limit": commits})).fetchone()
    if last is None:
        return None
    await conn.execute(
        "update feed_cursors set xid = %s::xid8, n = %s, moved_at = %s where consumer = %s",
        (last[0], last[1], now, consumer),
    )
    return Span((row[0], row[1]), (last[0], last[1]))


async def take(conn: Connection, consumer: str, now: datetime, commits: int = 50) -> Sequence[Fed]:
    """The next readings, of at most so many commits, moving the cursor as `advance` does."""
    span = await advance(conn, consumer, now, commits)
    if span is None:
        return []
    # As bytes and not as text: a long array of times is slow to write and slow to read.
    async with conn.cursor(binary=True) as cursor:
        rows = await (await cursor.execute(_READINGS.encode(), span.values)).fetchall()
    return [Fed(*reading) for columns in rows for reading in zip(*columns, strict=True)]


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
