"""A flood of alarms (A14): more than people at the screens can answer. Pure but for one statement."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.kpis import FLOOD, WINDOW
from telecare.db import Connection
from telecare.vocabulary import Priority

SEEN_WITHIN: Final = timedelta(seconds=60)  # a screen that was heard of in this time has somebody before it


@dataclass(frozen=True, slots=True)
class Flood:
    """How many graver alarms came in the last ten minutes, and for how many operators."""

    alarms: int
    operators: int

    @property
    def each(self) -> float:
        """Alarms of one operator; without anybody at a screen, as of one."""
        return self.alarms / max(self.operators, 1)

    @property
    def is_one(self) -> bool:
        """EEMUA 191: more than ten alarms of an operator in ten minutes."""
        return self.each > FLOOD


# Alarms of tests and of incidents are left out: nobody has to speak with somebody for each of those.
RECENT: Final = """
    select (select count(*) from alert_alarms j join alerts a on a.id = j.alert_id
             where j.joined_at > %(since)s and a.priority <= %(urgent)s and a.home_id is not null
               and a.case_key not like 'test:%%'),
           (select count(distinct c.username) from consoles c join staff s on s.username = c.username
             where c.seen_at > %(seen)s and c.closed_at is null and s.role in ('operator', 'supervisor'))
"""


async def now_at(conn: Connection, now: datetime) -> Flood:
    """What comes in at present."""
    values = {"since": now - WINDOW, "urgent": Priority.URGENT, "seen": now - SEEN_WITHIN}
    row = await (await conn.execute(RECENT, values)).fetchone()
    assert row is not None
    return Flood(row[0], row[1])
