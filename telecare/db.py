"""The database pool, and the database's clock."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from telecare.errors import CannotStart

Connection = AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]
# The database is away, or has given up on our transaction because we were: the same may work in a moment.
TRY_AGAIN: Final = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)


@asynccontextmanager
async def open_pool(
    database_url: str,
    *,
    name: str,
    size: int = 4,
    open_timeout_s: float = 15.0,
    wait_s: float = 3.0,
    statement_timeout_s: float = 15.0,
    idle_in_transaction_s: float = 8.0,
) -> AsyncIterator[Pool]:
    """A pool of up to `size` connections, known to the server as `name`.

    A connection is waited for `wait_s` seconds; then the caller is told that there is none, and may ask again. The
    server ends a transaction in which nothing is said for `idle_in_transaction_s` seconds: a process that has stopped
    amid its work must not hold what others wait for.

    Raises:
        CannotStart: no connection could be made in `open_timeout_s` seconds.
    """
    pool: Pool = AsyncConnectionPool(
        database_url,
        min_size=1,
        max_size=size,
        open=False,
        timeout=wait_s,
        check=_still_there,
        # When the pool has given up, only somebody who asks anew makes it try again: so it is the sooner of the two.
        reconnect_timeout=wait_s * 2 / 3,
        kwargs={
            "application_name": f"telecare-{name}",
            "connect_timeout": 5,
            "options": f"-c timezone=UTC -c statement_timeout={int(statement_timeout_s * 1000)} "
            f"-c idle_in_transaction_session_timeout={int(idle_in_transaction_s * 1000)}",
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


async def _still_there(conn: Connection) -> None:
    """Ask the server only where it has said something unasked: mostly, that it ends. So a check costs no round trip.

    Raises:
        psycopg.OperationalError: the connection is gone.
    """
    unasked = select.poll()
    unasked.register(conn.fileno(), select.POLLIN)
    if unasked.poll(0):
        await AsyncConnectionPool.check_connection(conn)


async def database_now(conn: Connection) -> datetime:
    """The database's time: the one clock of all services."""
    cursor = await conn.execute("select clock_timestamp()")
    row = await cursor.fetchone()
    assert row is not None
    now: datetime = row[0]
    return now
