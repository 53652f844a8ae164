"""A place for each process of ingest: which of the sessions at the broker is its own.

A session is known to the broker by its client id and outlives the process, with all that was sent to it and not
acknowledged. So client ids are numbered, and a number is held by one process at a time: by a lease in the database, and
by a lock that goes with the process. A number that nobody holds is taken by the next process that starts, or emptied by
one that runs (`service.py`). Nothing has to be configured.
"""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from telecare.clock import Clock
from telecare.db import Connection, database_now
from telecare.errors import TelecareError
from telecare.ids import uuid7
from telecare.service import Backoff

log = logging.getLogger("ingest")

LaneName = Literal["alarms", "readings"]

LEASE_S: Final = 20.0  # a process that has not renewed for this long has lost its number, frozen or not
RENEW_EVERY_S: Final = 4.0
_CLAIMS: Final = 7_352_273_003  # pg_advisory_lock key: one claim at a time
_LOCKS: Final = {"alarms": 735_227_310, "readings": 735_227_311}  # first of two keys; the second is the number


class SlotLost(TelecareError):
    """Somebody else holds our number: we were frozen, or the database was away. The process ends and starts anew."""


OTHERS: Final = """
    select slot, held_until from ingest_slots where lane = %s and holder <> %s order by slot
"""
UNUSED: Final = """
    select min(n) from generate_series(1, (select count(*) + 1 from ingest_slots where lane = %(lane)s)) n
     where not exists (select 1 from ingest_slots s where s.lane = %(lane)s and s.slot = n)
"""
TAKE: Final = """
    insert into ingest_slots (lane, slot, holder, held_until) values (%s, %s, %s, %s)
    on conflict (lane, slot) do update set holder = excluded.holder, held_until = excluded.held_until
"""


class Slots:
    """The numbers of one process in one lane. Every call is on the connection that holds the locks."""

    def __init__(self, lane: LaneName) -> None:
        self.lane = lane
        self.holder: UUID = uuid7()
        self.held: set[int] = set()
        self._locked: set[int] = set()

    async def claim(self, conn: Connection, now: datetime) -> int:
        """The lowest number that nobody holds; ours from now on."""
        async with conn.transaction():
            slot = await self._left_by_others(conn, now)
            if slot is None:
                row = await (await conn.execute(UNUSED, {"lane": self.lane})).fetchone()
                assert row is not None
                slot = int(row[0])
            return await self._take(conn, slot, now)

    async def adopt(self, conn: Connection, now: datetime) -> int | None:
        """A number that somebody has left, ours from now on; None where there is none."""
        async with conn.transaction():
            slot = await self._left_by_others(conn, now)
            return None if slot is None else await self._take(conn, slot, now)

    async def _left_by_others(self, conn: Connection, now: datetime) -> int | None:
        await conn.execute("select pg_advisory_xact_lock(%s)", (_CLAIMS,))
        for slot, held_until in await (await conn.execute(OTHERS, (self.lane, self.holder))).fetchall():
            # The lock of a process that has ended is free at once; one that is frozen keeps it, but not its lease.
            if await self._lock(conn, slot) or held_until <= now:
                return int(slot)
        return None

    async def _take(self, conn: Connection, slot: int, now: datetime) -> int:
        await self._lock(conn, slot)
        await conn.execute(TAKE, (self.lane, slot, self.holder, now + timedelta(seconds=LEASE_S)))
        self.held.add(slot)
        log.info("slot taken", extra={"event": "slot_taken", "lane": self.lane, "slot": slot})
        return slot

    async def _lock(self, conn: Connection, slot: int) -> bool:
        """Take the lock of a number, once; whether we have it."""
        if slot not in self._locked:
            cursor = await conn.execute("select pg_try_advisory_lock(%s, %s)", (_LOCKS[self.lane], slot))
            row = await cursor.fetchone()
            if row and row[0]:
                self._locked.add(slot)
        return slot in self._locked

    async def renew(self, conn: Connection, now: datetime) -> None:
        """Go on holding what we hold.

        Raises:
            SlotLost: somebody else has taken one of our numbers.
        """
        cursor = await conn.execute(
            "update ingest_slots set held_until = %s where lane = %s and holder = %s",
            (now + timedelta(seconds=LEASE_S), self.lane, self.holder),
        )
        if cursor.rowcount < len(self.held):
            raise SlotLost(f"another process has taken our place in the lane of {self.lane}")

    async def relock(self, conn: Connection) -> None:
        """On a new connection: the locks went with the old one."""
        self._locked.clear()
        for slot in self.held:
            await self._lock(conn, slot)

    async def give_back(self, conn: Connection, now: datetime) -> None:
        """We go: whoever comes next may take our numbers at once."""
        await conn.execute(
            "update ingest_slots set held_until = %s where lane = %s and holder = %s", (now, self.lane, self.holder)
        )

    async def forget(self, conn: Connection, slot: int) -> None:
        """This session is empty and ended: the number is nobody's any more."""
        await conn.execute(
            "delete from ingest_slots where lane = %s and slot = %s and holder = %s", (self.lane, slot, self.holder)
        )
        self.held.discard(slot)
        if slot in self._locked:
            self._locked.discard(slot)
            await conn.execute("select pg_advisory_unlock(%s, %s)", (_LOCKS[self.lane], slot))


class Keeper:
    """Holds numbers over the losses of its connection to the database."""

    def __init__(self, database_url: str, slots: Slots, clock: Clock) -> None:
        self._url, self.slots, self._clock = database_url, slots, clock
        self._conn: Connection | None = None
        self._turn = asyncio.Lock()  # one statement at a time on the connection

    async def claim(self) -> int:
        """Our number; waits for a database that is away."""
        backoff = Backoff()
        while True:
            try:
                async with self._turn:
                    conn = await self._connection()
                    return await self.slots.claim(conn, await database_now(conn))
            except psycopg.OperationalError:
                await self._clock.sleep(backoff.again())

    async def adopt(self) -> int | None:
        """A number that somebody has left; None where there is none."""
        async with self._turn:
            conn = await self._connection()
            return await self.slots.adopt(conn, await database_now(conn))

    async def forget(self, slot: int) -> None:
        """Give up a number for good."""
        async with self._turn:
            await self.slots.forget(await self._connection(), slot)

    async def keep(self) -> None:
        """Renew for ever.

        Raises:
            SlotLost: somebody else has our number.
        """
        while True:
            try:
                await self.step()
            except psycopg.OperationalError as problem:
                log.warning("database away", extra={"event": "database_away", "why": type(problem).__name__})
            await self._clock.sleep(RENEW_EVERY_S)

    async def step(self) -> None:
        """Renew once."""
        async with self._turn:
            conn = await self._connection()
            await self.slots.renew(conn, await database_now(conn))

    async def close(self) -> None:
        """Give the numbers back, where the database can be told."""
        try:
            async with self._turn, asyncio.timeout(2):
                conn = await self._connection()
                await self.slots.give_back(conn, await database_now(conn))
                await conn.close()
        except (psycopg.OperationalError, TimeoutError):
            log.warning("slots not given back", extra={"event": "slots_kept"})

    async def _connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = await AsyncConnection.connect(
                self._url, autocommit=True, connect_timeout=5, application_name="telecare-slots",
                keepalives_idle=10, keepalives_interval=5, keepalives_count=3, options="-c statement_timeout=15000",
            )  # fmt: skip
            await self.slots.relock(self._conn)
        return self._conn
