"""The pages in a real browser: the way of an alert through the console, and every page for everybody."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect

from alerts import (
    actions,
    asks,
    keys_store,
    knowing,
    leaving,
    responders_store,
    shifts_store,
    standing,
    tasks_store,
    vehicles_store,
    visit_actions,
)
from alerts.emergency import Service
from alerts.responders_store import Brings
from alerts.responding import Kit, Skill
from alerts.visiting import VisitState
from telecare.db import database_now
from telecare.register import carers, holidays
from telecare.register.carers import Consent
from telecare.register.person_states import Change
from telecare.vocabulary import Cause, PersonState, Role
from tests.dashboard.fall_evidence import NOTHING, fall, movement, pack
from tests.dashboard.test_escalation import on_a_rota
from tests.dashboard.test_on_call import some_on_call
from tests.dashboard.test_quality import drawn
from tests.dashboard.world import NASTY, PASSWORD, World, listening, send_messages
from tests.helpers import one

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SCREENSHOTS = os.environ.get("TELECARE_SCREENSHOTS")  # a folder: every page is kept there for a person to look at

# `make test` installs it where it runs as root; elsewhere what needs a browser is skipped by name.
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
pytestmark = needs_chromium


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        await launched.close()


@pytest.fixture
async def shop(world: World) -> AsyncIterator[World]:
    """The service with demo on, so that messages are shown, and beats quick enough for a test."""
    world.settings = world.settings.model_copy(update={"demo": True, "beat_s": 1})
    async with listening(world.settings) as base:
        world.base = base
        yield world


async def log_in(context: BrowserContext, world: World, username: str) -> Page:
    page = await context.new_page()
    await page.goto(f"{world.base}/login")
    await page.fill("#username", username)
    await page.fill("#password", PASSWORD)
    await page.click("button:has-text('Log in')")
    return page


def watch_requests(context: BrowserContext) -> list[str]:
    seen: list[str] = []

    def note(request: Request) -> None:
        seen.append(request.url)

    context.on("request", note)
    return seen


async def test_an_alert_from_the_queue_to_its_end(shop: World, browser: Browser) -> None:
    context = await browser.new_context()
    requests = watch_requests(context)
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    page = await log_in(context, shop, "operator")
    await expect(page.locator("#queue h2")).to_have_text("No open alerts")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await page.click("text=Start shift")
    await expect(page.locator("#sound-words")).to_have_text("Sound on")
    await page.click("#heard-yes")

    number = await shop.alert("hub-1", "fall")
    await expect(page.locator(".case h3")).to_have_text("Fall detected", timeout=2000)
    await expect(page.locator("#urgent")).to_have_text("New: emergency, Mary Ashworth")
    await expect(page).to_have_title("(1 waiting) Alerts – Anytown Telecare")

    await page.click(f"#claim-{number}")
    await expect(page.locator("#state strong")).to_have_text("You have this alert")
    await expect(page.locator("text=Front door, ring twice")).to_be_visible()
    await page.click("text=Show code, for somebody else")
    await page.fill("#key-safe-whom", "the ambulance crew")
    await page.fill("#key-safe-why", "they are at the door")
    await page.get_by_role("button", name="Show code", exact=True).click()
    await expect(page.locator("#key-safe-code")).to_contain_text("4711")
    await page.emulate_media(media="print")
    await expect(page.locator("#key-safe-code")).to_be_hidden()
    await page.emulate_media(media="screen")

    await page.fill("#note-text", "She is on the bathroom floor")
    await page.click("#form-note button")
    await expect(page.locator("#log")).to_contain_text("She is on the bathroom floor")

    await page.click("text=Ask Susan to go")
    await expect(page.locator("#log")).to_contain_text("Contact told")

    # Her daughter taps the link of the message on her own telephone; the operator's page says so by itself.
    phone = await (await browser.new_context(viewport={"width": 390, "height": 800})).new_page()
    body: str = await one(shop.pool, "select body from messages")
    await phone.goto(shop.base + re.findall(r"(/a/[\w-]+)", body)[0])
    await phone.click("text=20 minutes")
    await expect(phone.locator(".done")).to_contain_text("We know that you are going, in about 20 minutes")
    await expect(page.locator("#changed")).to_be_visible(timeout=2000)
    await page.click("#changed a")
    await expect(page.locator(".asks")).to_contain_text("is going, about 20 min")

    await shop.alarm("hub-1")  # she presses again while the page is open
    await expect(page.locator("#changed")).to_contain_text("Another alarm has joined", timeout=2000)
    await page.click("#form-close button")
    summary = page.locator(".govuk-error-summary")
    await expect(summary).to_contain_text("Choose why the alarm went off")
    await page.click("#changed a") if await page.locator("#changed").is_visible() else None

    await page.select_option("#close-cause", "fall-up")
    await page.check("text=Reassured")
    await page.locator("#form-close").get_by_label("The person, in their own words").check()
    await page.fill("#close-how", "She told me herself")
    await page.click("#form-close button")
    await expect(page.locator(".done")).to_have_text("This alert is closed.")
    await expect(page.locator(".doings")).to_contain_text("Fall, up again")

    await send_messages(shop)
    await page.click("text=Messages")
    await expect(page.locator("td >> nth=1")).to_contain_text("Susan Ashworth")
    await expect(page.locator(".sms").last).to_contain_text("Mary's alarm went off")
    assert {urlsplit(url).netloc for url in requests} == {urlsplit(shop.base).netloc}
    assert [line for line in complaints if "422" not in line] == []


async def under_way(world: World, number: int) -> None:
    """Red flags, an ambulance that is awaited, a responder inside, and another who has not answered."""
    async with world.pool.connection() as conn:
        now = await database_now(conn)
        await knowing.assess(
            conn, number, "operator", now, cause=Cause.FALL_ON_FLOOR, on_floor=True, decision="visit",
            red_flags=["trauma", "bleeding-freely"], reason="Alone",
        )  # fmt: skip
        await actions.call_service(
            conn, world.settings, number, "operator", Service.AMBULANCE, now, reference="CAD 7", minutes=8
        )
        visit = await actions.dispatch(conn, world.settings, number, "operator", "responder", "", now, "Kim")
        for to in (VisitState.ACCEPTED, VisitState.EN_ROUTE, VisitState.ARRIVED, VisitState.ACCESS, VisitState.CHECKED):
            detail = {"minutes": 9, "brief_read": True, "how": "pressed the unit", "flags": ["trauma"]}
            await visit_actions.take_step(conn, world.settings, number, visit, "operator", to, detail, now)
        await actions.dispatch(conn, world.settings, number, "operator", "Car 2", "", now)


async def responding(world: World, number: int) -> None:
    """A response team at work: a pair in a van with faulty kit, somebody away, keys that are out and overdue."""
    await world.add_colleague("kim", Role.RESPONDER)
    await world.add_colleague("lee-with-a-rather-long-name", Role.RESPONDER)
    async with world.pool.connection() as conn:
        now = await database_now(conn)
        van = await vehicles_store.add_vehicle(conn, "Van 1", "supervisor", now)
        for kind in (Kit.CUSHION_LIFTER, Kit.CHAIR_LIFTER, Kit.GLOVES):
            item = await vehicles_store.add_kit(conn, van, kind, "supervisor", now)
        await vehicles_store.set_fault(conn, item, "All used " + "x" * 60, "supervisor", now)
        brings = Brings(skills=list(Skill), languages=["Punjabi"], place="Depot", district="AN1")
        for who, partner in (("responder", "kim"), ("kim", "responder"), ("lee-with-a-rather-long-name", "")):
            await responders_store.set_brings(conn, who, brings, "supervisor", now)
            await shifts_store.begin_shift(conn, who, now + timedelta(hours=8), partner, van, "supervisor", now)
        back = now + timedelta(minutes=20)
        await shifts_store.set_away(conn, "kim", back, "a meal", "supervisor", now)
        (visit, home) = await (
            await conn.execute(
                """select v.id, a.home_id from visits v join alerts a on a.id = v.alert_id
                where a.id = %s and v.responder = 'responder'""",
                (number,),
            )
        ).fetchone() or (None, None)
        assert visit is not None
        for tag in ("12", "13"):
            key = await keys_store.add(conn, home, tag, "Board A", "operator", now)
        await keys_store.sign_out(conn, world.settings, number, visit, key, "Responder One", "Ann", "operator", now)
        await conn.execute("update key_sign_outs set out_at = out_at - interval '9 h', due_at = now() - interval '5 h'")


async def busy(world: World) -> dict[str, list[str]]:
    """A night with something of everything; for each role the pages that it sees."""
    for number, (kind, name) in enumerate(
        (("battery-low", "Ada Birch"), ("button", "Joan of a Rather Long Name-Featherstonehaugh"),
         ("inactivity", "Ravi Patel"), ("smoke", NASTY)), start=2,
    ):  # fmt: skip
        await world.add_home(f"hub-{number}", name, address=f"Flat {number}, {'Long ' * number}Street, Anytown")
        await world.alert(f"hub-{number}", kind, evidence={"word": "x" * 120})
    mine = await world.alert("hub-1", "fall", evidence=fall())
    await world.alarm("hub-1", "fall", evidence=fall(outcome="possible-fall", probability=0.42, worn=None))
    await world.claim(mine)
    async with world.pool.connection() as conn:
        await actions.ask_contact(conn, world.settings, mine, "operator", await database_now(conn))
    await under_way(world, mine)
    await responding(world, mine)
    other = await world.alert("hub-3")
    await world.claim(other, "supervisor")
    await world.add_home("hub-6", "Closed Case")
    blow = fall(outcome="no-fall", probability=0.1, at="2026-06-01T12:00:00Z")
    closed = await world.alert("hub-6", evidence={"blow": blow})
    await world.claim(closed)
    await world.close(closed)
    sample = await drawn(world, closed)
    async with world.pool.connection() as conn:
        now = await database_now(conn)
        by = {"note": "Her daughter, by telephone", "by": "supervisor", "role": Role.SUPERVISOR}
        died = Change(state=PersonState.DECEASED, **by)
        faulty = Change(state=PersonState.KIT_FAULT, due_at=now + timedelta(hours=1), **by)
        await standing.change(conn, world.settings, world.people["hub-6"], died, now)
        await standing.change(conn, world.settings, world.people["hub-1"], faulty, now)
    async with world.pool.connection() as conn:
        await conn.execute("update alerts set raised_at = raised_at - interval '95 s' where kind = 'smoke'")
        await conn.execute(
            """insert into alert_log (alert_id, at, who, what, detail)
               values (%s, now(), 'operator', 'dispatched', '{"responder": "Car 2", "note": "Two of you"}')""",
            (mine,),
        )
        await conn.execute(
            """insert into unreadable (hub, topic, payload, size_bytes, reason, received_at)
               values ('hub-2', 'telecare/v1/hub-2/readings', %s, 300, 'not JSON', now())""",
            (b"\xff" * 200,),
        )
        await conn.execute(
            """insert into troubles (key, words, advice, grave, begun_at)
               values ('press:lost', 'A test press did not arrive in 20 s.', 'Ring the engineer now', true, now());
               insert into oncall_messages (id, about, body, made_at, attempts, failure)
               values (gen_random_uuid(), 'trouble', 'Alarms may not reach people.', now(), 2, 'it answers 503')"""
        )
        await conn.execute(
            """insert into stray_callbacks (content_hash, provider, why, raw, received_at)
               values ('x', 'notify', 'no message of ours has this id', %s, now())""",
            (b"x" * 400,),
        )
        cursor = await conn.execute("select id from councils order by name limit 1")
        (council,) = await cursor.fetchone() or (None,)
        await holidays.add(conn, council, now.date() + timedelta(days=9), "A day off", "admin", now)
        for days in (-1, 2):
            due, person = now + timedelta(days=days), world.people["hub-3"]
            words = f"Ring about the key {'w' * 60}"
            await tasks_store.add(conn, words, due, "operator", due - timedelta(days=3), person_id=person)
        now_reading = (await (await conn.execute("select now()")).fetchone() or (None,))[0]
    await world.reading("hub-1", "pir-hall", "motion", 1.0, now_reading)
    waiting = await world.alert("hub-5", "smoke")
    await world.alarm("hub-2", "mains-lost", device="hub")
    await world.alarm("hub-3", "mains-lost", device="hub")
    incident = await world.alert("hub-4", "mains-lost", device="hub")
    await world.claim(incident)
    links = await carers_links(world, mine)
    await on_a_rota(world, "hub-1")
    await some_on_call(world)
    tom = await one(world.pool, "select id from contacts where place = 2 and person_id = %s", world.people["hub-1"])
    async with world.pool.connection() as conn:
        await leaving.end_contact(
            conn, world.settings, world.people["hub-1"], tom, f"moved {'w' * 60}", "supervisor", now
        )
    home, person = world.homes["hub-1"], world.people["hub-1"]
    alerts = [f"/console/alerts/{number}" for number in (mine, other, closed, waiting, incident)]
    return {
        "": ["/login", "/api/docs", "/login?next=/homes"],
        "operator": ["/console", *alerts, "/homes", "/homes?q=flat", f"/homes/{home}",
                     f"/homes/{home}/timeline", f"/people/{person}", f"/people/{world.people['hub-6']}",
                     f"/people/{person}/plan", f"/people/{person}/escalation", "/plans", "/messages", "/nothing",
                     "/on-call", "/priorities", "/handover", "/search", "/search?q=mary", "/responders",
                     "/tasks", f"/tasks/new?person={person}", f"/people/{world.people['hub-3']}"],
        "supervisor": ["/holidays", "/priorities", "/performance", "/performance?from=x", "/responders",
                       f"/people/{person}/escalation", "/on-call", "/board", "/quality", f"/quality/{sample}"],
        "responder": ["/responder"], "carer": ["/carer", "/console", *links], "commissioner": ["/commissioning"],
        "admin": ["/admin", "/admin/callbacks"],
    }  # fmt: skip


async def carers_links(world: World, asked: int) -> list[str]:
    """The demo's carer, who is a contact; the links of a question and of an invitation."""
    contact, person = world.contacts["hub-1"], world.people["hub-1"]
    async with world.pool.connection() as conn:
        now = await database_now(conn)
        await conn.execute(
            "update contacts set staff_id = (select id from staff where username = 'carer') where id = %s", (contact,)
        )
        seen = Consent(alerts=True, equipment=True)
        await carers.record_consent(conn, person, contact, seen, "By telephone", "operator", now)
        invitation = await carers.invite(conn, world.contacts["hub-3"], "operator", now, timedelta(days=1))
        row = await (await conn.execute("select body from messages where alert_id = %s", (asked,))).fetchone()
        ask = await (await conn.execute("select id from asks where alert_id = %s", (asked,))).fetchone()
        assert ask is not None
        await asks.answer(conn, world.settings, ask[0], "going", 20, now)  # with the button "I am there"
    assert row is not None
    return [re.findall(r"(/a/[\w-]+)", row[0])[0], f"/i/{invitation}"]


async def sideways(page: Page) -> int:
    width: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


async def keep(page: Page, name: str) -> None:
    if SCREENSHOTS:
        folder = Path(SCREENSHOTS)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        await page.screenshot(path=folder / f"{name}.png", full_page=True)


@pytest.mark.timeout(300)  # seconds: it walks through every page of every role, at two widths
async def test_every_page_is_for_everybody(shop: World, browser: Browser) -> None:
    pages = await busy(shop)
    await send_messages(shop)
    axe = Axe()
    violations: dict[str, Any] = {}
    for role, paths in pages.items():
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        requests = watch_requests(context)
        page = await log_in(context, shop, role) if role else await context.new_page()
        for number, path in enumerate(paths):
            await page.set_viewport_size({"width": 1280, "height": 900})
            await page.goto(shop.base + path)
            await keep(page, f"{role or 'nobody'}-{number}-desktop")
            for width in (320, 1280):
                await page.set_viewport_size({"width": width, "height": 800})
                assert await sideways(page) <= 0, f"{path} scrolls sideways at {width} px"
                if width == 320 and not path.startswith("/console"):
                    continue
                result = await axe.run(page, options={"runOnly": {"type": "tag", "values": RULES}})
                if result.violations_count:
                    violations[f"{path} {width}"] = [
                        (one["id"], [node["html"][:200] for node in one["nodes"]])
                        for one in result.response["violations"]
                    ]
            if SCREENSHOTS:
                await page.set_viewport_size({"width": 390, "height": 800})
                await keep(page, f"{role or 'nobody'}-{number}-phone")
        assert {urlsplit(url).netloc for url in requests} == {urlsplit(shop.base).netloc}
        await context.close()
    assert violations == {}


async def test_the_page_that_shows_an_invitation_once_is_for_everybody(shop: World, browser: Browser) -> None:
    page = await log_in(await browser.new_context(viewport={"width": 320, "height": 800}), shop, "operator")
    await page.goto(f"{shop.base}/people/{shop.people['hub-1']}")
    await page.locator("form[action$='/invite'] button").first.click()
    await expect(page.locator("main")).to_contain_text("/i/")
    assert await sideways(page) <= 0
    result = await Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert result.violations_count == 0, result.generate_report()


# What axe does not look at: a picture's writing and lines against what lies behind them.
CONTRASTS = r"""svg => {
  const parts = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const linear = (n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
  const light = (colour) => parts(colour).slice(0, 3)
    .reduce((sum, n, place) => sum + linear(n / 255) * [0.2126, 0.7152, 0.0722][place], 0);
  let card = svg;
  while (parts(getComputedStyle(card).backgroundColor)[3] === 0) card = card.parentElement;
  const ground = light(getComputedStyle(card).backgroundColor);
  const seen = [["text", "fill"], ...["line", "blow", "point", "bracket"].map((name) => [`.fall-${name}`, "stroke"])];
  return seen.flatMap(([which, name]) => [...svg.querySelectorAll(which)].map((one) => getComputedStyle(one)[name]))
    .map(light).map((own) => (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05));
}"""
# Writing that does not fit into its picture.
OUTSIDE = """svg => {
  const frame = svg.getBoundingClientRect();
  const fits = (box) => box.left >= frame.left - 1 && box.right <= frame.right + 1
    && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
  return [...svg.querySelectorAll("text")].filter((text) => !fits(text.getBoundingClientRect()))
    .map((text) => text.textContent);
}"""
SCALE = "svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"


async def test_a_falls_picture_is_for_everybody(shop: World, browser: Browser) -> None:
    moments = movement(still_after=10)
    moments[20:35], moments[110:] = [NOTHING] * 15, movement(still_after=99)[110:]
    number = await shop.alert("hub-1", "fall", evidence=fall(reasons=["x" * 300] * 9, model="m" * 300))
    up_again = fall(outcome="possible-fall", probability=0.42, trace=pack(moments))
    await shop.alarm("hub-1", "fall", evidence=up_again)
    page = await log_in(await browser.new_context(), shop, "operator")
    section, axe = page.locator("#fall"), Axe()
    pictures = section.locator("svg:visible")
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme)
        for width in (320, 1000, 1280):
            await page.set_viewport_size({"width": width, "height": 800})
            await page.goto(f"{shop.base}/console/alerts/{number}")
            for part in await section.locator("details").all():
                await part.evaluate("part => { part.open = true }")
            assert await sideways(page) <= 0
            await keep(page, f"fall-{scheme}-{width}")
            result = await axe.run(page, options={"runOnly": {"type": "tag", "values": RULES}})
            assert result.violations_count == 0, result.generate_report()
            await expect(pictures).to_have_count(2)
            for picture in await pictures.all():
                assert min(await picture.evaluate(CONTRASTS)) >= 4.5
                assert await picture.evaluate(OUTSIDE) == []
                assert await picture.evaluate(SCALE) >= 0.85  # of 13 px
    # The same without eyes: a name, the sentence, and a table with its heads.
    await expect(pictures.first).to_have_attribute("role", "img")
    await expect(section.locator("figcaption").first).to_contain_text("a blow of 3.4 g; still from 1.2 seconds after")
    await expect(section.locator("table").first.locator("th")).to_have_text(["When", "Most, in g", "What"])


async def test_a_mute_line_is_shouted_about(world: World, browser: Browser) -> None:
    # The stream stays open and says nothing after its first beat, as behind a proxy that holds everything back.
    settings = world.settings.model_copy(update={"beat_s": 1000})
    async with listening(settings) as world.base:
        page = await log_in(await browser.new_context(), world, "operator")
        await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        await expect(page.locator("#connection")).to_have_attribute("data-state", "lost", timeout=14_500)
        await expect(page.locator("body")).to_have_class(re.compile("line-lost"))
        await expect(page.locator("#connection-words")).to_contain_text("fetched every 5 seconds")
        await world.alert("hub-1")
        await expect(page.locator(".case")).to_have_count(1)


async def test_forms_work_without_javascript(shop: World, browser: Browser) -> None:
    number = await shop.alert("hub-1", "fall")
    context = await browser.new_context(java_script_enabled=False)
    page = await log_in(context, shop, "operator")
    await expect(page.locator("text=Without JavaScript")).to_be_visible()
    await page.click(f"#claim-{number}")
    await page.fill("#note-text", "By hand")
    await page.click("#form-note button")
    await expect(page.locator("#log")).to_contain_text("By hand")
    await page.select_option("#close-cause", "reassurance")
    await page.get_by_label("Reassured").check()
    await page.locator("#form-close").get_by_label("The person, in their own words").check()
    await page.fill("#close-how", "She told me herself")
    await page.click("#form-close button")
    await expect(page.locator(".done")).to_have_text("This alert is closed.")
    await page.click("text=Log out")
    await expect(page).to_have_url(f"{shop.base}/login")


async def test_a_colleagues_claim_is_seen_at_once(shop: World, browser: Browser) -> None:
    number = await shop.alert("hub-1")
    one, two = await browser.new_context(), await browser.new_context()
    mine, theirs = await log_in(one, shop, "operator"), await log_in(two, shop, "supervisor")
    await expect(mine.locator("#connection")).to_have_attribute("data-state", "live")
    await theirs.click(f"#claim-{number}")
    await expect(mine.locator(".owner")).to_have_text("Supervisor One has this", timeout=2000)
    await expect(mine).to_have_title("Alerts – Anytown Telecare")


async def test_the_keyboard_alone_is_enough(shop: World, browser: Browser) -> None:
    await shop.alert("hub-1")
    page = await log_in(await browser.new_context(), shop, "operator")
    await expect(page.locator(".case")).to_have_count(1)
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id.startsWith('claim-')"):
            break
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    await page.keyboard.press("Enter")
    await expect(page.locator("#state strong")).to_have_text("You have this alert")


async def alt_s(page: Page) -> None:
    """The access key, as a keyboard sends it: Playwright's own presses carry no character while Alt is held."""
    session = await page.context.new_cdp_session(page)
    key = {"modifiers": 1, "key": "s", "code": "KeyS", "windowsVirtualKeyCode": 83, "unmodifiedText": "s", "text": "s"}
    await session.send("Input.dispatchKeyEvent", {"type": "keyDown"} | key)
    await session.send("Input.dispatchKeyEvent", {"type": "keyUp"} | key)
    await session.detach()


async def test_the_one_who_is_suggested_is_sent_by_two_keys(shop: World, browser: Browser) -> None:
    await shop.add_colleague("kim", Role.RESPONDER)
    async with shop.pool.connection() as conn:
        now = await database_now(conn)
        for who in ("kim", "responder"):
            await shifts_store.begin_shift(conn, who, now + timedelta(hours=8), "", None, "supervisor", now)
        await responders_store.set_brings(conn, "kim", Brings(district="AN1"), "supervisor", now)
    numbers = [await shop.alert("hub-1", "smoke")]
    await shop.add_home("hub-2", "Ravi Patel")
    numbers.append(await shop.alert("hub-2", "smoke"))
    page = await log_in(await browser.new_context(), shop, "operator")
    for number in numbers:
        await shop.claim(number)
    await page.goto(f"{shop.base}/console/alerts/{numbers[0]}")
    await alt_s(page)
    await expect(page.locator("input[name=chosen]:focus")).to_have_value("kim")
    await page.keyboard.press("Enter")
    await expect(page.locator("#visits")).to_contain_text("Kim One: asked to go")
    # The next best with the arrow keys: kim is asked for already.
    await page.goto(f"{shop.base}/console/alerts/{numbers[1]}")
    await alt_s(page)
    await expect(page.locator("input[name=chosen]:focus")).to_have_value("responder")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("input[name=chosen]:focus")).to_have_value("kim")
    await page.keyboard.press("Enter")
    await expect(page.locator("#visits")).to_contain_text("Kim One: asked to go")


async def test_a_responder_sees_the_code_on_a_telephone_and_never_on_paper(shop: World, browser: Browser) -> None:
    number = await shop.alert("hub-1", "fall")
    await shop.claim(number)
    async with shop.pool.connection() as conn:
        now = await database_now(conn)
        visit = await actions.dispatch(conn, shop.settings, number, "operator", "responder", "", now)
        await visit_actions.take_step(conn, shop.settings, number, visit, "responder", VisitState.ACCEPTED, {}, now)
    page = await log_in(await browser.new_context(viewport={"width": 320, "height": 800}), shop, "responder")
    await page.click("text=Show code")
    await expect(page.locator("#key-safe-code")).to_contain_text("4711")
    assert await sideways(page) <= 0
    result = await Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert result.violations_count == 0, result.generate_report()
    await page.emulate_media(media="print")
    await expect(page.locator("#key-safe-code")).to_be_hidden()


async def test_each_role_finds_its_own_page(shop: World, browser: Browser) -> None:
    for role in (Role.RESPONDER, Role.COMMISSIONER):
        context = await browser.new_context()
        page = await log_in(context, shop, role.value)
        await expect(page.locator("h1")).to_be_visible()
        await context.close()
