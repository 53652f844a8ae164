"""Bugs that are planted one at a time: the simulation finds each, and nothing without them (docs/simulation.md)."""

from datetime import UTC, datetime

import pytest

from tests.simulation.broken import Broken
from tests.simulation.bugs import BUGS, Bug
from tests.simulation.world import world_of

SEED, MOST_DAYS = 6, 6.0
# A small, busy site in which much goes wrong, in the summer.
SITE = {"start": datetime(2026, 7, 1, tzinfo=UTC), "homes": 12, "busy": 20.0, "faults": 3.0}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
async def test_a_planted_bug_is_found(bug: Bug, database_url: str) -> None:
    async with world_of(database_url, SEED, **SITE) as world, bug.plant(world):  # type: ignore[arg-type]
        with pytest.raises(Broken) as found:
            await world.play(MOST_DAYS)
        print(f"\n| {bug.words} | {found.value.invariant} | {world.days:.1f} | {world.watch.looks} | {SEED} |")
        assert found.value.invariant == bug.found_by, found.value


async def test_without_a_bug_nothing_is_found(database_url: str) -> None:
    async with world_of(database_url, SEED, **SITE) as world:  # type: ignore[arg-type]
        await world.play(MOST_DAYS)
        print(f"\n{world.days:.1f} days, {world.watch.looks} steps, {world.watch.alerts} alerts")
