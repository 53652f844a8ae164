"""Equipment that is put aside, and a flood, as the queue shows them."""

import httpx

from tests.dashboard.world import World, csrf_of


async def test_equipment_is_put_aside_on_its_page_and_waits_apart(served: World) -> None:
    number = await served.alert("hub-1", "battery-low")
    path = f"/console/alerts/{number}"
    async with served.browser_session("operator") as browser:
        form = {"csrf_token": await csrf_of(browser, path), "hours": "13", "shelve_why": ""}
        refused = await browser.post(f"{path}/shelve", data=form)
        assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert "From 1 to 12" in refused.text or "from 1 to 12" in refused.text
        assert "Say why this may wait" in refused.text
        form |= {"hours": "2", "shelve_why": "battery comes tomorrow"}
        answer = await browser.post(f"{path}/shelve", data=form)
        assert answer.headers["location"] == f"{path}?done=shelve"
        queue = (await browser.get("/console/queue")).text
        assert "1 open alert, 0 waiting" in queue
        assert 'id="folded-shelved"' in queue
        assert "battery comes tomorrow" in queue
        page = (await browser.get(path)).text
        assert "Back into the queue" in page
        await browser.post(f"{path}/unshelve", data=form)
        assert 'id="folded-shelved"' not in (await browser.get("/console/queue")).text


async def test_a_persons_alert_has_no_such_form_and_refuses_it(served: World) -> None:
    number = await served.alert("hub-1")
    headers = await served.token("operator")
    async with httpx.AsyncClient(base_url=served.base, headers=headers) as program:
        answer = await program.post(f"/api/alerts/{number}/shelve", json={"hours": 1, "shelve_why": "later"})
        assert answer.status_code == httpx.codes.CONFLICT
        assert "needs a person" in answer.text
    async with served.browser_session("operator") as browser:
        assert "Put aside" not in (await browser.get(f"/console/alerts/{number}")).text


async def test_in_a_flood_equipment_is_shown_together_and_people_stay_single(served: World) -> None:
    await served.alert("hub-1", "battery-low")
    async with served.browser_session("operator") as browser:
        assert 'id="flood"' not in (await browser.get("/console")).text
        for number in range(2, 13):
            await served.add_home(f"hub-{number}", f"Person {number}")
            await served.alert(f"hub-{number}")
        page = (await browser.get("/console")).text
        assert "Flood: 11 emergency and urgent alarms in ten minutes, with nobody" in page
        assert 'id="folded-technical"' in page
        for number in range(2, 13):
            assert f"Person {number}<" in page.split('id="folded-technical"')[0]
