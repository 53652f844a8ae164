"""`telecare init`, `backup`, `restore`, `doctor`: what the engineer of a council's server does."""

import asyncio
import json
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from psycopg import AsyncConnection

from telecare.errors import Refused
from telecare.settings import DEFAULT_ENV_FILE, Settings, load_settings

DataDir = Annotated[Path | None, typer.Option(help="data directory of the running system")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init")(_init)
    app.command("backup")(_backup)
    app.command("restore")(_restore)
    app.command("doctor")(_doctor)


def _say(line: str = "") -> None:
    sys.stdout.write(line + "\n")


def _init(
    config_dir: Annotated[Path, typer.Option(help="where the configuration goes")] = DEFAULT_ENV_FILE.parent,
    council: Annotated[str, typer.Option(prompt="The council's name")] = "",
    host_name: Annotated[str, typer.Option(prompt="The name by which hubs and people reach this machine")] = "",
    database_url: Annotated[
        str, typer.Option(prompt="The database, postgresql://USER:PASSWORD@HOST/NAME", envvar="TELECARE_DATABASE_URL")
    ] = "",
    admin: Annotated[str, typer.Option(prompt="User name of the first administrator")] = "admin",
    admin_name: Annotated[str, typer.Option(prompt="Their name, as colleagues see it")] = "",
    admin_password: Annotated[
        str,
        typer.Option(help="at least 10 characters; made and shown once if left out", envvar="TELECARE_ADMIN_PASSWORD"),
    ] = "",
    service_name: Annotated[str, typer.Option(prompt="How messages to contacts begin")] = "Telecare",
    service_phone: Annotated[str, typer.Option(prompt="The number that contacts are asked to call")] = "",
    certificate: Annotated[Path | None, typer.Option(help="certificate chain (PEM) of this machine's name")] = None,
    key: Annotated[Path | None, typer.Option(help="its key (PEM)")] = None,
    ca: Annotated[Path | None, typer.Option(help="certificates that vouch for it, if no public authority does")] = None,
    listen: Annotated[str, typer.Option(help="address that the pages listen on")] = "0.0.0.0",  # noqa: S104  (by HTTPS only)
    port: Annotated[int, typer.Option(min=1, max=65535, help="of the pages")] = 8443,
    mqtt_port: Annotated[int, typer.Option(min=1, max=65535, help="of the broker, by TLS")] = 8883,
    user: Annotated[str, typer.Option(help="the system's user that the services run as")] = "telecare",
    force: Annotated[bool, typer.Option("--force", help="replace files that differ; the old ones stay, dated")] = False,
) -> None:
    """Make a server of your own ready: settings, certificates, broker, systemd units, council, first administrator."""
    from telecare.deploy.init import Answers, initialise

    shown = not admin_password
    password = admin_password or secrets.token_urlsafe(12)
    program = Path(sys.argv[0]).resolve()
    report = asyncio.run(
        initialise(
            Answers(
                folder=config_dir, council=council, admin=admin, admin_name=admin_name, admin_password=password,
                database_url=database_url, host_name=host_name, listen=listen, port=port, mqtt_port=mqtt_port,
                service_name=service_name, service_phone=service_phone, user=user, program=program,
                certificate=certificate, key=key, ca=ca, force=force,
            )
        )
    )  # fmt: skip
    for path in report.written:
        _say(f"written   {path}")
    for path in report.kept:
        _say(f"kept      {path}")
    for line in report.done:
        _say(line)
    if shown and not any("was there" in line for line in report.done if line.startswith("administrator")):
        _say(f"password of {admin}, shown here and never again: {password}")
    _say("\nNext:")
    for number, line in enumerate(_next(config_dir, user), start=1):
        _say(f"  {number}. {line}")


def _next(folder: Path, user: str) -> list[str]:
    return [
        f"adduser --system --group {user}; chown -R {user}:{user} {folder}",
        "apt-get install mosquitto, and stop and disable the service of its own: ours runs it with our configuration",
        f"cp {folder}/systemd/* /etc/systemd/system/; systemctl daemon-reload; systemctl enable --now telecare.target",
        "telecare user add NAME --role operator --name 'Their name'",
        "telecare hub-enrol NAME --new-home, for each hub; give it the CA file if the authority is your own",
        "telecare doctor",
    ]


def _backup(
    target: Annotated[Path, typer.Argument(help="a file, or a folder in which it gets a dated name")],
    keep: Annotated[int | None, typer.Option(min=1, help="of a folder: keep so many, delete older ones")] = None,
    data_dir: DataDir = None,
) -> None:
    """Write the whole database to one verified file. Safe beside a running service."""
    from telecare.deploy.backup import keep_newest, make_backup, said

    settings = load_settings(data_dir)
    if keep is not None and not target.is_dir():
        raise Refused("--keep goes with a folder")
    begun = time.monotonic()
    path, manifest = make_backup(settings.database, target, settings.postgres_bin, datetime.now(UTC))
    holds = ", ".join(f"{count} {name}" for name, count in said(manifest).items())
    _say(f"{path}: {path.stat().st_size / 2**20:.1f} MiB in {time.monotonic() - begun:.1f} s; {holds}")
    for old in keep_newest(target, keep) if keep is not None else ():
        _say(f"deleted {old}")


def _restore(
    file: Annotated[Path, typer.Argument(help="a backup")],
    replace: Annotated[
        bool, typer.Option("--replace", help="a database that is not empty; a backup of it is made first")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Bring the database to what a backup holds, wholly or not at all. The services must not run."""
    from telecare.deploy.backup import restore, said
    from telecare.migrate import migrate

    settings = load_settings(data_dir)
    manifest = restore(settings.database, file, settings.postgres_bin, replace=replace, now=datetime.now(UTC))
    migrate(settings.database)
    asyncio.run(_after_restore(settings))
    holds = ", ".join(f"{count} {name}" for name, count in said(manifest).items())
    _say(f"restored what there was at {manifest.made_at}: {holds}")


async def _after_restore(settings: Settings) -> None:
    """What the database does not know of: this server's transactions, and the broker's accounts."""
    from telecare import feed
    from telecare.enrolment import publish_accounts

    async with await AsyncConnection.connect(settings.database) as conn:
        await feed.rebase(conn)
        await conn.commit()
        await publish_accounts(conn, settings.mqtt_password_file)


def _doctor(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Look at every part that a person needs to answer an alarm. Exit code 1 where something is wrong."""
    from telecare.deploy.doctor import examine

    found = asyncio.run(examine(load_settings(data_dir)))
    if as_json:
        checks = [{"check": one.check, "well": one.well, "words": one.words} for one in found]
        _say(json.dumps({"well": all(one.well for one in found), "checks": checks}))
    else:
        for one in found:
            _say(f"{'ok   ' if one.well else 'WRONG'} {one.check:<12} {one.words}")
    sys.stdout.flush()
    if not all(one.well for one in found):
        raise typer.Exit(1)
