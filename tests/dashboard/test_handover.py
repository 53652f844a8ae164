"""The handover's pages: written by who goes, checked and signed by who comes."""

import re

import httpx

from tests.dashboard.world import NASTY, World, csrf_of


async def test_a_shift_is_handed_over_on_two_screens(served: World) -> None:
    number = await served.alert("hub-1")
    async with served.browser_session("operator") as goes, served.browser_session("supervisor") as comes:
        sent = {"csrf_token": await csrf_of(goes, "/handover"), "words": ""}
        assert (await goes.post("/handover", data=sent)).status_code == httpx.codes.UNPROCESSABLE_ENTITY
        answer = await goes.post("/handover", data=sent | {"words": f"Ring at six {NASTY}"})
        address = answer.headers["location"]
        own = (await goes.get(address)).text
        assert "Waiting for the one who comes" in own
        assert NASTY not in own
        assert "Operator One hands over" in (await comes.get("/handover")).text
        page = (await comes.get(address)).text
        assert f"/console/alerts/{number}" in page
        (place,) = re.findall(r'name="checked" value="(\d+)"', page)
        sent = {"csrf_token": await csrf_of(comes, address), "remarks": "ok", f"remark-{place}": "rang her"}
        missing = await comes.post(address, data=sent)
        assert missing.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert f"Item {place} is not checked yet" in missing.text
        assert "rang her" in missing.text
        taken = await comes.post(address, data=sent | {"checked": place})
        assert taken.headers["location"] == "/handover?done=taken"
        assert "Operator One to Supervisor One" in (await comes.get("/handover")).text
        again = await comes.post(address, data=sent | {"checked": place})
        assert again.status_code == httpx.codes.CONFLICT
        assert "has taken this handover already" in again.text


async def test_what_is_no_handover_is_not_found(served: World) -> None:
    async with served.browser_session("operator") as browser:
        for address in ("/handover/1", "/handover/01a21fc8-af9c-76e1-a5b8-8b3934d42ab5"):
            assert (await browser.get(address)).status_code == httpx.codes.NOT_FOUND
        own = {"csrf_token": await csrf_of(browser, "/handover"), "words": "x"}
        address = (await browser.post("/handover", data=own)).headers["location"]
        odd = own | {"checked": ["99999999", "x", "-1"], "remark-x": "a", "remark-99999": "b"}
        assert (await browser.post(address, data=odd)).status_code == httpx.codes.CONFLICT  # one's own
