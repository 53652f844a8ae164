"""Wrong settings are one clear line, and the command obeys signals."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import HubSettings
from telecare.errors import CannotStart
from tests.gateway.conftest import BrokerProcess, device_of, service_for, settings_for
from tests.helpers import until

GOOD: dict[str, Any] = {"hub": "h-1", "secret": "s", "mqtt_url": "mqtt://127.0.0.1:1", "directory": Path("x")}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"hub": "Hub 1"}, "hub name"),
        ({"secret": ""}, "secret"),
        ({"mqtt_url": "http://x"}, "mqtt_url"),
        ({"heartbeat_s": 0}, "heartbeat_s"),
        ({"readings_limit_rows": -1}, "readings_limit_rows"),
        ({"receipt_timeout_s": float("nan")}, "receipt_timeout_s"),
        ({"return_jitter_s": -1}, "return_jitter_s"),
        ({"second_mqtt_url": "mqtt://"}, "second_mqtt_url"),
        ({"fallback_hook": ""}, "fallback_hook"),
        ({"fallback_hook": "modem 'unfinished"}, "fallback_hook"),
        ({"readings_limit_bytes": 2**40}, "readings_limit_bytes"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(CannotStart, match=words):
        HubSettings(**(GOOD | wrong))


@pytest.mark.parametrize("name", ["return_jitter_s", "repeat_within_s", "second_linger_s", "alarm_reserve_bytes"])
def test_what_may_be_left_out_may_be_zero(name: str) -> None:
    assert getattr(HubSettings(**(GOOD | {name: 0})), name) == 0


def test_a_hooks_words_are_the_shells_and_no_shell_is_run() -> None:
    hub = HubSettings(**(GOOD | {"fallback_hook": "/opt/modem --to '07700 900000' $HOME"}))
    assert hub.hook_command == ("/opt/modem", "--to", "07700 900000", "$HOME")


def command(tmp_path: Path, *more: str, name: str = "h-1") -> list[str]:
    options = ["--name", name, "--mqtt-url", "mqtt://127.0.0.1:1", "--directory", str(tmp_path / "hub"), *more]
    code = "import typer; from gateway.cli import register; a = typer.Typer(pretty_exceptions_enable=False); "
    return [sys.executable, "-c", code + "a.callback()(lambda: None); register(a); a()", "hub", *options]


async def test_the_command_takes_frames_and_stops_on_sigterm(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s\n")
    process = subprocess.Popen(  # noqa: ASYNC220
        [*command(tmp_path), "--secret-file", str(secret)], stderr=subprocess.DEVNULL
    )
    try:
        hub = HubSettings(**(GOOD | {"directory": tmp_path / "hub"}))
        async with device_of(hub) as pendant:
            assert await pendant.press()
        process.send_signal(signal.SIGTERM)
        await until(lambda: process.poll() is not None)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


async def test_the_command_has_the_second_path_and_the_hook(tmp_path: Path, shared_broker: BrokerProcess) -> None:
    """The whole way by the command alone: the first broker is nowhere, the second is there, and so is a modem."""
    second = settings_for(shared_broker, tmp_path / "hub")
    modem = tmp_path / "modem"
    modem.write_text(f"#!/bin/sh\ncat > '{tmp_path}/told'\n")
    modem.chmod(0o755)
    options = ("--second-mqtt-url", second.mqtt_url, "--fallback-hook", str(modem), "--fallback-after-s", "0.2")
    process = subprocess.Popen(  # noqa: ASYNC220
        command(tmp_path, *options, "--return-jitter-s", "0", name=second.hub),
        env=os.environ | {"TELECARE_HUB_SECRET": second.secret},
        stderr=subprocess.DEVNULL,
    )
    try:
        async with service_for(second, shared_broker) as service, device_of(second) as pendant:
            alarm = await pendant.press()
            await until(lambda: bool(service.on("alarm")), 20)
            assert service.on("alarm")[0]["id"] == alarm
            await until(lambda: (tmp_path / "told").exists() and bool((tmp_path / "told").read_bytes()), 20)
        process.send_signal(signal.SIGTERM)
        await until(lambda: process.poll() is not None)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
    assert json.loads((tmp_path / "told").read_text())["alarm"]["id"] == alarm


def test_no_secret_stops_the_start(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TELECARE_HUB_SECRET"}
    done = subprocess.run(command(tmp_path), env=environment, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "no secret: set TELECARE_HUB_SECRET" in done.stderr
