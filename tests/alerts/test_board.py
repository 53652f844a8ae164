"""What an operator has on their hands: counts, means and occupancy, from how alerts changed hands."""

from datetime import timedelta
from typing import Any

import pytest

from alerts import actions, board_store, handover_store
from alerts.board import Change, Hands, Seat, hands
from tests.alerts.test_engine import NOON, World, world
from tests.helpers import rows

__all__ = ["world"]  # the fixture
MINUTE = timedelta(minutes=1)


def change(alert: int, minutes: float, what: str, who: str = "ann") -> Change:
    return Change(alert, NOON + minutes * MINUTE, who, what)


def of(*changes: Change, now: float = 60, began: float | None = 0, who: str = "ann") -> Hands:
    at = None if began is None else NOON + began * MINUTE
    seat = Seat(username=who, name=who.title(), connected=True, shift_began=at)
    (found,) = hands([seat], changes, NOON + now * MINUTE)
    return found


def test_two_alerts_at_once_occupy_an_operator_once() -> None:
    changes = [change(1, 10, "claimed"), change(2, 15, "claimed"), change(1, 20, "closed"), change(2, 25, "closed")]
    found = of(*changes)
    assert (found.ten_minutes, found.hour, found.shift) == (0, 2, 2)
    assert found.occupancy == pytest.approx(15 / 60)
    assert found.mean == pytest.approx(2 / 6)


def test_what_is_still_theirs_counts_until_now_and_what_began_before_the_shift_from_its_beginning() -> None:
    found = of(change(1, -30, "claimed"), change(1, 15, "released"), change(2, 45, "taken-over"))
    assert found.occupancy == pytest.approx(30 / 60)
    assert (found.shift, found.hour) == (1, 1)  # that of before is in another shift


@pytest.mark.parametrize("what", ["released", "claim-expired", "closed"])
def test_an_alert_that_ends_is_nobodys(what: str) -> None:
    found = of(change(1, 0, "claimed"), change(1, 6, what, "system"), change(1, 30, "note"))
    assert found.occupancy == pytest.approx(6 / 60)


def test_who_takes_over_has_it_and_who_had_it_has_not() -> None:
    changes = [change(1, 0, "claimed"), change(1, 12, "taken-over", "bob")]
    assert of(*changes).occupancy == pytest.approx(12 / 60)
    assert of(*changes, who="bob").occupancy == pytest.approx(48 / 60)


def test_more_than_ten_in_ten_minutes_is_a_flood_and_more_than_one_in_the_mean_is_said() -> None:
    def claims(count: int) -> Hands:
        return of(*(change(n, 55, "claimed") for n in range(count)))

    assert not claims(10).flooded
    assert claims(11).flooded
    assert not claims(6).over
    assert claims(7).over
    # The mean of a shift that has just begun is not of a part of ten minutes.
    assert of(change(1, 59, "claimed"), began=58).mean == 1.0


def test_without_a_shift_only_counts_are_known() -> None:
    found = of(change(1, 59, "claimed"), began=None)
    assert (found.ten_minutes, found.hour, found.shift, found.mean, found.occupancy) == (1, 1, None, None, None)
    assert of(began=60).occupancy is None


# ---------------------------------------------------------------- on a real database


async def screen(world: World, username: str, opened: float, seen: float, *, closed: bool = False) -> None:
    at = [NOON + minutes * MINUTE for minutes in (opened, seen)]
    sql = (
        "insert into consoles (id, username, opened_at, seen_at, closed_at) values (gen_random_uuid(), %s, %s, %s, %s)"
    )
    async with world.pool.connection() as conn:
        await conn.execute(sql.encode(), (username, *at, at[1] if closed else None))


async def seats(world: World) -> dict[str, Seat]:
    found: list[Seat] = await world.act(board_store.seats, world.now)
    return {one.username: one for one in found}


async def test_screens_that_follow_one_another_are_one_shift(world: World) -> None:
    await screen(world, "operator", -500, -400, closed=True)  # an earlier shift: no screen for over an hour
    await screen(world, "operator", -300, -200, closed=True)
    await screen(world, "operator", -141, 0)
    await screen(world, "second", -120, -30, closed=True)
    found = await seats(world)
    assert (found["operator"].shift_began, found["operator"].connected) == (NOON - 300 * MINUTE, True)
    assert (found["second"].shift_began, found["second"].connected) == (NOON - 120 * MINUTE, False)  # at a meal
    world.now = NOON + 31 * MINUTE
    assert set(await seats(world)) == {"operator"}
    assert not (await seats(world))["operator"].connected  # not seen for half an hour


async def test_a_screen_left_open_makes_no_shift_of_days_and_who_holds_an_alert_is_seen(world: World) -> None:
    await screen(world, "operator", -4000, 0)
    await world.alarm()
    await world.claim((await world.open())[0]["id"], "second")
    found = await seats(world)
    assert found["operator"].shift_began == NOON - timedelta(hours=16)
    assert (found["second"].holds, found["second"].shift_began, found["second"].connected) == (1, None, False)


async def test_hands_are_counted_from_the_log(world: World) -> None:
    await screen(world, "operator", -60, 60)
    await screen(world, "second", 0, 60)
    await world.alarm()
    (alert,) = await world.open()
    await world.claim(alert["id"])
    world.now += 10 * MINUTE
    await world.act(actions.take_over, alert["id"], "second", "she knows her", world.now)
    world.now += 20 * MINUTE
    await world.close(alert["id"], "second")
    world.now += 30 * MINUTE
    changes: list[Change] = await world.act(board_store.changes, world.now)
    assert [(one.who, one.what) for one in changes] == [
        ("operator", "claimed"), ("second", "taken-over"), ("second", "closed"),
    ]  # fmt: skip
    counted = {one.seat.username: one for one in hands((await seats(world)).values(), changes, world.now)}
    assert counted["operator"].occupancy == pytest.approx(10 / 120)
    assert counted["second"].occupancy == pytest.approx(20 / 60)


async def test_levels_breaches_and_the_oldest(world: World) -> None:
    async def counts() -> list[tuple[Any, ...]]:
        return [(one.priority, one.count, one.unclaimed) for one in await world.act(board_store.levels, world.now)]

    assert await counts() == [(1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)]
    assert await world.act(board_store.oldest_unclaimed) is None
    await world.alarm(kind="battery-low")
    await world.alarm(kind="fall")
    assert await counts() == [(1, 1, 1), (2, 0, 0), (3, 0, 0), (4, 1, 1)]
    number, since = await world.act(board_store.oldest_unclaimed)
    assert since == NOON
    await world.later(181)
    (breach,) = await world.act(board_store.breaches, world.now)
    assert (breach["id"], breach["who"], breach["owner"]) == (number, "Mary Green", None)
    await world.claim(number)
    assert (await counts())[0] == (1, 1, 0)
    assert await world.act(board_store.oldest_unclaimed) is None  # equipment is nobody who waits
    assert (await world.act(board_store.breaches, world.now))[0]["owner"] == "Operator"
    assert await world.act(board_store.breaches, world.now + timedelta(hours=24)) == []


async def test_a_signed_handover_begins_the_rooms_shift(world: World) -> None:
    assert await world.act(board_store.shift_taken, world.now) is None
    number = await world.act(handover_store.give, "operator", "All is well", [], world.now)
    assert await world.act(board_store.shift_taken, world.now) is None  # nobody has taken it
    await world.act(handover_store.take, number, "second", set(), {}, "", world.now)
    assert await world.act(board_store.shift_taken, world.now) == NOON
    assert await world.act(board_store.shift_taken, world.now + timedelta(hours=17)) is None
    assert len(await rows(world.pool, "select 1 from handovers")) == 1
