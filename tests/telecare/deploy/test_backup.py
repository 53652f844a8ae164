"""Backups that are verified, restores that are all or nothing."""

import hashlib
import json
import stat
import tarfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest

from telecare.deploy import backup
from telecare.errors import CannotStart, Refused
from telecare.migrate import migrate

NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


def fill(url: str) -> None:
    """A council, a home, somebody, a hub, readings in several partitions and none."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            """with c as (insert into councils (id, name) values (gen_random_uuid(), 'Anytown') returning id),
                    h as (insert into homes (id, council_id, address)
                          select gen_random_uuid(), id, '1 High Street' from c returning id),
                    p as (insert into people (id, home_id, name) select gen_random_uuid(), id, 'Mary' from h)
               insert into hubs (name, home_id, secret_hash) select 'h-1', id, 'x' from h"""
        )
        conn.execute(
            "create table readings_20261101 partition of readings for values from ('2026-11-01') to ('2026-11-02')"
        )
        conn.execute(
            """with s as (insert into series (hub, device, measure) values ('h-1', 'env', 'temperature') returning id)
               insert into readings select id, timestamptz '2026-11-01' + n * interval '1 hour', n, now()
                 from s, generate_series(0, 60) n"""
        )


def content(url: str) -> dict[str, str]:
    """A hash of every table's rows."""
    found = {}
    with psycopg.connect(url) as conn:
        for name in backup.row_counts(conn):
            query = f"select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {name} t"  # noqa: S608
            row = conn.execute(query.encode()).fetchone()
            assert row is not None
            found[name] = row[0]
    return found


@pytest.fixture
def made(database_url: str, tmp_path: Path) -> Path:
    fill(database_url)
    path, manifest = backup.make_backup(database_url, tmp_path, None, NOW)
    assert manifest.rows["readings"] == 61
    return path


def test_what_was_backed_up_is_what_is_restored(database_url: str, empty_database_url: str, made: Path) -> None:
    assert made.name == "telecare-20261124T023000Z.backup"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    manifest = backup.restore(empty_database_url, made, None, replace=False, now=NOW)
    assert content(empty_database_url) == content(database_url)
    assert manifest.rows["people"] == 1
    assert migrate(empty_database_url) == []
    with psycopg.connect(empty_database_url, autocommit=True) as conn:  # it is a database to go on with
        conn.execute("insert into readings select id, now(), 1, now() from series")
        with pytest.raises(psycopg.errors.IntegrityError):
            conn.execute("insert into councils (id, name) values (gen_random_uuid(), 'Anytown')")


def test_a_backup_is_of_one_moment_though_others_write_meanwhile(database_url: str, tmp_path: Path) -> None:
    fill(database_url)
    with psycopg.connect(database_url) as writer:
        writer.execute("insert into councils (id, name) values (gen_random_uuid(), 'Uncommitted')")
        _, manifest = backup.make_backup(database_url, tmp_path / "one.backup", None, NOW)
    assert manifest.rows["councils"] == 1


def test_a_database_that_is_not_empty_is_replaced_only_when_asked_and_kept_beside(
    database_url: str, made: Path
) -> None:
    before = content(database_url)
    with pytest.raises(Refused, match="not empty"):
        backup.restore(database_url, made, None, replace=False, now=NOW)
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("insert into councils (id, name) values (gen_random_uuid(), 'Newer')")
    backup.restore(database_url, made, None, replace=True, now=NOW)
    assert content(database_url) == before
    kept = made.with_name("before-restore-20261124T023000Z.backup")
    with backup.opened(kept, None) as (manifest, _):
        assert manifest.rows["councils"] == 2


def damaged(made: Path, tmp_path: Path) -> list[tuple[str, Path]]:
    whole = made.read_bytes()
    found = []
    for n in range(10):
        found.append((f"cut at {n}/10", tmp_path / f"cut-{n}.backup"))
        found[-1][1].write_bytes(whole[: len(whole) * n // 10])
    for n in range(1, 5):
        at = len(whole) * n // 6
        found.append((f"flipped at {at}", tmp_path / f"flip-{n}.backup"))
        found[-1][1].write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
    found.append(("no backup", tmp_path / "text.backup"))
    found[-1][1].write_text("not a backup")
    found.append(("absent", tmp_path / "absent.backup"))
    return found


def test_a_backup_that_is_not_whole_changes_nothing(database_url: str, made: Path, tmp_path: Path) -> None:
    before = content(database_url)
    for what, path in damaged(made, tmp_path):
        with pytest.raises(Refused, match=r"not whole|damaged|there is no"):
            backup.restore(database_url, path, None, replace=True, now=NOW)
        assert content(database_url) == before, what
    assert not list(made.parent.glob("before-restore-*"))


def rewritten(made: Path, change: Any) -> Path:
    """The same backup with another manifest, or another dump under a right hash."""
    with tarfile.open(made) as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        dump = tar.extractfile("database.dump").read()  # type: ignore[union-attr]
    dump = change(manifest, dump) or dump
    manifest |= {"dump_sha256": hashlib.sha256(dump).hexdigest(), "dump_bytes": len(dump)}
    path = made.with_name("other.backup")
    with tarfile.open(path, "w") as tar:
        for name, data in (("manifest.json", json.dumps(manifest).encode()), ("database.dump", dump)):
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, BytesIO(data))
    return path


def test_a_backup_of_a_newer_program_is_refused(database_url: str, made: Path) -> None:
    newer = rewritten(made, lambda manifest, _: manifest["migrations"].update({"alerts/99": "x"}))
    with pytest.raises(Refused, match=r"newer or another Telecare .*alerts/99"):
        backup.restore(database_url, newer, None, replace=True, now=NOW)
    other = rewritten(made, lambda manifest, _: manifest.update({"format": 7}))
    with pytest.raises(Refused, match="another format"):
        backup.restore(database_url, other, None, replace=True, now=NOW)


def test_a_dump_that_ends_early_is_found_before_anything_is_dropped(database_url: str, made: Path) -> None:
    before = content(database_url)
    half = rewritten(made, lambda _, dump: dump[: len(dump) - 2000])  # its table of contents is whole
    with pytest.raises(CannotStart, match="pg_restore failed"):
        backup.restore(database_url, half, None, replace=True, now=NOW)
    assert content(database_url) == before


def test_a_restore_that_fails_half_way_leaves_everything_as_it_was(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    migrate(empty_database_url)
    fill(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as conn:
        # An index that can be made in this database and in no other.
        conn.execute(
            """create function here(n integer) returns integer language sql immutable
               as $$ select n / (current_database() = 'NAME')::integer $$""".replace("NAME", conn.info.dbname).encode()
        )
        conn.execute("create index only_here on series (here(id))")
    path, _ = backup.make_backup(empty_database_url, tmp_path / "trap.backup", None, NOW)
    fill(database_url)
    before = content(database_url)
    with pytest.raises(CannotStart, match=r"psql failed: .*division by zero"):
        backup.restore(database_url, path, None, replace=True, now=NOW)
    assert content(database_url) == before


def test_a_database_in_use_is_not_touched(database_url: str, made: Path) -> None:
    with (
        psycopg.connect(database_url, application_name="telecare-alerts"),
        pytest.raises(Refused, match=r"in use \(telecare-alerts\): stop the services first"),
    ):
        backup.restore(database_url, made, None, replace=True, now=NOW)


def test_a_backup_never_replaces_another_and_old_ones_go(database_url: str, made: Path) -> None:
    with pytest.raises(Refused, match="never replaces another"):
        backup.make_backup(database_url, made.parent, None, NOW)
    for days in (1, 2):
        backup.make_backup(database_url, made.parent, None, NOW + timedelta(days=days))
    assert backup.keep_newest(made.parent, 2) == [made]
    assert not [path for path in made.parent.iterdir() if path.name.startswith(".")]


def test_no_database_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be reached"):
        backup.make_backup("postgresql://nobody:x@127.0.0.1:1/none", tmp_path, None, NOW)
    assert list(tmp_path.iterdir()) == []
