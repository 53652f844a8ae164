"""An incident on the screens and in the API: its homes, and what is found out about them."""

import re

import httpx
import pytest

from tests.dashboard.test_browser import CHROMIUM, needs_chromium
from tests.dashboard.world import World, csrf_of
from tests.helpers import one, rows


@pytest.fixture
async def power_cut(served: World) -> int:
    """Four homes without mains power; Mary's hub is one of them. The number of the incident."""
    for number, name in ((2, "Ravi Patel"), (3, "Ada Birch"), (4, "Joan Hill")):
        await served.add_home(f"hub-{number}", name)
    async with served.pool.connection() as conn:
        await conn.execute("update homes set hazards = 'Oxygen in the hall' where id = %s", (served.homes["hub-3"],))
    for number in (1, 2, 3, 4):
        alert = await served.alert(f"hub-{number}", "mains-lost", device="hub")
    return alert


async def test_the_queue_says_how_many_where_since_when(served: World, power_cut: int) -> None:
    async with served.browser_session("operator") as browser:
        text = (await browser.get("/console")).text
    assert re.search(r"Incident: 4 homes in AN1 without mains power since \d\d:\d\d\. Shared cause: power cut\.", text)
    assert f'href="/console/alerts/{power_cut}"' in text
    assert "1 open alert, 1 waiting" in text


async def test_the_api_has_the_incident_with_its_homes(
    served: World, power_cut: int, client: httpx.AsyncClient
) -> None:
    headers = await served.token("operator")
    (listed,) = (await client.get("/api/alerts", headers=headers)).json()["alerts"]
    assert (listed["id"], listed["home"], listed["person"], listed["address"]) == (power_cut, None, None, "AN1")
    numbers = {name: listed["incident"][name] for name in ("homes_count", "without_mains", "back", "unchecked")}
    assert numbers == {"homes_count": 4, "without_mains": 4, "back": 0, "unchecked": 4}
    assert "homes" not in listed["incident"]
    whole = (await client.get(f"/api/alerts/{power_cut}", headers=headers)).json()
    first = whole["incident"]["homes"][0]
    assert (first["home"], first["why"][:2]) == (str(served.homes["hub-3"]), ["oxygen", "lives alone"])
    assert first["people"] == [
        {"id": str(served.people["hub-3"]), "name": "Ada Birch", "mobile": "07700 900123"}
    ]  # fmt: skip
    schema = (await client.get("/api/openapi.json")).json()["components"]["schemas"]
    assert set(schema["Incident"]["required"]) == set(whole["incident"])
    assert set(schema["IncidentHome"]["required"]) == set(first)


async def test_the_page_lists_the_homes_with_reasons_and_numbers(served: World, power_cut: int) -> None:
    async with served.browser_session("operator") as browser:
        text = (await browser.get(f"/console/alerts/{power_cut}")).text
    assert '<h1>Incident <span class="alert-who">AN1</span></h1>' in text
    order = [text.index(f"<strong>{number} Mill Lane, Anytown</strong>") for number in (3, 1)]
    assert order == sorted(order)
    assert "oxygen; lives alone; frame" in text
    assert 'href="tel:01632960101"' in text
    assert 'href="tel:07700900123"' in text
    assert "<strong>4 neither back nor checked.</strong>" in text


async def test_a_home_is_ticked_with_a_word_and_the_log_says_so(served: World, power_cut: int) -> None:
    home, step = str(served.homes["hub-3"]), f"/console/alerts/{power_cut}/check-homes"
    async with served.browser_session("supervisor") as browser:
        token = await csrf_of(browser, "/console")
        sent = {"csrf_token": token, "homes[]": [home], "result": "no-answer", "words": "rang twice"}
        assert (await browser.post(step, data=sent)).headers[
            "location"
        ] == f"/console/alerts/{power_cut}?done=check-homes"
        page = (await browser.get(f"/console/alerts/{power_cut}")).text
        assert "No answer</span> Supervisor One" in page
        assert "<strong>4 neither back nor checked.</strong>" in page  # who does not answer is not checked
        await browser.post(step, data=sent | {"result": "safe", "words": "neighbour was there"})
        page = (await browser.get(f"/console/alerts/{power_cut}")).text
        assert "<strong>3 neither back nor checked.</strong>" in page
        assert page.index("1 Mill Lane, Anytown</strong>") < page.index("3 Mill Lane, Anytown</strong>")
    log = await rows(
        served.pool, "select who, what, detail ->> 'text' from alert_log where who = 'supervisor' order by id"
    )
    assert log == [
        ("supervisor", "note", "No answer (3 Mill Lane, Anytown): rang twice"),
        ("supervisor", "note", "Safe: somebody spoke with them (3 Mill Lane, Anytown): neighbour was there"),
    ]


async def test_a_form_that_lacks_something_comes_back(served: World, power_cut: int) -> None:
    step = f"/console/alerts/{power_cut}/check-homes"
    async with served.browser_session("operator") as browser:
        token = {"csrf_token": await csrf_of(browser, "/console")}
        answer = await browser.post(step, data=token | {"result": "safe"})
        assert answer.status_code == 422
        assert "Tick at least one home" in answer.text
        home = {"homes[]": [str(served.homes["hub-3"])], "words": "said hello"}
        answer = await browser.post(step, data=token | home)
        assert answer.status_code == 422
        assert 'value="said hello"' in answer.text
        assert re.search(rf'value="{served.homes["hub-3"]}" checked', answer.text)
        answer = await browser.post(step, data=token | {"result": "safe", "all_left": "yes"})
        assert (answer.status_code, "Say how you know, for all of them" in answer.text) == (422, True)
        answer = await browser.post(step, data=token | {"result": "no-answer", "all_left": "yes", "words": "x"})
        assert (answer.status_code, "Nobody has rung all of them" in answer.text) == (422, True)
    assert await one(served.pool, "select count(*) from incident_checks") == 0


async def test_it_is_closed_when_every_home_is_back_or_checked(
    served: World, power_cut: int, client: httpx.AsyncClient
) -> None:
    headers = await served.token("operator")
    closing = {
        "cause": "power-or-line", "outcomes": ["information"], "confirmed_by": "system", "how": "the network says so",
    }  # fmt: skip
    await client.post(f"/api/alerts/{power_cut}/claim", headers=headers, json={})
    refused = await client.post(f"/api/alerts/{power_cut}/close", headers=headers, json=closing)
    assert (refused.status_code, refused.json()["problems"]) == (422, ["homes: 4 homes are neither back nor checked"])
    async with served.browser_session("operator") as browser:
        token = {"csrf_token": await csrf_of(browser, "/console")}
        form = token | closing | {"outcomes[]": ["information"], "seen_alarms": "4"}
        page = await browser.post(f"/console/alerts/{power_cut}/close", data=form)
    assert page.text.count("4 homes are neither back nor checked") == 2  # at the top, and where it is
    checks = f"/api/alerts/{power_cut}/check-homes"
    some = [str(served.homes["hub-1"])]
    assert (await client.post(checks, headers=headers, json={"result": "safe", "homes": some})).status_code == 200
    rest = {"result": "sent", "all_left": True, "words": "wardens go round"}
    assert (await client.post(checks, headers=headers, json=rest)).json()["incident"]["unchecked"] == 0
    answer = await client.post(f"/api/alerts/{power_cut}/close", headers=headers, json=closing)
    assert (answer.status_code, answer.json()["state"]) == (200, "closed")
    assert (await client.post(checks, headers=headers, json=rest)).status_code == 409
    async with served.browser_session("operator") as browser:
        page = await browser.get(f"/console/alerts/{power_cut}")
    assert (page.status_code, "Power or line" in page.text, "Write down" in page.text) == (200, True, False)


async def test_only_homes_of_this_incident_can_be_ticked(
    served: World, power_cut: int, client: httpx.AsyncClient
) -> None:
    await served.add_home("hub-9", "Else Where", council="Otherham Council")
    headers, press = await served.token("operator"), await served.alert("hub-1")
    other = {"result": "safe", "homes": [str(served.homes["hub-1"]), str(served.homes["hub-9"])]}
    assert (await client.post(f"/api/alerts/{power_cut}/check-homes", headers=headers, json=other)).status_code == 404
    assert await one(served.pool, "select count(*) from incident_checks") == 0  # nor is the other one
    answer = await client.post(f"/api/alerts/{press}/check-homes", headers=headers, json=other)
    assert (answer.status_code, answer.json()["detail"]) == (409, "this alert is no incident")
    for wrong in ({"homes": ["x"], "result": "safe"}, {"homes": [], "result": "maybe"}, {"result": "safe", "words": 3}):
        answer = await client.post(f"/api/alerts/{power_cut}/check-homes", headers=headers, json=wrong)
        assert answer.status_code == 422


async def test_what_is_asked_of_one_home_is_refused_plainly(
    served: World, power_cut: int, client: httpx.AsyncClient
) -> None:
    headers = await served.token("operator")
    await client.post(f"/api/alerts/{power_cut}/claim", headers=headers, json={})
    call = await client.post(f"/api/alerts/{power_cut}/calls", headers=headers, json={"line": "landline"})
    assert call.status_code == 422
    assert (await client.post(f"/api/alerts/{power_cut}/notify", headers=headers, json={})).json()["told"] is False
    visit = {"what": "visit", "detail": {"text": "looked in", "arrived_at": "00:00"}}
    assert (await client.post(f"/api/alerts/{power_cut}/log", headers=headers, json=visit)).status_code in (200, 422)
    async with served.browser_session("operator") as browser:
        token = {"csrf_token": await csrf_of(browser, "/console")}
        assert (await browser.post(f"/console/alerts/{power_cut}/key-safe", data=token)).status_code == 404
    sent = {"responder": "Wardens", "note": "Start with oxygen"}
    assert (await client.post(f"/api/alerts/{power_cut}/dispatch", headers=headers, json=sent)).status_code == 200
    async with served.browser_session("responder") as browser:
        text = (await browser.get("/responder")).text
    assert "Several homes" in text
    assert "Wardens: Start with oxygen" in text


async def test_many_homes_are_shown_page_by_page(served: World, power_cut: int) -> None:
    async with served.pool.connection() as conn:
        await conn.execute(
            """with h as (insert into homes (id, council_id, address, postcode)
                          select gen_random_uuid(), (select id from councils limit 1), n || ' Long Road', 'AN1 1AA'
                            from generate_series(1, 150) n returning id)
               insert into incident_homes (alert_id, home_id, troubles, had, since, changed_at)
               select %s, id, '{silent}', '{silent}', now(), now() from h""",
            (power_cut,),
        )
    async with served.browser_session("operator") as browser:
        text = (await browser.get(f"/console/alerts/{power_cut}")).text
        assert "Homes 1 to 100 of 154" in text
        assert text.count('type="checkbox" name="homes[]"') == 100
        more = re.search(r'href="([^"]*)#homes">More homes', text)
        assert more is not None
        text = (await browser.get(more[1])).text
        assert "Homes 101 to 154 of 154" in text
        assert "Earlier homes" in text
        for wrong in ("-1", "x", "99999999999", "²", "500"):
            assert (await browser.get(f"/console/alerts/{power_cut}?from={wrong}")).status_code == 200


@needs_chromium
async def test_homes_are_ticked_without_a_script(served: World, power_cut: int) -> None:
    from playwright.async_api import async_playwright, expect

    from tests.dashboard.test_browser import ARGUMENTS, log_in

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = await browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 800})
        page = await log_in(context, served, "operator")
        await page.goto(f"{served.base}/console/alerts/{power_cut}")
        await page.get_by_label("3 Mill Lane, Anytown").check()
        await page.get_by_label("Somebody is going").check()
        await page.get_by_label("In a word (optional)").fill("son has a key")
        await page.click("#form-check-homes button")
        await expect(page.locator(".done")).to_have_text("Written down.")
        await expect(page.locator("#log")).to_contain_text("Somebody is going (3 Mill Lane, Anytown): son has a key")
        await browser.close()
