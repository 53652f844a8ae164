"""A whole system for the length of a measurement, and small questions to it."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from psycopg import AsyncConnection

from telecare.errors import TelecareError
from telecare.processes import free_port
from telecare.settings import Settings, load_settings


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The command line of a benchmark that says what it does in `doc`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    return parser


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for the length of a measurement, into which the servers' own user may go."""
    with tempfile.TemporaryDirectory(prefix="telecare-bench-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@contextlib.contextmanager
def fresh_system(given: Mapping[str, object] | None = None) -> Iterator[tuple[Settings, Path]]:
    """A system that is new and empty, with these settings, and a folder of its own."""
    with folder() as place, system(place / "data", 0, 1, given=given) as settings:
        yield settings, place


def tell(found: Mapping[str, object], *, as_json: bool) -> None:
    """Print what was found."""
    print(json.dumps(found) if as_json else "\n".join(f"{name:<28} {value}" for name, value in found.items()))


@contextlib.contextmanager
def system(
    data_dir: Path,
    homes: int,
    readings_per_s: float,
    healthy: Callable[[float], None] = lambda after_s: None,
    given: Mapping[str, object] | None = None,
) -> Iterator[Settings]:
    """`telecare up --demo`, and a simulation beside it where there are homes, for as long as the measurement takes.

    `healthy` is told how many seconds the start took; `given` are settings by their names.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELECARE_")}
    environment |= {f"TELECARE_{name.upper()}": str(value) for name, value in (given or {}).items()}
    telecare = [sys.executable, "-m", "telecare"]
    where = ["--data-dir", str(data_dir)]
    port = free_port()
    processes = [
        subprocess.Popen(
            [*telecare, "up", "--demo", "--homes", "0", "--port", str(port), *where],
            stdout=subprocess.DEVNULL, env=environment, start_new_session=True,
        )
    ]  # fmt: skip
    begun = time.perf_counter()
    try:
        _wait_healthy(port)
        healthy(round(time.perf_counter() - begun, 2))
        if homes:
            simulate = ["simulate", "--homes", str(homes), "--readings-per-s", str(readings_per_s), *where]
            with (data_dir / "simulate.out").open("wb") as output:
                processes.append(
                    subprocess.Popen(
                        [*telecare, *simulate], stdout=output, stderr=output, env=environment, start_new_session=True
                    )
                )
        yield load_settings(data_dir)
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _wait_healthy(port: int) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
        else:
            return
    raise TelecareError("the system is not healthy after 60 s")


async def token_for(settings: Settings, username: str) -> str:
    """A token for a program of this user."""
    from telecare.db import database_now
    from telecare.register.staff import new_token

    async with await AsyncConnection.connect(settings.database) as conn:
        return await new_token(conn, username, await database_now(conn))


async def until_readings(settings: Settings) -> None:
    """Wait until the first reading is stored."""
    for _ in range(300):
        if await readings(settings) > 0:
            return
        await asyncio.sleep(0.2)
    raise TelecareError("no readings after 60 s")


async def until_online(settings: Settings, name: str, hubs: int) -> None:
    """Wait until so many hubs whose names begin so are online."""
    for _ in range(300):
        if await count(settings, "select count(*) from hub_states where online and hub like %s", f"{name}-%") == hubs:
            return
        await asyncio.sleep(0.2)
    raise TelecareError("the hubs are not online after 60 s")


async def readings(settings: Settings) -> int:
    """How many readings are stored."""
    return await count(settings, "select count(*) from readings")


async def count(settings: Settings, query: str, *values: object) -> int:
    """The one number that a query finds."""
    async with await AsyncConnection.connect(settings.database) as conn:
        row = await (await conn.execute(query.encode(), values)).fetchone()
        return int(row[0]) if row else 0
