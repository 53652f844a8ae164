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
            LaneName, typer.Option(help="alarms (with states and results), readings, or both")
        ] = LaneName.BOTH,
        data_dir: Annotated[Path | None, typer.Option(help="data directory of the running system")] = None,
    ) -> None:
        """Store what arrives over MQTT; acknowledge it only after the commit."""
        from telecare.service import run_until_stopped

        settings = load_settings(data_dir)
        run_until_stopped(lambda stop: _run(settings, lane, stop))


async def _run(settings: Settings, lane: LaneName, stop: asyncio.Event) -> None:
    from ingest.inbox import Inbox
    from ingest.service import ALARM_TOPICS, READING_TOPICS, AlarmLane, ReadingLane
    from ingest.stream_inbox import StreamInbox
    from telecare.clock import SystemClock
    from telecare.db import open_pool

    async with (
        open_pool(settings.database, name="ingest", size=4 + settings.readings_writers) as pool,
        asyncio.TaskGroup() as lanes,
    ):
        if lane is not LaneName.READINGS:
            inbox = Inbox(
                settings.mqtt, "telecare-ingest-alarms", ALARM_TOPICS, settings.ingest_buffer, settings.mqtt_ca_file
            )
            lanes.create_task(AlarmLane(pool, inbox, settings, SystemClock()).run(stop))
        if lane is not LaneName.ALARMS:
            stream = StreamInbox(
                settings.mqtt, "telecare-ingest-readings", READING_TOPICS, settings.ingest_buffer, settings.mqtt_ca_file
            )
            lanes.create_task(ReadingLane(pool, stream, settings, SystemClock()).run(stop))
