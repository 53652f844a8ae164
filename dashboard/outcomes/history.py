"""Taking in records of the past (`telecare/past.py`): people, episodes and closed alerts, a batch in each transaction.

How far it has come is written with each batch, so that a load that is interrupted goes on where it was, and one that is
finished is not done again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts import history as alerts_history
from alerts.history import WrongCase
from dashboard.outcomes import store
from dashboard.outcomes.domain import read_episode
from telecare import past
from telecare.clock import Clock
from telecare.db import Connection, Pool, database_now
from telecare.errors import CannotStart, Refused
from telecare.register import councils as register
from telecare.register.homes import NewHome, NewPerson, add_home
from telecare.vocabulary import Cause, ConfirmedBy, Kind, Outcome

log = logging.getLogger("dashboard")

BATCH: Final = 25  # records in one transaction: short, so that nobody waits for it
BY: Final = "history"  # who entered what is loaded

Lines = Callable[[date], AsyncIterator[bytes]]


async def unfinished(conn: Connection, name: str) -> date | None:
    """Up to which day an interrupted load of this name goes.

    Raises:
        Refused: it is finished.
    """
    row = await (await conn.execute("select until, finished_at from history_loads where name = %s", (name,))).fetchone()
    if row is None:
        return None
    if row[1] is not None:
        raise Refused(f"{name} was loaded before, on {row[1]:%d %B %Y}")
    until: date = row[0]
    return until


async def load(pool: Pool, lines: AsyncIterator[bytes], clock: Clock, stop: asyncio.Event, pause_s: float) -> int:
    """Take the records in, resting `pause_s` seconds after each batch; how many were taken in now.

    Raises:
        CannotStart: a line is no record, or says what cannot be. What came before it is kept.
        Refused: it was loaded before.
    """
    first = await anext(aiter(lines), None)
    head = _decoded(first, 1) if first is not None else None
    if not isinstance(head, past.Load):
        raise CannotStart("the first line must be a record of type `load`")
    async with pool.connection() as conn:
        await unfinished(conn, head.name)
        done = await _begin(conn, head)
    number, batch = 0, list[past.Record]()
    loaded = 0
    async for line in lines:
        number += 1
        if number <= done:
            continue
        batch.append(_decoded(line, number + 1))
        if len(batch) == BATCH:
            await _take(pool, head, batch, number)
            loaded, batch = loaded + len(batch), []
            if stop.is_set():
                return loaded
            await clock.sleep(pause_s)
    await _take(pool, head, batch, number)
    async with pool.connection() as conn:
        await conn.execute("update history_loads set finished_at = %s where name = %s and done = total",
                           (await database_now(conn), head.name))  # fmt: skip
    log.info("past records loaded", extra={"event": "history_loaded", "records": loaded + len(batch)})
    return loaded + len(batch)


def _decoded(line: bytes, number: int) -> past.Record:
    try:
        return past.decode(line)
    except ValueError as problem:
        raise CannotStart(f"line {number} is not a record of the past: {problem}") from problem


async def _begin(conn: Connection, head: past.Load) -> int:
    """How many records of this load are there already."""
    await conn.execute(
        """insert into history_loads (name, until, total, started_at) values (%s, %s, %s, %s)
           on conflict (name) do nothing""",
        (head.name, head.until, head.total, await database_now(conn)),
    )
    row = await (
        await conn.execute("select done, total, until from history_loads where name = %s", (head.name,))
    ).fetchone()
    assert row is not None
    if (row[1], row[2]) != (head.total, head.until):
        raise CannotStart(f"{head.name} was begun with {row[1]} records up to {row[2]}: go on with the same file")
    done: int = row[0]
    return done


async def _take(pool: Pool, head: past.Load, batch: list[past.Record], number: int) -> None:
    async with pool.connection() as conn, conn.transaction():
        now = await database_now(conn)
        # Loading waits for what is live, never the other way round: losing the last seconds at a power cut is no loss,
        # because `done` would be lost with them.
        await conn.execute("set local synchronous_commit = off")
        for place, record in enumerate(batch):
            try:
                await _take_one(conn, record, now)
            except (Refused, WrongCase, ValueError) as problem:
                line = number - len(batch) + place + 2
                raise CannotStart(f"line {line} of {head.name} cannot be: {problem}") from problem
        await conn.execute("update history_loads set done = %s where name = %s", (number, head.name))


async def _take_one(conn: Connection, record: past.Record, now: datetime) -> None:
    if isinstance(record, past.PastPerson):
        await _person(conn, record)
    elif isinstance(record, past.PastEpisode):
        await _episode(conn, record, now)
    elif isinstance(record, past.PastCase):
        await _case(conn, record, now)
    else:
        raise ValueError("a second `load`")


async def _person(conn: Connection, new: past.PastPerson) -> None:
    council = await register.council_named(conn, new.council)
    if await register.people_meant(conn, council.id, [new.reference]):
        return
    person = NewPerson(name=new.name, born=new.born)
    home_id = await add_home(conn, NewHome(address=new.address, postcode=new.postcode, council=new.council,
                                           access_notes=new.notes, people=(person,)))  # fmt: skip
    row = await (await conn.execute("select id from people where home_id = %s", (home_id,))).fetchone()
    assert row is not None
    await register.set_reference(conn, row[0], council.id, new.reference)


async def _meant(conn: Connection, council_id: UUID, reference: str) -> UUID:
    meant = await register.people_meant(conn, council_id, [reference])
    if reference not in meant:
        raise Refused(f"nobody has the reference {reference[:60]}")
    return meant[reference]


async def _episode(conn: Connection, record: past.PastEpisode, now: datetime) -> None:
    council = await register.council_named(conn, record.council)
    person = await _meant(conn, council.id, record.person)
    reading = read_episode(record.fields, now.astimezone(ZoneInfo(council.timezone)).date())
    if reading.episode is None:
        raise Refused("; ".join(f"{name}: {words}" for name, words in reading.problems.items()))
    if any(span.started_on == reading.episode.started_on for span in await store.spans(conn, [person])):
        return
    await store.add_episode(conn, person, council.id, reading.episode, BY, now)


async def _case(conn: Connection, record: past.PastCase, now: datetime) -> None:
    council = await register.council_named(conn, record.council)
    case = alerts_history.PastCase(
        name=f"{record.council}: {record.name}",
        person_id=await _meant(conn, council.id, record.person),
        kind=Kind(record.kind),
        device=record.device,
        location=record.location,
        raised_at=record.raised_at,
        answered_at=record.answered_at,
        answered_by=record.answered_by,
        closed_at=record.closed_at,
        cause=Cause(record.cause),
        outcomes=[Outcome(outcome) for outcome in record.outcomes],
        confirmed_by=ConfirmedBy(record.confirmed_by),
        how=record.how,
        steps=[alerts_history.PastStep(step.at, step.who, step.what, step.detail) for step in record.steps],
    )
    await alerts_history.add_past_case(conn, case, now)
