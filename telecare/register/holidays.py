"""Public holidays of a council: on these days hours of a rota may not hold. A list of each council's own."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from telecare.db import Connection
from telecare.errors import NotFound, Refused

PER_COUNCIL: Final = 200
NAME_LIMIT: Final = 100  # characters


@dataclass(frozen=True, slots=True)
class Holiday:
    """A public holiday, by the council's calendar."""

    day: date
    name: str
    added_by: str


async def holidays_of(conn: Connection, council_id: UUID, since: date) -> list[Holiday]:
    """A council's public holidays from that day on, in order."""
    cursor = await conn.execute(
        "select day, name, added_by from public_holidays where council_id = %s and day >= %s order by day",
        (council_id, since),
    )
    return [Holiday(*row) for row in await cursor.fetchall()]


async def add(conn: Connection, council_id: UUID, day: date, name: str, who: str, now: datetime) -> None:
    """Write down a public holiday; one of that day that is there already gets this name.

    Raises:
        NotFound: there is no such council.
        Refused: it has no name, or too long a one, or there are too many.
    """
    if not name.strip() or len(name) > NAME_LIMIT or "\0" in name:
        raise Refused(f"Enter what the holiday is called, in at most {NAME_LIMIT} characters")
    async with conn.transaction():
        if not await (await conn.execute("select 1 from councils where id = %s for update", (council_id,))).fetchone():
            raise NotFound("no such council")
        cursor = await conn.execute("select count(*) from public_holidays where council_id = %s", (council_id,))
        row = await cursor.fetchone()
        if row is None or row[0] >= PER_COUNCIL:
            raise Refused(f"At most {PER_COUNCIL} for each council: take away some that are over")
        await conn.execute(
            """insert into public_holidays (council_id, day, name, added_by, added_at) values (%s, %s, %s, %s, %s)
               on conflict (council_id, day) do update set name = excluded.name, added_by = excluded.added_by,
                      added_at = excluded.added_at""",
            (council_id, day, name.strip(), who, now),
        )


async def remove(conn: Connection, council_id: UUID, day: date) -> None:
    """Take a holiday away; one that is gone already is gone."""
    await conn.execute("delete from public_holidays where council_id = %s and day = %s", (council_id, day))
