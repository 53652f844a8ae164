"""Falls through the whole system: what a pendant felt, on the console a pre-alarm later, as sure as it is, no surer."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from gateway.falls.judge import Verdict, judge
from gateway.falls.model import shipped
from gateway.falls.window import decode
from telecare.trace import MOMENTS, encode
from tests.firmware_sim.signals import FLAT, UP, Signal, windows
from tests.system import running as up
from tests.system.browser import CHROMIUM, browser, log_in

HUB = "sim-1-0001"
STILL = encode([(0, 0, 1000, 1000)] * MOMENTS)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[up.System]:
    with up.running(tmp_path_factory.mktemp("falls") / "data", "--homes", "2", "--no-press") as made:
        up.wait_until(lambda: len(list((made.data_dir / "homes").glob("*/hub.sock"))) == 2, 30)
        yield made


@pytest.fixture(scope="module")
def token(system: up.System) -> str:
    return str(system.command("user", "token", "operator")["token"])


class Pendant:
    """A pendant on a hub's socket, by hand."""

    def __init__(self, system: up.System, hub: str = HUB) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(str(system.data_dir / "homes" / hub / "hub.sock"))
        self._lines = self._socket.makefile("rb")

    def say(self, **frame: Any) -> dict[str, Any]:
        self._socket.sendall(json.dumps({"device": "pendant-1", **frame}).encode() + b"\n")
        while True:
            answer: dict[str, Any] = json.loads(self._lines.readline())
            if answer.get("ref") == frame["ref"]:
                return answer

    def fell(self, ref: str, window: str) -> dict[str, Any]:
        about = {"detector": "pendant-2.0", "peak_g": 3.0, "worn": True, "worn_at": "neck"}
        return self.say(frame="impact", ref=ref, window=window, **about)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def possible() -> str:
    """A window that the shipped model calls a possible fall."""
    for blow_g in (4.0, 3.5, 3.0, 2.5, 2.0):
        drawn = Signal().hold(5, UP, 1.0, 0.1).hold(0.4, UP, 0.6).hold(0.1, FLAT, blow_g).hold(6, FLAT, 1.0, 0.1)
        for window in windows(drawn.samples):
            text = encode(window.moments)
            if judge(shipped(), decode(text), "trunk").verdict is Verdict.POSSIBLE:
                return text
    raise AssertionError("none of these is a possible fall to this model")


def alarms(system: up.System, token: str, kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every alarm of a kind that is in an open alert, with its alert."""
    found = []
    for alert in system.get("/api/alerts?state=open", token)["alerts"]:
        whole = system.get(f"/api/alerts/{alert['id']}", token)
        found += [(whole, alarm) for alarm in whole["alarms"] if alarm["kind"] == kind]
    return found


def test_a_possible_fall_is_held_and_then_on_the_console_as_one(system: up.System, token: str) -> None:
    with closing(Pendant(system)) as pendant:
        answer = pendant.fell("f1", possible())
    assert (answer["verdict"], answer["prealarm_s"]) == ("possible-fall", 20.0)
    assert alarms(system, token, "fall") == []
    up.wait_until(lambda: alarms(system, token, "fall"), 40)
    ((alert, alarm),) = alarms(system, token, "fall")
    assert (alert["priority"], alert["title"], alarm["id"]) == (2, "Possible fall", answer["id"])
    assert alarm["evidence"]["outcome"] == "possible-fall"


def test_a_fall_that_is_taken_back_never_comes(system: up.System, token: str) -> None:
    with closing(Pendant(system)) as pendant:
        held = pendant.fell("f2", possible())
        answer = pendant.say(frame="alarm", ref="c1", kind="cancel", evidence={"cancels": held["id"]})
        assert answer["frame"] == "taken-back"
        pendant.say(frame="alarm", ref="b1", kind="battery-low")  # comes after it, by the same way
    up.wait_until(lambda: alarms(system, token, "battery-low"), 20)
    assert held["id"] not in [alarm["id"] for _, alarm in alarms(system, token, "fall")]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_press_after_a_blow_that_was_no_fall_says_so_on_its_page(system: up.System, token: str) -> None:
    with closing(Pendant(system, "sim-1-0002")) as pendant:
        assert pendant.fell("f3", STILL)["verdict"] == "no-fall"
        pressed = pendant.say(frame="alarm", ref="p1", kind="button")
    up.wait_until(lambda: alarms(system, token, "button"), 20)
    ((alert, alarm),) = alarms(system, token, "button")
    assert alarm["id"] == pressed["id"]
    with browser() as chromium:
        page: Page = chromium.new_page()
        log_in(page, system.url, "operator")
        page.goto(f"{system.url}/console/alerts/{alert['id']}")
        expect(page.locator("main")).to_contain_text("A blow of 3.0 g was felt before the press")
        expect(page.locator("#fall")).to_contain_text("Blow before the press, taken for no fall")
