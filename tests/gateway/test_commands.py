"""What the service may tell a hub."""

import asyncio

from gateway.settings import HubSettings
from tests.gateway.conftest import Service, device_of, running_hub
from tests.helpers import until


async def ready(service: Service) -> None:
    await until(lambda: bool(service.on("state")))


async def test_an_announcement_reaches_every_device_that_listens(hub_settings: HubSettings, service: Service) -> None:
    async with (
        running_hub(hub_settings),
        device_of(hub_settings) as pendant,
        device_of(hub_settings) as speaker,
        device_of(hub_settings) as sensor,
    ):
        for device in (pendant, speaker):
            await device.say({"frame": "hello", "devices": ["any"]})
            await device.press()  # its answer shows that the hello before it was read
        await sensor.press()
        await ready(service)
        await service.command("a", "announce", text="help-is-coming", alarm="x")
        assert await service.result_of("a") == {"id": "a", "ok": True, "detail": ""}
        for device in (pendant, speaker):
            assert await device.hear() == {"frame": "announce", "text": "help-is-coming", "alarm": "x"}
        assert await sensor.press()  # heard nothing before


async def test_an_announcement_that_nobody_can_hear_is_answered_so(hub_settings: HubSettings, service: Service) -> None:
    async with running_hub(hub_settings):
        await ready(service)
        await service.command("a", "announce", text="help-is-coming")
        assert await service.result_of("a") == {"id": "a", "ok": False, "detail": "no device is listening"}


async def test_a_test_raises_an_alarm_once_and_is_answered_each_time(
    hub_settings: HubSettings, service: Service
) -> None:
    async with running_hub(hub_settings):
        await ready(service)
        for times in (1, 2):
            await service.command("t", "test")
            await service.result_of("t", times)
        await until(lambda: bool(service.on("alarm")))
    async with running_hub(hub_settings):  # remembered
        await service.command("t", "test")
        await service.result_of("t", 3)
    assert {(alarm["seq"], alarm["device"], alarm["kind"]) for alarm in service.on("alarm")} == {(1, "hub", "test")}


async def test_configure_changes_the_heartbeat_for_good(hub_settings: HubSettings, service: Service) -> None:
    async with running_hub(hub_settings):
        await ready(service)
        await service.command("bad", "configure", settings={"heartbeat_s": 0})
        assert not (await service.result_of("bad"))["ok"]
        await service.command("good", "configure", settings={"heartbeat_s": 1})
        assert (await service.result_of("good"))["ok"]
        await until(lambda: any(state.get("heartbeat_s") == 1 for state in service.on("state")))
    service.heard.clear()
    async with running_hub(hub_settings):
        await until(lambda: len(service.on("state")) >= 2)
        assert all(state["heartbeat_s"] == 1 for state in service.on("state"))


async def test_reboot_answers_then_connects_anew(hub_settings: HubSettings, service: Service) -> None:
    async with running_hub(hub_settings):
        await ready(service)
        await service.command("r", "reboot")
        await until(lambda: len(service.on("state")) == 3)
        await service.command("r", "reboot")
        await service.result_of("r", 2)
        await asyncio.sleep(0.1)
    heard = [(channel, payload.get("session"), payload.get("online")) for channel, payload in service.heard]
    heard = [entry for entry in heard if entry[0] != "command"]
    assert heard == [
        ("state", 1, True),
        ("result", None, None),
        ("state", 1, False),
        ("state", 2, True),
        ("result", None, None),
        ("state", 2, False),
    ]


async def test_an_expired_command_is_answered_and_not_obeyed(hub_settings: HubSettings, service: Service) -> None:
    async with running_hub(hub_settings):
        await ready(service)
        await service.command("late", "test", expires_at="2020-01-01T00:00:00Z")
        assert await service.result_of("late") == {"id": "late", "ok": False, "detail": "expired"}
    assert service.on("alarm") == []


async def test_what_is_no_command_or_receipt_is_passed_over(hub_settings: HubSettings, service: Service) -> None:
    async with running_hub(hub_settings):
        await ready(service)
        for junk in (b"", b"\xff", b"[]", b'{"id": "x", "kind": "dance", "expires_at": "2100-01-01T00:00:00Z"}'):
            await service.send("receipt", junk)
            await service.send("command", junk)
        await service.store("no-such-alarm")
        await service.command("t", "test")
        assert (await service.result_of("t"))["ok"]
