"""A blow that was judged no fall, and the press that follows: the press takes it along, once, and is never held up."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.blows import DEVICES_REMEMBERED
from gateway.outbox import Outbox
from gateway.outbox_file import NoRoom
from telecare.wire import EVIDENCE_LIMIT
from tests.gateway.test_falling import SETTINGS, STILL, Home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with closing(Outbox(tmp_path / "outbox")) as outbox:
        yield Home(outbox)


def blows(home: Home) -> list[Any]:
    evidence = [alarm.get("evidence") for alarm in home.sent()]
    return [each.get("blow") if isinstance(each, dict) else None for each in evidence]


def test_a_press_takes_the_blow_before_it_along(home: Home) -> None:
    assert home.fall(window=STILL, at="2026-11-25T11:59:20Z")["verdict"] == "no-fall"
    home.clock.advance(timedelta(minutes=5))
    home.press(battery="good")
    (alarm,) = home.sent()
    blow = alarm["evidence"]["blow"]
    assert alarm["evidence"]["battery"] == "good"
    assert (blow["at"], blow["outcome"], blow["worn_at"]) == ("2026-11-25T11:59:20Z", "no-fall", "neck")
    assert (blow["trace"], blow["trace_hz"], blow["trace_impact"]) == (STILL, 25, 62)
    assert 0 <= blow["probability"] < 1
    assert len(blow["reasons"]) == 3
    assert len(json.dumps(alarm["evidence"])) < EVIDENCE_LIMIT


def test_it_is_told_once(home: Home) -> None:
    home.fall(window=STILL)
    home.press(ref="1")
    home.press(ref="2")
    told, untold = blows(home)
    assert told is not None
    assert untold is None


def test_the_last_blow_is_told(home: Home) -> None:
    home.fall("1", window=STILL, at="2026-11-25T11:00:00Z")
    home.fall("2", window=STILL, at="2026-11-25T11:59:00Z")
    home.press()
    assert blows(home)[0]["at"] == "2026-11-25T11:59:00Z"


def test_a_press_that_is_sent_again_leaves_a_new_blow_to_the_next(home: Home) -> None:
    home.press(ref="1")
    home.fall(window=STILL)
    home.press(ref="1")
    home.press(ref="2")
    assert [blow is not None for blow in blows(home)] == [False, True]


def test_an_old_blow_is_not_told(home: Home) -> None:
    home.fall(window=STILL)
    home.clock.advance(timedelta(seconds=SETTINGS.blow_kept_s))
    home.press()
    assert blows(home) == [None]


@pytest.mark.parametrize(
    "press",
    [
        {"kind": "battery-low"},
        {"kind": "smoke"},
        {"device": "pendant-2"},
        {"device": None},
        {"device": ["pendant-1"]},
        {"evidence": "none"},
        {"evidence": {"blow": "mine"}},
        {"evidence": {"much": "x" * EVIDENCE_LIMIT}},
    ],
)
def test_what_it_does_not_belong_to_is_kept_as_it_is(home: Home, press: dict[str, Any]) -> None:
    home.fall(window=STILL)
    frame = {"frame": "alarm", "device": "pendant-1", "kind": "button", "ref": "5", **press}
    assert home.say(**frame)["frame"] == "kept"
    (alarm,) = home.sent()
    assert alarm.get("evidence") == press.get("evidence")
    home.press(ref="6")
    assert isinstance(blows(home)[-1], dict)  # and the next press tells it


def test_a_press_that_finds_no_room_tells_it_when_it_comes_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any, **more: Any) -> tuple[str, bool]:
        raise NoRoom("the disk is full")

    home.fall(window=STILL)
    with monkeypatch.context() as disk:
        disk.setattr(home.outbox, "keep_alarm", full)
        assert home.press()["frame"] == "refused"
    home.press()
    assert isinstance(blows(home)[0], dict)


def test_a_fall_that_is_held_is_no_blow_of_this_kind(home: Home) -> None:
    home.fall()
    home.press()
    assert [alarm["kind"] for alarm in home.sent()] == ["fall", "button"]
    assert "blow" not in home.sent()[1]["evidence"]


def test_only_so_many_devices_are_remembered(home: Home) -> None:
    for n in range(DEVICES_REMEMBERED + 1):
        home.fall(device=f"pendant-{n}", window=STILL)
    for n in (0, 1):
        home.say(frame="alarm", device=f"pendant-{n}", kind="button")
    assert [blow is not None for blow in blows(home)] == [False, True]
