"""The network between the hubs and the broker."""

import asyncio

import pytest

from tests.faults.conftest import Stage
from tests.faults.verdict import finish
from tests.faults.world import Plan, World, is_full
from tests.proxy import Weather

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

BACK_OFF_S = 35.0  # a hub that has failed often tries again within 30 s; and then sends
NOTICED_S = 45.0  # a silent connection: no PUBACK in 10 s, or one and a half keepalives of 30 s


def _network(made: World) -> None:
    assert made.proxy is not None
    assert made.proxy.connections >= made.plan.hubs, "the hubs do not go through the bad network"


async def test_n1_the_network_is_cut_for_seconds(stage: Stage) -> None:
    async with stage(Plan(name="N1 network cut for seconds, again and again", proxied=True)) as (made, row):
        _network(made)
        assert made.proxy is not None
        for _ in range(20 if is_full() else 4):
            await asyncio.sleep(made.rng.uniform(1, 4))
            async with made.fault(settle_s=BACK_OFF_S):
                made.proxy.cut()
                await asyncio.sleep(made.rng.uniform(0.5, 4))
                made.proxy.mend()
        await finish(made, row)


async def test_n2_the_network_is_cut_for_long(stage: Stage) -> None:
    cut_s = 150.0 if is_full() else 45.0
    async with stage(Plan(name=f"N2 network cut for {cut_s:.0f} s", proxied=True)) as (made, row):
        _network(made)
        assert made.proxy is not None
        await asyncio.sleep(3)
        async with made.fault(settle_s=BACK_OFF_S):
            made.proxy.cut()
            await asyncio.sleep(cut_s)
            made.take_receipts()
            held = len(made.ledger.unreceipted)
            made.proxy.mend()
        assert held > cut_s * made.plan.presses_per_s / 3, "the cut held nothing back"
        row.figures |= {"alarms in the hubs' outboxes at the end of the cut": held}
        await finish(made, row)


async def test_n3_connections_stay_open_and_carry_nothing(stage: Stage) -> None:
    async with stage(Plan(name="N3 half-open connections", proxied=True)) as (made, row):
        _network(made)
        assert made.proxy is not None
        for _ in range(4 if is_full() else 1):
            await asyncio.sleep(made.rng.uniform(1, 3))
            async with made.fault(settle_s=0):
                made.proxy.go_silent()
                await asyncio.sleep(NOTICED_S)
        await finish(made, row)


async def test_n4_the_network_is_slow(stage: Stage) -> None:
    async with stage(Plan(name="N4 delay of 500 ms, give or take 400", proxied=True)) as (made, row):
        _network(made)
        assert made.proxy is not None
        async with made.fault(settle_s=2):
            made.proxy.weather = Weather(delay_s=0.5, jitter_s=0.4)
            await asyncio.sleep(60 if is_full() else 20)
            made.proxy.weather = Weather()
        await finish(made, row)


async def test_n5_the_network_loses_packets(stage: Stage) -> None:
    async with stage(Plan(name="N5 loss: one packet in twenty is late by 3 s", proxied=True)) as (made, row):
        _network(made)
        assert made.proxy is not None
        async with made.fault(settle_s=4):
            made.proxy.weather = Weather(delay_s=0.05, jitter_s=0.04, stall_chance=0.05, stall_s=3.0)
            await asyncio.sleep(60 if is_full() else 20)
            made.proxy.weather = Weather()
        await finish(made, row)
