"""What a hub decides."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import Waiting, decide, fallback_due, passed, plan_alarms, write_alarm
from telecare.wire import Command

NOW = datetime(2026, 11, 23, 22, 41, tzinfo=UTC)


def waiting(seq: int, sent_s_ago: float | None = None, kept_s_ago: float = 0) -> Waiting:
    sent_at = None if sent_s_ago is None else NOW - timedelta(seconds=sent_s_ago)
    return Waiting(str(seq), seq, b"", NOW - timedelta(seconds=kept_s_ago), sent_at)


def command(**changes: Any) -> Command:
    return Command(**({"id": "c", "kind": "test", "expires_at": "2026-11-23T22:42:00Z"} | changes))


def test_new_alarms_go_first_in_their_order_then_those_without_a_receipt() -> None:
    plan = plan_alarms([waiting(1, 11), waiting(4), waiting(2, 3), waiting(3)], NOW, receipt_timeout_s=10, at_once=10)
    assert [alarm.seq for alarm in plan.send] == [3, 4, 1]


def test_while_all_wait_for_receipts_the_hub_looks_again_when_the_first_is_due() -> None:
    plan = plan_alarms([waiting(1, 4), waiting(2, 3)], NOW, receipt_timeout_s=10, at_once=10)
    assert plan.send == ()
    assert plan.look_again_s == 6


def test_no_more_than_the_window_goes_out_at_once() -> None:
    plan = plan_alarms([waiting(seq) for seq in range(30)], NOW, receipt_timeout_s=10, at_once=10)
    assert [alarm.seq for alarm in plan.send] == list(range(10))
    assert plan.look_again_s == 0


def test_an_empty_outbox_waits_to_be_woken() -> None:
    assert plan_alarms([], NOW, receipt_timeout_s=10, at_once=10).look_again_s is None


@given(st.floats(-1e6, 1e6))
def test_a_clock_put_back_makes_an_alarm_due_not_forgotten(sent_s_ago: float) -> None:
    plan = plan_alarms([waiting(1, sent_s_ago)], NOW, receipt_timeout_s=10, at_once=10)
    assert plan.send or (plan.look_again_s is not None and 0 < plan.look_again_s <= 10)


def test_time_passes_at_the_limit_and_not_before() -> None:
    assert passed(NOW - timedelta(seconds=10), 10, NOW)
    assert not passed(NOW - timedelta(seconds=9.999), 10, NOW)
    assert passed(NOW + timedelta(seconds=1), 10, NOW)


def test_the_fallback_is_due_after_its_time() -> None:
    assert [alarm.seq for alarm in fallback_due([waiting(1, kept_s_ago=61), waiting(2, kept_s_ago=59)], NOW, 60)] == [1]


def test_an_alarm_gets_the_hubs_time_where_the_device_gave_none() -> None:
    alarm = json.loads(write_alarm({"device": "p", "kind": "fall", "at": None}, "i", 3, NOW))
    assert alarm["at"] == "2026-11-23T22:41:00.000Z"
    assert alarm["clock"] == "synced"
    assert alarm["seq"] == 3


def test_a_hub_whose_clock_was_never_set_says_so() -> None:
    alarm = json.loads(write_alarm({"device": "p"}, "i", 3, datetime(1970, 1, 1, 0, 5, tzinfo=UTC)))
    assert alarm["clock"] == "unsynced"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"expires_at": "2026-11-23T22:41:00Z"}, "expired"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"kind": "announce"}, "text"),
        ({"kind": "announce", "text": "rhubarb"}, "text"),
        ({"kind": "configure"}, "heartbeat_s"),
        ({"kind": "configure", "settings": {"heartbeat_s": True}}, "heartbeat_s"),
        ({"kind": "configure", "settings": {"heartbeat_s": 0.5}}, "heartbeat_s"),
        ({"kind": "configure", "settings": {"heartbeat_s": 5, "colour": 1}}, "colour"),
    ],
)
def test_a_command_that_cannot_be_obeyed_says_why(changes: dict[str, Any], detail: str) -> None:
    deed = decide(command(**changes), NOW)
    assert not deed.result.ok
    assert detail in deed.result.detail
    assert (deed.announce, deed.test_alarm, deed.heartbeat_s, deed.reboot) == (None, None, None, False)


def test_each_command_means_one_thing() -> None:
    assert decide(command(kind="announce", text="on-the-way"), NOW).announce == "on-the-way"
    assert decide(command(kind="reboot"), NOW).reboot
    assert decide(command(kind="configure", settings={"heartbeat_s": 30}), NOW).heartbeat_s == 30
    test_alarm = decide(command(), NOW).test_alarm
    assert test_alarm is not None
    assert (test_alarm["device"], test_alarm["kind"]) == ("hub", "test")
