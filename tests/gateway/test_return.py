"""How a hub comes back: spread out, unless somebody may need help."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.settings import HubSettings
from tests.gateway.conftest import BrokerProcess, Service, device_of, running_hub, service_for, settings_for
from tests.helpers import until

# Chance chooses from none to all of it: that it chooses less than a test lasts will not be seen in a million runs.
LONG_S = 1e7


@pytest.fixture
def patient(hub_settings: HubSettings) -> HubSettings:
    return replace(hub_settings, return_jitter_s=LONG_S)


async def test_a_hub_that_starts_waits_and_a_press_ends_the_wait(patient: HubSettings, service: Service) -> None:
    async with running_hub(patient), device_of(patient) as pendant:
        await asyncio.sleep(0.4)
        assert service.on("state") == []
        alarm = await pendant.press()
        await until(lambda: [each["id"] for each in service.on("alarm")] == [alarm])


async def test_a_technical_alarm_is_no_reason_to_come_back_with_the_crowd(
    patient: HubSettings, service: Service
) -> None:
    """The mains are back in a whole town, and every hub says so."""
    async with running_hub(patient), device_of(patient) as device:
        await device.press(kind="mains-lost")
        await device.press(kind="mains-restored")
        await asyncio.sleep(0.4)
        assert service.on("state") == []
        await device.press(kind="smoke")
        await until(lambda: [each["kind"] for each in service.on("alarm")] == ["mains-lost", "mains-restored", "smoke"])


async def test_a_hub_that_carries_an_alarm_does_not_wait(patient: HubSettings, service: Service) -> None:
    away = replace(patient, mqtt_url="mqtt://127.0.0.1:1")
    async with running_hub(away), device_of(away) as pendant:
        alarm = await pendant.press()
    async with running_hub(patient):
        await until(lambda: [each["id"] for each in service.on("alarm")] == [alarm])


async def test_a_lost_connection_is_made_again_after_the_jitter_or_for_an_alarm(
    own_broker: BrokerProcess, tmp_path: Path
) -> None:
    hub = settings_for(own_broker, tmp_path / "hub", return_jitter_s=LONG_S)
    await asyncio.to_thread(own_broker.start)
    async with running_hub(hub), device_of(hub) as pendant:
        async with service_for(hub, own_broker) as service:
            first = await pendant.press()
            await until(lambda: bool(service.on("alarm")))
            await service.store(first)
            await service.command("after", "announce", text="closed")
            await service.result_of("after")
        await asyncio.to_thread(own_broker.stop)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(own_broker.start)
        async with service_for(hub, own_broker) as service:
            await asyncio.sleep(0.4)
            assert not any(state["session"] > 1 for state in service.on("state"))
            second = await pendant.press()
            await until(lambda: [each["id"] for each in service.on("alarm")] == [second])


async def test_a_stop_ends_the_wait(patient: HubSettings) -> None:
    async with running_hub(patient):
        await until(patient.socket_path.exists)
    # `running_hub` gives it ten seconds to end.


async def test_a_chattering_contact_does_not_make_the_hub_hammer_a_broker_that_is_away(
    hub_settings: HubSettings,
) -> None:
    tried = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A broker that lets nobody in, and counts who came."""
        nonlocal tried
        tried += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    away = replace(
        hub_settings,
        mqtt_url=f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        attempts_apart_s=0.3,
        backoff_first_s=60.0,
        backoff_most_s=60.0,
    )
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with server, running_hub(away), device_of(away) as contact:
        for _ in range(100):
            await contact.press(kind="door")
            await asyncio.sleep(0.01)
        took_s = loop.time() - begun
    assert 2 <= tried <= took_s / 0.3 + 2
