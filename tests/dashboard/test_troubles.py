"""What the watchdog shouts about, on pages, in the stream, in /health and /metrics."""

import html
import re
import shutil
from collections.abc import AsyncIterator

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from dashboard.troubles import AWAY, Shouts
from telecare.db import Pool
from telecare.ids import uuid7
from telecare.register import own
from tests.dashboard.conftest import Away
from tests.dashboard.test_browser import RULES, log_in, needs_chromium, sideways
from tests.dashboard.test_browser import browser as browser
from tests.dashboard.test_stream import events
from tests.dashboard.world import World, listening
from tests.helpers import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LOST = "A test press did not arrive in 20 s: it is stored and becomes no alert (the alert engine)."
GAP = "The auditor finds broken: hub h-3: alarm 17 never came."


@pytest.fixture
async def shop(world: World) -> AsyncIterator[World]:
    """The service with an engineer's number, and beats quick enough for a test."""
    world.settings = world.settings.model_copy(update={"beat_s": 0.5, "oncall_phone": "01632 960999", "demo": True})
    async with listening(world.settings) as base:
        world.base = base
        yield world


async def begin(world: World, words: str = LOST, key: str = "press:lost", *, grave: bool = True) -> None:
    async with world.pool.connection() as conn:
        await conn.execute(
            """insert into troubles (key, words, advice, grave, begun_at)
               values (%s, %s, 'Ring the engineer on call now', %s, clock_timestamp())""",
            (key, words, grave),
        )


async def end(world: World) -> None:
    async with world.pool.connection() as conn:
        await conn.execute("update troubles set ended_at = clock_timestamp() where ended_at is null")


async def pressed(world: World, missing: str = "", age_s: float = 40) -> None:
    async with world.pool.connection() as conn:
        await conn.execute(
            """insert into watchdog_presses (id, pressed_at, receipt_s, alert_s, shown_s, missing)
               values (%s, clock_timestamp() - make_interval(secs => %s), 0.01, 0.05, 0.08, %s)""",
            (uuid7(), age_s, missing),
        )


# ---------------------------------------------------------------- health and figures


async def test_health_says_what_is_grave_and_only_that(served: World, client: httpx.AsyncClient) -> None:
    await served.all_services_live()
    await begin(served, GAP, "audit:I7-past", grave=False)
    assert (await client.get("/health")).status_code == 200
    await begin(served)
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["problems"]) == (503, [LOST])
    await end(served)
    assert (await client.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("update service_heartbeats set at = now() - interval '19 s' where service = 'watchdog'", None),
        (
            "update service_heartbeats set at = now() - interval '21 s' where service = 'watchdog'",
            "has been silent for 21",
        ),
        ("update service_heartbeats set well_since = now() - interval '70 s' where service = 'watchdog'", None),
        (
            "update service_heartbeats set well_since = now() - interval '9 h' where service = 'watchdog'",
            "no test pendant",
        ),
    ],
)
async def test_a_watchdog_that_is_silent_or_does_not_press_is_a_reason_of_its_own(
    world: World, change: str, words: str | None
) -> None:
    settings = world.settings.model_copy(update={"watchdog_within_s": 20.0})
    async with listening(settings) as base, httpx.AsyncClient(base_url=base) as client:
        await world.all_services_live()
        async with world.pool.connection() as conn:
            await conn.execute(change.encode())
        answer = await client.get("/health")
        assert answer.status_code == (503 if words else 200), answer.text
        assert words is None or words in answer.json()["problems"][0]
        # A press whose end is known makes up for a long run; an old one does not.
        await pressed(world, age_s=999)
        assert (await client.get("/health")).status_code == (503 if words else 200)
        await pressed(world)
        assert (await client.get("/health")).status_code == (503 if words and "silent" in words else 200)


async def test_health_says_how_far_the_screens_feed_has_come(served: World, client: httpx.AsyncClient) -> None:
    before = (await client.get("/health")).json()["changes"]
    await served.alert("hub-1")

    async def is_read() -> bool:
        return bool((await client.get("/health")).json()["changes"] == before + 1)

    await until(is_read)


async def test_figures_of_the_watchdog(served: World, client: httpx.AsyncClient) -> None:
    assert "telecare_watchdog_press_seconds NaN" in (await client.get("/metrics")).text
    await pressed(served)
    await begin(served)
    await begin(served, GAP, "audit:I7-past", grave=False)
    text = (await client.get("/metrics")).text
    assert "telecare_watchdog_press_seconds 0.08" in text
    age = float(re.findall(r"^telecare_watchdog_press_age_seconds (\S+)", text, re.MULTILINE)[0])
    assert 40 <= age < 100
    assert 'telecare_troubles_open{grave="true"} 1.0' in text
    assert 'telecare_troubles_open{grave="false"} 1.0' in text
    assert "telecare_audit_broken 1.0" in text


# ---------------------------------------------------------------- pages and stream


async def test_the_banner_is_on_every_page_of_those_who_can_do_something(shop: World) -> None:
    await begin(shop)
    number = await shop.alert("hub-1")
    home, person = shop.homes["hub-1"], shop.people["hub-1"]
    async with shop.browser_session("operator") as client:

        async def is_shown() -> bool:
            return LOST in (await client.get("/console")).text

        await until(is_shown)
        for path in (f"/console/alerts/{number}", "/homes", f"/homes/{home}", f"/people/{person}", "/messages"):
            text = (await client.get(path)).text
            assert LOST in text, path
            assert "Engineer on call: 01632 960999" in text
    async with shop.browser_session("admin") as client:
        assert LOST in (await client.get("/admin")).text
    for username, path in (("carer", "/carer"), ("commissioner", "/commissioning"), ("responder", "/responder")):
        async with shop.browser_session(username) as client:
            assert LOST not in (await client.get(path)).text
    async with httpx.AsyncClient(base_url=shop.base) as client:
        assert LOST not in (await client.get("/login")).text


async def test_a_beat_carries_the_troubles(shop: World) -> None:
    async with events(shop, await shop.token("operator")) as heard:
        assert (await heard.next("beat")).data == {"troubles": []}
        await begin(shop)
        for _ in range(20):
            beat = await heard.next("beat")
            if beat.data["troubles"]:
                break
        (trouble,) = beat.data["troubles"]
        assert (trouble["words"], trouble["grave"]) == (LOST, True)
        assert trouble["since"].endswith("Z")


async def test_a_watchdog_that_never_spoke_is_shouted_about_once_it_has_had_its_time(pool: Pool, world: World) -> None:
    patient = Shouts(pool, world.settings)
    await patient.step()
    assert patient.now == ()
    shouts = Shouts(pool, world.settings.model_copy(update={"watchdog_within_s": 0.000001}))
    await shouts.step()
    (only,) = shouts.now
    assert only.grave
    assert only.words == "The watchdog has never said that it lives: nobody checks that alarms arrive."
    await world.all_services_live()
    await shouts.step()
    assert shouts.now == ()


async def test_a_database_that_is_away_is_shouted_about(pool: Pool, world: World, away: Away) -> None:
    shouts = Shouts(pool, world.settings)
    async with away():
        await shouts.step()
        assert [one.words for one in shouts.now] == [AWAY]
    await until(lambda: _is_quiet(shouts), 20)


async def _is_quiet(shouts: Shouts) -> bool:
    await shouts.step()
    return shouts.now == ()


async def test_the_demo_shows_what_the_engineer_was_told(shop: World) -> None:
    async with shop.pool.connection() as conn:
        await conn.execute(
            """insert into oncall_messages (id, about, body, made_at, attempts, taken_at, failure)
               values (%s, 'trouble', 'Anytown Telecare: alarms may not reach people.', now(), 1, now(), ''),
                      (%s, 'clear', 'Anytown Telecare: all clear.', now(), 3, null, 'it answers 503')""",
            (uuid7(), uuid7()),
        )
    async with shop.browser_session("operator") as client:
        text = (await client.get("/messages")).text
    for words in ("To the engineer on call", "alarms may not reach people.", "nobody has taken it, 3 tries", "503"):
        assert words in text


async def test_an_administrator_sees_the_last_press(shop: World) -> None:
    async with shop.browser_session("admin") as client:
        assert "none yet" in (await client.get("/admin")).text
        await pressed(shop)
        assert "ago, arrived in 80 ms" in (await client.get("/admin")).text
        await pressed(shop, "it is stored and becomes no alert", age_s=5)
        assert "did not arrive: it is stored and becomes no alert" in (await client.get("/admin")).text


async def test_the_test_home_has_its_pages_and_is_counted_nowhere(shop: World) -> None:
    async with shop.pool.connection() as conn:
        await own.make_sure(conn)
    number = await shop.alert(own.HUB, "test", device="test-pendant")
    async with shop.browser_session("supervisor") as client:
        for path in (f"/console/alerts/{number}", f"/homes/{own.HOME}", f"/homes/{own.HOME}/timeline", "/homes"):
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert own.ADDRESS in html.unescape(answer.text), path
        assert "1 homes; 1 of 1 hubs online" in (await client.get("/homes")).text
        assert (await client.get("/commissioning")).text.count("Anytown Council") > 0
    token = await shop.token("operator")
    async with httpx.AsyncClient(base_url=shop.base, headers=token) as program:
        assert (await program.get(f"/api/homes/{own.HOME}/timeline")).status_code == 200
        assert (await program.get("/api/alerts?state=open")).json()["alerts"] == []
        assert (await program.get("/api/alerts?state=all")).json()["alerts"][0]["kind"] == "test"


# ---------------------------------------------------------------- in a browser


@needs_chromium
async def test_the_banner_comes_and_goes_by_itself_and_is_heard(shop: World, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    page = await log_in(context, shop, "operator")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await expect(page.locator("#trouble")).to_be_hidden()
    await page.click("text=Start shift")
    await page.click("#heard-yes")
    await page.click("#silence")
    await expect(page.locator("#sound-words")).to_contain_text("Silent for")
    await begin(shop)
    banner = page.locator("#trouble")
    await expect(banner).to_be_visible(timeout=10_000)
    await expect(banner.locator("h2")).to_have_text("Alarms may not reach you")
    await expect(banner).to_contain_text(f"{LOST} Ring the engineer on call now.")
    await expect(banner).to_contain_text("Engineer on call: 01632 960999")
    await expect(page.locator("#urgent")).to_contain_text("Alarms may not reach you")
    await expect(page.locator("#sound-words")).to_have_text("Sound on")  # never muted
    for width in (320, 1280):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await sideways(page) <= 0
        result = await Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
        assert result.violations_count == 0, result.generate_report()
    await end(shop)
    await expect(banner).to_be_hidden(timeout=10_000)
    await begin(shop, GAP, "audit:I7-past", grave=False)
    await expect(banner.locator("h2")).to_have_text("The service has noticed something", timeout=10_000)
    await expect(banner).to_contain_text(GAP)
    result = await Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert result.violations_count == 0, result.generate_report()


@needs_chromium
async def test_while_the_database_is_away_the_console_says_what_the_service_says(
    shop: World, browser: Browser, away: Away
) -> None:
    page = await log_in(await browser.new_context(), shop, "operator")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    async with away():
        await expect(page.locator("#trouble")).to_be_visible(timeout=60_000)
        await expect(page.locator("#trouble")).to_contain_text(re.compile("database cannot be reached"))
    await expect(page.locator("#trouble")).to_be_hidden(timeout=60_000)
