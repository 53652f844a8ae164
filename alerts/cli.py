"""`telecare alerts` and `telecare detection`: the alert engine alone, and the detection process."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from telecare.settings import Settings, load_settings


def register(app: typer.Typer) -> None:
    """Add this service's commands."""

    @app.command("alerts")
    def alerts(
        data_dir: Annotated[Path | None, typer.Option(help="data directory of the running system")] = None,
    ) -> None:
        """Turn alarms into alerts, and move on what nobody answers."""
        from telecare.service import run_until_stopped

        settings = load_settings(data_dir)
        run_until_stopped(lambda stop: _run(settings, stop))

    @app.command("detection")
    def detection(
        data_dir: Annotated[Path | None, typer.Option(help="data directory of the running system")] = None,
    ) -> None:
        """Look for patterns in readings: no movement, not up by a time. What it finds becomes an alarm."""
        from telecare.service import run_until_stopped

        settings = load_settings(data_dir)
        run_until_stopped(lambda stop: _detect(settings, stop))


async def _run(settings: Settings, stop: asyncio.Event) -> None:
    from alerts.providers import DemoProvider, NoProvider
    from alerts.service import Engine
    from telecare.clock import SystemClock
    from telecare.db import open_pool

    async with open_pool(settings.database, name="alerts", size=6) as pool:
        provider = DemoProvider() if settings.demo else NoProvider()
        await Engine(pool, settings, provider, SystemClock()).run(stop)


async def _detect(settings: Settings, stop: asyncio.Event) -> None:
    from alerts.detection.service import Detection
    from telecare.clock import SystemClock
    from telecare.db import open_pool

    async with open_pool(settings.database, name="detection", size=3) as pool:
        await Detection(pool, settings, SystemClock()).run(stop)
