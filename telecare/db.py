"""The database pool, and the database's clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from telecare.errors import CannotStart

Connection = AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]


@asynccontextmanager
async def open_pool(
    database_url: str, *, name: str, size: int = 4, open_timeout_s: float = 15.0, statement_timeout_s: float = 15.0
) -> AsyncIterator[Pool]:
    """A pool of up to `size` connections, known to the server as `name`.

    Raises:
        CannotStart: no connection could be made in `open_timeout_s` seconds.
    """
    pool: Pool = AsyncConnectionPool(
        database_url,
        min_size=1,
        max_size=size,
        open=False,
        timeout=open_timeout_s,
        check=AsyncConnectionPool.check_connection,
        reconnect_timeout=5,
        kwargs={
            "application_name": f"telecare-{name}",
            "connect_timeout": 5,
            "options": f"-c timezone=UTC -c statement_timeout={int(statement_timeout_s * 1000)}",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )
    try:
        await pool.open(wait=True, timeout=open_timeout_s)
    except (PoolTimeout, psycopg.OperationalError) as problem:
        await pool.close()
        raise CannotStart(f"the database cannot be reached in {open_timeout_s:g} s ({problem})") from problem
    try:
        yield pool
    finally:
        await pool.close(timeout=5)


async def database_now(conn: Connection) -> datetime:
    """The database's time: the one clock of all services."""
    cursor = await conn.execute("select clock_timestamp()")
    row = await cursor.fetchone()
    assert row is not None
    now: datetime = row[0]
    return now
