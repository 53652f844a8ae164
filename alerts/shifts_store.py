"""When responders work, with whom and in what; and until when they cannot be sent. Every change with who made it."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg.errors import ExclusionViolation

from alerts.errors import Incomplete
from alerts.responders_store import NAME_LIMIT, known_as, note, responder_named, rows
from telecare.clock import format_instant
from telecare.db import Connection
from telecare.ids import uuid7

SHIFT_LIMIT: Final = timedelta(hours=24)


async def begin_shift(
    conn: Connection, username: str, until_at: datetime, partner: str, vehicle: UUID | None, by: str, now: datetime,
    from_at: datetime | None = None,
) -> None:  # fmt: skip
    """On shift from now, or from a time ahead. Whom it finds on shift is so from now with what is said now.

    Raises:
        NotFound: there is no such responder.
        Incomplete: the end is not ahead within a day of the beginning, the partner is themselves, there is no such
            vehicle, or another shift lies in between.
    """
    name = await responder_named(conn, username)
    partner, begins = await known_as(conn, partner.strip()), from_at or now
    wrong = []
    if begins < now:
        wrong.append("from: the beginning of the shift is now, or lies ahead")
    if not begins < until_at <= begins + SHIFT_LIMIT:
        wrong.append("until: the end of the shift lies ahead, within 24 hours of its beginning")
    if partner == username or len(partner) > NAME_LIMIT:
        wrong.append(f"partner: somebody else, in at most {NAME_LIMIT} characters")
    if vehicle is not None and not await _there_is(conn, vehicle):
        wrong.append("vehicle: there is no such vehicle")
    if wrong:
        raise Incomplete(wrong)
    async with conn.transaction():
        if begins == now:
            await _end(conn, username, now)
        try:
            async with conn.transaction():
                await conn.execute(
                    """insert into responder_shifts (id, username, from_at, until_at, partner, vehicle_id)
                       values (%s, %s, %s, %s, %s, %s)""",
                    (uuid7(), username, begins, until_at, partner, vehicle),
                )
        except ExclusionViolation as problem:
            raise Incomplete([f"until: {name} has another shift in that time"]) from problem
        detail = {
            "from": format_instant(begins), "until": format_instant(until_at), "partner": partner,
            "vehicle": str(vehicle or ""),
        }  # fmt: skip
        await note(conn, username, "shift", detail, by, now)


async def _there_is(conn: Connection, vehicle: UUID) -> bool:
    return bool(await rows(conn, "select 1 from vehicles where id = %(id)s and retired_at is null", id=vehicle))


async def end_shift(conn: Connection, username: str, by: str, now: datetime) -> None:
    """Off shift from now; who is not on shift has their next one taken away. Without effect where there is none."""
    await responder_named(conn, username)
    async with conn.transaction():
        if await _end(conn, username, now):
            await note(conn, username, "shift-ended", {}, by, now)
            return
        gone = await rows(
            conn,
            """delete from responder_shifts where id = (select id from responder_shifts
                where username = %(username)s and from_at > %(now)s order by from_at limit 1) returning from_at""",
            username=username,
            now=now,
        )
        if gone:
            await note(conn, username, "shift-cancelled", {"from": format_instant(gone[0]["from_at"])}, by, now)


async def _end(conn: Connection, username: str, now: datetime) -> bool:
    await conn.execute("delete from responder_shifts where username = %s and from_at = %s", (username, now))
    cursor = await conn.execute(
        "update responder_shifts set until_at = %s where username = %s and from_at < %s and until_at > %s",
        (now, username, now, now),
    )
    return cursor.rowcount > 0


async def next_shifts(conn: Connection, now: datetime) -> dict[str, datetime]:
    """When each responder's next shift begins, by user name."""
    found = await rows(
        conn,
        "select username, min(from_at) as from_at from responder_shifts where from_at > %(now)s group by username",
        now=now,
    )
    return {row["username"]: row["from_at"] for row in found}


async def set_away(
    conn: Connection, username: str, until_at: datetime | None, why: str, by: str, now: datetime
) -> None:
    """Cannot be sent until then, and why; None: back.

    Raises:
        NotFound: there is no such responder.
        Incomplete: they are not on shift, it is not ahead, or it is not said why.
    """
    await responder_named(conn, username)
    if until_at is not None and not (now < until_at <= now + SHIFT_LIMIT):
        raise Incomplete(["back_by: the time lies ahead, within 24 hours"])
    if until_at is not None and not (0 < len(why.strip()) <= NAME_LIMIT):
        raise Incomplete([f"why: say why, in at most {NAME_LIMIT} characters"])
    cursor = await conn.execute(
        """update responder_shifts set away_until = %s, away_why = %s
            where username = %s and from_at <= %s and until_at > %s""",
        (until_at, why.strip() if until_at else "", username, now, now),
    )
    if cursor.rowcount == 0:
        raise Incomplete(["back_by: they are not on shift"])
    detail = {"until": format_instant(until_at), "why": why.strip()} if until_at else {}
    await note(conn, username, "away" if until_at else "back", detail, by, now)
