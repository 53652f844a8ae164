"""Several processes of ingest on one broker: they share readings, and what one leaves behind is stored by another."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ingest.service import run_alarms, run_readings
from telecare.clock import SystemClock
from telecare.db import Pool, open_pool
from telecare.settings import Settings
from tests.helpers import Hub, connected, enrolled, one, rows, running, until

AT = 1_795_473_600


def a_reading(number: int) -> bytes:
    return json.dumps([{"n": "pir/motion", "vb": True, "t": AT + number}]).encode()


async def stored(pool: Pool, hub: Hub) -> int:
    return int(
        await one(
            pool,
            "select count(*) from readings r join series s on s.id = r.series_id where s.hub = %s",
            hub.name,
        )
    )


@contextmanager
def a_process(settings: Settings, lane: str) -> Iterator[subprocess.Popen[bytes]]:
    """`telecare ingest`, to be killed."""
    environment = {
        "TELECARE_DATABASE_URL": settings.database,
        "TELECARE_MQTT_URL": settings.mqtt,
        "TELECARE_DATA_DIR": str(settings.data_dir),
        "TELECARE_ADOPT_EVERY_S": "0.5",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "telecare", "ingest", "--lane", lane], env=os.environ | environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def slots(pool: Pool) -> int:
    return int(await one(pool, "select count(*) from ingest_slots"))


async def heard(pool: Pool, service: str, count: int = 1) -> bool:
    """Whether a service says that it is subscribed, and as many places are held."""
    found = await rows(
        pool, "select 1 from service_heartbeats where service = %s and (detail ->> 'subscribed')::boolean", service
    )
    return bool(found) and await slots(pool) == count


async def test_two_processes_share_and_a_killed_ones_readings_are_stored(settings: Settings, pool: Pool) -> None:
    if settings.mqtt_password_file is None or not (settings.mqtt_password_file.parent / "mosquitto.conf").exists():
        pytest.skip("needs Mosquitto: the wheel's broker does not keep what a killed client has not acknowledged")
    patient = settings.model_copy(update={"adopt_every_s": 0.5})
    async with (
        open_pool(settings.database, name="share", size=8) as mine,
        connected(settings, await enrolled(settings)) as hub,
        running(lambda stop: run_readings(patient, mine, SystemClock(), stop)),
    ):
        await until(lambda: heard(pool, "ingest-readings"))
        with a_process(settings, "readings") as other:
            await until(lambda: heard(pool, "ingest-readings", 2), 20)
            await asyncio.sleep(1.5)  # it subscribes right after it has its place
            os.kill(other.pid, signal.SIGSTOP)  # from here on its share waits for it
            for number in range(200):
                await hub.publish("readings", a_reading(number))
            await asyncio.sleep(0.5)
            waiting = 200 - await stored(pool, hub)
            assert 0 < waiting < 200  # both have a share
            other.kill()
            other.wait()
            await until(lambda: _is(stored(pool, hub), 200), 30)
        await until(lambda: _is(slots(pool), 1), 15)
        # Nothing goes to the dead one any more.
        for number in range(200, 300):
            await hub.publish("readings", a_reading(number))
        await until(lambda: _is(stored(pool, hub), 300))


async def _is(found: object, wanted: int) -> bool:
    return bool(await found == wanted)  # type: ignore[misc]


async def test_an_alarm_is_stored_once_though_two_processes_hear_it(settings: Settings, pool: Pool) -> None:
    async with (
        open_pool(settings.database, name="one", size=4) as first,
        open_pool(settings.database, name="two", size=4) as second,
        connected(settings, await enrolled(settings)) as hub,
        running(lambda stop: run_alarms(settings, first, SystemClock(), stop)),
        running(lambda stop: run_alarms(settings, second, SystemClock(), stop)),
    ):
        await until(lambda: heard(pool, "ingest", 2))
        await asyncio.sleep(0.3)
        pressed = [(await hub.press())["id"] for _ in range(50)]
        await until(lambda: len(hub.receipts()) == 50)
        await asyncio.sleep(0.3)
    assert sorted(row[0] for row in await rows(pool, "select id::text from alarms")) == sorted(pressed)
    assert await one(pool, "select sum(repeats) from alarms") == 0
    assert set(hub.receipts().values()) == {"stored"}
