"""Tasks are made by rules and end with their reasons, each once; what is overdue is marked, a kit fault said aloud.

It runs in the detection process, since reckoning thousands of plans must not delay an alert's deadline. A source that
fails is said and tried again, and takes nothing else with it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import psycopg

from alerts import tasks_store
from alerts.detection.findings import Finding, raise_findings
from alerts.tasks import TaskKind, reconcile
from alerts.tasks_sources import SOURCES, Source
from telecare.clock import Clock
from telecare.db import TRY_AGAIN, Connection, Pool, database_now
from telecare.service import keep_doing_beside
from telecare.settings import Settings
from telecare.vocabulary import Kind

log = logging.getLogger("alerts")

_AT_ONCE: Final = 100
# pg_advisory_xact_lock key of one source's round: of many engines one does it, and the others have nothing to do.
_LOCK: Final = 7_352_273_016
OVERDUE: Final = "kit-fault-overdue"  # the rule by which such an alarm is raised


class Tasks:
    """Keeps tasks in step with their reasons."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        clock: Clock,
        now_of: Callable[[Connection], Awaitable[datetime]] = database_now,
        sources: Sequence[Source] = SOURCES,
    ) -> None:
        self.pool, self.settings, self.clock, self.now_of, self.sources = pool, settings, clock, now_of, sources

    async def run(self) -> None:
        """Repeat `step`."""
        await keep_doing_beside(self.step, asyncio.Event(), self.clock, self.settings.tasks_every_s, "tasks")

    async def step(self) -> bool:
        """Bring the tasks of every source up to date, then mark what is overdue; False when nothing has changed."""
        changed = False
        for source in self.sources:
            changed = await self._tried(source) or changed
        return await self.overdue_step() or changed

    async def _tried(self, source: Source) -> bool:
        """One source's round. One that fails holds up none of the others."""
        try:
            return await self.reconcile_step(source)
        except TRY_AGAIN:
            raise
        except (AssertionError, LookupError, TypeError, ValueError, psycopg.Error):
            log.exception("a source of tasks failed", extra={"event": "tasks_failed", "kinds": list(source.kinds)})
            return False

    async def reconcile_step(self, source: Source) -> bool:
        """Make what is missing of one source, and end what has lost its reason."""
        async with self.pool.connection() as conn, conn.transaction():
            cursor = await conn.execute("select pg_try_advisory_xact_lock(%s)", (_LOCK,))
            if (await cursor.fetchone() or (False,))[0] is False:
                return False
            now = await self.now_of(conn)
            wanted = await source.read(conn, self.settings, now)
            known = await tasks_store.known(conn, source.kinds, [one.key for one in wanted])
            plan = reconcile(wanted, known, ends=source.ends)
            ended = await tasks_store.end(conn, plan.end, now) if plan.end else 0
            made = await tasks_store.make(conn, plan.make, tasks_store.SYSTEM, now) if plan.make else []
            return bool(made) or ended > 0

    async def overdue_step(self) -> bool:
        """Mark tasks that are overdue; a kit fault among them enters the queue as an alarm of level 4."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            overdue = await tasks_store.breach(conn, now, _AT_ONCE)
            faults = [
                Finding(
                    one.hub,
                    Kind.FAULT,
                    OVERDUE,
                    f"{OVERDUE}:{one.id}",
                    f"Not put right in time. {one.words}",
                    one.person_id,
                )
                for one in overdue
                if one.kind is TaskKind.KIT_FAULT and one.hub is not None
            ]
            if faults:
                await raise_findings(conn, faults, now)
            for one in overdue:
                log.info("task overdue", extra={"event": "task_overdue", "task": one.id, "kind": one.kind.value})
            return bool(overdue)
