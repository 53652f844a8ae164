"""T19: a press that somebody outside misses when any one process stands still."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from telecare.processes import free_port
from tests.faults import parts
from tests.faults.conftest import Stage
from tests.faults.verdict import finish
from tests.faults.world import Plan, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

PRESSES_S = {"PRESS_EVERY": 5, "WITHIN": 8, "LOOK_EVERY": 1}
MISSED_S = 45.0  # by then the ping has ceased: 10 s until a heartbeat is stale, a look, a press and its deadline
QUIET_S = 15.0  # and for so long it must not have come: three times its interval
BACK_S = 90.0


@asynccontextmanager
async def outside(port: int) -> AsyncIterator[list[float]]:
    """Whoever is pinged, and misses the ping; when the pings came."""
    pings: list[float] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            pings.append(time.time())
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", port):
        yield pings


async def test_t19_the_ping_to_the_outside_ceases_when_any_one_process_stands_still(stage: Stage) -> None:
    port = free_port()
    settings = {f"TELECARE_WATCHDOG_{name}_S": str(seconds) for name, seconds in PRESSES_S.items()}
    settings["TELECARE_DEADMAN_URL"] = f"http://127.0.0.1:{port}/"
    plan = Plan(name="T19 each process stands still: the ping to the outside ceases", environment=settings)
    async with outside(port) as pings, stage(plan) as (made, row):
        await until(lambda: len(pings) > 1, BACK_S)
        missed, still = {}, []
        for name in parts.pids(made.system):
            async with made.fault(settle_s=35):
                stopped = parts.family(parts.pids(made.system)[name])
                begun = time.time()
                parts.signal_all(stopped, signal.SIGSTOP)
                try:
                    await asyncio.sleep(MISSED_S + QUIET_S)
                finally:
                    parts.signal_all(stopped, signal.SIGCONT)
                meanwhile = [at - begun for at in pings if at > begun]
                missed[name] = round(max(meanwhile, default=0.0))
                if missed[name] > MISSED_S:
                    still.append(name)
                count = len(pings)
                await until(lambda count=count: len(pings) > count, BACK_S)
        row.figures["the last ping came after s, by what stood still"] = missed
        assert not still, f"nobody outside misses these: {still}"
        await finish(made, row)
