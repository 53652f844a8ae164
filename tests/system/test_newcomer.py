"""What a newcomer sees: simulated homes, a press that appears by itself, an operator who answers; then a fall."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import SHARED_DATA
from tests.system import running as up
from tests.system.browser import CHROMIUM, browser, log_in

SISFALL = SHARED_DATA / "sisfall_waist.parquet"
HOMES = 5
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
HOMES_EVENTS = SHARED_DATA / "homes_events.parquet"
needs_homes = pytest.mark.skipif(not HOMES_EVENTS.exists(), reason="needs ../shared/data/homes_events.parquet")
needs_sisfall = pytest.mark.skipif(not SISFALL.exists(), reason="needs ../shared/data/sisfall_waist.parquet")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[up.System]:
    with up.running(tmp_path_factory.mktemp("newcomer") / "data", "--homes", str(HOMES)) as made:
        yield made


@pytest.fixture(scope="module")
def page(system: up.System) -> Iterator[Page]:
    with browser() as chromium:
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        made = context.new_page()
        made.set_default_timeout(15_000)
        yield made
        context.close()


@pytest.fixture(scope="module")
def token(system: up.System) -> str:
    return str(system.command("user", "token", "operator")["token"])


def open_alerts(system: up.System, token: str) -> list[dict[str, Any]]:
    return list(system.get("/api/alerts?state=open", token)["alerts"])


def replay(system: up.System, *arguments: str) -> dict[str, Any]:
    """Play a recording; what the command says about it."""
    return dict(system.command("replay", str(SISFALL), *arguments))


@needs_chromium
def test_a_press_is_seen_claimed_read_and_closed(system: up.System, page: Page) -> None:
    log_in(page, system.url, "operator")
    expect(page).to_have_url(re.compile("/console$"))
    # The simulated homes are there within seconds, and one pendant is pressed 10 s after their hubs.
    page.evaluate("window.notReloaded = true")
    expect(page.get_by_text(f"Homes: {HOMES}, hubs online {HOMES}")).to_be_visible(timeout=20_000)
    expect(page.locator(".case").first).to_be_visible(timeout=30_000)
    assert page.evaluate("window.notReloaded") is True
    expect(page.locator(".case").first).to_contain_text("Pendant pressed")

    page.locator(".case .claim").first.click()
    if "/console/alerts/" not in page.url:
        page.locator(".case .open").first.click()
    expect(page.locator("#state")).to_contain_text("You have this alert")
    facts = page.locator(".facts")
    for heading in ("How to get in", "Contacts, in the order to ask", "What happened"):
        expect(facts.get_by_role("heading", name=heading)).to_be_visible()
    page.get_by_text("Show code, for somebody else").click()
    page.fill("#key-safe-whom", "the ambulance crew")
    page.fill("#key-safe-why", "they are at the door")
    page.get_by_role("button", name="Show code", exact=True).click()
    expect(page.locator("#key-safe-code")).to_contain_text("Code")

    page.fill("#note-text", "She is up and wants a cup of tea")
    page.locator("#form-note").get_by_role("button", name="Write down").click()
    expect(page.locator("#log")).to_contain_text("She is up and wants a cup of tea")
    page.locator(".asks").get_by_role("button").first.click()
    expect(page.locator("#log")).to_contain_text("Contact")

    page.select_option("#close-cause", "accidental")
    page.locator("#form-close").get_by_label("Reassured").check()
    page.locator("#form-close").get_by_label("The person, in their own words").check()
    page.fill("#close-how", "Spoke to her on the unit")
    page.get_by_role("button", name="Close alert").click()
    expect(page.get_by_text("No open alerts").or_(page.locator("#state", has_text="Closed"))).to_be_visible()

    page.goto(f"{system.url}/messages")
    expect(page.locator("main")).to_contain_text("alarm went off at")


def test_every_simulated_home_sends_readings(system: up.System, token: str) -> None:
    home = next(one["home"] for one in system.command("home", "list")["homes"] if "sim-1-0001" in one["hubs"])
    up.wait_until(lambda: system.get(f"/api/homes/{home}/timeline", token)["readings"], 15)


def test_a_pendant_is_pressed_from_the_shell_and_hears_that_help_is_coming(system: up.System, token: str) -> None:
    pressed = system.command("press")
    assert "help-is-coming" in json.dumps(pressed)
    alarms = [
        alarm["id"]
        for alert in open_alerts(system, token)
        for alarm in system.get(f"/api/alerts/{alert['id']}", token)["alarms"]
    ]
    assert pressed["alarm"] in alarms


@needs_sisfall
def test_a_recorded_fall_is_on_the_console(system: up.System, token: str) -> None:
    replay(system, "--subject", "SA01", "--activity", "F05")
    up.wait_until(lambda: any(a["kind"] == "fall" for a in open_alerts(system, token)), 10)
    (alert,) = [a for a in open_alerts(system, token) if a["kind"] == "fall"]
    assert alert["priority"] == 1
    whole = system.get(f"/api/alerts/{alert['id']}", token)
    assert all(alarm["evidence"]["peak_g"] > 2 for alarm in whole["alarms"])


@needs_sisfall
def test_a_recorded_walk_raises_nothing(system: up.System, token: str) -> None:
    before = {alert["id"]: alert["alarm_count"] for alert in open_alerts(system, token)}
    replay(system, "--subject", "SA01", "--activity", "D01")
    time.sleep(1)
    assert {alert["id"]: alert["alarm_count"] for alert in open_alerts(system, token)} == before


DAYS_RECORDED = 13  # and a bit, of ordonez_A


@needs_homes
def test_a_recorded_home_is_in_the_store_and_on_its_timeline(system: up.System, token: str) -> None:
    played = system.command("replay", str(HOMES_EVENTS), "--home", "ordonez_A")
    assert played["played"] > 600
    assert played["stored"] == played["distinct"]
    assert played["left_out"] == {"electric": 68, "flush": 90}
    begun = time.monotonic()
    again = system.command("replay", str(HOMES_EVENTS), "--home", "ordonez_A", "--speed", "500000")  # shifted anew
    assert again["stored"] == again["distinct"] == played["distinct"]
    assert time.monotonic() - begun > DAYS_RECORDED * 86_400 / 500_000
    home = next(one["home"] for one in system.command("home", "list")["homes"] if "ordonez_A" in one["address"])
    timeline = system.get(f"/api/homes/{home}/timeline", token)
    assert {reading["measure"] for reading in timeline["readings"]} <= {"motion", "open", "occupied", "battery"}
    assert timeline["readings"]


@needs_homes
def test_a_home_that_is_not_in_the_recording(system: up.System) -> None:
    done = subprocess.run(
        [up.TELECARE, "replay", str(HOMES_EVENTS), "--home", "nowhere", "--data-dir", str(system.data_dir)],
        capture_output=True, text=True, check=False, env=up.clean_environment(), timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip().endswith("there are kasteren_A, kasteren_B, mit_S1, ordonez_A")


def test_nothing_crashed_meanwhile(system: up.System) -> None:
    """Everything above has used the system; a part that had to be started again would have hidden a fault."""
    assert {part["name"]: part["restarts"] for part in system.command("status")["parts"] if part["restarts"]} == {}


@pytest.mark.parametrize(
    ("file", "arguments", "said"),
    [("nowhere.parquet", (), "nowhere.parquet"), ("text.parquet", (), "text.parquet")],
)
def test_a_file_that_is_no_recording(
    system: up.System, tmp_path: Path, file: str, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "text.parquet").write_text("not a recording")
    done = subprocess.run(
        [up.TELECARE, "replay", str(tmp_path / file), *arguments, "--data-dir", str(system.data_dir)],
        capture_output=True, text=True, check=False, env=up.clean_environment(), timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert said in done.stderr
