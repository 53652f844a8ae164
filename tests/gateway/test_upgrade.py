"""An outbox of version 1, as hubs in homes have it, becomes one of this version with all that is in it."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.domain import write_alarm
from gateway.outbox import Outbox
from telecare.senml import Reading

NOW = datetime(2026, 11, 23, 22, 41, tzinfo=UTC)
MS = round(NOW.timestamp() * 1000)
WAITING = "019386a4-7f2e-7c11-9a55-0c2f5e1d9b10"
DELIVERED = "019386a4-7f2e-7c11-9a55-0c2f5e1d9b0f"

# Word for word what version 1 made; it never changes.
VERSION_1 = """
    create table alarms (
        seq integer primary key,
        id text not null unique,
        payload blob not null,
        kept_at integer not null,
        sent_at integer,
        fallback_at integer);
    create table refs (key text primary key, id text not null, done_at integer) without rowid;
    create index refs_id on refs (id);
    create index refs_done on refs (done_at) where done_at is not null;
    create table readings (
        n integer primary key,
        device text not null,
        measure text not null,
        at integer not null,
        value real not null);
    create table commands (
        id text primary key,
        result blob not null,
        at integer not null,
        answered integer not null) without rowid;
    create table numbers (name text primary key, value numeric not null) without rowid;
    pragma user_version = 1;
"""


def make_version_1(path: Path, *, full: bool = False) -> None:
    """An outbox of version 1 with one alarm that waits; `full`: and one of everything else."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma journal_mode = wal")
        db.executescript(VERSION_1)
        first, seq = (WAITING, 2 if full else 1)
        payload = write_alarm({"device": "pendant-1", "kind": "fall"}, first, seq, NOW)
        db.execute("insert into alarms values (?, ?, ?, ?, ?, null)", (seq, first, payload, MS, MS + 5))
        db.execute("insert into numbers values ('seq', ?)", (seq,))
        db.execute("insert into refs values ('waits', ?, null)", (WAITING,))
        if full:
            db.execute("update alarms set fallback_at = ?", (MS + 60_000,))
            db.execute("insert into refs values ('delivered', ?, ?)", (DELIVERED, MS))
            db.execute("insert into readings values (41, 'env-1', 'temperature', ?, 18.5)", (MS,))
            db.execute("insert into commands values ('c', ?, ?, 0)", (b'{"id":"c"}', MS))
            db.execute("insert into numbers values ('session', 17), ('heartbeat_s', 30)")
        db.commit()


def test_everything_of_version_1_is_there_after_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    make_version_1(path, full=True)
    for _ in range(2):  # and it is done once
        with closing(Outbox(path)) as outbox:
            (alarm,) = outbox.waiting(10)
            assert (alarm.id, alarm.seq, alarm.kept_at) == (WAITING, 2, NOW)
            assert json.loads(alarm.payload)["kind"] == "fall"
            assert outbox.carries_urgent()
            assert outbox.on_second_path()
            assert outbox.without_fallback() == []
            assert outbox.hook_due(NOW, 900) == (alarm, 0)
            assert outbox.keep_alarm({}, "waits", NOW) == (WAITING, False)
            assert outbox.keep_alarm({}, "delivered", NOW) == (DELIVERED, False)
            batch = outbox.next_readings(10)
            assert batch is not None
            assert (batch.readings, batch.last) == ((Reading("env-1", "temperature", NOW, 18.5),), 41)
            assert outbox.unanswered() == [("c", b'{"id":"c"}')]
            assert (outbox.session(), outbox.heartbeat_s(), outbox.readings_lost()) == (17, 30, 0)
    with closing(Outbox(path)) as outbox:
        assert outbox.alarm_delivered(WAITING, NOW)
        new, _ = outbox.keep_alarm({"device": "pendant-1", "kind": "button"}, "new", NOW)
        assert [(alarm.id, alarm.seq) for alarm in outbox.waiting(10)] == [(new, 3)]


def make_version_2(path: Path) -> None:
    """An outbox of version 2, which knew no falls."""
    with closing(Outbox(path)) as outbox:
        outbox.keep_alarm({"device": "pendant-1", "kind": "fall"}, "waits", NOW)
    with closing(sqlite3.connect(path)) as db:
        db.executescript("drop table prealarms; drop table nothings; pragma user_version = 2;")


def test_a_file_of_version_2_keeps_its_alarm_and_can_hold_falls(tmp_path: Path) -> None:
    make_version_2(tmp_path / "old.sqlite3")
    with closing(Outbox(tmp_path / "old.sqlite3")) as outbox:
        fall, _ = outbox.hold({"device": "pendant-1", "kind": "fall"}, "1", NOW)
        outbox.release(NOW, 0.0)
        assert [alarm.seq for alarm in outbox.waiting(10)] == [1, 2]
        assert outbox.holds(fall)


@pytest.mark.parametrize("make", [make_version_1, make_version_2])
def test_an_upgraded_file_has_the_tables_of_a_new_one(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "old.sqlite3")
    tables = []
    for name in ("old.sqlite3", "new.sqlite3"):
        with closing(Outbox(tmp_path / name)) as outbox:
            found = outbox._db.execute("select type, name, sql from sqlite_master order by type, name").fetchall()
            tables.append([(kind, table, " ".join((sql or "").replace('"', "").split())) for kind, table, sql in found])
    assert tables[0] == tables[1]
