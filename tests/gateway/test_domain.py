"""What a hub decides."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import (
    Attempts,
    ReceiptWait,
    Sent,
    Waiting,
    connect_wait_s,
    decide,
    doubled_s,
    fallback_due,
    passed,
    urgent,
    write_alarm,
)
from telecare.wire import Command

NOW = datetime(2026, 11, 23, 22, 41, tzinfo=UTC)


def waiting(seq: int, kept_s_ago: float = 0) -> Waiting:
    return Waiting(str(seq), seq, b"", NOW - timedelta(seconds=kept_s_ago))


def command(**changes: Any) -> Command:
    return Command(**({"id": "c", "kind": "test", "expires_at": "2026-11-23T22:42:00Z"} | changes))


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def sent_on(begun_s_ago: float = 3600) -> Sent:
    """On a connection of that age."""
    return Sent(at(-begun_s_ago), ReceiptWait(2, 10))


def test_what_was_sent_is_late_after_its_time_the_longest_ago_first() -> None:
    sent = sent_on()
    sent.note([1, 2], at(0))
    sent.note([3], at(4))
    assert sent.late(at(9), 10) == []
    assert sent.look_again_s(at(9)) == 1
    assert sent.late(at(14), 10) == [1, 2, 3]
    assert sent.late(at(14), 2) == [1, 2]
    sent.note([1], at(14))
    sent.forget([2])
    assert sent.late(at(14), 10) == [3]
    assert sent.newest == 3


def test_on_a_new_connection_it_is_sent_again_soon_and_then_ever_more_rarely() -> None:
    sent, sent_at, again = sent_on(0), 0.0, list[float]()
    for _ in range(6):
        sent.note([1], at(sent_at))
        wait_s = sent.look_again_s(at(sent_at))
        assert wait_s is not None
        assert sent.late(at(sent_at + wait_s - 0.01), 1) == []
        sent_at += wait_s
        assert sent.late(at(sent_at), 1) == [1]
        again.append(sent_at)
    assert again == [2, 4, 8, 16, 26, 36]


def test_what_was_sent_earlier_on_a_connection_is_late_earlier() -> None:
    sent = sent_on(0)
    for seq, second in enumerate((0, 1, 1.5, 3, 7, 30), start=1):
        sent.note([seq], at(second))
    assert sent.late(at(4), 10) == [1, 2, 3]
    assert sent.late(at(100), 10) == [1, 2, 3, 4, 5, 6]


def test_where_nothing_was_sent_the_hub_waits_to_be_woken() -> None:
    assert sent_on().look_again_s(NOW) is None


def test_a_repeat_that_is_held_back_does_not_hold_back_what_comes_after_it() -> None:
    sent = sent_on()
    sent.note([1], NOW)
    sent.pass_over([2, 5], up_to=4)
    sent.note([3, 4], NOW)
    assert (sent.newest, sent.passed_over) == (4, {2})
    sent.pass_over([2, 5], up_to=None)  # nothing else is new
    assert (sent.newest, sent.passed_over) == (5, {2, 5})
    sent.note([2], NOW)
    sent.forget([5])
    assert sent.passed_over == set()


@given(st.floats(-1e6, 1e6))
def test_a_clock_put_back_makes_an_alarm_late_not_forgotten(sent_s_ago: float) -> None:
    sent = sent_on()
    sent.note([1], at(-sent_s_ago))
    again_s = sent.look_again_s(NOW)
    assert sent.late(NOW, 1) == [1] or (again_s is not None and 0 < again_s <= 10)


def test_time_passes_at_the_limit_and_not_before() -> None:
    assert passed(NOW - timedelta(seconds=10), 10, NOW)
    assert not passed(NOW - timedelta(seconds=9.999), 10, NOW)
    assert passed(NOW + timedelta(seconds=1), 10, NOW)


def test_the_fallback_is_due_after_its_time() -> None:
    assert [alarm.seq for alarm in fallback_due([waiting(1, kept_s_ago=61), waiting(2, kept_s_ago=59)], NOW, 60)] == [1]


def test_the_second_path_has_no_gaps_whatever_the_clock_did() -> None:
    due = fallback_due([waiting(1, kept_s_ago=5), waiting(2, kept_s_ago=-500), waiting(3)], NOW, 60)
    assert [alarm.seq for alarm in due] == [1, 2]


@pytest.mark.parametrize(
    ("kind", "somebody"),
    [
        ("button", True), ("meteor", True), (None, True), (["list"], True), ("cancel", True), ("mains-lost", False),
        ("battery-low", False), ("fault", False), ("test", False),
    ],
)  # fmt: skip
def test_somebody_may_need_help_unless_it_is_technical(kind: Any, somebody: bool) -> None:
    assert urgent(kind) is somebody


def wait_s(attempts: Attempts, chance: float = 1.0, jitter_s: float = 60.0) -> float:
    return connect_wait_s(attempts, chance, jitter_s=jitter_s, first_s=0.5, most_s=30)


def test_a_hub_that_returns_spreads_over_the_jitter_and_one_with_an_alarm_does_not_wait() -> None:
    assert [wait_s(Attempts(), chance) for chance in (0.0, 0.25, 1.0)] == [0, 15, 60]
    assert wait_s(Attempts(), jitter_s=0.0) == 0


def test_later_attempts_back_off_with_full_jitter() -> None:
    tried = [Attempts(returning=False, failures=n) for n in range(1, 10)]
    assert [wait_s(one) for one in tried] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert [wait_s(one, 0.0) for one in tried] == [0.0] * 9
    # A broker that takes everybody and then falls over again meets a spread, not a rush.
    assert wait_s(Attempts(returning=True, failures=1)) == 60
    # ... and one that throws out a hub with an alarm each time is not tried without a pause.
    assert wait_s(Attempts(returning=True, failures=3), jitter_s=0.0) == 2


@given(st.integers(0, 10_000))
def test_no_number_of_failures_is_too_many(failures: int) -> None:
    assert 0 <= doubled_s(failures, 0.5, 30) <= 30


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
