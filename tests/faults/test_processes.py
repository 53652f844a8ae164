"""Processes that die, or stop and go on."""

import asyncio

import pytest

from tests.faults import parts
from tests.faults.conftest import Stage
from tests.faults.verdict import finish
from tests.faults.world import Plan, is_full

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]


@pytest.mark.ci
async def test_t1_every_service_killed_in_turn(stage: Stage) -> None:
    async with stage(Plan(name="T1 kill -9 of each service in turn")) as (made, row):
        back = []
        for _ in range(20 if is_full() else 3):
            names = parts.services(made.system)
            made.rng.shuffle(names)
            for name in names:
                await asyncio.sleep(made.rng.uniform(0.2, 2.0))
                async with made.fault():
                    loop = asyncio.get_running_loop()
                    begun = loop.time()
                    parts.kill(made.system, name)
                    await asyncio.sleep(0.3)
                    await made.well()
                    back.append(loop.time() - begun)
        row.figures |= {"kills": len(back), "well again after at most s": round(max(back), 1)}
        await asyncio.sleep(6)
        await finish(made, row)
