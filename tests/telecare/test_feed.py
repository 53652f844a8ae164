"""The feed of readings: each new reading once to each consumer, whatever the order of commits."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ingest import readings_store as store
from telecare import feed
from telecare.db import Connection, Pool
from telecare.register.homes import add_home, enrol_hub, home_to_be_described
from tests.helpers import columns

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
async def series(pool: Pool) -> int:
    """A series to write to, and the consumer `watcher`."""
    async with pool.connection() as conn:
        await enrol_hub(conn, "hub-1", await add_home(conn, home_to_be_described("hub-1")))
        await feed.join(conn, "watcher", NOW)
        return (await store.series_ids(conn, [("hub-1", "pir", "motion")]))[("hub-1", "pir", "motion")]


async def save(conn: Connection, series: int, *minutes: int) -> int:
    return await store.save_readings(
        conn, columns((series, NOW + timedelta(minutes=m), float(m)) for m in minutes), NOW
    )


async def read(pool: Pool, consumer: str = "watcher", commits: int = 50) -> list[float]:
    async with pool.connection() as conn, conn.transaction():
        return [fed.value for fed in await feed.take(conn, consumer, NOW, commits)]


async def test_a_reading_is_fed_once_and_a_repeat_not_at_all(pool: Pool, series: int) -> None:
    async with pool.connection() as conn:
        assert await save(conn, series, 1, 2) == 2
        assert await save(conn, series, 2, 3) == 1
        assert await save(conn, series, 3) == 0
    assert await read(pool) == [1, 2, 3]
    assert await read(pool) == []


async def test_a_commit_that_comes_late_is_not_passed_by(pool: Pool, series: int) -> None:
    async with pool.connection() as slow:
        async with slow.transaction():
            await save(slow, series, 1)
            async with pool.connection() as quick:
                await save(quick, series, 2)
            assert await read(pool) == []  # 2 is committed, but 1 may still come before it
        assert await read(pool) == [1, 2]


async def test_a_consumer_that_dies_reads_again(pool: Pool, series: int) -> None:
    async with pool.connection() as conn:
        await save(conn, series, 1)
    async with pool.connection() as conn, conn.transaction():
        assert len(await feed.take(conn, "watcher", NOW)) == 1
        raise psycopg.Rollback
    assert await read(pool) == [1]


async def test_the_feed_is_read_in_pieces_and_kept_until_all_have_read_it(pool: Pool, series: int) -> None:
    async with pool.connection() as conn:
        await feed.join(conn, "late", NOW)
        for minute in range(5):
            await save(conn, series, minute)
    assert await read(pool, commits=3) == [0, 1, 2]
    async with pool.connection() as conn:
        assert await feed.prune(conn) == 0
        assert await feed.lag(conn, NOW + timedelta(seconds=7)) == {"watcher": 7.0, "late": 7.0}
    assert await read(pool, "late", commits=2) == [0, 1]
    async with pool.connection() as conn:
        assert await feed.prune(conn) == 2
    assert await read(pool) == [3, 4]
    assert await read(pool, "late") == [2, 3, 4]
    async with pool.connection() as conn:
        assert await feed.lag(conn, NOW) == {"watcher": 0.0, "late": 0.0}


async def test_who_has_not_joined_is_told_so(pool: Pool, series: int) -> None:
    with pytest.raises(LookupError, match="stranger"):
        await read(pool, "stranger")


async def test_a_feed_from_another_server_goes_on_where_it_was(pool: Pool, series: int) -> None:
    async with pool.connection() as conn:
        await feed.join(conn, "late", NOW)
        for minute in range(4):
            await save(conn, series, minute)
    assert await read(pool, commits=2) == [0, 1]
    async with pool.connection() as conn:
        # What a restore leaves: numbers of a server that had seen many more transactions than this one.
        for table in ("readings_feed", "feed_cursors"):
            await conn.execute(f"update {table} set xid = (xid::text::bigint + 1000000)::text::xid8 where xid > '0'")  # noqa: S608
    assert await read(pool) == []
    for _ in range(2):
        async with pool.connection() as conn:
            await feed.rebase(conn)
    async with pool.connection() as conn:
        await save(conn, series, 9)
    assert await read(pool) == [2, 3, 9]
    assert await read(pool, "late") == [0, 1, 2, 3, 9]


async def test_a_row_whose_columns_do_not_match_cannot_be_written(pool: Pool, series: int) -> None:
    async with pool.connection() as conn:
        with pytest.raises(psycopg.errors.CheckViolation):
            await conn.execute(
                "insert into readings_feed (received_at, series_ids, ats, vals) values (%s, %s, %s, %s)",
                (NOW, [1, 2], [NOW], [1.0]),
            )
