"""Button to receipt, and button to console event, while the readings of simulated homes flow.

    python -m bench.latency --homes 200 --seconds 30 --json

Starts a whole system of its own in a temporary folder. "Button" is a device's frame at a real hub's socket; "receipt"
is the service's receipt for that alarm at the broker; "console event" is the event on a console's stream that shows it.
The machine's own limit in the same run: two hops through the broker and a one-row commit, on the idle system.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from bench.limits import broker_hop_ms, commit_ms, percentiles
from gateway.service import run as run_hub
from gateway.settings import HubSettings
from gateway.sockets import connect
from telecare.clock import SystemClock
from telecare.enrolment import enrol
from telecare.errors import TelecareError
from telecare.mqtt import client_for
from telecare.processes import free_port
from telecare.register.homes import NewDevice, NewHome, NewPerson
from telecare.settings import Settings, load_settings

HUBS = 10  # homes whose pendants are pressed, in turn
PRESSES_PER_S = 2.0
SETTLE_S = 5.0  # after the last press


@dataclass
class Ledger:
    """When each alarm was pressed, kept, receipted and shown (seconds of the performance counter)."""

    pressed: dict[str, float] = field(default_factory=dict)
    kept: dict[str, float] = field(default_factory=dict)
    receipted: dict[str, float] = field(default_factory=dict)
    shown: dict[str, float] = field(default_factory=dict)
    # A console event carries its alert's count of alarms: the n-th press of a home is shown by its n-th alarm.
    order: dict[str, list[str]] = field(default_factory=dict)

    def took_ms(self, what: dict[str, float]) -> list[float]:
        return [1000 * (at - self.pressed[alarm]) for alarm, at in what.items() if alarm in self.pressed]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--readings-per-s", type=float, default=0, help="of all homes together [default: one a home]")
    parser.add_argument("--json", action="store_true")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telecare-bench-") as folder:
        Path(folder).chmod(0o711)
        with system(Path(folder) / "data", wish.homes, wish.readings_per_s or wish.homes) as settings:
            found = asyncio.run(measure(settings, Path(folder), wish.seconds))
    found = {"homes": wish.homes, "seconds": wish.seconds} | found
    if wish.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<28} {value}")


@contextlib.contextmanager
def system(
    data_dir: Path, homes: int, readings_per_s: float, healthy: Callable[[float], None] = lambda after_s: None
) -> Iterator[Settings]:
    """`telecare up --demo`, and a simulation beside it where there are homes, for as long as the measurement takes.

    `healthy` is told how many seconds the start took.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELECARE_")}
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


async def measure(settings: Settings, folder: Path, seconds: float) -> dict[str, Any]:
    """Wait until readings flow, press for `seconds`, and count."""
    hop, commit = await broker_hop_ms(settings), await commit_ms(settings)
    await _until_readings(settings)
    wanted: list[tuple[str, NewHome]] = [
        (
            f"bench-{n}",
            NewHome(
                address=f"{n} Bench Street",
                people=(NewPerson(name=f"Presser {n}"),),
                devices=(NewDevice(name="pendant-1", kind="pendant", person=0),),
            ),
        )
        for n in range(HUBS)
    ]
    enrolments, token = await enrol(settings, list(wanted)), await token_for(settings, "operator")
    stop, ledger = asyncio.Event(), Ledger()
    hubs = [
        HubSettings(
            hub=e.hub,
            secret=e.secret,
            mqtt_url=settings.mqtt_url_for_hubs,
            directory=folder / e.hub,
            return_jitter_s=0.0,
        )
        for e in enrolments
    ]
    homes = {e.hub: str(e.home) for e in enrolments}
    async with asyncio.TaskGroup() as group:
        for hub in hubs:
            hub.directory.mkdir()
            group.create_task(run_hub(hub, SystemClock(), stop))
        watchers = [
            group.create_task(_watch_receipts(settings, ledger)),
            group.create_task(asyncio.to_thread(_watch_console, settings, token, ledger, stop)),
        ]
        await _until_online(settings, len(hubs))
        before = await _readings(settings)
        begun = time.perf_counter()
        await _press(hubs, homes, ledger, seconds)
        rate = (await _readings(settings) - before) / (time.perf_counter() - begun)
        await asyncio.sleep(SETTLE_S)
        stop.set()
        watchers[0].cancel()
    receipt, console = percentiles(ledger.took_ms(ledger.receipted)), percentiles(ledger.took_ms(ledger.shown))
    limit = percentiles(hop)["p50"] * 2 + percentiles(commit)["p50"]  # there, one commit, and back
    return {
        "presses": len(ledger.pressed),
        "receipts": len(ledger.receipted),
        "shown": len(ledger.shown),
        "readings_per_s": round(rate, 1),
        "button_to_kept_ms": percentiles(ledger.took_ms(ledger.kept)),
        "button_to_receipt_ms": receipt,
        "button_to_console_ms": console,
        "broker_hop_ms": percentiles(hop),
        "one_row_commit_ms": percentiles(commit),
        "limit_ms": round(limit, 2),
        "receipt_ratio_to_limit": round(receipt.get("p50", 0) / limit, 1),
        "console_ratio_to_limit": round(console.get("p50", 0) / limit, 1),
    }


async def _press(hubs: list[HubSettings], homes: dict[str, str], ledger: Ledger, seconds: float) -> None:
    links = [(hub, *await connect(hub.socket_path)) for hub in hubs]
    end, number = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        hub, reader, writer = links[number % len(links)]
        frame = {"frame": "alarm", "device": "pendant-1", "ref": f"bench-{number}", "kind": "button"}
        pressed = time.perf_counter()
        writer.write(json.dumps(frame).encode() + b"\n")
        alarm = str(json.loads(await _kept(reader))["id"])
        ledger.pressed[alarm], ledger.kept[alarm] = pressed, time.perf_counter()
        ledger.order.setdefault(homes[hub.hub], []).append(alarm)
        number += 1
        # Not in step with anything periodic in the system.
        await asyncio.sleep(random.uniform(0.5, 1.5) / PRESSES_PER_S)
    for _, _, writer in links:
        writer.close()


async def _kept(reader: asyncio.StreamReader) -> bytes:
    while True:
        line = await reader.readline()
        if b'"kept"' in line:
            return line


async def _watch_receipts(settings: Settings, ledger: Ledger) -> None:
    async with client_for(settings.mqtt) as client:
        await client.subscribe("telecare/v1/+/receipt", qos=0)
        async for message in client.messages:
            now = time.perf_counter()
            assert isinstance(message.payload, bytes)
            ledger.receipted.setdefault(json.loads(message.payload)["id"], now)


def _watch_console(settings: Settings, token: str, ledger: Ledger, stop: asyncio.Event) -> None:
    """A console's stream, on a thread of its own; the beat of every 5 s lets it see `stop`."""
    seen: list[tuple[str, int, float]] = []
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.port}/api/alerts/stream", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as stream:
        for line in stream:
            if line.startswith(b"data:") and b'"alarm_count"' in line:
                alert = json.loads(line[5:])
                seen.append((str(alert["home"]), int(alert["alarm_count"]), time.perf_counter()))
            if stop.is_set():
                break
    for home, count, at in seen:
        for alarm in ledger.order.get(home, [])[:count]:
            ledger.shown.setdefault(alarm, at)


async def token_for(settings: Settings, username: str) -> str:
    """A token for a program of this user."""
    from telecare.db import database_now
    from telecare.register.staff import new_token

    async with await AsyncConnection.connect(settings.database) as conn:
        return await new_token(conn, username, await database_now(conn))


async def _until_readings(settings: Settings) -> None:
    for _ in range(300):
        if await _readings(settings) > 0:
            return
        await asyncio.sleep(0.2)
    raise TelecareError("no readings after 60 s")


async def _until_online(settings: Settings, hubs: int) -> None:
    for _ in range(150):
        if await _count(settings, "select count(*) from hub_states where online and hub like 'bench-%'") == hubs:
            return
        await asyncio.sleep(0.2)
    raise TelecareError("the hubs are not online after 30 s")


async def _readings(settings: Settings) -> int:
    return await _count(settings, "select count(*) from readings")


async def _count(settings: Settings, query: str) -> int:
    async with await AsyncConnection.connect(settings.database) as conn:
        row = await (await conn.execute(query.encode())).fetchone()
        return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
