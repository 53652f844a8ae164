"""Outcomes in a real browser: entering, importing, reading; and every page for everybody."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, async_playwright, expect

from tests.dashboard.outcomes.files import PEOPLE, WRONG_LINES, big_file
from tests.dashboard.outcomes.test_reports import fill
from tests.dashboard.outcomes.town import Town
from tests.dashboard.test_browser import ARGUMENTS, CHROMIUM, RULES, keep, log_in, needs_chromium, sideways
from tests.helpers import one, rows

pytestmark = needs_chromium


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        await launched.close()


async def cohort(town: Town, today: date) -> None:
    """Forty people of Anytown after hospital: 30 at home on day 91, 4 dead, 6 whom nobody has asked."""
    await town.add_people("anytown", 40)
    start = today.replace(day=1) - timedelta(days=150)
    for number, person in enumerate(await town.people("anytown")):
        fields = {"reason": "hospital-discharge", "started_on": start.isoformat(), "goal_1": "Garden"}
        if number < 34:
            fields |= {"day91": "home" if number < 30 else "died", "day91_asked_by": "RK",
                       "day91_asked_on": (start + timedelta(days=91)).isoformat()}  # fmt: skip
        await town.add_episode(person, "anytown", today, **fields)
    await rows(town.world.pool, "update people set born = '1940-01-01' where born is null returning 1")


async def today_of(town: Town) -> date:
    found: date = await one(town.world.pool, "select (now() at time zone 'Europe/London')::date")
    return found


@pytest.mark.parametrize("script", [True, False])
async def test_an_episode_is_entered_and_its_mistakes_are_said(town: Town, browser: Browser, script: bool) -> None:
    context = await browser.new_context(java_script_enabled=script)
    page = await log_in(context, town.world, "anytown")
    await page.click("text=Episodes")
    await page.get_by_role("button", name="Enter an episode").click()
    await page.fill("#q", "at-0000")
    await page.click("button:has-text('Search')")
    await page.click("text=Mary Ashworth")
    await page.select_option("#episode-reason", "hospital-discharge")
    await page.fill("#episode-started_on", "02/03/2026")
    await page.fill("#episode-goal_1", "Walk to the shop and carry my own bag")
    await page.fill("#episode-ended_on", "01/03/2026")
    await page.select_option("#episode-end_reason", "completed")
    await page.select_option("#episode-sequel", "none")
    await page.click("button:has-text('Save the episode')")
    summary = page.locator(".govuk-error-summary")
    await expect(summary).to_contain_text("The end, 1 March 2026, is before the start, 2 March 2026")
    await summary.locator("a").first.click()
    assert await page.evaluate("location.hash") == "#episode-ended_on" or script
    assert await page.input_value("#episode-goal_1") == "Walk to the shop and carry my own bag"
    await page.fill("#episode-ended_on", "10/04/2026")
    await page.fill("#episode-barthel_start", "11")
    await page.click("button:has-text('Save the episode')")
    await expect(page.locator(".done")).to_have_text("Saved.")
    await page.click("text=All episodes of Mary Ashworth")
    await expect(page.locator("table")).to_contain_text("No support needed")
    await expect(page.locator("table")).to_contain_text("not asked yet")
    await context.close()


async def test_a_file_is_looked_at_imported_and_its_wrong_lines_taken_home(
    town: Town, browser: Browser, tmp_path: Path
) -> None:
    await town.add_people("anytown", PEOPLE)
    file = tmp_path / "Reablement 2021-2025.csv"
    file.write_bytes(big_file())
    page = await log_in(await browser.new_context(), town.world, "commissioner")
    await page.goto(f"{town.world.base}/episodes/import")
    await page.click("button:has-text('Look at the file')")
    await expect(page.locator(".govuk-error-summary")).to_contain_text("Choose a file")
    await page.select_option("#council", label="Anytown Council")
    await page.set_input_files("#file", file)
    await page.click("button:has-text('Look at the file')")
    await expect(page.locator("h1")).to_have_text("Before you import: Reablement 2021-2025.csv")
    await expect(page.locator(".tally")).to_contain_text("4,963 good")
    await expect(page.locator("tbody tr")).to_have_count(WRONG_LINES)
    async with page.expect_download() as waiting:
        await page.click("text=The 37 lines as CSV")
    saved = tmp_path / "wrong.csv"
    await (await waiting.value).save_as(saved)
    text = saved.read_bytes().decode("utf-8-sig").splitlines()
    assert len(text) == WRONG_LINES + 1
    assert text[0].endswith("what_is_wrong")
    assert "there is no such day" in "".join(text)
    await page.click("button:has-text('Import the 4,963 good lines')")
    await expect(page.locator(".done")).to_contain_text("4,963 lines became episodes of Anytown Council")
    assert await one(town.world.pool, "select count(*) from episodes") == 4963


async def test_the_day_91_figure_is_read_with_its_bounds_and_its_rule(town: Town, browser: Browser) -> None:
    await cohort(town, await today_of(town))
    page = await log_in(await browser.new_context(), town.world, "anytown")
    section = page.locator("#day-91")
    await expect(section.locator("h2")).to_have_text("Still at home on day 91: 75% at least")
    lower = section.locator("tr", has_text="lower bound, the published rule")
    await expect(lower.locator("td")).to_have_text("75.0%")
    for hidden in ("upper bound", "Not known", "Had died"):
        await expect(section.locator("tr", has_text=hidden).first.locator("td")).to_have_text("[c]")
    await section.locator("summary").click()
    await expect(section).to_contain_text("whoever could not be reached, or was not asked, counts as not at home")
    await expect(section).to_contain_text("2B(1)")
    await page.click("text=Who is still to be asked")
    await expect(page.locator("tbody tr")).to_have_count(6)


async def test_progress_is_shown_and_goes_on_by_itself(town: Town, browser: Browser) -> None:
    async def load(done: int, finished: bool) -> None:
        await rows(
            town.world.pool,
            """insert into history_loads (name, until, done, total, started_at)
               values ('x', '2026-01-01', %s, 500, now())
               on conflict (name) do update set done = excluded.done, finished_at = case when %s then now() end
               returning 1""",
            done, finished,
        )  # fmt: skip

    await load(100, False)
    context = await browser.new_context()
    page = await log_in(context, town.world, "commissioner")
    await expect(page.locator("#load-words")).to_have_text("100 of 500")
    await load(400, False)
    await expect(page.locator("#load-words")).to_have_text("400 of 500")
    assert await page.locator("#load-progress").evaluate("bar => [bar.value, bar.max]") == [400, 500]
    await load(500, True)
    await expect(page.locator(".loading")).to_have_count(0)
    await load(100, False)
    plain = await browser.new_context(java_script_enabled=False)
    without = await log_in(plain, town.world, "commissioner")
    await expect(without.locator("#load-words")).to_have_text("100 of 500")


async def test_an_arrival_is_written_down_on_the_console(town: Town, browser: Browser) -> None:
    number = await town.world.alert("hub-1", "fall")
    await town.world.claim(number)
    page = await log_in(await browser.new_context(), town.world, "operator")
    await page.goto(f"{town.world.base}/console/alerts/{number}")
    await page.select_option("#note-what", "visit")
    await page.fill("#note-text", "Car 2 is with her")
    await page.fill("#note-arrived_at", "noon")
    await page.click("#form-note button")
    await expect(page.locator("#note-arrived_at-error")).to_contain_text("like 14:35")
    now = await one(town.world.pool, "select to_char(now() at time zone 'Europe/London', 'HH24:MI')")
    await page.fill("#note-arrived_at", now)
    await page.click("#form-note button")
    await expect(page.locator("#log")).to_contain_text(f"Arrived {now}. Car 2 is with her")


async def test_every_page_of_outcomes_is_for_everybody(town: Town, browser: Browser) -> None:
    today = await today_of(town)
    await fill(town)
    await cohort(town, today)
    long_name = "Otherham and the Rather Long Name-Featherstonehaugh Council"
    await rows(town.world.pool, "update councils set name = %s where name = 'Otherham Council' returning 1", long_name)
    episode = await one(town.world.pool, "select id from episodes limit 1")
    context = await browser.new_context()
    page = await log_in(context, town.world, "commissioner")
    await page.goto(f"{town.world.base}/episodes/import")
    await page.select_option("#council", label="Anytown Council")
    lines = "person,reason,started_on\r\nAT-0000,fall,1/1/2020\r\nnobody,fall," + "x" * 90
    await page.set_input_files("#file", {"name": "f" * 80 + ".csv", "mimeType": "text/csv", "buffer": lines.encode()})
    await page.click("button:has-text('Look at the file')")
    upload = page.url.removeprefix(town.world.base)
    pages = {
        "commissioner": ["/commissioning", f"/commissioning?council={town.councils['anytown']}", "/episodes",
                         "/episodes?q=nobody", "/episodes/new", "/episodes/new?q=a",
                         f"/episodes/new?person={town.mary}", f"/episodes/{episode}", "/episodes/import", upload],
        "operator": [f"/episodes/people/{town.mary}"],
    }  # fmt: skip
    violations: dict[str, Any] = {}
    for role, paths in pages.items():
        page = await log_in(await browser.new_context(), town.world, role)
        for number, path in enumerate(paths):
            for width in (320, 1280):
                await page.set_viewport_size({"width": width, "height": 900})
                await page.goto(town.world.base + path)
                assert await sideways(page) <= 0, f"{path} scrolls sideways at {width} px"
                await keep(page, f"outcomes-{role}-{number}-{width}")
                result = await Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
                if result.violations_count:
                    violations[f"{path} {width}"] = [
                        (found["id"], [node["html"][:200] for node in found["nodes"]])
                        for found in result.response["violations"]
                    ]
    assert violations == {}
