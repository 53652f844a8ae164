"""Hubs and devices that fall silent, and come back."""

from datetime import timedelta
from typing import Any

import pytest

from ingest.domain import take_in
from ingest.store import save_alarms
from telecare.db import Pool
from telecare.settings import Settings
from tests.alerts.detection.watch import SEVEN, Watch
from tests.helpers import one


@pytest.fixture
async def watch(pool: Pool, settings: Settings) -> Watch:
    made = Watch(pool, settings)
    await made.live_in()
    return made


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


async def test_a_hub_is_silent_two_intervals_and_half_a_minute_after_its_last_word(watch: Watch) -> None:
    await watch.until(SEVEN + seconds(149), hub_heard=False)
    assert await watch.open() == []
    await watch.until(SEVEN + seconds(150), hub_heard=False)
    alert = await watch.alert()
    assert (alert["kind"], alert["priority"], alert["person"]) == ("device-silent", 4, None)
    assert alert["reason"] == (
        "Device silent. The hub has not been heard since 07:00 on 24 November."
        " Until it is heard again, an alarm in this home may not reach us."
    )
    await watch.until(SEVEN + hours(5), hub_heard=False)
    assert (await watch.alert())["alarm_count"] == 1  # one silence, one alarm


async def test_a_last_will_does_not_move_the_deadline(watch: Watch) -> None:
    watch.now = SEVEN + seconds(100)
    await watch.hear_hub(online=False)
    await watch.until(SEVEN + seconds(150), hub_heard=False)
    assert (await watch.alert())["kind"] == "device-silent"


async def test_the_return_is_said_in_the_open_alert_and_raises_none_of_its_own(watch: Watch) -> None:
    await watch.until(SEVEN + seconds(200), hub_heard=False)
    number = (await watch.alert())["id"]
    await watch.until(SEVEN + seconds(500))
    alert = await watch.alert()
    assert alert["id"] == number
    assert [alarm["kind"] for alarm in alert["alarms"]] == ["device-silent", "device-restored"]
    assert "The hub is heard again, 5 min after its silence was noticed." in str(alert["log"])
    await watch.until(SEVEN + seconds(900), hub_heard=False)
    assert (await watch.alert())["alarm_count"] == 3  # silent anew


async def test_a_return_after_the_alert_was_closed_stays_quiet(watch: Watch) -> None:
    await watch.until(SEVEN + seconds(200), hub_heard=False)
    async with watch.pool.connection() as conn:
        await conn.execute(
            """update alerts set state = 'closed', due_at = null, closed_at = %s, cause = 'power-or-line',
                      confirmed_by = 'system', outcomes = '{information}'""",
            (watch.now,),
        )
    await watch.until(SEVEN + seconds(500))
    assert await watch.open() == []
    assert await one(watch.pool, "select count(*) from silences where ended_at is null") == 0


async def test_when_it_is_we_who_hear_nothing_nobody_is_called_silent(watch: Watch) -> None:
    watch.now = SEVEN + hours(8)
    await watch.listen(since=None)
    await watch.work()
    assert await watch.open() == []
    # Ingest is back. The hubs get as long as they ever had to say something.
    back = watch.now
    await watch.listen(since=back)
    watch.now = back + seconds(149)
    await watch.listen(since=back)
    await watch.work()
    assert await watch.open() == []
    watch.now = back + seconds(150)
    await watch.listen(since=back)
    await watch.work()
    assert len(await watch.open()) == 1


async def test_a_hub_that_was_never_heard_is_silent_after_a_day(watch: Watch) -> None:
    async with watch.pool.connection() as conn:
        await conn.execute("delete from hub_states")
        await conn.execute("update hubs set enrolled_at = %s", (SEVEN,))
    await watch.until(SEVEN + hours(23.9), hub_heard=False)
    assert await watch.open() == []
    await watch.until(SEVEN + hours(24), hub_heard=False)
    assert "The hub has never been heard." in (await watch.alert())["reason"]


async def silent_devices(watch: Watch) -> list[Any]:
    async with watch.pool.connection() as conn:
        cursor = await conn.execute("select device from silences where ended_at is null order by device")
        return [row[0] for row in await cursor.fetchall()]


async def test_each_class_of_device_has_its_own_deadline(watch: Watch) -> None:
    await watch.read("env-1", "temperature", 18.5)
    await watch.read("pir-kitchen", "motion", 1)
    await watch.until(SEVEN)
    await watch.until(SEVEN + hours(2.9))
    assert await silent_devices(watch) == []
    await watch.until(SEVEN + hours(3))
    assert await silent_devices(watch) == ["env-1"]
    alert = await watch.alert()
    assert alert["priority"] == 4
    assert (
        "The device env-1 (temperature, living) has not been heard since 07:00 on 24 November."
        " Expected: at least once in 3 hours." in alert["reason"]
    )
    await watch.until(SEVEN + hours(25.9))
    assert await silent_devices(watch) == ["env-1"]
    await watch.until(SEVEN + hours(26))  # those that were never heard: as long from when they were first watched
    assert await silent_devices(watch) == ["door-front", "env-1", "pendant-1", "pir-kitchen"]
    await watch.read("env-1", "temperature", 18.5)
    await watch.until(SEVEN + hours(26.2))
    assert await silent_devices(watch) == ["door-front", "pendant-1", "pir-kitchen"]
    alarms = (await watch.alert())["alarms"]  # one technical alert for the home
    assert [alarm["kind"] for alarm in alarms] == ["device-silent"] * 4 + ["device-restored"]


async def test_an_alarm_is_a_word_too(watch: Watch) -> None:
    await watch.read("pendant-1", "battery", 90)
    await watch.until(SEVEN + hours(20))
    async with watch.pool.connection() as conn:
        press = b'{"id": "019386a4-7f2e-7c11-9a55-0c2f5e1d9b10", "seq": 1, "device": "pendant-1", "kind": "test"}'
        await save_alarms(conn, [take_in(watch.hub, press, watch.now, timedelta(minutes=5))], watch.now)
    await watch.until(SEVEN + hours(27))
    assert "pendant-1" not in await silent_devices(watch)
    await watch.until(SEVEN + hours(47))
    assert "pendant-1" in await silent_devices(watch)


async def test_devices_of_a_silent_hub_are_not_named_one_by_one(watch: Watch) -> None:
    await watch.read("env-1", "temperature", 18.5)
    await watch.until(SEVEN + hours(1))
    await watch.until(SEVEN + hours(40), hub_heard=False)
    assert await silent_devices(watch) == [""]
    await watch.until(SEVEN + hours(41))
    assert await silent_devices(watch) == []  # they get their time anew
    await watch.until(SEVEN + hours(44.1))
    assert await silent_devices(watch) == ["env-1"]


async def test_with_readings_unread_no_device_is_judged(watch: Watch) -> None:
    await watch.read("env-1", "temperature", 18.5)
    await watch.until(SEVEN + hours(1))
    await watch.read("env-1", "temperature", 18.6)
    watch.now = SEVEN + hours(5)
    await watch.hear_hub()
    await watch.listen(since=SEVEN)
    while await watch.supervision.step():  # detection is down
        pass
    assert await silent_devices(watch) == []


async def test_a_device_whose_clock_is_wrong_is_heard_all_the_same(watch: Watch) -> None:
    for hour in range(1, 8, 2):
        await watch.read("env-1", "temperature", 18.5, SEVEN - timedelta(days=400))
        await watch.read("env-1", "temperature", 18.5 + hour, watch.now - timedelta(days=20))
        await watch.until(SEVEN + hours(hour))
    assert await silent_devices(watch) == []
