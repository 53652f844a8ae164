"""Roll-ups: whatever the order, repetition and lateness of readings, they are what the readings amount to."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from ingest import readings_store as store
from ingest.rollups import Rollups
from telecare import feed
from telecare.db import Connection, Pool
from telecare.register.homes import add_home, enrol_hub, home_to_be_described
from telecare.settings import Settings
from tests.helpers import columns, rows

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


class Store:
    """A hub's series, and its roll-ups."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self.pool, self.settings = pool, settings
        self.rollups = Rollups(pool, settings, self._now)
        self.series: list[int] = []
        self.home = UUID(int=0)

    async def _now(self, conn: Connection) -> datetime:
        return NOW

    async def save(self, *readings: tuple[datetime, float], series: int = 0) -> int:
        async with self.pool.connection() as conn:
            return await store.save_readings(
                conn, columns((self.series[series], at, value) for at, value in readings), NOW
            )

    async def fold(self) -> None:
        while await self.rollups.step():
            pass

    async def kept(self, table: str, key: str) -> list[tuple[Any, ...]]:
        return await rows(self.pool, f"select {key}, n, total, least, greatest from {table} order by series_id, {key}")  # noqa: S608


@pytest.fixture
async def stored(pool: Pool, settings: Settings) -> Store:
    made = Store(pool, settings)
    async with pool.connection() as conn:
        made.home = await add_home(conn, home_to_be_described("hub-1"))
        await enrol_hub(conn, "hub-1", made.home)
        names = [("hub-1", "env-1", measure) for measure in ("temperature", "humidity", "battery")]
        numbers = await store.series_ids(conn, names)
        made.series = [numbers[name] for name in names]
    await made.rollups.join()
    return made


async def test_an_hour_and_a_day_are_summed_up_and_a_late_reading_corrects_them(stored: Store) -> None:
    ten = datetime(2026, 11, 2, 10, tzinfo=UTC)
    await stored.save((ten + timedelta(minutes=5), 18.0), (ten + timedelta(minutes=50), 20.0))
    await stored.fold()
    assert await stored.kept("rollups_hourly", "at") == [(ten, 2, 38.0, 18.0, 20.0)]
    await stored.save((ten, 16.0), (ten + timedelta(minutes=5), 18.0), (ten + timedelta(hours=1), 21.0))
    await stored.fold()
    assert await stored.kept("rollups_hourly", "at") == [
        (ten, 3, 54.0, 16.0, 20.0), (ten + timedelta(hours=1), 1, 21.0, 21.0, 21.0),
    ]  # fmt: skip
    assert await stored.kept("rollups_daily", "day") == [(date(2026, 11, 2), 4, 75.0, 16.0, 21.0)]
    edges = await rows(stored.pool, "select first_value, last_value from rollups_hourly order by at")
    assert edges == [(16.0, 20.0), (21.0, 21.0)]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)])
async def test_a_day_is_the_councils(stored: Store, day: date, hours: int) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=3)
    await stored.save(*((midnight + timedelta(hours=n), 1.0) for n in range(31)))
    await stored.fold()
    assert (day, hours) in [row[:2] for row in await stored.kept("rollups_daily", "day")]


async def test_any_order_repetition_and_lateness_come_to_the_same(stored: Store) -> None:
    rng = random.Random(7)
    offered = [
        (rng.randrange(3), NOW - timedelta(minutes=rng.randrange(6000)), rng.choice([0.0, 1.0, 18.25, 0.1]))
        for _ in range(600)
    ]
    for series, at, value in [*offered, *rng.sample(offered, 200)]:
        await stored.save((at, value), series=series)
        if rng.random() < 0.05:
            await stored.rollups.step()
    await stored.fold()
    assert await stored.rollups.check() == []
    counted = await rows(stored.pool, "select sum(n) from rollups_hourly union all select sum(n) from rollups_daily")
    assert [row[0] for row in counted] == [len({one[:2] for one in offered})] * 2


async def test_what_is_not_folded_yet_is_no_difference_and_a_rebuild_does_not_count_it_twice(stored: Store) -> None:
    await stored.save((NOW, 1.0))
    await stored.fold()
    await stored.save((NOW + timedelta(seconds=1), 2.0))
    assert await stored.rollups.check() == []
    assert await stored.rollups.rebuild() == 2
    await stored.fold()
    assert await stored.rollups.check() == []
    assert [row[1] for row in await stored.kept("rollups_hourly", "at")] == [2]


async def test_a_wrong_roll_up_is_found_and_put_right(stored: Store) -> None:
    await stored.save((NOW, 1.0), (NOW + timedelta(seconds=1), 2.0))
    await stored.fold()
    for wrong in (
        "update rollups_hourly set n = 3", "delete from rollups_daily", "update rollups_hourly set last_value = 7",
        "update councils set timezone = 'Pacific/Kiritimati'",
    ):  # fmt: skip
        async with stored.pool.connection() as conn:
            await conn.execute(wrong.encode())
        assert await stored.rollups.check() != [], wrong
        await stored.rollups.rebuild()
        assert await stored.rollups.check() == [], wrong


async def test_a_step_that_fails_is_done_again(stored: Store) -> None:
    await stored.save((NOW, 1.0))
    async with stored.pool.connection() as conn:
        await conn.execute("alter table rollups_daily rename to away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        await stored.rollups.step()
    assert await stored.kept("rollups_hourly", "at") == []
    async with stored.pool.connection() as conn:
        await conn.execute("alter table away rename to rollups_daily")
    await stored.fold()
    assert await stored.rollups.check() == []


async def test_what_is_older_than_the_raw_readings_changes_no_roll_up(stored: Store) -> None:
    old = NOW - timedelta(days=stored.settings.readings_keep_days + 1)
    assert await stored.save((old, 1.0), (NOW, 2.0)) == 2
    await stored.fold()
    assert [row[0] for row in await stored.kept("rollups_hourly", "at")] == [NOW]
    # Retention takes the raw readings; the roll-ups of that time stay, also through a rebuild.
    async with stored.pool.connection() as conn:
        await conn.execute("update rollups_hourly set at = at - interval '500 days'")
        await conn.execute("delete from readings")
        await feed.prune(conn)
    await stored.rollups.rebuild()
    assert len(await stored.kept("rollups_hourly", "at")) == 1
    assert await stored.rollups.check() == []
