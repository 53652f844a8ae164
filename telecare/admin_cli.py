"""What an administrator does from the shell: start, migrate, enrol, users, homes, status, settings."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from psycopg import AsyncConnection

from telecare.db import Connection, database_now
from telecare.errors import CannotStart, Refused
from telecare.settings import Settings, load_settings
from telecare.vocabulary import Role

DataDir = Annotated[Path | None, typer.Option(help="where the running system keeps its files")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
Result = TypeVar("Result")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _print_json(value: object) -> None:
    _say(json.dumps(value, default=str))


def _with_database(settings: Settings, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with await AsyncConnection.connect(settings.database, connect_timeout=10) as conn:
            return await work(conn)

    return asyncio.run(run())


def register(app: typer.Typer) -> None:
    """Add the ground floor's commands."""
    app.command("up")(_up)
    app.command("migrate")(_migrate)
    app.command("hub-enrol")(_hub_enrol)
    app.command("status")(_status)
    app.command("settings")(_settings)
    users = typer.Typer(help="members of staff and their programs' tokens", no_args_is_help=True)
    users.command("add")(_user_add)
    users.command("list")(_user_list)
    users.command("token")(_user_token)
    app.add_typer(users, name="user")
    homes = typer.Typer(help="homes in the register", no_args_is_help=True)
    homes.command("add")(_home_add)
    homes.command("list")(_home_list)
    app.add_typer(homes, name="home")


def _up(
    demo: Annotated[bool, typer.Option("--demo", help="simulated homes and demo users; loopback only")] = False,
    homes: Annotated[int, typer.Option(min=0, max=2000, help="simulated homes, with --demo")] = 10,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="of the console [default: 8080]")] = None,
    data_dir: DataDir = None,
    press: Annotated[bool, typer.Option(help="with --demo, press the first pendant after 10 s")] = True,
) -> None:
    """Start everything; what is not configured (database, broker) is embedded. Ctrl-C stops it."""
    from telecare.up import Wish, up

    given: dict[str, Any] = {"demo": demo}
    if port is not None:
        given["port"] = port
    if data_dir is not None:
        given["data_dir"] = data_dir
    # What a system that was killed left in its runtime file is not a wish of ours.
    settings = load_settings(runtime=False, **given)
    asyncio.run(up(Wish(settings, demo, homes, press)))


def _migrate(data_dir: DataDir = None) -> None:
    """Bring the database up to date. Safe to run twice, and beside a running service."""
    from telecare.migrate import migrate

    applied = migrate(load_settings(data_dir).database, _say)
    for migration in applied:
        _say(f"applied {migration.service}/{migration.name}")
    if not applied:
        _say("the database is up to date")


def _hub_enrol(
    name: Annotated[str | None, typer.Argument(help="the hub's name: small letters, digits, hyphens")] = None,
    new_home: Annotated[bool, typer.Option("--new-home", help="for a home that is described later")] = False,
    home: Annotated[UUID | None, typer.Option(help="for this home")] = None,
    count: Annotated[int | None, typer.Option(min=1, max=100_000, help="enrol so many, each for a new home")] = None,
    prefix: Annotated[str, typer.Option(help="with --count: names are PREFIX1, PREFIX2, …")] = "hub-",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Let a hub in. Its secret is shown here and never again."""
    from telecare.enrolment import enrol
    from telecare.register.homes import NewHome, home_to_be_described

    if (name is None) == (count is None):
        raise Refused("hub-enrol needs a NAME, or --count N with --prefix P")
    if name is not None and new_home == (home is not None):
        raise Refused("hub-enrol NAME needs --new-home, or --home ID")
    settings = load_settings(data_dir)
    names = [name] if name is not None else [f"{prefix}{n}" for n in range(1, (count or 0) + 1)]
    wanted: list[tuple[str, NewHome | UUID]] = [(hub, home or home_to_be_described(hub)) for hub in names]
    url = settings.mqtt_url_for_hubs
    hubs = [
        {"hub": e.hub, "home": str(e.home), "secret": e.secret, "mqtt_url": url}
        for e in asyncio.run(enrol(settings, wanted))
    ]
    if as_json:
        _print_json(hubs[0] if name is not None else {"hubs": hubs})
        return
    for hub in hubs:
        _say(f"hub {hub['hub']}  home {hub['home']}  secret {hub['secret']}  broker {hub['mqtt_url']}")


def _status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What runs in a data directory."""
    from telecare.supervisor import STATUS_FILE

    path = load_settings(data_dir).data_dir / STATUS_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise CannotStart(f"nothing has been started in {path.parent}") from problem
    for part in found["parts"]:
        if part["pid"] is not None and not _lives(part["pid"]):
            part["pid"], part["state"] = None, "gone"
    if as_json:
        _print_json({"parts": found["parts"]})
        return
    for part in found["parts"]:
        _say(f"{part['name']:<16} {part['state']:<10} pid {part['pid'] or '-':<8} restarts {part['restarts']}")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _settings() -> None:
    """List every setting: its variable, its value now, and what it is. Secrets are not shown."""
    now = load_settings(runtime=False)
    for name, about in Settings.model_fields.items():
        value = getattr(now, name)
        _say(f"TELECARE_{name.upper()}={'' if value is None else value}")
        _say(f"    {about.description}")


def _user_add(
    username: Annotated[str, typer.Argument(help="small letters, digits, dots")],
    role: Annotated[Role, typer.Option(help="who they are to the service")],
    name: Annotated[str, typer.Option(help="as colleagues see it")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
    council: Annotated[str | None, typer.Option(help="a commissioner's: sees this council only; else all")] = None,
    data_dir: DataDir = None,
) -> None:
    """Add a member of staff."""
    from telecare.register.councils import councils
    from telecare.register.staff import add_member

    if len(password) < 10:
        raise Refused("the password must have at least 10 characters")

    async def add(conn: Connection) -> None:
        known = {one.name: one.id for one in await councils(conn)}
        if council is not None and council not in known:
            raise Refused(f"no council {council!r}; there are: {', '.join(known) or 'none'}")
        of = None if council is None else known[council]
        await add_member(conn, username, name, role, password, council_id=of)

    _with_database(load_settings(data_dir), add)
    _say(f"added {username}, {role.value}")


def _user_list(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the members of staff."""

    async def read(conn: Connection) -> list[tuple[Any, ...]]:
        cursor = await conn.execute("select username, display_name, role, active from staff order by username")
        return await cursor.fetchall()

    rows = _with_database(load_settings(data_dir), read)
    if as_json:
        _print_json({"users": [dict(zip(("username", "name", "role", "active"), row, strict=True)) for row in rows]})
        return
    for username, name, role, active in rows:
        _say(f"{username:<20} {role:<14} {name}{'' if active else '  (not active)'}")


def _user_token(username: str, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make a token for a user's programs. It is shown here and never again."""
    from telecare.register.staff import new_token

    async def make(conn: Connection) -> str:
        return await new_token(conn, username, await database_now(conn))

    token = _with_database(load_settings(data_dir), make)
    if as_json:
        _print_json({"token": token})
        return
    _say(token)


def _home_add(
    address: str,
    person: Annotated[list[str] | None, typer.Option(help="who wears an alarm there; may be given again")] = None,
    postcode: str = "",
    council: str = "Anytown Council",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a home. Each person given gets a pendant of their own: pendant-1, pendant-2, …"""
    from telecare.register.homes import NewDevice, NewHome, NewPerson, add_home

    people = tuple(NewPerson(name=name) for name in person or ())
    devices = tuple(NewDevice(name=f"pendant-{n + 1}", kind="pendant", person=n) for n in range(len(people)))
    new = NewHome(address=address, postcode=postcode, council=council, people=people, devices=devices)
    home = _with_database(load_settings(data_dir), lambda conn: add_home(conn, new))
    if as_json:
        _print_json({"home": home})
        return
    _say(f"home {home}")


def _home_list(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the homes with their hubs."""

    async def read(conn: Connection) -> list[tuple[Any, ...]]:
        cursor = await conn.execute(
            """select h.id, h.address, h.postcode, coalesce(array_agg(u.name) filter (where u.name is not null), '{}')
                 from homes h left join hubs u on u.home_id = h.id group by h.id order by h.address"""
        )
        return await cursor.fetchall()

    rows = _with_database(load_settings(data_dir), read)
    if as_json:
        _print_json({"homes": [dict(zip(("home", "address", "postcode", "hubs"), row, strict=True)) for row in rows]})
        return
    for home, address, postcode, hubs in rows:
        _say(f"{home}  {address}, {postcode}  {' '.join(hubs)}")
