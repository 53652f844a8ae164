"""Hubs that die, and hubs without room."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.faults.conftest import Stage
from tests.faults.disk import fill, small_disk, unmount
from tests.faults.verdict import finish
from tests.faults.world import Plan, is_full

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]


async def test_h1_the_hubs_are_killed_at_random_moments(stage: Stage) -> None:
    """Between any two lines of the outbox is another test's; here it is any moment of a running system."""
    plan = Plan(
        name="H1 kill -9 of the hubs at random moments", presses_per_s=6, falls_share=0.4, hub={"prealarm_s": 4.0}
    )
    async with stage(plan) as (made, row):
        assert made.hubs is not None
        async with made.fault(settle_s=10):
            for _ in range(40 if is_full() else 6):
                await asyncio.sleep(made.rng.uniform(1, 9))
                made.hubs.kill()
        falls = sum(press.is_fall for press in made.ledger.kept)
        assert falls, "nobody fell: the row proves nothing about falls"
        row.figures |= {"starts": made.hubs.starts, "of these, falls held for 4 s or until a press": falls}
        await finish(made, row)


async def test_h2_the_hubs_have_no_room_left(stage: Stage) -> None:
    disk: list[Path] = []

    def prepare(data_dir: Path) -> None:
        disk.append(small_disk(data_dir.parent / "hubs", megabytes=16))

    try:
        # Without a network nothing leaves, and with a small reserve what the outboxes have to spare is used up.
        plan = Plan(
            name="H2 full disk under the hubs, and no network",
            hubs=4,
            presses_per_s=12,
            proxied=True,
            hub={"alarm_reserve_bytes": 64 * 1024},
        )
        async with stage(plan, prepare) as (made, row):
            assert made.hubs is not None
            assert made.proxy is not None
            await asyncio.sleep(5)
            async with made.fault(settle_s=40):
                balloon = fill(disk[0], made.rng)
                made.proxy.cut()
                for _ in range(150):  # what an outbox has to spare differs: until some have waited for a while
                    await asyncio.sleep(1)
                    late = time.time() - 2
                    waiting = [press for press in made.ledger.presses if press.id is None and press.pressed_at < late]
                    if len(waiting) >= 5:
                        break
                balloon.unlink()
                made.proxy.mend()
            assert waiting, "no press had to wait for room: the row proves nothing"
            row.figures |= {"presses not kept while there was no room": len(waiting), "starts": made.hubs.starts}
            await asyncio.sleep(5)
            await finish(made, row)
    finally:
        for folder in disk:
            unmount(folder)
