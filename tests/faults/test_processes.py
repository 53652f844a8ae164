"""Processes that die, or stop and go on."""

import asyncio
import signal
import subprocess

import pytest

from tests.faults import parts
from tests.faults.conftest import Stage
from tests.faults.verdict import finish
from tests.faults.world import Plan, World, is_full, until
from tests.system import running as up

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

ENGINE_CONNECTIONS = 3  # an engine at work: two or more to the database, one to the broker
LEFT_LYING = "select count(*) from alarms_waiting where received_at < clock_timestamp() - interval '1 second'"
BACK_OFF_S = 35.0  # a hub that has failed often tries again within 30 s; and then sends
# Whether one of these connections has taken an alarm from the waiting list and not committed.
HOLDS_AN_ALARM = """
    select count(*) > 0 from pg_stat_activity a join pg_locks l on l.pid = a.pid
     where a.client_port = any(%s) and a.state = 'idle in transaction' and l.relation = 'alarms_waiting'::regclass
       and l.mode in ('RowShareLock', 'RowExclusiveLock')
       and exists (select 1 from alarms_waiting)
"""


@pytest.mark.ci
async def test_t1_every_service_killed_in_turn(stage: Stage) -> None:
    async with stage(Plan(name="T1 kill -9 of each service in turn")) as (made, row):
        back = []
        for _ in range(20 if is_full() else 1):
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


async def test_t2_the_broker_killed_with_ingest_there_and_away_and_its_file_deleted(stage: Stage) -> None:
    """Mosquitto 2.0.11 forgets what it had acknowledged: only the hubs, which send again, save those alarms."""
    async with stage(Plan(name="T2 kill -9 of the broker: ingest there, away, its file deleted")) as (made, row):
        for _ in range(5 if is_full() else 1):
            for case in ("there", "away", "deleted"):
                await asyncio.sleep(made.rng.uniform(1, 3))
                async with made.fault(settle_s=BACK_OFF_S):
                    if case == "away":
                        parts.kill(made.system, "ingest")
                        await asyncio.sleep(0.4)
                    if case == "deleted":
                        parts.kill(made.system, "broker", signal.SIGUSR1)  # Mosquitto writes its file
                        await asyncio.sleep(0.5)
                    parts.kill(made.system, "broker")
                    if case == "deleted":
                        (made.system.data_dir / "servers" / "broker" / "mosquitto.db").unlink()
                    await asyncio.sleep(1)
                    await made.well()
        await finish(made, row)


# Short, so that every rung of the ladder comes while something is stopped.
_RUNGS_S = {"RESOUND": 5, "SUPERVISOR": 8, "SECOND_SITE": 11, "BREACH": 14}
LADDER = {f"TELECARE_{name}_S": str(seconds) for name, seconds in _RUNGS_S.items()}
CLIMBED = "select count(*) from alert_log where what in ('escalated-supervisor', 'escalated-second-site', 'breached')"


async def test_t6_each_process_stops_for_a_while_and_goes_on(stage: Stage) -> None:
    """A grey failure: it is there, its connections stand, and it does nothing. Another engine works beside it."""
    seconds = 30.0 if is_full() else 12.0
    plan = Plan(name=f"T6 SIGSTOP for {seconds:.0f} s of each process in turn", environment=LADDER, operator=False)
    async with stage(plan) as (made, row):
        beside = _second_engine(made)
        try:
            await until(lambda: len(parts.local_ports(beside.pid)) >= ENGINE_CONNECTIONS, 30)
            names = [*parts.pids(made.system), "hubs"]
            for name in names if is_full() else ("alerts", made.rng.choice([n for n in names if n != "alerts"])):
                await asyncio.sleep(made.rng.uniform(1, 3))
                # A hub that its broker could not hear for so long connects anew.
                async with made.fault(settle_s=BACK_OFF_S if name in ("broker", "hubs") else 10):
                    await _stop_and_go_on(made, name, seconds)
                    await made.well()
            async with made.fault(settle_s=5):
                row.figures["an alarm held by a stopped engine, s"] = await _stop_the_engine_amid_its_work(
                    made, seconds
                )
        finally:
            beside.terminate()
            beside.wait(timeout=20)
        row.figures["rungs of the ladder"] = made.count(CLIMBED)
        assert row.figures["rungs of the ladder"] > 0
        await finish(made, row)


async def _stop_and_go_on(made: World, name: str, seconds: float) -> None:
    assert made.hubs is not None
    pid = made.hubs.pid if name == "hubs" else parts.pids(made.system)[name]
    stopped = parts.family(pid)
    parts.signal_all(stopped, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    parts.signal_all(stopped, signal.SIGCONT)


async def _stop_the_engine_amid_its_work(made: World, seconds: float) -> float:
    """Stop an engine that has locked an alarm; how long that alarm then waits for the other engine."""
    pid = parts.pids(made.system)["alerts"]
    for _ in range(2000):
        await asyncio.sleep(made.rng.uniform(0.0, 0.03))
        parts.signal_all([pid], signal.SIGSTOP)
        begun = asyncio.get_running_loop().time()
        try:
            if await asyncio.to_thread(made.count, HOLDS_AN_ALARM, parts.local_ports(pid)):
                await asyncio.sleep(1.5)  # what the other engine can take, it has taken
                if await asyncio.to_thread(made.count, LEFT_LYING):
                    await until(lambda: made.count(LEFT_LYING) == 0, seconds + 60)
                    return round(asyncio.get_running_loop().time() - begun, 1)
        finally:
            parts.signal_all([pid], signal.SIGCONT)
    raise AssertionError("the engine was never caught amid its work")


def _second_engine(made: World) -> "subprocess.Popen[bytes]":
    with (made.system.data_dir / "logs" / "beside.log").open("ab") as log:
        return subprocess.Popen(
            [up.TELECARE, "alerts", "--data-dir", str(made.system.data_dir)], stdout=log, stderr=log,
            env=up.clean_environment(**LADDER), start_new_session=True,
        )  # fmt: skip
