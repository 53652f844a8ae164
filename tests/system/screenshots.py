"""`make screenshots`: pictures of the pages for the documentation, of a demo system with a few alerts.

python -m tests.system.screenshots
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.system import running as up
from tests.system.browser import browser, log_in

FOLDER = Path(__file__).parent.parent.parent / "docs" / "screenshots"
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
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
        for home, kind in ALARMS:
            system.command("press", f"sim-1-{home}", "--kind", kind)
        with browser() as chromium:
            page = chromium.new_context(viewport=DESKTOP).new_page()  # type: ignore[arg-type]
            log_in(page, system.url, "operator")
            take(page, system, "console", "/console")
            page.locator(".case", has_text="Pendant pressed").locator(".claim").first.click()
            page.wait_for_url("**/console/alerts/*")
            take(page, system, "alert", page.url.removeprefix(system.url))
            take(page, system, "homes", "/homes")
            page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            take(page, system, "console-phone", "/console")


def take(page: Page, system: up.System, name: str, path: str) -> None:
    """One page, as it looks when it has settled."""
    page.goto(system.url + path)
    page.wait_for_timeout(800)
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
