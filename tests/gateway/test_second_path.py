"""The second path: two real brokers, and the service on one or both of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.outbox import Outbox
from gateway.settings import HubSettings
from ingest.alarm_lane import ALARM_TOPICS, AlarmLane
from ingest.inbox import Inbox
from telecare.clock import SystemClock
from telecare.db import Pool
from telecare.mqtt_accounts import hash_secret, read_password_file, write_password_file
from telecare.settings import Settings
from tests.gateway.conftest import (
    BrokerProcess,
    device_of,
    running_hub,
    service_for,
    settings_for,
)
from tests.helpers import enrolled, one, rows, running, until

NOWHERE = "mqtt://127.0.0.1:1"


@asynccontextmanager
async def ingest_on(broker_url: str, settings: Settings, pool: Pool) -> AsyncIterator[None]:
    """The service's alarm lane on one broker."""
    inbox = Inbox(broker_url, "telecare-ingest-alarms", ALARM_TOPICS, 1000)
    async with running(AlarmLane(pool, inbox, settings, SystemClock()).run):
        await until(lambda: inbox.subscribed)
        yield


@pytest.fixture
async def home(settings: Settings, own_broker: BrokerProcess, tmp_path: Path) -> HubSettings:
    """A hub that is enrolled in the service, whose first broker is `own_broker` and the second one the service's."""
    enrolment = await enrolled(settings)
    file = own_broker.broker.password_file
    write_password_file(file, read_password_file(file) | {enrolment.hub: hash_secret(enrolment.secret)})
    return replace(
        settings_for(own_broker, tmp_path / "hub", fallback_after_s=0.3, receipt_timeout_s=0.5),
        hub=enrolment.hub,
        secret=enrolment.secret,
        second_mqtt_url=settings.mqtt_url_for_hubs,
    )


def ledger_of(hub: HubSettings) -> list[tuple[Any, ...]]:
    with closing(Outbox(hub.outbox_path)) as outbox:
        return outbox._db.execute("select id, status, path from ledger order by seq").fetchall()


def held_by(hub: HubSettings) -> list[str]:
    with closing(Outbox(hub.outbox_path)) as outbox:
        return [alarm.id for alarm in outbox.waiting(100)]


async def test_an_alarm_arrives_by_the_second_broker_where_the_first_is_stopped(
    home: HubSettings, settings: Settings, pool: Pool
) -> None:
    async with ingest_on(settings.mqtt, settings, pool), running_hub(home), device_of(home) as pendant:
        alarm = await pendant.press()
        await until(lambda: held_by(home) == [])
    assert await rows(pool, "select id::text, hub, kind, repeats from alarms") == [(alarm, home.hub, "button", 0)]
    assert ledger_of(home) == [(alarm, "stored", "second")]


async def test_an_alarm_that_comes_both_ways_is_one(
    home: HubSettings, settings: Settings, pool: Pool, own_broker: BrokerProcess
) -> None:
    """The first broker takes the alarm, and nobody reads it there until the second has brought it."""
    await asyncio.to_thread(own_broker.start)
    first = own_broker.broker.service_url
    async with ingest_on(first, settings, pool):
        pass  # the first broker knows the service's session now, and keeps alarms for it
    async with running_hub(home), device_of(home) as pendant:
        alarm = await pendant.press()
        async with ingest_on(settings.mqtt, settings, pool):
            await until(lambda: held_by(home) == [])
        assert ledger_of(home) == [(alarm, "stored", "second")]
        # What comes again within a moment may have been heard by two processes, and is not counted as a repeat.
        async with pool.connection() as conn:
            await conn.execute("update alarms set received_at = received_at - interval '10 seconds'")
        async with ingest_on(first, settings, pool):
            await until(lambda: _repeated(pool))
    assert await rows(pool, "select id::text from alarms") == [(alarm,)]
    assert await one(pool, "select count(*) from alarms_waiting") == 1
    assert await one(pool, "select count(*) from unreadable") == 0  # the same bytes: no contradiction


async def _repeated(pool: Pool) -> bool:
    return bool(await one(pool, "select sum(repeats) from alarms") or 0)


async def test_both_paths_go_on_until_a_receipt_comes_by_either(
    shared_broker: BrokerProcess, own_broker: BrokerProcess, tmp_path: Path
) -> None:
    """Both brokers take and never answer; then the first one's receipt ends both."""
    await asyncio.to_thread(own_broker.start)
    hub = settings_for(
        own_broker, tmp_path / "hub", fallback_after_s=0.2, receipt_timeout_s=0.2,
        second_mqtt_url=shared_broker.broker.hub_url,
    )  # fmt: skip
    async with service_for(hub, own_broker) as first, service_for(hub, shared_broker) as second:
        async with running_hub(hub), device_of(hub) as pendant:
            alarm = await pendant.press(evidence={"peak_g": 3.4})
            await until(lambda: min(len(first.on("alarm")), len(second.on("alarm"))) >= 3)
            await first.store(alarm)
            await until(lambda: held_by(hub) == [])
            await asyncio.sleep(0.1)  # what is under way arrives
            sent = len(first.on("alarm")), len(second.on("alarm"))
            await asyncio.sleep(0.6)
            assert (len(first.on("alarm")), len(second.on("alarm"))) == sent
        assert {json.dumps(each) for each in first.on("alarm")} == {json.dumps(each) for each in second.on("alarm")}
    assert ledger_of(hub) == [(alarm, "stored", "first")]


async def test_the_second_connection_is_there_only_while_it_is_needed(
    shared_broker: BrokerProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """... and long enough after the receipt for the wearer to hear that help is coming."""
    caplog.set_level("INFO", logger="gateway")
    hub = replace(
        settings_for(shared_broker, tmp_path / "hub", fallback_after_s=0.3),
        mqtt_url=NOWHERE,
        second_mqtt_url=shared_broker.broker.hub_url,
    )
    async with service_for(hub, shared_broker) as service, running_hub(hub), device_of(hub) as pendant:
        await asyncio.sleep(0.5)
        assert events(caplog, "second_path_up") == 0

        async def happens(event: str, times: int) -> None:
            await until(lambda: events(caplog, event) == times)

        for times in (1, 2):
            alarm = await pendant.press()
            await happens("second_path_up", times)
            await until(lambda alarm=alarm: alarm in [each["id"] for each in service.on("alarm")])
            await service.store(alarm)
            await pendant.say({"frame": "hello"})
            await service.command(f"c{times}", "announce", text="help-is-coming", alarm=alarm)
            assert (await pendant.hear())["text"] == "help-is-coming"
            assert (await service.result_of(f"c{times}"))["ok"]
            await happens("second_path_closed", times)
    assert service.on("state") == []  # it says nothing else there


def events(caplog: pytest.LogCaptureFixture, event: str) -> int:
    return sum(1 for record in caplog.records if vars(record).get("event") == event)


async def test_one_broker_by_two_networks_keeps_both_connections(shared_broker: BrokerProcess, tmp_path: Path) -> None:
    """The second connection must not take the first one's name, or the broker would throw the first one out."""
    url = shared_broker.broker.hub_url
    hub = settings_for(shared_broker, tmp_path / "hub", fallback_after_s=0.2, second_mqtt_url=url)
    async with service_for(hub, shared_broker) as service, running_hub(hub), device_of(hub) as pendant:
        alarm = await pendant.press()
        await until(lambda: len(service.on("alarm")) == 2)
        await service.store(alarm)
        await until(lambda: held_by(hub) == [])
        assert {state["session"] for state in service.on("state")} == {1}
        assert all(state["online"] for state in service.on("state"))


async def test_a_second_broker_that_restarts_is_found_again(own_broker: BrokerProcess, tmp_path: Path) -> None:
    hub = replace(
        # The hub may be quicker than the service to find the broker: then the alarm is to come again soon.
        settings_for(own_broker, tmp_path / "hub", fallback_after_s=0.1, receipt_timeout_s=0.5),
        mqtt_url=NOWHERE,
        second_mqtt_url=own_broker.broker.hub_url,
    )
    async with running_hub(hub), device_of(hub) as pendant:
        alarm = await pendant.press()
        await asyncio.sleep(0.3)
        await asyncio.to_thread(own_broker.start)
        async with service_for(hub, own_broker) as service:
            await until(lambda: bool(service.on("alarm")))
            await service.store(alarm)
            await until(lambda: held_by(hub) == [])


# ---------------------------------------------------------------- the hook


def hook(folder: Path, script: str) -> str:
    """A command line of a modem's program, whose name has a space in it."""
    program = folder / "call the modem"
    program.write_text(f"#!/bin/sh\ncd '{folder}'\n{script}\n")
    program.chmod(0o755)
    return f"'{program}' --number '07700 900000; rm -rf x'"


async def test_the_hook_gets_the_alarm_and_is_run_once_when_it_takes_it(
    tmp_path: Path, shared_broker: BrokerProcess
) -> None:
    command = hook(tmp_path, 'cat >> told; echo "$2|$TELECARE_HUB_SECRET" >> arguments')
    hub = settings_for(shared_broker, tmp_path / "hub", fallback_after_s=0.2, fallback_hook=command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELECARE_HUB_SECRET", "not for the hook")
        async with service_for(hub, shared_broker) as service, running_hub(hub), device_of(hub) as pendant:
            alarm = await pendant.press(kind="fall", location="bathroom")
            await until((tmp_path / "arguments").exists)
            await asyncio.sleep(0.5)
            assert len(service.on("alarm")) == 1
            told = json.loads((tmp_path / "told").read_text())
            assert told.pop("waited_s") in range(5)
            assert told == {"hub": hub.hub, "reason": "no-receipt", "attempt": 1, "alarm": service.on("alarm")[0]}
            assert held_by(hub) == [alarm]  # only a receipt ends it
    assert (tmp_path / "arguments").read_text() == "07700 900000; rm -rf x|\n"


async def test_a_hook_that_fails_is_tried_again_until_it_takes_the_alarm(
    tmp_path: Path, shared_broker: BrokerProcess
) -> None:
    command = hook(tmp_path, "cat > /dev/null; echo >> tries; test $(wc -l < tries) -ge 3")
    hub = settings_for(
        shared_broker, tmp_path / "hub", fallback_after_s=0.1, fallback_hook=command, hook_retry_first_s=0.1
    )
    async with running_hub(hub), device_of(hub) as pendant:
        await pendant.press()
        await until(lambda: taken_by_hook(hub) == [(3, True)])
        await asyncio.sleep(0.5)
    assert taken_by_hook(hub) == [(3, True)]


def taken_by_hook(hub: HubSettings) -> list[tuple[int, bool]]:
    with closing(Outbox(hub.outbox_path)) as outbox:
        found = outbox._db.execute("select hook_tries, hook_taken_at is not null from alarms order by seq")
        return [(tries, bool(taken)) for tries, taken in found]


async def test_a_hook_that_hangs_is_ended_with_what_it_started(tmp_path: Path, shared_broker: BrokerProcess) -> None:
    command = hook(tmp_path, "sleep 600 & echo $! > child; wait")
    hub = settings_for(shared_broker, tmp_path / "hub", fallback_after_s=0.1, fallback_hook=command, hook_timeout_s=0.5)
    async with running_hub(hub), device_of(hub) as pendant:
        await pendant.press()
        await until(lambda: (tmp_path / "child").exists() and bool((tmp_path / "child").read_text()))
        child = int((tmp_path / "child").read_text())
        await until(lambda: not runs(child))
        assert taken_by_hook(hub) == [(1, False)]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_attempts_are_remembered_over_a_restart(tmp_path: Path, shared_broker: BrokerProcess) -> None:
    command = hook(tmp_path, "echo >> tries; exit 1")
    hub = settings_for(shared_broker, tmp_path / "hub", fallback_after_s=0.1, fallback_hook=command)
    async with running_hub(hub), device_of(hub) as pendant:
        await pendant.press()
        await until((tmp_path / "tries").exists)
    async with running_hub(hub):  # the next attempt is due in a minute, not with each start
        await asyncio.sleep(0.5)
    assert (tmp_path / "tries").read_text() == "\n"
    assert taken_by_hook(hub) == [(1, False)]


async def test_a_hook_that_does_not_exist_is_said_and_the_alarm_goes_on(
    tmp_path: Path, shared_broker: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    hub = settings_for(
        shared_broker, tmp_path / "hub", fallback_after_s=0.1, receipt_timeout_s=0.2, fallback_hook="/no/such/modem"
    )
    async with service_for(hub, shared_broker) as service, running_hub(hub), device_of(hub) as pendant:
        await pendant.press()
        await until(lambda: events(caplog, "hook_failed") == 1)
        sent = len(service.on("alarm"))
        await until(lambda: len(service.on("alarm")) > sent)
