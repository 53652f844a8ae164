"""One suite for every way in which readings lie on disk: PostgreSQL's partitions, TimescaleDB in WebAssembly (where npm
and its packages can be had), and a real TimescaleDB (where TELECARE_TEST_TIMESCALE_URL names an empty database).

PGlite serves one connection at a time and ends with COPY FROM: so each test has one connection, and copies nothing.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest import readings_store as store
from ingest.partitions import Native, Timescale, engine_of, move_to_timescale
from telecare import feed
from telecare.db import Connection
from telecare.deploy.backup import EMPTY_SCHEMA
from telecare.migrate import migrate
from telecare.processes import free_port
from telecare.register.homes import add_home, enrol_hub, home_to_be_described
from tests.conftest import wait_for_port
from tests.helpers import columns

HERE = Path(__file__).parent / "pglite"
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REAL = os.environ.get("TELECARE_TEST_TIMESCALE_URL")


def days(number: float) -> timedelta:
    return timedelta(days=number)


@pytest.fixture(scope="module")
def pglite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PGlite with TimescaleDB; its URL."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("needs npm and node")
    folder = tmp_path_factory.mktemp("pglite")
    for file in HERE.iterdir():
        shutil.copy(file, folder)
    # `ci`: exactly the versions of the lock file, each checked by its hash.
    got = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True, check=False
    )
    if got.returncode:
        pytest.skip("needs the packages of PGlite from npm")
    port = free_port()
    with subprocess.Popen(["node", "server.mjs", str(port)], cwd=folder, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            wait_for_port(port)
            yield f"postgresql://postgres:any@127.0.0.1:{port}/postgres?sslmode=disable"
        finally:
            process.terminate()


@pytest.fixture(params=["partitions", "pglite", "timescale"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "partitions":
        yield request.getfixturevalue("empty_database_url")
        return
    if request.param == "timescale" and REAL is None:
        pytest.skip("needs TELECARE_TEST_TIMESCALE_URL")
    url: str = REAL if request.param == "timescale" else request.getfixturevalue("pglite")
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("create extension if not exists timescaledb")
        conn.execute(EMPTY_SCHEMA)
    yield url


class Place:
    """A migrated database, and a series to write to."""

    def __init__(self, conn: Connection, series: int) -> None:
        self.conn, self.series = conn, series

    async def save(self, *instants: datetime) -> int:
        rows = [(self.series, at, float(n)) for n, at in enumerate(instants)]
        return await store.save_readings(self.conn, columns(rows), NOON)

    async def instants(self) -> list[datetime]:
        cursor = await self.conn.execute("select at from readings order by at")
        return [row[0] for row in await cursor.fetchall()]


@pytest.fixture
async def readings(place: str) -> AsyncIterator[Place]:
    await asyncio.to_thread(migrate, place)
    async with await psycopg.AsyncConnection.connect(place, autocommit=True, options="-c timezone=UTC") as conn:
        await enrol_hub(conn, "hub-1", await add_home(conn, home_to_be_described("hub-1")))
        numbers = await store.series_ids(conn, [("hub-1", "env-1", "temperature")])
        await feed.join(conn, "watcher", NOON)
        yield Place(conn, numbers[("hub-1", "env-1", "temperature")])


async def test_the_same_reading_twice_is_one_and_is_fed_once(readings: Place) -> None:
    assert await readings.save(NOON, NOON + timedelta(seconds=1)) == 2
    assert await readings.save(NOON) == 0
    async with readings.conn.transaction():
        fed = await feed.take(readings.conn, "watcher", NOON)
    assert [one.at for one in fed] == [NOON, NOON + timedelta(seconds=1)]
    assert await readings.instants() == [NOON, NOON + timedelta(seconds=1)]


async def test_no_time_is_refused(readings: Place) -> None:
    engine = await engine_of(readings.conn)
    await engine.make_ahead(readings.conn, NOON.date(), 7, 3)
    far = [datetime(1970, 1, 1, tzinfo=UTC), NOON - days(400), NOON, NOON + days(300)]
    assert await readings.save(*far) == 4
    assert await readings.instants() == far


async def test_room_is_made_once_and_what_lies_elsewhere_moves_in(readings: Place) -> None:
    await readings.save(NOON, NOON - days(2))
    engine = await engine_of(readings.conn)
    first = await engine.make_ahead(readings.conn, NOON.date(), 3, 2)
    assert first == (6 if isinstance(engine, Native) else 0)
    assert await engine.make_ahead(readings.conn, NOON.date(), 3, 2) == 0
    assert await readings.instants() == [NOON - days(2), NOON]
    assert await readings.save(NOON) == 0


async def test_what_is_old_goes_by_whole_days_and_nothing_else(readings: Place) -> None:
    engine = await engine_of(readings.conn)
    await engine.make_ahead(readings.conn, NOON.date(), 12, 1)
    kept = [NOON - days(10), NOON - days(9.9), NOON]
    await readings.save(NOON - days(100), NOON - days(12), NOON - days(11), *kept)
    while await engine.retire(readings.conn, NOON - days(10)):
        pass
    assert await readings.instants() == kept
    assert await engine.retire(readings.conn, NOON - days(10)) == 0


async def test_what_there_is_can_be_said(readings: Place) -> None:
    engine = await engine_of(readings.conn)
    await engine.make_ahead(readings.conn, NOON.date(), 0, 0)
    await readings.save(NOON)
    described = await engine.describe(readings.conn)
    assert described.engine.startswith("TimescaleDB" if isinstance(engine, Timescale) else "PostgreSQL partitions")
    assert described.pieces >= 1
    assert described.bytes > 0


async def test_late_readings_go_into_compressed_days(readings: Place) -> None:
    if isinstance(await engine_of(readings.conn), Native):
        pytest.skip("partitions are not compressed")
    await readings.save(*(NOON - days(20) + timedelta(minutes=n) for n in range(10)))
    await readings.conn.execute("select compress_chunk(c) from show_chunks('readings') c")
    late = NOON - days(20) + timedelta(seconds=30)
    assert await readings.save(late, NOON - days(20)) == 1
    assert late in await readings.instants()


async def test_partitions_move_into_a_hypertable_with_nothing_lost(place: str, readings: Place) -> None:
    if isinstance(await engine_of(readings.conn), Native):
        pytest.skip("needs TimescaleDB")
    # As a store was before the extension came: partitions, the default one, and readings in all of them.
    conn = readings.conn
    await conn.execute("drop table readings cascade")
    await conn.execute(
        """create table readings (
               series_id integer not null, at timestamptz not null, value double precision not null,
               received_at timestamptz not null, primary key (series_id, at)) partition by range (at)"""
    )
    await conn.execute("create table readings_default partition of readings default")
    await Native().make_ahead(conn, NOON.date(), 3, 1)
    before = [datetime(1970, 1, 1, tzinfo=UTC), NOON - days(3), NOON - days(1), NOON, NOON + days(9)]
    await readings.save(*before)
    hashed = "select md5(string_agg(t::text, '|' order by at)) from readings t"
    expected = await (await conn.execute(hashed.encode())).fetchone()
    await conn.close()

    with psycopg.connect(place, autocommit=True, options="-c timezone=UTC") as other:
        assert move_to_timescale(other) == 5
        assert other.execute(hashed.encode()).fetchone() == expected
        assert move_to_timescale(other) is None  # once is enough
        left: Any = other.execute("select count(*) from pg_class where relname like 'readings_2%'").fetchone()
        assert left == (0,)
        other.execute("insert into readings select series_id, now(), 1, now() from readings limit 1")
