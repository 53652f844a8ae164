"""The pages of looking back, over HTTP."""

from datetime import date
from uuid import UUID

import httpx

from alerts import quality_store
from alerts.quality import Candidate, Criterion
from telecare.db import database_now
from telecare.vocabulary import Role
from tests.dashboard.world import NASTY, World, csrf_of
from tests.helpers import one

OCTOBER = date(2026, 10, 1)
ALL_YES = {criterion.value: "yes" for criterion in Criterion}


async def drawn(world: World, number: int, by: str = "operator", month: date = OCTOBER) -> UUID:
    """A closed alert that was drawn to be looked back at."""
    async with world.pool.connection() as conn:
        candidates = [Candidate(number, "A Council of a Rather Long Name, Gold")]
        (sample,) = await quality_store.draw_month(conn, by, month, candidates, 1, await database_now(conn))
    return sample


async def sampled(world: World, hub: str = "hub-1", by: str = "operator", month: date = OCTOBER) -> UUID:
    """A sample of an alert that somebody has just closed."""
    number = await world.alert(hub)
    await world.claim(number, by)
    await world.close(number, by)
    return await drawn(world, number, by, month)


async def test_before_anything_was_drawn(served: World) -> None:
    async with served.browser_session("supervisor") as browser:
        page = (await browser.get("/quality")).text
    assert "No month has been drawn yet" in page
    assert "To review: 0" in page


async def test_a_sample_is_reviewed_once_by_somebody_else(served: World) -> None:
    sample = await sampled(served)
    address = f"/quality/{sample}"
    async with served.browser_session("supervisor") as browser:
        page = (await browser.get("/quality")).text
        assert address in page
        assert "Operator One" in page
        assert "1 to do" in page
        assert "She told me" in (await browser.get(address)).text  # what happened is beside the form
        sent = {"csrf_token": await csrf_of(browser, address)} | ALL_YES
        missing = await browser.post(address, data=sent | {"facts-only": "", "note": f"Kind {NASTY}"})
        assert missing.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert 'href="#quality-facts-only"' in missing.text
        assert "Choose an answer for: The record holds facts only" in missing.text
        assert "Kind &lt;script&gt;" in missing.text  # nothing that was entered is lost
        assert missing.text.count(" checked") == len(Criterion) - 1
        kept = await browser.post(address, data=sent | {"facts-only": "no", "note": f"Kind {NASTY}"})
        assert kept.headers["location"] == "/quality?done"
        page = (await browser.get("/quality?done")).text
        assert "Your review is kept." in page
        assert "5 of 6 (83%)" in page
        assert "October 2026" in page
        review = (await browser.get(address)).text
        assert "By Supervisor One" in review
        assert NASTY not in review
        assert '<form method="post" action="/quality' not in review
        again = await browser.post(address, data=sent | {"note": "Again"})
        assert again.status_code == httpx.codes.CONFLICT
        assert "reviewed already" in again.text
    assert await one(served.pool, "select score from reviews") == 83


async def test_who_handled_it_reads_and_does_not_review(served: World) -> None:
    sample = await sampled(served, by="supervisor")
    address = f"/quality/{sample}"
    async with served.browser_session("supervisor") as browser:
        assert "somebody else must" in (await browser.get("/quality")).text
        assert "You handled this alert" in (await browser.get(address)).text
        sent = ALL_YES | {"csrf_token": await csrf_of(browser, "/quality"), "note": "All well"}
        assert (await browser.post(address, data=sent)).status_code == httpx.codes.CONFLICT
    await served.add_colleague("ann", Role.SUPERVISOR)
    async with served.browser_session("ann") as browser:
        sent["csrf_token"] = await csrf_of(browser, address)
        assert (await browser.post(address, data=sent)).status_code == httpx.codes.SEE_OTHER


async def test_months_are_chosen_and_what_is_no_sample_is_not_found(served: World) -> None:
    await sampled(served)
    await sampled(served, by="supervisor", month=date(2026, 9, 1))
    async with served.browser_session("supervisor") as browser:
        newest = (await browser.get("/quality?month=1999-99")).text
        assert "<h2>October 2026</h2>" in newest
        older = (await browser.get("/quality?month=2026-09")).text
        assert "<h2>September 2026</h2>" in older
        assert '<a href="/quality?month=2026-09" aria-current="true">' in older
        for address in ("/quality/1", f"/quality/{UUID(int=1)}"):
            assert (await browser.get(address)).status_code == httpx.codes.NOT_FOUND
            sent = ALL_YES | {"csrf_token": await csrf_of(browser, "/quality"), "note": "x"}
            assert (await browser.post(address, data=sent)).status_code == httpx.codes.NOT_FOUND
