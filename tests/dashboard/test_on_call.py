"""The page of those on call: who is rung, when, and whether tests reach them."""

from typing import Any
from uuid import UUID

import httpx

from alerts import queue
from alerts.providers import DemoProvider
from alerts.service import Engine
from telecare.clock import SystemClock
from telecare.db import database_now
from telecare.register import on_call
from telecare.register.on_call import NewOnCall
from telecare.rota import Channel, Duty, Window
from tests.dashboard.test_states import page
from tests.dashboard.world import World, csrf_of, send_messages
from tests.helpers import one, rows

ALI = {"name": "Ali Khan", "phone": "07700 900555", "email": "", "duty": "supervisor", "council": "all"}


async def some_on_call(world: World) -> UUID:
    """Two people with every kind of entry; the supervisor's number."""
    async with world.pool.connection() as conn:
        now = await database_now(conn)
        ali = NewOnCall(duty=Duty.SUPERVISOR, name="Ali Khan-Featherstonehaugh", phone="07700 900555")
        bea = NewOnCall(
            duty=Duty.SECOND_SITE, name="Bea Long", phone="07700 900556", email="bea@second-site.example.org"
        )
        first, second = [await on_call.add(conn, new, "admin", now) for new in (ali, bea)]
        await on_call.add_window(conn, second, Window(frozenset({1, 2, 3}), 20 * 60, 32 * 60), "admin", now)
        await on_call.note_test(conn, first, Channel.VOICE, True, "admin", now)
        await on_call.note_test(conn, second, Channel.SMS, False, "admin", now)
    return first


async def sent(world: World, path: str, by: str = "supervisor", **values: Any) -> httpx.Response:
    async with world.browser_session(by) as browser:
        data = {"csrf_token": await csrf_of(browser, "/on-call"), **values}
        return await browser.post(f"/on-call{path}", data=data)


async def test_a_supervisor_puts_somebody_on_call_and_the_page_says_what_is_missing(served: World) -> None:
    text = await page(served, "/on-call")
    council = await one(served.pool, "select name from councils")
    assert f"{council}: nobody is on call as supervisor." in text
    assert f"{council}: nobody is on call as second site." in await page(served, "/plans")
    assert "Put somebody on call" not in text  # an operator reads
    assert (await sent(served, "", **ALI)).status_code == 303
    text = await page(served, "/on-call", "supervisor")
    assert "+447700900555" in text
    assert f"{council}: no number of those on call as supervisor has been tested, or it failed." in text
    assert "Put on call, Ali Khan: supervisor" in text
    assert (await sent(served, "", by="operator", **ALI)).status_code == 403


async def test_what_is_wrong_is_said_and_nothing_is_lost(served: World) -> None:
    answer = await sent(served, "", **ALI | {"phone": "112", "email": "x", "council": "?"})
    assert answer.status_code == 422
    for words in ("too short", "Enter an e-mail address", "Choose for whom they are on call", 'value="Ali Khan"'):
        assert words in answer.text
    assert (await sent(served, "", **ALI)).status_code == 303
    again = await sent(served, "", **ALI)
    assert again.status_code == 422
    assert "This number is on call for that already" in again.text
    number = await one(served.pool, "select id from on_call_people")
    hours = await sent(served, f"/{number}/hours", **{"from": "20:00", "until": "8:00"})
    assert hours.status_code == 422
    assert "Choose one day or more" in hours.text
    assert 'value="20:00"' in hours.text
    assert (await sent(served, f"/{number}/test", arrived="yes", channel="push")).status_code == 422
    assert (await sent(served, f"/{UUID(int=1)}", **ALI)).status_code == 404


async def test_hours_a_change_and_an_end_are_kept_with_who_made_them(served: World) -> None:
    await sent(served, "", **ALI)
    number = await one(served.pool, "select id from on_call_people")
    hours = {"days[]": ["1", "2"], "from": "20:00", "until": "8:00"}
    assert (await sent(served, f"/{number}/hours", **hours)).status_code == 303
    text = await page(served, "/on-call")
    assert "Mon, Tue 20:00 to 08:00" in text
    assert ": nobody is on call as supervisor, " in text  # at the other hours
    assert (await sent(served, f"/{number}", by="admin", **ALI | {"name": "Ali K"})).status_code == 303
    window = await one(served.pool, "select id from on_call_windows")
    assert (await sent(served, f"/{number}/hours", do="remove", one=window)).status_code == 303
    assert (await sent(served, f"/{number}/end")).status_code == 303
    text = await page(served, "/on-call")
    assert "On call no more, Ali K: supervisor" in text
    assert "admin: Changed, Ali K: name" in text
    assert await rows(served.pool, "select what, who from on_call_log order by id") == [
        ("added", "supervisor"), ("window-added", "supervisor"), ("changed", "admin"), ("window-removed", "supervisor"),
        ("ended", "supervisor"),
    ]  # fmt: skip


async def test_a_test_goes_out_by_every_way_and_the_page_says_whether_it_arrived(served: World) -> None:
    await sent(served, "", **ALI | {"email": "ali@example.org"})
    number = await one(served.pool, "select id from on_call_people")
    assert (await sent(served, f"/{number}/test")).status_code == 303
    found = await rows(served.pool, "select channel, recipient, purpose, state from messages order by channel")
    assert found == [
        ("email", "ali@example.org", "test", "pending"), ("sms", "+447700900555", "test", "pending"),
        ("voice", "+447700900555", "test", "pending"),
    ]  # fmt: skip
    assert "Text message not tested" in await page(served, "/on-call")
    await send_messages(served)
    text = await page(served, "/on-call")
    assert "Text message arrived" in text
    assert "Telephone call arrived" in text
    assert "supervisor has been tested" not in text
    assert (await sent(served, f"/{number}/test", arrived="no", channel="voice")).status_code == 303
    assert "Telephone call <strong>did not arrive" in await page(served, "/on-call")
    async with served.pool.connection() as conn:
        found = await queue.messages(conn)  # what the demo's page of messages shows
    assert [(one["contact"], one["relationship"]) for one in found] == [("Ali Khan", "on call")] * 3


async def test_the_alerts_log_says_who_was_rung_or_that_nobody_could_be(served: World) -> None:
    number = await served.alert("hub-1")
    engine = Engine(served.pool, served.settings, DemoProvider(), SystemClock())
    back = "update alerts set waiting_since = waiting_since - interval '60 seconds', due_at = now() returning 1"
    for _ in range(2):
        await rows(served.pool, back)
        while await engine.deadline_step() or await engine.ring_step():
            pass
        await sent(served, "", **ALI)
    text = await page(served, f"/console/alerts/{number}")
    assert "<strong>Not reached on call</strong>: nobody is on call as supervisor or otherwise" in text
    assert "<strong>Rung on call</strong>: Ali Khan (supervisor). text message and call" in text
    body = await one(served.pool, "select body from messages where channel = 'sms'")
    assert f"alert {number} (urgent) has waited 2 min" in body
