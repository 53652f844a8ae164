"""A shift is handed over: everything that is open is on the list, and nobody signs for what they have not checked."""

from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest

from alerts import actions, emergency, handover_store, keys_store, shelving, tasks_store, vehicles_store
from alerts.errors import Conflict, Incomplete
from alerts.handover import Item, ItemKind, items
from alerts.responding import Kit
from telecare.errors import NotFound
from telecare.register import person_states
from telecare.register.person_states import Change
from telecare.vocabulary import PersonState, Role
from tests.alerts.test_engine import NOON, World, world
from tests.helpers import rows

__all__ = ["world"]  # the fixture
ZONE = ZoneInfo("Europe/London")


async def list_of(world: World, *troubles: str) -> list[Item]:
    return items(await world.act(handover_store.open_now, world.now, troubles), ZONE)


async def give(world: World, by: str = "operator", words: str = "Mary is well; ring her at six") -> UUID:
    given = await list_of(world)
    return UUID(str(await world.act(handover_store.give, by, words, given, world.now)))


async def take(world: World, number: UUID, by: str, *checked: int, **more: Any) -> list[int]:
    left: list[int] = await world.act(
        handover_store.take, number, by, set(checked), more.get("remarks", {}), more.get("words", ""), world.now
    )
    return left


async def test_everything_that_is_open_is_on_the_list(world: World) -> None:
    await world.alarm(kind="battery-low")
    (equipment,) = await world.open()
    await world.act(shelving.shelve, equipment["id"], "operator", 3, "engineer at nine", world.now)
    await world.alarm(kind="fall")
    alert = (await world.open())[0]["id"]
    await world.claim(alert)
    await world.act(actions.dispatch, world.settings, alert, "operator", "Van 2", "", world.now)
    await world.act(actions.call_service, world.settings, alert, "operator", emergency.Service.AMBULANCE, world.now)
    (person,) = [row[0] for row in await rows(world.pool, "select id from people")]
    due = world.now + timedelta(hours=24)
    fault = Change(state=PersonState.KIT_FAULT, note="The unit is dead.", due_at=due, by="operator", role=Role.OPERATOR)
    await world.act(person_states.record, person, fault, world.now)
    (visit,) = [row[0] for row in await rows(world.pool, "select id from visits")]
    key = await world.act(keys_store.add, world.home, "K12", "board", "operator", world.now)
    await world.act(keys_store.sign_out, world.settings, alert, visit, key, "Sam", "Ann", "operator", world.now)
    vehicle = await world.act(vehicles_store.add_vehicle, "Van 2", "second", world.now)
    lifter = await world.act(vehicles_store.add_kit, vehicle, Kit.CHAIR_LIFTER, "second", world.now)
    await world.act(vehicles_store.set_fault, lifter, "does not rise", "second", world.now)
    for words in ("Ring Tom", "Ring Ann"):
        await world.act(tasks_store.add, words, world.now + timedelta(hours=1), "operator", world.now)
    found = await list_of(world, "Nothing is heard from hubs.")
    assert [one.kind for one in found] == [
        ItemKind.TROUBLE, ItemKind.ALERT, ItemKind.VISIT, ItemKind.EMERGENCY, ItemKind.SHELVED, ItemKind.KIT_FAULT,
        ItemKind.TASK, ItemKind.KEY, ItemKind.KIT,
    ]  # fmt: skip
    words = [one.words for one in found]
    assert words[1].startswith("Level 1: Fall detected, Mary Green, raised")
    assert words[1].endswith("with Operator")
    assert words[2].startswith("Van 2 to Mary Green: ")
    assert words[3].startswith("Ambulance for Mary Green: called")
    assert "engineer at nine" in words[4]
    assert "The unit is dead." in words[5]
    assert words[6].startswith("2 open, 0 overdue. The first: Ring")
    assert words[7].startswith("Key K12: with Sam since")
    assert words[8] == "Chair lifter in Van 2: does not rise"


async def test_who_comes_checks_each_item_and_signs(world: World) -> None:
    await world.alarm()
    await world.alarm(kind="battery-low")
    number = await give(world)
    assert await take(world, number, "second", 2) == [1]
    record = await world.act(handover_store.handover_of, number)
    assert record["taken_at"] is None
    assert [one["checked_by"] for one in record["listed"]] == [None, "second"]  # what was ticked stays
    world.now += timedelta(minutes=5)
    assert await take(world, number, "second", 1, remarks={1: "rang her: up"}, words="all clear") == []
    record = await world.act(handover_store.handover_of, number)
    assert (record["taken_by"], record["taken_at"], record["remarks"]) == ("second", world.now, "all clear")
    assert [one["remark"] for one in record["listed"]] == ["rang her: up", ""]
    assert [one["checked_at"] for one in record["listed"]] == [world.now, NOON]
    with pytest.raises(Conflict, match="second has taken"):
        await take(world, number, "second", 1, 2)


async def test_nobody_takes_their_own_or_what_was_replaced(world: World) -> None:
    first = await give(world)
    with pytest.raises(Conflict, match="somebody else"):
        await take(world, first, "operator")
    second = await give(world, words="and the lift is out of order")
    with pytest.raises(Conflict, match="replaced"):
        await take(world, first, "second")
    waiting = await world.act(handover_store.waiting)
    assert [one["id"] for one in waiting] == [second]
    assert await take(world, second, "second") == []  # nothing was open
    assert [one["id"] for one in await world.act(handover_store.recent)] == [second]
    with pytest.raises(NotFound):
        await take(world, UUID(int=1), "second")


@pytest.mark.parametrize("words", ["", "  ", "x" * 4001])
async def test_something_is_said(world: World, words: str) -> None:
    with pytest.raises(Incomplete):
        await give(world, words=words)
    assert await rows(world.pool, "select 1 from handovers") == []


async def test_a_remark_that_is_too_long_changes_nothing(world: World) -> None:
    await world.alarm()
    number = await give(world)
    with pytest.raises(Incomplete):
        await take(world, number, "second", 1, remarks={1: "x" * 1001})
    assert await take(world, number, "second") == [1]


async def _by_hand(conn: psycopg.AsyncConnection, statement: str) -> None:
    await conn.execute(statement.encode())


async def test_the_database_lets_nobody_sign_for_what_was_not_checked(world: World) -> None:
    await world.alarm()
    number = await give(world)
    with pytest.raises(psycopg.errors.CheckViolation, match="has not been checked"):
        await world.act(_by_hand, "update handovers set taken_by = 'second', taken_at = now()")
    with pytest.raises(psycopg.errors.CheckViolation, match="nobody_takes_from_themselves"):
        await world.act(
            _by_hand,
            """with x as (update handover_items set checked_by = 'operator', checked_at = now() returning 1)
               select count(*) from x; update handovers set taken_by = 'operator', taken_at = now()""",
        )
    assert await take(world, number, "second", 1) == []
    with pytest.raises(psycopg.errors.CheckViolation, match="is over"):
        await world.act(_by_hand, "update handover_items set words = 'nothing was open'")
