"""The page of priorities: read by the centre, changed by supervisors, who first see what changes."""

import re
from typing import Any

import httpx

from alerts.policy import FIRST
from dashboard.pages_priorities import form_of
from tests.dashboard.world import NASTY, World, csrf_of
from tests.helpers import one, rows

GOOD = form_of(FIRST.policy).values | {"why": "Agreed with the council"}


async def send(browser: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    token = await csrf_of(browser, "/priorities")
    given = GOOD | {"council": "", "seen": "Service 1", "csrf_token": token} | changes
    return await browser.post("/priorities", data=given)


async def test_a_change_is_looked_at_then_kept_and_then_alerts_name_it(served: World) -> None:
    council = str(await one(served.pool, "select id from councils"))
    await served.alert("hub-1", "inactivity")
    async with served.browser_session("supervisor") as browser:
        looked = await send(browser, council=council, inactivity="2")
        assert looked.status_code == 200
        row = re.search(r"No movement</th>(.*?)</tr>", looked.text, re.DOTALL)
        assert row is not None
        assert re.findall(r">([^<>]+)</td>", row[1]) == ["3 Attention", "2 Urgent", "1"]
        assert "2 Urgent: 0 now, 1 then" in looked.text
        assert await rows(served.pool, "select 1 from priority_policies") == []  # only looked at
        kept = await send(browser, council=council, inactivity="2", step="keep")
        assert kept.status_code == 303
        page = await browser.get(kept.headers["location"])
        assert "From now on, alarms are answered by Anytown Council, version 1" in page.text
        assert "Agreed with the council" in page.text
        await served.add_home("hub-2", "Ravi Patel")
        number = await served.alert("hub-2", "inactivity")
        alert = (await browser.get(f"/console/alerts/{number}")).text
        assert "Level by policy Anytown Council, version 1" in alert
        listed = (await browser.get(f"/api/alerts/{number}")).json()
        assert (listed["policy"], listed["priority"]) == ("Anytown Council 1", 2)
    made = await rows(served.pool, "select made_by, why, levels ->> 'inactivity' from priority_policies")
    assert made == [("supervisor", "Agreed with the council", "2")]


async def test_what_must_not_be_is_said_at_its_field_and_nothing_is_lost(served: World) -> None:
    wrong = {
        "fall": "3", "door": "4", "button": "", "possible-fall": "3", "repeat_presses": "0", "on_floor_min": "soon",
        "why": "", "flood": NASTY,
    }  # fmt: skip
    async with served.browser_session("supervisor") as browser:
        answer = await send(browser, step="keep", **wrong)
    assert answer.status_code == 422
    for words in (
        "Fall detected may be a life: it is never below level 2", "Door needs a person: it is never level 4",
        "Pendant pressed: choose a level", "A possible fall is never below level 2", "Flood: choose a level",
        "Enter a whole number of presses from 1 to 20", "Enter a whole number of minutes from 1 to 1440", "Say why",
    ):  # fmt: skip
        assert words in answer.text
    assert 'value="soon"' in answer.text
    assert NASTY not in answer.text
    assert await rows(served.pool, "select 1 from priority_policies") == []


async def test_who_has_not_seen_the_newest_version_keeps_nothing(served: World) -> None:
    async with served.browser_session("supervisor") as browser:
        assert (await send(browser, door="2", step="keep")).status_code == 303
        late = await send(browser, door="1", step="keep")
        assert late.status_code == 409
        assert "Somebody has changed these priorities" in late.text
    assert await rows(served.pool, "select version from priority_policies") == [(2,)]


async def test_inflation_is_warned_of_before_it_is_kept(served: World) -> None:
    top = {name: "1" for name, value in GOOD.items() if value in ("2", "3") and not name.endswith(("_min", "presses"))}
    async with served.browser_session("supervisor") as browser:
        looked = await send(browser, **top, rise_from_2_min="5")
    assert "Where most is level 1, level 1 says nothing" in looked.text
    assert "by age alone" in looked.text


async def test_operators_read_and_cannot_change(served: World) -> None:
    async with served.browser_session("operator") as browser:
        page = (await browser.get("/priorities")).text
        assert "Fall detected" in page
        assert 'name="fall"' not in page
        answer = await browser.post("/priorities", data=GOOD | {"csrf_token": await csrf_of(browser, "/console")})
        assert answer.status_code == 403


async def test_a_council_that_is_none_is_not_found(served: World) -> None:
    async with served.browser_session("admin") as browser:
        for council in ("x", "00000000-0000-0000-0000-000000000000"):
            assert (await browser.get(f"/priorities?council={council}")).status_code == 404
            assert (await send(browser, council=council, step="keep")).status_code == 404
