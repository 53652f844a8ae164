"""A visit on a phone in a real browser: with no signal in the middle, everything is in the log once afterwards."""

from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from alerts import visit_actions
from alerts.visiting import VisitState
from telecare.db import database_now
from tests.dashboard.test_browser import (
    ARGUMENTS,
    CHROMIUM,
    RULES,
    keep,
    log_in,
    needs_chromium,
    sideways,
    watch_requests,
)
from tests.dashboard.test_visit_page import sent_to
from tests.dashboard.world import World
from tests.helpers import one, rows, until

pytestmark = needs_chromium
WAITING = "#kept .waiting"
ALL_THAT_IS_KEPT = """async (words) => {
  const cache = await caches.open("responder");
  const texts = await Promise.all((await cache.keys()).map(async (one) => (await cache.match(one)).text()));
  return texts.filter((text) => text.includes(words)).length;
}"""
TARGETS = "button, summary, a, .tick, .govuk-radios__item, .govuk-checkboxes__item, .govuk-input, .govuk-textarea"
ON_THE_WAY_IS_KEPT = """caches.match(location.pathname).then((kept) => kept.text())
  .then((text) => text.includes("On the way"))"""
SMALL = """(targets) => [...document.getElementById("main-content").querySelectorAll(targets)]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 44).map((one) => one.outerHTML)"""


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        await launched.close()


async def for_everybody(page: Page, name: str) -> None:
    for width in (320, 390):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await sideways(page) <= 0
        await keep(page, f"visit-{name}-{width}")
    result = await Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert result.violations_count == 0, result.generate_report()
    assert await page.evaluate(SMALL, TARGETS) == []


async def press(page: Page, words: str) -> None:
    await page.get_by_role("button", name=words, exact=True).locator("visible=true").click()


async def ready(page: Page, of: str) -> None:
    await expect(page.locator(f'[data-of="{of}"]')).to_be_visible()
    await expect(page.locator("#visit[data-ready]")).to_be_attached()


async def test_a_visit_without_signal_in_the_middle_is_in_the_log_once(served: World, chromium: Browser) -> None:
    number = await served.alert("hub-1", "fall")
    await served.claim(number)
    visit = await sent_to(served, number)
    context = await chromium.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    requests = watch_requests(context)
    page = await log_in(context, served, "responder")
    await page.click("text=Answer")
    await ready(page, "requested")
    await expect(page.locator("html[data-kept]")).to_be_attached()
    await for_everybody(page, "requested")
    await press(page, "I go")
    await ready(page, "accepted")
    await press(page, "I am on the way")  # without the minutes: the browser says so, and nothing is sent
    await page.fill("#accepted-en-route-minutes", "500")
    await page.check("[data-of=accepted] input[name=brief_read]")
    await press(page, "I am on the way")
    await expect(page.locator(".problems p").first).to_contain_text("1 to 240")
    await page.fill("#accepted-en-route-minutes", "5")
    await press(page, "I am on the way")
    await ready(page, "en-route")
    await page.wait_for_function(
        "caches.match(location.pathname).then((kept) => kept.text()).then((text) => text.includes('On the way'))"
    )

    await press(page, "Show code")  # needs signal; that page is on the phone at no time
    await expect(page.locator("#key-safe-code")).to_contain_text("4711")
    await page.goto(f"{served.base}/responder/visits/{visit}")
    await ready(page, "en-route")
    assert await page.evaluate(ALL_THAT_IS_KEPT, "Mary Ashworth") > 0
    assert await page.evaluate(ALL_THAT_IS_KEPT, "4711") == 0

    await context.set_offline(True)
    await page.check("text=I pressed the home unit")
    await press(page, "I have arrived")
    await expect(page.locator(WAITING)).to_have_text(
        "Kept on this phone, will be sent when there is signal (1 waiting)."
    )
    await page.locator("[data-of=arrived]").get_by_role("radio", name="Key safe").check()
    await press(page, "I am inside")
    await expect(page.locator("#check-in-by")).to_contain_text("Say that you are all right by")
    await press(page, "I am all right")
    await expect(page.locator(WAITING)).to_contain_text("(3 waiting)")
    await page.reload()  # the page, and what waits, are on the phone
    await expect(page.locator("h1")).to_have_text("Mary Ashworth")
    await ready(page, "access")
    await for_everybody(page, "without-signal")
    await page.check("[data-of=access] >> text=Bleeding freely")
    await press(page, "I have checked")
    await expect(page.locator("#flagged")).to_be_visible()
    await expect(page.locator("[data-of=checked] form[data-step=lifted]")).to_be_hidden()
    await page.locator("[data-of=checked]").get_by_role("radio", name="Doubt").check()
    await press(page, "Not lifted")
    await page.goto(f"{served.base}/responder")  # the list is there too
    await expect(page.locator(WAITING)).to_contain_text("(5 waiting)")
    assert await one(served.pool, "select state from visits") == "en-route"
    await for_everybody(page, "list")

    await context.set_offline(False)
    await until_state(served, "not-lifted")
    await expect(page.locator(WAITING)).to_have_text("")
    await page.goto(f"{served.base}/responder/visits/{visit}")
    await ready(page, "not-lifted")
    await page.fill("#not-lifted-left-how_left", "With the crew")
    await press(page, "I have left")
    await ready(page, "left")
    steps = [
        step for (step,) in await rows(served.pool, "select state from visit_steps where state <> 'code' order by id")
    ]
    assert steps == [
        "requested",
        "accepted",
        "en-route",
        "arrived",
        "access",
        "check-in",
        "checked",
        "not-lifted",
        "left",
    ]
    assert await one(served.pool, "select count(*) from visit_entries where refused = '{}'") == 8
    late = "select count(*) from alert_log where what = 'visit' and detail ? 'entered_at'"
    assert await one(served.pool, late) == 8
    assert all(url.startswith(served.base) for url in requests)

    # What is refused later is kept for reading.
    await context.set_offline(True)
    await page.fill("#left-reported-report", "She bled from the head")
    await press(page, "Send the report")
    await expect(page.locator(WAITING)).to_contain_text("(1 waiting)")
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        told = {"report": "As told on the telephone"}
        to = VisitState.REPORTED
        await visit_actions.take_step(conn, served.settings, number, visit, "operator", to, told, now)
    await context.set_offline(False)
    await expect(page.locator("#kept li")).to_contain_text("You entered: She bled from the head")
    await page.reload()
    await expect(page.locator("h1")).to_have_text("This visit is over")
    await expect(page.locator("#kept li")).to_contain_text("Not done: “Send the report”")
    await press(page, "I have read this")
    await expect(page.locator("#kept li")).to_have_count(0)
    await press(page, "Log out")
    await page.wait_for_url("**/login")
    assert await page.evaluate("caches.keys()") == []
    await context.close()


async def until_state(world: World, state: str) -> None:
    async def there() -> bool:
        return bool(await one(world.pool, "select state = %s from visits", state))

    await until(there, 20)
