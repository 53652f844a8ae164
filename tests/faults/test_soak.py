"""T21: long under an ordinary load, nothing grows."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from tests.faults import parts
from tests.faults.conftest import Stage
from tests.faults.verdict import finish
from tests.faults.world import Plan, World, is_full

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

WARM_S = 300.0  # caches have filled by then; growth counts from there
EVERY_S = 15.0
GROWTH_MB = 60.0  # of one process, from then to the end
WAL_MB = 2500.0  # `max_wal_size` is 2 GB, and a checkpoint is under way when it is reached
DEAD_SHARE = 0.5  # of the rows of a table with more than 50,000: vacuum keeps up


@dataclass
class Samples:
    """What was seen during the soak."""

    rss_mb: list[dict[str, float]] = field(default_factory=list)
    wal_mb: list[float] = field(default_factory=list)
    dead: list[float] = field(default_factory=list)  # the worst table's share

    def take(self, made: World) -> None:
        """Look once."""
        sizes = {}
        for name, pid in parts.pids(made.system).items():
            # The server's backends share memory, which each of them would be charged with: look at its own alone.
            sizes[name] = parts.rss_mb(pid)
        self.rss_mb.append(sizes)
        self.wal_mb.append(_as_superuser(made, "select sum(size)::float8 / 1048576 from pg_ls_waldir()"))
        self.dead.append(
            made.count(
                """select coalesce(max(n_dead_tup::float8 / (n_live_tup + n_dead_tup)), 0) from pg_stat_user_tables
                    where n_live_tup + n_dead_tup > 50000"""
            )
        )


def _as_superuser(made: World, query: str) -> float:
    import psycopg

    with psycopg.connect(parts.superuser_url(made.system)) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return float(row[0])


async def test_t21_twenty_minutes_at_a_thousand_readings_a_second(stage: Stage) -> None:
    if not is_full():
        pytest.skip("a soak is no soak when it is short: make test-faults")
    async with stage(Plan(name="T21 soak: 20 min at 1,000 readings/s", operator=True)) as (made, row):
        samples, begun = Samples(), time.time()
        warm: dict[str, float] = {}
        async with made.fault(settle_s=0):
            while time.time() < begun + 1200:
                await asyncio.sleep(EVERY_S)
                await asyncio.to_thread(samples.take, made)
                if not warm and time.time() > begun + WARM_S:
                    warm = samples.rss_mb[-1]
        grew = {name: round(samples.rss_mb[-1][name] - size, 1) for name, size in warm.items()}
        row.figures |= {
            "grew by MB in 15 min": grew,
            "WAL MB at most": round(max(samples.wal_mb)),
            "worst share of dead rows": round(max(samples.dead), 2),
        }
        found = await finish(made, row)
        quarters = _p99_by_quarter(made, found.delays, begun, 1200)
        row.figures["p99 s by quarter"] = quarters
        assert max(grew.values()) <= GROWTH_MB, grew
        assert max(samples.wal_mb) <= WAL_MB
        assert max(samples.dead) <= DEAD_SHARE
        assert quarters[-1] <= max(1.0, 2 * quarters[0])


def _p99_by_quarter(made: World, delays: dict[str, float], begun: float, seconds: float) -> list[float]:
    quarters: list[list[float]] = [[], [], [], []]
    for press in made.ledger.kept:
        if press.id in delays:
            quarter = int((press.pressed_at - begun) / seconds * 4)
            quarters[min(max(quarter, 0), 3)].append(delays[press.id])
    return [round(sorted(quarter)[int(len(quarter) * 0.99)], 3) for quarter in quarters]
