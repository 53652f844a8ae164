"""The need, emergency services, visits, two people who agree and a review: as pages and by the API."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from dashboard import models
from telecare.vocabulary import Role
from tests.dashboard.test_pages import words
from tests.dashboard.world import World, csrf_of
from tests.helpers import rows


@pytest.fixture
async def number(served: World) -> int:
    found = await served.alert("hub-1", "fall")
    await served.claim(found)
    return found


async def whole(served: World, number: int) -> dict[str, Any]:
    headers = await served.token("operator")
    async with httpx.AsyncClient(base_url=served.base, headers=headers) as client:
        answer = (await client.get(f"/api/alerts/{number}")).json()
        models.WholeAlert.model_validate(answer)
        assert isinstance(answer, dict)
        return answer


async def test_help_on_the_page_from_the_need_to_the_report(served: World, number: int) -> None:
    at = f"/console/alerts/{number}"
    async with served.browser_session("operator") as browser:
        token = {"csrf_token": await csrf_of(browser, at)}

        async def send(step: str, status: int = 303, **form: Any) -> str:
            answer = await browser.post(f"{at}/{step}", data=form | token)
            assert answer.status_code == status, (step, form, words(answer.text)[:400])
            return words(answer.text if status != 303 else (await browser.get(at)).text)

        text = await send("assess", 422, cause="fall-on-floor", on_floor="true")
        assert "Choose what is decided" in text
        text = await send("assess", cause="fall-on-floor", on_floor="true", decision="visit", reason="alone")
        assert "Fall, still on the floor , on the floor. Send a responder: alone" in text
        assert "On the floor for" in text
        text = await send("emergency", service="ambulance", reference="CAD 7", minutes="8")
        assert "Ambulance CAD 7: called" in text
        assert "They do not know how to get in." in text
        assert "Help is under way" in text
        call = (await whole(served, number))["emergency_calls"][0]["id"]
        text = await send("dispatch", responder="responder", second="Kim")
        assert "Responder One with Kim: asked to go" in text
        visit = (await whole(served, number))["visits"][0]["id"]
        text = await send("visit", 422, visit=visit, to="refused")
        assert "Say why they cannot go" in text
        await send("visit", visit=visit, to="accepted")
        text = await send("visit", 422, visit=visit, to="en-route", minutes="12")
        assert "Read them the alarm" in text
        await send("visit", visit=visit, to="en-route", minutes="12", brief_read="true")
        await send("visit", visit=visit, to="arrived", how="pressed the unit")
        await send("visit", visit=visit, to="access", how="key safe")
        await send("check-in", visit=visit)
        text = await send("visit", **{"visit": visit, "to": "checked", "flags[]": ["trauma"], "on_floor": "true"})
        assert "A sign of ISTUMBLE: do not lift, ring 999." in text
        text = await send("visit", 422, visit=visit, to="lifted", device="cushion", after="well")
        assert "Do not lift: trauma to head, neck or back" in text
        await send("visit", visit=visit, to="not-lifted", reason="neck")
        text = await send("visit", 422, visit=visit, to="left", how_left="on the floor")
        assert "An ambulance is awaited" in text
        close = {
            "cause": "fall-on-floor",
            "outcomes[]": ["ambulance-called"],
            "confirmed_by": "crew",
            "how": "they said",
        }
        text = await send("close", 422, **close)
        assert "The ambulance must have ended first" in text
        await send("service-news", call=call, news="arrived")
        text = await send("service-news", 422, call=call, news="conveyed")
        assert "Say where to" in text
        text = await send("service-news", call=call, news="conveyed", taken_to="Anytown Hospital")
        assert "took the person along to Anytown Hospital" in text
        await send("panic", visit=visit)
        assert (await whole(served, number))["priority"] == 1
        await send("visit", visit=visit, to="left", how_left="gone with the crew, door locked")
        text = await send("close", **close)
        assert "How it ended" in text
    async with served.browser_session("supervisor") as browser:
        token = {"csrf_token": await csrf_of(browser, at)}
        answer = await browser.post(f"{at}/review", data=token | {"score": "many", "words": "x"})
        assert answer.status_code == 422
        answer = await browser.post(f"{at}/review", data=token | {"score": "95", "words": "Calm"})
        assert answer.status_code == 303
        assert "95 of 100: Calm" in words((await browser.get(at)).text)
    assert (await whole(served, number))["state"] == "reviewed"


async def test_two_people_agree_on_their_own_screens(served: World, number: int) -> None:
    await served.add_colleague("second", Role.OPERATOR)
    at = f"/console/alerts/{number}"
    silent = {"cause": "not-known", "outcomes[]": ["left-no-reply-confirmed-elsewhere"], "confirmed_by": "two-people",
              "how": "seen at noon"}  # fmt: skip
    async with served.browser_session("operator") as mine, served.browser_session("second") as other:
        token = {"csrf_token": await csrf_of(mine, at)}
        for _ in range(2):
            await mine.post(
                f"{at}/contact", data=token | {"what": "contact-tried", "contact": "Mary", "text": "silence"}
            )
        page = await mine.get(at)
        assert "two of us agreed" not in page.text
        refused = await mine.post(f"{at}/close", data=token | silent)
        assert (refused.status_code, "second person must have agreed" in refused.text) == (422, True)
        assert "Agree to close without contact" not in words(page.text)
        theirs = {"csrf_token": await csrf_of(other, at)}
        assert "Agree to close without contact" in words((await other.get(at)).text)
        agreed = await other.post(f"{at}/agree", data=theirs | {"why": "Seen by the neighbour"})
        assert agreed.status_code == 303
        assert "second agreed to close without contact: Seen by the neighbour" in words((await mine.get(at)).text)
        assert (await mine.post(f"{at}/close", data=token | silent)).status_code == 303
        assert "second: Seen by the neighbour" in words((await mine.get(at)).text)


async def test_a_responder_takes_the_steps_of_their_own_visit_by_the_api(served: World, number: int) -> None:
    tokens = {name: await served.token(name) for name in ("operator", "responder", "supervisor")}
    async with httpx.AsyncClient(base_url=served.base) as client:

        async def post(who: str, path: str, **body: Any) -> httpx.Response:
            return await client.post(f"/api/alerts/{number}/{path}", headers=tokens[who], json=body)

        assert (await post("operator", "dispatch", responder="responder")).status_code == 200
        assert (await post("operator", "dispatch", responder="Car 9")).status_code == 200
        own, others = (one["id"] for one in (await whole(served, number))["visits"])
        for body in ({"to": "accepted"}, {"to": "en-route", "minutes": 5, "brief_read": True}):
            assert (await post("responder", f"visits/{own}", **body)).status_code == 200
        assert (await post("responder", f"visits/{others}", to="accepted")).status_code == 409
        assert (await post("responder", f"visits/{own}", to="left", how_left="x")).status_code == 409
        assert (await post("responder", f"visits/{own}", to="flown")).status_code == 422
        assert (await post("responder", "visits/nothing", to="accepted")).status_code == 404
        assert (await post("responder", f"visits/{own}/check-in")).status_code == 409
        assert (await post("responder", f"visits/{own}/panic")).status_code == 200
        assert (await post("responder", "emergency", service="police")).status_code == 403
        assert (await post("operator", "emergency", service="police", minutes=0)).status_code == 422
        assert (await post("operator", "emergency", service="police", minutes=5)).status_code == 200
        assert (await post("operator", "wrap-up", note="x")).status_code == 409  # nobody is known to be safe
        assert (await post("operator", "safe", confirmed_by="person", how="spoke")).status_code == 200
        answer = await post("operator", "wrap-up", cause="fall-up", follow_up="fit a rail", falls_referral=True)
        assert (answer.status_code, answer.json()["state"]) == (200, "wrap-up")
        assert (await post("operator", "review", score=1, words="x")).status_code == 403
        assert (await post("supervisor", "review", score=1, words="x")).status_code == 409  # it is open
    assert (await whole(served, number))["wrap_up"]["follow_up"] == "fit a rail"
    assert await rows(served.pool, "select kind, words, alert_id from tasks") == [("follow-up", "fit a rail", number)]


async def test_the_log_says_in_words_what_was_missed(served: World, number: int) -> None:
    async with served.pool.connection() as conn:
        await conn.execute(
            "update alerts set claimed_at = claimed_at - %s, attended_at = now(), missed = 1 where id = %s",
            (timedelta(minutes=9), number),
        )
        await conn.execute(
            """insert into alert_log (alert_id, at, who, what, detail) values
               (%s, now(), 'system', 'escalated-supervisor', '{"because": "nobody is with them"}')""",
            (number,),
        )
    async with served.browser_session("operator") as browser:
        text = words((await browser.get(f"/console/alerts/{number}")).text)
    assert "Escalated to the supervisor : Nobody is with them." in text
