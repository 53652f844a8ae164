"""What a stranger does who has only the contract: start, enrol, press with an MQTT client, read over HTTP."""

import asyncio
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from telecare.embedded.broker import find_mosquitto
from telecare.ids import uuid7
from tests.system import running as up


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[up.System]:
    # Under pytest's folder, which is closed to others: as root the servers' files must find another place.
    with up.running(tmp_path_factory.mktemp("stranger") / "data", "--homes", "0") as made:
        yield made


@pytest.fixture(scope="module", params=["mosquitto", "wheel"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[up.System]:
    """A system with each of the two brokers."""
    if request.param == "mosquitto":
        if find_mosquitto(None) is None:
            pytest.skip("needs Mosquitto")
        yield request.getfixturevalue("system")
        return
    folder = tmp_path_factory.mktemp("wheel") / "data"
    with up.running(folder, "--homes", "0", TELECARE_EMBEDDED_BROKER="wheel") as made:
        assert "does not keep hubs apart" in made.output.read_text()
        yield made


def token_of(system: up.System) -> str:
    return str(system.command("user", "token", "operator")["token"])


@pytest.fixture(scope="module")
def token(system: up.System) -> str:
    return token_of(system)


def alarm(seq: int = 1) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"id": str(uuid7()), "seq": seq, "device": "pendant-1", "kind": "button", "at": at, "clock": "synced"}


def open_alerts(system: up.System, token: str) -> list[dict[str, Any]]:
    return list(system.get("/api/alerts?state=open&limit=1000", token)["alerts"])


async def press(hub: dict[str, str]) -> tuple[dict[str, Any], float]:
    """Press once; the receipt, and after how many seconds it came."""
    host, port = hub["mqtt_url"].removeprefix("mqtt://").split(":")
    async with aiomqtt.Client(
        host, int(port), username=hub["hub"], password=hub["secret"], identifier=hub["hub"],
        protocol=aiomqtt.ProtocolVersion.V5,
    ) as client:  # fmt: skip
        await client.subscribe(f"telecare/v1/{hub['hub']}/receipt", qos=1)
        made, begun = alarm(), time.monotonic()
        await client.publish(f"telecare/v1/{hub['hub']}/alarm", json.dumps(made).encode(), qos=1)
        async with asyncio.timeout(5):
            async for message in client.messages:
                receipt = json.loads(message.payload)  # type: ignore[arg-type]
                assert (receipt["id"], receipt["status"]) == (made["id"], "stored")
                return made, time.monotonic() - begun
    raise AssertionError("no receipt")


def test_ten_hubs_press_and_ten_alerts_are_open(either: up.System) -> None:
    system, token = either, token_of(either)
    hubs = system.command("hub-enrol", "--count", "10", "--prefix", "ten-")["hubs"]

    async def all_press() -> list[tuple[dict[str, Any], float]]:
        return await asyncio.gather(*(press(hub) for hub in hubs))

    pressed = asyncio.run(all_press())
    homes = {hub["home"] for hub in hubs}
    up.wait_until(lambda: homes <= {alert["home"] for alert in open_alerts(system, token)}, 5)
    mine = [alert for alert in open_alerts(system, token) if alert["home"] in homes]
    assert len(mine) == len(pressed) == 10
    for alert in mine:
        whole = system.get(f"/api/alerts/{alert['id']}", token)
        assert whole["alarms"][0]["id"] in {made["id"] for made, _ in pressed}
        assert whole["log"][0]["what"] == "raised"


def test_a_client_of_mqtt_3_1_1_presses_too(either: up.System) -> None:
    system, token = either, token_of(either)
    hub = system.command("hub-enrol", "old-1", "--new-home")
    host, port = hub["mqtt_url"].removeprefix("mqtt://").split(":")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="old-1", protocol=paho.MQTTv311)
    client.username_pw_set(hub["hub"], hub["secret"])
    client.connect(host, int(port))
    client.loop_start()
    try:
        client.publish("telecare/v1/old-1/alarm", json.dumps(alarm()).encode(), qos=1).wait_for_publish(5)
        up.wait_until(lambda: hub["home"] in {alert["home"] for alert in open_alerts(system, token)}, 5)
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_wrong_secret_is_refused(either: up.System) -> None:
    hub = either.command("hub-enrol", "wrong-1", "--new-home") | {"secret": "guess"}
    with pytest.raises(aiomqtt.MqttError, match=r"[Nn]ot authori[sz]ed"):
        asyncio.run(press(hub))


@pytest.mark.parametrize("part", ["ingest", "alerts", "dashboard", "broker", "postgres"])
def test_a_part_that_is_killed_comes_back_and_the_press_arrives(system: up.System, token: str, part: str) -> None:
    hub = system.command("hub-enrol", f"kill-{part}", "--new-home")
    before = system.pids()
    os.kill(before[part], signal.SIGKILL)
    up.wait_until(lambda: system.pids()[part] not in (before[part], None), 10)

    async def until_receipted() -> None:
        """A hub's own promise: send again until there is a receipt."""
        for _ in range(10):
            try:
                await press(hub)
            except (aiomqtt.MqttError, TimeoutError):
                await asyncio.sleep(0.5)
            else:
                return

    asyncio.run(until_receipted())

    def is_open() -> bool:
        try:
            return hub["home"] in {alert["home"] for alert in open_alerts(system, token)}
        except (urllib.error.URLError, OSError):
            return False

    up.wait_until(is_open, 15)
    system.wait_healthy(15)
    assert "starting it again" in system.output.read_text()


def test_everything_is_as_it_was_after_a_restart_and_nothing_is_left_behind(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with up.running(data_dir, "--homes", "0") as first:
        token = str(first.command("user", "token", "operator")["token"])
        hub = first.command("hub-enrol", "stay-1", "--new-home")
        asyncio.run(press(hub))
        up.wait_until(lambda: len(open_alerts(first, token)) == 1, 5)
        before = open_alerts(first, token)
        pids = first.pids()
        up.stop(first, signal.SIGINT)
        assert up.ended_by_itself(first)
        assert first.process.returncode == 0
        assert not [pid for pid in pids.values() if up.alive(pid)]
    with up.running(data_dir, "--homes", "0") as second:
        (after,) = open_alerts(second, token)
        assert (after["id"], after["raised_at"], after["home"]) == tuple(
            before[0][k] for k in ("id", "raised_at", "home")
        )
        asyncio.run(press(hub))
        up.wait_until(lambda: open_alerts(second, token)[0]["alarm_count"] == 2, 5)
        # Now the supervisor itself is killed: the kernel ends its parts.
        pids = second.pids()
        second.process.kill()
        second.process.wait()
        up.wait_until(lambda: not [pid for pid in pids.values() if up.alive(pid)], 10)
    with up.running(data_dir, "--homes", "0") as third:
        assert len(open_alerts(third, token)) == 1


# ---------------------------------------------------------------- what is wrong is one clear line


def refused(*arguments: str, **environment: str) -> str:
    """What `telecare` says, in one line, with a non-zero exit."""
    done = subprocess.run(
        [up.TELECARE, *arguments], capture_output=True, text=True, check=False, timeout=60,
        env=up.clean_environment(**environment),
    )  # fmt: skip
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_taken_port(system: up.System, tmp_path: Path) -> None:
    said = refused("up", "--demo", "--port", str(system.port), "--data-dir", str(tmp_path / "other"))
    assert f"port {system.port} is taken" in said


def test_two_systems_in_one_folder(system: up.System) -> None:
    assert "another `telecare up` runs" in refused(
        "up", "--port", str(up.free_port()), "--data-dir", str(system.data_dir)
    )


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("TELECARE_PORT", "http", "TELECARE_PORT"),
        ("TELECARE_BREACH_S", "-1", "TELECARE_BREACH_S"),
        ("TELECARE_DATABASE_URL", "mysql://x", "postgresql://"),
        ("TELECARE_MQTT_URL", "http://x", "mqtt://"),
        ("TELECARE_HOST", "0.0.0.0", "loopback"),
        ("TELECARE_MOSQUITTO", "/nowhere/mosquitto", "TELECARE_MOSQUITTO"),
        ("TELECARE_POSTGRES_BIN", "/nowhere", "TELECARE_POSTGRES_BIN"),
        ("TELECARE_DATABASE_URL", "postgresql://x:y@127.0.0.1:1/z", "cannot be reached"),
    ],
)
def test_a_wrong_setting(tmp_path: Path, setting: str, value: str, said: str) -> None:
    extra = [] if setting == "TELECARE_PORT" else ["--port", str(up.free_port())]
    assert said in refused("up", *extra, "--data-dir", str(tmp_path / "d"), **{setting: value})


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused("up", "--port", str(up.free_port()), "--data-dir", str(tmp_path / "file" / "d"))
    assert str(tmp_path / "file") in said


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_at_start() -> None:
    folder = Path(tempfile.mkdtemp(prefix="telecare-full-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("may not mount here")
    try:
        folder.chmod(0o711)
        said = refused("up", "--port", str(up.free_port()), "--data-dir", str(folder / "d"))
        assert "No space left on device" in said
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hub-enrol", "H_1", "--new-home"), "not a hub name"),
        (("hub-enrol", "h-1"), "--new-home, or --home"),
        (("hub-enrol", "telecare-watchdog", "--new-home"), "the service's own test hub"),
        (("hub-enrol", "h-1", "--home", "00000000-0000-0000-0000-000000000000"), "no home"),
        (("user", "token", "nobody"), "no user"),
    ],
)
def test_a_request_that_cannot_be(system: up.System, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(*arguments, "--data-dir", str(system.data_dir))


def test_a_command_where_nothing_runs(tmp_path: Path) -> None:
    assert "no database" in refused("user", "token", "operator", "--data-dir", str(tmp_path))
    assert "nothing has been started" in refused("status", "--data-dir", str(tmp_path))
