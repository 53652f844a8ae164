"""Care plans: what the service watches for a person besides their alarm, agreed with them, and when it does not."""

from dataclasses import asdict, dataclass
from datetime import datetime, time
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from telecare.db import Connection
from telecare.errors import Refused

STILL_AFTER_MIN: Final = (30, 2880)  # minutes
OUT_AFTER_MIN: Final = (60, 10080)
WORDS_LIMIT: Final = 1000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePlan:
    """The rules of one person. Times are of the council's clock; spans are in minutes."""

    still_after_min: int | None = None  # no movement for this long while at home; None: not watched
    still_from: time = time(7)
    still_until: time = time(22)  # the same as `still_from`: day and night
    out_after_min: int = 1440  # gone out, and nothing heard since
    up_by: time | None = None  # no sign of getting up by then; None: not watched
    up_since: time = time(5)  # movement from then on counts as getting up
    away_until: datetime | None = None
    away_why: str = ""
    agreed: str = ""  # what the person said to it

    @property
    def watches(self) -> bool:
        """Whether any rule is on."""
        return self.still_after_min is not None or self.up_by is not None

    def sentences(self) -> list[str]:
        """The rules that are on, a sentence each."""
        found = []
        if self.still_after_min is not None:
            hours = f"between {self.still_from:%H:%M} and {self.still_until:%H:%M}"
            hours = "day and night" if self.still_from == self.still_until else hours
            out = f"{in_words(self.out_after_min)} when out"
            found.append(f"No movement for {in_words(self.still_after_min)} while at home, {hours}; {out}")
        if self.up_by is not None:
            found.append(f"Not up by {self.up_by:%H:%M}")
        return found

    def problems(self) -> dict[str, str]:
        """What is wrong with it, by field, in words; empty when it may be kept."""
        found = {}
        shortest, longest = STILL_AFTER_MIN
        if self.still_after_min is not None and not shortest <= self.still_after_min <= longest:
            found["still_after_min"] = f"Between {shortest} minutes and {longest // 60} hours"
        shortest, longest = OUT_AFTER_MIN
        if not shortest <= self.out_after_min <= longest:
            found["out_after_min"] = f"Between {shortest // 60} hour and {longest // 1440} days"
        if self.up_by is not None and self.up_by <= self.up_since:
            found["up_by"] = f"Must be later than {self.up_since:%H:%M}, from when movement counts as getting up"
        for name in ("away_why", "agreed"):
            if len(getattr(self, name)) > WORDS_LIMIT or "\0" in getattr(self, name):
                found[name] = f"At most {WORDS_LIMIT} characters"
        return found


_COLUMNS: Final = (
    "still_after_min, still_from, still_until, out_after_min, up_by, up_since, away_until, away_why, agreed"
)


async def plan_of(conn: Connection, person_id: UUID) -> CarePlan:
    """A person's plan; one that watches nothing where none has been made."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"select {_COLUMNS} from care_plans where person_id = %s".encode(), (person_id,))  # noqa: S608
        row = await cursor.fetchone()
    return CarePlan(**row) if row else CarePlan()


SET: Final = """
    insert into care_plans (person_id, still_after_min, still_from, still_until, out_after_min, up_by, up_since,
                            away_until, away_why, agreed, changed_at, changed_by)
    values (%(person)s, %(still_after_min)s, %(still_from)s, %(still_until)s, %(out_after_min)s, %(up_by)s,
            %(up_since)s, %(away_until)s, %(away_why)s, %(agreed)s, %(now)s, %(who)s)
    on conflict (person_id) do update
       set version = care_plans.version + 1,
           still_after_min = excluded.still_after_min, still_from = excluded.still_from,
           still_until = excluded.still_until, out_after_min = excluded.out_after_min, up_by = excluded.up_by,
           up_since = excluded.up_since, away_until = excluded.away_until, away_why = excluded.away_why,
           agreed = excluded.agreed, changed_at = excluded.changed_at, changed_by = excluded.changed_by
"""


async def set_plan(conn: Connection, person_id: UUID, plan: CarePlan, who: str, now: datetime) -> None:
    """Make this the person's plan; what it was before stays in the log.

    Raises:
        Refused: a value is out of bounds.
    """
    if problems := plan.problems():
        raise Refused("; ".join(f"{name}: {words}" for name, words in problems.items()))
    values = asdict(plan)
    async with conn.transaction():
        await conn.execute(SET, values | {"person": person_id, "now": now, "who": who})
        await conn.execute(
            "insert into care_plan_log (person_id, at, who, plan) values (%s, %s, %s, %s)",
            (person_id, now, who, Jsonb({name: _plain(value) for name, value in values.items()})),
        )


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, time | datetime) else value


async def changes_of(conn: Connection, person_id: UUID, limit: int = 10) -> list[dict[str, Any]]:
    """Who changed a person's plan and when, newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "select at, who from care_plan_log where person_id = %s order by id desc limit %s", (person_id, limit)
        )
        return await cursor.fetchall()


def in_words(minutes: int) -> str:
    """A span as people say it: 45 minutes, 1 hour, 2 hours 30 minutes."""
    hours, rest = divmod(minutes, 60)
    parts = [f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in ((hours, "hour"), (rest, "minute")) if n]
    return " ".join(parts) or "0 minutes"
