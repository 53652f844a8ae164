"""The response team on pages and by the API: whom to send, shifts, vehicles, keys, and the key safe's code."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest

from alerts import actions, keys_store, shifts_store, vehicles_store
from alerts.responding import Kit
from dashboard import models_response as shapes
from dashboard.access import ACCESS
from dashboard.response_forms import time_ahead, time_behind
from telecare.clock import format_instant
from telecare.db import database_now
from telecare.vocabulary import Role
from tests.dashboard.test_pages import words
from tests.dashboard.world import World, csrf_of
from tests.helpers import one, rows

CODE = "SESAME"  # four figures would be found in some instant, sooner or later


@pytest.fixture
async def number(served: World) -> int:
    found = await served.alert("hub-1", "fall")
    await served.claim(found)
    async with served.pool.connection() as conn:
        await conn.execute("update homes set key_safe_code = %s", (CODE,))
    return found


async def send(served: World, number: int, who: str = "responder", *steps: str) -> UUID:
    """Somebody is sent, and takes these steps."""
    said = {"en-route": {"minutes": 10, "brief_read": True}, "arrived": {"how": "pressed"}, "access": {"how": "key"},
            "left": {"how_left": "well"}, "no-access": {"tried": "bell"}}  # fmt: skip
    async with served.pool.connection() as conn:
        visit = await actions.dispatch(conn, served.settings, number, "operator", who, "", await database_now(conn))
    token = await served.token("operator")
    async with httpx.AsyncClient(base_url=served.base, headers=token) as client:
        for step in steps:
            body = {"to": step} | said.get(step, {})
            answer = await client.post(f"/api/alerts/{number}/visits/{visit}", json=body)
            assert answer.status_code == 200, answer.text
    return visit


async def on_shift(served: World, who: str = "responder", partner: str = "", vehicle: UUID | None = None) -> None:
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        await shifts_store.begin_shift(conn, who, now + timedelta(hours=8), partner, vehicle, "supervisor", now)


async def held_key(served: World, tag: str = "12") -> UUID:
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        return await keys_store.add(conn, served.homes["hub-1"], tag, "Board A", "operator", now)


# ---------------------------------------------------------------- whom to send


async def test_the_page_suggests_somebody_with_the_reason_and_sends_whom_one_chooses(
    served: World, number: int
) -> None:
    await served.add_colleague("kim", Role.RESPONDER)
    await on_shift(served, "responder", "kim")
    at = f"/console/alerts/{number}"
    async with served.browser_session("operator") as browser:
        page = (await browser.get(at)).text
        assert re.search(r'value="responder" checked accesskey="s"', page)
        text = words(page)
        assert "Responder One with Kim One suggested" in text
        assert "Free for 0 min; goes with Kim One. But: what is on board is not known; where they are" in text
        assert "Not known: whether they need lifting (a fall)." in text
        assert "Off shift, away, or sent there already (1)" in text
        token = {"csrf_token": await csrf_of(browser, at)}

        async def choose(**form: str) -> tuple[str, str]:
            answer = await browser.post(f"{at}/dispatch", data=token | form)
            assert answer.status_code == 303, words(answer.text)
            (found,) = await rows(
                served.pool, "select responder, second from visits order by requested_at desc, id desc limit 1"
            )
            return found[0], found[1]

        assert await choose(chosen="responder") == ("responder", "Kim One")  # as on their shift
        assert await choose(chosen="responder", second="Alone") == ("responder", "")
        assert await choose(chosen="responder", second="Jo") == ("responder", "Jo")
        assert await choose(chosen="kim") == ("kim", "")  # off shift, and nobody asks why
        assert await choose(chosen="else", responder="Car 2") == ("Car 2", "")
        assert await choose(chosen="responder", responder="The day warden") == ("The day warden", "")
        assert await choose(responder="kim one") == ("kim", "")  # by name
        refused = await browser.post(f"{at}/dispatch", data=token | {"chosen": "else"})
        assert (refused.status_code, "Say who is going" in refused.text) == (422, True)
        text = words((await browser.get(at)).text)
        assert "Send somebody else too" in text
        assert "has been sent there already" in text


async def test_without_anybody_on_shift_a_name_is_typed(served: World, number: int) -> None:
    async with served.browser_session("operator") as browser:
        text = words((await browser.get(f"/console/alerts/{number}")).text)
        assert "Nobody of the response team can be sent now, as far as is known." in text
        token = {"csrf_token": await csrf_of(browser, f"/console/alerts/{number}")}
        form = {"chosen": "else", "responder": "Car 2"}
        assert (await browser.post(f"/console/alerts/{number}/dispatch", data=token | form)).status_code == 303


async def test_the_api_suggests_and_shows_the_team(served: World, client: httpx.AsyncClient, number: int) -> None:
    headers = await served.token("operator")
    await on_shift(served)
    answer = (await client.get(f"/api/alerts/{number}/responders", headers=headers)).json()
    shapes.Suggestions.model_validate(answer)
    assert (answer["first"], answer["needs_lifting"], answer["two_people"]) == ("responder", None, False)
    visit = await send(served, number, "responder", "accepted")
    key = await held_key(served)
    body = {"visit": str(visit), "key": str(key), "taken_by": "Responder One", "witness": "Ann"}
    assert (await client.post(f"/api/alerts/{number}/keys", headers=headers, json=body)).status_code == 200
    assert (await client.post(f"/api/alerts/{number}/keys", headers=headers, json=body)).status_code == 409
    team = (await client.get("/api/responders", headers=headers)).json()
    shapes.Team.model_validate(team)
    assert [one["doing"] for one in team["responders"]] == ["asked"]
    assert [(one["tag"], one["alert"]) for one in team["keys_out"]] == [("12", number)]
    assert (await client.post(f"/api/keys/{key}/back", headers=headers, json={"witness": " "})).status_code == 422
    answer = await client.post(f"/api/keys/{key}/back", headers=headers, json={"witness": "Ann"})
    assert (answer.status_code, answer.json()) == (200, {"key": str(key)})
    assert (await client.post(f"/api/keys/{key}/back", headers=headers, json={"witness": "Ann"})).status_code == 409
    incident = await client.get("/api/alerts/999/responders", headers=headers)
    assert incident.status_code == 404


async def test_a_shift_is_ones_own_or_a_supervisors_by_the_api(served: World, client: httpx.AsyncClient) -> None:
    await served.add_colleague("kim", Role.RESPONDER)
    mine, boss = await served.token("responder"), await served.token("supervisor")
    async with served.pool.connection() as conn:
        until = format_instant(await database_now(conn) + timedelta(hours=8))
    body = {"until_at": until, "partner": "kim"}
    assert (await client.post("/api/responders/kim/shift", headers=mine, json=body)).status_code == 403
    answer = await client.post("/api/responders/responder/shift", headers=mine, json=body)
    shapes.TeamMember.model_validate(answer.json())
    assert (answer.status_code, answer.json()["doing"], answer.json()["partner"]) == (200, "free", "Kim One")
    assert (await client.post("/api/responders/kim/shift", headers=boss, json={"until_at": until})).status_code == 200
    for wrong in ({}, {"until_at": "2026-11-27T22:00:00"}, {"until_at": "2020-01-01T00:00:00Z"}):
        assert (await client.post("/api/responders/kim/shift", headers=boss, json=wrong)).status_code == 422
    answer = await client.post("/api/responders/kim/shift", headers=boss, json={"on_shift": False})
    assert (answer.status_code, answer.json()["doing"]) == (200, "off-shift")
    assert (await client.post("/api/responders/nobody/shift", headers=boss, json=body)).status_code == 404


# ---------------------------------------------------------------- the team's pages


async def test_a_supervisor_keeps_the_register_and_an_operator_reads_it(served: World) -> None:
    async with served.browser_session("supervisor") as boss, served.browser_session("operator") as other:
        token = {"csrf_token": await csrf_of(boss, "/responders")}

        async def post(path: str, status: int = 303, **form: Any) -> str:
            answer = await boss.post(path, data=token | form)
            assert answer.status_code == status, words(answer.text)
            return words((await boss.get("/responders")).text if status == 303 else answer.text)

        text = await post("/vehicles", do="add", name="Van 1")
        text = await post("/vehicles", 422, do="add", name="Van 1")
        assert "There is a vehicle of this name" in text
        van = str(await one(served.pool, "select id from vehicles"))
        await post("/vehicles", do="kit", vehicle=van, kind="cushion-lifter")
        item = str(await one(served.pool, "select id from vehicle_kit"))
        await post("/vehicles", 422, do="fault", item=item, fault="")
        text = await post("/vehicles", do="fault", item=item, fault="leaks")
        assert "Cushion lifter faulty leaks" in text
        brings = {"skills[]": ["lifting", "flying"], "languages": "Punjabi, Urdu", "place": "Depot"}
        text = await post("/responders/responder", 422, **brings, district="nowhere")
        assert "Enter a postcode or its first half" in text
        text = await post("/responders/responder", **brings, district="an1 2bc")
        assert "Trained to lift; speaks Punjabi, Urdu" in text
        assert "Depot, AN1" in text
        text = await post("/responders/responder/shift", 422, do="begin", until="late")
        assert "Enter a time of day, like 22:00" in text
        await post("/responders/responder/shift", 422, do="begin", until="22:00", vehicle="x")
        now = await one(served.pool, "select now()")
        soon = (now + timedelta(hours=3)).astimezone(ZoneInfo("Europe/London"))
        text = await post("/responders/responder/shift", do="begin", until=f"{soon:%H:%M}", partner="Jo", vehicle=van)
        assert "Responder One with Jo free" in text
        assert "Van 1 out with Responder One" in text
        text = await post("/responders/responder/shift", 422, do="away", back_by=f"{soon:%H:%M}", why="")
        assert "Say why" in text
        text = await post("/responders/responder/shift", do="away", back_by=f"{soon:%H:%M}", why="the garage")
        assert "(the garage)" in text
        await post("/responders/responder/shift", do="back")
        text = await post("/responders/responder/shift", do="end")
        assert "Off shift" in text
        await post("/responders/responder/shift", 404, do="dance")
        await post("/vehicles", 404, do="dance")
        await post("/responders/operator", 404)
        await post("/vehicles", do="mended", item=item)
        await post("/vehicles", do="remove", item=item)
        text = await post("/vehicles", do="retire", vehicle=van)
        assert "Supervisor One: Van 1, vehicle taken away" in text
        page = (await other.get("/responders")).text
        assert "Change what they bring" not in page
        assert 'action="/vehicles"' not in page
        assert "Supervisor One: Responder One, what they bring; place Depot" in words(page)


async def test_keys_on_the_home_the_alert_and_the_teams_page(served: World, number: int) -> None:
    home, at = f"/homes/{served.homes['hub-1']}", f"/console/alerts/{number}"
    visit = await send(served, number, "responder", "accepted")
    async with served.browser_session("operator") as browser:
        token = {"csrf_token": await csrf_of(browser, at)}
        refused = await browser.post(f"{home}/keys", data=token | {"do": "held", "tag": "12", "kept": ""})
        assert (refused.status_code, "and where it hangs" in refused.text, 'value="12"' in refused.text) == (
            422,
            True,
            True,
        )
        held = {"do": "held", "tag": "12", "kept": "Board A"}
        assert (await browser.post(f"{home}/keys", data=token | held)).status_code == 303
        assert (await browser.post(f"{home}/keys", data=token | {"do": "x"})).status_code == 422
        key = await one(served.pool, "select id from home_keys")
        page = (await browser.get(at)).text
        assert "Our keys 12 : Board A" in words(page)
        assert re.search(r'name="taken_by" type="text" value="Responder One"', page)
        assert re.search(r'name="witness" type="text" value="Operator One"', page)
        sign = token | {"visit": str(visit), "key": str(key), "taken_by": "Sam", "witness": "sam"}
        refused = await browser.post(f"{at}/key-out", data=sign)
        assert (refused.status_code, "Two people" in refused.text) == (422, True)
        assert (await browser.post(f"{at}/key-out", data=sign | {"witness": "Ann"})).status_code == 303
        assert (await browser.post(f"{at}/key-out", data=sign | {"witness": "Bo"})).status_code == 409
        text = words((await browser.get(at)).text)
        assert "12 : out with Sam since" in text
        assert "Key 12 signed out to Sam; Ann saw it" in text
        assert "Key taken" in text
        async with served.pool.connection() as conn:
            await conn.execute("update key_sign_outs set out_at = out_at - interval '9 h', due_at = now()")
        for path in ("/responders", at, home):
            assert "verdue" in words((await browser.get(path)).text), path
        given = token | {"do": "given-back", "key": str(key)}
        assert (await browser.post(f"{home}/keys", data=given)).status_code == 422
        for wrong in ({"witness": ""}, {"witness": "Ann", "at": "soon"}):
            assert (await browser.post(f"/keys/{key}/back", data=token | wrong)).status_code == 422
        back = await browser.post(f"/keys/{key}/back", data=token | {"witness": "Ann", "alert": str(number)})
        assert back.headers["location"] == f"{at}?done=key-back"
        assert (await browser.post(f"/keys/{key}/back", data=token | {"witness": "Ann"})).status_code == 409
        assert "None." in words((await browser.get("/responders")).text)
        assert (await browser.post(f"{home}/keys", data=given)).status_code == 303
        assert "Our keys none held" in words((await browser.get(at)).text)


async def test_a_responder_says_when_they_work_and_what_is_faulty(served: World) -> None:
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        van = await vehicles_store.add_vehicle(conn, "Van 1", "supervisor", now)
        item = await vehicles_store.add_kit(conn, van, Kit.CUSHION_LIFTER, "supervisor", now)
    soon = (now + timedelta(hours=3)).astimezone(ZoneInfo("Europe/London"))
    async with served.browser_session("responder") as browser:
        token = {"csrf_token": await csrf_of(browser, "/responder")}
        fault = token | {"item": str(item), "fault": "leaks"}
        assert (await browser.post("/responder/kit", data=fault)).status_code == 404  # not in their van
        begin = token | {"do": "begin", "until": f"{soon:%H:%M}", "vehicle": str(van)}
        assert (await browser.post("/responder/shift", data=begin)).status_code == 303
        assert (await browser.post("/responder/shift", data=begin | {"until": "x"})).status_code == 422
        assert (await browser.post("/responder/kit", data=fault | {"fault": ""})).status_code == 422
        assert (await browser.post("/responder/kit", data=fault)).status_code == 303
        text = words((await browser.get("/responder")).text)
        assert "Free for 0 min. On shift until" in text
        assert "Kit in Van 1 Cushion lifter faulty leaks" in text
    assert await rows(served.pool, "select who, about, what from response_log where what = 'kit-faulty'") == [
        ("responder", "Van 1", "kit-faulty")
    ]


# ---------------------------------------------------------------- the code


async def test_the_attending_responder_alone_sees_the_code_on_their_page(served: World, number: int) -> None:
    await served.add_colleague("kim", Role.RESPONDER)
    visit = await send(served, number, "responder", "accepted")
    show = f"/responder/visits/{visit}/key-safe"
    async with served.browser_session("responder") as mine, served.browser_session("kim") as other:
        token, theirs = [{"csrf_token": await csrf_of(one, "/responder")} for one in (mine, other)]
        page = (await mine.get("/responder")).text
        assert ("Show code" in page, CODE in page) == (True, False)
        assert "Show code" not in (await other.get("/responder")).text
        refused = await other.post(show, data=theirs)
        assert (refused.status_code, CODE in refused.text) == (409, False)
        assert "its responder alone sees the code" in refused.text
        shown = await mine.post(show, data=token)
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        assert re.search(rf'class="code no-print"[^>]*>Code <strong>{CODE}', shown.text)
        assert CODE not in (await mine.get("/responder")).text
        assert (await mine.get(show)).status_code == 405  # looking is never a link
        await_left = await served.token("operator")
        async with httpx.AsyncClient(base_url=served.base, headers=await_left) as client:
            for to, said in (("en-route", {"minutes": 5, "brief_read": True}), ("arrived", {"how": "pressed"}),
                             ("access", {"how": "key"}), ("checked", {}), ("left", {"how_left": "well"})):  # fmt: skip
                await client.post(f"/api/alerts/{number}/visits/{visit}", json={"to": to} | said)
        assert "Show code" not in (await mine.get("/responder")).text
        late = await mine.post(show, data=token)
        assert (late.status_code, CODE in late.text, "ask the control room" in late.text) == (409, False, True)
    looks = await rows(served.pool, "select username, what, alert_id, for_whom from access_log")
    assert looks == [("responder", "key-safe-code", number, "their own visit")]


async def test_the_code_by_the_api(served: World, client: httpx.AsyncClient, number: int) -> None:
    await served.add_colleague("kim", Role.RESPONDER)
    visit = await send(served, number, "responder")
    tokens = {who: await served.token(who) for who in ("responder", "kim", "operator", "admin")}
    own = f"/api/alerts/{number}/visits/{visit}/key-safe"

    async def status(who: str, path: str = own, **body: str) -> int:
        answer = await client.post(path, headers=tokens[who], json=body)
        assert (CODE in answer.text) is (answer.status_code == 200)
        return answer.status_code

    assert await status("responder") == 409  # asked, and has not said that they go
    token = tokens["operator"]
    await client.post(f"/api/alerts/{number}/visits/{visit}", headers=token, json={"to": "accepted"})
    assert [await status(who) for who in ("responder", "kim", "operator", "admin")] == [200, 409, 403, 403]
    assert await status("responder", f"/api/alerts/{number + 1}/visits/{visit}/key-safe") == 404
    look = f"/api/alerts/{number}/key-safe"
    assert await status("operator", look, reader="") == 422
    assert await status("operator", look, reader=f"visit:{visit}") == 200
    assert await status("responder", look, reader=f"visit:{visit}") == 403
    refuse = {"to": "refused", "reason": "called away"}
    await client.post(f"/api/alerts/{number}/visits/{visit}", headers=token, json=refuse)
    assert await status("responder") == 409
    assert await status("operator", look, reader=f"visit:{visit}") == 422  # nobody who is on the way
    looks = await rows(served.pool, "select username, for_whom from access_log order by id")
    assert looks == [("responder", "their own visit"), ("operator", "Responder One")]


async def test_the_code_is_on_no_page_and_in_no_table_but_its_own(
    served: World, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    visit = await send(served, number, "responder", "accepted")
    async with served.browser_session("responder") as mine, served.browser_session("operator") as other:
        token, theirs = await csrf_of(mine, "/responder"), await csrf_of(other, "/console")
        assert CODE in (await mine.post(f"/responder/visits/{visit}/key-safe", data={"csrf_token": token})).text
        form = {"csrf_token": theirs, "reader": f"visit:{visit}"}
        assert CODE in (await other.post(f"/console/alerts/{number}/key-safe", data=form)).text
    ids = {"{alert_id}": str(number), "{home_id}": str(served.homes["hub-1"]), "{report}": "answering",
           "{person_id}": str(served.people["hub-1"])}  # fmt: skip
    looked_at = 0
    for role in Role:
        async with served.browser_session(role.value) as browser:
            for key, access in ACCESS.items():
                method, path = key.split(" ")
                for name, value in ids.items():
                    path = path.replace(name, value)
                if method != "GET" or "{" in path or "stream" in path or role not in access.roles:
                    continue
                answer = await browser.get(path)
                looked_at += answer.status_code == 200
                assert CODE not in answer.text, (role, path)
    assert looked_at > 40
    assert CODE not in caplog.text
    tables = await rows(served.pool, "select tablename from pg_tables where schemaname = 'public'")
    content = "select coalesce(string_agg(t::text, '|'), '') from {} t"
    held = {table for (table,) in tables if CODE in await one(served.pool, content.format(table))}
    assert held == {"homes"}


# ---------------------------------------------------------------- times


def test_a_time_of_day_is_the_next_one_and_on_the_night_of_the_clocks_too() -> None:
    zone = ZoneInfo("Europe/London")
    now = datetime(2026, 11, 27, 21, 0, tzinfo=UTC)
    assert time_ahead("22:00", now) == datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
    assert time_ahead("6.30", now) == datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
    assert time_ahead("21:00", now) == datetime(2026, 11, 28, 21, 0, tzinfo=UTC)
    assert time_ahead("1/12/2026 7:00", now) == datetime(2026, 12, 1, 7, 0, tzinfo=UTC)
    spring = datetime(2027, 3, 27, 22, 0, tzinfo=UTC)
    assert time_ahead("6:00", spring) == datetime(2027, 3, 28, 5, 0, tzinfo=UTC)
    for wrong in ("", "late", "25:00"):
        with pytest.raises(ValueError, match="time of day"):
            time_ahead(wrong, now)
    since = now - timedelta(hours=2)
    assert time_behind("", since, now, zone) is None
    assert time_behind("20:15", since, now, zone) == datetime(2026, 11, 27, 20, 15, tzinfo=UTC)
    for wrong in ("18:00", "soon"):
        with pytest.raises(ValueError, match="between when it was taken and now"):
            time_behind(wrong, since, now, zone)
