"""Devices and a real hub: an alarm is sent until it is kept, whatever happens to the hub."""

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from firmware_sim import pendant
from firmware_sim.frames import Announce, ImpactFrame, reading
from firmware_sim.link import Link
from firmware_sim.pendant import Pendant
from firmware_sim.trigger import TriggerState
from gateway.outbox import Outbox
from gateway.service import run
from gateway.settings import HubSettings
from telecare.clock import SystemClock
from tests.firmware_sim.signals import UP, Signal
from tests.helpers import running, until

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def hub_in(folder: Path) -> HubSettings:
    """A hub whose broker is out of reach: what it has kept stays in its outbox."""
    return HubSettings(hub="h-1", secret="x", mqtt_url="mqtt://127.0.0.1:1", directory=folder, readings_linger_s=0.05)


async def test_a_press_before_the_hub_is_there_is_kept_when_it_comes_and_once(tmp_path: Path) -> None:
    settings = hub_in(tmp_path / "hub")
    link = Link(settings.socket_path, ["pendant-1"], SystemClock())
    connection = asyncio.create_task(link.run())
    try:
        _, frame = pendant.press(Pendant("pendant-1", "boot"), NOW)
        sending = asyncio.create_task(link.alarm(frame))
        await asyncio.sleep(0.1)
        assert not sending.done()
        async with running(lambda stop: run(settings, SystemClock(), stop)):
            alarm = await asyncio.wait_for(sending, 5)
            assert await asyncio.wait_for(link.alarm(frame), 5) == alarm  # the device lost the answer, and asks again
        with closing(Outbox(settings.outbox_path)) as outbox:
            assert [waiting.id for waiting in outbox.waiting(10)] == [alarm]
    finally:
        connection.cancel()


async def test_a_hub_that_restarts_is_found_again(tmp_path: Path) -> None:
    settings = hub_in(tmp_path / "hub")
    link = Link(settings.socket_path, ["pendant-1"], SystemClock())
    connection = asyncio.create_task(link.run())
    try:
        worn, alarms = Pendant("pendant-1", "boot"), set()
        for _ in range(2):
            async with running(lambda stop: run(settings, SystemClock(), stop)):
                await until(lambda: link.connected)
                worn, frame = pendant.press(worn, NOW)
                alarms.add(await asyncio.wait_for(link.alarm(frame), 5))
            await until(lambda: not link.connected)
        assert len(alarms) == 2
    finally:
        connection.cancel()


async def test_a_pendant_falls_beeps_and_its_wearer_takes_it_back_or_does_not(tmp_path: Path) -> None:
    """From the samples to the outbox: the whole way of a fall, with the firmware and a real hub."""
    settings = replace(hub_in(tmp_path / "hub"), prealarm_s=1.0)
    said: list[Announce] = []
    link = Link(settings.socket_path, ["pendant-1"], SystemClock(), said.append)
    connection = asyncio.create_task(link.run())
    worn = Pendant("pendant-1", "boot", worn_at="neck")

    async def fall(worn: Pendant) -> tuple[Pendant, str]:
        for sample in Signal().hold(5, UP, 1.0, 0.1).fall().samples:
            worn, frames = pendant.feel(worn, sample, NOW)
            for frame in frames:
                assert isinstance(frame, ImpactFrame)
                judged = await asyncio.wait_for(link.impact(frame), 5)
                assert judged.id is not None
                await until(lambda held=judged.id: any((one.text, one.alarm) == ("pre-alarm", held) for one in said))
                return pendant.heard(worn, "pre-alarm", judged.id), judged.id
        raise AssertionError("the trigger was silent")

    try:
        async with running(lambda stop: run(settings, SystemClock(), stop)):
            await until(lambda: link.connected)
            worn, fine = await fall(worn)
            worn, frame = pendant.press(worn, NOW, held_s=2.5)
            assert await asyncio.wait_for(link.alarm(frame), 5) == fine
            await until(lambda: any((one.text, one.alarm) == ("taken-back", fine) for one in said))
            _, lying = await fall(worn._replace(motion=TriggerState()))
            with closing(Outbox(settings.outbox_path)) as outbox:
                assert outbox.waiting(10) == []
                await until(lambda: [alarm.id for alarm in outbox.waiting(10)] == [lying])
    finally:
        connection.cancel()


async def test_readings_are_kept_too_while_the_hub_is_there(tmp_path: Path) -> None:
    settings = hub_in(tmp_path / "hub")
    link = Link(settings.socket_path, ["pir-hall"], SystemClock())
    connection = asyncio.create_task(link.run())
    try:
        link.tell(reading("pir-hall", "motion", True, NOW))  # nobody there: lost, and no error
        async with running(lambda stop: run(settings, SystemClock(), stop)):
            await until(lambda: link.connected)
            link.tell(reading("pir-hall", "motion", True, NOW))
            with closing(Outbox(settings.outbox_path)) as outbox:
                await until(lambda: outbox.count() == 1)
    finally:
        connection.cancel()
