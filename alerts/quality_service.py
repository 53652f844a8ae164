"""Draws what is to be looked back at, once a month is over. It runs in the detection process, beside the tasks."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from alerts import quality_store
from alerts.quality import month_span, months_over
from telecare.clock import Clock
from telecare.db import Connection, Pool, database_now
from telecare.service import keep_doing_beside
from telecare.settings import Settings

_ZONE: Final = ZoneInfo("Europe/London")  # the control room's clock
_SEED_BITS: Final = 62  # of a bigint


def new_seed() -> int:
    """A seed that nobody can foresee, so that no handler knows which alerts will be looked at."""
    return secrets.randbits(_SEED_BITS)


class Sampling:
    """Draws each handler's month once."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        clock: Clock,
        now_of: Callable[[Connection], Awaitable[datetime]] = database_now,
        seed_of: Callable[[], int] = new_seed,
    ) -> None:
        self.pool, self.settings, self.clock, self.now_of, self.seed_of = pool, settings, clock, now_of, seed_of

    async def run(self) -> None:
        """Repeat `step`."""
        await keep_doing_beside(self.step, asyncio.Event(), self.clock, self.settings.quality_every_s, "quality")

    async def step(self) -> bool:
        """Draw the months that are over and were not drawn yet; False when there is none."""
        drawn = False
        async with self.pool.connection() as conn:
            now = await self.now_of(conn)
            for month in months_over(now, _ZONE):
                for handler, candidates in (
                    await quality_store.undrawn(conn, month, *month_span(month, _ZONE))
                ).items():
                    await quality_store.draw_month(conn, handler, month, candidates, self.seed_of(), now)
                    drawn = True
        return drawn
