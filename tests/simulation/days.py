"""A run of simulated days, and what it prints."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tests.simulation.world import World, world_of

DAYS = float(os.environ.get("SIM_DAYS", "500"))  # of each world; four worlds are a run
BUSY = 0.35  # of a site's ordinary days: so that 2,000 of them take a few minutes


Record = Callable[[str, object], None]


async def play_world(database_url: str, seed: int, start: datetime, record: Record) -> None:
    """Play one world; `SIM_SEED` plays that seed instead, as it was played before."""
    seed = int(os.environ.get("SIM_SEED", seed))
    began = time.monotonic()
    async with world_of(database_url, seed, start=start, busy=BUSY) as world:
        try:
            await world.play(DAYS)
        finally:
            tell(world, time.monotonic() - began, record)


def tell(world: World, took_s: float, record: Record) -> None:
    """Record what has been played, for the end of the run."""
    faults = sum(number for what, number in world.counts.items() if not what.startswith("refused"))
    record("days", world.days)
    record("alerts", world.watch.alerts)
    record("steps", world.watch.looks)
    record("faults", faults)
    record(
        "simulated",
        f"seed {world.seed} from {world.start:%Y-%m-%d}: {world.days:.1f} days, {world.watch.alerts} alerts, "
        f"{world.watch.looks} steps, {faults} faults, {world.counts.total() - faults} refusals in {took_s:.0f} s, "
        f"digest {world.digest} (again: SIM_SEED={world.seed} SIM_DAYS={DAYS:g} "
        f"python -m pytest -n 0 tests/simulation -k {world.start:%B})",
    )
    for what, number in sorted(world.counts.items()):
        print(f"{number:6} {what}")  # shown where the world has failed


FEBRUARY, AUGUST = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
