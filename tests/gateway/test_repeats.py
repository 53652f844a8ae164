"""Repeats of an alarm are counted in one row, and no press of a wearer is swallowed."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.outbox import Outbox
from gateway.settings import HubSettings
from tests.gateway.conftest import Service, device_of, running_hub
from tests.helpers import until

NOW = datetime(2026, 11, 23, 22, 41, tzinfo=UTC)
DOOR = {"device": "door-1", "kind": "door", "location": "hall"}


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with closing(Outbox(tmp_path / "outbox.sqlite3")) as opened:
        yield opened


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def keep(outbox: Outbox, fields: dict[str, Any], seconds: float, key: str | None = None) -> tuple[str, bool]:
    return outbox.keep_alarm(fields, key, after(seconds), repeat_within_s=10)


def evidence(outbox: Outbox) -> list[Any]:
    return [json.loads(alarm.payload).get("evidence") for alarm in outbox.waiting(100)]


def test_a_contact_that_chatters_for_an_hour_is_one_row_that_tells_how_often(outbox: Outbox) -> None:
    first = keep(outbox, DOOR, 0)
    assert first[1]
    for second in range(9, 3600, 9):
        assert keep(outbox, DOOR, second) == (first[0], False)
    assert evidence(outbox) == [{"repeats": 399, "last_repeat_at": "2026-11-23T23:40:51.000Z"}]
    assert outbox.count() == 1


def test_what_the_device_said_stays_in_the_evidence(outbox: Outbox) -> None:
    keep(outbox, DOOR | {"evidence": {"peak_g": 3.4}}, 0)
    keep(outbox, DOOR | {"evidence": {"peak_g": 3.4}}, 1)
    assert evidence(outbox) == [{"peak_g": 3.4, "repeats": 1, "last_repeat_at": "2026-11-23T22:41:01.000Z"}]


def test_an_alarm_that_was_sent_never_changes_and_the_next_press_is_one_of_its_own(outbox: Outbox) -> None:
    first, _ = keep(outbox, DOOR, 0)
    (sent,) = outbox.unsent(0, 10, after(0))
    second, new = keep(outbox, DOOR, 1)
    assert new
    assert second != first
    assert outbox.again([1]) == [sent]


def test_behind_an_alarm_that_has_no_receipt_its_repeats_gather_for_a_moment(outbox: Outbox) -> None:
    keep(outbox, DOOR, 0)
    outbox.unsent(0, 10, after(0))
    second, _ = keep(outbox, DOOR, 1)
    for tenth in range(1, 80):
        assert keep(outbox, DOOR, 1 + tenth / 10) == (second, False)
    assert outbox.unsent(1, 10, after(10.9)) == []
    assert list(outbox.held(after(10.9))) == [2]
    (alarm,) = outbox.unsent(1, 10, after(11))
    assert json.loads(alarm.payload)["evidence"]["repeats"] == 79


def test_a_receipt_lets_the_one_behind_go_at_once(outbox: Outbox) -> None:
    first, _ = keep(outbox, DOOR, 0)
    outbox.unsent(0, 10, after(0))
    second, _ = keep(outbox, DOOR, 1)
    outbox.alarm_delivered(first, after(1.1))
    assert [alarm.id for alarm in outbox.unsent(1, 10, after(1.1))] == [second]


def test_a_second_press_after_the_receipt_waits_for_nothing(outbox: Outbox) -> None:
    first, _ = keep(outbox, DOOR, 0)
    outbox.unsent(0, 10, after(0))
    outbox.alarm_delivered(first, after(0.1))
    second, new = keep(outbox, DOOR, 1)
    assert new
    assert [alarm.id for alarm in outbox.unsent(1, 10, after(1))] == [second]


@pytest.mark.parametrize(
    ("fields", "seconds", "key"),
    [
        (DOOR, 1, "a-ref"),  # the device says that it is another one
        (DOOR, 10, None),  # too late to be a bounce
        (DOOR, -1, None),  # a clock that was put back
        (DOOR | {"location": "kitchen"}, 1, None),
        (DOOR | {"kind": "tamper"}, 1, None),
        (DOOR | {"device": "door-2"}, 1, None),
        (DOOR | {"evidence": {"open": True}}, 1, None),
    ],
)
def test_what_is_not_the_same_is_an_alarm_of_its_own(
    outbox: Outbox, fields: dict[str, Any], seconds: float, key: str | None
) -> None:
    keep(outbox, DOOR, 0)
    assert keep(outbox, fields, seconds, key)[1]
    assert outbox.count() == 2


@pytest.mark.parametrize("odd", [7, ["list"], {"repeats": 3}, {"last_repeat_at": "x"}, {"big": "x" * 4090}])
def test_where_there_is_no_place_for_the_count_every_one_is_kept(outbox: Outbox, odd: Any) -> None:
    for second in range(3):
        assert keep(outbox, DOOR | {"evidence": odd}, second)[1]
    assert evidence(outbox) == [odd] * 3


def test_a_press_after_a_cancel_is_seen_after_the_cancel(outbox: Outbox) -> None:
    press = {"device": "pendant-1", "kind": "button"}
    first, _ = keep(outbox, press, 0)
    keep(outbox, {"device": "unit-1", "kind": "cancel", "evidence": {"cancels": first}}, 1)
    again, new = keep(outbox, press, 2)
    assert new
    assert [json.loads(alarm.payload)["kind"] for alarm in outbox.waiting(9)] == ["button", "cancel", "button"]
    assert again != first


def test_something_else_from_the_device_in_between_keeps_the_order(outbox: Outbox) -> None:
    for second, kind in enumerate(("door", "tamper", "door")):
        assert keep(outbox, DOOR | {"kind": kind}, second)[1]


def test_after_a_restart_nothing_counts_as_never_sent(tmp_path: Path, outbox: Outbox) -> None:
    keep(outbox, DOOR, 0)
    with closing(Outbox(tmp_path / "outbox.sqlite3")) as again:
        assert keep(again, DOOR, 1)[1]


async def test_a_whole_hub_counts_while_the_broker_is_away(hub_settings: HubSettings, service: Service) -> None:
    away = replace(hub_settings, mqtt_url="mqtt://127.0.0.1:1")
    async with running_hub(away), device_of(away) as contact:
        ids = {await contact.press(ref=None, kind="door") for _ in range(50)}
        pressed = [await contact.press() for _ in range(2)]  # with a ref: each is a press
    assert len(ids) == 1
    async with running_hub(hub_settings):
        await until(lambda: len(service.on("alarm")) == 3)
    assert [alarm["id"] for alarm in service.on("alarm")] == [*ids, *pressed]
    assert service.on("alarm")[0]["evidence"]["repeats"] == 49


async def test_a_mute_broker_and_a_chattering_contact_do_not_fill_the_outbox(
    hub_settings: HubSettings, service: Service
) -> None:
    hub = replace(hub_settings, repeat_within_s=0.5)
    async with running_hub(hub), device_of(hub) as contact:
        for _ in range(200):
            await contact.press(ref=None, kind="door")
            await asyncio.sleep(0.005)
        await until(lambda: sum(1 + a.get("evidence", {}).get("repeats", 0) for a in service.on("alarm")) == 200)
        # A press of another device, and one of the same with a ref, do not wait behind the chatter.
        await contact.press(ref=None, kind="door")
        loud = await contact.press(device="pendant-2")
        await until(lambda: service.on("alarm")[-1]["id"] == loud)
    assert len(service.on("alarm")) < 40
