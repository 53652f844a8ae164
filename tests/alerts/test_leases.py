"""A claim hangs on a connected screen; and that no screen is connected is noticed."""

import asyncio
from datetime import datetime, timedelta

import psycopg
import pytest

from alerts import actions, asks_store, leases_store
from alerts.leases import Claim, Screens, Verdict, judge
from alerts.retention import retire
from alerts.service import Engine
from alerts.watchdog.domain import trouble_of_screens
from telecare.db import Pool
from telecare.ids import uuid7
from tests.alerts.test_engine import NOON, World, employ, world
from tests.helpers import one, rows

__all__ = ["world"]  # the fixture
LEASE = timedelta(seconds=30)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


# ---------------------------------------------------------------- the decision


@pytest.mark.parametrize(
    ("last_seen", "working_since", "now", "verdict"),
    [
        (95, -3600, 100, Verdict.KEEP),  # it is there
        (95, -3600, 125, Verdict.KEEP),  # to the second
        (95, -3600, 125.1, Verdict.EXPIRED),
        (-5, -3600, 100, Verdict.EXPIRED),  # was there shortly before the claim, and never after
        (-5, -3600, 29, Verdict.KEEP),  # the lease runs from the claim at least
        (-31, -3600, 100, Verdict.KEEP),  # was not there when it was claimed: a program, or a page without script
        (None, -3600, 100, Verdict.KEEP),
        (10, None, 100, Verdict.KEEP),  # it is we who see nobody
        (10, 90, 119, Verdict.KEEP),  # we are back: the lease begins anew
        (10, 90, 121, Verdict.EXPIRED),
    ],
)
def test_a_claim_stands_while_a_screen_is_there(
    last_seen: float | None, working_since: float | None, now: float, verdict: Verdict
) -> None:
    seen = None if last_seen is None else after(last_seen)
    working = None if working_since is None else after(working_since)
    claim = Claim(owner="operator", claimed_at=NOON, last_seen=seen)
    assert judge(claim, working, after(now), LEASE) is verdict


# ---------------------------------------------------------------- in the database


async def dashboard_works(world: World, *, since: datetime = NOON - timedelta(days=1)) -> None:
    """A dashboard says now that it lives, and has worked since then."""
    async with world.pool.connection() as conn:
        await conn.execute(
            """insert into service_heartbeats (service, at, detail, well_since) values ('dashboard', %s, '{}', %s)
               on conflict (service) do update set at = excluded.at, well_since = excluded.well_since""",
            (world.now, since),
        )


async def seen(world: World, username: str = "operator", at: datetime | None = None) -> None:
    """A screen of theirs that was last seen then."""
    async with world.pool.connection() as conn:
        when = at or world.now
        await conn.execute(
            "insert into consoles (id, username, opened_at, seen_at) values (%s, %s, %s, %s)",
            (uuid7(), username, when - timedelta(hours=1), when),
        )


async def claimed(world: World) -> int:
    """An alert that the operator has claimed, at a screen."""
    await world.alarm()
    (alert,) = await world.open()
    await seen(world)
    await world.claim(alert["id"])
    number: int = alert["id"]
    return number


async def lost(world: World, seconds: float = 31) -> bool:
    """So many seconds pass, in which a dashboard works; whether a claim ran out."""
    world.now += timedelta(seconds=seconds)
    await dashboard_works(world)
    return await world.engine.lease_step()


async def test_a_lost_screen_gives_its_alert_back_and_it_sounds_again(world: World) -> None:
    number = await claimed(world)
    assert not await lost(world, 29)
    before = await one(world.pool, "select n from alert_event_counter")
    assert await lost(world, 2)
    (alert,) = await world.open()
    assert (alert["state"], alert["claimed_by"], alert["was_with"]) == ("raised", None, "Operator")
    assert (await world.history())[-2:] == ["claim-expired", "re-sounded"]
    detail = await one(world.pool, "select detail from alert_log where what = 'claim-expired'")
    assert detail == {"was_with": "Operator"}
    assert await one(world.pool, "select n from alert_event_counter") == before + 1  # the screens hear of it
    # It waits anew, and its first answer stays.
    assert await rows(
        world.pool, "select waiting_since, step, due_at - waiting_since, first_claimed_at from alerts"
    ) == [(world.now, 0, timedelta(seconds=30), NOON)]
    assert not await world.engine.lease_step()
    await world.later(30)
    assert (await world.history())[-1] == "re-sounded"
    await world.claim(number, "second")
    (alert,) = await world.open()
    assert (alert["claimed_by"], alert["was_with"]) == ("second", None)


async def test_a_technical_alert_goes_back_too_and_waits_quietly(world: World) -> None:
    await world.alarm(kind="battery-low")
    (alert,) = await world.open()
    await seen(world)
    await world.claim(alert["id"])
    assert await lost(world)
    assert await one(world.pool, "select due_at - waiting_since from alerts") == timedelta(hours=1)


async def test_help_that_is_under_way_goes_on(world: World) -> None:
    number = await claimed(world)
    await world.act(actions.ask_contact, world.settings, number, "operator", world.now)
    await world.act(actions.dispatch, world.settings, number, "operator", "Van 2", "", world.now)
    assert await lost(world)
    assert await rows(world.pool, "select answer_by is not null, passed_at from asks") == [(True, None)]
    assert "dispatched" in await world.history()


async def test_another_screen_of_the_same_operator_keeps_it(world: World) -> None:
    await claimed(world)
    await seen(world, at=after(20))
    assert not await lost(world)
    assert await lost(world, 25)


async def test_a_colleagues_screen_keeps_nothing(world: World) -> None:
    await claimed(world)
    await seen(world, "second", after(20))
    assert await lost(world)


async def test_who_takes_over_has_a_lease_of_their_own(world: World) -> None:
    number = await claimed(world)
    world.now = after(20)
    await seen(world, "second")
    await world.act(actions.take_over, number, "second", "He is in a call", world.now)
    assert not await lost(world, 25)
    assert await lost(world, 10)
    (alert,) = await world.open()
    assert alert["was_with"] == "Second"


async def test_a_program_that_claims_has_no_lease(world: World) -> None:
    await world.alarm()
    (alert,) = await world.open()
    await world.claim(alert["id"])
    assert not await lost(world, 3600)


async def test_a_dashboard_that_was_down_is_no_lost_screen(world: World) -> None:
    await claimed(world)
    world.now = after(300)  # nobody says that it lives
    assert not await world.engine.lease_step()
    await dashboard_works(world, since=world.now)
    assert not await world.engine.lease_step()
    world.now += timedelta(seconds=31)
    await dashboard_works(world, since=after(300))
    assert await world.engine.lease_step()


async def test_of_many_engines_one_puts_it_back_once(world: World) -> None:
    await claimed(world)
    engines = [
        Engine(world.pool, world.settings, world.engine.provider, world.engine.clock, world._now) for _ in range(4)
    ]
    world.now = after(31)
    await dashboard_works(world)
    found = await asyncio.gather(*(engine.lease_step() for engine in engines))
    assert sum(found) == 1
    assert (await world.history()).count("claim-expired") == 1


async def test_an_alert_that_somebody_works_on_is_left_until_they_have_done(world: World) -> None:
    """Compare and set: what was closed, or taken over, between our look and our word stays so."""
    number = await claimed(world)
    world.now = after(31)
    await dashboard_works(world)
    async with world.pool.connection() as conn:
        await asks_store.lock_alert(conn, number)
        assert not await world.engine.lease_step()  # and it waits for nobody
    assert await world.engine.lease_step()


async def test_a_screen_that_comes_back_meanwhile_keeps_its_owner(world: World) -> None:
    number = await claimed(world)
    values = {"id": number, "owner": "operator", "last_seen": NOON, "now": after(31), "due_at": after(61)}
    async with world.pool.connection() as conn:
        version = await one(world.pool, "select version from alerts")
        for wrong in ({"version": version - 1}, {"version": version, "owner": "second"}):
            assert (await conn.execute(leases_store.EXPIRE, values | wrong)).rowcount == 0
    await seen(world, at=after(30))
    async with world.pool.connection() as conn:
        assert (await conn.execute(leases_store.EXPIRE, values | {"version": version})).rowcount == 0


async def test_who_has_it_is_not_who_had_it(world: World) -> None:
    await claimed(world)
    with pytest.raises(psycopg.errors.CheckViolation, match="was_with_waits"):
        await one(world.pool, "update alerts set was_with = 'second' returning id")


# ---------------------------------------------------------------- screens are written down


async def test_all_screens_of_a_process_are_written_in_one_statement_with_that_it_lives(pool: Pool) -> None:
    async with pool.connection() as conn:
        await employ(conn, "operator")
    minute, none = timedelta(minutes=1), timedelta()
    two = [leases_store.Console(uuid7(), "operator", minute), leases_store.Console(uuid7(), "operator", none)]

    async def say(*consoles: leases_store.Console) -> None:
        async with pool.connection() as conn:
            await leases_store.say_seen(conn, consoles)

    await say(*two)
    assert await one(pool, "select count(*) from consoles where closed_at is null") == 2
    first = await one(pool, "select at from service_heartbeats where service = 'dashboard'")
    await say(leases_store.Console(two[0].id, "operator", 2 * minute, none))
    await say()
    assert await one(pool, "select count(*) from consoles where closed_at is not null") == 1
    assert await one(pool, "select bool_and(seen_at > now() - interval '10 s') from consoles")
    assert await one(pool, "select at from service_heartbeats where service = 'dashboard'") > first


async def test_old_screens_are_forgotten_and_the_last_one_is_not(world: World) -> None:
    for days in (30, 20, 10):
        await seen(world, at=NOON - timedelta(days=days))
    async with world.pool.connection() as conn:
        await retire(conn, world.settings, NOON)
    assert await rows(world.pool, "select seen_at from consoles") == [(NOON - timedelta(days=10),)]


# ---------------------------------------------------------------- an empty room


@pytest.mark.parametrize(
    ("last_seen", "open_since", "working_since", "counted_from", "found"),
    [
        (-61, -5, -3600, None, True),  # an alert, and nobody has been there for a minute: at once
        (-59, -5, -3600, None, False),
        (-61, None, -3600, None, False),  # no alert: ten minutes
        (-601, None, -3600, None, True),
        (None, -500, -3600, None, False),  # there never was anybody
        (-61, -5, -30, None, False),  # the pages were down, and are back
        (-61, -5, None, None, True),  # they are down now
        (-700, -5, -3600, -650, False),  # a demo at which nobody has looked since its start
        (-640, -5, -3600, -650, True),
    ],
)
def test_no_screen_at_all_is_a_trouble(
    last_seen: float | None, open_since: float | None, working_since: float | None, counted_from: float | None,
    found: bool,
) -> None:  # fmt: skip
    times = [None if one is None else after(one) for one in (last_seen, open_since, working_since, counted_from)]
    screens = Screens(last_seen=times[0], open_since=times[1], working_since=times[2])
    troubles = trouble_of_screens(screens, NOON, counted_from=times[3], with_alerts_s=60, idle_s=600)
    assert [(one.key, one.grave, one.source) for one in troubles] == [("screens:none", True, "screens")] * found


async def test_what_is_read_of_the_screens(world: World) -> None:
    async with world.pool.connection() as conn:
        assert await leases_store.screens(conn, NOON) == Screens(last_seen=None, open_since=None, working_since=None)
    await dashboard_works(world)
    await world.alarm(kind="battery-low")
    await seen(world, at=after(-70))
    async with world.pool.connection() as conn:
        await conn.execute("update staff set role = 'responder' where username = 'second'")
    await seen(world, "second", after(-1))  # somebody else's screen does not count
    async with world.pool.connection() as conn:
        read = await leases_store.screens(conn, NOON)
    assert read == Screens(last_seen=after(-70), open_since=None, working_since=NOON - timedelta(days=1))
    await world.alarm()
    async with world.pool.connection() as conn:
        assert (await leases_store.screens(conn, NOON)).open_since == NOON
