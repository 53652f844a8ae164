"""`telecare up`: everything, from an empty folder to a console that answers, and down again."""

import asyncio
import fcntl
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import aiomqtt
from psycopg import AsyncConnection

from telecare.clock import SystemClock
from telecare.db import database_now
from telecare.embedded import postgres as pg
from telecare.embedded.broker import Broker, find_mosquitto
from telecare.enrolment import PID_FILE, publish_accounts
from telecare.errors import CannotStart
from telecare.https import check_address
from telecare.migrate import migrate
from telecare.mqtt import client_for
from telecare.pages import ask_health
from telecare.processes import free_port, port_is_free, server_user, servers_folder
from telecare.register import on_call
from telecare.register.staff import add_demo_staff
from telecare.settings import RUNTIME_FILE, Settings
from telecare.supervisor import Part, Supervisor, write_json

READY_WITHIN_S: Final = 60.0
DEMO_PASSWORD: Final = "demo-only"  # noqa: S105  (printed on the first page; such a system never listens beyond loopback)
SERVICES: Final = ("ingest", "ingest-readings", "alerts", "detection", "dashboard", "watchdog")
_PATHS: Final = ("mqtt_password_file", "mqtt_ca_file", "https_certificate", "https_key")  # that services are told
PRESS_AFTER_S: Final = 10  # the demo's first pendant is pressed this long after its homes are there


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for."""

    settings: Settings
    demo: bool
    homes: int
    press: bool


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def up(wish: Wish) -> None:
    """Start everything, wait for SIGINT or SIGTERM, stop everything.

    Raises:
        CannotStart: something is missing, taken or wrong; everything that was started is stopped.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    data_dir = wish.settings.data_dir.resolve()
    _check(wish.settings)
    data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    with _only_one(data_dir):
        supervisor = Supervisor(data_dir, SystemClock(), say)
        try:
            async with _stop_early(stop):
                settings = await _start(supervisor, wish, data_dir)
                _first_page(settings, wish)
            await stop.wait()
        except asyncio.CancelledError:
            if not stop.is_set():
                raise
        finally:
            say("stopping ...")
            await supervisor.stop(["demo-year", "simulate", "dashboard", "watchdog"])  # first of all who would shout
            await supervisor.stop(["ingest", "ingest-readings", "alerts", "detection"])
            await supervisor.stop_rest()
            (data_dir / RUNTIME_FILE).unlink(missing_ok=True)
            say("stopped.")


@asynccontextmanager
async def _stop_early(stop: asyncio.Event) -> AsyncIterator[None]:
    """Cancel what is inside when `stop` comes meanwhile."""
    current = asyncio.current_task()
    assert current is not None
    watcher = asyncio.create_task(stop.wait())
    watcher.add_done_callback(lambda task: None if task.cancelled() else current.cancel())
    try:
        yield
    finally:
        watcher.cancel()


def _check(settings: Settings) -> None:
    check_address(settings, demo=settings.demo)
    if not port_is_free(settings.port):
        raise CannotStart(f"port {settings.port} is taken: stop what listens there, or choose another with --port")


@contextmanager
def _only_one(data_dir: Path) -> Iterator[TextIO]:
    with (data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise CannotStart(f"another `telecare up` runs in {data_dir}") from problem
        yield lock


async def _start(supervisor: Supervisor, wish: Wish, data_dir: Path) -> Settings:
    given = wish.settings
    secrets = _Remembered(data_dir / "secrets.json", 0o600)
    ports = _Remembered(data_dir / "ports.json", 0o644)
    database_url = given.database_url.get_secret_value() if given.database_url else None
    if database_url is None:
        database_url = await _start_postgres(supervisor, given, data_dir, secrets, ports)
    applied = await asyncio.to_thread(migrate, database_url)
    if applied:
        say(f"database brought up to date ({len(applied)} migrations)")
    found = {"database_url": database_url, "data_dir": data_dir, "demo": wish.demo}
    if given.mqtt_url is None:
        found |= await _start_broker(supervisor, given, data_dir, database_url, secrets, ports)
    settings = Settings.model_validate(given.model_dump() | found)
    _write_runtime(settings, data_dir)
    if wish.demo:
        async with await AsyncConnection.connect(settings.database) as conn:
            await add_demo_staff(conn, DEMO_PASSWORD)
            await on_call.add_demo(conn, await database_now(conn))
    for part in _service_parts(settings):
        await supervisor.start(part)
    if wish.demo and wish.homes:
        await supervisor.start(_simulation(settings, wish))
    await supervisor.wait_ready("dashboard", lambda: asyncio.to_thread(_healthy, settings), READY_WITHIN_S)
    if wish.demo and wish.homes and settings.demo_people:
        await supervisor.start(_demo_year(settings))
    return settings


class _Remembered:
    """Values that are chosen once and stay the same in this data directory."""

    def __init__(self, path: Path, mode: int) -> None:
        self._path, self._mode = path, mode
        try:
            self._values: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._values = {}
        except ValueError as problem:
            raise CannotStart(f"{path} cannot be read: {problem}") from problem

    def get(self, name: str, choose: Callable[[], str]) -> str:
        if name not in self._values:
            self._values[name] = choose()
            write_json(self._path, self._values, self._mode)
        return self._values[name]

    def port(self, name: str) -> int:
        """The port as last time, unless somebody else listens there now."""
        port = int(self.get(name, lambda: str(free_port())))
        if not port_is_free(port):
            self._values.pop(name)
            port = int(self.get(name, lambda: str(free_port())))
        return port


async def _start_postgres(
    supervisor: Supervisor, settings: Settings, data_dir: Path, secrets: _Remembered, ports: _Remembered
) -> str:
    user = server_user()
    server = pg.Postgres(
        bin=pg.find_binaries(settings.postgres_bin, user),
        data=servers_folder(data_dir, user) / "postgres",
        port=ports.port("postgres"),
        user=user,
        superuser_password=secrets.get("postgres_superuser", pg.new_password),
        password=secrets.get("postgres", pg.new_password),
    )
    if not server.data.exists():
        say("making the database ...")
    await asyncio.to_thread(pg.initialise, server)
    await supervisor.start(
        Part(
            "postgres",
            server.command(),
            user=user,
            stop_signal=signal.SIGINT,  # "fast": open transactions are rolled back, everything is written
            stop_within_s=10,
            death_signal=signal.SIGINT,
        )
    )
    await asyncio.to_thread(pg.wait_until_ready, server, lambda: supervisor.lives("postgres"))
    await asyncio.to_thread(pg.prepare, server)
    return server.url


async def _start_broker(
    supervisor: Supervisor,
    settings: Settings,
    data_dir: Path,
    database_url: str,
    secrets: _Remembered,
    ports: _Remembered,
) -> dict[str, object]:
    mosquitto = None if settings.embedded_broker == "wheel" else find_mosquitto(settings.mosquitto)
    if mosquitto is None and settings.embedded_broker == "mosquitto":
        raise CannotStart("setting TELECARE_EMBEDDED_BROKER: there is no mosquitto on the PATH or in sbin")
    user = server_user() if mosquitto else None
    servers = servers_folder(data_dir, server_user())
    folder = (servers if mosquitto else data_dir) / "broker"
    broker = Broker(folder, ports.port("mqtt"), mosquitto, user, secrets.get("mqtt", pg.new_password))
    await asyncio.to_thread(broker.write_files)
    async with await AsyncConnection.connect(database_url) as conn:
        await publish_accounts(conn, broker.password_file)
    if mosquitto is None:
        say("without Mosquitto: the wheel's broker is used, for demonstrations; it does not keep hubs apart by topic")
    pid_file = folder / PID_FILE

    def remember(pid: int) -> None:
        pid_file.write_text(str(pid), encoding="ascii")

    await supervisor.start(
        # As that user from the start: a program that changes its user itself no longer hears of our death.
        Part("broker", broker.command(), user=user, death_signal=signal.SIGTERM, started=remember)
    )
    await supervisor.wait_ready("broker", lambda: _lets_us_in(broker), 15)
    return {
        "mqtt_url": broker.service_url,
        "hub_mqtt_url": broker.hub_url,
        "mqtt_password_file": broker.password_file,
    }


async def _lets_us_in(broker: Broker) -> bool:
    """Whether the broker takes the service's login: then it is ours, and not another that had the port first."""
    try:
        async with client_for(broker.service_url, timeout_s=2):
            return True
    except aiomqtt.MqttError:
        return False


def _environment(settings: Settings) -> dict[str, str]:
    known = {
        "database_url": settings.database,
        "mqtt_url": settings.mqtt,
        "hub_mqtt_url": settings.mqtt_url_for_hubs,
        "data_dir": str(settings.data_dir),
        "host": settings.host,
        "port": str(settings.port),
        "demo": "1" if settings.demo else "0",
    }
    known |= {name: str(value) for name in _PATHS if (value := getattr(settings, name)) is not None}
    return {f"TELECARE_{name.upper()}": value for name, value in known.items()}


def _service_parts(settings: Settings) -> list[Part]:
    environment = _environment(settings)
    arguments = {"ingest": ("ingest", "--lane", "alarms"), "ingest-readings": ("ingest", "--lane", "readings")}
    return [
        Part(name, [sys.executable, "-m", "telecare", *arguments.get(name, (name,))], environment) for name in SERVICES
    ]


def _simulation(settings: Settings, wish: Wish) -> Part:
    command = [sys.executable, "-m", "telecare", "simulate", "--homes", str(wish.homes)]
    if wish.press:
        command += ["--press-after", str(PRESS_AFTER_S)]
    return Part("simulate", command, _environment(settings))


def _demo_year(settings: Settings) -> Part:
    """A year that is over, for the commissioning page; loaded once, beside everything else."""
    command = [sys.executable, "-m", "telecare", "import-history", "--simulate", "1"]
    command += ["--people", str(settings.demo_people)]
    return Part("demo-year", command, _environment(settings), once=True)


def _write_runtime(settings: Settings, data_dir: Path) -> None:
    names = ("database_url", "mqtt_url", "hub_mqtt_url", "mqtt_password_file", "host", "port", "demo")
    plain = {"database_url": settings.database, "mqtt_url": settings.mqtt}
    values = {name: plain.get(name, getattr(settings, name)) for name in names}
    found = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    write_json(data_dir / RUNTIME_FILE, {"settings": {k: v for k, v in found.items() if v is not None}}, 0o600)


def _healthy(settings: Settings) -> bool:
    try:
        return ask_health(settings, 2)[0] == 200
    except OSError:
        return False


def _first_page(settings: Settings, wish: Wish) -> None:
    say("")
    say("Telecare is running.")
    scheme = "http" if settings.https_certificate is None else "https"
    say(f"  Console        {scheme}://{settings.host}:{settings.port}")
    if wish.demo:
        say(f"  Log in as      operator, supervisor, responder, carer, commissioner or admin; password {DEMO_PASSWORD}")
    if wish.demo and wish.homes:
        say(
            "  Press          telecare press         (a pendant in a simulated home; .venv/bin/telecare from `make up`)"
        )
        if wish.press:
            say(f"                 The first pendant is pressed by itself in about {PRESS_AFTER_S} seconds.")
    say(f"  Hubs publish   {settings.mqtt_url_for_hubs}         (telecare hub-enrol NAME --new-home)")
    say(f"  Files, logs    {settings.data_dir}")
    say("  Stop           Ctrl-C")
    say("")
