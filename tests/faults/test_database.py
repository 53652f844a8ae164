"""A database that is away, whose connections end, whose disk is full, that is changed beneath the services."""

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults import migration, parts
from tests.faults.conftest import Stage
from tests.faults.disk import fill, small_disk, unmount
from tests.faults.verdict import finish
from tests.faults.world import Plan, World, is_full, until
from tests.system import running as up

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

RSS_MB = 200.0  # by so much ingest may grow while the database is away
# Whoever holds a lock that others of us need: a waiting alarm, the counter of changes, an advisory lock.
LOCK_HOLDER = """
    pid in (select l.pid from pg_locks l where l.granted and (l.locktype = 'advisory' or (l.mode = 'RowExclusiveLock'
             and l.relation::regclass::text in ('alarms_waiting', 'alert_event_counter', 'alarms'))))
"""


@pytest.mark.ci
async def test_t3_the_database_stops_fast_at_once_and_for_long(stage: Stage) -> None:
    async with stage(Plan(name="T3 PostgreSQL stopped: fast, immediate, and down for long")) as (made, row):
        for number in (signal.SIGINT, signal.SIGQUIT):
            await asyncio.sleep(made.rng.uniform(1, 3))
            async with made.fault():
                parts.kill(made.system, "postgres", number)
                await asyncio.sleep(0.5)
                await made.well()
        await asyncio.sleep(made.rng.uniform(1, 3))
        down_s = 60.0 if is_full() else 20.0
        async with made.fault(settle_s=10):
            began, ended, grew = await _down(made, down_s)
            await made.well()
            well_after_s = time.time() - ended
        await asyncio.sleep(3)
        row.figures |= {
            "down s": down_s,
            "well again after s": round(well_after_s, 1),
            "ingest grew by MB": round(max(grew.values())),
        }
        made.take_receipts()
        told = [p for p in made.ledger.kept if p.receipt_at is not None and began + 1 < p.receipt_at < ended]
        assert not told, f"{len(told)} alarms had a receipt while the database was down"
        assert max(grew.values()) <= RSS_MB, grew
        await finish(made, row)


async def _down(made: World, down_s: float) -> tuple[float, float, dict[str, float]]:
    """Keep the server from starting; from when to when, and by how many MB each process of ingest grew meanwhile."""
    version = made.system.data_dir / "servers" / "postgres" / "PG_VERSION"
    aside = version.with_name("aside")
    before = {name: parts.rss_mb(pid) for name, pid in parts.pids(made.system).items() if name.startswith("ingest")}
    version.rename(aside)
    try:
        parts.kill(made.system, "postgres", signal.SIGINT)
        began = time.time()
        await asyncio.sleep(down_s)
        after = {name: parts.rss_mb(parts.pids(made.system)[name]) for name in before}
    finally:
        aside.rename(version)
    return began, time.time(), {name: after[name] - before[name] for name in before}


async def test_t4_connections_to_the_database_are_ended(stage: Stage, tmp_path: Path) -> None:
    async with stage(Plan(name="T4 pg_terminate_backend: at random, of lock holders, mid-migration")) as (made, row):
        ended = {"at random": 0, "lock holders": 0}
        for _ in range(60 if is_full() else 10):
            await asyncio.sleep(made.rng.uniform(0.2, 1.0))
            kind, which = made.rng.choice([("at random", "random() < 0.4"), ("lock holders", LOCK_HOLDER)])
            async with made.fault(settle_s=2):
                ended[kind] += await _end_some(made, which, tries=1 if kind == "at random" else 200)
        row.figures |= {f"ended {kind}": count for kind, count in ended.items()}
        assert min(ended.values()) > 0, ended
        late = migration.package(tmp_path, "select pg_sleep(4); alter table alarms add column late_note text;")
        async with made.fault():
            running = asyncio.create_task(asyncio.to_thread(_migrate, made.system, late))
            await until(lambda: made.count(migration.HOW_MANY) > 0, 20)
            assert await _end_some(made, migration.WAITING, tries=1) == 1
            assert (await running).returncode != 0
        again = await asyncio.to_thread(_migrate, made.system, late)
        assert again.returncode == 0, again.stderr
        assert "applied late/" in again.stdout
        await made.well()
        await finish(made, row)


async def _end_some(made: World, which: str, tries: int) -> int:
    """End those for which `which` is true; look for some again and again, because a lock is held for a moment only."""
    for _ in range(tries):
        if found := await asyncio.to_thread(parts.terminate_backends, made.system, which):
            return found
        await asyncio.sleep(0.005)
    return 0


def _migrate(system: up.System, late: Path) -> subprocess.CompletedProcess[str]:
    """`telecare migrate` of a version that has one migration more."""
    return subprocess.run(
        [up.TELECARE, "migrate", "--data-dir", str(system.data_dir)], capture_output=True, text=True, check=False,
        env=up.clean_environment(PYTHONPATH=str(late)), timeout=60,
    )  # fmt: skip


async def test_t5_the_database_has_no_room_left(stage: Stage) -> None:
    disk: list[Path] = []

    def prepare(data_dir: Path) -> None:
        disk.append(small_disk(data_dir / "servers", megabytes=400))

    try:
        plan = Plan(name="T5 full disk under the database and the broker", readings_per_s=200)
        async with stage(plan, prepare) as (made, row):
            await asyncio.sleep(5)
            async with made.fault(settle_s=15):
                balloon = fill(disk[0], made.rng)
                await until(lambda: not made.system.healthy(), 90)
                await asyncio.sleep(20)
                balloon.unlink()
                begun = time.time()
                await made.well(120)
                row.figures["well again after s"] = round(time.time() - begun, 1)
            await asyncio.sleep(5)
            await finish(made, row)
    finally:
        for folder in disk:
            unmount(folder)


async def test_t18_two_versions_at_once_and_a_migration_under_load(stage: Stage, tmp_path: Path) -> None:
    async with stage(Plan(name="T18 a second engine and a second ingest beside, a migration under load")) as (
        made,
        row,
    ):
        late = migration.package(
            tmp_path, "alter table alarms add column late_note text; create index on alerts (home_id);"
        )
        commands = [["alerts"], ["ingest", "--lane", "alarms"], ["ingest", "--lane", "readings"]]
        async with made.fault():
            beside = [_beside(made.system, late, command) for command in commands]
            try:
                await asyncio.sleep(5)
                migrated = await asyncio.to_thread(_migrate, made.system, late)
                assert migrated.returncode == 0, migrated.stderr
                await asyncio.sleep(60 if is_full() else 15)
                assert [process.poll() for process in beside] == [None] * len(beside), "one beside has ended"
            finally:
                for process in beside:
                    process.send_signal(signal.SIGTERM)
                for process in beside:
                    process.wait(timeout=30)
        await asyncio.sleep(3)
        await finish(made, row)


def _beside(system: up.System, late: Path, command: list[str]) -> subprocess.Popen[bytes]:
    with (system.data_dir / "logs" / f"beside-{command[-1]}.log").open("ab") as log:
        return subprocess.Popen(
            [up.TELECARE, *command, "--data-dir", str(system.data_dir)], stdout=log, stderr=log,
            env=up.clean_environment(PYTHONPATH=str(late)), start_new_session=True, cwd=os.sep,
        )  # fmt: skip
