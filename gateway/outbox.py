"""The outbox: what waits to be delivered, in one SQLite file that survives a power cut at any instant.

SQLite is called straight from the event loop: a commit takes a millisecond or few, and nothing that the hub could do
meanwhile is worth answering a device before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.outbox_alarms import instant, ms
from gateway.outbox_file import NoRoom, durable, modest
from gateway.outbox_prealarms import Prealarms
from telecare.senml import Reading


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings to publish together; `last` is what `readings_delivered` takes."""

    readings: tuple[Reading, ...]
    last: int


class Outbox(Prealarms):
    """One hub's outbox. Each public method that changes it is one transaction, on the disk when it returns.

    Those raise `NoRoom` where the disk is full and no room can be made, and then nothing has changed.
    """

    # ------------------------------------------------------------ readings

    def add_readings(self, readings: Sequence[Reading], limit_rows: int, limit_bytes: int | None = None) -> int:
        """Add readings; the oldest above `limit_rows`, or while the outbox holds `limit_bytes`, go.

        Where the disk is full they take the place of the oldest; where that cannot be they are not kept. Returns how
        many were lost either way. Never raises `NoRoom`.
        """
        for instead_of in (0, len(readings)):
            try:
                return self._add(readings, limit_rows, limit_bytes, instead_of)
            except NoRoom:
                continue
        self._refused_readings += len(readings)
        return len(readings)

    @modest
    def _add(self, readings: Sequence[Reading], limit_rows: int, limit_bytes: int | None, instead_of: int) -> int:
        if limit_bytes is not None and self.used_bytes() >= limit_bytes:
            instead_of = max(instead_of, 2 * len(readings))
        gone = self.delete_readings(instead_of) if instead_of else 0
        self._db.executemany(
            "insert into readings (device, measure, at, value) values (?, ?, ?, ?)",
            [(each.device, each.measure, ms(each.at), each.value) for each in readings],
        )
        # They are numbered without gaps and leave in their order, so the numbers are the count.
        above = self._db.execute(
            "delete from readings where n <= (select max(n) from readings) - ?", (limit_rows,)
        ).rowcount
        self.count_lost(above)
        return gone + above

    def next_readings(self, limit: int) -> Batch | None:
        """The oldest readings, or None."""
        rows = self._db.execute(
            "select n, device, measure, at, value from readings order by n limit ?", (limit,)
        ).fetchall()
        if not rows:
            return None
        readings = tuple(Reading(device, measure, instant(at), value) for _, device, measure, at, value in rows)
        return Batch(readings, rows[-1][0])

    @durable
    def readings_delivered(self, last: int) -> None:
        """The broker has the readings up to number `last`."""
        self._db.execute("delete from readings where n <= ?", (last,))

    def count(self) -> int:
        """Alarms and readings not delivered yet; falls in their pre-alarm too."""
        (alarms,) = self._db.execute(
            "select (select count(*) from alarms) + (select count(*) from prealarms)"
        ).fetchone()
        # Two looks at the ends: min and max in one statement would walk through all of them.
        (readings,) = self._db.execute(
            "select coalesce((select max(n) from readings) - (select min(n) from readings) + 1, 0)"
        ).fetchone()
        return int(alarms + readings)

    # ------------------------------------------------------------ commands

    @durable
    def seen_before(self, command_id: str) -> bool:
        """Whether this command was obeyed before. If so, its answer is due again."""
        return self._db.execute("update commands set answered = 0 where id = ?", (command_id,)).rowcount == 1

    @durable
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
        self._db.execute("insert into commands values (?, ?, ?, 0)", (command_id, result, ms(now)))
        if test_alarm is not None:
            self._insert_alarm(test_alarm, None, now)
        if heartbeat_s is not None:
            self._set_number("heartbeat_s", heartbeat_s)

    def unanswered(self) -> list[tuple[str, bytes]]:
        """Commands whose result is to be published: id and result, oldest first."""
        return self._db.execute("select id, result from commands where answered = 0 order by at, id").fetchall()

    @durable
    def answered(self, command_id: str) -> None:
        """The broker has the result."""
        self._db.execute("update commands set answered = 1 where id = ?", (command_id,))

    # ------------------------------------------------------------ the rest

    def session(self) -> int:
        """The number of the last connection; 0 before the first."""
        return int(self._number("session", 0))

    @durable
    def begin_session(self, number: int) -> None:
        """Connection `number` stands."""
        self._set_number("session", number)

    def heartbeat_s(self) -> float | None:
        """What a `configure` command has set."""
        value = self._number("heartbeat_s", 0)
        return value or None

    @durable
    def belongs_to(self, hub: str) -> None:
        """Write down whose outbox this is, for who reads the ledger."""
        self._db.execute("insert or replace into words values ('hub', ?)", (hub,))

    def fault_said_at(self) -> datetime | None:
        """When the hub last raised an alarm of its own; None: never."""
        said_at = self._number("fault_said_at", 0)
        return instant(round(said_at)) if said_at else None

    @durable
    def say_fault(self, fields: Mapping[str, Any], now: datetime) -> str:
        """Keep an alarm of the hub's own, and remember when it was said; returns the alarm's id."""
        self._set_number("fault_said_at", ms(now))
        return self._insert_alarm(fields, None, now)[0]

    def readings_lost(self) -> int:
        """How many readings were thinned or not kept since the outbox was made."""
        return int(self._number("readings_lost", 0)) + self._refused_readings

    @durable
    def forget(self, now: datetime, *, refs_kept_s: float, commands_kept_s: float) -> None:
        """Forget the refs of alarms delivered long ago, and old commands that are answered."""
        self._db.execute("delete from refs where done_at < ?", (ms(now - timedelta(seconds=refs_kept_s)),))
        old = ms(now - timedelta(seconds=commands_kept_s))
        self._db.execute("delete from commands where at < ? and answered = 1", (old,))

    @durable
    def forget_ledger(self, now: datetime, *, kept_s: float, limit_rows: int) -> None:
        """Forget what became of alarms whose receipt came long ago, and of the oldest above `limit_rows`."""
        self._db.execute("delete from ledger where receipt_at < ?", (ms(now - timedelta(seconds=kept_s)),))
        self._db.execute(
            "delete from ledger where seq <= (select seq from ledger order by seq desc limit 1 offset ?)",
            (limit_rows,),
        )
