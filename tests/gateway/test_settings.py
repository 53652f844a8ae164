"""Wrong settings are one clear line, and the command obeys signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import HubSettings
from telecare.errors import CannotStart
from tests.gateway.conftest import device_of
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
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(CannotStart, match=words):
        HubSettings(**(GOOD | wrong))


def command(tmp_path: Path, *, name: str = "h-1") -> list[str]:
    options = ["--name", name, "--mqtt-url", "mqtt://127.0.0.1:1", "--directory", str(tmp_path / "hub")]
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


def test_no_secret_stops_the_start(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TELECARE_HUB_SECRET"}
    done = subprocess.run(command(tmp_path), env=environment, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "no secret: set TELECARE_HUB_SECRET" in done.stderr
