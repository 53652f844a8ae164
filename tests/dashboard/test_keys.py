"""A whole alert by the keyboard alone: how many keystrokes it takes, and what keys do not do."""

import httpx
from playwright.async_api import Browser, Page, expect

from tests.dashboard.test_browser import browser, log_in, needs_chromium
from tests.dashboard.test_response import on_shift
from tests.dashboard.test_script import Keys
from tests.dashboard.world import World
from tests.helpers import one, rows

__all__ = ["browser"]  # the fixture

WIDE = {"width": 1280, "height": 900}
AT_MOST = 25  # keystrokes from the alert in the queue to its end, besides what is written
WRAP_UP = 4
ON_SITE = (
    ("accepted", {}),
    ("en-route", {"minutes": 10, "brief_read": True}),
    ("arrived", {"how": "pressed the unit"}),
    ("access", {"how": "key safe"}),
    ("checked", {"flags": [], "on_floor": True}),
    ("lifted", {"device": "chair", "after": "well"}),
    ("left", {"how_left": "in the chair, door locked"}),
    ("reported", {"report": "lifted"}),
)


class AltKeys(Keys):
    """As a keyboard sends them: Chromium finds access keys by a key's text, which Playwright leaves out with Alt."""

    async def alt(self, letter: str) -> None:
        self.pressed += 1
        code = {
            "key": letter,
            "code": f"Key{letter.upper()}",
            "windowsVirtualKeyCode": ord(letter.upper()),
            "modifiers": 1,
        }
        chromium = await self.page.context.new_cdp_session(self.page)
        text = {"text": letter, "unmodifiedText": letter}
        await chromium.send("Input.dispatchKeyEvent", {"type": "keyDown"} | code | text)
        await chromium.send("Input.dispatchKeyEvent", {"type": "keyUp"} | code)


async def answer_the_script(page: Page, keys: Keys) -> None:
    """They hear us, are on the floor, unhurt, did not black out, cannot get up; that need is written down."""
    for asked, key in (
        ("Can you hear me?", "1"),
        ("on the floor", "1"),
        ("hurt", "5"),
        ("black out", "5"),
        ("get up", "3"),
    ):
        await expect(page.locator("#script-ask")).to_contain_text(asked)
        await expect(page.locator("#script")).to_be_focused()
        await expect(page.locator("#script-keys")).to_be_visible()  # the keys answer now
        await keys.press(key)
    await expect(page.locator("#script-need")).to_be_visible()
    await expect(page.locator("#script")).to_be_focused()
    await expect(page.locator("#script-keys")).to_be_visible()  # the keys answer now
    await keys.press("1")
    await expect(page.locator("#state .tag")).to_have_text("Assessed")


async def the_responder_does_the_visit(served: World) -> None:
    """On their own telephone, and not by the operator's keys."""
    visit = await one(served.pool, "select id from visits")
    number = await one(served.pool, "select alert_id from visits")
    headers = await served.token("responder")
    async with httpx.AsyncClient(base_url=served.base, headers=headers) as client:
        for to, said in ON_SITE:
            answer = await client.post(f"/api/alerts/{number}/visits/{visit}", json={"to": to} | said)
            assert answer.status_code == 200, answer.text


@needs_chromium
async def test_from_the_queue_to_the_end_by_keyboard_in_at_most_25_keystrokes(served: World, browser: Browser) -> None:
    await on_shift(served)
    number = await served.alert("hub-1", "fall")
    page = await log_in(await browser.new_context(viewport=WIDE), served, "operator")
    await page.goto(f"{served.base}/console")
    await expect(page.locator(f"#claim-{number}")).to_have_attribute("accesskey", "c")
    keys = AltKeys(page)
    await keys.alt("c")
    await page.wait_for_url(f"**/console/alerts/{number}?done=claim")
    await answer_the_script(page, keys)
    await keys.alt("s")
    await keys.press("Enter")
    await expect(page.locator("#visits")).to_contain_text("Responder One")
    await the_responder_does_the_visit(served)
    await page.reload()
    before = keys.pressed
    await keys.alt("w")
    await expect(page.locator("#close-confirmed_by")).to_be_focused()
    await expect(page.locator("#close-confirmed_by")).not_to_be_checked()  # nobody is taken for safe by us
    await keys.press("Space")
    await keys.press("Tab")
    await page.keyboard.type("She spoke clearly and sits in her chair.")
    await keys.press("Control+Enter")
    await expect(page.get_by_role("heading", name="How it ended")).to_be_visible()
    print(f"{keys.pressed} keystrokes, {keys.pressed - before} of them to close")
    assert keys.pressed - before <= WRAP_UP, keys.pressed - before
    assert keys.pressed <= AT_MOST, keys.pressed
    assert await rows(served.pool, "select cause, outcomes, confirmed_by, how from alerts") == [
        ("fall-on-floor", ["responder-lifted"], "person", "She spoke clearly and sits in her chair.")
    ]
