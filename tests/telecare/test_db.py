"""The pool: a database that comes back is found soon, and a process that has stopped holds nothing for long."""

import asyncio
import random
from urllib.parse import urlsplit, urlunsplit

import pytest
from psycopg import AsyncConnection

from telecare.clock import SystemClock
from telecare.db import TRY_AGAIN, open_pool
from telecare.service import keep_doing
from tests.helpers import until
from tests.proxy import Proxy

CUT_S = 6.5
BACK_WITHIN_S = 7.0  # 3 s of waiting for a connection and 2 s between two attempts, and room for a busy machine


async def test_a_database_that_comes_back_is_found_within_seconds(database_url: str) -> None:
    done = 0
    wake = asyncio.Event()
    parts = urlsplit(database_url)
    async with Proxy(parts.port or 5432, random.Random(1)) as proxy:
        login = parts.netloc.rpartition("@")[0]
        url = urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))
        async with open_pool(url, name="cut", size=2) as pool:

            async def step() -> bool:
                nonlocal done
                async with pool.connection() as conn:
                    await conn.execute("select 1")
                done += 1
                return False

            working = asyncio.create_task(keep_doing(step, wake, SystemClock(), 0.1, "test"))
            try:
                await until(lambda: done > 1)
                proxy.cut()
                await asyncio.sleep(CUT_S)
                before = done
                proxy.mend()
                await until(lambda: done > before, BACK_WITHIN_S)
            finally:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)


async def test_a_transaction_in_which_nothing_is_said_is_ended_and_its_locks_are_free(database_url: str) -> None:
    async with (
        open_pool(database_url, name="stopped", idle_in_transaction_s=0.5) as pool,
        await AsyncConnection.connect(database_url, autocommit=True) as other,
    ):
        await other.execute("set lock_timeout = '20s'")

        async def stop_amid_work() -> None:
            async with pool.connection() as conn:
                await conn.execute("select n from alert_event_counter for update")
                await other.execute("select n from alert_event_counter for update")
                await conn.execute("select 1")

        with pytest.raises(TRY_AGAIN):
            await stop_amid_work()
        async with pool.connection() as conn:  # the pool has another
            await conn.execute("select 1")
