"""`telecare dashboard`: the console alone; `telecare static`: the design system's files, now."""

import asyncio
import socket
from pathlib import Path
from typing import Annotated

import typer

from dashboard.outcomes import cli as outcomes
from telecare.errors import CannotStart
from telecare.https import check_address
from telecare.settings import Settings, load_settings


def register(app: typer.Typer) -> None:
    """Add this service's commands."""
    outcomes.register(app)

    @app.command("dashboard")
    def dashboard(
        data_dir: Annotated[Path | None, typer.Option(help="data directory of the running system")] = None,
        port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
    ) -> None:
        """Serve the console, the other pages and the HTTP API."""
        from dashboard.server import serve
        from telecare.service import run_until_stopped

        settings = load_settings(data_dir) if port is None else load_settings(data_dir, port=port)
        asyncio.run(check(settings))
        listener = listen(settings)
        run_until_stopped(lambda stop: serve(settings, listener, stop))

    @app.command("static")
    def static(
        data_dir: Annotated[Path | None, typer.Option(help="where the files go if the package is read-only")] = None,
    ) -> None:
        """Fetch the design system's files now."""
        from dashboard.static import StaticFiles

        folder = asyncio.run(StaticFiles(load_settings(data_dir).data_dir).fetch())
        typer.echo(f"The design system's files are in {folder}")


async def check(settings: Settings) -> None:
    """See that the dashboard can work here.

    Raises:
        CannotStart: it would be open to other machines without HTTPS or with demo users, the certificate cannot be
            used, or the database is out of reach or has not been migrated.
    """
    from dashboard import store
    from telecare.db import open_pool

    async with open_pool(settings.database, name="dashboard", size=1) as pool, pool.connection() as conn:
        cursor = await conn.execute("select to_regclass('sessions') is not null")
        if (await cursor.fetchone()) != (True,):
            raise CannotStart("the database is not up to date: run `telecare migrate` first")
        demo = settings.demo or await store.has_demo_users(conn)
    check_address(settings, demo=demo)


def listen(settings: Settings) -> socket.socket:
    """The socket to serve on.

    Raises:
        CannotStart: somebody else listens there, or we may not.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as problem:
        raise CannotStart(
            f"cannot listen on {settings.host} port {settings.port} ({problem.strerror}): set TELECARE_PORT to another"
        ) from problem
