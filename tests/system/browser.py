"""A real browser: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from telecare.up import DEMO_PASSWORD

CHROMIUM = shutil.which("chromium")
# Without these Chromium tries to reach its maker's servers at each start.
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        try:
            yield chromium
        finally:
            chromium.close()


def log_in(page: Page, url: str, username: str) -> None:
    """Log in as a demo user."""
    page.goto(f"{url}/login")
    page.fill("[name=username]", username)
    page.fill("[name=password]", DEMO_PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(lambda address: "/login" not in address)
