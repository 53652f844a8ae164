"""A session that ends in mid-alert: what was entered goes on, and is sent by whoever entered it."""

import re
from html import unescape

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from dashboard.kept_forms import LIMIT
from tests.dashboard.test_browser import RULES, browser, log_in, needs_chromium, sideways
from tests.dashboard.world import PASSWORD, World, csrf_of
from tests.helpers import one, rows

__all__ = ["browser"]  # the fixture

NOTES = "select detail ->> 'text' from alert_log where what = 'note'"
SAID = 'She said: "I am cold" <script>alert(1)</script>\nand wants her tea'


@pytest.fixture
async def number(served: World) -> int:
    found = await served.alert("hub-1", "fall")
    await served.claim(found)
    return found


def fields_of(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {unescape(name): unescape(value) for name, value in found}


@needs_chromium
async def test_work_is_kept_over_the_end_of_a_session_in_mid_alert(
    served: World, browser: Browser, number: int
) -> None:
    context = await browser.new_context(viewport={"width": 320, "height": 700})
    page = await log_in(context, served, "operator")
    await page.goto(f"{served.base}/console/alerts/{number}")
    await page.fill("#note-text", SAID)
    await rows(served.pool, "delete from sessions returning 1")
    await page.click("#form-note button")
    await expect(page.locator("main")).to_contain_text("What you entered is kept")
    for path in ("login", "kept"):
        found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
        assert found.violations_count == 0, (path, found.generate_report())
        assert await sideways(page) <= 0, path
        if path == "login":
            await page.fill("#username", "operator")
            await page.fill("#password", "wrong")
            await page.click("button:has-text('Log in')")  # a slip loses nothing either
            await page.fill("#password", PASSWORD)
            await page.click("button:has-text('Log in')")
            await expect(page.locator("#kept")).to_contain_text("I am cold")
    assert await rows(served.pool, NOTES) == []  # nothing is sent without a person's press
    await page.click("button:has-text('Send it now')")
    await expect(page.locator(".done")).to_have_text("Written down.")
    assert page.url == f"{served.base}/console/alerts/{number}?done=note"
    assert await rows(served.pool, NOTES) == [(SAID,)]


async def test_a_form_of_an_earlier_session_is_shown_and_sent_anew(served: World, number: int) -> None:
    async with served.browser_session("operator") as browser:
        at = f"/console/alerts/{number}"
        sent = {"csrf_token": "of-before", "what": "note", "text": SAID}
        answer = await browser.post(f"{at}/note", data=sent)
        assert answer.status_code == 403
        assert "The page was out of date." in answer.text
        again = fields_of(answer.text)
        assert again["text"].replace("\r\n", "\n") == SAID
        assert again["csrf_token"] == await csrf_of(browser, at)
        assert (await browser.post(f"{at}/note", data=again)).status_code == 303
    assert await rows(served.pool, NOTES) == [(SAID,)]


async def test_nothing_of_another_site_is_kept(served: World, number: int) -> None:
    async with served.browser_session("operator") as browser:
        sent = {"csrf_token": "forged", "what": "note", "text": SAID}
        for site in ("cross-site", "same-site"):
            answer = await browser.post(f"/console/alerts/{number}/note", data=sent, headers={"sec-fetch-site": site})
            assert answer.status_code == 403
            assert "I am cold" not in answer.text
        await rows(served.pool, "delete from sessions returning 1")
        answer = await browser.post(
            f"/console/alerts/{number}/note", data=sent, headers={"sec-fetch-site": "cross-site"}
        )
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login")


async def test_too_much_is_not_kept_and_no_password_ever(served: World, number: int) -> None:
    async with httpx.AsyncClient(base_url=served.base) as stranger:
        at = f"/console/alerts/{number}/note"
        long = await stranger.post(at, data={"text": "x" * (LIMIT + 1)})
        assert long.status_code == 303
        huge = await stranger.post(at, data={"text": "x" * 10_000_000})
        assert huge.status_code == 413
        assert "t most 64 KiB are taken" in huge.text
        kept = await stranger.post(at, data={"text": "cold", "password": "secret-1", "username": "me"})
        assert kept.status_code == 401
        assert fields_of(kept.text) == {"kept_path": at, "kept_from": "", "kept.text": "cold", "next": ""}


async def test_the_way_on_stays_on_this_service(served: World) -> None:
    async with httpx.AsyncClient(base_url=served.base) as stranger:
        for path in ("https://elsewhere.example/x", "//elsewhere.example"):
            sent = {
                "username": "operator",
                "password": PASSWORD,
                "kept_path": path,
                "kept.text": "x",
                "kept_from": path,
            }
            answer = await stranger.post("/login", data=sent)
            assert answer.status_code == 303
            assert answer.headers["location"] == "/console"
        sent |= {"kept_path": "/console/alerts/1/note"}
        answer = await stranger.post("/login", data=sent)
        assert answer.status_code == 200
        assert "elsewhere" not in answer.text
    assert await one(served.pool, "select count(*) from sessions") == 1  # a browser has one
