"""The outbox: every SQL statement of the hub, on one SQLite file that survives a power cut at any instant.

SQLite is called straight from the event loop: a commit takes a millisecond or few, and nothing that the hub could do
meanwhile is worth answering a device before it.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from gateway.domain import Waiting, write_alarm
from telecare.errors import CannotStart
from telecare.ids import uuid7
from telecare.senml import Reading

_VERSION: Final = 1
_SCHEMA: Final = (
    # Times are milliseconds since 1970.
    """create table alarms (
        seq integer primary key,
        id text not null unique,
        payload blob not null,
        kept_at integer not null,
        sent_at integer,
        fallback_at integer)""",
    # Which alarm a device's ref became. `done_at` is when that alarm left the outbox.
    "create table refs (key text primary key, id text not null, done_at integer) without rowid",
    "create index refs_id on refs (id)",
    "create index refs_done on refs (done_at) where done_at is not null",
    """create table readings (
        n integer primary key,
        device text not null,
        measure text not null,
        at integer not null,
        value real not null)""",
    """create table commands (
        id text primary key,
        result blob not null,
        at integer not null,
        answered integer not null) without rowid""",
    "create table numbers (name text primary key, value numeric not null) without rowid",
    f"pragma user_version = {_VERSION}",
)

_WAITING: Final = "select id, seq, payload, kept_at, sent_at from alarms"


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings to publish together; `last` is what `readings_delivered` takes."""

    readings: tuple[Reading, ...]
    last: int


class Outbox:
    """One hub's outbox. Each public method is one transaction, on the disk when it returns."""

    def __init__(self, path: Path, *, power_safe: bool = True) -> None:
        """Open it, or make it.

        Raises:
            CannotStart: the file cannot be opened, is no database, or is of a later version.
        """
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
        except sqlite3.Error as problem:
            raise CannotStart(f"{path}: {problem}") from problem
        try:
            self._db.execute("pragma journal_mode = wal")
            self._db.execute(f"pragma synchronous = {'full' if power_safe else 'off'}")
            self._bring_up_to_date(path)
        except sqlite3.Error as problem:
            self._db.close()
            raise CannotStart(f"{path}: {problem}") from problem
        except CannotStart:
            self._db.close()
            raise

    def _bring_up_to_date(self, path: Path) -> None:
        (version,) = self._db.execute("pragma user_version").fetchone()
        if version > _VERSION:
            raise CannotStart(f"{path}: made by a later version of the hub")
        if version == 0:
            with self._transaction():
                for statement in _SCHEMA:
                    self._db.execute(statement)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise

    # ------------------------------------------------------------ alarms

    def keep_alarm(self, fields: Mapping[str, Any], key: str | None, now: datetime) -> tuple[str, bool]:
        """Keep an alarm; returns its id, and whether it is new. The same `key` again is the same alarm."""
        with self._transaction():
            if key is not None:
                known = self._db.execute("select id from refs where key = ?", (key,)).fetchone()
                if known is not None:
                    return str(known[0]), False
            return self._insert_alarm(fields, key, now), True

    def _insert_alarm(self, fields: Mapping[str, Any], key: str | None, now: datetime) -> str:
        seq = int(self._number("seq", 0)) + 1
        self._set_number("seq", seq)
        alarm_id = str(uuid7(_ms(now)))
        self._db.execute(
            "insert into alarms (seq, id, payload, kept_at) values (?, ?, ?, ?)",
            (seq, alarm_id, write_alarm(fields, alarm_id, seq, now), _ms(now)),
        )
        if key is not None:
            self._db.execute("insert into refs (key, id) values (?, ?)", (key, alarm_id))
        return alarm_id

    def waiting(self, limit: int) -> list[Waiting]:
        """The alarms most in need of sending: never sent on this connection, then longest ago."""
        rows = self._db.execute(f"{_WAITING} order by sent_at is not null, sent_at, seq limit ?", (limit,))
        return [_waiting(*row) for row in rows]

    def unsent(self) -> bool:
        """Whether an alarm was never sent on this connection."""
        (unsent,) = self._db.execute("select exists (select 1 from alarms where sent_at is null)").fetchone()
        return bool(unsent)

    def alarms_sent(self, ids: Sequence[str], now: datetime) -> None:
        """These went out at `now`."""
        with self._transaction():
            self._db.executemany("update alarms set sent_at = ? where id = ?", [(_ms(now), each) for each in ids])

    def forget_sent(self) -> None:
        """A new connection: everything still here has to be sent on it."""
        with self._transaction():
            self._db.execute("update alarms set sent_at = null where sent_at is not null")

    def alarm_delivered(self, alarm_id: str, now: datetime) -> bool:
        """The service has it. True if it was here; its ref is remembered from `now` on."""
        with self._transaction():
            gone = self._db.execute("delete from alarms where id = ?", (alarm_id,)).rowcount == 1
            if gone:
                self._db.execute("update refs set done_at = ? where id = ?", (_ms(now), alarm_id))
        return gone

    def holds(self, alarm_id: str) -> bool:
        """Whether this alarm still waits for its receipt."""
        return self._db.execute("select 1 from alarms where id = ?", (alarm_id,)).fetchone() is not None

    def without_fallback(self, limit: int = 1000) -> list[Waiting]:
        """Alarms not yet marked for the second path, oldest first."""
        rows = self._db.execute(f"{_WAITING} where fallback_at is null order by seq limit ?", (limit,))
        return [_waiting(*row) for row in rows]

    def mark_fallback(self, ids: Sequence[str], now: datetime) -> None:
        """These are due on the second path. They stay, and go on being sent on the first."""
        with self._transaction():
            self._db.executemany("update alarms set fallback_at = ? where id = ?", [(_ms(now), each) for each in ids])

    # ------------------------------------------------------------ readings

    def add_readings(self, readings: Sequence[Reading], limit_rows: int) -> int:
        """Add readings; the oldest above `limit_rows` go. Returns how many went."""
        with self._transaction():
            self._db.executemany(
                "insert into readings (device, measure, at, value) values (?, ?, ?, ?)",
                [(each.device, each.measure, _ms(each.at), each.value) for each in readings],
            )
            # They are numbered without gaps and leave in their order, so the numbers are the count.
            return self._db.execute(
                "delete from readings where n <= (select max(n) from readings) - ?", (limit_rows,)
            ).rowcount

    def next_readings(self, limit: int) -> Batch | None:
        """The oldest readings, or None."""
        rows = self._db.execute(
            "select n, device, measure, at, value from readings order by n limit ?", (limit,)
        ).fetchall()
        if not rows:
            return None
        readings = tuple(Reading(device, measure, _instant(at), value) for _, device, measure, at, value in rows)
        return Batch(readings, rows[-1][0])

    def readings_delivered(self, last: int) -> None:
        """The broker has the readings up to number `last`."""
        with self._transaction():
            self._db.execute("delete from readings where n <= ?", (last,))

    # ------------------------------------------------------------ commands

    def seen_before(self, command_id: str) -> bool:
        """Whether this command was obeyed before. If so, its answer is due again."""
        with self._transaction():
            again = self._db.execute("update commands set answered = 0 where id = ?", (command_id,))
            return again.rowcount == 1

    def command_done(
        self,
        command_id: str,
        result: bytes,
        now: datetime,
        *,
        test_alarm: Mapping[str, Any] | None = None,
        heartbeat_s: float | None = None,
    ) -> None:
        """Remember a command with its result, and what it changes in the outbox, all at once."""
        with self._transaction():
            self._db.execute("insert into commands values (?, ?, ?, 0)", (command_id, result, _ms(now)))
            if test_alarm is not None:
                self._insert_alarm(test_alarm, None, now)
            if heartbeat_s is not None:
                self._set_number("heartbeat_s", heartbeat_s)

    def unanswered(self) -> list[tuple[str, bytes]]:
        """Commands whose result is to be published: id and result, oldest first."""
        return self._db.execute("select id, result from commands where answered = 0 order by at, id").fetchall()

    def answered(self, command_id: str) -> None:
        """The broker has the result."""
        with self._transaction():
            self._db.execute("update commands set answered = 1 where id = ?", (command_id,))

    # ------------------------------------------------------------ the rest

    def count(self) -> int:
        """Alarms and readings not delivered yet."""
        (alarms,) = self._db.execute("select count(*) from alarms").fetchone()
        (readings,) = self._db.execute("select coalesce(max(n) - min(n) + 1, 0) from readings").fetchone()
        return int(alarms + readings)

    def session(self) -> int:
        """The number of the last connection; 0 before the first."""
        return int(self._number("session", 0))

    def begin_session(self, number: int) -> None:
        """Connection `number` stands."""
        with self._transaction():
            self._set_number("session", number)

    def heartbeat_s(self) -> float | None:
        """What a `configure` command has set."""
        value = self._number("heartbeat_s", 0)
        return value or None

    def forget(self, now: datetime, *, refs_kept_s: float, commands_kept_s: float) -> None:
        """Forget the refs of alarms delivered long ago, and old commands that are answered."""
        with self._transaction():
            self._db.execute("delete from refs where done_at < ?", (_ms(now - timedelta(seconds=refs_kept_s)),))
            old = _ms(now - timedelta(seconds=commands_kept_s))
            self._db.execute("delete from commands where at < ? and answered = 1", (old,))

    def _number(self, name: str, default: float) -> float:
        row = self._db.execute("select value from numbers where name = ?", (name,)).fetchone()
        return float(row[0]) if row else default

    def _set_number(self, name: str, value: float) -> None:
        self._db.execute("insert or replace into numbers values (?, ?)", (name, value))


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _waiting(alarm_id: str, seq: int, payload: bytes, kept_at: int, sent_at: int | None) -> Waiting:
    return Waiting(alarm_id, seq, payload, _instant(kept_at), None if sent_at is None else _instant(sent_at))
