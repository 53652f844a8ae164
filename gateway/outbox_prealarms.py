"""Falls in their pre-alarm: on the disk, and not sent while the wearer can still take them back.

Each leaves in one transaction: it becomes an alarm in the outbox, or is taken back and counted. A hub that was killed
meanwhile finds it here and sends it when its time is over.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from gateway.domain import passed
from gateway.frames import is_name
from gateway.outbox_alarms import Alarms, instant, ms
from gateway.outbox_file import durable
from telecare.ids import uuid7

TAKEN_BACK: Final = "falls-taken-back"
DISMISSED: Final = "impacts-dismissed"


class Prealarms(Alarms):
    """Falls that are held for a few seconds, and how many came to nothing."""

    @durable
    def hold(self, fields: Mapping[str, Any], key: str | None, now: datetime) -> tuple[str, bool]:
        """Keep a fall and hold it back; returns its id, and whether it is new. The same `key` is the same fall."""
        if key is not None:
            known = self._db.execute("select id from refs where key = ?", (key,)).fetchone()
            if known is not None:
                return str(known[0]), False
        alarm_id = str(uuid7(ms(now)))
        self._db.execute("insert into prealarms values (?, ?, ?)", (alarm_id, msgspec.json.encode(fields), ms(now)))
        if key is not None:
            self._db.execute("insert into refs (key, id) values (?, ?)", (key, alarm_id))
        return alarm_id, True

    def held_for_s(self, now: datetime, prealarm_s: float) -> float | None:
        """In how many seconds the next pre-alarm is over; None: there is none."""
        (kept_at,) = self._db.execute("select min(kept_at) from prealarms").fetchone()
        return None if kept_at is None else max(0.0, prealarm_s - (now - instant(kept_at)).total_seconds())

    @durable
    def release(self, now: datetime, prealarm_s: float) -> list[str]:
        """Those whose pre-alarm is over become alarms, in their order; returns their ids. 0: all of them."""
        rows = self._db.execute("select id, fields, kept_at from prealarms order by kept_at, id").fetchall()
        due = [row for row in rows if passed(instant(row[2]), prealarm_s, now)]
        for alarm_id, fields, _ in due:
            self._insert_alarm(msgspec.json.decode(fields), None, now, alarm_id)
            self._db.execute("delete from prealarms where id = ?", (alarm_id,))
        return [str(alarm_id) for alarm_id, _, _ in due]

    @durable
    def take_back(self, alarm_id: str, now: datetime) -> bool:
        """The wearer is fine: it is not sent. False: it is not held (any more)."""
        row = self._db.execute("select fields from prealarms where id = ?", (alarm_id,)).fetchone()
        if row is None:
            return False
        self._db.execute("delete from prealarms where id = ?", (alarm_id,))
        self._db.execute("update refs set done_at = ? where id = ?", (ms(now), alarm_id))
        device = str(msgspec.json.decode(row[0]).get("device"))
        if is_name(device):
            self._count(device, TAKEN_BACK)
        return True

    @durable
    def dismissed(self, device: str) -> None:
        """Count an impact that was no fall."""
        self._count(device, DISMISSED)

    @durable
    def summary(self, now: datetime, every_s: float) -> list[tuple[str, str, int]]:
        """What came to nothing, by device and measure, then counted anew; nothing if `every_s` is not over."""
        since = self._number("summed_at", 0)
        if since and not passed(instant(round(since)), every_s, now):
            return []
        found = [
            (str(device), str(what), int(count))
            for device, what, count in self._db.execute("select device, what, count from nothings order by 1, 2")
        ]
        self._db.execute("delete from nothings")
        self._set_number("summed_at", ms(now))
        return found

    def _count(self, device: str, what: str) -> None:
        self._db.execute(
            "insert into nothings values (?, ?, 1) on conflict (device, what) do update set count = count + 1",
            (device, what),
        )
