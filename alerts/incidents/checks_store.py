"""Every SQL statement about what people have found out about an incident's homes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from telecare.db import Connection


async def owner_and_state(conn: Connection, alert_id: int) -> tuple[str | None, str, bool] | None:
    """Who has an alert, its state and whether it is an incident, locked; None where there is no such alert."""
    row = await (
        await conn.execute(
            """select claimed_by, state, case_key like 'incident:%%' from alerts where id = %s for no key update""",
            (alert_id,),
        )
    ).fetchone()
    return (row[0], row[1], row[2]) if row else None


UNCHECKED: Final = """
    select h.home_id from incident_homes h
     where h.alert_id = %s and cardinality(h.troubles) > 0
       and not exists (select 1 from incident_checks k
                        where k.id = (select max(n.id) from incident_checks n
                                       where n.alert_id = h.alert_id and n.home_id = h.home_id)
                          and k.at >= h.changed_at and k.result <> 'no-answer')
     order by h.home_id
"""


async def unchecked(conn: Connection, alert_id: int) -> list[UUID]:
    """Homes that are not back, and of which nobody has written down that they are safe or that somebody goes."""
    return [row[0] for row in await (await conn.execute(UNCHECKED, (alert_id,))).fetchall()]


async def add_checks(
    conn: Connection, alert_id: int, homes: Sequence[UUID], who: str, result: str, words: str, now: datetime
) -> int:
    """Write down what was found out about homes of an incident; of how many. Homes that it does not list are none."""
    cursor = await conn.execute(
        """insert into incident_checks (alert_id, home_id, at, who, result, words)
           select h.alert_id, h.home_id, %s, %s, %s, %s from incident_homes h
            where h.alert_id = %s and h.home_id = any(%s)""",
        (now, who, result, words, alert_id, list(homes)),
    )
    return cursor.rowcount


async def addresses(conn: Connection, homes: Sequence[UUID]) -> list[str]:
    """Where these homes are, in the order given."""
    rows = await (
        await conn.execute(
            """select o.address from unnest(%s::uuid[]) with ordinality n (home, place) join homes o on o.id = n.home
                order by n.place""",
            (list(homes),),
        )
    ).fetchall()
    return [row[0] for row in rows]


async def touch(conn: Connection, alert_id: int) -> None:
    """An incident has changed in something that its alert does not say."""
    await conn.execute("update alerts set version = version + 1 where id = %s", (alert_id,))
