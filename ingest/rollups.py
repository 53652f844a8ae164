"""Roll-ups: readings summed up by the hour and by the day, our own in every kind of store.

Each reading is folded in once, in the transaction that moves the feed's cursor, so a restart neither loses nor doubles
one, and a late reading corrects the hour and the day in which it happened.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from telecare import feed
from telecare.db import Connection, Pool, database_now
from telecare.settings import Settings

CONSUMER: Final = "rollups"

_FIGURES: Final = """
    count(*)::integer as n, sum(f.value) as total, min(f.value) as least, max(f.value) as greatest,
    min(f.at) as first_at, (array_agg(f.value order by f.at))[1] as first_value,
    max(f.at) as last_at, (array_agg(f.value order by f.at desc))[1] as last_value
"""
_COLUMNS: Final = "n, total, least, greatest, first_at, first_value, last_at, last_value"
_MERGE: Final = """
    set n = r.n + excluded.n, total = r.total + excluded.total,
        least = least(r.least, excluded.least), greatest = greatest(r.greatest, excluded.greatest),
        first_at = least(r.first_at, excluded.first_at),
        first_value = case when excluded.first_at < r.first_at then excluded.first_value else r.first_value end,
        last_at = greatest(r.last_at, excluded.last_at),
        last_value = case when excluded.last_at > r.last_at then excluded.last_value else r.last_value end
"""
# Read where it lies: to fetch the readings and send them back would cost more than to sum them up.
_FED: Final = f"""
    (select u.* from readings_feed f, unnest(f.series_ids, f.ats, f.vals) u (series_id, at, value)
      where {feed.IN_SPAN}) f
"""  # noqa: S608
# What is stored but not folded in yet is still to come: a recomputation leaves it out.
_FOLDED: Final = """
    not exists (select 1 from readings_feed u, feed_cursors k, unnest(u.series_ids, u.ats) one (series_id, at)
                 where k.consumer = 'rollups' and (u.xid, u.n) > (k.xid, k.n)
                   and one.series_id = f.series_id and one.at = f.at)
"""


@dataclass(frozen=True, slots=True)
class Span:
    """One kind of roll-up: its table, its key, and the SQL that says into which one an instant `f.at` falls."""

    table: str
    key: str
    bucket: str
    after: Callable[[datetime], datetime | date]  # the last key that may rest on raw readings that are no longer kept
    joins: str = ""

    def summed(self, source: str, where: str) -> str:
        """What the readings of `source` amount to."""
        return (
            f"select f.series_id, {self.bucket} as {self.key}, {_FIGURES} from {source} {self.joins}"  # noqa: S608
            f" where {where} group by 1, 2"
        )

    def insert(self, source: str, where: str) -> str:
        """Write that into the table."""
        return f"insert into {self.table} as r (series_id, {self.key}, {_COLUMNS}) {self.summed(source, where)}"


HOURLY: Final = Span("rollups_hourly", "at", "date_trunc('hour', f.at, 'UTC')", lambda oldest: oldest)
DAILY: Final = Span(
    "rollups_daily",
    "day",
    "(f.at at time zone c.timezone)::date",
    lambda oldest: oldest.date() + timedelta(days=1),  # wherever on earth it is
    """join series s on s.id = f.series_id join hubs h on h.name = s.hub join homes o on o.id = h.home_id
       join councils c on c.id = o.council_id""",
)


class Rollups:
    """Keeps the roll-ups up to date."""

    def __init__(
        self, pool: Pool, settings: Settings, now_of: Callable[[Connection], Awaitable[datetime]] = database_now
    ) -> None:
        self.pool, self.settings, self.now_of = pool, settings, now_of

    async def join(self) -> None:
        """Begin to be fed."""
        async with self.pool.connection() as conn:
            await feed.join(conn, CONSUMER, await self.now_of(conn))

    async def step(self) -> bool:
        """Fold in the next commits' readings; False when there are none."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            taken = await feed.advance(conn, CONSUMER, now)
            if taken is None:
                return False
            values = taken.values | {"oldest": self._oldest(now)}
            for span in (HOURLY, DAILY):
                # Among what is older than the raw readings that are kept, a repeat could not be told from a new one.
                fold = (
                    f"{span.insert(_FED, 'f.at > %(oldest)s')} on conflict (series_id, {span.key}) do update {_MERGE}"
                )
                await conn.execute(fold.encode(), values)
            return True

    async def rebuild(self) -> int:
        """Compute all roll-ups anew for which the raw readings are still kept; how many there are now."""
        made = 0
        async with self.pool.connection() as conn, conn.transaction():
            oldest = await self._alone(conn)
            for span in (HOURLY, DAILY):
                values = {"after": span.after(oldest)}
                await conn.execute(f"delete from {span.table} where {span.key} > %(after)s".encode(), values)  # noqa: S608
                cursor = await conn.execute(
                    span.insert("readings f", f"{span.bucket} > %(after)s and {_FOLDED}").encode(), values
                )
                made += cursor.rowcount
        return made

    async def check(self) -> list[str]:
        """Where the roll-ups differ from what the raw readings amount to: a line each, at most 20."""
        found: list[str] = []
        async with self.pool.connection() as conn, conn.transaction():
            oldest = await self._alone(conn)
            for span in (HOURLY, DAILY):
                rows = await (await conn.execute(_compare(span).encode(), {"after": span.after(oldest)})).fetchall()
                found += [_difference(span, row) for row in rows]
        return found[:20]

    async def _alone(self, conn: Connection) -> datetime:
        """Hold the cursor, so that nobody folds meanwhile; and take the time this needs."""
        await conn.execute("set local statement_timeout = 0")
        await conn.execute("select 1 from feed_cursors where consumer = %s for update", (CONSUMER,))
        return self._oldest(await self.now_of(conn))

    def _oldest(self, now: datetime) -> datetime:
        return now - timedelta(days=self.settings.readings_keep_days)


def _compare(span: Span) -> str:
    """Rows that differ. Sums depend on the order of adding in their last digits, and may differ there."""
    raw = span.summed("readings f", f"{span.bucket} > %(after)s and {_FOLDED}")
    return f"""
        select coalesce(k.series_id, r.series_id), coalesce(k.{span.key}, r.{span.key}), k.n, r.n
          from (select * from {span.table} where {span.key} > %(after)s) k
          full join ({raw}) r on r.series_id = k.series_id and r.{span.key} = k.{span.key}
         where (k.n, k.least, k.greatest, k.first_at, k.first_value, k.last_at, k.last_value)
               is distinct from (r.n, r.least, r.greatest, r.first_at, r.first_value, r.last_at, r.last_value)
            or abs(k.total - r.total) > 1e-9 * (1 + abs(r.total))
         order by 1, 2 limit 20
    """  # noqa: S608  (our own words)


def _difference(span: Span, row: tuple[Any, ...]) -> str:
    series, key, kept, raw = row
    return f"{span.table}: series {series}, {key}: {kept or 0} readings rolled up, {raw or 0} in the store"
