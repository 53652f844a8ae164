"""`telecare alerts`, `detection`, `watchdog`: each process alone. `telecare audit`: what must agree, compared."""

import asyncio
import json
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from telecare import command_groups
from telecare.errors import TelecareError
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

    @app.command("watchdog")
    def watchdog(
        data_dir: Annotated[Path | None, typer.Option(help="data directory of the running system")] = None,
    ) -> None:
        """Press a test pendant each minute, and shout when the press does not arrive."""
        from telecare.service import run_until_stopped

        settings = load_settings(data_dir)
        run_until_stopped(lambda stop: _watch(settings, stop))

    app.command("audit")(_audit)
    app.command("push-key")(_push_key)
    command_groups.falls(app).command("export-labels")(_export_labels)


def _export_labels(
    out: Annotated[Path, typer.Option(help="the file to write; what it held is replaced")] = Path(
        "falls-labels.parquet"
    ),
    dataset: Annotated[str, typer.Option(help="the data set's name in it")] = "coded",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="data directory of the running system")] = None,
) -> None:
    """Write the blows of people who consent, with what their alerts turned out to be, for `telecare falls train`."""
    counts = asyncio.run(_exported(load_settings(data_dir), out, dataset))
    if as_json:
        sys.stdout.write(json.dumps({"file": str(out), **counts}) + "\n")
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts["windows"].items() if count) or "no windows"
    sys.stdout.write(f"{out}: {kinds}; of {counts['people']} of {counts['consents']} people who consent\n")


async def _exported(settings: Settings, out: Path, dataset: str) -> dict[str, Any]:
    from psycopg import AsyncConnection

    from alerts import labels, labels_store

    async with await AsyncConnection.connect(settings.database, autocommit=True, connect_timeout=10) as conn:
        coded = await labels_store.coded(conn)
        consents = await labels_store.count_consents(conn)
    found = list(labels.labels(coded, labels_store.pseudonyms(one.person_id for one in coded)))
    labels_store.write(out, dataset, found)
    counts = Counter(one.source.value for one in found)
    return {
        "windows": {source.value: counts[source.value] for source in labels.Source},
        "people": len({one.subject for one in found}),
        "consents": consents,
    }


def _push_key(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="data directory of the running system")] = None,
) -> None:
    """Make the key by which browsers and their push services know this service. It is shown here and never again."""
    from alerts.channels.vapid import new_pair

    private, public = new_pair()
    if load_settings(data_dir).vapid_key is not None:
        sys.stderr.write("telecare: a key is set already. With another, each carer turns each device on again.\n")
    if as_json:
        sys.stdout.write(json.dumps({"vapid_key": private, "public_key": public}) + "\n")
        return
    sys.stdout.write(f"TELECARE_VAPID_KEY='{private}'\n")


def _audit(
    ledger: Annotated[list[Path] | None, typer.Option(help="a hub's ledger (JSON lines); may be given again")] = None,
    stream: Annotated[Path | None, typer.Option(help="what a console was shown (JSON lines)")] = None,
    since: Annotated[
        str | None, typer.Option(help="an instant, as 2026-11-24T12:00:00Z; without it, everything")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="data directory of the running system")] = None,
) -> None:
    """Compare alarms, alerts, steps, messages and the screens' feed. Exit code 1 where something is broken, 2 where
    nothing could be looked at."""
    import psycopg

    from telecare.clock import parse_instant

    try:
        begin = parse_instant(since) if since is not None else None
        found = asyncio.run(_audited(load_settings(data_dir), begin, ledger or [], stream))
    except (TelecareError, OSError, ValueError, psycopg.Error) as problem:
        words = str(problem).strip().splitlines()
        sys.stderr.write(f"telecare: cannot audit: {words[0] if words else type(problem).__name__}\n")
        raise typer.Exit(2) from problem
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for one in found["invariants"]:
            state = "ok    " if one["holds"] else "BROKEN"
            sys.stdout.write(f"{state} {one['id']} {one['words']} ({one['checked']} looked at)\n")
            for example in one["examples"]:
                sys.stdout.write(f"          {example}\n")
            if one["broken"] > len(one["examples"]):
                sys.stdout.write(f"          and {one['broken'] - len(one['examples'])} more\n")
    sys.stdout.flush()
    if not found["holds"]:
        raise typer.Exit(1)


async def _audited(
    settings: Settings, since: datetime | None, ledgers: list[Path], stream: Path | None
) -> dict[str, Any]:
    from psycopg import AsyncConnection

    from alerts.audit import service as audit
    from alerts.settings import ladder

    kept = [line for path in ledgers for line in audit.read_ledger(path)]
    seen = audit.read_stream(stream) if stream is not None else []
    async with await AsyncConnection.connect(settings.database, autocommit=True, connect_timeout=10) as conn:
        await conn.execute("set timezone to 'UTC'")
        report = await audit.audit(conn, settings, ladder(settings), since=since, ledgers=kept, stream=seen)
    return audit.as_document(report)


async def _watch(settings: Settings, stop: asyncio.Event) -> None:
    from alerts.watchdog.outside import engineer_for
    from alerts.watchdog.service import Watchdog
    from telecare.clock import SystemClock

    _ = settings.database, settings.mqtt  # where either is not set, it stops here with one line
    await Watchdog(settings, engineer_for(settings), SystemClock()).run(stop)


async def _run(settings: Settings, stop: asyncio.Event) -> None:
    from alerts.channels import table_for
    from alerts.service import Engine
    from telecare.clock import SystemClock
    from telecare.db import open_pool

    table = table_for(settings)
    async with open_pool(settings.database, name="alerts", size=6) as pool:
        await Engine(pool, settings, table, SystemClock()).run(stop)


async def _detect(settings: Settings, stop: asyncio.Event) -> None:
    from alerts.detection.service import Detection
    from telecare.clock import SystemClock
    from telecare.db import open_pool

    async with open_pool(settings.database, name="detection", size=3) as pool:
        await Detection(pool, settings, SystemClock()).run(stop)
