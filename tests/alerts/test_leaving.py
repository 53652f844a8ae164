"""Contacts who are none any more: open questions end, nothing is sent, nobody asks them; and the undo of it."""

import asyncio
from uuid import UUID

import psycopg
import pytest

from alerts import actions, asks_store, leaving
from telecare.errors import NotFound, Refused
from telecare.vocabulary import ConfirmedBy
from tests.alerts.test_asks import ALI, JO, Asking, asking
from tests.helpers import one, rows

__all__ = ["asking"]  # the fixture


async def contact(world: Asking, phone: str) -> UUID:
    found: UUID = await one(world.pool, "select id from contacts where phone = %s", phone)
    return found


async def person(world: Asking) -> UUID:
    found: UUID = await one(world.pool, "select id from people")
    return found


async def end(world: Asking, phone: str, why: str = "moved away; her own word") -> None:
    whose, who = await person(world), await contact(world, phone)
    async with world.pool.connection() as conn:
        await leaving.end_contact(conn, world.settings, whose, who, why, "supervisor", world.now)


async def restore(world: Asking, phone: str) -> None:
    whose, who = await person(world), await contact(world, phone)
    async with world.pool.connection() as conn:
        await leaving.restore_contact(conn, whose, who, "supervisor", world.now)


async def test_an_open_question_ends_the_next_is_asked_and_nothing_is_sent_any_more(asking: Asking) -> None:
    await asking.ask()
    await end(asking, JO)
    assert await rows(asking.pool, "select state, failure from messages where recipient = %s", JO) == [
        ("stale", "is no contact any more")
    ]
    assert await asking.told() == [(JO, "ask"), (ALI, "ask")]
    log = [(entry["who"], entry["what"], entry["detail"].get("text")) for entry in (await asking.alert())["log"]]
    assert log[-2:] == [
        ("supervisor", "note", "Jo Green is no contact any more: moved away; her own word"),
        ("system", "notified", "asked to go"),
    ]
    assert not (await asking.answer(JO, "going", 10)).taken
    await asking.wait(10_000)
    await asking.close(asking.number)
    assert [purpose for phone, purpose, _ in await asking.sent() if phone == JO] == ["ask"]  # the one of before
    while await asking.engine.message_step():
        pass
    assert await one(asking.pool, "select count(*) from messages where recipient = %s and sent_at is not null", JO) == 0


async def test_who_goes_is_not_waited_for_and_who_is_there_is_there(asking: Asking) -> None:
    await asking.ask()
    await asking.answer(JO, "going", 20)
    await end(asking, JO)
    assert await asking.told() == [(JO, "ask"), (ALI, "ask")]
    await asking.answer(ALI, "there")
    await end(asking, ALI)
    assert await one(
        asking.pool, "select there_at is not null from asks where contact_id = %s", await contact(asking, ALI)
    )
    await asking.wait(10_000)
    assert len([1 for _, purpose in await asking.told() if purpose == "ask"]) == 2


async def test_for_somebody_safe_nobody_else_is_asked(asking: Asking) -> None:
    await asking.ask()
    await asking.act(actions.mark_safe, asking.number, "operator", ConfirmedBy.PERSON, "Her own words", asking.now)
    await end(asking, JO)
    assert await asking.told() == [(JO, "ask")]
    await asking.alarm()  # unsays it
    await asking.wait(600)
    assert await asking.told() == [(JO, "ask"), (ALI, "ask")]


async def test_nobody_asks_them_neither_by_hand_nor_in_a_later_round(asking: Asking) -> None:
    jo = await contact(asking, JO)
    await end(asking, JO)
    assert not await asking.ask(jo)
    assert await asking.ask()
    await asking.wait(100_000)
    assert {phone for phone, _ in await asking.told()} == {ALI}
    async with asking.pool.connection() as conn:
        assert not await asks_store.queue_message(conn, jo, JO, "Hello", "test", "k", asking.now, None)
    for wrong in (
        """insert into asks (id, alert_id, contact_id, asked_by, asked_at, answer_by)
           values (gen_random_uuid(), %s, %s, 'operator', now(), now()) returning 1""",
        """insert into messages (id, alert_id, contact_id, channel, recipient, body, purpose, idempotency_key, state,
                                 next_try_at, created_at)
           values (gen_random_uuid(), %s, %s, 'sms', '1', 'x', 'ask', 'x', 'pending', now(), now()) returning 1""",
    ):
        with pytest.raises(psycopg.errors.CheckViolation, match="a contact who has ended"):
            await rows(asking.pool, wrong, asking.number, jo)


async def test_a_question_cannot_be_opened_anew_once_they_have_ended_or_are_under_18(asking: Asking) -> None:
    await asking.ask()
    await asking.wait(180)
    await rows(asking.pool, "update contacts set under_18 = true, at_night = false where phone = %s returning 1", JO)
    again = "update asks set passed_at = null, answer_by = now() where contact_id = %s returning 1"
    with pytest.raises(psycopg.errors.CheckViolation, match="under 18"):
        await rows(asking.pool, again, await contact(asking, JO))


async def test_the_record_is_kept_and_says_who_when_and_why(asking: Asking) -> None:
    await end(asking, JO)
    kept = await rows(asking.pool, "select ended_at, ended_by, ended_why, phone from contacts where phone = %s", JO)
    assert kept == [(asking.now, "supervisor", "moved away; her own word", JO)]
    whats = await rows(asking.pool, "select who, what, detail ->> 'text' from escalation_log order by id")
    assert whats[-1] == ("supervisor", "contact-ended", "moved away; her own word")
    for wrong in ("delete from contacts", "truncate contacts cascade"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            await rows(asking.pool, wrong)
    with pytest.raises(psycopg.errors.CheckViolation):
        await rows(asking.pool, "update contacts set ended_at = now() where phone = %s", ALI)
    with pytest.raises(NotFound):
        await end(asking, JO)
    for why in (" ", "x" * 201, "nul\0"):
        with pytest.raises(Refused, match="Write down why"):
            await end(asking, ALI, why)


async def test_an_undo_brings_them_back_where_they_stood_and_their_answer_counts(asking: Asking) -> None:
    await asking.ask()
    await end(asking, JO)
    await restore(asking, JO)
    assert await rows(asking.pool, "select phone from contacts where ended_at is null order by place") == [
        (JO,),
        (ALI,),
    ]
    assert await one(asking.pool, "select ended_why from contacts where phone = %s", JO) is None
    assert await asking.told() == [(JO, "ask"), (ALI, "ask")]  # not asked again by itself: Ali is asked now
    assert (await asking.answer(JO, "going", 10)).taken
    assert (await asking.told())[2:] == [(ALI, "going")]
    with pytest.raises(Refused, match="a contact already"):
        await restore(asking, JO)


async def test_who_is_back_is_asked_again_in_the_next_round(asking: Asking) -> None:
    await asking.ask()
    await end(asking, JO)
    await restore(asking, JO)
    await asking.wait(180)
    await asking.wait(600)
    assert (await asking.told())[-1] == (JO, "ask")
    assert await rows(
        asking.pool, "select over_at, round from asks where contact_id = %s", await contact(asking, JO)
    ) == [(None, 2)]


async def test_a_promise_of_before_stops_nobody_after_an_undo(asking: Asking) -> None:
    await asking.ask()
    await asking.answer(JO, "going", 20)
    await end(asking, JO)
    await restore(asking, JO)
    await asking.wait(180)  # Ali is passed on from all the same
    assert (await asking.history()).count("notify-failed") == 1


async def test_who_ends_at_the_moment_in_which_they_would_be_asked_is_not(asking: Asking) -> None:
    whose, jo = await person(asking), await contact(asking, JO)
    async with asking.pool.connection() as other:
        async with other.transaction():
            await other.execute("select 1 from people where id = %s for update", (whose,))
            await other.execute(
                "update contacts set ended_at = now(), ended_by = 'x', ended_why = 'x' where id = %s", (jo,)
            )
            asked = asyncio.create_task(asking.ask())
            await asyncio.sleep(0.3)
            assert not asked.done()
        assert await asked
    assert await asking.told() == [(ALI, "ask")]
