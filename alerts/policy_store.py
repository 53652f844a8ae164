"""Every SQL statement about policies of priority, and by which a level rises."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import errors
from psycopg.types.json import Jsonb

from alerts.policy import FIRST, PRESSES, Edition, Facts, Policy, Rise
from telecare.db import Connection
from telecare.errors import Refused
from telecare.vocabulary import Kind, Priority


def in_force(council: str) -> str:
    """SQL: the id of the policy in force for a council (an expression), or null for the built-in one.

    That is the newest of the council's own; without any, the newest of the service's.
    """
    return f"""(select y.id from priority_policies y where y.council_id = {council} or y.council_id is null
                 order by y.council_id is null, y.version desc limit 1)"""  # noqa: S608  (an expression of our own)


_SELECT: Final = """
    select y.id, c.name, y.version, y.levels, y.possible_fall, y.rise_from_3_min, y.rise_from_2_min, y.repeat_presses,
           y.on_floor_min, y.made_at, coalesce(s.display_name, y.made_by), y.why
      from priority_policies y left join councils c on c.id = y.council_id left join staff s on s.username = y.made_by
"""


def _edition(row: Sequence[Any]) -> Edition:
    number, council, version, levels, possible_fall, rise_3, rise_2, presses, floor, *_ = row
    policy = Policy(
        levels={**FIRST.policy.levels, **{Kind(kind): Priority(given) for kind, given in levels.items()}},
        possible_fall=Priority(possible_fall),
        rise_from_3_min=rise_3,
        rise_from_2_min=rise_2,
        repeat_presses=presses,
        on_floor_min=floor,
    )
    return Edition(number, council, version, policy)


class Editions:
    """Policies by id. They never change, so each is read once."""

    def __init__(self) -> None:
        self._known: dict[int | None, Edition] = {None: FIRST}

    async def of(self, conn: Connection, ids: Collection[int | None]) -> dict[int | None, Edition]:
        """These policies: no statement where they are known, one where not."""
        if missing := [one for one in ids if one not in self._known]:
            cursor = await conn.execute(f"{_SELECT} where y.id = any(%s)".encode(), (missing,))
            self._known |= {row[0]: _edition(row) for row in await cursor.fetchall()}
        return {one: self._known[one] for one in ids}


async def edition_of(conn: Connection, council: UUID | None) -> Edition:
    """The policy in force for a council; None: the service's own."""
    sql = f"{_SELECT} where y.id = {in_force('%s::uuid')}"
    row = await (await conn.execute(sql.encode(), (council,))).fetchone()
    return FIRST if row is None else _edition(row)


@dataclass(frozen=True, slots=True)
class Made:
    """A version with who made it, when, and why."""

    edition: Edition
    at: datetime
    by: str
    why: str


async def history(conn: Connection, council: UUID | None) -> list[Made]:
    """The versions that were written for a council, or for the service, newest first; without the built-in one."""
    sql = f"{_SELECT} where y.council_id is not distinct from %s order by y.version desc"
    return [Made(_edition(row), *row[9:]) for row in await (await conn.execute(sql.encode(), (council,))).fetchall()]


ADD: Final = """
    insert into priority_policies (council_id, version, levels, possible_fall, rise_from_3_min, rise_from_2_min,
                                   repeat_presses, on_floor_min, made_by, made_at, why)
    values (%(council)s, %(version)s, %(levels)s, %(possible_fall)s, %(rise_from_3_min)s, %(rise_from_2_min)s,
            %(repeat_presses)s, %(on_floor_min)s, %(by)s, %(now)s, %(why)s)
    returning id
"""


async def add(
    conn: Connection, council: UUID | None, seen: str, policy: Policy, by: str, why: str, now: datetime
) -> str:
    """Put a new version in force; its name. `seen` is the name of the one that its writer saw in force.

    Raises:
        Refused: another has been written meanwhile.
    """
    stale = Refused("Somebody has changed these priorities since you opened the page. Look at them again")
    if (await edition_of(conn, council)).name != seen:
        raise stale
    before = await history(conn, council)
    # The service's first version is built in.
    version = before[0].edition.version + 1 if before else (2 if council is None else 1)
    values = {
        "council": council,
        "version": version,
        "levels": Jsonb({kind.value: int(given) for kind, given in policy.levels.items()}),
        "possible_fall": int(policy.possible_fall),
        "rise_from_3_min": policy.rise_from_3_min,
        "rise_from_2_min": policy.rise_from_2_min,
        "repeat_presses": policy.repeat_presses,
        "on_floor_min": policy.on_floor_min,
        "by": by,
        "now": now,
        "why": why,
    }
    try:
        async with conn.transaction():
            await conn.execute(ADD, values)
    except errors.UniqueViolation as problem:
        raise stale from problem
    return (await edition_of(conn, council)).name


async def alerts_by_kind(conn: Connection, council: UUID | None, since: datetime) -> list[tuple[Kind, bool, int]]:
    """How many alerts of people were raised since then: kind, whether it was only a possible fall, how many.

    Of a council, or of all.
    """
    rows = await (
        await conn.execute(
            """select a.kind, a.possible, count(*) from alerts a join homes h on h.id = a.home_id
                where a.raised_at >= %(since)s and a.priority < 4 and a.case_key not like 'test:%%'
                  and (%(council)s::uuid is null or h.council_id = %(council)s)
                group by 1, 2 order by 3 desc""",
            {"since": since, "council": council},
        )
    ).fetchall()
    return [(Kind(kind), possible, count) for kind, possible, count in rows]


# ---------------------------------------------------------------- rising

AT_ONCE: Final = 200  # alerts looked at in one transaction

# A press puts an alert at level 2 at least, so that presses raise a level once: all but the first are "further" ones.
RISING: Final = """
    select a.id, a.policy_id, a.priority, coalesce(a.level_since, a.raised_at),
           case when a.claimed_by is null then a.waiting_since end,
           case when a.lifted_at is null then a.floor_since end,
           (select greatest(count(*) - 1, 0) from alert_alarms j join alarms r on r.id = j.alarm_id
             where j.alert_id = a.id and r.kind = any(%(presses)s) and not r.test)
      from alerts a
     where a.rises_at <= %(now)s order by a.rises_at limit %(most)s for update of a skip locked
"""


@dataclass(frozen=True, slots=True)
class Rising:
    """An open alert whose level is to be looked at."""

    id: int
    policy_id: int | None
    facts: Facts


async def next_rising(conn: Connection, now: datetime) -> list[Rising]:
    """Alerts whose level may rise now and that nobody else is working on, locked."""
    values = {"now": now, "presses": [kind.value for kind in PRESSES], "most": AT_ONCE}
    return [_rising(*row) for row in await (await conn.execute(RISING, values)).fetchall()]


def _rising(
    number: int, policy_id: int | None, level: int, since: datetime, waiting: datetime | None, floor: datetime | None,
    presses: int,
) -> Rising:  # fmt: skip
    facts = Facts(level=Priority(level), level_since=since, waiting_since=waiting, presses=presses, floor_since=floor)
    return Rising(number, policy_id, facts)


SET_LEVELS: Final = """
    update alerts a
       set priority = least(a.priority, g.priority), level_since = g.level_since, rises_at = g.rises_at,
           version = a.version + case when g.priority < a.priority then 1 else 0 end
      from jsonb_to_recordset(%s::jsonb) g (id bigint, priority smallint, level_since timestamptz, rises_at timestamptz)
     where a.id = g.id
"""


async def set_levels(conn: Connection, steps: Sequence[tuple[Rising, Rise]]) -> None:
    """Keep what became of levels, and when they rise next. The caller has locked the alerts."""
    written = [
        {
            "id": one.id,
            "priority": int(step.level),
            "level_since": step.level_since.isoformat(),
            "rises_at": step.at.isoformat() if step.at else None,
        }
        for one, step in steps
    ]
    await conn.execute(SET_LEVELS, (json.dumps(written),))
