"""A responder's own visit on their page: each step, entries that are sent twice, and other people's visits."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from alerts import actions, visit_actions
from alerts.emergency import Service
from alerts.entering import beside_the_time
from alerts.visiting import NEXT, VisitState
from dashboard.visit_forms import BUTTONS, OFFERED, STEPS, offers
from telecare.clock import format_instant
from telecare.db import database_now
from telecare.vocabulary import Role
from tests.dashboard.test_pages import words
from tests.dashboard.world import World, csrf_of
from tests.helpers import one, rows

NOW = datetime(2026, 11, 28, 14, 0, tzinfo=UTC)
AHEAD, KEPT = timedelta(minutes=2), timedelta(hours=24)


def test_every_step_but_standing_down_is_offered_where_it_may_be_taken() -> None:
    for state, to in NEXT.items():
        assert set(OFFERED.get(state, ())) == to - {VisitState.CANCELLED}
    assert BUTTONS.keys() | {"check-in", "panic"} == STEPS
    assert [state for state, _ in offers(VisitState.CHECKED)] == ["checked", "lifted", "not-lifted", "left"]
    doubtful = offers(VisitState.ACCESS, may_lift=False)
    assert not any(one.to == "lifted" for _, forms in doubtful for one in forms)


def test_a_phones_time_is_kept_and_believed_within_limits() -> None:
    def beside(entered_at: datetime | None) -> dict[str, Any]:
        return beside_the_time(entered_at, NOW, AHEAD, KEPT)

    assert beside(None) == {}
    assert beside(NOW - timedelta(seconds=5)) == {"entered_at": "2026-11-28T13:59:55.000Z"}
    assert beside(NOW + AHEAD) == {"entered_at": "2026-11-28T14:02:00.000Z"}
    assert beside(NOW - timedelta(minutes=9)) == {"entered_at": "2026-11-28T13:51:00.000Z", "late_s": 540}
    assert "entered_at" in beside(NOW - KEPT)
    for wrong in (NOW + AHEAD + timedelta(seconds=1), NOW - KEPT - timedelta(seconds=1)):
        assert beside(wrong) == {"not_believed": format_instant(wrong)}


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
async def number(served: World) -> int:
    found = await served.alert("hub-1", "fall")
    await served.claim(found)
    return found


async def sent_to(served: World, number: int, who: str = "responder") -> UUID:
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        return await actions.dispatch(conn, served.settings, number, "operator", who, "Take the gloves", now, "Kim")


class Phone:
    """A responder's browser on the page of a visit."""

    def __init__(self, browser: httpx.AsyncClient, at: str, token: str) -> None:
        self.browser, self.at, self.token = browser, at, token

    @classmethod
    async def on(cls, browser: httpx.AsyncClient, visit: UUID) -> "Phone":
        at = f"/responder/visits/{visit}"
        return cls(browser, at, await csrf_of(browser, at))

    async def send(self, to: str, entry: str = "", script: bool = False, **form: Any) -> httpx.Response:
        data = {"csrf_token": self.token, "entry": entry or str(uuid4())} | form
        headers = {"Accept": "application/json"} if script else {}
        return await self.browser.post(f"{self.at}/{to}", data=data, headers=headers)

    async def done(self, to: str, **form: Any) -> str:
        """Take a step; the page after it."""
        answer = await self.send(to, **form)
        assert (answer.status_code, answer.headers.get("location")) == (303, self.at), words(answer.text)
        return (await self.browser.get(self.at)).text


async def log(served: World, number: int) -> list[str]:
    sql = "select detail ->> 'text' from alert_log where alert_id = %s and what = 'visit' order by id"
    return [text for (text,) in await rows(served.pool, sql, number)]


def visible(page: str) -> list[str]:
    """The steps whose forms a page without script shows."""
    shown = re.search(r'<div class="step" data-of="[\w-]+">(.*?)<div class="step"|$', page.replace("\n", " "))
    text = shown[1] if shown and shown[1] else page.partition('id="next"')[2]
    return re.findall(r'data-step="([\w-]+)"', text)


async def test_a_visit_from_the_question_to_the_report(served: World, number: int) -> None:
    visit = await sent_to(served, number)
    async with served.browser_session("responder") as browser:
        assert f'href="/responder/visits/{visit}"' in (await browser.get("/responder")).text
        phone = await Phone.on(browser, visit)
        page = (await browser.get(phone.at)).text
        text = words(page)
        told = (
            "Fall detected", "Small dog, friendly", "Osteoporosis", "Front door, ring twice", "Speaks English",
            "Walks with a frame", "Kim, with you", "Take the gloves", "1 Mill Lane, Anytown, AN1 2BC",
        )  # fmt: skip
        for known in told:
            assert known in text, known
        assert text.index("Small dog") < text.index("What is known") < text.index("Way in")
        assert visible(page) == ["accepted", "refused"]
        assert "4711" not in page
        assert visible(await phone.done("accepted")) == ["en-route", "refused"]
        refused = await phone.send("en-route", minutes="soon")
        assert (refused.status_code, 'value="soon"' in refused.text) == (422, True)
        refused = await phone.send("en-route", minutes="10")
        assert (refused.status_code, "Read the page from the top" in refused.text) == (422, True)
        assert visible(await phone.done("en-route", minutes="10", brief_read="true")) == ["arrived"]
        code = await browser.post(f"{phone.at}/key-safe", data={"csrf_token": phone.token, "from": "visit"})
        assert ("4711" in code.text, code.headers["cache-control"]) == (True, "no-store")
        assert "4711" not in (await browser.get(phone.at)).text
        refused = await phone.send("access", **{"picks[]": "Bell"})
        assert (refused.status_code, "After “on the way” comes: arrived" in words(refused.text)) == (409, True)
        picked = {"picks[]": "I pressed the home unit"}
        assert visible(await phone.done("arrived", **picked)) == ["access", "no-access"]
        refused = await phone.send("no-access", tried="")
        assert (refused.status_code, "Say what was tried" in refused.text) == (422, True)
        page = await phone.done("no-access", tried="shouted", **{"picks[]": ["Bell", "Windows", "made up"]})
        assert visible(page) == ["access", "left"]
        page = await phone.done("access", **{"picks[]": "Key safe"})
        assert "Any one of these: do not lift. Ring 999." in words(page)
        page = await phone.done("checked", on_floor="true")
        assert visible(page) == ["lifted", "not-lifted", "left"]
        await phone.done("lifted", after="Well, drank tea", **{"picks[]": "Cushion lifter"})
        await phone.done("left", how_left="In her chair, door locked")
        page = await phone.done("reported", report="She slipped on a rug")
        assert "This visit is over" in page
        assert not any(told in page for told in ("Mary", "Mill Lane", "Osteoporosis"))
    assert (await log(served, number))[-7:] == [
        "Arrived. I pressed the home unit", "Cannot get in. Bell, Windows: shouted", "Inside. Key safe",
        "Checked (ISTUMBLE): no sign of any", "Lifted. Cushion lifter. Well, drank tea",
        "Left. In her chair, door locked", "Reported. She slipped on a rug",
    ]  # fmt: skip


async def test_a_sign_of_istumble_stops_the_lifting_and_an_ambulance_the_leaving(served: World, number: int) -> None:
    visit = await sent_to(served, number)
    async with served.browser_session("responder") as browser:
        phone = await Phone.on(browser, visit)
        await phone.done("accepted")
        await phone.done("en-route", minutes="1", brief_read="true")
        await phone.done("arrived", how="I say so")
        await phone.done("access", how="key")
        page = await phone.done("checked", **{"flags[]": ["trauma", "bleeding-freely"]})
        assert "Do not lift. Ring 999: trauma to head, neck or back, bleeding freely." in words(page)
        assert visible(page) == ["not-lifted", "left"]
        refused = await phone.send("lifted", device="arms", after="well")
        assert (refused.status_code, "Do not lift: bleeding freely" in words(refused.text)) == (422, True)
        async with served.pool.connection() as conn:
            now = await database_now(conn)
            await actions.call_service(conn, served.settings, number, "operator", Service.AMBULANCE, now)
        assert "Stay until the crew has taken over" in (await browser.get(phone.at)).text
        refused = await phone.send("left", how_left="Well")
        assert "Stay until the crew has taken over" in words(refused.text)
        assert (refused.status_code, 'value="Well"' in refused.text) == (422, True)


async def test_what_is_sent_twice_is_done_once(served: World, number: int) -> None:
    visit, entry = await sent_to(served, number), str(uuid4())
    async with served.browser_session("responder") as browser:
        phone = await Phone.on(browser, visit)
        at_once = await asyncio.gather(*(phone.send("accepted", entry, script=True) for _ in range(4)))
        assert [(answer.status_code, answer.json()["done"]) for answer in at_once] == [(200, True)] * 4
        assert (await phone.send("accepted", entry)).status_code == 303
        assert await log(served, number) == ["Accepted"]
        other = await phone.send("accepted", str(uuid4()), script=True)
        assert (other.status_code, other.json()["done"]) == (409, False)
        assert "after “accepted” comes" in other.json()["refused"][0]
        # The same id for another step is none of ours; a refusal is remembered too.
        assert (await phone.send("refused", entry, reason="no")).status_code == 404
        entry = str(uuid4())
        first = await phone.send("en-route", entry, script=True, minutes="0")
        again = await phone.send("en-route", entry, script=True, minutes="9", brief_read="true")
        assert (first.status_code, first.json()) == (again.status_code, again.json())
        assert first.status_code == 422
        assert (await phone.send("en-route", "nonsense", minutes="9")).status_code == 422
    assert await one(served.pool, "select count(*) from visit_entries") == 3
    assert await one(served.pool, "select state from visits") == "accepted"


async def test_the_phones_time_stands_beside_the_servers_in_the_log(served: World, number: int) -> None:
    visit = await sent_to(served, number)
    async with served.pool.connection() as conn:
        now = await database_now(conn)
    async with served.browser_session("responder") as browser, served.browser_session("operator") as operator:
        phone = await Phone.on(browser, visit)
        await phone.done("accepted", entered_at=format_instant(now - timedelta(minutes=9)))
        tomorrow = format_instant(now + timedelta(hours=20))
        await phone.done("en-route", minutes="5", brief_read="true", entered_at=tomorrow)
        assert (await phone.send("arrived", how="x", entered_at="yesterday")).status_code == 422
        text = words((await operator.get(f"/console/alerts/{number}")).text)
        assert re.search(r"Accepted\. Entered on the phone at \d\d:\d\d, 9 min before it reached us\.", text)
        assert re.search(r"On the way\. The phone said \d\d:\d\d on \d+ \w+, which is not believed\.", text)
    kept = await rows(served.pool, "select detail from visit_steps where state in ('accepted', 'en-route') order by id")
    assert kept[0][0]["entered_at"] == format_instant(now - timedelta(minutes=9))
    assert kept[1][0]["not_believed"] == tomorrow


async def test_other_peoples_visits_are_refused(served: World, number: int) -> None:
    await served.add_colleague("kim", Role.RESPONDER)
    kims, mine = await sent_to(served, number, "kim"), await sent_to(served, number)
    async with served.browser_session("responder") as browser:
        phone = await Phone.on(browser, mine)
        phone.at = f"/responder/visits/{kims}"
        answers = [await browser.get(phone.at), await phone.send("accepted"), await phone.send("panic")]
        answers.append(await browser.post(f"{phone.at}/key-safe", data={"csrf_token": phone.token, "from": "visit"}))
        assert [answer.status_code for answer in answers] == [404, 404, 404, 409]
        assert not any("4711" in answer.text or "Osteoporosis" in answer.text for answer in answers)
        phone.at = f"/responder/visits/{mine}"
        assert [(await phone.send(to)).status_code for to in ("cancelled", "requested", "dance")] == [404] * 3
    assert await one(served.pool, "select count(*) from visit_entries") == 0


async def test_a_fresh_token_for_what_was_entered_under_an_old_session(served: World, number: int) -> None:
    visit = await sent_to(served, number)
    async with served.browser_session("responder") as browser:
        phone = await Phone.on(browser, visit)
        phone.token = "old"
        assert (await phone.send("accepted", script=True)).status_code == 403
        given = (await browser.get("/responder/token")).json()
        assert given["member"] == "responder"
        phone.token = given["token"]
        assert (await phone.send("accepted", script=True)).json()["done"]


async def test_who_is_stood_down_sees_it(served: World, number: int) -> None:
    visit = await sent_to(served, number)
    async with served.pool.connection() as conn:
        await visit_actions.stand_down(conn, number, "operator", "He is well", await database_now(conn))
    async with served.browser_session("responder") as browser:
        page = words((await browser.get(f"/responder/visits/{visit}")).text)
        assert "This visit is over Stood down." in page


async def test_who_is_inside_checks_in_or_calls_for_help(served: World, number: int) -> None:
    visit = await sent_to(served, number)
    async with served.browser_session("responder") as browser:
        phone = await Phone.on(browser, visit)
        await phone.done("accepted")
        assert (await phone.send("check-in")).status_code == 409  # not there yet
        await phone.done("en-route", minutes="1", brief_read="true")
        page = await phone.done("arrived", how="I say so")
        assert "Say that you are all right by" in words(page)
        await rows(served.pool, "update visits set due_at = now() + interval '1 minute', missed = 1 returning 1")
        assert '<p id="check-in-by" class="stop">' in (await browser.get(phone.at)).text
        assert '<p id="check-in-by">' in await phone.done("check-in")
        left = "select due_at > now() + interval '19 minutes' and missed = 0 from visits"
        assert await one(served.pool, left)
        entry = str(uuid4())
        assert [(await phone.send("panic", entry)).status_code for _ in range(2)] == [303, 303]
    assert await one(served.pool, "select priority from alerts") == 1
    assert await rows(served.pool, "select detail ->> 'because' from alert_log where what = 're-sounded'") == [
        ("responder calls for help",)
    ]
