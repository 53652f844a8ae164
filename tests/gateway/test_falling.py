"""A fall in its pre-alarm: on the disk from the first moment, taken back only by its wearer, never lost."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.devices import Devices
from gateway.falling import Falling
from gateway.falls.model import shipped
from gateway.housekeeping import Housekeeping
from gateway.outbox import Outbox
from gateway.outbox_file import NoRoom
from gateway.outbox_prealarms import DISMISSED, TAKEN_BACK
from gateway.settings import HubSettings
from gateway.waking import Wakes
from telecare.trace import MOMENTS, encode
from tests.firmware_sim.signals import UP, Signal, windows

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SETTINGS = HubSettings(hub="h-1", secret="s", mqtt_url="mqtt://127.0.0.1:1", directory=Path("x"))
(FALLEN,) = windows(Signal().hold(5, UP, 1.0, 0.1).fall().samples)
STILL = encode([(0, 0, 1000, 1000)] * MOMENTS)


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self._now = NOW

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


class Home:
    """A hub's devices without a service, and a clock that is set."""

    def __init__(self, outbox: Outbox, settings: HubSettings = SETTINGS) -> None:
        self.clock = SetClock()
        self.outbox, self.wakes = outbox, Wakes()
        self.falling = Falling(settings, self.clock, outbox, self.wakes, shipped())
        self.devices = Devices(settings, self.clock, outbox, self.wakes, self.falling)

    def say(self, **frame: Any) -> Any:
        answer = self.devices.take(json.dumps(frame).encode(), None)  # type: ignore[arg-type]
        return json.loads(answer) if answer else None

    def fall(self, ref: str = "1", **more: Any) -> Any:
        about = {"detector": "pendant-2.0", "peak_g": 4.0, "worn": True, "worn_at": "neck"}
        window = encode(FALLEN.moments)
        return self.say(**{"frame": "impact", "device": "pendant-1", "ref": ref, "window": window, **about, **more})

    def press(self, kind: str = "button", ref: str = "9", **evidence: Any) -> Any:
        return self.say(frame="alarm", device="pendant-1", ref=ref, kind=kind, evidence=evidence)

    def sent(self) -> list[Any]:
        return [json.loads(alarm.payload) for alarm in self.outbox.waiting(10)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def home(path: Path) -> Iterator[Home]:
    with closing(Outbox(path)) as outbox:
        yield Home(outbox)


def test_a_fall_is_held_for_twenty_seconds_and_then_an_alarm(home: Home) -> None:
    answer = home.fall(at="2026-11-25T11:59:58Z")
    assert (answer["frame"], answer["prealarm_s"]) == ("judged", 20.0)
    assert answer["verdict"] in {"fall", "possible-fall"}
    assert home.outbox.holds(answer["id"])
    home.clock.advance(timedelta(seconds=19.9))
    assert home.falling.step() == pytest.approx(0.1)
    assert home.sent() == []
    home.clock.advance(timedelta(seconds=0.1))
    assert home.falling.step() is None
    (alarm,) = home.sent()
    evidence = alarm["evidence"]
    assert (alarm["id"], alarm["kind"], alarm["at"], alarm["seq"]) == (answer["id"], "fall", "2026-11-25T11:59:58Z", 1)
    assert (evidence["outcome"], evidence["detector"]) == (answer["verdict"], "pendant-2.0")
    assert (evidence["worn"], evidence["peak_g"], evidence["trace_hz"]) == (True, 4.0, 25)
    assert evidence["trace"] == encode(FALLEN.moments)
    assert 0 < evidence["probability"] <= 1
    assert len(json.dumps(evidence)) < 4096
    assert home.wakes.urgent.is_set()


def test_the_same_impact_again_is_the_same_fall(home: Home) -> None:
    first, again = home.fall(), home.fall()
    assert first == again
    assert home.outbox.count() == 1
    home.clock.advance(timedelta(seconds=20))
    home.falling.step()
    assert home.fall()["id"] == first["id"]
    assert [alarm["id"] for alarm in home.sent()] == [first["id"]]


def test_the_wearer_takes_it_back(home: Home) -> None:
    fall = home.fall()
    answer = home.press("cancel", cancels=fall["id"])
    assert answer == {"frame": "taken-back", "ref": "9", "id": fall["id"]}
    home.clock.advance(timedelta(minutes=5))
    home.falling.step()
    assert home.sent() == []
    assert home.fall()["id"] == fall["id"]  # a pendant that did not hear: it stays taken back
    assert home.sent() == []
    assert home.outbox.summary(NOW, 0) == [("pendant-1", TAKEN_BACK, 1)]


def test_too_late_to_take_it_back_is_an_alarm_about_it(home: Home) -> None:
    fall = home.fall()
    home.clock.advance(timedelta(seconds=20))
    home.falling.step()
    assert home.press("cancel", cancels=fall["id"])["frame"] == "kept"
    assert [alarm["kind"] for alarm in home.sent()] == ["fall", "cancel"]


@pytest.mark.parametrize("cancels", ["another", None, 5, [], {"id": 1}])
def test_a_cancel_of_something_else_takes_nothing_back(home: Home, cancels: Any) -> None:
    home.fall()
    assert home.press("cancel", cancels=cancels)["frame"] == "kept"
    home.clock.advance(timedelta(seconds=20))
    home.falling.step()
    assert [alarm["kind"] for alarm in home.sent()] == ["cancel", "fall"]


def test_a_press_sends_the_fall_at_once(home: Home) -> None:
    home.fall()
    home.press()
    assert [alarm["kind"] for alarm in home.sent()] == ["fall", "button"]


def test_a_press_is_kept_though_the_disk_has_no_room_to_send_the_fall(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> list[str]:
        raise NoRoom("the disk is full")

    home.fall()
    with monkeypatch.context() as disk:
        disk.setattr(home.outbox, "release", full)
        assert home.press()["frame"] == "kept"
    home.clock.advance(timedelta(seconds=20))
    home.falling.step()
    assert [alarm["kind"] for alarm in home.sent()] == ["button", "fall"]


def test_a_low_battery_does_not(home: Home) -> None:
    home.fall()
    home.press("battery-low")
    assert [alarm["kind"] for alarm in home.sent()] == ["battery-low"]


def test_a_press_after_what_was_no_fall_is_an_alarm(home: Home) -> None:
    assert home.fall(window=STILL)["verdict"] == "no-fall"
    home.press()
    assert [alarm["kind"] for alarm in home.sent()] == ["button"]


def test_no_falls_are_counted_once_each_and_summed_up_once_a_day(home: Home) -> None:
    for ref in ("1", "1", "2"):
        assert home.fall(ref, window=STILL) == {
            "frame": "judged", "ref": ref, "verdict": "no-fall", "id": None, "prealarm_s": 0.0
        }  # fmt: skip
    keeping = Housekeeping(SETTINGS, home.clock, home.outbox, home.wakes)
    keeping.step()
    batch = home.outbox.next_readings(10)
    assert batch is not None
    assert [(each.device, each.measure, each.value) for each in batch.readings] == [("pendant-1", DISMISSED, 2.0)]
    home.outbox.readings_delivered(batch.last)
    home.fall("3", window=STILL)
    keeping.step()
    assert home.outbox.next_readings(10) is None
    home.clock.advance(timedelta(days=1))
    keeping.step()
    assert home.outbox.next_readings(10) is not None


def test_a_hub_that_is_killed_in_the_pre_alarm_sends_it_when_it_is_back(home: Home, path: Path) -> None:
    fall = home.fall()
    with closing(Outbox(path)) as again:  # the first was never closed: as after a power cut
        back = Home(again)
        back.clock.advance(timedelta(seconds=30))
        back.falling.step()
        assert [alarm["id"] for alarm in back.sent()] == [fall["id"]]
        assert back.fall()["id"] == fall["id"]
        assert len(back.sent()) == 1


def test_a_clock_that_is_put_back_sends_it_at_once(home: Home) -> None:
    home.fall()
    home.clock.advance(timedelta(hours=-1))
    home.falling.step()
    assert [alarm["kind"] for alarm in home.sent()] == ["fall"]


@pytest.mark.parametrize(
    "odd",
    [
        {"window": None},
        {"window": "no window"},
        {"window": 7},
        {"at": 5, "worn": "yes", "worn_at": [], "detector": {}, "peak_g": "hard"},
        {"device": None},
        {"peak_g": 1e300},
    ],
)
def test_an_impact_is_never_refused_for_what_is_in_it(home: Home, odd: dict[str, Any]) -> None:
    about = {"frame": "impact", "device": "pendant-1", "ref": "1", "window": encode(FALLEN.moments)}
    answer = home.say(**{**about, **odd})
    assert answer["verdict"] != "no-fall"
    home.press()
    assert ("probability" in home.sent()[0]["evidence"]) == ("window" not in odd)
    assert [alarm["kind"] for alarm in home.sent()] == ["fall", "button"]


def test_an_impact_without_a_ref_is_one_of_its_own(home: Home) -> None:
    first, second = home.fall(None), home.fall(None)  # type: ignore[arg-type]
    assert first["id"] != second["id"]
    assert home.outbox.count() == 2


def test_no_pre_alarm_is_possible(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        home = Home(outbox, replace(SETTINGS, prealarm_s=0.0))
        fall = home.fall()
        assert home.falling.step() is None
        assert [alarm["id"] for alarm in home.sent()] == [fall["id"]]
