"""Where nobody answers at all, an alert ends at the supervisor and sounds for ever, never at nothing."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tests.simulation.watch_time import AGAIN_S, ALONE_ELSE_S, LADDER, SLACK_S
from tests.simulation.world import World, world_of

HOURS = 1.5


async def nobody_answers(world: World) -> None:
    """Messages arrive, and nobody does anything."""


async def no_plan(world: World) -> None:
    """Nobody has a contact."""
    await world.watcher.execute("update contacts set ended_at = now(), ended_by = 'admin', ended_why = 'moved'")


async def no_telephones(world: World) -> None:
    """No message gets out."""
    world.telephones.away_until = world.now + timedelta(days=1)


async def account_ended(world: World) -> None:
    """An operator claims one alert, and their account is ended."""
    case = next(iter(world.watch.cases.values()))
    await world.moves.operators.claim(case, "ann")
    await world.watcher.execute("update staff set active = false")


async def died(world: World) -> None:
    """They are written down as having died while their alerts are open."""
    for person in world.people:
        await world.watcher.execute(
            """insert into person_states (person_id, state, note, recorded_by, recorded_at)
               values (%s, 'deceased', 'her son rang', 'sue', %s)""",
            (person.id, world.now),
        )
        await world.watcher.execute("update people set state = 'deceased' where id = %s", (person.id,))
        person.stopped = True


@pytest.mark.parametrize("happens", [nobody_answers, no_plan, no_telephones, account_ended, died])
async def test_it_ends_with_the_supervisor_and_loud(
    happens: Callable[[World], Awaitable[None]], database_url: str
) -> None:
    async with world_of(database_url, 5, homes=5, busy=1e-4) as world:
        world.moves.operators.away_until = world.now + timedelta(days=1)
        for person in world.people:
            for contact in person.contacts:
                contact.answers = 0.0
        for person in world.people[:3]:
            await world.moves.devices.alarm(person, f"person:{person.id}")
        await world.play(1 / 86_400)
        assert len(world.watch.cases) == 3
        await happens(world)
        await world.play(HOURS / 24)
        assert len(world.watch.cases) == 3
        now = world.now.timestamp()
        for case in world.watch.cases.values():
            assert not case.closed
            assert "escalated-supervisor" in case.said
            if case.owner is None:
                assert case.rungs == {rung for _, rung in LADDER}
            assert now - case.sounded <= (AGAIN_S if case.owner is None else ALONE_ELSE_S) + SLACK_S
