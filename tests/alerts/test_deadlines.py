"""Deadlines on a real database: many alerts that are due together, and one that cannot move on among them."""

import asyncio
from datetime import timedelta

import pytest

from alerts import deadlines
from alerts.deadlines import Deadlines
from alerts.providers import DemoProvider
from telecare.clock import SystemClock
from telecare.db import Pool, database_now
from telecare.settings import Settings
from tests.alerts.test_engine import NOON, World, employ
from tests.helpers import mary, one, rows


@pytest.fixture
async def world(pool: Pool, database_url: str) -> World:
    settings = Settings.model_validate({"database_url": database_url, "mqtt_url": "mqtt://127.0.0.1:1"})
    made = World(pool, settings, DemoProvider())
    async with pool.connection() as conn:
        await employ(conn, "operator")
    return made


async def raised(world: World, count: int) -> list[int]:
    """So many alerts of as many homes, that have begun to wait at this moment."""
    for number in range(count):
        await world.live_in(mary(address=f"{number} High Street"), f"h-{number}")
        await world.alarm()
    return [row[0] for row in await rows(world.pool, "select id from alerts order by id")]


async def steps(world: World, alert: int) -> list[str]:
    found = await rows(world.pool, "select what from alert_log where alert_id = %s order by id", alert)
    return [what for (what,) in found]


async def test_those_that_are_due_together_move_on_together_and_once(world: World) -> None:
    alerts = await raised(world, 5)
    await world.claim(alerts[4])
    before = await one(world.pool, "select n from alert_event_counter")
    world.now += timedelta(seconds=30)
    assert await world.engine.deadline_step()
    assert not await world.engine.deadline_step()
    assert [(await steps(world, alert))[-1] for alert in alerts] == ["re-sounded"] * 4 + ["claimed"]
    assert await rows(world.pool, "select n, alert_id from alert_events where n > %s order by n", before) == [
        (before + place, alert) for place, alert in enumerate(alerts[:4], start=1)
    ]
    assert await rows(world.pool, "select distinct due_at from alerts where step = 1") == [
        (NOON + timedelta(seconds=60),)
    ]


async def test_more_than_one_commit_carries_are_worked_off_longest_overdue_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "ALERTS_PER_COMMIT", 2)
    alerts = await raised(world, 5)
    await rows(world.pool, "update alerts set due_at = due_at - id * interval '1 second' returning id")
    world.now += timedelta(seconds=30)
    for left in (alerts[:3], alerts[:1], []):
        assert await world.engine.deadline_step()
        assert await rows(world.pool, "select id from alerts where step = 0 order by id") == [(one,) for one in left]
    assert not await world.engine.deadline_step()


async def test_a_breach_asks_once_and_the_others_move_on_beside_it(world: World) -> None:
    alerts = await raised(world, 4)
    began = NOON + timedelta(seconds=150)
    await rows(world.pool, "update alerts set waiting_since = %s where id = %s returning 1", began, alerts[3])
    await world.later(180)
    for alert in alerts[:3]:
        assert (await steps(world, alert))[-2:] == ["breached", "notified"]
    assert (await steps(world, alerts[3]))[-1] == "re-sounded"
    assert await one(world.pool, "select count(*) from messages") == 3
    for _ in range(3):
        await world.later(3600)
    assert await one(world.pool, "select count(*) from messages") == 4


@pytest.mark.parametrize("seconds", [30, 180])
async def test_one_that_cannot_move_on_holds_up_none(
    world: World, seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    alerts = await raised(world, 5)
    broken = alerts[1]
    async with world.pool.connection() as conn:
        await conn.execute(f"alter table alerts add constraint broken check (id <> {broken} or step = 0)".encode())
    await world.later(seconds)
    moved = [alert for alert in alerts if len(await steps(world, alert)) > 2]
    assert moved == [alert for alert in alerts if alert != broken]
    assert await rows(world.pool, "select id from alerts where due_at <= %s", world.now) == [(broken,)]
    await world.later(30)  # it is set aside: the others go on
    assert all([len(await steps(world, alert)) > 3 for alert in moved])
    async with world.pool.connection() as conn:
        await conn.execute("alter table alerts drop constraint broken")
    await Deadlines(world.pool, world.settings, world._now).step()  # an engine that has not set it aside
    assert "could not move on" in caplog.text
    assert "Pendant pressed" not in caplog.text  # the row that the database complains of
    assert (await steps(world, broken))[2:4] == ["re-sounded", "escalated-supervisor"]


async def test_one_that_somebody_else_works_on_is_left_to_them(world: World) -> None:
    alerts = await raised(world, 3)
    world.now += timedelta(seconds=30)
    async with world.pool.connection() as conn, conn.transaction():
        await conn.execute("select 1 from alerts where id = %s for no key update", (alerts[0],))
        assert await world.engine.deadline_step()
        assert not await world.engine.deadline_step()
    assert [(await steps(world, alert))[-1] for alert in alerts] == ["announced", "re-sounded", "re-sounded"]
    assert await world.engine.deadline_step()
    assert (await steps(world, alerts[0]))[-1] == "re-sounded"


async def test_two_engines_share_what_is_due_and_no_step_is_taken_twice(world: World) -> None:
    alerts = await raised(world, 8)
    world.now += timedelta(seconds=180)
    other = Deadlines(world.pool, world.settings, world._now)
    await asyncio.gather(world.engine.deadline_step(), other.step(), other.step(), world.engine.deadline_step())
    await world.later(0)
    for alert in alerts:
        assert (await steps(world, alert)).count("breached") == 1
    assert await one(world.pool, "select count(*) from messages") == 8


async def test_it_sleeps_until_the_next_deadline_and_no_longer_than_told(world: World) -> None:
    waits = Deadlines(world.pool, world.settings, world._now)
    assert await waits.idle_s(5) == 5
    await raised(world, 1)
    assert await waits.idle_s(5) == 5
    world.now += timedelta(seconds=28)
    assert await waits.idle_s(5) == 2
    world.now += timedelta(seconds=10)  # overdue, and somebody else works on it
    assert await waits.idle_s(5) == 5


async def test_what_becomes_due_right_after_it_has_looked_is_not_slept_over(world: World) -> None:
    await raised(world, 1)
    waits = Deadlines(world.pool, world.settings, world._now)
    world.now += timedelta(seconds=29)
    assert not await waits.step()
    world.now += timedelta(seconds=2)
    assert await waits.idle_s(60) == 0
    assert await waits.step()


async def test_the_loop_wakes_by_itself(world: World) -> None:
    async with world.pool.connection() as conn:
        world.now = await database_now(conn)
    quick = world.settings.model_copy(update={"resound_s": 0.3, "supervisor_s": 1.0})
    world.engine = type(world.engine)(world.pool, quick, DemoProvider(), SystemClock(), now_of=world._now)
    (alert,) = await raised(world, 1)
    working = asyncio.create_task(Deadlines(world.pool, quick, database_now).run(SystemClock(), 60))
    try:
        async with asyncio.timeout(60):
            while "escalated-supervisor" not in await steps(world, alert):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        working.cancel()
