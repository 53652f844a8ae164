"""A supervisor in a real browser: the board keeps itself fresh, and an alert is looked back at by keyboard alone."""

from playwright.async_api import Browser, Page, expect

from alerts.quality import Criterion
from tests.dashboard.test_browser import browser, log_in, pytestmark, shop, sideways
from tests.dashboard.test_quality import sampled
from tests.dashboard.world import World

__all__ = ["browser", "pytestmark", "shop"]  # the fixtures, and that there is a Chromium
AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"  # as when the tab is looked at again


async def go(page: Page, address: str) -> None:
    """Tab to the link with this address, and follow it."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.getAttribute('href')") == address:
            await page.keyboard.press("Enter")
            return
    raise AssertionError(f"{address} cannot be reached by keyboard")


async def test_the_board_stays_fresh_and_an_alert_is_looked_back_at(shop: World, browser: Browser) -> None:
    sample = await sampled(shop)
    context = await browser.new_context(viewport={"width": 320, "height": 800})
    page = await log_in(context, shop, "supervisor")
    await go(page, "/board")
    await expect(page.locator("#board-state")).to_have_text("Updates itself every 10 seconds.")
    await expect(page.locator("#board")).to_contain_text("Nobody waits for an operator.")
    await page.locator("#to-on-call").focus()
    number = await shop.alert("hub-1", "fall")
    await page.evaluate(AGAIN)
    await expect(page.locator("#longest-1")).to_have_attribute("href", f"/console/alerts/{number}")
    assert await page.evaluate("document.activeElement.id") == "to-on-call"
    # What one stood on is there no more: the focus stays in the board.
    await page.locator("#longest-1").focus()
    await shop.claim(number)
    await page.evaluate(AGAIN)
    await expect(page.locator("#board")).to_contain_text("Nobody waits for an operator.")
    assert await page.evaluate("document.querySelector('#board').contains(document.activeElement)")
    assert await sideways(page) <= 0
    # Stopped, it stays as it is; and it says when its line is dead.
    await page.click("#board-pause")
    await shop.close(number)
    await page.evaluate(AGAIN)
    await expect(page.locator("#board-state")).to_have_text("Stopped: these figures stay as they are.")
    await expect(page.locator("#board")).to_contain_text("with Operator One")
    await page.click("#board-pause")
    await expect(page.locator("#board")).not_to_contain_text("with Operator One")
    await context.clear_cookies()
    await page.evaluate(AGAIN)
    await expect(page.locator("#board-state")).to_contain_text("You are logged out")

    page = await log_in(await browser.new_context(viewport={"width": 320, "height": 800}), shop, "supervisor")
    await go(page, "/quality")
    await expect(page.locator("#to-review")).to_contain_text("Operator One")
    await go(page, f"/quality/{sample}")
    await page.locator("#quality-answered-in-time").focus()
    for _ in Criterion:
        await page.keyboard.press("Space")
        await page.keyboard.press("Tab")
    await page.keyboard.type("Calm and clear")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator(".done")).to_have_text("Your review is kept.")
    await expect(page.locator("#picture")).to_contain_text("6 of 6 (100%)")
    assert await sideways(page) <= 0


async def test_the_board_and_the_review_work_without_script(shop: World, browser: Browser) -> None:
    sample = await sampled(shop)
    page = await log_in(await browser.new_context(java_script_enabled=False), shop, "supervisor")
    await page.goto(f"{shop.base}/board")
    await expect(page.locator("#board-pause")).to_be_hidden()
    await shop.alert("hub-1", "fall")
    await page.click("#board-state a")
    await expect(page.locator("#longest-1")).to_be_visible()
    await page.goto(f"{shop.base}/quality/{sample}")
    for criterion in Criterion:
        await page.check(f"input[name={criterion.value}][value=partly]")
    await page.fill("#quality-note", "Half of it")
    await page.click("text=Keep this review")
    await expect(page.locator(".done")).to_have_text("Your review is kept.")
