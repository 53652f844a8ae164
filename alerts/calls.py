"""Calls: begun and ended by hand, on a telephone; the database's clock says when. And what to try next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Literal
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from alerts import store
from alerts.errors import Conflict, Incomplete
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.ids import uuid7
from telecare.settings import Settings

Line = Literal["landline", "mobile", "contact"]
WORDS_LIMIT: Final = 1000  # characters


class Result(StrEnum):
    """What was heard."""

    SPOKE = "spoke"
    HEARD = "heard-something"
    SILENCE = "silence"
    NO_ANSWER = "no-answer"
    LINE_FAILED = "line-failed"
    NOT_RECORDED = "not-recorded"  # nobody wrote it down in time


RESULT_WORDS: Final[dict[Result, str]] = {
    Result.SPOKE: "Spoke",
    Result.HEARD: "Heard something",
    Result.SILENCE: "Silence",
    Result.NO_ANSWER: "No answer",
    Result.LINE_FAILED: "Line failed",
    Result.NOT_RECORDED: "Not recorded",
}
BY_HAND: Final = tuple(result for result in Result if result is not Result.NOT_RECORDED)

# ---------------------------------------------------------------- begin and end

_WHOM: Final = """
    select case when %(line)s = 'contact' then c.name
                when %(line)s = 'mobile' and p.mobile <> '' then p.name
                when %(line)s = 'landline' and h.phone <> '' then coalesce(p.name, 'the home') end
      from alerts a
      join homes h on h.id = a.home_id
      left join people p on p.id = a.person_id
      left join contacts c on c.id = %(contact)s and c.phone <> '' and c.ended_at is null
           and c.person_id in (select id from people where home_id = a.home_id)
     where a.id = %(alert)s
"""


async def start(
    conn: Connection, settings: Settings, alert_id: int, by: str, line: Line, contact: UUID | None, now: datetime
) -> UUID:
    """Write down that `by` is calling; only who has the alert, and one call at a time.

    Raises:
        Conflict: the alert is not theirs, or closed; or they have another call open.
        Incomplete: there is no such number.
    """
    async with conn.transaction():
        found = await store.owner_and_state(conn, alert_id)
        if found is None:
            raise NotFound(f"no alert {alert_id}")
        owner, state, _, _ = found
        if owner != by or state in ("closed", "reviewed"):
            why = "this alert is closed" if state in ("closed", "reviewed") else "claim this alert first"
            raise Conflict(why, claimed_by=owner, state=state)
        row = await (await conn.execute(_WHOM, {"line": line, "contact": contact, "alert": alert_id})).fetchone()
        if row is None or row[0] is None or (line == "contact") != (contact is not None):
            raise Incomplete(["line: there is no such number"])
        call_id = uuid7()
        try:
            async with conn.transaction():
                await conn.execute(
                    """insert into calls (id, alert_id, line, contact_id, whom, started_by, started_at, end_by)
                       values (%s, %s, %s, %s, %s, %s, %s, %s)""",
                    (call_id, alert_id, line, contact, row[0], by, now, now + timedelta(seconds=settings.call_s)),
                )
        except UniqueViolation as problem:
            raise Conflict(
                "you have another call open: write down how it ended", claimed_by=owner, state=state
            ) from problem
        await store.publish_change(conn, alert_id, now)
        return call_id


async def finish(
    conn: Connection, alert_id: int, call_id: UUID, by: str, result: Result, words: str, now: datetime
) -> None:
    """Write down what was heard.

    Raises:
        NotFound: there is no such call of this member's.
        Conflict: it has ended before.
        Incomplete: too many words.
    """
    if len(words) > WORDS_LIMIT or "\0" in words:
        raise Incomplete([f"words: at most {WORDS_LIMIT} characters"])
    async with conn.transaction():
        row = await (
            await conn.execute(
                "select ended_at from calls where id = %s and alert_id = %s and started_by = %s for update",
                (call_id, alert_id, by),
            )
        ).fetchone()
        if row is None:
            raise NotFound("no such call of yours")
        if row[0] is not None:
            raise Conflict("this call has ended", claimed_by=by, state="ended")
        await _end(conn, call_id, by, result, words.strip(), now)


async def _end(conn: Connection, call_id: UUID, who: str, result: Result, words: str, now: datetime) -> None:
    row = await (
        await conn.execute(
            """update calls set ended_at = %s, end_by = null, result = %s, words = %s where id = %s
               returning alert_id, whom, line, extract(epoch from ended_at - started_at)::integer""",
            (now, result.value, words, call_id),
        )
    ).fetchone()
    assert row is not None
    alert_id, whom, line, seconds = row
    if result is Result.SPOKE and line != "contact":
        await conn.execute(
            """update alerts set spoken_at = (select started_at from calls where id = %s)
                where id = %s and spoken_at is null""",
            (call_id, alert_id),
        )
    what = "contact-answered" if result in (Result.SPOKE, Result.HEARD) else "contact-tried"
    detail = {"contact": whom, "line": line, "result": result.value, "seconds": seconds, "text": words}
    await store.log(conn, alert_id, now, who, what, detail)
    await store.publish_change(conn, alert_id, now)


async def end_overdue(conn: Connection, now: datetime) -> bool:
    """End one call that nobody has ended in time; False when none is due. The caller holds the transaction."""
    row = await (
        await conn.execute(
            """select id from calls where ended_at is null and end_by <= %s
                order by end_by limit 1 for update skip locked""",
            (now,),
        )
    ).fetchone()
    if row is None:
        return False
    await _end(conn, row[0], "system", Result.NOT_RECORDED, "", now)
    return True


# ---------------------------------------------------------------- for the screens


async def calls_of(conn: Connection, alert_id: int) -> list[dict[str, Any]]:
    """An alert's calls, oldest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select id, line, contact_id, whom, started_by, started_at, ended_at, result, words
                 from calls where alert_id = %s order by started_at""",
            (alert_id,),
        )
        return await cursor.fetchall()


async def alone_since(conn: Connection) -> dict[int, datetime]:
    """Since when nobody has been on the telephone, for each claimed alert of levels 1 to 3 without a running call.

    Not for incidents: their homes are rung one after the other.
    """
    rows = await (
        await conn.execute(
            """select a.id, greatest(a.claimed_at, max(c.ended_at))
                 from alerts a left join calls c on c.alert_id = a.id
                where a.state in ('claimed', 'contacting', 'assessed', 'acting')
                  and a.priority < 4 and a.home_id is not null
                group by a.id having bool_and(c.id is null or c.ended_at is not null)"""
        )
    ).fetchall()
    return dict(rows)


# ---------------------------------------------------------------- what to try next

WITHIN: Final = timedelta(minutes=3)  # all tries together take no longer
_ORDER: Final = ("landline", "mobile", "landline")


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do next about somebody who does not answer; `line` is whom to call, if that is it."""

    words: str
    line: str | None = None


def next_step(calls: Sequence[dict[str, Any]], lines: frozenset[str], claimed_at: datetime, now: datetime) -> Advice:
    """The no-contact rule: a few tries in order, within three minutes, and then help.

    Sources: a fatal-accident inquiry and an inquest into silent calls that were closed (2012 FAI 7; Barratt, 2014).
    """
    own = [call for call in calls if call["line"] != "contact" and call["ended_at"] is not None]
    results = {call["result"] for call in own}
    if Result.HEARD in results and Result.SPOKE not in results:
        return Advice("Something was heard and nobody has spoken: act at once. Send somebody, or ring 999.")
    if Result.SPOKE in results:
        return Advice("You have spoken with them.")
    left = [line for line in _ORDER if line in lines]
    for call in own:
        if call["line"] in left:
            left.remove(call["line"])
    if left and now - claimed_at < WITHIN:
        again = any(call["line"] == left[0] for call in own)
        return Advice(f"Ring the {left[0]}{' again' if again else ''}.", left[0])
    tried = (
        f"No contact after {len(own)} {'call' if len(own) == 1 else 'calls'}." if own else "There is no number left."
    )
    return Advice(f"{tried} Ask a contact, send somebody, or ring 999 now: silence is not safety.")
