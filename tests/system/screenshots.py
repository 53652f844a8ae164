"""`make screenshots`: pictures of the pages for the documentation, of a demo system with a few alerts.

python -m tests.system.screenshots
"""

import re
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.system import running as up
from tests.system.browser import browser, log_in

FOLDER = Path(__file__).parent.parent.parent / "docs" / "screenshots"
DESKTOP: Any = {"width": 1280, "height": 860}
PHONE: Any = {"width": 390, "height": 844}
# Which homes raise what: a queue as it may look on a bad evening.
ALARMS = [("0003", "fall"), ("0005", "button"), ("0005", "button"), ("0002", "inactivity"), ("0007", "battery-low")]


def main() -> None:
    """Start a system, raise alarms, take the pictures."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        up.running(Path(folder) / "data", "--homes", "8", "--no-press") as system,
    ):
        up.wait_until(lambda: len(list((system.data_dir / "homes").glob("*/hub.sock"))) == 8, 20)
        # A day and a half of two more homes in half a minute, so that a timeline has something to show.
        system.run("simulate", "--homes", "2", "--days", "1.5", "--speed", "4000", "--seed", "5")
        for home, kind in ALARMS:
            system.command("press", f"sim-1-{home}", "--kind", kind)
        with browser() as chromium:
            operator(chromium, system)
            carer(chromium, system)
            up.wait_until(lambda: year_is_loaded(system), 240)
            commissioner(chromium, system)
            page = someone(chromium, system, "admin")
            take(page, system, "administration", "/admin")


def someone(chromium: Browser, system: up.System, role: str, size: Any = DESKTOP) -> Page:
    """A page on which that role is logged in."""
    page = chromium.new_context(viewport=size).new_page()
    log_in(page, system.url, role)
    return page


def operator(chromium: Browser, system: up.System) -> None:
    """The console, an alert, records, a day in a home."""
    page = someone(chromium, system, "operator")
    take(page, system, "console", "/console")
    page.locator(".case", has_text="Pendant pressed").locator(".claim").first.click()
    page.wait_for_url("**/console/alerts/*")
    take(page, system, "alert", page.url.removeprefix(system.url))
    page.locator(".asks button").first.click()
    take(page, system, "homes", "/homes")
    home = next(one["home"] for one in system.command("home", "list")["homes"] if "sim-5-0001" in one["hubs"])
    page.goto(f"{system.url}/homes/{home}/timeline")
    page.get_by_role("link", name="Day before").click()
    take(page, system, "timeline", page.url.removeprefix(system.url))
    page.goto(f"{system.url}/homes/{home}")
    page.locator("h2:has-text('People') + ul a").first.click()
    person = page.url.removeprefix(system.url)
    take(page, system, "person", person)
    take(page, system, "care-plan", f"{person}/plan")
    take(page, system, "messages", "/messages")
    link = re.findall(r"/a/[\w-]+", page.locator(".sms").first.inner_text())[0]
    page.set_viewport_size(PHONE)
    take(page, system, "console-phone", "/console")
    stranger = chromium.new_context(viewport=PHONE).new_page()
    take(stranger, system, "question-phone", link)


def carer(chromium: Browser, system: up.System) -> None:
    """A carer's own page."""
    take(someone(chromium, system, "carer", PHONE), system, "carer-phone", "/carer")


def year_is_loaded(system: up.System) -> bool:
    """Whether the simulated year is in the store."""
    return all(part["state"] == "finished" for part in system.command("status")["parts"] if part["name"] == "demo-year")


def commissioner(chromium: Browser, system: up.System) -> None:
    """Reports and episodes."""
    page = someone(chromium, system, "commissioner")
    take(page, system, "commissioning", "/commissioning")
    take(page, system, "episodes", "/episodes")
    page.locator("tbody a[href^='/episodes/']:has-text('From')").nth(20).click()
    take(page, system, "episode", page.url.removeprefix(system.url))
    take(page, system, "episodes-import", "/episodes/import")


def take(page: Page, system: up.System, name: str, path: str) -> None:
    """One page, as it looks when it has settled."""
    page.goto(system.url + path)
    page.wait_for_timeout(800)
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
