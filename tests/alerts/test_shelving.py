"""Equipment may wait for some hours, with a reason and an end; a person never does. And what a flood is."""

from datetime import timedelta

import psycopg
import pytest

from alerts import floods
from alerts.errors import Conflict, Incomplete
from alerts.floods import Flood
from alerts.shelving import shelve, unshelve
from telecare.errors import NotFound
from tests.alerts.test_engine import NOON, World, world
from tests.alerts.test_leases import seen
from tests.helpers import one

__all__ = ["world"]  # the fixture


async def battery(world: World) -> int:
    await world.alarm(kind="battery-low")
    (alert,) = [one for one in await world.open() if one["priority"] == 4]
    return int(alert["id"])


async def put_aside(world: World, alert: int, by: str = "operator", hours: int = 2) -> None:
    await world.act(shelve, alert, by, hours, "the battery comes tomorrow", world.now)


async def test_equipment_waits_quietly_until_its_time_is_over(world: World) -> None:
    alert = await battery(world)
    await put_aside(world, alert)
    (shown,) = await world.open()
    assert shown["shelved_until"] == NOON + timedelta(hours=2)
    assert (shown["shelved_by_name"], shown["shelved_why"]) == ("Operator", "the battery comes tomorrow")
    await world.later(7100)
    assert "re-sounded" not in await world.history()
    await world.later(200)
    assert (await world.history())[-2:] == ["note", "re-sounded"]
    (shown,) = await world.open()
    assert shown["shelved_until"] is None
    assert shown["due_at"] > world.now


async def test_it_comes_back_before_its_time_when_somebody_wants_it(world: World) -> None:
    alert = await battery(world)
    await put_aside(world, alert)
    await world.act(unshelve, alert, "second", world.now)
    assert (await world.open())[0]["shelved_until"] is None
    await world.act(unshelve, alert, "second", world.now)  # a second press changes nothing
    await put_aside(world, alert)
    await world.claim(alert)
    assert (await world.open())[0]["shelved_until"] is None


async def test_ones_own_may_be_put_aside_and_nobody_elses(world: World) -> None:
    alert = await battery(world)
    await world.claim(alert)
    with pytest.raises(Conflict, match="operator has this alert"):
        await put_aside(world, alert, "second")
    await put_aside(world, alert)
    (shown,) = await world.open()
    assert (shown["state"], shown["claimed_by"]) == ("raised", None)


async def test_what_needs_a_person_is_never_put_aside(world: World) -> None:
    for kind in ("button", "inactivity"):
        await world.alarm(kind=kind)
        (alert,) = await world.open()
        with pytest.raises(Conflict, match="needs a person"):
            await put_aside(world, alert["id"])
        with pytest.raises(psycopg.errors.CheckViolation, match="only_equipment_is_shelved"):
            await world.act(
                _by_hand,
                """update alerts set shelved_at = now(), shelved_until = now() + interval '1 hour',
                                     shelved_by = 'operator', shelved_why = 'x'""",
            )


async def _by_hand(conn: psycopg.AsyncConnection, statement: str) -> None:
    await conn.execute(statement.encode())


@pytest.mark.parametrize(("hours", "why"), [(0, "x"), (13, "x"), (-1, "x"), (2, " "), (2, "x" * 5000)])
async def test_a_reason_and_an_end_are_asked_for(world: World, hours: int, why: str) -> None:
    alert = await battery(world)
    with pytest.raises(Incomplete):
        await world.act(shelve, alert, "operator", hours, why, world.now)
    assert (await world.open())[0]["shelved_until"] is None


async def test_the_database_knows_half_a_day_too(world: World) -> None:
    await battery(world)
    with pytest.raises(psycopg.errors.CheckViolation, match="shelved_for_half_a_day"):
        await world.act(
            _by_hand,
            """update alerts set shelved_at = now(), shelved_until = now() + interval '13 hours',
                                 shelved_by = 'operator', shelved_why = 'x'""",
        )


async def test_what_is_closed_or_does_not_exist_is_not_put_aside(world: World) -> None:
    with pytest.raises(NotFound):
        await put_aside(world, 99)
    with pytest.raises(NotFound):
        await world.act(unshelve, 99, "operator", world.now)


@pytest.mark.parametrize(
    ("alarms", "operators", "is_one"), [(10, 1, False), (11, 1, True), (11, 0, True), (20, 2, False), (21, 2, True)]
)
def test_more_than_ten_alarms_of_an_operator_in_ten_minutes_are_a_flood(
    alarms: int, operators: int, is_one: bool
) -> None:
    assert Flood(alarms, operators).is_one is is_one


async def test_alarms_and_screens_are_counted_as_they_are_now(world: World) -> None:
    for _ in range(3):
        await world.alarm()
    await world.alarm(kind="battery-low")  # equipment: nobody to speak with
    await seen(world, "operator")
    await seen(world, "operator")
    await seen(world, "second", NOON - timedelta(minutes=3))  # gone
    assert await world.act(floods.now_at, world.now) == Flood(3, 1)
    world.now += timedelta(minutes=11)
    assert await world.act(floods.now_at, world.now) == Flood(0, 0)
    assert await one(world.pool, "select count(*) from alert_alarms") == 4
