"""The pages as documents: what they say, and what a form does."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import httpx
import pytest
from psycopg.types.json import Jsonb

from dashboard.words import age_in_years, ago, clock_time, instant, span
from telecare.ids import uuid7
from telecare.vocabulary import Role
from tests.dashboard.world import NASTY, World, csrf_of, listening, send_messages

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def words(text: str) -> str:
    """A page's text without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


async def test_the_console_shows_who_where_what_and_how_long(served: World) -> None:
    await served.alert("hub-1", "fall")
    await served.alarm("hub-1")
    async with served.browser_session("operator") as browser:
        text = words((await browser.get("/console")).text)
    for expected in (
        "1 open alert, 1 waiting", "Level 1, Emergency", "Fall detected", "2 alarms", "Mary Ashworth",
        "1 Mill Lane, Anytown, AN1 2BC", "just now", "waiting", "Claim", "Homes: 1, hubs online 1",
    ):  # fmt: skip
        assert expected in text, expected


async def test_the_alert_page_has_all_that_is_needed_to_answer(served: World) -> None:
    number = await served.alert("hub-1", "fall", late=timedelta(hours=3), evidence={"peak_g": 3.4}, doubts=["odd"])
    async with served.browser_session("operator") as browser:
        text = words((await browser.get(f"/console/alerts/{number}")).text)
    for expected in (
        "Fall detected Mary Ashworth", "Front door, ring twice", "Left of the back door", "Show code", "Small dog",
        "Osteoporosis", "Walks with a frame", "Call my daughter", "Susan Ashworth (daughter) has a key",
        "07700 900456", "Tom Hill (neighbour)", "3 h late", "peak_g: 3.4", "Doubts: odd", "It arrived 3 hours after",
        "Alert raised", "hub-1: online", "Contacts, in the order to ask",
    ):  # fmt: skip
        assert expected in text, expected
    assert "4711" not in text


async def test_the_key_safes_code_is_shown_on_request_and_the_showing_is_written_down(
    served: World, caplog: pytest.LogCaptureFixture
) -> None:
    number = await served.alert("hub-1")
    async with served.browser_session("operator") as browser:
        token = await csrf_of(browser, f"/console/alerts/{number}")
        crew = {"csrf_token": token, "reader": "else", "whom": "the ambulance crew", "why": "at the door"}
        for missing, complaint in (("whom", "Say to whom you read it"), ("why", "Say why they need it")):
            refused = await browser.post(f"/console/alerts/{number}/key-safe", data=crew | {missing: " "})
            assert (refused.status_code, complaint in refused.text) == (422, True)
            assert "4711" not in refused.text
            assert ("the ambulance crew" in refused.text, "at the door" in refused.text) == (
                missing == "why",
                missing == "whom",
            )  # what was entered is still there
        shown = await browser.post(f"/console/alerts/{number}/key-safe", data=crew)
        assert "4711" in shown.text
        assert shown.headers["cache-control"] == "no-store"
        await served.claim(number)
        await served.close(number)
        closed = await browser.post(f"/console/alerts/{number}/key-safe", data=crew)
        assert closed.status_code == 409
        assert "4711" not in closed.text
    async with served.pool.connection() as conn:
        looked = await (
            await conn.execute("select username, what, home_id, alert_id, for_whom, why from access_log")
        ).fetchall()
    home = served.homes["hub-1"]
    assert looked == [("operator", "key-safe-code", home, number, "the ambulance crew", "at the door")]
    assert "4711" not in caplog.text


async def test_every_form_of_the_alert_page_does_what_it_says(served: World) -> None:
    number = await served.alert("hub-1")
    at = f"/console/alerts/{number}"
    forms: list[tuple[str, dict[str, str | list[str]]]] = [
        ("claim", {}),
        ("note", {"what": "note", "text": "Line one\r\nline two"}),
        ("note", {"what": "emergency-service", "text": "999 called, reference 12"}),
        ("contact", {"what": "contact-tried", "contact": "Susan Ashworth", "text": ""}),
        ("contact", {"what": "contact-answered", "contact": "Tom Hill", "text": "on his way"}),
        ("notify", {}),
        ("dispatch", {"responder": "Car 2", "note": ""}),
        ("safe", {"confirmed_by": "someone-on-site", "how": "Tom is with her"}),
        ("release", {"reason": ""}),
        ("claim", {}),
        ("close", {"cause": "fall-up", "outcomes[]": ["reassured", "contact-attending"], "confirmed_by": "person",
                   "how": "Her words", "note": "", "seen_alarms": "1"}),
    ]  # fmt: skip
    async with served.browser_session("operator") as browser:
        token = {"csrf_token": await csrf_of(browser, at)}
        for step, form in forms:
            answer = await browser.post(f"{at}/{step}", data=form | token)
            assert answer.status_code == 303, (step, words(answer.text))
            assert answer.headers["location"] == f"{at}?done={step}"
            assert (await browser.get(answer.headers["location"])).status_code == 200
        text = words((await browser.get(at)).text)
    for expected in (
        "Line one line two", "999 called", "Tried to reach : Susan Ashworth", "Tom Hill: on his way", "Sent : Car 2",
        "Someone with them: Tom is with her", "How it ended", "Fall, up again", "Reassured, Contact attending",
        "“Someone is on the way”",
    ):  # fmt: skip
        assert expected in text, expected


async def test_a_form_comes_back_as_it_was_entered_with_what_is_missing(served: World) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    at = f"/console/alerts/{number}"
    async with served.browser_session("operator") as browser:
        token = {"csrf_token": await csrf_of(browser, at)}
        sent = {"cause": "", "outcomes[]": ["reassured"], "confirmed_by": "person", "how": "", "note": "Kept <b>",
                "seen_alarms": "1"}  # fmt: skip
        answer = await browser.post(f"{at}/close", data=sent | token)
        assert answer.status_code == 422
        assert "Choose why the alarm went off" in answer.text
        assert 'href="#close-cause"' in answer.text
        assert 'id="close-cause"' in answer.text
        assert "Say how you know that the person is safe" in answer.text
        assert "Kept &lt;b&gt;</textarea>" in answer.text
        assert re.search(r'value="reassured" checked', answer.text)
        for step, form, complaint in (
            ("note", {"what": "note", "text": " "}, "Write between 1 and 4000"),
            ("note", {"what": "note", "text": "a\0b"}, "Write between"),
            ("note", {"what": "closed", "text": "x"}, "One of"),
            ("dispatch", {"responder": ""}, "Say who is going"),
            ("safe", {"how": "x"}, "Choose who confirmed"),
            ("close", {**sent, "cause": "not-known", "how": "x"}, "cannot stand with"),
            ("close", {**sent, "cause": "other", "confirmed_by": "system", "how": "x"}, "must have confirmed"),
            ("close", {"seen_alarms": "many"}, "Choose at least one thing"),
        ):
            answer = await browser.post(f"{at}/{step}", data=form | token)
            assert answer.status_code == 422, step
            assert complaint in answer.text, (step, words(answer.text)[:600])
        assert (await browser.post(f"{at}/nothing", data=token)).status_code == 404


async def test_the_loser_of_a_claim_sees_who_has_it(served: World) -> None:
    number = await served.alert("hub-1")
    await served.claim(number, "supervisor")
    async with served.browser_session("operator") as browser:
        token = {"csrf_token": await csrf_of(browser, "/console")}
        answer = await browser.post(f"/console/alerts/{number}/claim", data=token)
        assert answer.status_code == 409
        assert "Supervisor has this alert." in answer.text
        assert "Supervisor One has this alert" in answer.text
        over = {"reason": "She asked me to"}
        answer = await browser.post(f"/console/alerts/{number}/take-over", data=over | token)
        assert answer.status_code == 303


async def test_what_people_write_is_shown_as_text(served: World) -> None:
    await served.add_home("hub-2", NASTY, address=NASTY, hazards=NASTY)
    number = await served.alert("hub-2", evidence={NASTY: NASTY}, location=NASTY)
    await served.claim(number)
    async with served.pool.connection() as conn:
        await conn.execute("update contacts set name = %s", (NASTY,))
        await conn.execute(
            """insert into unreadable (hub, topic, payload, size_bytes, reason, received_at)
               values (%s, %s, %s, 9, %s, now())""",
            ("hub-2", NASTY, NASTY.encode() + b"\xff\x00\x1b[31m", NASTY),
        )
    for username, pages in {
        "operator": ["/console", f"/console/alerts/{number}", "/homes", f"/homes/{served.homes['hub-2']}",
                     f"/people/{served.people['hub-2']}", f"/homes?q={NASTY}"],
        "admin": ["/admin"],
    }.items():  # fmt: skip
        async with served.browser_session(username) as browser:
            if username == "operator":
                token = {"csrf_token": await csrf_of(browser, "/console"), "what": "note", "text": NASTY}
                await browser.post(f"/console/alerts/{number}/note", data=token)
            for page in pages:
                text = (await browser.get(page)).text
                assert "<script>alert" not in text, page
                assert "&lt;script&gt;alert" in text, page
                assert "\x1b" not in text
                assert not re.search(r"<(script|style)(?![^>]*src)[^>]*>|\son\w+=|\sstyle=", text), page


async def test_homes_are_found_by_what_one_knows(served: World) -> None:
    await served.add_home("hub-22", "Zoë O'Neil", address="100% Pine_Court")
    async with served.browser_session("operator") as browser:
        for words_given, found in (
            ("mill", "Mary Ashworth"), ("an12bc", "Mary Ashworth"), ("ashworth", "Mary"), ("HUB-22", "Zoë"),
            ("o'neil", "Zoë"), ("100%", "Zoë"), ("e_C", "Zoë"),
        ):  # fmt: skip
            text = words((await browser.get("/homes", params={"q": words_given})).text)
            assert found in text, words_given
        for nothing in ("%", "_x", "\\", "nobody at all"):
            text = words((await browser.get("/homes", params={"q": nothing})).text)
            assert ("No home found" in text) is (nothing != "%"), nothing
        assert (await browser.get("/homes", params={"q": "x" * 5000 + "\0"})).status_code == 200


async def test_a_test_window_is_opened_for_one_device_and_at_most_half_an_hour(served: World) -> None:
    home = served.homes["hub-1"]
    await served.reading("hub-1", "pir-hall", "motion", 1.0, datetime.now(UTC) - timedelta(minutes=2))
    async with served.browser_session("admin") as browser:
        token = {"csrf_token": await csrf_of(browser, f"/homes/{home}")}
        for minutes in ("0", "31", "x", "", "1.5", "9999"):
            form = {"device": "pendant-1", "minutes": minutes}
            answer = await browser.post(f"/homes/{home}/test-window", data=form | token)
            assert answer.status_code == 422, minutes
            assert "There is a problem" in answer.text
        unknown = {"device": "nothing", "minutes": "5"}
        assert (await browser.post(f"/homes/{home}/test-window", data=unknown | token)).status_code == 404
        form = {"device": "pendant-1", "minutes": "30"}
        assert (await browser.post(f"/homes/{home}/test-window", data=form | token)).status_code == 303
        text = words((await browser.get(f"/homes/{home}")).text)
    assert "test window until" in text
    assert "2 min ago" in text


async def test_an_alert_of_nobody_known_names_everyone_it_could_be(served: World) -> None:
    async with served.pool.connection() as conn:
        await conn.execute(
            "insert into people (id, home_id, name) values (%s, %s, 'Frank Ashworth')", (uuid7(), served.homes["hub-1"])
        )
    number = await served.alert("hub-1", device="pendant-9")
    async with served.browser_session("operator") as browser:
        text = words((await browser.get(f"/console/alerts/{number}")).text)
    assert "It could be Frank Ashworth" in text
    assert "It could be Mary Ashworth" in text
    assert "07700 900456" in text


async def test_records_that_do_not_exist_are_not_found(served: World) -> None:
    async with served.browser_session("operator") as browser:
        for page in (f"/homes/{uuid7()}", "/homes/1", "/homes/%00", f"/people/{uuid7()}", "/people/x", "/nothing",
                     "/console/alerts/99", f"/console/alerts/{2**64}", "/console/alerts/x"):  # fmt: skip
            answer = await browser.get(page)
            assert answer.status_code == 404, page
            assert answer.headers["content-type"].startswith("text/html")


async def test_messages_are_shown_in_the_demo_only(world: World) -> None:
    number = await world.alert("hub-1")
    await world.claim(number)
    for demo in (False, True):
        settings = world.settings.model_copy(update={"demo": demo})
        async with listening(settings) as world.base, world.browser_session("operator") as browser:
            answer = await browser.get("/messages")
            assert answer.status_code == (200 if demo else 404)
            assert ('href="/messages"' in (await browser.get("/console")).text) is demo
            if demo:
                token = {"csrf_token": await csrf_of(browser, "/console")}
                await browser.post(f"/console/alerts/{number}/notify", data=token)
                await send_messages(world)
                text = words((await browser.get("/messages")).text)
                assert "Susan Ashworth (daughter) 07700 900456" in text
                assert "Mary's alarm went off" in text
                assert "Alert " in text
                assert "sent" in text


async def test_a_responder_sees_where_somebody_was_sent_without_the_code(served: World) -> None:
    number = await served.alert("hub-1", "fall")
    await served.claim(number)
    async with served.pool.connection() as conn:
        await conn.execute(
            "insert into alert_log (alert_id, at, who, what, detail) values (%s, now(), 'operator', 'dispatched', %s)",
            (number, Jsonb({"responder": "Car 2", "note": "Two of you"})),
        )
    async with served.browser_session("responder") as browser:
        text = words((await browser.get("/responder")).text)
    for expected in ("Mary Ashworth", "Car 2: Two of you", "Left of the back door", "Small dog"):
        assert expected in text
    assert "4711" not in text


async def test_a_carer_is_told_what_this_is_and_whom_to_ring(served: World) -> None:
    async with served.browser_session("carer") as browser:
        text = words((await browser.get("/carer")).text)
    assert "01632 960000" in text
    assert "invitation" in text


async def test_an_administrator_sees_what_is_unwell(served: World) -> None:
    async with served.browser_session("admin") as browser:
        text = words((await browser.get("/admin")).text)
        assert "Not everything is well" in text
        await served.all_services_live()
        text = words((await browser.get("/admin")).text)
        assert "All parts are well" in text
        for role in Role:
            assert role.value in text
        async with served.pool.connection() as conn:
            await conn.execute("update service_heartbeats set at = at - interval '70 s' where service = 'alerts'")
        assert "silent: last heard 1 min ago" in words((await browser.get("/admin")).text)


def test_times_are_those_of_the_country_in_summer_and_winter() -> None:
    assert instant(NOON) == "Mon 1 Jun 2026, 13:00:00"
    assert clock_time(datetime(2026, 12, 1, 12, tzinfo=UTC), NOON) == "Tue 1 Dec, 12:00:00"
    assert clock_time(NOON, NOON) == "13:00:00"
    assert instant(None) == "not known"
    spans = [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (119, "1 min"),
        (3600, "1 h"),
        (90000, "25 h"),
        (172800, "2 days"),
    ]
    assert [span(seconds) for seconds, _ in spans] == [text for _, text in spans]
    assert ago(NOON, NOON) == "just now"
    assert age_in_years(datetime(1941, 6, 2, tzinfo=UTC).date(), NOON) == 84


async def test_log_entries_of_any_shape_are_shown(served: World) -> None:
    number = await served.alert("hub-1")
    odd = [("closed", {}), ("welfare-due", {}), ("announced", {"text": "new"}), ("breached", {"a": 1}), ("note", {})]
    async with served.pool.connection() as conn:
        for what, detail in odd:
            await conn.execute(
                "insert into alert_log (alert_id, at, who, what, detail) values (%s, now(), 'system', %s, %s)",
                (number, what, Jsonb(detail)),
            )
    async with served.browser_session("operator") as browser:
        answer: httpx.Response = await browser.get(f"/console/alerts/{number}")
    assert answer.status_code == 200


async def test_an_equipment_test_has_a_page(served: World) -> None:
    number = await served.alert("hub-1", "test")
    async with served.browser_session("operator") as browser:
        answer = await browser.get(f"/console/alerts/{number}")
    assert answer.status_code == 200
    assert "How it ended" in answer.text
