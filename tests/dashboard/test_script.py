"""The script beside a case: on the alert's page, by the API, and with nothing but the keyboard."""

import re
from typing import Any

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from dashboard import models, models_script
from telecare.vocabulary import Role
from tests.dashboard.test_browser import RULES, browser, keep, log_in, needs_chromium, sideways
from tests.dashboard.test_pages import words
from tests.dashboard.world import World, csrf_of, listening
from tests.helpers import rows

__all__ = ["browser"]  # the fixture


@pytest.fixture
async def number(served: World) -> int:
    found = await served.alert("hub-1", "fall")
    await served.claim(found)
    return found


def card(text: str) -> str:
    """The script's card, without markup."""
    return words(text.split('id="script"', 1)[1].split("</section>")[0].split(">", 1)[1]).strip()


def field(text: str, name: str) -> str:
    """The value of a hidden field of the script's card."""
    return re.findall(rf'name="{name}" value="([^"]*)"', text.split('id="script"', 1)[1])[0]


class Asker:
    """A member of staff with the alert's page open."""

    def __init__(self, client: httpx.AsyncClient, at: str, token: str) -> None:
        self.client, self.at, self.token = client, at, token

    async def page(self, ask: str = "") -> str:
        return (await self.client.get(f"{self.at}?ask={ask}" if ask else self.at)).text

    async def answer(self, answer: str, text: str = "", status: int = 303) -> str:
        """Press a button of the card as `text`, or the page now, shows it."""
        text = text or await self.page()
        form = {"question": field(text, "question"), "seen": field(text, "seen"), "answer": answer}
        got = await self.client.post(f"{self.at}/script", data=form | {"csrf_token": self.token})
        assert got.status_code == status, card(got.text)
        return got.text if status != 303 else (await self.client.get(got.headers["location"])).text


async def test_a_fall_is_asked_through_and_written_down_with_one_press(served: World, number: int) -> None:
    at = f"/console/alerts/{number}"
    async with served.browser_session("operator") as client:
        asker = Asker(client, at, await csrf_of(client, at))
        text = card(await asker.page())
        assert text.startswith("Script: A fall Hello, this is your alarm service. Can you hear me?")
        assert "1 They speak, or somebody with them does 2 A groan or a cry" in text
        text = card(await asker.answer("speaks"))
        assert "Are you on the floor now? Since when?" in text
        assert re.search(r"They speak, or somebody with them does Operator One, \d\d:\d\d:\d\d Ask again", text)
        await asker.answer("now")
        text = await asker.answer("head")
        assert "Ring 999: ambulance. Red flags: trauma to head, neck or back. Do not let anybody lift them." in card(
            text
        )
        assert "On the record of Mary Ashworth: conditions: Osteoporosis; takes a blood thinner;" in card(text)
        assert "wishes: Call my daughter before an ambulance unless I am hurt." in card(text)
        assert "Write down this need" in card(text)  # at once, before the last question
        text = await asker.answer("none")
        assert "The need: Fall, still on the floor. Ring 999." in card(text)
        # The form that it is written into by hand says the same.
        need = text.split('id="form-assess"')[1].split("</form>")[0]
        assert re.search(r'value="fall-on-floor"\s+selected', need)
        assert 'name="on_floor" value="true" checked' in need
        assert re.search(r'value="trauma"\s+checked', need)
        assert re.search(r'value="emergency-service"\s+checked', need)
        form = {"cause": "fall-on-floor", "on_floor": "true", "red_flags[]": "trauma", "decision": "emergency-service"}
        suggested = {name: field(text, re.escape(name)) for name in form}
        assert suggested == form
        done = await client.post(f"{at}/assess", data=suggested | {"csrf_token": asker.token})
        assert done.status_code == 303
        text = await asker.page()
        assert "The need was written down at" in card(text)
        assert "Write down this need" not in card(text)
        log = words(text.split('id="log"')[1])
        assert (
            "Note : Script. Are you on the floor now? Since when? On the floor, less than an hour Operator One" in log
        )
        assert "Assessed : Fall, still on the floor. on the floor. trauma to head, neck or back. ring 999" in log
    stored = await rows(
        served.pool, "select script, script_version, answers ->> 'Can you hear me now?' from assessments"
    )
    assert stored == [("fall", 1, None)]


async def test_an_answer_is_changed_and_a_stale_screen_is_told(served: World, number: int) -> None:
    at = f"/console/alerts/{number}"
    async with served.browser_session("operator") as client:
        asker = Asker(client, at, await csrf_of(client, at))
        stale = await asker.page()
        await asker.answer("nobody")
        assert "Every number under Call" in card(await asker.page())
        text = await asker.answer("speaks", stale, 409)
        assert (
            "This was not done “Hello, this is your alarm service. Can you hear me?” has been answered since"
            in words(text)
        )
        assert "“Nobody answers”, by Operator One. That answer stands; change it where it is different." in words(text)
        assert "Can you hear me now?" in card(text)
        await asker.answer("nobody", stale)  # the same once more: it stands already
        again = await asker.page("call")
        assert "Leave it as it is: Nobody answers" in card(again)
        assert "Are you on the floor now?" in card(await asker.answer("speaks", again))
        await asker.answer("sings", await asker.page(), 422)
        assert "There is nothing" not in await asker.page("nonsense")
    heard = await rows(served.pool, "select answer from script_answers order by id")
    assert heard == [("nobody",), ("speaks",)]


async def test_whoever_does_not_have_the_alert_only_reads(served: World, number: int) -> None:
    at = f"/console/alerts/{number}"
    async with served.browser_session("operator") as mine, served.browser_session("supervisor") as other:
        asker = Asker(mine, at, await csrf_of(mine, at))
        page = await asker.answer("speaks")
        theirs = (await other.get(f"{at}?ask=call")).text
        assert "They speak, or somebody with them does" in card(theirs)
        assert "Whoever has this alert answers." in card(theirs)
        assert "<button" not in theirs.split('id="script"')[1].split("</section>")[0]
        form = {"question": "floor", "seen": "0", "answer": "now", "csrf_token": await csrf_of(other, at)}
        refused = await other.post(f"{at}/script", data=form)
        assert refused.status_code == 409
        assert "Operator has this alert" in refused.text
        await served.close(number)
        closed = await asker.page()
        assert "They speak, or somebody with them does" in card(closed)
        assert "Are you on the floor" not in card(closed)
        assert (await asker.answer("now", page, 409)) != ""


async def test_another_language_is_said_first(world: World) -> None:
    async with world.pool.connection() as conn:
        await conn.execute("update people set language = 'Polish'")
    number = await world.alert("hub-1")
    await world.claim(number)
    for phone, expected in (("", "No interpreter line is set."), ("01632 960777", "Interpreter: 01632 960777")):
        settings = world.settings.model_copy(update={"interpreter_phone": phone})
        async with listening(settings) as world.base, world.browser_session("operator") as client:
            text = card((await client.get(f"/console/alerts/{number}")).text)
        assert text.startswith("Script: A press Mary Ashworth: Polish . " + expected)


async def test_the_script_by_the_api(served: World, number: int, client: httpx.AsyncClient) -> None:
    at, headers = f"/api/alerts/{number}/script", await served.token("operator")

    async def post(status: int = 200, **body: Any) -> dict[str, Any]:
        answer = await client.post(at, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        if status == 200:
            models_script.Script.model_validate(found)
        return found

    first = (await client.get(at, headers=headers)).json()
    assert models_script.Script.model_validate(first).open is not None
    assert (first["id"], first["version"], first["open"]["seen"], first["advice"]) == ("fall", 1, 0, None)
    for answer in ("speaks", "long", "none", "none", "up"):
        found = (await client.get(at, headers=headers)).json()["open"]
        found = await post(question=found["question"], answer=answer, seen=found["seen"])
    assert (found["open"], found["advice"]["do"], found["cause"], found["on_floor"]) == (None, "go", "fall-up", False)
    conflict = await post(409, question="floor", answer="none", seen=0)
    assert "That answer stands" in conflict["detail"]
    assert (await post(question="floor", answer="none"))["open"]["question"] == "well"  # compared with nothing
    await post(409, question="gone", answer="x")
    assert (await post(422, question="floor", answer="x"))["problems"] == ["answer: choose one of the answers"]
    await post(422, answer="x")
    await post(422, question="floor", answer="none", seen=-1)
    await post(422, question="floor", answer="no\0ne")
    other = await served.token("supervisor")
    refused = await client.post(at, json={"question": "well", "answer": "ill"}, headers=other)
    assert (refused.status_code, refused.json()["claimed_by"]) == (409, "operator")
    assert (await client.get(at, headers=other)).status_code == 200
    assert (await client.get("/api/alerts/999/script", headers=headers)).status_code == 404
    body = {"cause": "accidental", "decision": "reassure"}
    assert (await client.post(f"/api/alerts/{number}/assess", json=body, headers=headers)).status_code == 200
    whole = models.WholeAlert.model_validate((await client.get(f"/api/alerts/{number}", headers=headers)).json())
    assert whole.assessment is not None
    assert (whole.assessment.script, whole.assessment.script_version) == ("fall", 1)
    assert whole.assessment.answers["Are you on the floor now? Since when?"] == "Has not fallen"


async def test_an_incident_has_no_script(served: World, client: httpx.AsyncClient) -> None:
    for hub in ("hub-2", "hub-3"):
        await served.add_home(hub)
    incident = [await served.alert(hub, "mains-lost", device="hub") for hub in ("hub-1", "hub-2", "hub-3")][-1]
    await served.claim(incident)
    at, headers = f"/api/alerts/{incident}/script", await served.token("operator")
    assert (await client.get(at, headers=headers)).status_code == 404
    assert (await client.post(at, json={"question": "call", "answer": "x"}, headers=headers)).status_code == 409
    async with served.browser_session("operator") as browser:
        assert 'id="script"' not in (await browser.get(f"/console/alerts/{incident}")).text


class Keys:
    """A keyboard that counts."""

    def __init__(self, page: Page) -> None:
        self.page, self.pressed = page, 0

    async def press(self, key: str) -> None:
        self.pressed += 1
        await self.page.keyboard.press(key)


@needs_chromium
async def test_a_fall_from_claim_to_assessed_in_eight_keystrokes(served: World, browser: Browser) -> None:
    number = await served.alert("hub-1", "fall")
    page = await log_in(await browser.new_context(viewport={"width": 1280, "height": 900}), served, "operator")
    await page.goto(f"{served.base}/console/alerts/{number}")
    keys = Keys(page)
    await page.locator("#claim").focus()
    await keys.press("Enter")
    for asked, key in (
        ("Hello, this is your alarm service. Can you hear me?", "1"),
        ("Are you on the floor now? Since when?", "1"),
        ("Are you hurt", "5"),
        ("Did you black out", "5"),
        ("Can you get up by yourself?", "3"),
    ):
        await expect(page.locator("#script-ask")).to_contain_text(asked)
        await expect(page.locator("#script")).to_be_focused()
        await expect(page.locator("#script-keys")).to_be_visible()  # the keys answer now
        assert await page.locator("#script").evaluate(INSIDE)
        await keys.press(key)
    await expect(page.locator("#script-need")).to_contain_text("Fall, still on the floor. Send a responder.")
    await expect(page.locator("#script")).to_be_focused()
    await expect(page.locator("#script-keys")).to_be_visible()
    await keys.press("1")
    await expect(page.locator("#state .tag")).to_have_text("Assessed")
    assert keys.pressed <= 8, keys.pressed
    assert await rows(served.pool, "select cause, on_floor, decision, script, script_version from assessments") == [
        ("fall-on-floor", True, "visit", "fall", 1)
    ]
    assert await rows(served.pool, "select count(*) from script_answers") == [(5,)]


# Where the focus is can be seen: it is on the screen.
INSIDE = """card => { const box = card.getBoundingClientRect();
  return box.top < innerHeight && box.bottom > 0; }"""


@needs_chromium
async def test_number_keys_answer_nothing_outside_the_card(served: World, browser: Browser) -> None:
    number = await served.alert("hub-1", "fall")
    await served.claim(number)
    page = await log_in(await browser.new_context(viewport={"width": 1280, "height": 900}), served, "operator")
    await page.goto(f"{served.base}/console/alerts/{number}")
    await page.keyboard.press("1")  # the focus is nowhere
    await page.locator("#note-text").focus()
    await page.keyboard.type("122")
    await expect(page.locator("#note-text")).to_have_value("122")
    await page.locator("#script button").first.focus()
    await page.keyboard.press("Control+1")
    await page.keyboard.press("9")  # no such answer
    assert await rows(served.pool, "select count(*) from script_answers") == [(0,)]
    await page.keyboard.press("2")
    await expect(page.locator("#script-advice")).to_contain_text("Ring 999: ambulance.")
    assert await rows(served.pool, "select answer from script_answers") == [("sounds",)]


@needs_chromium
async def test_the_script_without_javascript_by_tab_and_enter(served: World, browser: Browser) -> None:
    number = await served.alert("hub-1", "smoke")
    await served.claim(number)
    context = await browser.new_context(java_script_enabled=False)
    page = await log_in(context, served, "operator")
    await page.goto(f"{served.base}/console/alerts/{number}?done=claim")
    await expect(page.locator("#script")).to_be_focused()
    await expect(page.locator("#script-keys")).to_be_hidden()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # they speak
    await expect(page.locator("#script-ask")).to_have_text("Is there fire or smoke, or a smell of burning?")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # yes
    await expect(page.locator("#script-advice")).to_contain_text("Ring 999: fire service.")
    await page.click("text=Write down this need")
    await expect(page.locator("#need")).to_contain_text("Fire or smoke")


@needs_chromium
async def test_the_card_is_for_everybody_at_each_step(served: World, browser: Browser) -> None:
    async with served.pool.connection() as conn:
        await conn.execute("update people set language = 'British Sign Language', conditions = repeat('x', 300)")
    await served.add_colleague("second", Role.OPERATOR)
    number = await served.alert("hub-1", "fall")
    await served.claim(number)
    at = f"{served.base}/console/alerts/{number}"
    mine = await log_in(await browser.new_context(), served, "operator")
    theirs = await log_in(await browser.new_context(), served, "second")

    async def check(page: Page, name: str, address: str = at) -> None:
        await page.goto(address)
        for width in (320, 1280):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await sideways(page) <= 0, name
            await keep(page, f"script-{name}-{width}")
            result = await Axe().run(page, context="#script", options={"runOnly": {"type": "tag", "values": RULES}})
            assert result.violations_count == 0, result.generate_report()
        for button in await page.locator("#script button").all():
            box = await button.bounding_box()
            assert box is not None
            assert box["height"] >= 24

    await check(mine, "begun")
    await check(theirs, "read")
    for name in ("speaks", "long", "head", "blackout"):
        await mine.goto(at)
        await mine.locator(f"#script button[value={name}]").click()
        await expect(mine.locator(".script-given li").last).to_contain_text("Operator One")
    await check(mine, "ended")
    await check(mine, "again", f"{at}?ask=floor")
    await mine.goto(at)
    await mine.click("text=Write down this need")
    await check(mine, "written")
