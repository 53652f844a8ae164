"""Letting hubs in: the register first, then the broker's accounts, then a proof that the broker opens."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import aiomqtt
from psycopg import AsyncConnection

from telecare.db import Connection
from telecare.errors import CannotStart
from telecare.mqtt import client_for
from telecare.mqtt_accounts import read_password_file, write_password_file
from telecare.register.homes import Enrolment, NewHome, add_home, enrol_hub
from telecare.settings import Settings

ACCOUNTS_LOCK: Final = 7_352_273_002  # pg_advisory_lock key: one writer of the password file at a time
PID_FILE: Final = "broker.pid"  # beside the password file
LET_IN_WITHIN_S: Final = 10.0


async def enrol(settings: Settings, wanted: Sequence[tuple[str, NewHome | UUID]]) -> list[Enrolment]:
    """Enrol hubs, each for a new home or for one that exists; all of them or none.

    Returns once the broker lets them in.

    Raises:
        Refused: a name is not a hub name, or is taken.
        NotFound: there is no such home.
        CannotStart: the database is out of reach, or the broker does not learn of them.
    """
    if not wanted:
        return []
    async with await AsyncConnection.connect(settings.database, connect_timeout=10) as conn:
        enrolments = []
        for name, where in wanted:
            home = await add_home(conn, where) if isinstance(where, NewHome) else where
            enrolments.append(await enrol_hub(conn, name, home))
        await conn.commit()
        await publish_accounts(conn, settings.mqtt_password_file)
    if settings.mqtt_password_file is not None:
        await _wait_until_let_in(settings, enrolments[-1])
    return enrolments


async def publish_accounts(conn: Connection, password_file: Path | None) -> None:
    """Write every enrolled hub into the broker's password file and have the broker read it.

    Accounts in the file that are no hub's (the service's own) stay. Without a file there is nothing to do: the broker
    is somebody else's, and its administrator adds the hubs.
    """
    if password_file is None:
        return
    async with conn.transaction():
        await conn.execute("select pg_advisory_xact_lock(%s)", (ACCOUNTS_LOCK,))
        hubs = await accounts(conn)
        others = {name: hashed for name, hashed in read_password_file(password_file).items() if "_" in name}
        write_password_file(password_file, others | hubs)
        _tell_broker(password_file.parent / PID_FILE)


async def accounts(conn: Connection) -> dict[str, str]:
    """Who may log in at the broker: each hub's name and hash. The service's own test hub may not."""
    sql = "select name, secret_hash from hubs where secret_hash is not null"
    return dict(await (await conn.execute(sql)).fetchall())


def _tell_broker(pid_file: Path) -> None:
    try:
        os.kill(int(pid_file.read_text(encoding="ascii")), signal.SIGHUP)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return  # it is not running, and reads the file when it starts
    except PermissionError as problem:
        raise CannotStart("the broker runs as another user: reload it by hand (SIGHUP)") from problem


async def _wait_until_let_in(settings: Settings, enrolment: Enrolment) -> None:
    url, ca_file = settings.mqtt_url_for_hubs, settings.mqtt_ca_file
    trouble: Exception | None = None
    deadline = asyncio.get_running_loop().time() + LET_IN_WITHIN_S
    while asyncio.get_running_loop().time() < deadline:
        try:
            async with client_for(url, ca_file=ca_file, username=enrolment.hub, password=enrolment.secret, timeout_s=2):
                return
        except aiomqtt.MqttError as problem:
            trouble = problem
            await asyncio.sleep(0.05)
    raise CannotStart(f"the broker does not let {enrolment.hub} in after {LET_IN_WITHIN_S:g} s: {trouble}")
