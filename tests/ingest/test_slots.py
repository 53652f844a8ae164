"""Places of ingest processes: one process each, and what one has left is taken by another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ingest.slots import LEASE_S, Keeper, SlotLost, Slots
from telecare.clock import SystemClock
from telecare.db import Connection
from tests.helpers import until

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(seconds=LEASE_S)


@asynccontextmanager
async def a_process(database_url: str) -> AsyncIterator[tuple[Slots, Connection]]:
    """A process's places, and the connection that ends with it: at the server too, when this returns."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
        backend = conn.info.backend_pid
        yield Slots("readings"), conn
    # The server gives the locks back when its own side has ended, a moment after ours.
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
        await until(lambda: _has_ended(conn, backend))


async def _has_ended(conn: Connection, backend: int) -> bool:
    cursor = await conn.execute("select 1 from pg_stat_activity where pid = %s", (backend,))
    return await cursor.fetchone() is None


async def test_each_process_has_a_place_of_its_own(database_url: str) -> None:
    async with a_process(database_url) as (one, conn), a_process(database_url) as (two, conn_two):
        assert await one.claim(conn, NOON) == 1
        assert await two.claim(conn_two, NOON) == 2
        assert await one.adopt(conn, NOON) is None
        assert await two.adopt(conn_two, NOON) is None
        # Lanes do not know each other's.
        assert await Slots("alarms").claim(conn, NOON) == 1


async def test_the_place_of_a_process_that_died_is_free_at_once(database_url: str) -> None:
    async with a_process(database_url) as (one, conn):
        assert await one.claim(conn, NOON) == 1
    async with a_process(database_url) as (two, conn):
        assert await two.claim(conn, NOON) == 1


async def test_the_place_of_a_process_that_is_frozen_is_free_when_its_lease_ends(database_url: str) -> None:
    async with a_process(database_url) as (frozen, conn), a_process(database_url) as (other, conn_two):
        assert await frozen.claim(conn, NOON) == 1
        assert await other.claim(conn_two, NOON) == 2
        just_before = LATER - timedelta(seconds=1)
        await other.renew(conn_two, just_before)
        assert await other.adopt(conn_two, just_before) is None
        assert await other.adopt(conn_two, LATER) == 1
        with pytest.raises(SlotLost):
            await frozen.renew(conn, LATER)


async def test_a_place_that_was_emptied_is_nobodys_and_is_given_out_again(database_url: str) -> None:
    async with a_process(database_url) as (heir, conn):
        assert await heir.claim(conn, NOON) == 1
        async with a_process(database_url) as (dead, conn_two):
            assert await dead.claim(conn_two, NOON) == 2
        assert await heir.adopt(conn, NOON) == 2
        await heir.forget(conn, 2)
        await heir.renew(conn, NOON)
        async with a_process(database_url) as (new, conn_two):
            assert await new.claim(conn_two, NOON) == 2
            assert await heir.adopt(conn, NOON) is None


async def test_a_process_that_goes_gives_its_place_back(database_url: str) -> None:
    async with a_process(database_url) as (one, conn), a_process(database_url) as (two, conn_two):
        assert await one.claim(conn, NOON) == 1
        await one.give_back(conn, NOON)
        assert await two.claim(conn_two, NOON) == 1


async def test_a_connection_that_is_lost_loses_no_place(database_url: str) -> None:
    keeper = Keeper(database_url, Slots("readings"), SystemClock())
    try:
        assert await keeper.claim() == 1
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
            await conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'telecare-slots'"
            )
        with pytest.raises(psycopg.OperationalError):
            await keeper.step()
        await keeper.step()
        async with a_process(database_url) as (other, conn_two):
            assert await other.claim(conn_two, datetime.now(UTC)) == 2  # the lock is ours again
    finally:
        await keeper.close()
