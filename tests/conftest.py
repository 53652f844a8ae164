"""Real parts for every test: a PostgreSQL of this test process's own, and a fresh migrated database for each test."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import psycopg
import pytest
from psycopg import sql

from telecare.db import Pool, open_pool
from telecare.embedded import postgres as embedded
from telecare.embedded.broker import Broker, find_mosquitto
from telecare.migrate import migrate
from telecare.processes import free_port, popen_options, server_user
from telecare.settings import Settings

# A machine that is busy with other tests makes examples slowly; how fast they are is no finding.
hypothesis.settings.register_profile("telecare", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("telecare")

REPOSITORY = Path(__file__).parent.parent
SHARED_DATA = (
    REPOSITORY.parent / "shared" / "data"
)  # recorded data; tests that need it are skipped, by name, without it

_numbers = count(1)

# Whole files are dealt out to the test processes in this order, then the others: a long one at the end would keep one
# process busy and leave the others idle.
_ROOM = 4 << 30  # bytes
LONGEST = (
    "tests/simulation/",
    "tests/dashboard/test_browser.py",
    "tests/firmware_sim/falls/test_evaluate.py",
    "tests/dashboard/outcomes/test_browser.py",
    "tests/system/",
    "tests/gateway/test_power_loss.py",
    "tests/ingest/test_store_engines.py",
    "tests/dashboard/test_calls.py",
    "tests/dashboard/test_reach.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; within a file, and among the others, the order stays."""
    items.sort(key=lambda item: next((n for n, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[embedded.Postgres]:
    """A running server with a migrated template database."""
    user = server_user()
    # Not pytest's own folder: as root the server runs as another user, who must be able to go there.
    folder = Path(tempfile.mkdtemp(prefix="telecare-test-", dir=_in_memory()))
    if user is not None:
        os.chown(folder, user.uid, user.gid)
    server = embedded.Postgres(
        bin=embedded.find_binaries(None, user), data=folder / "data", port=free_port(), user=user,
        superuser_password="test-only", password="test-only", durable=False,
    )  # fmt: skip
    embedded.initialise(server)
    with (folder / "postgres.log").open("wb") as log:
        process = subprocess.Popen(server.command(), stdout=log, stderr=log, **popen_options(user, signal.SIGQUIT))
        try:
            embedded.wait_until_ready(server, lambda: process.poll() is None)
            embedded.prepare(server, "template_telecare")
            migrate(_database(server, "template_telecare"))
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
            shutil.rmtree(folder, ignore_errors=True)


def _in_memory() -> str | None:
    """A folder in memory, where there is one with room: a test's database is then made in 0.03 s instead of 0.3."""
    shm = Path("/dev/shm")
    roomy = shm.is_dir() and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free >= _ROOM
    return str(shm) if roomy else None


def _database(server: embedded.Postgres, name: str) -> str:
    return urlunsplit(urlsplit(server.url)._replace(path=f"/{name}"))


@pytest.fixture
def empty_database_url(postgres: embedded.Postgres) -> Iterator[str]:
    """A database with nothing in it, owned by the service's role."""
    name = f"empty_{next(_numbers)}"
    embedded.prepare(postgres, name)
    yield _database(postgres, name)
    _drop(postgres, name)


@pytest.fixture
def database_url(postgres: embedded.Postgres) -> Iterator[str]:
    """A fresh, migrated database of this test's own."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.superuser_url, autocommit=True) as conn:
        # Page by page through the log, as is the default, takes 15 times the processor time.
        make = sql.SQL("create database {} template template_telecare strategy file_copy owner {}")
        conn.execute(make.format(sql.Identifier(name), sql.Identifier(embedded.ROLE)))
    yield _database(postgres, name)
    _drop(postgres, name)


def _drop(server: embedded.Postgres, name: str) -> None:
    with psycopg.connect(server.superuser_url, autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on this test's database."""
    async with open_pool(database_url, name="test", size=6) as opened:
        yield opened


# ---------------------------------------------------------------- a broker


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A running broker: Mosquitto where there is one, else the wheel's."""
    yield from running_broker(find_mosquitto(None))


def running_broker(mosquitto: Path | None) -> Iterator[Broker]:
    """A broker in a folder of its own; enrol hubs with `enrol_hub`."""
    user = server_user() if mosquitto else None
    folder = Path(tempfile.mkdtemp(prefix="telecare-test-broker-"))
    if user is not None:
        os.chown(folder, user.uid, user.gid)
    made = Broker(folder / "broker", free_port(), mosquitto, user, "test-only")
    made.write_files()
    process = subprocess.Popen(made.command(), stderr=subprocess.DEVNULL, **popen_options(user, signal.SIGTERM))
    try:
        (made.folder / "broker.pid").write_text(str(process.pid), encoding="ascii")
        wait_for_port(made.port)
        yield made
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for_port(port: int, timeout_s: float = 15.0) -> None:
    """Wait until somebody listens on a loopback port."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on {port}")


@pytest.fixture
def settings(database_url: str, broker: Broker, tmp_path: Path) -> Settings:
    """Settings of a service on this test's database and broker."""
    return service_settings(database_url, broker, tmp_path)


def service_settings(database_url: str, broker: Broker, data_dir: Path, **given: Any) -> Settings:
    """Settings with nothing taken from the environment."""
    return Settings.model_validate(
        {
            "database_url": database_url,
            "mqtt_url": broker.service_url,
            "hub_mqtt_url": broker.hub_url,
            "mqtt_password_file": broker.password_file,
            "data_dir": data_dir,
            "demo": True,
        }
        | given
    )


# ---------------------------------------------------------------- what a run has played


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the simulation has played, also when all is well (docs/simulation.md)."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    played = [dict(one.user_properties) for one in reports if "simulated" in dict(getattr(one, "user_properties", []))]
    if not played:
        return
    terminalreporter.section("simulation")
    for one in played:
        terminalreporter.write_line(one["simulated"])
    sums = {name: sum(one.get(name, 0) for one in played) for name in ("days", "alerts", "steps", "faults")}
    terminalreporter.write_line("all worlds: " + ", ".join(f"{number:,.0f} {name}" for name, number in sums.items()))
