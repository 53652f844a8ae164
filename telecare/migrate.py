"""Numbered plain-SQL migrations, applied forward only, under a lock.

Each package named in the entry point group `telecare.migrations` holds files `NNNN_name.sql` and says its `ORDER`; each
file runs once, in a transaction of its own. A running service is not disturbed: the lock holds other migrations only.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Final

import psycopg

from telecare.errors import CannotStart

LOCK: Final = 7_352_273_001  # pg_advisory_lock key: any number, as long as everybody uses the same
_FILE: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: which service owns it, its number there, its text."""

    service: str
    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def all_migrations() -> list[Migration]:
    """Every service's migrations, in the order in which they are applied."""
    return [m for _, name, package in sorted(_packages()) for m in _in_package(name, package)]


def _packages() -> Iterator[tuple[int, str, str]]:
    for point in entry_points(group="telecare.migrations"):
        yield point.load().ORDER, point.name, point.value


def _in_package(service: str, package: str) -> list[Migration]:
    found = []
    for file in files(package).iterdir():
        if match := _FILE.fullmatch(file.name):
            found.append(Migration(service, int(match[1]), file.name, file.read_text(encoding="utf-8")))
    return sorted(found, key=lambda m: m.number)


def migrate(database_url: str, say: Callable[[str], None] = lambda line: None) -> list[Migration]:
    """Bring the database up to date; returns what was applied.

    A package of migrations may have a function `after_migrating(conn)` for what depends on the server and not on a
    number, such as an extension that has been installed since; `say` is told what it did.

    Raises:
        CannotStart: the database is out of reach, or holds a migration that differs from ours.
    """
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=10) as conn:
            conn.execute("select pg_advisory_lock(%s)", (LOCK,))
            conn.execute("""
                create table if not exists schema_migrations (
                    service text, number integer, name text not null, digest text not null,
                    applied_at timestamptz not null default now(), primary key (service, number))
            """)
            applied = [m for m in all_migrations() if _apply(conn, m)]
            for point in entry_points(group="telecare.migrations"):
                after = getattr(point.load(), "after_migrating", None)
                if after is not None and (words := after(conn)):
                    say(words)
            return applied
    except psycopg.OperationalError as problem:
        raise CannotStart(f"the database cannot be reached: {str(problem).strip().splitlines()[0]}") from problem


def _apply(conn: psycopg.Connection, migration: Migration) -> bool:
    row = conn.execute(
        "select digest from schema_migrations where service = %s and number = %s",
        (migration.service, migration.number),
    ).fetchone()
    if row is not None:
        if row[0] != migration.digest:
            raise CannotStart(f"migration {migration.service}/{migration.name} differs from the one that was applied")
        return False
    with conn.transaction():
        conn.execute(migration.sql.encode())
        conn.execute(
            "insert into schema_migrations (service, number, name, digest) values (%s, %s, %s, %s)",
            (migration.service, migration.number, migration.name, migration.digest),
        )
    return True
