"""`telecare backup` and `telecare restore`: a file that is verified before it counts, a restore that is all or nothing.

A backup is a tar of `manifest.json` and `database.dump` (pg_dump's custom format, of one snapshot). The manifest holds
the dump's hash, which migrations the database had, and how many rows each table held in that snapshot.
"""

import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from telecare.embedded.postgres import find_binaries
from telecare.errors import CannotStart, Refused
from telecare.migrate import all_migrations

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DUMP: Final = "database.dump"
NAME: Final = "telecare-{:%Y%m%dT%H%M%SZ}.backup"
_CHUNK: Final = 1 << 20
_MANIFEST_LIMIT: Final = 10 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    made_at: str
    program: str
    dump_sha256: str
    dump_bytes: int
    migrations: dict[str, str]  # "service/number" to digest
    rows: dict[str, int]  # by table


# ---------------------------------------------------------------- making one


def make_backup(database_url: str, target: Path, postgres_bin: Path | None, now: datetime) -> tuple[Path, Manifest]:
    """Write a backup to a file, or into a folder under a dated name. It has its name only once it has been verified.

    Raises:
        Refused: there is something of that name.
        CannotStart: the database is out of reach, or PostgreSQL's programs fail.
    """
    path = target / NAME.format(now) if target.is_dir() else target
    if path.exists():
        raise Refused(f"{path} is there already; a backup never replaces another")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".dump-") as folder:
            dump = Path(folder) / DUMP
            manifest = _dump(database_url, dump, postgres_bin, now)
            _pack(Path(temporary), dump, manifest)
        with opened(Path(temporary), postgres_bin):
            pass  # it can be read back
        Path(temporary).rename(path)
        _sync(path.parent)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path, manifest


def _dump(database_url: str, dump: Path, postgres_bin: Path | None, now: datetime) -> Manifest:
    try:
        with psycopg.connect(database_url, connect_timeout=10) as conn:
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            conn.read_only = True
            row = conn.execute("select pg_export_snapshot()").fetchone()
            assert row is not None
            _run(["pg_dump", "--format=custom", "--no-owner", f"--snapshot={row[0]}", f"--file={dump}"],
                 database_url, postgres_bin)  # fmt: skip
            migrations = conn.execute("select service || '/' || number, digest from schema_migrations").fetchall()
            rows = row_counts(conn)
    except psycopg.OperationalError as problem:
        raise CannotStart(f"the database cannot be reached: {str(problem).strip().splitlines()[0]}") from problem
    return Manifest(
        now.astimezone(UTC).isoformat(), version("telecare"), _sha256(dump), dump.stat().st_size, dict(migrations), rows
    )


def row_counts(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """How many rows each table holds."""
    names = conn.execute(
        """select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition order by 1"""
    ).fetchall()
    found = {}
    for (name,) in names:
        row = conn.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(name))).fetchone()
        assert row is not None
        found[name] = int(row[0])
    return found


def _pack(path: Path, dump: Path, manifest: Manifest) -> None:
    said = json.dumps({"format": FORMAT, **{name: getattr(manifest, name) for name in manifest.__slots__}}).encode()
    with path.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            about = tarfile.TarInfo(MANIFEST)
            about.size = len(said)
            tar.addfile(about, BytesIO(said))
            tar.add(dump, DUMP)
        file.flush()
        os.fsync(file.fileno())


def keep_newest(folder: Path, count: int) -> list[Path]:
    """Delete all but the newest backups of a folder; those that went."""
    old = sorted(folder.glob("telecare-*.backup"))[:-count]
    for path in old:
        path.unlink()
    return old


# ---------------------------------------------------------------- reading one


@contextmanager
def opened(path: Path, postgres_bin: Path | None) -> Iterator[tuple[Manifest, Path]]:
    """A backup's manifest and its dump in a file for the time being, after everything in it has been verified.

    Raises:
        Refused: it is no backup, or it is not whole.
    """
    with tempfile.TemporaryDirectory(prefix="telecare-restore-") as folder:
        dump = Path(folder) / DUMP
        try:
            manifest = _unpack(path, dump)
        except FileNotFoundError as problem:
            raise Refused(f"there is no {path}") from problem
        except (tarfile.TarError, OSError, ValueError, KeyError, TypeError, EOFError) as problem:
            raise Refused(f"{path} is no backup of Telecare, or it is not whole ({problem})") from problem
        if dump.stat().st_size != manifest.dump_bytes or _sha256(dump) != manifest.dump_sha256:
            raise Refused(f"{path} is damaged: what is in it is not what was put in")
        _run(["pg_restore", "--list", str(dump)], None, postgres_bin)
        yield manifest, dump


def _unpack(path: Path, dump: Path) -> Manifest:
    with tarfile.open(path, mode="r:") as tar:
        about = tar.extractfile(MANIFEST)
        if about is None:
            raise ValueError("it has no manifest")
        said = json.loads(about.read(_MANIFEST_LIMIT))
        if said.pop("format") != FORMAT:
            raise ValueError("it is of another format")
        content = tar.extractfile(DUMP)
        if content is None:
            raise ValueError("it has no dump")
        with dump.open("wb") as file:
            while piece := content.read(_CHUNK):
                file.write(piece)
    return Manifest(**said)


# ---------------------------------------------------------------- restoring


def restore(database_url: str, path: Path, postgres_bin: Path | None, *, replace: bool, now: datetime) -> Manifest:
    """Bring a database to what a backup holds: wholly, or not at all. Its owner's login is needed.

    With `replace` a backup of what is there is made first, beside the other.

    Raises:
        Refused: the backup is not whole or comes from a newer program; the database is in use, or not empty.
        CannotStart: the database is out of reach, or PostgreSQL's programs fail: nothing has changed.
    """
    with opened(path, postgres_bin) as (manifest, dump):
        _check_known(manifest)
        with psycopg.connect(database_url, autocommit=True, connect_timeout=10) as conn:
            _check_unused(conn)
            is_empty = _is_empty(conn)
        if not is_empty:
            if not replace:
                raise Refused("the database is not empty: use --replace, or restore into another one")
            make_backup(database_url, path.with_name(f"before-restore-{now:%Y%m%dT%H%M%SZ}.backup"), postgres_bin, now)
        _replace_all(database_url, dump, postgres_bin)
        with psycopg.connect(database_url, connect_timeout=10) as conn:
            found = row_counts(conn)
        if found != manifest.rows:
            differing = sorted(name for name in manifest.rows if found.get(name) != manifest.rows[name])
            raise CannotStart(f"restored, but the rows of {', '.join(differing)} are not as many as the backup says")
        return manifest


# Tables with their partitions, then our functions; an extension and what belongs to it stay. (pg_restore's own --clean
# cannot drop partitions.)
EMPTY_SCHEMA: Final = """
do $$
declare one record;
begin
    for one in select c.oid::regclass as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition loop
        execute format('drop table %s cascade', one.name);
    end loop;
    for one in select p.oid::regprocedure as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                where n.nspname = 'public'
                  and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e') loop
        execute format('drop function %s cascade', one.name);
    end loop;
end $$
"""


def _replace_all(database_url: str, dump: Path, postgres_bin: Path | None) -> None:
    """What is there goes and what was backed up comes, in one transaction: whatever fails, the old content stays."""
    script = dump.with_name("restore.sql")
    _run(["pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(dump)], None, postgres_bin)
    command = [
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--single-transaction",
        "--set=ON_ERROR_STOP=1",
        f"--command={EMPTY_SCHEMA}",
    ]
    _run([*command, f"--file={script}", f"--dbname={_without_password(database_url)}"], database_url, postgres_bin)


def _check_known(manifest: Manifest) -> None:
    ours = {f"{one.service}/{one.number}": one.digest for one in all_migrations()}
    strange = [name for name, digest in manifest.migrations.items() if ours.get(name) != digest]
    if strange:
        raise Refused(
            f"the backup is of a newer or another Telecare ({manifest.program}): it has {', '.join(strange[:3])}"
        )


def _check_unused(conn: psycopg.Connection[Any]) -> None:
    rows = conn.execute(
        """select distinct application_name from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and application_name like 'telecare-%'"""
    ).fetchall()
    if rows:
        names = ", ".join(sorted(row[0] for row in rows))
        raise Refused(f"the database is in use ({names}): stop the services first")


def _is_empty(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute("select to_regclass('staff')").fetchone()
    if row is None or row[0] is None:
        return True
    row = conn.execute(
        # The service's own test home, which is in no council, is nobody's record.
        "select exists (select 1 from staff) or exists (select 1 from homes where council_id is not null)"
    ).fetchone()
    return row is not None and not row[0]


# ---------------------------------------------------------------- PostgreSQL's programs


def _run(command: list[str], database_url: str | None, postgres_bin: Path | None) -> None:
    folder = find_binaries(postgres_bin, None)
    environment = dict(os.environ)
    if database_url is not None:
        environment["PGPASSWORD"] = unquote(urlsplit(database_url).password or "")
        if command[0] == "pg_dump":
            command = [*command, f"--dbname={_without_password(database_url)}"]
    done = subprocess.run(
        [str(folder / command[0]), *command[1:]], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        why = next((line for line in lines if "error" in line.lower()), lines[0])
        raise CannotStart(f"{command[0]} failed: {why}")


def _without_password(database_url: str) -> str:
    """The URL as others may see it on a command line."""
    parts = urlsplit(database_url)
    login, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login.split(':')[0]}@{place}" if login else place).geturl()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def said(manifest: Manifest) -> Mapping[str, int]:
    """The tables that people ask about."""
    return {name: manifest.rows.get(name, 0) for name in ("people", "alarms", "alerts", "readings")}
