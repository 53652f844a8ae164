"""Asking contacts to go, one after the other, on a real database. The test's own clock decides the time."""

import re
from typing import Any
from uuid import UUID

import psycopg
import pytest

from alerts import actions, asks, asks_store
from alerts.providers import DemoProvider
from telecare.db import Pool
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.settings import Settings
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

    async def told(self) -> list[tuple[str, str]]:
        return [tuple(row) for row in await rows(self.pool, "select recipient, purpose from messages order by id")]  # type: ignore[misc]


@pytest.fixture
async def asking(pool: Pool, settings: Settings) -> Asking:
    made = Asking(pool, settings, DemoProvider())
    await made.begin()
    return made


async def test_contacts_are_asked_one_after_the_other_until_nobody_is_left(asking: Asking) -> None:
    assert await asking.ask()
    assert await asking.told() == [(JO, "ask")]
    await asking.wait(179)
    assert await asking.told() == [(JO, "ask")]
    await asking.wait(1)
    assert await asking.told() == [(JO, "ask"), (ALI, "ask")]
    await asking.wait(180)
    assert (await asking.history())[-3:] == ["contact-tried", "notify-failed", "re-sounded"]
    assert len(await asking.told()) == 2
    await asking.wait(10_000)
    assert len(await asking.told()) == 2


async def test_a_yes_ends_the_asking_and_everyone_is_told(asking: Asking) -> None:
    await asking.ask()
    await asking.wait(180)
    told = await asking.answer(ALI, "going", 20)
    assert (told.taken, told.answer, told.person) == (True, "going", "Mary")
    alert = await asking.alert()
    assert (alert["state"], alert["claimed_by"]) == ("watching", "operator")  # it stays with its operator
    assert alert["log"][-2]["detail"]["text"] == "is going, about 20 min"
    assert alert["log"][-1]["what"] == "announced"
    assert await asking.told() == [(JO, "ask"), (ALI, "ask"), (JO, "going")]
    await asking.wait(10_000)
    assert len(await asking.told()) == 3
    await asking.close(asking.number)
    assert (await asking.told())[3:] == [(JO, "over"), (ALI, "over")]


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
        asked = await asks_store.ask_by(conn, token_hash=asks.link_hash(found[1]))
        assert asked is not None
        assert asked["contact"] == "Jo Green"
        assert await asks_store.ask_by(conn, token_hash=asks.link_hash(found[1] + "x")) is None
    assert found[1] not in str(await rows(asking.pool, "select token_hash::text from asks"))


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
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.CheckViolation):
            await rows(asking.pool, wrong + " returning 1")
