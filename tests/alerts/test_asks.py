"""Asking contacts to go, one after the other, on a real database. The test's own clock decides the time."""

import asyncio
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from alerts import actions, asks, asks_store, telling
from alerts.errors import Conflict
from alerts.providers import DemoProvider
from telecare.db import Pool
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.settings import Settings
from telecare.vocabulary import Cause, ConfirmedBy, Outcome
from tests.alerts.test_engine import World, employ
from tests.helpers import mary, one, rows

JO, ALI = "07700 900001", "07700 900002"


class Asking(World):
    """Mary's alert, claimed, and her contacts Jo and Ali."""

    number = 0

    async def begin(self) -> None:
        async with self.pool.connection() as conn:
            await employ(conn, "operator")
        await self.live_in(mary())
        await self.alarm()
        self.number = (await self.open())[0]["id"]
        await self.claim(self.number)

    async def ask(self, contact: UUID | None = None) -> bool:
        async with self.pool.connection() as conn:
            return await actions.ask_contact(conn, self.settings, self.number, "operator", self.now, contact)

    async def asked(self, phone: str) -> UUID:
        sql = "select k.id from asks k join contacts c on c.id = k.contact_id where c.phone = %s"
        found: UUID = await one(self.pool, sql, phone)
        return found

    async def answer(self, phone: str, given: Any, minutes: int | None = None) -> asks.Told:
        ask_id = await self.asked(phone)
        async with self.pool.connection() as conn:
            return await asks.answer(conn, self.settings, ask_id, given, minutes, self.now)

    async def wait(self, seconds: float) -> None:
        await self.later(seconds)
        while await self.engine.ask_step():
            pass

    async def sent(self) -> list[tuple[str, str, str]]:
        """Every message, by whom it is for, what it is about, and how it goes."""
        sql = "select recipient, purpose, channel from messages order by id"
        return [tuple(row) for row in await rows(self.pool, sql)]  # type: ignore[misc]

    async def key(self, phone: str, channel: str) -> str:
        contact = await one(self.pool, "select id from contacts where phone = %s", phone)
        return f"{self.number}:{contact}:ask:1:{channel}"

    async def told(self) -> list[tuple[str, str]]:
        return [
            tuple(row)
            for row in await rows(
                self.pool, "select recipient, purpose from messages where channel = 'sms' order by id"
            )
        ]  # type: ignore[misc]


@pytest.fixture
async def asking(pool: Pool, settings: Settings) -> Asking:
    made = Asking(pool, settings, DemoProvider())
    await made.begin()
    return made


async def test_contacts_are_rung_and_passed_on_from_until_nobody_is_left(asking: Asking) -> None:
    assert await asking.ask()
    assert await asking.sent() == [(JO, "ask", "sms")]
    await asking.wait(89)
    assert len(await asking.sent()) == 1
    await asking.wait(1)
    assert await asking.sent() == [(JO, "ask", "sms"), (JO, "ask", "voice")]
    await asking.wait(90)
    assert (await asking.sent())[2:] == [(ALI, "ask", "sms"), (JO, "next", "sms")]
    await asking.wait(90)
    await asking.wait(90)
    assert (await asking.sent())[4:] == [(ALI, "ask", "voice")]
    about = ("notified", "contact-tried", "notify-failed")
    assert [what for what in await asking.history() if what in about] == [
        "notified", "notified", "contact-tried", "notified", "notified", "contact-tried", "notify-failed",
    ]  # fmt: skip
    spoken: str = await one(asking.pool, "select body from messages where channel = 'voice' and recipient = %s", JO)
    assert "Press 1 if you can go, 2 if you cannot" in spoken
    assert "/a/" not in spoken


async def test_a_yes_ends_the_asking_and_everyone_is_told(asking: Asking) -> None:
    await asking.ask()
    await asking.wait(180)
    told = await asking.answer(ALI, "going", 20)
    assert (told.taken, told.answer, told.person) == (True, "going", "Mary")
    alert = await asking.alert()
    assert (alert["state"], alert["claimed_by"]) == ("watching", "operator")  # it stays with its operator
    assert alert["log"][-2]["detail"]["text"] == "is going, about 20 min"
    assert alert["log"][-1]["what"] == "announced"
    assert await asking.told() == [(JO, "ask"), (ALI, "ask"), (JO, "next"), (JO, "going")]
    await asking.wait(20 * 60)
    assert len(await asking.told()) == 4
    await asking.answer(ALI, "there")
    await asking.wait(10_000)
    await asking.close(asking.number)
    assert (await asking.told())[4:] == [(JO, "over"), (ALI, "over")]
    body: str = await one(asking.pool, "select body from messages where purpose = 'over' and recipient = %s", JO)
    assert "Mary is safe. Ali was there at 12:23." in body


async def test_everyone_is_asked_again_but_who_said_no_and_the_end_is_said(asking: Asking) -> None:
    await asking.ask()
    await asking.answer(JO, "cannot")
    await asking.wait(180)
    assert await asking.told() == [(JO, "ask"), (ALI, "ask")]
    for number in (2, 3, 4):
        await asking.wait(599)
        assert len(await asking.told()) == number
        await asking.wait(1)
        log = (await asking.alert())["log"]
        assert f"asked again, round {number} of 4" in str(log[-3:])
        assert (await asking.told())[-1] == (ALI, "ask")
        await asking.wait(180)
    assert await asking.told() == [(JO, "ask"), *[(ALI, "ask")] * 4]
    failed = [entry["detail"] for entry in (await asking.alert())["log"] if entry["what"] == "notify-failed"]
    assert [one["again"] for one in failed] == [True, True, True, False]
    assert failed[-1]["why"] == "every contact has been asked in 4 rounds; nobody is asked any more"
    sounded = [
        entry["detail"].get("because") for entry in (await asking.alert())["log"] if entry["what"] == "re-sounded"
    ]
    assert failed[-1]["why"] in sounded
    await asking.wait(100_000)
    assert len(await asking.told()) == 5
    assert (await asking.history()).count("notify-failed") == 4
    # Both links of the one question still lead to it.
    links = await rows(asking.pool, "select count(*) from ask_links group by ask_id order by 1")
    assert links == [(1,), (4,)]


async def test_with_every_contact_unwilling_nobody_is_asked_again(asking: Asking) -> None:
    await asking.ask()
    await asking.answer(JO, "cannot")
    await asking.answer(ALI, "cannot")
    log = (await asking.alert())["log"]
    assert (log[-2]["what"], log[-1]["what"]) == ("notify-failed", "re-sounded")
    assert await one(asking.pool, "select ended_at is not null from ladders")
    await asking.wait(100_000)
    assert len(await asking.told()) == 2
    assert (await asking.answer(ALI, "going", 10)).taken  # somebody thinks again


async def test_a_late_arrival_opens_the_ladder_again_once(asking: Asking) -> None:
    await asking.ask()
    await asking.answer(JO, "going", 10)
    await asking.wait(20 * 60 - 1)  # ten minutes, and the grace
    assert await asking.told() == [(JO, "ask")]
    await asking.wait(1)
    assert await asking.told() == [(JO, "ask"), (JO, "late"), (ALI, "ask")]
    log = (await asking.alert())["log"]
    assert [entry["what"] for entry in log[-3:]] == ["contact-tried", "re-sounded", "notified"]
    assert "not there yet" in log[-3]["detail"]["text"]
    assert (await asking.answer(JO, "going", 5)).taken  # a second promise stops nobody, and is not counted again
    await asking.wait(180)
    assert await asking.told() == [(JO, "ask"), (JO, "late"), (ALI, "ask")]
    assert (await asking.history()).count("re-sounded") == 2  # the late arrival, and nobody left
    await asking.answer(JO, "there")
    assert (await asking.told())[3:] == [(ALI, "going")]
    assert "Jo is with Mary" in await one(asking.pool, "select body from messages where purpose = 'going'")
    await asking.wait(100_000)
    assert len(await asking.told()) == 4


async def test_nobody_is_late_or_asked_for_a_person_who_is_safe(asking: Asking) -> None:
    await asking.ask()
    await asking.answer(JO, "going", 10)
    await asking.act(actions.mark_safe, asking.number, "operator", ConfirmedBy.PERSON, "Her own words", asking.now)
    await asking.wait(10_000)
    assert await asking.told() == [(JO, "ask")]
    await asking.alarm()  # unsays it
    await asking.wait(600)
    assert (await asking.told())[1:] == [(JO, "late"), (ALI, "ask")]


async def test_who_does_not_answer_about_somebody_safe_is_followed_by_the_next_once_that_is_unsaid(
    asking: Asking,
) -> None:
    await asking.ask()
    await asking.act(actions.mark_safe, asking.number, "operator", ConfirmedBy.PERSON, "Her own words", asking.now)
    await asking.wait(2000)
    assert await asking.told() == [(JO, "ask")]
    await asking.alarm()
    await asking.wait(600)
    assert (await asking.told())[1:] == [(ALI, "ask")]  # in the same round: Jo is not asked again


async def test_an_accidental_press_that_is_answered_texts_nobody(asking: Asking) -> None:
    await asking.close(asking.number, cause=Cause.ACCIDENTAL, outcomes=[Outcome.NO_HELP_NEEDED])
    await asking.wait(100_000)
    assert await asking.sent() == []
    assert await rows(asking.pool, "select * from ladders") == []


@pytest.mark.parametrize(
    ("kind", "asks_at_once"), [("button", True), ("inactivity", True), ("battery-low", False), ("test", False)]
)
async def test_with_the_plan_carer_alert_contacts_are_asked_at_once(
    pool: Pool, settings: Settings, kind: str, asks_at_once: bool
) -> None:
    world = Asking(pool, settings, DemoProvider())
    await world.live_in(mary())
    async with pool.connection() as conn:
        await conn.execute("update people set service_type = 'carer-alert'")
    await world.alarm(kind=kind)
    await world.alarm(kind=kind)  # a second one joins, and asks nobody again
    await world.wait(0)
    assert await world.told() == ([(JO, "ask")] if asks_at_once else [])
    if asks_at_once:
        log = (await world.alert())["log"]
        assert log[-2]["detail"]["text"] == "the plan is carer alert: the contacts are asked at once"
        await world.wait(30)
        await world.wait(150)  # a breach beside it asks nobody besides
        assert await world.told() == [(JO, "ask"), (ALI, "ask"), (JO, "next")]


async def test_an_alert_that_was_closed_before_its_ladder_began_asks_nobody(pool: Pool, settings: Settings) -> None:
    world = Asking(pool, settings, DemoProvider())
    await world.live_in(mary())
    async with pool.connection() as conn:
        await employ(conn, "operator")
        await conn.execute("update people set service_type = 'carer-alert'")
    await world.alarm()
    world.number = (await world.open())[0]["id"]
    await world.claim(world.number)
    await world.close(world.number)
    await world.wait(10)
    assert await world.sent() == []


async def test_engines_pass_over_an_alert_that_another_one_works_on(asking: Asking) -> None:
    await asking.ask()
    asking.now += timedelta(seconds=180)
    async with asking.pool.connection() as other, other.transaction():
        await asks_store.lock_alert(other, asking.number)
        assert not await asking.engine.ask_step()
    steps = await asyncio.gather(*(asking.engine.ask_step() for _ in range(6)))
    assert any(steps)
    await asking.wait(0)
    assert await asking.told() == [(JO, "ask"), (ALI, "ask"), (JO, "next")]


async def test_what_waits_to_be_sent_is_withdrawn_once_it_is_not_needed(asking: Asking) -> None:
    await asking.ask()
    await asking.wait(90)
    await asking.answer(JO, "cannot")
    left = "select purpose, channel from messages where recipient = %s and state = 'pending'"
    assert await rows(asking.pool, left, JO) == []
    await asking.close(asking.number)
    assert await rows(asking.pool, left, ALI) == [("over", "sms")]


async def test_a_contact_is_written_to_by_every_way_there_is(asking: Asking) -> None:
    async with asking.pool.connection() as conn:
        await conn.execute("update contacts set email = 'jo@anytown.example' where place = 1")
    await asking.ask()
    assert await rows(asking.pool, "select channel, recipient, idempotency_key from messages order by channel") == [
        ("email", "jo@anytown.example", await asking.key(JO, "email")), ("sms", JO, await asking.key(JO, "sms")),
    ]  # fmt: skip
    assert "yes or no: http://" in await one(asking.pool, "select body from messages where channel = 'email'")


async def test_a_contact_is_reached_only_by_the_ways_they_agreed_to(asking: Asking) -> None:
    await rows(asking.pool, "update contacts set email = phone || '@anytown.example' returning 1")
    await rows(asking.pool, "update contacts set channels = '{email,sms}' where phone = %s returning 1", JO)
    await rows(asking.pool, "update contacts set channels = '{voice}' where phone = %s returning 1", ALI)
    await asking.ask()
    await asking.wait(179)
    assert [channel for _, _, channel in await asking.sent()] == ["sms", "email"]  # and no call after 90 s
    await asking.wait(1)
    assert [(who, what) for who, what, _ in await asking.sent()][2:] == [(JO, "next")]
    await asking.wait(90)
    assert (await asking.sent())[3:] == [(ALI, "ask", "voice")]


async def test_push_and_text_go_at_once_and_a_way_whose_test_failed_goes_last(asking: Asking) -> None:
    await rows(
        asking.pool,
        """with login as (insert into staff (id, username, display_name, role, password_hash)
                          values (gen_random_uuid(), 'jo', 'Jo', 'carer', 'none') returning id),
                contact as (update contacts set staff_id = (select id from login), email = 'jo@anytown.example'
                             where phone = %s returning id)
           insert into push_subscriptions (id, staff_id, endpoint, p256dh, auth, created_at)
           select gen_random_uuid(), login.id, 'https://push.example/1', 'x', 'x', now() from login, contact
           returning 1""",
        JO,
    )
    await rows(
        asking.pool,
        """insert into contact_ways (contact_id, channel, address, failed_at)
           select id, 'sms', phone, now() from contacts where phone = %s returning 1""",
        JO,
    )
    await asking.ask()
    assert [channel for _, _, channel in await asking.sent()] == ["push", "email", "sms"]
    assert await one(asking.pool, "select count(distinct next_try_at) from messages") == 1


async def test_a_way_that_is_refused_before_a_message_leaves_is_not_used(asking: Asking) -> None:
    await asking.ask()
    await rows(asking.pool, "update contacts set channels = '{voice}' where phone = %s returning 1", JO)
    while await asking.engine.message_step():
        pass
    assert await rows(asking.pool, "select state, failure from messages") == [
        ("stale", "the contact does not want to be reached this way")
    ]
    with pytest.raises(psycopg.errors.CheckViolation):
        await rows(asking.pool, "update contacts set channels = '{pigeon}' returning 1")


async def test_an_operator_writes_down_that_a_contact_is_there(asking: Asking) -> None:
    await asking.ask()
    jo: UUID = await one(asking.pool, "select id from contacts where phone = %s", JO)
    ali: UUID = await one(asking.pool, "select id from contacts where phone = %s", ALI)
    async with asking.pool.connection() as conn:
        await actions.contact_there(conn, asking.settings, asking.number, "operator", jo, asking.now)
        with pytest.raises(NotFound):
            await actions.contact_there(conn, asking.settings, asking.number, "operator", ali, asking.now)
        with pytest.raises(Conflict):
            await actions.contact_there(conn, asking.settings, asking.number, "second", jo, asking.now)
    entry = (await asking.alert())["log"][-1]
    assert (entry["what"], entry["who"], entry["detail"]["contact"]) == ("contact-answered", "operator", "Jo Green")
    await asking.wait(10_000)
    assert await asking.told() == [(JO, "ask")]


async def test_an_ambulance_that_leaves_is_told_to_everyone_who_was_asked(asking: Asking) -> None:
    await asking.ask()
    async with asking.pool.connection() as conn:
        await asks.to_hospital(conn, asking.settings, asking.number, "Anytown Hospital", asking.now, asking.now)
    body: str = await one(asking.pool, "select body from messages where purpose = 'hospital'")
    assert "taking Mary to Anytown Hospital. It left at 12:00" in body


async def test_somebody_who_says_yes_and_no_in_turn_is_not_passed_on_each_time(asking: Asking) -> None:
    await asking.ask()
    await asking.answer(JO, "cannot")
    for _ in range(6):
        await asking.answer(JO, "going", 10)
        await asking.answer(JO, "cannot")
    assert (await asking.told()).count((ALI, "going")) == 3


async def test_help_is_under_way_once_one_goes_and_nobody_else_is_asked(asking: Asking) -> None:
    """Found by the simulation: the state was written before the others' questions were withdrawn."""
    assert await asking.ask()
    assert await asking.ask()
    await asking.answer(JO, "going", 20)
    assert (await asking.alert())["state"] == "watching"


async def test_a_no_moves_on_at_once(asking: Asking) -> None:
    await asking.ask()
    assert (await asking.answer(JO, "cannot")).taken
    assert await asking.told() == [(JO, "ask"), (ALI, "ask")]
    assert (await asking.answer(JO, "cannot")).taken  # pressed twice: nothing more happens
    assert len(await asking.told()) == 2
    assert (await asking.history()).count("answered") == 1


async def test_a_yes_that_is_taken_back_asks_again(asking: Asking) -> None:
    await asking.ask()
    await asking.answer(JO, "going", 10)
    assert (await asking.answer(JO, "cannot")).answer == "cannot"
    assert await asking.told() == [(JO, "ask"), (ALI, "ask")]
    assert (await asking.answer(JO, "going", 30)).taken


async def test_a_late_answer_is_taken_until_the_alert_has_ended(asking: Asking) -> None:
    await asking.ask()
    await asking.wait(400)
    assert (await asking.answer(JO, "going", 10)).taken
    assert (await asking.told())[-1] == (ALI, "going")
    await asking.close(asking.number)
    late = await asking.answer(ALI, "going", 10)
    assert (late.taken, late.answer) == (False, None)
    assert (await asking.history())[-1] == "closed"


async def test_minutes_must_be_possible_and_a_question_must_exist(asking: Asking) -> None:
    await asking.ask()
    for minutes in (None, 0, 241, -5):
        with pytest.raises(Refused, match="how many minutes"):
            await asking.answer(JO, "going", minutes)
    async with asking.pool.connection() as conn:
        with pytest.raises(NotFound):
            await asks.answer(conn, asking.settings, uuid7(), "cannot", None, asking.now)


async def test_a_certain_contact_can_be_asked_and_each_once(asking: Asking) -> None:
    ali: UUID = await one(asking.pool, "select id from contacts where phone = %s", ALI)
    assert await asking.ask(ali)
    assert await asking.ask(ali)
    assert await asking.told() == [(ALI, "ask")]


async def test_the_link_of_the_message_belongs_to_this_question_alone(asking: Asking) -> None:
    await asking.ask()
    body: str = await one(asking.pool, "select body from messages")
    found = re.search(r"http://127\.0\.0\.1:\d+/a/([\w-]+) ", body)
    assert found is not None
    assert len(body) <= 160
    async with asking.pool.connection() as conn:
        asked = await asks_store.ask_by(conn, token_hash=telling.link_hash(found[1]))
        assert asked is not None
        assert asked["contact"] == "Jo Green"
        assert await asks_store.ask_by(conn, token_hash=telling.link_hash(found[1] + "x")) is None
    assert found[1] not in str(await rows(asking.pool, "select token_hash::text from ask_links"))


async def test_outside_a_demo_a_link_is_not_kept_once_it_is_sent(asking: Asking) -> None:
    await asking.ask()
    asking.engine.settings = asking.settings.model_copy(update={"demo": False})
    await asking.engine.message_step()
    body: str = await one(asking.pool, "select body from messages")
    assert "/a/... or call" in body


async def test_an_unclaimed_alert_asks_once_though_its_ladder_goes_on(pool: Pool, settings: Settings) -> None:
    world = Asking(pool, settings, DemoProvider())
    await world.live_in(mary())
    await world.alarm()
    await world.wait(180)
    assert await world.told() == [(JO, "ask")]
    await world.wait(30)
    assert await world.told() == [(JO, "ask")]


async def test_what_must_never_be_true_cannot_be_written(asking: Asking) -> None:
    await asking.ask()
    for wrong in (
        "update asks set answer_by = null", "update asks set answer = 'maybe', answered_at = now()",
        "update asks set answer = 'going'", "update asks set minutes = 10", "update messages set alert_id = null",
        "update asks set answer = 'going', answered_at = now(), answer_by = null, voice_at = null",
        "update asks set there_at = now()", "update asks set over_at = now()",
        "update asks set answer_by = null, passed_at = now()",
        "update ladders set ended_at = now(), due_at = now()",
        "update ladders set round = 0",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.CheckViolation):
            await rows(asking.pool, wrong + " returning 1")
