"""From readings to a finding to an alert, on a real database. The test's own clock decides the time."""

from datetime import time, timedelta

import pytest

from telecare.db import Pool
from telecare.errors import Refused
from telecare.settings import Settings
from tests.alerts.detection.watch import SEVEN, Watch
from tests.helpers import one, rows


@pytest.fixture
async def watch(pool: Pool, settings: Settings) -> Watch:
    made = Watch(pool, settings, supervised=False)
    await made.live_in()
    return made


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


async def test_no_movement_becomes_one_alert_that_says_what_was_seen(watch: Watch) -> None:
    await watch.plan(still_after_min=240)
    await watch.until(SEVEN + hours(2))
    await watch.read("pir-kitchen", "motion", 1)
    await watch.until(SEVEN + hours(5.9))
    assert await watch.open() == []
    await watch.until(SEVEN + hours(6))
    alert = await watch.alert()
    assert (alert["kind"], alert["priority"], alert["person"]) == ("inactivity", 3, watch.mary)
    assert alert["reason"] == (
        "No movement. No movement in Mary Ashworth's home for 4 hours. The last was at 09:00, kitchen."
        " Expected: movement at least every 4 hours between 07:00 and 22:00."
    )
    assert [alarm["device"] for alarm in alert["alarms"]] == ["detector"]
    assert [entry["what"] for entry in alert["log"]] == ["raised"]  # nobody called: no voice says that help is coming
    await watch.until(SEVEN + hours(6.5))
    assert (await watch.alert())["alarm_count"] == 1


async def test_a_finding_is_made_once_though_everything_restarts(watch: Watch) -> None:
    await watch.plan(up_by=time(10, 30))
    await watch.read("pir-kitchen", "motion", 1, SEVEN - hours(5))
    await watch.until(SEVEN + hours(3.5))
    assert (await watch.alert())["kind"] == "inactivity"
    # The process dies before it writes down when to look next.
    async with watch.pool.connection() as conn:
        await conn.execute("delete from plan_looks")
    watch.start()
    await watch.until(SEVEN + hours(4))
    assert (await watch.alert())["alarm_count"] == 1
    assert await one(watch.pool, "select count(*) from findings") == 1


async def test_movement_in_time_and_an_outing_raise_nothing(watch: Watch) -> None:
    await watch.plan(still_after_min=120, up_by=time(9))
    for hour in range(1, 10):
        await watch.read("pir-kitchen", "motion", 1)
        await watch.until(SEVEN + hours(hour))
    await watch.read("door-front", "open", 1)
    await watch.until(SEVEN + hours(14))
    assert await watch.open() == []


async def test_a_change_of_the_plan_counts_at_once(watch: Watch) -> None:
    await watch.plan(still_after_min=600)
    await watch.until(SEVEN + hours(3))
    await watch.plan(still_after_min=60)
    await watch.until(SEVEN + hours(3.01))
    assert (await watch.alert())["kind"] == "inactivity"


async def test_a_hub_with_a_backlog_is_not_judged_until_it_has_told_it(watch: Watch) -> None:
    await watch.plan(still_after_min=120)
    watch.now = SEVEN + hours(4)
    await watch.listen(since=SEVEN)
    await watch.hear_hub(outbox=500)
    await watch.work()
    assert await watch.open() == []
    await watch.read("pir-kitchen", "motion", 1, SEVEN + hours(3.5))  # late, but it had happened
    await watch.until(SEVEN + hours(4.1))
    assert await watch.open() == []
    await watch.until(SEVEN + hours(5.6))
    assert "The last was at 10:30, kitchen." in (await watch.alert())["reason"]


async def test_readings_that_are_committed_late_are_waited_for(watch: Watch) -> None:
    await watch.plan(still_after_min=120)
    async with watch.pool.connection() as slow, slow.transaction():
        await slow.execute("select pg_current_xact_id()")  # an ingest that has begun to write
        await watch.read("pir-kitchen", "motion", 1, SEVEN + hours(2.5))
        await watch.until(SEVEN + hours(3))
        assert await watch.open() == []
    await watch.until(SEVEN + hours(3.1))
    assert await watch.open() == []
    await watch.until(SEVEN + hours(4.6))
    assert len(await watch.open()) == 1


async def test_two_detections_do_nothing_twice(watch: Watch) -> None:
    await watch.plan(still_after_min=120)
    await watch.read("pir-kitchen", "motion", 1)
    first = watch.detection
    watch.start()
    await watch.until(SEVEN + hours(2))
    while await first.step():
        pass
    assert await one(watch.pool, "select count(*) from findings") == 1


async def test_someone_away_is_not_watched_and_the_log_keeps_who_said_so(watch: Watch) -> None:
    await watch.plan(still_after_min=120)
    await watch.plan(still_after_min=120, away_until=SEVEN + hours(24), away_why="in hospital")
    await watch.until(SEVEN + hours(10))
    assert await watch.open() == []
    found = await rows(watch.pool, "select who, plan ->> 'away_why' from care_plan_log order by id")
    assert found == [("operator", ""), ("operator", "in hospital")]
    with pytest.raises(Refused, match="still_after_min"):
        await watch.plan(still_after_min=1)


async def test_a_plan_that_cannot_be_judged_does_not_keep_others_waiting(watch: Watch) -> None:
    await watch.plan(still_after_min=120)
    async with watch.pool.connection() as conn:
        await conn.execute("update councils set timezone = 'Nowhere/Atlantis'")
    await watch.until(SEVEN + hours(2))
    assert await watch.open() == []
    async with watch.pool.connection() as conn:
        await conn.execute("update councils set timezone = 'Europe/London'")
    await watch.until(SEVEN + hours(2.5))  # it is tried again
    assert len(await watch.open()) == 1
