"""`telecare ingest`: one lane, or both, alone."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ingest import rollups_cli
from telecare.settings import Settings, load_settings


class LaneName(StrEnum):
    """Which messages this process takes."""

    ALARMS = "alarms"
    READINGS = "readings"
    BOTH = "both"


def register(app: typer.Typer) -> None:
    """Add this service's commands."""
    rollups_cli.register(app)

    @app.command("ingest")
    def ingest(
        lane: Annotated[
            LaneName, typer.Option(help="alarms, readings (with states and results), or both")
        ] = LaneName.BOTH,
        data_dir: Annotated[Path | None, typer.Option(help="data directory of the running system")] = None,
    ) -> None:
        """Store what arrives over MQTT; acknowledge it only after the commit."""
        from telecare.service import run_until_stopped

        settings = load_settings(data_dir)
        run_until_stopped(lambda stop: _run(settings, lane, stop))


async def _run(settings: Settings, lane: LaneName, stop: asyncio.Event) -> None:
    from ingest.service import run_alarms, run_readings
    from telecare.clock import SystemClock
    from telecare.db import open_pool

    clock = SystemClock()
    async with (
        open_pool(settings.database, name="ingest", size=5 + settings.readings_writers) as pool,
        asyncio.TaskGroup() as lanes,
    ):
        if lane is not LaneName.READINGS:
            lanes.create_task(run_alarms(settings, pool, clock, stop))
        if lane is not LaneName.ALARMS:
            lanes.create_task(run_readings(settings, pool, clock, stop))
