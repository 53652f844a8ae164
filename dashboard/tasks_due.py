"""How many tasks are due, read once for all pages."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

import psycopg

from alerts.tasks_store import count_due
from telecare.db import Pool, database_now

log = logging.getLogger(__name__)

READ_EVERY_S: Final = 5.0
AHEAD: Final = timedelta(hours=24)  # what is due within this is counted
_READ_WITHIN_S: Final = 4.0


class TasksDue:
    """The numbers beside *Tasks* at the top of each page, as of a few seconds ago."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.now: tuple[int, int] = (0, 0)  # due within a day or overdue; overdue

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self.step()
            except (psycopg.OperationalError, TimeoutError):
                pass  # the pages say themselves that the database is away
            except Exception:
                log.exception("tasks could not be counted", extra={"event": "tasks_uncounted"})
            await asyncio.sleep(READ_EVERY_S)

    async def step(self) -> None:
        """Read once."""
        async with asyncio.timeout(_READ_WITHIN_S), self._pool.connection(_READ_WITHIN_S) as conn:
            now = await database_now(conn)
            self.now = await count_due(conn, now + AHEAD, now)
