"""What asks for nothing waits for the morning, and goes out once whatever happens to engines and their steps."""

import asyncio
from datetime import UTC, datetime, timedelta

from alerts import information, standing
from telecare.register import carers
from telecare.register.carers import Consent
from telecare.register.person_states import Change
from telecare.vocabulary import PersonState, Role
from tests.alerts.test_sending import Line, choose, company, line
from tests.helpers import one, rows, until

__all__ = ["company", "line"]  # the fixtures

NIGHT = datetime(2026, 11, 25, 2, tzinfo=UTC)
MORNING = NIGHT.replace(hour=7)


async def faulty_at_night(line: Line) -> None:
    """Jo may know whether the alarm works; it does not, at two in the morning."""
    line.now = NIGHT
    person = await one(line.pool, "select id from people")
    jo = await one(line.pool, "select id from contacts where place = 1")
    due = line.now + timedelta(hours=24)
    new = Change(state=PersonState.KIT_FAULT, note="no answer", by="operator", role=Role.OPERATOR, due_at=due)
    async with line.pool.connection() as conn:
        await carers.record_consent(conn, person, jo, Consent(equipment=True), "By telephone", "operator", line.now)
        await standing.change(conn, line.settings, person, new, line.now)
        # The step is replayed: whoever took it did not see its commit.
        await information.tell_of_fault(conn, line.settings, person, line.now)


async def test_what_is_held_in_the_night_goes_out_once_though_an_engine_dies_over_it(line: Line) -> None:
    await choose(line, sms_providers="notify")
    await faulty_at_night(line)
    held = await rows(line.pool, "select purpose, state, next_try_at from messages")
    assert held == [("information", "pending", MORNING)]
    line.now = MORNING - timedelta(seconds=1)
    other = line.other_engine()
    assert not await line.engine.message_step()
    assert not await other.message_step()

    # The first engine has committed its try, and the provider has the message; then the engine's process is gone.
    line.now = MORNING
    line.company.notify = "mute"
    dying = asyncio.create_task(line.engine.message_step())
    await until(lambda: len(line.company.taken) == 1)
    assert not await other.message_step()  # while the first has it, the other leaves it alone
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    line.company.notify = "accept"

    # Both work on at once, for as long as there is anything to do.
    for seconds in (10, 11, 60, 600, 3600, 86_400):
        line.now = MORNING + timedelta(seconds=seconds)
        while any(await asyncio.gather(*(one.message_step() for one in (line.other_engine(), other)))):
            pass
    assert len(line.company.taken) == 1
    assert "Mary's alarm is not working as it should" in line.company.texts()[0]
    assert await rows(line.pool, "select state from messages") == [("sent",)]
    assert await line.tries() == [("notify", "interrupted"), ("notify", "accepted")]


async def test_what_is_put_right_before_the_morning_is_not_told_at_all(line: Line) -> None:
    await faulty_at_night(line)
    person = await one(line.pool, "select id from people")
    well = Change(state=PersonState.ACTIVE, note="a new battery", by="operator", role=Role.OPERATOR)
    async with line.pool.connection() as conn:
        await standing.change(conn, line.settings, person, well, line.now + timedelta(hours=1))
    line.now = MORNING + timedelta(hours=1)
    while await line.engine.message_step():
        pass
    assert line.company.taken == []


async def test_who_does_not_want_texts_gets_none(line: Line) -> None:
    await rows(line.pool, "update contacts set channels = '{voice}' where place = 1 returning 1")
    await faulty_at_night(line)
    assert await rows(line.pool, "select * from messages") == []


async def test_nobody_under_18_is_told_in_the_night_whatever_their_own_hours(line: Line) -> None:
    await rows(
        line.pool,
        """update contacts set under_18 = true, at_night = false, quiet_from = '00:00', quiet_until = '00:00'
            where place = 1 returning 1""",
    )
    await faulty_at_night(line)
    assert await rows(line.pool, "select state, next_try_at from messages") == [("pending", MORNING)]


async def test_what_could_not_be_sent_in_the_evening_is_not_tried_again_in_the_night(line: Line) -> None:
    await choose(line, sms_providers="notify")
    await faulty_at_night(line)
    evening = MORNING.replace(hour=21, minute=59, second=55)
    await rows(line.pool, "update messages set next_try_at = %s returning 1", evening)
    line.company.notify = "error"
    line.now = evening
    assert await line.engine.message_step()
    assert await line.tries() == [("notify", "unavailable")]
    line.company.notify = "accept"
    line.now = evening + timedelta(seconds=30)
    while await line.engine.message_step():
        pass
    assert await line.tries() == [("notify", "unavailable")]
    assert await rows(line.pool, "select state, next_try_at from messages") == [
        ("pending", MORNING + timedelta(days=1))
    ]
    line.now = MORNING + timedelta(days=1)
    while await line.engine.message_step():
        pass
    assert [how for _, how in await line.tries()] == ["unavailable", "accepted"]
