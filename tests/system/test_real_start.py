"""A council's own server: `telecare init`, the broker and services as the written units start them, the doctor."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiomqtt
import psycopg
import pytest

from telecare.embedded import postgres as embedded
from telecare.embedded.broker import find_mosquitto
from telecare.ids import uuid7
from telecare.mqtt import client_for, tls_for
from telecare.processes import free_port, popen_options, server_user
from telecare.settings import parse_mqtt_url
from tests.conftest import wait_for_port
from tests.system import running as up

pytestmark = pytest.mark.skipif(find_mosquitto(None) is None, reason="needs Mosquitto")

PASSWORD = "three plain words"


@dataclass
class Server:
    """A configured machine, and what runs on it."""

    folder: Path
    database_url: str
    port: int
    mqtt_port: int
    output: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return up.clean_environment(TELECARE_ENV_FILE=str(self.folder / "telecare.env"))

    @property
    def ca(self) -> Path:
        return self.folder / "certificates" / "ca.crt"

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [up.TELECARE, *arguments], capture_output=True, text=True, check=False, timeout=60,
            env=self.environment | environment,
        )  # fmt: skip

    def init(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.run(
            "init", "--config-dir", str(self.folder), "--council", "Anytown", "--host-name", "localhost",
            "--database-url", self.database_url, "--admin", "chief", "--admin-name", "Chief One",
            "--service-name", "Anytown Telecare", "--service-phone", "01632 960000", "--listen", "127.0.0.1",
            "--port", str(self.port), "--mqtt-port", str(self.mqtt_port), *more,
            TELECARE_ADMIN_PASSWORD=PASSWORD, TELECARE_ENV_FILE=os.devnull,
        )  # fmt: skip

    def start(self, unit: str) -> None:
        """What systemd would start: the unit's own command, with its own environment."""
        text = (self.folder / "systemd" / unit).read_text()
        command = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)[0].split()
        with (self.folder / f"{unit}.log").open("ab") as log:
            self.processes[unit] = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def start_broker(self) -> None:
        user = server_user()
        if user is not None:  # as root: not as root
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, user.uid, user.gid)
            self.folder.chmod(0o755)
        mosquitto = find_mosquitto(None)
        command = [str(mosquitto), "-c", str(self.folder / "broker" / "mosquitto.conf")]
        self.processes["broker"] = subprocess.Popen(command, **popen_options(user, signal.SIGTERM))
        wait_for_port(self.mqtt_port)

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        process.wait(timeout=20)

    def get(self, path: str, token: str) -> Any:
        context = ssl.create_default_context(cafile=self.ca)
        request = urllib.request.Request(
            f"https://localhost:{self.port}{path}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return json.load(answer)


UNITS = ("ingest", "ingest-readings", "alerts", "detection", "dashboard", "watchdog")


@pytest.fixture(scope="module")
def server(postgres: embedded.Postgres) -> Iterator[Server]:
    embedded.prepare(postgres, "real_start")
    database_url = urlunsplit(urlsplit(postgres.url)._replace(path="/real_start"))
    # Not pytest's own folder, which is closed: as root the broker runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="telecare-real-"))
    folder.chmod(0o755)
    made = Server(folder / "etc", database_url, free_port(), free_port())
    done = made.init()
    assert done.returncode == 0, done.stderr
    made.output = done.stdout
    try:
        made.start_broker()
        for unit in UNITS:
            made.start(f"telecare-{unit}.service")
        up.wait_until(lambda: "ok    services" in made.run("doctor").stdout, 40)
        yield made
    finally:
        for name in list(made.processes):
            made.stop(name)
        shutil.rmtree(folder, ignore_errors=True)


def enrol(server: Server, name: str) -> dict[str, str]:
    done = server.run("hub-enrol", name, "--new-home", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_init_says_what_it_wrote_and_what_is_next_and_run_again_changes_nothing(server: Server) -> None:
    for word in ("telecare.env", "mosquitto.conf", "council: Anytown", "administrator: chief", "Next:", "hub-enrol"):
        assert word in server.output
    assert PASSWORD not in server.output
    assert stat.S_IMODE((server.folder / "telecare.env").stat().st_mode) == 0o640
    assert stat.S_IMODE((server.folder / "certificates" / "ca.key").stat().st_mode) == 0o600
    before = {path: path.read_bytes() for path in server.folder.rglob("*") if path.is_file() and path.suffix != ".log"}
    again = server.init()
    assert again.returncode == 0
    assert "written" not in again.stdout
    assert "was there" in again.stdout
    for path, content in before.items():
        if path.name not in ("passwords", "mosquitto.db"):
            assert path.read_bytes() == content, path


def test_init_asks_for_what_it_is_not_told(postgres: embedded.Postgres, tmp_path: Path) -> None:
    embedded.prepare(postgres, "asked")
    url = urlunsplit(urlsplit(postgres.url)._replace(path="/asked"))
    typed = ["Otherham Council", "alarms.example", url, "boss", "Boss Two", "Otherham Telecare", "01632 960111"]
    done = subprocess.run(
        [up.TELECARE, "init", "--config-dir", str(tmp_path / "etc")], input="\n".join(typed) + "\n",
        capture_output=True, text=True, check=False, timeout=60,
        env=up.clean_environment(TELECARE_ENV_FILE=os.devnull),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    asked = ["council's name", "reach this machine", "The database", "first administrator", "as colleagues see it",
             "messages to contacts begin", "asked to call"]  # fmt: skip
    places = [done.stdout.index(words) for words in asked]
    assert places == sorted(places)
    written = (tmp_path / "etc" / "telecare.env").read_text()
    assert "Otherham Telecare" in written
    assert "01632 960111" in written
    password = re.findall(r"password of boss, shown here and never again: (\S+)", done.stdout)[0]
    assert password not in written
    with psycopg.connect(url) as conn:
        assert conn.execute("select username, display_name from staff").fetchall() == [("boss", "Boss Two")]
        assert conn.execute("select name from councils").fetchall() == [("Otherham Council",)]


def test_there_is_no_demo_user_and_the_administrator_can_log_in(server: Server) -> None:
    with psycopg.connect(server.database_url) as conn:
        assert conn.execute("select username, role, demo from staff").fetchall() == [("chief", "admin", False)]
    context = ssl.create_default_context(cafile=server.ca)
    with urllib.request.urlopen(f"https://localhost:{server.port}/login", timeout=5, context=context) as page:
        assert "max-age" in page.headers["strict-transport-security"]
        assert "demo-only" not in page.read().decode()


async def _lets_in(server: Server, **login: Any) -> bool:
    try:
        async with client_for(f"mqtts://localhost:{server.mqtt_port}", timeout_s=3, **login):
            return True
    except aiomqtt.MqttError:
        return False


async def test_the_broker_lets_in_whom_it_knows_by_tls_and_nobody_else(server: Server) -> None:
    hub = await asyncio.to_thread(enrol, server, "known")
    right = {"username": hub["hub"], "password": hub["secret"], "identifier": hub["hub"]}
    assert await _lets_in(server, ca_file=server.ca, **right)
    assert not await _lets_in(server, ca_file=server.ca, **(right | {"password": "wrong"}))
    assert not await _lets_in(server, ca_file=server.ca)  # without a name


def test_a_broker_that_nobody_vouches_for_is_not_spoken_to_and_plain_words_are_not_heard(server: Server) -> None:
    context = tls_for(parse_mqtt_url(f"mqtts://localhost:{server.mqtt_port}"), None)  # the system's authorities
    assert context is not None
    with (
        socket.create_connection(("localhost", server.mqtt_port), timeout=5) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(raw, server_hostname="localhost")
    with socket.create_connection(("localhost", server.mqtt_port), timeout=5) as raw:
        raw.sendall(bytes.fromhex("101000044d5154540502003c00000361626300"))  # CONNECT, without TLS
        with contextlib.suppress(ConnectionResetError):
            assert raw.recv(1) != b"\x20"  # no CONNACK


async def test_a_hub_is_kept_to_its_own_topics(server: Server) -> None:
    one, two = [await asyncio.to_thread(enrol, server, f"apart-{n}") for n in (1, 2)]
    url = f"mqtts://localhost:{server.mqtt_port}"
    login = {"username": one["hub"], "password": one["secret"], "identifier": one["hub"]}
    alarm = {"id": str(uuid7()), "seq": 1, "device": "pendant-1", "kind": "button", "clock": "synced"}
    async with client_for(url, ca_file=server.ca, **login) as client:
        await client.subscribe(f"telecare/v1/{one['hub']}/receipt", qos=1)
        with contextlib.suppress(aiomqtt.MqttError):
            await client.subscribe(f"telecare/v1/{two['hub']}/#", qos=1)
        with contextlib.suppress(aiomqtt.MqttError):
            await client.publish(f"telecare/v1/{two['hub']}/alarm", json.dumps(alarm).encode(), qos=1)
        own = alarm | {"id": str(uuid7())}
        await client.publish(f"telecare/v1/{one['hub']}/alarm", json.dumps(own).encode(), qos=1)
        async with asyncio.timeout(5):
            message = await anext(aiter(client.messages))
    assert json.loads(bytes(message.payload))["id"] == own["id"]  # type: ignore[arg-type]
    with psycopg.connect(server.database_url) as conn:
        assert conn.execute("select hub from alarms where hub like 'apart-%'").fetchall() == [(one["hub"],)]


def test_a_press_travels_by_tls_and_is_read_by_https(server: Server, tmp_path: Path) -> None:
    hub = enrol(server, "press-1")
    (tmp_path / "secret").write_text(hub["secret"])
    process = subprocess.Popen(
        [up.TELECARE, "hub", "--name", hub["hub"], "--mqtt-url", hub["mqtt_url"], "--directory", str(tmp_path / "hub"),
         "--secret-file", str(tmp_path / "secret"), "--ca-file", str(server.ca)],
        env=up.clean_environment(TELECARE_ENV_FILE=os.devnull),
    )  # fmt: skip
    try:
        socket_path = tmp_path / "hub" / "hub.sock"
        up.wait_until(socket_path.exists, 15)
        with socket.socket(socket.AF_UNIX) as device:
            device.connect(str(socket_path))
            frames = [
                {"frame": "hello", "devices": ["pendant-1"]},
                {"frame": "alarm", "device": "pendant-1", "ref": "1", "kind": "button", "at": "2026-11-24T12:00:00Z"},
            ]
            device.sendall(b"".join(json.dumps(frame).encode() + b"\n" for frame in frames))
            done = server.run("user", "add", "op-1", "--role", "operator", "--name", "Op One", "--password", PASSWORD)
            assert done.returncode == 0, done.stderr
            token = json.loads(server.run("user", "token", "op-1", "--json").stdout)["token"]

            def there() -> bool:
                alerts = server.get("/api/alerts?state=open", token)["alerts"]
                return any(alert["home"] == hub["home"] and alert["kind"] == "button" for alert in alerts)

            up.wait_until(there, 15)
    finally:
        process.terminate()
        process.wait(timeout=15)


def test_the_doctor_says_what_is_wrong_and_what_to_do(server: Server) -> None:
    checks = {one["check"]: one for one in json.loads(server.run("doctor", "--json").stdout)["checks"]}
    assert {name for name, one in checks.items() if not one["well"]} <= {"backup", "people", "disk", "ladder"}
    assert "telecare backup" in checks["backup"]["words"]
    assert server.run("backup", str(server.folder / "backups"), "--keep", "3").returncode == 0
    if "op-1" not in server.run("user", "list").stdout:
        assert "no operator" in checks["people"]["words"]
        server.run("user", "add", "op-1", "--role", "operator", "--name", "Op One", "--password", PASSWORD)
    well = server.run("doctor")
    assert "WRONG" not in well.stdout.replace("WRONG disk", "").replace("WRONG ladder", "")  # nobody is on call here
    server.stop("telecare-alerts.service")
    try:

        def noticed() -> bool:
            done = server.run("doctor")
            return done.returncode == 1 and "WRONG services     not running" in done.stdout and "alerts" in done.stdout

        up.wait_until(noticed, 25)
    finally:
        server.start("telecare-alerts.service")
    refused = server.run("restore", str(next((server.folder / "backups").glob("telecare-*.backup"))), "--replace")
    assert refused.returncode == 1
    assert "stop the services first" in refused.stderr


def test_the_units_are_what_systemd_takes(server: Server) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("needs systemd-analyze")
    units = sorted((server.folder / "systemd").glob("telecare*"))
    assert len(units) == len(UNITS) + 4
    done = subprocess.run([verify, "verify", "--man=no", *map(str, units)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "telecare" in line and "not found" not in line.lower()]
    assert [line for line in complaints if "Failed to" in line or "Unknown" in line] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("--database-url", "mysql://x"), "must begin with postgresql://"),
        (("--council", " "), "council: must not be empty"),
        (("--database-url", "postgresql://x@127.0.0.1:1/x"), "the database cannot be reached"),
        (("--certificate", "/nowhere.pem"), "give the certificate and its key, or neither"),
        (("--certificate", "/nowhere.pem", "--key", "/nowhere.key"), "cannot be read as a certificate"),
    ],
)
def test_an_answer_that_cannot_be_used_is_one_line(server: Server, tmp_path: Path, changes: Any, said: str) -> None:
    done = server.init("--config-dir", str(tmp_path / "etc"), *changes)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_pages_are_not_served_beyond_this_machine_in_the_open(server: Server, tmp_path: Path) -> None:
    open_door = {"TELECARE_HOST": "0.0.0.0", "TELECARE_DATABASE_URL": server.database_url}
    done = subprocess.run(
        [up.TELECARE, "dashboard", "--port", str(free_port())], capture_output=True, text=True, check=False, timeout=60,
        env=up.clean_environment(TELECARE_ENV_FILE=os.devnull, **open_door),
    )  # fmt: skip
    assert done.returncode == 1
    assert "without HTTPS, passwords would travel in the open" in done.stderr
    wrong_key = server.run("dashboard", TELECARE_HTTPS_KEY=str(server.folder / "certificates" / "ca.key"))
    assert wrong_key.returncode == 1
    assert "is no key of" in wrong_key.stderr
