"""Carers' pages: links that open nothing by being looked at, consent that counts, nobody else's person."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from alerts import actions, asks
from dashboard.carer_words import Facts, all_well
from telecare.db import database_now
from telecare.ids import uuid7
from telecare.register import carers
from telecare.register.carers import Caring, Consent
from telecare.vocabulary import Role
from tests.dashboard.world import World, csrf_of
from tests.helpers import one, rows

NEW = {"username": "susan", "password": "three plain words"}


@pytest.fixture
async def stranger(served: World) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is not logged in."""
    async with httpx.AsyncClient(base_url=served.base, timeout=20) as opened:
        yield opened


async def invited(world: World, hub: str = "hub-1", days: float = 7) -> str:
    """The address of an invitation to the first contact."""
    async with world.pool.connection() as conn:
        now = await database_now(conn)
        return "/i/" + await carers.invite(conn, world.contacts[hub], "operator", now, timedelta(days=days))


async def asked(world: World, hub: str = "hub-1") -> tuple[int, str]:
    """An alert about which the first contact is asked; the address of the link."""
    number = await world.alert(hub)
    await world.claim(number)
    async with world.pool.connection() as conn:
        await actions.ask_contact(conn, world.settings, number, "operator", await database_now(conn))
    body: str = await one(world.pool, "select body from messages where alert_id = %s", number)
    return number, re.findall(r"(/a/[\w-]+)", body)[0]


async def is_carer(world: World, username: str, hub: str, consent: Consent | None = None) -> None:
    """Let a carer be the first contact of a hub's person."""
    async with world.pool.connection() as conn:
        await conn.execute(
            "update contacts set staff_id = (select id from staff where username = %s) where id = %s",
            (username, world.contacts[hub]),
        )
        if consent is not None:
            now = await database_now(conn)
            person, contact = world.people[hub], world.contacts[hub]
            await carers.record_consent(conn, person, contact, consent, "On the phone", "operator", now)


# ---------------------------------------------------------------- invitations


async def test_an_operator_invites_and_the_contact_gets_a_page(served: World, stranger: httpx.AsyncClient) -> None:
    person, contact = served.people["hub-1"], served.contacts["hub-1"]
    async with served.browser_session("operator") as operator:
        token = {"csrf_token": await csrf_of(operator, f"/people/{person}")}
        page = (await operator.post(f"/people/{person}/contacts/{contact}/invite", data=token)).text
        link = re.findall(r"(/i/[\w-]+)", page)[0]
        assert link not in (await operator.get(f"/people/{person}")).text  # shown once
    body: str = await one(served.pool, "select body from messages where purpose = 'invitation'")
    assert link in body
    for _ in range(3):  # a program that checks messages opens the link: nothing is used up
        assert (await stranger.get(link)).status_code == 200
    bad = await stranger.post(link, data={"username": "Susan!", "password": "short"})
    assert bad.status_code == 422
    assert "at least 10 characters" in bad.text
    taken = await stranger.post(link, data=NEW | {"username": "operator"})
    assert taken.status_code == 422
    assert "operator is taken" in taken.text
    done = await stranger.post(link, data=NEW)
    assert (done.status_code, done.headers["location"]) == (303, "/carer?done=welcome")
    assert "Mary Ashworth" in (await stranger.get("/carer")).text
    assert await one(served.pool, "select role from staff where username = 'susan'") == "carer"
    again = await stranger.post(link, data=NEW | {"username": "else"})
    assert again.status_code == 409
    assert "This invitation has been used" in again.text


async def test_a_link_that_does_not_open_says_why(served: World, stranger: httpx.AsyncClient) -> None:
    old = await invited(served)
    new = await invited(served)
    answer = await stranger.get(old)
    assert answer.status_code == 410
    assert "There is a newer invitation" in answer.text
    assert (await stranger.post(old, data=NEW)).status_code == 409
    async with served.pool.connection() as conn:
        await conn.execute(
            "update invitations set made_at = made_at - interval '9 days', ends_at = ends_at - interval '8 days'"
        )
    assert "This invitation has run out" in (await stranger.get(new)).text
    assert (await stranger.post(new, data=NEW)).status_code == 409
    for forged in ("/i/" + "x" * 22, "/a/" + "x" * 16, "/i/%00", "/a/%00", "/a/" + "y" * 5000):
        answer = await stranger.get(forged)
        assert answer.status_code == 404, forged
        assert "not one of ours, or was not copied whole" in answer.text.lower()
    assert await one(served.pool, "select count(*) from staff where username = 'susan'") == 0


async def test_one_invitation_two_browsers_one_login(served: World) -> None:
    link = await invited(served)
    async with httpx.AsyncClient(base_url=served.base, timeout=20) as a, httpx.AsyncClient(base_url=served.base) as b:
        b.timeout = httpx.Timeout(20)
        answers = await asyncio.gather(
            a.post(link, data=NEW | {"username": "one"}), b.post(link, data=NEW | {"username": "two"})
        )
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert await one(served.pool, "select count(*) from staff where username in ('one', 'two')") == 1


async def test_a_carer_who_has_a_page_adds_a_second_person_to_it(served: World) -> None:
    await served.add_home("hub-2", "Ada Birch")
    await is_carer(served, "carer", "hub-1")
    link = await invited(served, "hub-2")
    async with served.browser_session("carer") as browser:
        assert "Add Ada to my page" in (await browser.get(link)).text
        assert (await browser.post(link)).status_code == 303
        page = (await browser.get("/carer")).text
        assert "Mary Ashworth" in page
        assert "Ada Birch" in page
    link = await invited(served, "hub-2")
    async with served.browser_session("operator") as browser:
        refused = await browser.post(link)
        assert refused.status_code == 422
        assert "Log out, and open the link again" in refused.text


async def test_guessing_links_is_slowed_down(served: World, stranger: httpx.AsyncClient) -> None:
    answers = [(await stranger.get(f"/a/guess{n}")).status_code for n in range(served.settings.login_attempts + 2)]
    assert answers[0] == 404
    assert answers[-1] == 429
    _, link = await asked(served)
    assert (await stranger.get(link)).status_code == 200  # the right link is not held up by others' guesses


# ---------------------------------------------------------------- the answer


async def test_looking_at_the_link_changes_nothing_and_one_tap_answers(
    served: World, stranger: httpx.AsyncClient
) -> None:
    number, link = await asked(served)
    for method in ("GET", "GET", "HEAD"):
        await stranger.request(method, link)
    assert await rows(served.pool, "select answer from asks") == [(None,)]
    page = (await stranger.get(link)).text
    assert "Can you go to Mary?" in page
    for secret in ("4711", "Osteoporosis", "Mill Lane", "Walks with a frame"):
        assert secret not in page
    other = await stranger.post(
        link, data={"answer": "going", "minutes": "20"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert other.status_code == 403
    for wrong in ({}, {"answer": "perhaps"}, {"answer": "going"}, {"answer": "going", "minutes": "9999"}):
        assert (await stranger.post(link, data=wrong)).status_code == 422
    assert (await stranger.post(link, data={"answer": "going", "minutes": "20"})).status_code == 303
    assert "We know that you are going, in about 20 minutes" in (await stranger.get(link)).text
    async with served.browser_session("operator") as operator:
        assert "is going, about 20 min" in (await operator.get(f"/console/alerts/{number}")).text
    await served.close(number)
    over = await stranger.get(link)
    assert "This is over" in over.text
    assert "I cannot go" not in over.text
    assert (await stranger.post(link, data={"answer": "cannot"})).status_code == 303
    assert await rows(served.pool, "select answer from asks") == [("going",)]


async def test_i_am_there_is_one_tap_and_takes_no_answer_after_the_end(
    served: World, stranger: httpx.AsyncClient
) -> None:
    number, link = await asked(served)
    assert "I am there" not in (await stranger.get(link)).text  # nobody has said that they go
    await stranger.post(link, data={"answer": "going", "minutes": "10"})
    assert "I am there" in (await stranger.get(link)).text
    assert await rows(served.pool, "select there_at from asks") == [(None,)]  # looking is no arrival
    for _ in range(2):  # pressed twice is once
        assert (await stranger.post(link, data={"answer": "there"})).status_code == 303
    page = (await stranger.get(link)).text
    assert "We know that you are with Mary." in page
    assert "I cannot stay" in page
    sql = "select count(*) from alert_log where what = 'answered' and detail ->> 'answer' = 'there'"
    assert await one(served.pool, sql) == 1
    assert (await stranger.post("/a/" + "x" * 16, data={"answer": "there"})).status_code == 404
    await served.close(number)
    before = await rows(served.pool, "select answer, there_at, answered_at from asks")
    for late in ({"answer": "cannot"}, {"answer": "there"}, {"answer": "going", "minutes": "30"}):
        assert (await stranger.post(link, data=late)).status_code == 303
    assert await rows(served.pool, "select answer, there_at, answered_at from asks") == before
    assert "This is over" in (await stranger.get(link)).text


async def test_an_operator_sees_who_is_late_and_writes_down_who_is_there(served: World) -> None:
    number, link = await asked(served)
    async with httpx.AsyncClient(base_url=served.base, timeout=20) as browser:
        await browser.post(link, data={"answer": "going", "minutes": "10"})
        async with served.pool.connection() as conn:
            await conn.execute("update asks set arrive_by = answered_at")
            assert await asks.pass_on(conn, served.settings, await database_now(conn))
        assert "we are asking others too" in (await browser.get(link)).text
    contact, at = served.contacts["hub-1"], f"/console/alerts/{number}"
    async with served.browser_session("operator") as operator:
        page = (await operator.get(at)).text
        assert "others are asked" in page
        assert "Susan is there" in page
        token = {"csrf_token": await csrf_of(operator, at), "contact": str(contact)}
        done = await operator.post(f"{at}/contact-there", data=token)
        assert (done.status_code, done.headers["location"]) == (303, f"{at}?done=contact-there")
        wrong = await operator.post(f"{at}/contact-there", data=token | {"contact": str(uuid7())})
        assert wrong.status_code == 404
    sql = "select who, detail ->> 'contact' from alert_log where what = 'contact-answered'"
    assert await rows(served.pool, sql) == [("operator", "Susan Ashworth")]


async def test_what_a_week_asked_of_a_contact_is_shown_to_both(served: World) -> None:
    await is_carer(served, "carer", "hub-1")
    for _ in range(4):
        number, _ = await asked(served)
        await served.close(number)
    async with served.pool.connection() as conn:  # at noon, whatever the time is now
        await conn.execute("update contacts set quiet_from = '00:00', quiet_until = '00:00'")
    async with served.browser_session("carer") as carer, served.browser_session("operator") as operator:
        mine = (await carer.get("/carer")).text
        assert "In the last seven days we asked you to go 4 times." in mine
        assert "That is more than we want to ask of you" in mine
        record = (await operator.get(f"/people/{served.people['hub-1']}")).text
    assert (
        "Susan was asked 4 times this week. That is more than 3 alerts and 1 night a week: change the plan." in record
    )


async def test_a_carer_answers_on_their_own_page_and_only_there(served: World) -> None:
    await served.add_home("hub-2", "Ada Birch")
    await served.add_colleague("other", Role.CARER)
    await is_carer(served, "carer", "hub-1")
    await is_carer(served, "other", "hub-2")
    await asked(served)
    number: UUID = await one(served.pool, "select id from asks")
    async with served.browser_session("other") as other:
        token = {"csrf_token": await csrf_of(other, "/carer")}
        page = (await other.get("/carer")).text
        assert "Ada Birch" in page
        assert "Mary" not in page
        refused = await other.post(f"/carer/asks/{number}", data=token | {"answer": "cannot"})
        assert refused.status_code == 404
        theirs = served.contacts["hub-1"]
        assert (await other.post(f"/carer/contacts/{theirs}/test", data=token)).status_code == 404
    assert await rows(served.pool, "select answer from asks") == [(None,)]
    async with served.browser_session("carer") as mine:
        token = {"csrf_token": await csrf_of(mine, "/carer")}
        assert "Can you go to Mary?" in (await mine.get("/carer")).text
        assert (await mine.post(f"/carer/asks/{number}", data=token | {"answer": "cannot"})).status_code == 303
        assert "We know that you cannot go." in (await mine.get("/carer")).text
        own = served.contacts["hub-1"]
        assert (await mine.post(f"/carer/contacts/{own}/test", data=token)).status_code == 303
        assert "waiting to be sent" in (await mine.get("/carer")).text
        assert (await mine.post(f"/carer/contacts/{uuid7()}/test", data=token)).status_code == 404


# ---------------------------------------------------------------- consent


async def test_a_carer_sees_what_the_person_allows_and_no_more_at_once(served: World) -> None:
    await is_carer(served, "carer", "hub-1")
    number = await served.alert("hub-1", "fall")
    person, contact = served.people["hub-1"], served.contacts["hub-1"]
    async with served.browser_session("carer") as browser, served.browser_session("operator") as operator:
        before = (await browser.get("/carer")).text
        assert before.count("has not chosen to share this with you") == 4
        assert "went off" not in before
        token = {"csrf_token": await csrf_of(operator, f"/people/{person}")}
        form = f"/people/{person}/contacts/{contact}/consent"
        unsaid = await operator.post(form, data=token | {"alerts": "yes"})
        assert unsaid.status_code == 422
        assert "Write down how the person said so" in unsaid.text
        await operator.post(form, data=token | {"alerts": "yes", "said": "On the phone"})
        seen = (await browser.get("/carer")).text
        assert "went off at" in seen
        assert seen.count("has not chosen to share this with you") == 2
        assert "May see: <strong>alerts</strong>" in re.sub(r"\s+", " ", (await operator.get(f"/people/{person}")).text)
        await served.claim(number)
        await served.close(number)
        assert "Mary told us how things were." in (await browser.get("/carer")).text
        await operator.post(form, data=token | {"said": "She has changed her mind"})
        assert (await browser.get("/carer")).text.count("has not chosen to share this with you") == 4
    assert await one(served.pool, "select count(*) from consents") == 2  # what counted before stays on record


async def test_a_contact_of_somebody_else_is_not_this_persons(served: World) -> None:
    await served.add_home("hub-2", "Ada Birch")
    person, foreign = served.people["hub-1"], served.contacts["hub-2"]
    async with served.browser_session("operator") as operator:
        token = {"csrf_token": await csrf_of(operator, f"/people/{person}"), "said": "x", "alerts": "yes"}
        for step in ("consent", "invite"):
            assert (await operator.post(f"/people/{person}/contacts/{foreign}/{step}", data=token)).status_code == 404
    assert await one(served.pool, "select count(*) from consents") == 0
    assert await one(served.pool, "select count(*) from invitations") == 0


def test_each_line_needs_its_own_consent() -> None:
    def lines(**consent: bool) -> list[str]:
        caring = Caring(
            contact_id=UUID(int=1), contact="Jo", phone="", email="", person_id=UUID(int=2), person="Mary Green",
            called="Mary", home_id=UUID(int=3), timezone="Europe/London", channels=[], consent=Consent(**consent),
        )  # fmt: skip
        facts = Facts(open_since=None, answered=False, moved_at=None, equipment_well=False, hub_heard_at=None)
        return [line.tone for line in all_well(caring, facts, lambda at: "noon")]

    assert lines() == ["quiet", "quiet", "quiet"]
    assert lines(alerts=True) == ["well", "quiet", "quiet"]
    assert lines(equipment=True) == ["quiet", "quiet", "look"]
