"""The alarms in the outbox: kept, counted where they repeat, given out for sending, gone with their receipt."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from gateway.domain import Waiting, urgent, write_alarm
from gateway.outbox_file import OutboxFile, durable
from gateway.repeats import Repeats, counted, may_repeat
from telecare.ids import uuid7

By = Literal["first", "second"]
Status = Literal["stored", "rejected"]

_WAITING: Final = "select id, seq, payload, kept_at from alarms"


class Alarms(OutboxFile):
    """The alarms that have no receipt yet, and their refs."""

    def __init__(
        self, path: Path, *, power_safe: bool = True, limit_bytes: int | None = None, reserve_bytes: int = 0
    ) -> None:
        """Open it, or make it.

        Raises:
            CannotStart: the file cannot be opened, is no database, or is of a later version.
        """
        super().__init__(path, power_safe=power_safe, limit_bytes=limit_bytes, reserve_bytes=reserve_bytes)
        self._repeats = Repeats()

    # ------------------------------------------------------------ alarms in

    def keep_alarm(
        self, fields: Mapping[str, Any], key: str | None, now: datetime, *, repeat_within_s: float = 0.0
    ) -> tuple[str, bool]:
        """Keep an alarm; returns its id, and whether it is new.

        The same `key` again is the same alarm. Without a key, what says the same within `repeat_within_s` is counted in
        the alarm that was kept, unless that was sent: then it is a new alarm, which waits for its receipt or that time.
        """
        repeatable = key is None and repeat_within_s > 0 and may_repeat(fields)
        if repeatable:
            self._repeats.forget(repeat_within_s, now)
            known = self._repeats.open_for(fields)
            if known is not None and self._count_repeat(known, now):
                self._repeats.repeated(fields, now)
                return known, False
        alarm_id, seq, new = self._keep(fields, key, now)
        if new:
            self._repeats.something_else(fields)
        if repeatable:
            sent = self._repeats.sent(fields)
            behind = sent if sent is not None and self.holds(sent) else None
            self._repeats.kept(fields, alarm_id, seq, now, behind=behind, hold_s=repeat_within_s)
        return alarm_id, new

    @durable
    def _keep(self, fields: Mapping[str, Any], key: str | None, now: datetime) -> tuple[str, int, bool]:
        if key is not None:
            known = self._db.execute("select id from refs where key = ?", (key,)).fetchone()
            if known is not None:
                return str(known[0]), 0, False
        alarm_id, seq = self._insert_alarm(fields, key, now)
        return alarm_id, seq, True

    def _insert_alarm(
        self, fields: Mapping[str, Any], key: str | None, now: datetime, alarm_id: str | None = None
    ) -> tuple[str, int]:
        seq = int(self._number("seq", 0)) + 1
        self._set_number("seq", seq)
        alarm_id = alarm_id or str(uuid7(ms(now)))
        self._db.execute(
            "insert into alarms (seq, id, payload, kept_at, urgent) values (?, ?, ?, ?, ?)",
            (seq, alarm_id, write_alarm(fields, alarm_id, seq, now), ms(now), urgent(fields.get("kind"))),
        )
        if key is not None:
            self._db.execute("insert into refs (key, id) values (?, ?)", (key, alarm_id))
        return alarm_id, seq

    @durable
    def _count_repeat(self, alarm_id: str, now: datetime) -> bool:
        row = self._db.execute("select payload from alarms where id = ?", (alarm_id,)).fetchone()
        payload = counted(row[0], now) if row is not None else None
        if payload is None:
            return False
        self._db.execute("update alarms set payload = ? where id = ?", (payload, alarm_id))
        return True

    # ------------------------------------------------------------ alarms out

    def unsent(self, after: int, limit: int, now: datetime, *, by: By = "first") -> list[Waiting]:
        """The next alarms after number `after`, in their order, but for those held back; they are taken as sent.

        By the second path only what is due there.
        """
        held = self._repeats.held(now)
        due = " and fallback_at is not null" if by == "second" else ""
        rows = self._db.execute(f"{_WAITING} where seq > ?{due} order by seq limit ?", (after, limit + len(held)))
        return self._to_send([_waiting(*row) for row in rows if row[1] not in held][:limit])

    def again(self, seqs: Sequence[int]) -> list[Waiting]:
        """Those of these alarms that still have no receipt; they are taken as sent."""
        found = [self._db.execute(f"{_WAITING} where seq = ?", (seq,)).fetchone() for seq in seqs]
        return self._to_send([_waiting(*row) for row in found if row is not None])

    def _to_send(self, alarms: list[Waiting]) -> list[Waiting]:
        self._repeats.sealed([alarm.seq for alarm in alarms])
        return alarms

    def held(self, now: datetime) -> dict[int, float]:
        """Repeats that wait for the receipt of what they repeat: seq, and for how many more seconds at most."""
        return self._repeats.held(now)

    def has_unsent(self, after: int) -> bool:
        """Whether there is an alarm after number `after`."""
        (unsent,) = self._db.execute("select exists (select 1 from alarms where seq > ?)", (after,)).fetchone()
        return bool(unsent)

    def carries_urgent(self) -> bool:
        """Whether an alarm waits because of which somebody may need help."""
        (found,) = self._db.execute("select exists (select 1 from alarms where urgent = 1)").fetchone()
        return bool(found)

    def waiting(self, limit: int) -> list[Waiting]:
        """The alarms that have no receipt, in their order: to look at, not to send."""
        return [_waiting(*row) for row in self._db.execute(f"{_WAITING} order by seq limit ?", (limit,))]

    def holds(self, alarm_id: str) -> bool:
        """Whether this alarm still waits for its receipt, or is a fall in its pre-alarm."""
        either = "select 1 from alarms where id = :id union all select 1 from prealarms where id = :id"
        return self._db.execute(either, {"id": alarm_id}).fetchone() is not None

    def alarm_delivered(self, alarm_id: str, now: datetime, *, status: Status = "stored", by: By = "first") -> bool:
        """The service has said what it has to say of it. True if it was here; its ref is remembered from `now` on."""
        gone = self._deliver(alarm_id, now, status, by)
        self._repeats.delivered(alarm_id)
        return gone

    @durable
    def _deliver(self, alarm_id: str, now: datetime, status: Status, by: By) -> bool:
        row = self._db.execute("select seq, kept_at from alarms where id = ?", (alarm_id,)).fetchone()
        if row is None:
            return False
        self._db.execute("delete from alarms where id = ?", (alarm_id,))
        self._db.execute(
            "insert into ledger values (?, ?, ?, ?, ?, ?)", (row[0], alarm_id, row[1], ms(now), status, by)
        )
        self._db.execute("update refs set done_at = ? where id = ?", (ms(now), alarm_id))
        return True

    # ------------------------------------------------------------ alarms on the second path

    def without_fallback(self, limit: int = 1000) -> list[Waiting]:
        """Alarms not yet marked for the second path, in their order."""
        rows = self._db.execute(f"{_WAITING} where fallback_at is null order by seq limit ?", (limit,))
        return [_waiting(*row) for row in rows]

    @durable
    def mark_fallback(self, ids: Sequence[str], now: datetime) -> None:
        """These are due on the second path. They stay, and go on being sent on the first."""
        self._db.executemany("update alarms set fallback_at = ? where id = ?", [(ms(now), each) for each in ids])

    def on_second_path(self) -> bool:
        """Whether an alarm is due there."""
        (found,) = self._db.execute("select exists (select 1 from alarms where fallback_at is not null)").fetchone()
        return bool(found)

    def hook_due(self, now: datetime, longest_s: float) -> tuple[Waiting, int] | None:
        """The alarm for which the hook is to run now, and how often it has; taken as sent. Urgent ones first.

        None: there is none. An attempt that is more than `longest_s` away is due: the clock was put back.
        """
        row = self._db.execute(
            """select id, seq, payload, kept_at, hook_tries from alarms
                 where fallback_at is not null and hook_taken_at is null
                   and (hook_next_at is null or hook_next_at <= :now or hook_next_at > :latest)
                 order by urgent desc, hook_tries, seq limit 1""",
            {"now": ms(now), "latest": ms(now + timedelta(seconds=longest_s))},
        ).fetchone()
        if row is None:
            return None
        (alarm,) = self._to_send([_waiting(*row[:4])])
        return alarm, int(row[4])

    @durable
    def hook_begun(self, alarm_id: str, next_at: datetime) -> None:
        """The hook runs; unless it takes the alarm, the next attempt is at `next_at`."""
        self._db.execute(
            "update alarms set hook_tries = hook_tries + 1, hook_next_at = ? where id = ?", (ms(next_at), alarm_id)
        )

    @durable
    def hook_took(self, alarm_id: str, now: datetime) -> None:
        """The hook has taken it, and is not run for it again."""
        self._db.execute("update alarms set hook_taken_at = ? where id = ?", (ms(now), alarm_id))


def ms(at: datetime) -> int:
    """Milliseconds since 1970, as the file has them."""
    return round(at.timestamp() * 1000)


def instant(milliseconds: int) -> datetime:
    """The instant that the file has as milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _waiting(alarm_id: str, seq: int, payload: bytes, kept_at: int) -> Waiting:
    return Waiting(alarm_id, seq, payload, instant(kept_at))
