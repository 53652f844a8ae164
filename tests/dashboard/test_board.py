"""The supervisor's board over HTTP."""

import httpx

from dashboard.pages_board import BREACHES_SHOWN
from telecare.db import database_now
from telecare.register import on_call
from telecare.register.on_call import NewOnCall
from telecare.rota import Duty
from tests.dashboard.world import NASTY, World


async def test_a_quiet_room(served: World) -> None:
    async with served.browser_session("supervisor") as browser:
        page = (await browser.get("/board")).text
    for words in ("Nobody waits for an operator.", "Nobody is left alone.", "Nobody is at a screen.", "None: every",
                  "No handover was signed in the last 16 hours", '<a href="/board" aria-current="page">'):  # fmt: skip
        assert words in page, words
    assert page.count("<strong>Nobody</strong>") == 2  # on call
    assert "aria-live" not in page.split('<div id="board"')[1]


async def test_a_busy_room(served: World) -> None:
    await served.add_home("hub-2", NASTY)
    waiting, mine = await served.alert("hub-2", "fall"), await served.alert("hub-1")
    await served.claim(mine)
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        await on_call.add(conn, NewOnCall(duty=Duty.SUPERVISOR, name="Ann Reed", phone="07700 900555"), "admin", now)
        await conn.execute(
            "update alerts set raised_at = raised_at - interval '200 s', waiting_since = now() - interval '200 s'"
        )
        await conn.execute("update alerts set claimed_at = claimed_at - interval '150 s' where id = %s", (mine,))
        await conn.execute(
            """insert into alert_log (alert_id, at, who, what)
               select %s, now() - n * interval '1 s', 'system', 'breached' from generate_series(1, %s) n""",
            (waiting, BREACHES_SHOWN + 1),
        )
        await conn.execute(
            """insert into consoles (id, username, opened_at, seen_at)
               values (gen_random_uuid(), 'operator', now() - interval '1 h', now())"""
        )
    async with served.browser_session("supervisor") as browser:
        page = (await browser.get("/board")).text
        part = (await browser.get("/board/now")).text
    assert NASTY not in page
    said = (
        "connected", "1 in 1 h", "over 1 min", "over 2 min", "with Operator One", "Ann Reed", "still unclaimed",
        f"Breaches in the last 24 hours: {BREACHES_SHOWN + 1}", f"The newest {BREACHES_SHOWN}:", "97.5%", "not reached",
        f"/console/alerts/{waiting}",
    )  # fmt: skip
    for text in (page, part):
        for words in said:
            assert words in text, words
    assert "<html" not in part
    assert part.count("still unclaimed") == BREACHES_SHOWN


async def test_the_board_is_for_supervisors(served: World) -> None:
    async with served.browser_session("operator") as browser:
        assert (await browser.get("/board/now")).status_code == httpx.codes.FORBIDDEN
        assert 'href="/board"' not in (await browser.get("/console")).text
