"""`telecare import-history`: past people, episodes and cases, from a file, a pipe or the simulator."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from telecare.errors import CannotStart, Refused
from telecare.settings import Settings, load_settings

_NICE: Final = 15  # what is live goes first
_PAUSE_S: Final = 0.06  # after each batch
_LINE_LIMIT: Final = 4_000_000  # bytes of one record


def register(app: typer.Typer) -> None:
    """Add this command."""

    @app.command("import-history")
    def import_history(
        file: Annotated[Path | None, typer.Argument(help="records of the past (telecare/past.py); - is a pipe")] = None,
        simulate: Annotated[int | None, typer.Option(help="a simulated year with this seed, instead of a file")] = None,
        people: Annotated[int, typer.Option(min=1, help="with --simulate: how many people")] = 240,
        data_dir: Annotated[Path | None, typer.Option(help="data directory of the running system")] = None,
    ) -> None:
        """Take in past cases, people and episodes; interrupted, it goes on where it was."""
        from telecare.service import run_until_stopped

        if (file is None) == (simulate is None):
            raise CannotStart("give a file, or --simulate SEED")
        settings = load_settings(data_dir)
        run_until_stopped(lambda stop: _run(settings, stop, file, simulate, people))


async def _run(settings: Settings, stop: asyncio.Event, file: Path | None, seed: int | None, people: int) -> None:
    from dashboard.outcomes import history
    from telecare.clock import SystemClock
    from telecare.db import database_now, open_pool

    os.nice(_NICE)
    async with open_pool(settings.database, name="history", size=1) as pool:
        if file is not None:
            await history.load(pool, _lines_of(file), SystemClock(), stop, _PAUSE_S)
            return
        async with pool.connection() as conn:
            try:
                until = await history.unfinished(conn, f"simulated year {seed}")
            except Refused:
                return  # it is there
            until = until or (await database_now(conn)).date()
        async with _simulated(seed or 0, people, until) as lines:
            await history.load(pool, lines, SystemClock(), stop, _PAUSE_S)


async def _lines_of(file: Path) -> AsyncIterator[bytes]:
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as opened:
            for line in opened:
                yield line
    except OSError as problem:
        raise CannotStart(f"{file} cannot be read: {problem.strerror}") from problem


@asynccontextmanager
async def _simulated(seed: int, people: int, until: date) -> AsyncIterator[AsyncIterator[bytes]]:
    """What the simulator prints. It is a program of its own: neither imports the other."""
    command = [sys.executable, "-m", "telecare", "simulate-year", "--seed", str(seed), "--people", str(people)]
    process = await asyncio.create_subprocess_exec(
        *command, "--until", until.isoformat(), stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
        limit=_LINE_LIMIT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield aiter(process.stdout)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
