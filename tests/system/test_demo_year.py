"""The demo's past year: loaded beside the running service, once, and on from where it was interrupted."""

import signal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.system import running as up
from tests.system.browser import CHROMIUM, browser, log_in

PEOPLE = {"TELECARE_DEMO_PEOPLE": "60"}


def state_of(system: up.System) -> dict[str, Any]:
    return {part["name"]: part["state"] for part in system.command("status")["parts"]}


def loading(system: up.System, token: str) -> Any:
    return system.get("/commissioning/progress", token)["loading"]


def alerts(system: up.System, token: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["id"] if found else 0
        more = system.get(f"/api/alerts?state=all&limit=1000&after={after}", token)["alerts"]
        found += more
        if len(more) < 1000:
            return found


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_year_is_loaded_in_the_background_and_an_interruption_doubles_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with up.running(data_dir, "--homes", "2", "--no-press", **PEOPLE) as system:
        token = system.command("user", "token", "supervisor")["token"]
        up.wait_until(lambda: (loading(system, token) or {}).get("done", 0) > 100, 20)
        up.wait_until(lambda: len(list((data_dir / "homes").glob("*/hub.sock"))) == 2, 20)
        heard = system.command("press")["heard"]  # what is live goes first
        assert heard["text"] == "help-is-coming"
        assert system.healthy()
        up.stop(system, signal.SIGINT)
        assert up.ended_by_itself(system)
        assert not [pid for pid in system.pids().values() if pid and up.alive(pid)]
    with up.running(data_dir, "--homes", "2", "--no-press", **PEOPLE) as system:
        up.wait_until(lambda: loading(system, token) is not None or state_of(system).get("demo-year") == "finished", 20)
        up.wait_until(lambda: state_of(system).get("demo-year") == "finished", 90)
        past = [alert for alert in alerts(system, token) if alert["hub"] is None]
        assert all(alert["state"] == "closed" for alert in past)
        reasons = [alert["reason"] for alert in past]
        assert len(reasons) == len(set(reasons)) > 1000  # each names its case: none is there twice
        counts = system.get("/api/alerts?state=open", token)["alerts"]
        assert {alert["priority"] for alert in counts} <= {1, 2, 3}  # nobody calls the past's homes silent
    with up.running(data_dir, "--homes", "2", "--no-press", **PEOPLE) as system:
        up.wait_until(lambda: state_of(system).get("demo-year") == "finished", 20)
        assert len([alert for alert in alerts(system, token) if alert["hub"] is None]) == len(past)
        _read_pages(system)


def _read_pages(system: up.System) -> None:
    with browser() as chromium:
        page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
        log_in(page, system.url, "commissioner")
        expect(page.locator("#day-91")).to_contain_text("Otherham Council")
        expect(page.locator("#answering .strong").first).to_contain_text("12 months")
        expect(page.locator(".loading")).to_have_count(0)
        log_in(page, system.url, "operator")
        expect(page.locator("body")).to_contain_text("Homes: 2, hubs online 2", timeout=20_000)
