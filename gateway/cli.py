"""`telecare hub`: one hub alone; `telecare hub-ledger`: what became of its alarms."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.settings import SECRET_VARIABLE
from telecare.errors import CannotStart


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
        second_mqtt_url: Annotated[
            str | None,
            typer.Option(
                help="another broker, or the same by another network, for alarms without a receipt",
                envvar="TELECARE_HUB_SECOND_MQTT_URL",
            ),
        ] = None,
        fallback_hook: Annotated[
            str | None,
            typer.Option(
                help="program that gets an alarm without a receipt as JSON on its standard input; 0: it took it",
                envvar="TELECARE_HUB_FALLBACK_HOOK",
            ),
        ] = None,
        fallback_after_s: Annotated[
            float,
            typer.Option(help="seconds without a receipt before both", envvar="TELECARE_HUB_FALLBACK_AFTER_S"),
        ] = 60.0,
        return_jitter_s: Annotated[
            float,
            typer.Option(
                help="seconds within which the first attempt to connect comes at random; 0: at once",
                envvar="TELECARE_HUB_RETURN_JITTER_S",
            ),
        ] = 60.0,
    ) -> None:
        """Take devices' frames, keep alarms until the service has them, pass on its announcements."""
        from gateway.service import run
        from gateway.settings import HubSettings
        from telecare.clock import SystemClock
        from telecare.service import run_until_stopped

        settings = HubSettings(
            hub=name, secret=_secret(secret_file), mqtt_url=mqtt_url, directory=directory, mqtt_ca_file=ca_file,
            second_mqtt_url=second_mqtt_url, fallback_hook=fallback_hook, fallback_after_s=fallback_after_s,
            return_jitter_s=return_jitter_s,
        )  # fmt: skip
        run_until_stopped(lambda stop: run(settings, SystemClock(), stop))

    @app.command("hub-ledger")
    def hub_ledger(
        directory: Annotated[Path, typer.Option(help="the hub's own folder", envvar="TELECARE_HUB_DIRECTORY")],
    ) -> None:
        """What became of each alarm, one JSON object a line; also beside a hub that runs."""
        import msgspec

        from gateway.ledger import entries
        from gateway.settings import outbox_in

        for entry in entries(outbox_in(directory)):
            typer.echo(msgspec.json.encode(entry))


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
