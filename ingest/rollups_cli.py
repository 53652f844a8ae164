"""`telecare rollups`: are they right, and compute them anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telecare.settings import load_settings

if TYPE_CHECKING:
    from ingest.rollups import Rollups

DataDir = Annotated[Path | None, typer.Option(help="data directory of the running system")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    rollups = typer.Typer(help="hourly and daily sums of readings", no_args_is_help=True)
    rollups.command("check")(_check)
    rollups.command("rebuild")(_rebuild)
    app.add_typer(rollups, name="rollups")


def _check(data_dir: DataDir = None) -> None:
    """Compare the roll-ups with the raw readings. Exit code 1 where they differ."""

    async def check() -> list[str]:
        async with _rollups(data_dir) as rollups:
            return await rollups.check()

    differences = asyncio.run(check())
    for line in differences:
        typer.echo(line)
    if differences:
        raise typer.Exit(1)
    typer.echo("the roll-ups are what the readings amount to")


def _rebuild(data_dir: DataDir = None) -> None:
    """Compute them anew, for example when a council's time zone was wrong. Safe beside a running service."""

    async def rebuild() -> int:
        async with _rollups(data_dir) as rollups:
            return await rollups.rebuild()

    typer.echo(f"{asyncio.run(rebuild())} roll-ups")


@asynccontextmanager
async def _rollups(data_dir: Path | None) -> "AsyncIterator[Rollups]":
    from ingest.rollups import Rollups
    from telecare.db import open_pool

    settings = load_settings(data_dir)
    async with open_pool(settings.database, name="rollups", size=1) as pool:
        yield Rollups(pool, settings)
