"""Calls on the alert page and by the API; in a browser with nothing but the keyboard."""

from uuid import uuid4

from playwright.async_api import Browser, expect

from tests.dashboard.test_browser import browser, log_in, needs_chromium
from tests.dashboard.world import World, csrf_of
from tests.helpers import rows

__all__ = ["browser"]  # the fixture


async def test_a_program_begins_and_ends_a_call(served: World) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    headers = await served.token("operator")
    async with served.browser_session("operator") as client:
        client.cookies.clear()
        begin = f"/api/alerts/{number}/calls"
        made = await client.post(begin, json={"line": "landline"}, headers=headers)
        assert made.status_code == 200
        call = made.json()["call"]
        assert (await client.post(begin, json={"line": "mobile"}, headers=headers)).status_code == 409
        for wrong in ({"result": "not-recorded"}, {"result": "maybe"}, {}):
            answer = await client.post(f"{begin}/{call}/result", json=wrong, headers=headers)
            assert answer.status_code == 422, wrong
        other = await served.token("supervisor")
        assert (await client.post(f"{begin}/{call}/result", json={"result": "spoke"}, headers=other)).status_code == 404
        assert (
            await client.post(f"{begin}/{uuid4()}/result", json={"result": "spoke"}, headers=headers)
        ).status_code == 404
        done = await client.post(f"{begin}/{call}/result", json={"result": "spoke", "words": "Fine"}, headers=headers)
        assert done.status_code == 200
        assert (await client.post(begin, json={"line": "telex"}, headers=headers)).status_code == 422
    assert await rows(served.pool, "select line, result, words from calls") == [("landline", "spoke", "Fine")]


async def test_without_script_the_page_says_when_the_call_began(served: World) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    async with served.browser_session("operator") as client:
        page = f"/console/alerts/{number}"
        assert "Ring the landline." in (await client.get(page)).text
        token = {"csrf_token": await csrf_of(client, page)}
        assert (await client.post(f"{page}/call", data=token | {"line": "landline"})).status_code == 303
        assert "On the telephone: Mary Ashworth" in (await client.get(page)).text
        call = str((await rows(served.pool, "select id from calls"))[0][0])
        missing = await client.post(f"{page}/call-end", data=token | {"call": call})
        assert missing.status_code == 422
        assert "Choose what was heard" in missing.text
        assert (
            await client.post(f"{page}/call-end", data=token | {"call": call, "result": "silence"})
        ).status_code == 303
        text = (await client.get(page)).text
        assert "Mary Ashworth. landline: silence, " in text
        assert "Ring the mobile." in text


@needs_chromium
async def test_a_call_with_nothing_but_the_keyboard(served: World, browser: Browser) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    page = await log_in(await browser.new_context(viewport={"width": 1280, "height": 900}), served, "operator")
    await page.goto(f"{served.base}/console/alerts/{number}")

    async def press(name: str) -> None:
        for _ in range(80):
            await page.keyboard.press("Tab")
            if name in await page.evaluate("document.activeElement.textContent ?? ''"):
                await page.keyboard.press("Enter")
                return
        raise AssertionError(f"{name} cannot be reached with the keyboard")

    await press("Start call")
    await expect(page.locator(".on-call")).to_contain_text("On the telephone: Mary Ashworth")
    await expect(page.locator(".on-call .wait")).to_have_text("0:02", timeout=4000)
    await press("No answer")
    await expect(page.locator("#log")).to_contain_text("landline: no answer")
    await expect(page.locator(".advice")).to_have_text("Ring the mobile.")
