"""Loading a past: through the real checks, in batches, and on from where it was interrupted."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any

import pytest

from dashboard import store as dashboard_store
from dashboard.outcomes import history
from telecare.clock import SystemClock
from telecare.db import Pool
from telecare.errors import CannotStart, Refused
from tests.helpers import one, rows

UNTIL = "2026-11-01"


def records(cases: int = 60) -> list[dict[str, Any]]:
    """Two people, an episode, and cases."""
    people = [
        {"type": "person", "council": "Anytown Council", "reference": f"AT-{n}", "name": f"Person {n}",
         "born": "1940-01-01",
         "address": f"{n} Mill Lane"}
        for n in (1, 2)
    ]  # fmt: skip
    episode = {"type": "episode", "council": "Anytown Council", "person": "AT-1",
               "fields": {"reason": "fall", "started_on": "2026-01-05"}}  # fmt: skip
    made = [
        {"type": "case", "council": "Anytown Council", "person": f"AT-{1 + n % 2}", "name": str(n), "kind": "button",
         "raised_at": f"2026-02-01T10:{n:02}:00Z", "answered_at": f"2026-02-01T10:{n:02}:20Z", "answered_by": "desk-1",
         "closed_at": "2026-02-01T12:00:00Z", "cause": "reassurance", "outcomes": ["reassured"],
         "confirmed_by": "person", "how": "said so"}
        for n in range(cases)
    ]  # fmt: skip
    rest = [*people, episode, *made]
    return [{"type": "load", "name": "old system", "until": UNTIL, "total": len(rest)}, *rest]


async def lines(given: Sequence[dict[str, Any]]) -> AsyncIterator[bytes]:
    for record in given:
        yield json.dumps(record).encode() + b"\n"


async def load(pool: Pool, given: Sequence[dict[str, Any]], stop: asyncio.Event | None = None) -> int:
    return await history.load(pool, lines(given), SystemClock(), stop or asyncio.Event(), 0)


async def counts(pool: Pool) -> list[Any]:
    (found,) = await rows(
        pool,
        """select (select count(*) from people), (select count(*) from episodes), (select count(*) from alerts),
                  (select count(*) from alarms), (select count(*) from hubs)""",
    )
    return list(found)


async def test_a_past_is_taken_in_once(pool: Pool) -> None:
    assert await load(pool, records()) == 63
    assert await counts(pool) == [2, 1, 60, 60, 0]
    with pytest.raises(Refused, match="was loaded before"):
        await load(pool, records())
    async with pool.connection() as conn:
        assert await dashboard_store.count_homes(conn) == {"homes": 0, "hubs": 0, "hubs_online": 0}


async def test_an_interrupted_load_goes_on_where_it_was(pool: Pool) -> None:
    stop = asyncio.Event()
    stop.set()
    assert await load(pool, records(), stop) == history.BATCH
    assert await rows(pool, "select done, total, finished_at from history_loads") == [(history.BATCH, 63, None)]
    async with pool.connection() as conn:
        assert await history.unfinished(conn, "old system") == date(2026, 11, 1)
    with pytest.raises(CannotStart, match="go on with the same file"):
        await load(pool, records(50))
    assert await load(pool, records()) == 63 - history.BATCH
    assert await counts(pool) == [2, 1, 60, 60, 0]
    assert await one(pool, "select done = total and finished_at is not null from history_loads")


async def test_a_load_that_was_killed_inside_a_batch_doubles_nothing(pool: Pool) -> None:
    await load(pool, records())
    await rows(pool, "update history_loads set done = 3, finished_at = null returning 1")  # as if it had been lost
    await load(pool, records())
    assert await counts(pool) == [2, 1, 60, 60, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "sneeze"}, "line 30 of old system cannot be: 'sneeze'"),
        ({"person": "AT-9"}, "line 30 of old system cannot be: nobody has the reference AT-9"),
        ({"closed_at": "2026-01-01T12:00:00Z"}, "closed before it is answered"),
        ({"surprise": 1}, "line 30 is not a record of the past: .*surprise"),
        ({"type": "load"}, "line 30 is not a record"),
    ],
)
async def test_a_record_that_cannot_be_stops_the_load_with_its_line(
    pool: Pool, change: dict[str, Any], words: str
) -> None:
    given = records()
    given[29] = given[29] | change
    with pytest.raises(CannotStart, match=words):
        await load(pool, given)
    assert await one(pool, "select done from history_loads") == 25  # what came before is kept
    assert await load(pool, records()) == 38  # and with the line put right it goes on


@pytest.mark.parametrize("given", [[], records()[1:]])
async def test_a_file_must_say_what_it_is(pool: Pool, given: list[dict[str, Any]]) -> None:
    with pytest.raises(CannotStart, match="first line must be a record of type `load`"):
        await load(pool, given)
