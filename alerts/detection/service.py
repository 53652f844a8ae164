"""The detection process: reads each committed reading once, and looks at each plan when its time has come.

A process of its own, so that whatever it learns or computes never delays an alert's deadline. It keeps nothing in
memory that a restart would lose.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from alerts.detection import store
from alerts.detection.findings import Finding, raise_finding
from alerts.detection.rules import LOOK_AGAIN, look, next_look
from alerts.detection.seen import Seen, fold
from alerts.detection.silence import silent_after
from alerts.detection.store import Heard, Source
from alerts.quality_service import Sampling
from alerts.supervision import READER
from alerts.tasks_service import Tasks
from telecare import feed
from telecare.clock import Clock
from telecare.db import Connection, Pool, database_now
from telecare.feed import Fed
from telecare.service import keep_doing, run_workers, say_alive
from telecare.settings import Settings
from telecare.vocabulary import Kind

log = logging.getLogger("detection")

SERVICE: Final = "detection"
AFTER_A_BUG: Final = timedelta(minutes=10)  # a plan that could not be judged is tried again after this long


class Detection:
    """One detection process. A second one waits at the feed's cursor and at each plan's row: nothing is done twice."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        clock: Clock,
        now_of: Callable[[Connection], Awaitable[datetime]] = database_now,
    ) -> None:
        self.pool, self.settings, self.clock, self.now_of = pool, settings, clock, now_of

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        await self.join()
        await run_workers(
            stop,
            work=keep_doing(self.step, asyncio.Event(), self.clock, self.settings.detection_poll_s, SERVICE),
            tasks=Tasks(self.pool, self.settings, self.clock, self.now_of).run(),
            quality=Sampling(self.pool, self.settings, self.clock, self.now_of).run(),
            alive=say_alive(self.pool, self.clock, SERVICE, lambda: {"subscribed": True}),
        )

    async def join(self) -> None:
        """Begin to be fed."""
        async with self.pool.connection() as conn:
            await feed.join(conn, READER, await self.now_of(conn))

    async def step(self) -> bool:
        """Read what is new; when all is read, look at one plan. False when there is nothing to do."""
        return await self.read_step() or await self.look_step()

    # ------------------------------------------------------------ readings

    async def read_step(self) -> bool:
        """Fold the next commits' readings into what was last seen and heard; False when all has been read."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            fed = await feed.take(conn, READER, now)
            if not fed:
                return False
            known = await store.sources(conn, {one.series_id for one in fed})
            await self._see(conn, fed, known)
            await store.save_heard(conn, _heard(fed, known, now))
            return True

    async def _see(self, conn: Connection, fed: Sequence[Fed], known: dict[int, Source]) -> None:
        homes = {source.home_id for source in known.values()}
        before = await store.seen_in(conn, homes)
        after = dict(before)
        for one in fed:
            reading = known[one.series_id].reading(one)
            after[reading.home_id] = fold(after.get(reading.home_id, Seen()), reading)
        await store.save_seen(conn, {home: seen for home, seen in after.items() if seen != before.get(home)})

    # ------------------------------------------------------------ plans

    async def look_step(self) -> bool:
        """Look at the plan that has waited longest; False when none is due."""
        try:
            async with self.pool.connection() as conn, conn.transaction():
                now = await self.now_of(conn)
                person_id = await store.next_due(conn, now)
                if person_id is None:
                    return False
                await self._look(conn, person_id, now)
                return True
        except (AssertionError, LookupError, TypeError, ValueError):
            # One plan that cannot be judged must not keep the others waiting.
            log.exception("a plan could not be looked at", extra={"event": "look_failed"})
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            if (person_id := await store.next_due(conn, now)) is not None:
                await store.looked(conn, person_id, now, now + AFTER_A_BUG)
        return True

    async def _look(self, conn: Connection, person_id: UUID, now: datetime) -> None:
        due = await store.to_judge(conn, person_id, now, self.settings.settled_outbox)
        if due.hub is None or not due.settled or await self._behind(conn, now):
            # A silent hub is supervision's to raise. What it still has to tell may be the movement we miss.
            await store.looked(conn, person_id, now, now + LOOK_AGAIN)
            return
        for found in look(due.look, now):
            finding = Finding(due.hub, Kind.INACTIVITY, found.rule, found.key, found.sentence, person_id)
            raised = await raise_finding(conn, finding, now)
            if raised is not None:
                log.info("found", extra={"event": "finding", "rule": found.rule, "alarm": raised})
        await store.looked(conn, person_id, now, next_look(due.look, now))

    async def _behind(self, conn: Connection, now: datetime) -> bool:
        return (await feed.lag(conn, now)).get(READER, 0.0) > self.settings.detection_lag_s


def _heard(fed: Sequence[Fed], known: dict[int, Source], now: datetime) -> list[Heard]:
    """Each registered device that has said something: now, whatever its clock says. A wrong clock is no silence."""
    speakers = {(source.home_id, source.device): source for source in (known[one.series_id] for one in fed)}
    return [
        Heard(home, device, source.hub, now, now + silent_after(source.kind))
        for (home, device), source in speakers.items()
        if source.registered
    ]
