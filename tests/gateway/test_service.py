"""A whole hub, between real sockets and a real broker."""

import asyncio
import json
import logging
import socket
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.outbox import Outbox
from gateway.service import run
from gateway.settings import HubSettings
from telecare.clock import SystemClock
from telecare.errors import CannotStart
from telecare.senml import read_pack
from tests.gateway.conftest import BrokerProcess, Service, device_of, running_hub, service_for, settings_for
from tests.helpers import until

MOTION = {"frame": "reading", "device": "pir-hall", "measure": "motion", "value": True}


# ---------------------------------------------------------------- alarms


async def test_a_press_is_kept_then_published_then_gone_with_the_receipt(
    hub_settings: HubSettings, service: Service
) -> None:
    async with running_hub(hub_settings), device_of(hub_settings) as pendant:
        kept = await pendant.press(location="hall", evidence={"peak_g": 3.4})
        await until(lambda: bool(service.on("alarm")))
        (alarm,) = service.on("alarm")
        assert alarm.pop("at").endswith("Z")
        assert alarm == {
            "id": kept, "seq": 1, "device": "pendant-1", "kind": "button", "clock": "synced",
            "location": "hall", "evidence": {"peak_g": 3.4},
        }  # fmt: skip
        await service.store(kept)
        await service.command("reboot-1", "reboot")
        await until(lambda: [s["outbox"] for s in service.on("state") if s["online"]][-1:] == [0])
        await until(lambda: len(service.on("state")) == 3)
    assert len(service.on("alarm")) == 1


async def test_an_alarm_without_a_receipt_goes_out_again_until_it_has_one(
    hub_settings: HubSettings, service: Service
) -> None:
    async with running_hub(replace(hub_settings, receipt_timeout_s=0.1)):
        async with device_of(hub_settings) as pendant:
            kept = await pendant.press()
        await until(lambda: len(service.on("alarm")) >= 3)
        await service.store(kept, "rejected")
        await service.command("after", "announce", text="closed")  # answered after the receipt was read
        await service.result_of("after")
        sent = len(service.on("alarm"))
        await asyncio.sleep(0.25)
    assert len(service.on("alarm")) == sent
    assert {alarm["id"] for alarm in service.on("alarm")} == {kept}


async def test_a_frame_said_twice_is_one_alarm(hub_settings: HubSettings, service: Service) -> None:
    async with running_hub(hub_settings), device_of(hub_settings) as pendant:
        first = await pendant.press(ref="same")
        assert await pendant.press(ref="same", kind="fall") == first
        other = await pendant.press(ref="other")
        await until(lambda: len(service.on("alarm")) == 2)
        assert [(alarm["id"], alarm["seq"], alarm["kind"]) for alarm in service.on("alarm")] == [
            (first, 1, "button"),
            (other, 2, "button"),
        ]


async def test_presses_while_the_broker_is_away_arrive_and_before_the_readings(
    tmp_path: Path, shared_broker: BrokerProcess
) -> None:
    hub = settings_for(shared_broker, tmp_path / "hub")
    away = replace(hub, mqtt_url="mqtt://127.0.0.1:1")
    async with running_hub(away), device_of(away) as device:
        await device.say(MOTION)
        ids = [await device.press() for _ in range(25)]
        await asyncio.sleep(3 * hub.readings_linger_s)
    # Listening before the hub can connect: else it may be done before anybody hears it.
    async with service_for(hub, shared_broker) as service, running_hub(hub):
        await until(lambda: bool(service.on("readings")))
    assert [channel for channel, _ in service.heard if channel in ("alarm", "readings")] == ["alarm"] * 25 + [
        "readings"
    ]
    assert [alarm["id"] for alarm in service.on("alarm")] == ids


async def test_a_broker_that_restarts_gets_everything_that_has_no_receipt(
    tmp_path: Path, own_broker: BrokerProcess
) -> None:
    hub = settings_for(own_broker, tmp_path / "hub")
    await asyncio.to_thread(own_broker.start)
    async with running_hub(hub), device_of(hub) as pendant:
        first = await pendant.press()
        async with service_for(hub, own_broker) as service:
            await service.command("c", "announce", text="closed")
            await service.result_of("c")
        await asyncio.to_thread(own_broker.stop)
        second = await pendant.press()
        await asyncio.to_thread(own_broker.start)
        async with service_for(hub, own_broker) as service:
            await until(lambda: any(s["online"] and s["session"] == 2 for s in service.on("state")))
            await service.store(first)
            await service.store(second)
            await service.command("d", "announce", text="closed")
            await service.result_of("d")
    with closing(Outbox(hub.outbox_path)) as outbox:
        assert outbox.waiting(10) == []


async def test_a_hub_that_restarts_has_its_alarms_and_counts_on(hub_settings: HubSettings, service: Service) -> None:
    no_broker = replace(hub_settings, mqtt_url="mqtt://127.0.0.1:1")
    async with running_hub(no_broker), device_of(no_broker) as pendant:
        await pendant.say(MOTION)
        first = await pendant.press()
        second = await pendant.press(ref="again")
    async with running_hub(hub_settings), device_of(hub_settings) as pendant:
        assert await pendant.press(ref="again") == second
        third = await pendant.press()
        await until(lambda: len(service.on("alarm")) == 3 and bool(service.on("readings")))
    assert sorted((alarm["seq"], alarm["id"]) for alarm in service.on("alarm")) == [(1, first), (2, second), (3, third)]


async def test_an_alarm_too_long_without_a_receipt_is_said_once_and_goes_on(
    hub_settings: HubSettings, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    hurried = replace(hub_settings, fallback_after_s=0.2, receipt_timeout_s=0.1)
    async with running_hub(hurried), device_of(hurried) as pendant:
        kept = await pendant.press()
        await until(lambda: "fallback due" in caplog.messages)
        sent = len(service.on("alarm"))
        await until(lambda: len(service.on("alarm")) > sent + 1)
    due = [record for record in caplog.records if record.message == "fallback due"]
    assert [(record.levelno, vars(record)["alarm"]) for record in due] == [(logging.ERROR, kept)]


# ---------------------------------------------------------------- readings


async def test_readings_go_out_as_packs_and_leave_the_outbox(hub_settings: HubSettings, service: Service) -> None:
    small = replace(hub_settings, readings_per_pack=4)
    async with running_hub(small):
        async with device_of(small) as sensor:
            for n in range(10):
                await sensor.say(
                    {"frame": "reading", "device": "env-1", "measure": "temperature", "value": n,
                     "at": f"2026-11-23T22:41:{n:02}Z"}
                )  # fmt: skip
        await until(lambda: sum(map(len, service.on("readings"))) == 10)
    now = SystemClock().now()
    packs = [read_pack(json.dumps(pack).encode(), now) for pack in service.on("readings")]
    assert [reading.value for pack in packs for reading in pack.readings] == list(range(10))
    assert max(len(pack.readings) for pack in packs) == 4
    with closing(Outbox(small.outbox_path)) as outbox:
        assert outbox.count() == 0


# ---------------------------------------------------------------- frames


async def test_a_bad_frame_is_refused_and_the_next_one_is_taken(hub_settings: HubSettings) -> None:
    small = replace(hub_settings, frame_limit_bytes=1000)
    async with running_hub(small), device_of(small) as device:
        for line in (b"no", b"[]", b"\xff\xfe", b"x" * 200_000, b'{"frame":"dance"}', b"[" * 900):
            await device.say(line)
            assert (await device.hear())["frame"] == "refused"
        await device.say(b"\r\n")
        await device.say(MOTION | {"value": 3})
        assert "motion" in (await device.hear())["reason"]
        assert await device.press(kind="meteor", at="noon", evidence=7)


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=200), max_size=8))
def test_no_bytes_stop_the_next_press(hub_settings: HubSettings, lines: list[bytes]) -> None:
    async def say_them_all() -> None:
        alone = replace(hub_settings, mqtt_url="mqtt://127.0.0.1:1", power_safe=False)
        async with running_hub(alone), device_of(alone) as device:
            for line in lines:
                await device.say(line)
            await device.say({"frame": "alarm", "device": "p", "ref": "last", "kind": "button"})
            while (answer := await device.hear())["frame"] != "kept":
                assert answer["frame"] == "refused"

    asyncio.run(say_them_all())


async def test_the_socket_works_at_the_end_of_a_long_path(hub_settings: HubSettings, tmp_path: Path) -> None:
    deep = replace(hub_settings, directory=tmp_path / ("a" * 100) / ("b" * 100))
    async with running_hub(deep), device_of(deep) as pendant:
        assert await pendant.press()


# ---------------------------------------------------------------- the hub's state


async def test_the_state_counts_connections_and_ends_with_goodbye(hub_settings: HubSettings, service: Service) -> None:
    for session in (1, 2):
        async with running_hub(replace(hub_settings, heartbeat_s=0.1)):
            await until(lambda: len(service.on("state")) >= 3)
        *beats, goodbye = service.on("state")
        assert all(state["online"] and state["session"] == session for state in beats)
        assert beats[0]["heartbeat_s"] == 0.1
        assert beats[0]["outbox"] == 0
        assert (goodbye["online"], goodbye["session"]) == (False, session)
        service.heard.clear()


async def test_a_hub_that_vanishes_leaves_its_will(
    hub_settings: HubSettings, service: Service, shared_broker: BrokerProcess
) -> None:
    async with running_hub(hub_settings):
        await until(lambda: bool(service.on("state")))
        # Whoever takes over the client id makes the broker drop the hub without a goodbye.
        async with aiomqtt.Client(
            "127.0.0.1", shared_broker.broker.port, identifier=hub_settings.hub, username=hub_settings.hub,
            password=hub_settings.secret, protocol=aiomqtt.ProtocolVersion.V5,
        ):  # fmt: skip
            await until(lambda: {"online": False, "session": 1} in service.on("state"))
        await until(lambda: any(state["online"] and state["session"] >= 2 for state in service.on("state")))
    async with service_for(hub_settings, shared_broker) as late_comer:
        await until(lambda: bool(late_comer.on("state")))  # retained
        assert late_comer.on("state")[0]["online"] is False


async def test_a_wrong_secret_is_said_in_one_line_and_tried_again(
    hub_settings: HubSettings, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = replace(hub_settings, secret="not-its-secret")
    async with running_hub(wrong), device_of(wrong) as pendant:
        assert await pendant.press()
        await until(lambda: any("refuses" in message for message in caplog.messages))
        await asyncio.sleep(0.3)
    assert [message for message in caplog.messages if "broker" in message] == [
        "the broker refuses the hub's name or secret"
    ]
    assert "not-its-secret" not in repr(wrong)


async def test_a_second_hub_in_the_same_folder_is_turned_away(hub_settings: HubSettings) -> None:
    async with running_hub(hub_settings), device_of(hub_settings) as pendant:
        with pytest.raises(CannotStart, match="another hub"):
            await run(hub_settings, SystemClock(), asyncio.Event())
        assert await pendant.press()


async def test_a_broker_that_does_not_answer_leaves_no_connection_open(hub_settings: HubSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mqtt://127.0.0.1:{silent.getsockname()[1]}"
        hub = asyncio.create_task(
            run(replace(hub_settings, mqtt_url=url, mqtt_timeout_s=0.1), SystemClock(), asyncio.Event())
        )
        await asyncio.sleep(1.5)
        hub.cancel()
        await asyncio.gather(hub, return_exceptions=True)
        # On a thread: an attempt under way is given up by this very loop, which must not stand still meanwhile.
        assert await asyncio.to_thread(_ended_connections, silent) > 1


def _ended_connections(server: socket.socket) -> int:
    """How many connections have come to a server; TimeoutError, where one of them stays open."""
    server.setblocking(False)
    connections = 0
    with suppress(BlockingIOError):
        while True:
            connection, _ = server.accept()
            connections += 1
            with connection:
                connection.settimeout(5)
                while connection.recv(4096):
                    pass
    return connections
