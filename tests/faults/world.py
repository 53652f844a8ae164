"""A running system with its hubs, pendants, console and operator, into which a row puts its fault."""

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg

from gateway.ledger import Entry, entries
from gateway.settings import outbox_in
from telecare.enrolment import enrol
from telecare.register.homes import Enrolment, NewContact, NewDevice, NewHome, NewPerson
from telecare.settings import Settings, load_settings
from tests.faults import console
from tests.faults.devices import HubProcess, Pendant, Pressing
from tests.faults.ledger import Ledger, take_receipts
from tests.faults.readings import ReadingsProcess
from tests.proxy import Proxy
from tests.system import running as up

READINGS_HUBS: Final = 20
OPERATOR_EVERY_S: Final = 3.0
# Hubs come back at random within a minute; ours come at once, so that a row need not wait for its beginning.
_NO_JITTER: Final = {"return_jitter_s": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a row needs around its fault."""

    name: str
    hubs: int = 12
    presses_per_s: float = 2.0
    falls_share: float = 0.0  # of the presses, which are falls that the hub holds for its pre-alarm
    readings_per_s: float = 1000.0
    operator: bool = True  # somebody claims and closes alerts all the while
    proxied: bool = False  # the hubs reach the broker through the bad network
    environment: dict[str, str] = field(default_factory=dict)  # settings of the system
    hub: dict[str, Any] = field(default_factory=dict)  # settings of every hub
    clocks_off_s: tuple[float, ...] = (0.0,)  # by how much hubs' clocks are wrong: hub after hub, over and over
    clock_jumps_s: float = 6.0  # after the first round, hubs' clocks are set right after so long, and wrong again


@dataclass(slots=True)
class World:
    """What a row works with."""

    plan: Plan
    rng: random.Random
    folder: Path
    system: up.System
    settings: Settings
    token: str
    ledger: Ledger = field(default_factory=Ledger)
    transcript: console.Transcript = field(default_factory=console.Transcript)
    enrolments: list[Enrolment] = field(default_factory=list)
    pendants: list[Pendant] = field(default_factory=list)
    operated: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[float, float]] = field(default_factory=list)  # from when to when, seconds since 1970
    pressing: Pressing | None = None
    hubs: HubProcess | None = None
    proxy: Proxy | None = None
    readings: ReadingsProcess | None = None
    raw_hubs: list[str] = field(default_factory=list)  # hubs that are only an MQTT client of the row

    @property
    def hub_names(self) -> list[str]:
        """The hubs whose alarms are compared."""
        return [enrolment.hub for enrolment in self.enrolments] + self.raw_hubs

    @asynccontextmanager
    async def fault(self, settle_s: float = 5.0) -> AsyncIterator[None]:
        """Alarms pressed inside, and for `settle_s` seconds after it, count as having met the fault."""
        begun = time.time()
        try:
            yield
        finally:
            self.faults.append((begun, time.time() + settle_s))

    async def well(self, within_s: float = 60.0) -> None:
        """Wait until /health says that alarms reach people."""
        await asyncio.to_thread(self.system.wait_healthy, within_s)

    def count(self, query: str, *values: Any) -> Any:
        """The single value that a query finds."""
        with psycopg.connect(self.settings.database, connect_timeout=5) as conn:
            row = conn.execute(query.encode(), values or None).fetchone()
        return row[0] if row else None

    def directory(self, hub: str) -> Path:
        """A hub's own folder."""
        return self.folder / "hubs" / hub

    def hub_ledgers(self) -> dict[str, list[Entry]]:
        """What each hub's own file says of its alarms."""
        return {e.hub: list(entries(outbox_in(self.directory(e.hub)))) for e in self.enrolments}

    def take_receipts(self) -> None:
        """Write into the ledger what the hubs' files know."""
        kept = self.ledger.kept  # before the files are read: each of these is in its hub's file by now
        held = self.held_falls()  # before the ledgers: what goes over meanwhile is an alarm there by then
        take_receipts(kept, self.hub_ledgers(), held)

    def held_falls(self) -> set[str]:
        """The falls that are in their pre-alarm in some hub's file."""
        found: set[str] = set()
        for enrolment in self.enrolments:
            path = quote(str(outbox_in(self.directory(enrolment.hub))))
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as outbox:
                found |= {str(row[0]) for row in outbox.execute("select id from prealarms")}
        return found

    def home(self, number: int) -> NewHome:
        """A home with a person whose pendant it is."""
        return NewHome(
            address=f"{number} Fault Street",
            people=(NewPerson(name=f"Person {number}", contacts=(NewContact(name="Jo", phone="07700 900001"),)),),
            devices=(NewDevice(name="pendant-1", kind="pendant", person=0),),
        )


async def until(what: Callable[[], bool], within_s: float, every_s: float = 0.2) -> None:
    """Wait until something is so; `what` is asked on a thread, because it may ask the database."""
    deadline = time.monotonic() + within_s
    while not await asyncio.to_thread(what):
        assert time.monotonic() < deadline, f"not so after {within_s:g} s: {what}"
        await asyncio.sleep(every_s)


@asynccontextmanager
async def world(
    plan: Plan, rng: random.Random, prepare: Callable[[Path], None] = lambda data_dir: None
) -> AsyncIterator[World]:
    """Start it, press throughout, and stop it. `prepare` is given the data directory before the start."""
    folder = Path(tempfile.mkdtemp(prefix="telecare-faults-"))
    folder.chmod(0o711)  # as root the servers run as another user
    try:
        (folder / "data").mkdir(mode=0o711)
        prepare(folder / "data")
        system = await asyncio.to_thread(up.start, folder / "data", "--homes", "0", **plan.environment)
        try:
            async with AsyncExitStack() as stack:
                made = await _peopled(plan, rng, folder, system)
                await _begin(made, stack)
                yield made
        finally:
            await asyncio.to_thread(_stop, system)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stop(system: up.System) -> None:
    if system.process.poll() is None:
        try:
            up.stop(system)
        except subprocess.TimeoutExpired:
            system.process.kill()
            system.process.wait()
            raise


async def _peopled(plan: Plan, rng: random.Random, folder: Path, system: up.System) -> World:
    settings = load_settings(system.data_dir)
    made = World(plan, rng, folder, system, settings, "")
    made.token = (await asyncio.to_thread(system.command, "user", "token", "operator"))["token"]
    wanted: list[tuple[str, Any]] = [(f"fault-{n}", made.home(n)) for n in range(plan.hubs)]
    made.enrolments = await enrol(settings, wanted)
    return made


async def _begin(made: World, stack: AsyncExitStack) -> None:
    """Hubs, pendants, readings, console, operator."""
    plan, url = made.plan, made.system.url
    await _alongside(stack, console.watch(url, made.token, made.transcript))
    if plan.operator:
        await _alongside(stack, console.work(url, made.token, OPERATOR_EVERY_S, made.operated))
    if plan.readings_per_s:
        await _flow(made, stack)
    if plan.hubs:
        await _hubs(made, stack)
    await until(lambda: made.transcript.begun_at is not None, 20)


async def _hubs(made: World, stack: AsyncExitStack) -> None:
    plan, mqtt_url = made.plan, made.settings.mqtt_url_for_hubs
    offs = plan.clocks_off_s
    if plan.proxied:
        port = int(mqtt_url.rsplit(":", 1)[1])
        made.proxy = await stack.enter_async_context(Proxy(port, made.rng))
        mqtt_url = f"mqtt://127.0.0.1:{made.proxy.port}"
    (made.folder / "hubs").mkdir(exist_ok=True)
    configured = [
        {
            "hub": e.hub,
            "secret": e.secret,
            "mqtt_url": mqtt_url,
            "directory": str(made.directory(e.hub)),
            "clock_off_s": offs[n % len(offs)],
            "clock_jumps_s": plan.clock_jumps_s if n >= len(offs) else None,
            **_NO_JITTER,
            **plan.hub,
        }
        for n, e in enumerate(made.enrolments)
    ]
    made.hubs = HubProcess(made.folder / "hubs", configured)
    await _alongside(stack, made.hubs.keep())
    online = "select count(*) from hub_states where online"
    await until(lambda: made.count(online) >= len(configured), 40)
    made.pendants = [Pendant(e.hub, made.directory(e.hub), made.ledger) for e in made.enrolments]
    made.pressing = Pressing(made.pendants, plan.presses_per_s, made.rng, "press", plan.falls_share)
    stack.push_async_callback(made.pressing.close)
    if plan.presses_per_s:
        await _alongside(stack, made.pressing.run())


async def _flow(made: World, stack: AsyncExitStack) -> None:
    """Readings in the background, of hubs that press nothing."""
    wanted: list[tuple[str, Any]] = [
        (f"readings-{n}", NewHome(address=f"{n} Reading Street")) for n in range(READINGS_HUBS)
    ]
    hubs = [e.hub for e in await enrol(made.settings, wanted)]
    made.readings = ReadingsProcess(made.settings.mqtt, hubs, made.plan.readings_per_s, made.folder / "readings.json")
    stack.callback(made.readings.stop)


async def _alongside(stack: AsyncExitStack, work: Any) -> None:
    """Run something beside the row until its end; what it died of is then the row's failure."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)


def is_full() -> bool:
    """Whether the whole suite is wanted, and not CI's short one."""
    return os.environ.get("FAULT_FULL") == "1"
