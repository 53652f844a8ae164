"""`telecare hub`: one hub alone."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from telecare.errors import CannotStart

SECRET_VARIABLE: Final = "TELECARE_HUB_SECRET"  # noqa: S105


def register(app: typer.Typer) -> None:
    """Add this service's commands."""

    @app.command("hub")
    def hub(
        name: Annotated[str, typer.Option(help="the hub's name, as enrolled", envvar="TELECARE_HUB_NAME")],
        mqtt_url: Annotated[str, typer.Option(help="mqtt://host:port", envvar="TELECARE_HUB_MQTT_URL")],
        directory: Annotated[
            Path, typer.Option(help="the hub's own folder: outbox and socket", envvar="TELECARE_HUB_DIRECTORY")
        ],
        ca_file: Annotated[
            Path | None,
            typer.Option(help="certificates that vouch for an mqtts:// broker", envvar="TELECARE_MQTT_CA_FILE"),
        ] = None,
        secret_file: Annotated[
            Path | None, typer.Option(help=f"file with the hub's secret; without it, {SECRET_VARIABLE} is read")
        ] = None,
    ) -> None:
        """Take devices' frames, keep alarms until the service has them, pass on its announcements."""
        from gateway.service import run
        from gateway.settings import HubSettings
        from telecare.clock import SystemClock
        from telecare.service import run_until_stopped

        settings = HubSettings(
            hub=name, secret=_secret(secret_file), mqtt_url=mqtt_url, directory=directory, mqtt_ca_file=ca_file
        )
        run_until_stopped(lambda stop: run(settings, SystemClock(), stop))


def _secret(file: Path | None) -> str:
    if file is None:
        secret = os.environ.get(SECRET_VARIABLE, "")
        if not secret:
            raise CannotStart(f"no secret: set {SECRET_VARIABLE}, or give --secret-file")
        return secret
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise CannotStart(f"--secret-file: {problem}") from problem
