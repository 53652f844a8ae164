"""Contacts who end, on the page and by the API; why a contact is not asked, beside their name; public holidays."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from alerts import actions, reach_store
from alerts.reach import why_not
from dashboard.api_contacts import ContactList
from telecare.db import database_now
from telecare.errors import Refused
from telecare.register import carers, councils, holidays, rota
from telecare.rota import Absence, Channel, Window
from tests.dashboard.test_carers import is_carer
from tests.dashboard.test_escalation import contact_ids, reached, sent
from tests.dashboard.test_states import died, page
from tests.dashboard.world import World, csrf_of
from tests.helpers import one, rows

EVERY_DAY = frozenset(range(1, 8))


async def ended(world: World, contact: UUID, why: str = "moved to Spain; her own word") -> None:
    assert (await sent(world, f"/contacts/{contact}/end", why=why))[0] == 303


async def alert_page(world: World, number: int) -> str:
    text = await page(world, f"/console/alerts/{number}")
    return text[text.index("<h2>Contacts</h2>") :]


# ---------------------------------------------------------------- the end of being a contact


async def test_a_contact_is_taken_off_the_plan_with_a_reason_and_brought_back(served: World) -> None:
    susan, tom = await contact_ids(served)
    plan = f"/people/{served.people['hub-1']}/escalation"
    status, text = await sent(served, f"/contacts/{susan}/end", why=" ")
    assert status == 422
    assert "Write down why" in text
    await ended(served, susan)
    await ended(served, tom, "died")
    text = await page(served, plan, "supervisor")
    assert "There is no contact: nobody can be asked" in text  # at once
    assert "moved to Spain; her own word (supervisor)" in text
    assert "No contact any more, Susan Ashworth: moved to Spain; her own word" in text
    assert "Susan Ashworth" not in await page(served, f"/people/{served.people['hub-1']}")
    assert "There is no contact: nobody can be asked" in await page(served, "/plans")
    assert "Make Susan Ashworth a contact again" not in await page(served, plan)  # an operator reads
    for path in ("", "/move", "/rota", "/end", "/consent", "/invite"):
        assert (await sent(served, f"/contacts/{susan}{path}", why="x", said="x", do="remove", one=susan))[0] in (
            404,
            422,
        )
    assert (await sent(served, f"/contacts/{susan}/restore"))[0] == 303
    assert (await sent(served, f"/contacts/{susan}/restore"))[0] == 409
    text = await page(served, plan, "supervisor")
    assert f'id="contact-{susan}"' in text
    assert f'id="contact-{tom}"' not in text
    assert "A contact again, Susan Ashworth" in text


async def test_a_new_contact_and_the_order_leave_the_place_of_who_has_ended(served: World) -> None:
    susan, tom = await contact_ids(served)
    await ended(served, tom)
    good = {"name": "Ali Khan", "language": "Urdu", "night": "unasked", "quiet_from": "22:00", "quiet_until": "7:00"}
    assert (await sent(served, "/contacts", **good, **{"channels[]": ["sms", "voice"]}))[0] == 303
    ali = await one(served.pool, "select id from contacts where name = 'Ali Khan'")
    assert (await sent(served, f"/contacts/{ali}/move", to="earlier"))[0] == 303
    assert (await sent(served, f"/contacts/{tom}/restore"))[0] == 303
    assert await contact_ids(served) == [ali, tom, susan]
    assert await one(served.pool, "select channels from contacts where id = %s", ali) == ["sms", "voice"]
    assert "Not by push message or e-mail." in await page(served, f"/people/{served.people['hub-1']}/escalation")


async def test_their_login_and_their_links_show_the_person_no_more(served: World) -> None:
    await is_carer(served, "carer", "hub-1", carers.Consent(alerts=True, activity=True, equipment=True))
    susan = served.contacts["hub-1"]
    number = await served.alert("hub-1")
    await served.claim(number)
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        await actions.ask_contact(conn, served.settings, number, "operator", now)
        invitation = await carers.invite(conn, susan, "operator", now, timedelta(days=1))
    ask, body = (await rows(served.pool, "select k.id, m.body from asks k join messages m on m.alert_id = k.alert_id"))[
        0
    ]
    link = body[body.index("/a/") :].split(" ")[0]
    assert "Mary" in await page(served, "/carer", "carer")
    await ended(served, susan)
    assert "Mary" not in await page(served, "/carer", "carer")
    async with served.browser_session("carer") as browser:
        token = {"csrf_token": await csrf_of(browser, "/carer"), "answer": "going", "minutes": "10"}
        await browser.post(f"/carer/asks/{ask}", data=token)
        assert (await browser.post(f"/carer/contacts/{susan}/test", data=token)).status_code == 404
        assert (await browser.get(f"/i/{invitation}")).status_code == 410
    async with httpx.AsyncClient(base_url=served.base) as anybody:
        for answer in (
            await anybody.get(link),
            await anybody.post(link, data={"answer": "cannot"}, follow_redirects=True),
        ):
            assert "You are not asked any more" in answer.text
            assert "Mary" not in answer.text
    assert await rows(served.pool, "select answer from asks where id = %s", ask) == [(None,)]


async def test_the_api_lists_ends_and_restores(served: World, client: httpx.AsyncClient) -> None:
    susan, tom = await contact_ids(served)
    path = f"/api/people/{served.people['hub-1']}/contacts"
    reader, planner = await served.token("operator"), await served.token("supervisor")
    listed = ContactList.model_validate((await client.get(path, headers=reader)).json())
    assert [contact.id for contact in listed.contacts] == [susan, tom]
    assert listed.contacts[0].channels == list(Channel)
    end = f"{path}/{susan}/end"
    assert (await client.post(end, json={"why": "moved"}, headers=reader)).status_code == 403
    for wrong in ({}, {"why": ""}, {"why": "x" * 201}, {"why": "nul\0"}):
        assert (await client.post(end, json=wrong, headers=planner)).status_code == 422
    found = await client.post(end, json={"why": "moved"}, headers=planner)
    answer = ContactList.model_validate(found.json())
    assert [contact.id for contact in answer.contacts] == [tom]
    assert [(who.id, who.ended_by, who.ended_why) for who in answer.ended] == [(susan, "supervisor", "moved")]
    assert (await client.post(end, json={"why": "moved"}, headers=planner)).status_code == 404
    back = ContactList.model_validate((await client.post(f"{path}/{susan}/restore", headers=planner)).json())
    assert [contact.id for contact in back.contacts] == [susan, tom]
    assert back.ended == []
    await served.add_home("hub-2", "Ravi Patel")
    other = f"/api/people/{served.people['hub-2']}/contacts/{susan}/end"
    assert (await client.post(other, json={"why": "moved"}, headers=planner)).status_code == 404


async def test_ending_and_asking_at_the_same_moment_never_stop_each_other(served: World) -> None:
    """Whoever is first: no deadlock, and nobody who has ended waits with a question."""
    for _ in range(5):
        number = await served.alert("hub-1")
        await served.claim(number)
        susan = served.contacts["hub-1"]

        async def ask(number: int = number) -> None:
            async with served.pool.connection() as conn:
                await actions.ask_contact(conn, served.settings, number, "operator", await database_now(conn))

        await asyncio.gather(ask(), ended(served, susan))
        of_ended = "join contacts c on c.id = o.contact_id where c.ended_at is not null"
        assert await one(served.pool, f"select count(*) from asks o {of_ended} and o.due_at is not null") == 0  # noqa: S608
        pending = f"select count(*) from messages o {of_ended} and o.state = 'pending'"  # noqa: S608
        assert await one(served.pool, pending) == 0
        await sent(served, f"/contacts/{susan}/restore")
        await served.close(number)


# ---------------------------------------------------------------- why a contact is not asked


async def test_the_alert_page_says_why_a_contact_is_not_asked_and_whom_one_may_ask_all_the_same(served: World) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    susan, tom = await contact_ids(served)
    text = await alert_page(served, number)
    assert "No way to Susan Ashworth has been tested." in text
    assert "Ask Susan to go all the same" in text
    await reached(served, susan)
    text = await alert_page(served, number)
    assert "Ask Susan to go </button>" in text or "Ask Susan to go</button>" in text
    async with served.pool.connection() as conn:
        today = (await database_now(conn)).date()
        days = Absence(today - timedelta(days=1), today + timedelta(days=1), "holiday")
        await rota.add_absence(conn, served.people["hub-1"], susan, days, "admin", await database_now(conn))
        await conn.execute("update contacts set under_18 = true, at_night = false where id = %s", (tom,))
    text = await alert_page(served, number)
    assert "Susan Ashworth is away until" in text
    assert "Ask Susan to go all the same" in text
    assert "Tom Hill is under 18 and is not asked to go: another contact is needed." in text
    assert "Ask Tom" not in text
    assert "None of the contacts can be asked to go" not in text
    await rows(served.pool, "update contacts set phone = '' where id = %s returning 1", susan)
    text = await alert_page(served, number)
    assert "Susan Ashworth has no telephone number." in text
    assert "Ask Susan" not in text
    assert "None of the contacts can be asked to go" in text
    await died(served)
    text = await alert_page(served, number)
    assert text.count("Not asked: nobody is written to about Mary Ashworth any more.") == 2


async def test_who_wants_neither_texts_nor_calls_cannot_be_asked_and_the_plan_says_so(served: World) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    await rows(served.pool, "update contacts set channels = '{email}', email = 'x@example.org' returning 1")
    words = "Susan Ashworth has agreed neither to text messages nor to calls"
    assert words in await alert_page(served, number)
    assert words in await page(served, "/plans")


async def test_whom_the_ladder_waits_for_is_shown_and_can_be_stopped(served: World) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        # Quiet but for the minute that was a quarter of an hour ago.
        local = now.astimezone(UTC) - timedelta(minutes=15)
        begin, until = local.time().replace(second=0, microsecond=0), (local - timedelta(minutes=1)).time()
        await conn.execute(
            "update contacts set at_night = false, quiet_from = %s, quiet_until = %s",
            (begin, until.replace(second=0, microsecond=0)),
        )
    async with served.browser_session("operator") as browser:
        path = f"/console/alerts/{number}"
        token = {"csrf_token": await csrf_of(browser, path)}
        assert (await browser.post(f"{path}/notify", data=token)).headers["location"].endswith("done=nobody")
        text = " ".join((await browser.get(path)).text.split())
        assert ", then Susan Ashworth is asked by itself." in text
        assert (await browser.post(f"{path}/stop-asking", data=token)).status_code == 303
        text = " ".join((await browser.get(path)).text.split())
    assert "is asked by itself." not in text
    assert "no further contact is asked by itself" in text


# ---------------------------------------------------------------- public holidays


async def council(world: World) -> UUID:
    async with world.pool.connection() as conn:
        return (await councils.councils(conn))[0].id


async def test_hours_that_do_not_hold_on_public_holidays_leave_them_out(served: World) -> None:
    susan = (await contact_ids(served))[0]
    await reached(served, susan)
    path = f"/contacts/{susan}/rota"
    hours = {"do": "window", "days[]": [str(day) for day in range(1, 8)], "from": "9:00", "until": "17:00"}
    assert (await sent(served, path, **hours, on_holidays="no"))[0] == 303
    christmas = {"council": str(await council(served)), "day": "25/12/2026", "name": "Christmas Day"}
    async with served.browser_session("supervisor") as browser:
        token = {"csrf_token": await csrf_of(browser, "/holidays")}
        assert (await browser.post("/holidays", data=token | christmas)).status_code == 303
    assert "Fri 25 Dec 2026: Christmas Day" in await page(served, "/holidays")
    assert "Every day 09:00 to 17:00, not on public holidays" in await page(
        served, f"/people/{served.people['hub-1']}/escalation"
    )
    async with served.pool.connection() as conn:
        plan = await reach_store.plan_of(conn, served.people["hub-1"])
    assert plan is not None
    contact = plan.contacts[0]
    for day, on in ((24, True), (25, False), (26, True)):
        assert (why_not(contact, plan.zone, datetime(2026, 12, day, 12, tzinfo=UTC)) is None) is on
    async with served.browser_session("supervisor") as browser:
        token = {"csrf_token": await csrf_of(browser, "/holidays")}
        gone = token | {"council": christmas["council"], "day": "2026-12-25"}
        assert (await browser.post("/holidays/remove", data=gone)).status_code == 303
    assert await one(served.pool, "select count(*) from public_holidays") == 0


@pytest.mark.parametrize(
    ("day", "name", "words"),
    [
        ("soon", "x", "Enter a day"),
        ("31/2/2027", "x", "Enter a day"),
        ("1/1/2027", " ", "Enter what"),
        ("1/1/2027", "x" * 101, "at most 100"),
    ],
)
async def test_a_holiday_that_is_none_comes_back_as_it_was_entered(
    served: World, day: str, name: str, words: str
) -> None:
    async with served.browser_session("admin") as browser:
        values = {"csrf_token": await csrf_of(browser, "/holidays"), "council": str(await council(served))}
        answer = await browser.post("/holidays", data=values | {"day": day, "name": name})
    assert answer.status_code == 422
    assert words in answer.text
    assert await one(served.pool, "select count(*) from public_holidays") == 0


async def test_holidays_are_one_councils_and_the_same_day_is_one(served: World) -> None:
    await served.add_home("hub-2", "Ravi Patel", council="Otherham Council")
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        ours, other = sorted(await councils.councils(conn), key=lambda one: one.name)
        for name in ("Boxing day", "Boxing Day"):
            await holidays.add(conn, ours.id, date(2026, 12, 26), name, "admin", now)
        assert [one.name for one in await holidays.holidays_of(conn, ours.id, date(2026, 1, 1))] == ["Boxing Day"]
        assert await holidays.holidays_of(conn, other.id, date(2026, 1, 1)) == []
        plans = await reach_store.all_plans(conn)
        has = {person: plan.contacts[0].holidays for person, plan in plans.items()}
        assert {len(days) for days in has.values()} == {0, 1}
        with pytest.raises(Refused):
            await holidays.add(conn, ours.id, date(2026, 12, 26), "", "admin", now)


def test_a_window_says_so() -> None:
    assert str(Window(EVERY_DAY, 0, 1440, on_holidays=False)) == "Every day 00:00 to 24:00, not on public holidays"
