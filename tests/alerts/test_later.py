"""Nobody can be asked now and somebody can later: they are asked by themselves then, unless somebody says no."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from alerts import actions
from alerts.errors import Conflict
from telecare.register import rota
from telecare.rota import Absence
from telecare.vocabulary import ConfirmedBy
from tests.alerts.test_asks import ALI, JO, Asking, asking
from tests.helpers import one, rows

__all__ = ["asking"]  # the fixture

NIGHT = datetime(2026, 11, 25, 2, tzinfo=UTC)
MORNING = NIGHT.replace(hour=7)


async def asleep(world: Asking, *phones: str) -> None:
    """They do not want to be called at night, and it is night."""
    world.now = NIGHT
    await rows(world.pool, "update contacts set at_night = false where phone = any(%s) returning 1", list(phones))


async def until(world: Asking, at: datetime) -> None:
    """Time passes; the engine looks as often as it has something to do."""
    while (
        due := await one(
            world.pool, "select min(due_at) from (select due_at from asks union all select due_at from ladders) d"
        )
    ) and due < at:
        world.now = max(world.now, due)
        while await world.engine.ask_step():
            pass
    world.now = at
    while await world.engine.ask_step():
        pass


async def said(world: Asking) -> list[str]:
    return [e["detail"]["why"] for e in (await world.alert())["log"] if e["what"] == "notify-failed"]


async def test_nobody_until_the_morning_then_the_first_is_asked_by_itself(asking: Asking) -> None:
    await asleep(asking, JO, ALI)
    assert not await asking.ask()
    assert (await said(asking))[0].endswith("Nobody until Wed 07:00, then Jo Green")
    waits = "select l.later_at, c.phone, l.ended_at from ladders l join contacts c on c.id = l.later_contact"
    assert await rows(asking.pool, waits) == [(MORNING, JO, None)]
    await until(asking, MORNING - timedelta(seconds=1))
    assert await asking.told() == []
    assert len(await said(asking)) == 1  # said once, however often it is looked for
    await until(asking, MORNING)
    assert await asking.told() == [(JO, "ask")]
    assert await rows(asking.pool, waits) == []
    await until(asking, MORNING + timedelta(seconds=180))
    assert await asking.told() == [(JO, "ask"), (ALI, "ask"), (JO, "next")]
    assert await one(asking.pool, "select round from ladders") == 1  # the night was no round


async def test_with_an_alert_that_has_ended_nobody_is_asked_in_the_morning(asking: Asking) -> None:
    await asleep(asking, JO, ALI)
    await asking.ask()
    await asking.close(asking.number)
    await until(asking, MORNING + timedelta(hours=1))
    assert await asking.told() == []


async def test_an_operator_stops_it(asking: Asking) -> None:
    await asleep(asking, JO, ALI)
    await asking.ask()
    async with asking.pool.connection() as conn:
        with pytest.raises(Conflict):
            await actions.stop_asking(conn, asking.number, "second", asking.now)
        for _ in range(2):
            await actions.stop_asking(conn, asking.number, "operator", asking.now)
    log = (await asking.alert())["log"]
    assert [e["who"] for e in log if e["detail"].get("text") == "no further contact is asked by itself"] == ["operator"]
    await until(asking, MORNING + timedelta(hours=1))
    assert await asking.told() == []
    assert await asking.ask()  # by hand, as ever


async def test_a_plan_that_is_changed_in_the_night_counts_within_minutes(asking: Asking) -> None:
    await asleep(asking, JO, ALI)
    await asking.ask()
    await rows(asking.pool, "update contacts set at_night = true where phone = %s returning 1", ALI)
    await until(asking, NIGHT + timedelta(minutes=10))
    assert await asking.told() == [(ALI, "ask")]


async def test_nobody_under_18_is_waited_for(asking: Asking) -> None:
    await asleep(asking, JO, ALI)
    await rows(asking.pool, "update contacts set under_18 = true where phone = %s returning 1", JO)
    await asking.ask()
    assert (await said(asking))[0].endswith("Nobody until Wed 07:00, then Ali Khan")
    await until(asking, MORNING + timedelta(hours=5))
    assert {phone for phone, _ in await asking.told()} == {ALI}


async def test_who_becomes_a_child_on_paper_meanwhile_is_not_asked(asking: Asking) -> None:
    await asleep(asking, JO, ALI)
    await asking.ask()
    await rows(asking.pool, "update contacts set under_18 = true where phone in (%s, %s) returning 1", JO, ALI)
    await until(asking, MORNING + timedelta(hours=5))
    assert await asking.told() == []
    assert "is under 18" in (await said(asking))[-1]
    assert await one(asking.pool, "select ended_at is not null from ladders")


async def test_for_somebody_safe_nobody_is_asked_until_that_is_unsaid(asking: Asking) -> None:
    await asleep(asking, JO, ALI)
    await asking.ask()
    await asking.act(actions.mark_safe, asking.number, "operator", ConfirmedBy.PERSON, "Her own words", asking.now)
    await until(asking, MORNING + timedelta(hours=1))
    assert await asking.told() == []
    await asking.alarm()
    await until(asking, MORNING + timedelta(hours=1, minutes=11))
    assert await asking.told() == [(JO, "ask")]


async def test_when_the_rounds_are_over_who_comes_back_is_asked_all_the_same(asking: Asking) -> None:
    ali: UUID = await one(asking.pool, "select id from contacts where phone = %s", ALI)
    today = date(2026, 11, 24)
    async with asking.pool.connection() as conn:
        whose = await one(asking.pool, "select id from people")
        await rota.add_absence(conn, whose, ali, Absence(today, today, "at work"), "operator", asking.now)
    await asking.ask()
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    await until(asking, midnight - timedelta(seconds=1))
    assert await asking.told() == [(JO, "ask")] * 4
    await until(asking, midnight)
    assert (await asking.told())[4:] == [(ALI, "ask")]
    await until(asking, midnight + timedelta(hours=30))
    assert len(await asking.told()) == 5
    assert "nobody is asked any more" in (await said(asking))[-1]


async def test_an_operator_who_asks_meanwhile_puts_nothing_off(asking: Asking) -> None:
    await asking.ask()
    await asking.answer(JO, "cannot")
    await asking.wait(180)
    due = await one(asking.pool, "select due_at from ladders")
    asking.now += timedelta(seconds=300)
    assert not await asking.ask()
    assert await one(asking.pool, "select due_at from ladders") == due
