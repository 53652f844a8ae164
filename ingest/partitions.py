"""How readings lie on disk: a TimescaleDB hypertable where the extension is installed in the database, else a partition
of PostgreSQL's own for each day. Everything else reads and writes `readings` and need not know.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Protocol

import psycopg
from psycopg import sql

from telecare.db import Connection

_LOCK: Final = 7_352_273_003  # pg_advisory_lock key: one maker of partitions at a time
_BATCH: Final = 10_000  # old readings deleted from the default partition in one statement
CHUNK: Final = timedelta(days=1)
COMPRESS_AFTER: Final = timedelta(days=8)  # a hub that was cut off for a week still writes into chunks as they were


@dataclass(frozen=True, slots=True)
class Described:
    """What there is, for people."""

    engine: str
    pieces: int
    bytes: int


class Engine(Protocol):
    """Where readings lie."""

    async def make_ahead(self, conn: Connection, today: date, back: int, ahead: int) -> int:
        """Make room for the days from `back` days ago to `ahead` days ahead; how many pieces are new."""
        ...

    async def retire(self, conn: Connection, before: datetime) -> int:
        """Give back the room of whole days that ended before that; how many pieces went. Called again until 0."""
        ...

    async def describe(self, conn: Connection) -> Described:
        """What there is."""
        ...


async def engine_of(conn: Connection) -> Engine:
    """The engine of this database's readings."""
    row = await (await conn.execute("select relkind from pg_class where oid = 'readings'::regclass")).fetchone()
    return Native() if row == ("p",) else Timescale()


class Native:
    """A partition for each day (UTC), and one for everything else, so that no time is refused."""

    async def make_ahead(self, conn: Connection, today: date, back: int, ahead: int) -> int:
        async with conn.transaction():
            await conn.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            exist = set(await self._partitions(conn))
            days = [today + timedelta(days=offset) for offset in range(-back, ahead + 1)]
            new = [day for day in days if _name(day) not in exist]
            if new:
                # Who writes meanwhile would write into the default partition what belongs into the new one.
                await conn.execute("lock table readings in share row exclusive mode")
            for day in new:
                await _make_partition(conn, day)
        return len(new)

    async def _partitions(self, conn: Connection) -> list[str]:
        rows = await (
            await conn.execute(
                "select inhrelid::regclass::text from pg_inherits where inhparent = 'readings'::regclass order by 1"
            )
        ).fetchall()
        return [row[0] for row in rows]

    async def retire(self, conn: Connection, before: datetime) -> int:
        last = _name((before - timedelta(days=1)).date())
        old = [name for name in await self._partitions(conn) if name != "readings_default" and name <= last]
        for name in old:
            await conn.execute(sql.SQL("drop table {}").format(sql.Identifier(name)))
        cursor = await conn.execute(
            """delete from readings_default where ctid = any(array(
                   select ctid from readings_default where at < %s limit %s))""",
            (before, _BATCH),
        )
        return len(old) + (1 if cursor.rowcount else 0)

    async def describe(self, conn: Connection) -> Described:
        names = await self._partitions(conn)
        row = await (
            await conn.execute(
                """select coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint from pg_inherits
                    where inhparent = 'readings'::regclass"""
            )
        ).fetchone()
        assert row is not None
        return Described("PostgreSQL partitions", len(names), row[0])


def _name(day: date) -> str:
    return f"readings_{day:%Y%m%d}"


async def _make_partition(conn: Connection, day: date) -> None:
    """A day's partition; readings of that day that are in the default partition move over."""
    name = sql.Identifier(_name(day))
    begin, end = (sql.Literal(f"{d.isoformat()} 00:00:00+00") for d in (day, day + timedelta(days=1)))
    await conn.execute(sql.SQL("create table {} (like readings including all)").format(name))
    await conn.execute(
        sql.SQL(
            """with moved as (delete from readings_default where at >= {} and at < {} returning *)
               insert into {} select * from moved"""
        ).format(begin, end, name)
    )
    await conn.execute(
        sql.SQL("alter table readings attach partition {} for values from ({}) to ({})").format(name, begin, end)
    )


class Timescale:
    """A hypertable: TimescaleDB makes chunks as readings come, and compresses old ones by itself."""

    async def make_ahead(self, conn: Connection, today: date, back: int, ahead: int) -> int:
        return 0

    async def retire(self, conn: Connection, before: datetime) -> int:
        midnight = datetime.combine(before.astimezone(UTC).date(), time(), UTC)
        rows = await (await conn.execute("select drop_chunks('readings', older_than => %s)", (midnight,))).fetchall()
        return len(rows)

    async def describe(self, conn: Connection) -> Described:
        row = await (
            await conn.execute(
                """select (select extversion from pg_extension where extname = 'timescaledb'),
                          (select count(*) from timescaledb_information.chunks where hypertable_name = 'readings'),
                          coalesce(hypertable_size('readings'), 0)"""
            )
        ).fetchone()
        assert row is not None
        return Described(f"TimescaleDB {row[0]}", row[1], row[2])


# ---------------------------------------------------------------- from the one to the other


def move_to_timescale(conn: psycopg.Connection[Any]) -> int | None:
    """Move partitioned readings into a hypertable, where the extension is installed; how many, or None: nothing to do.

    One transaction: ingest waits, and goes on writing into the new table. Called by `telecare migrate`.

    Raises:
        RuntimeError: not as many readings arrived as there were; nothing has changed.
    """
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        if not _is_due(conn):
            return None
        conn.execute("set local statement_timeout = 0")
        conn.execute("lock table readings in access exclusive mode")
        conn.execute("alter table readings rename to readings_before")
        conn.execute("alter index readings_pkey rename to readings_before_pkey")
        conn.execute(
            """create table readings (
                   series_id integer not null, at timestamptz not null, value double precision not null,
                   received_at timestamptz not null, primary key (series_id, at))"""
        )
        conn.execute("select create_hypertable('readings', by_range('at', %s::interval))", (CHUNK,))
        moved = conn.execute("insert into readings select * from readings_before").rowcount
        row = conn.execute("select (select count(*) from readings_before), (select count(*) from readings)").fetchone()
        if row is None or row[0] != row[1]:
            raise RuntimeError(f"of {row and row[0]} readings {row and row[1]} arrived in the hypertable")
        conn.execute("drop table readings_before cascade")
        conn.execute(
            """alter table readings set (timescaledb.compress, timescaledb.compress_segmentby = 'series_id',
                                         timescaledb.compress_orderby = 'at')"""
        )
        conn.execute("select add_compression_policy('readings', %s::interval)", (COMPRESS_AFTER,))
        return moved


def _is_due(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute(
        """select exists (select 1 from pg_extension where extname = 'timescaledb')
                  and (select relkind = 'p' from pg_class where oid = 'readings'::regclass)"""
    ).fetchone()
    return row is not None and bool(row[0])
