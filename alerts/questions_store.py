"""How questions to contacts stand, between the database and the pure ladder (alerts/ladder.py)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from alerts.asks_store import ASKED_COLUMNS, Asked, asked_from
from alerts.ladder import Question, Stage
from telecare.db import Connection


@dataclass(frozen=True, slots=True)
class Standing:
    """A contact who has been asked, and how the question stands."""

    id: UUID
    asked: Asked
    question: Question
    round: int
    yeses: int  # how often they have said that they go
    there_local: datetime | None  # when they said that they are there, by the clock of the council
    contact_ended: bool  # they are no contact any more


_STANDING: Final = f"""
    select {ASKED_COLUMNS}, q.id as ask_id, q.answer, q.minutes, q.voice_at, q.answer_by, q.arrive_by, q.there_at,
           q.late_at, q.passed_at, q.over_at, q.round, q.yeses, c.ended_at is not null as contact_ended,
           (q.there_at at time zone k.timezone)::timestamp as there_local
      from asks q
      join alerts a on a.id = q.alert_id
      join contacts c on c.id = q.contact_id
      join people p on p.id = c.person_id
      join homes h on h.id = a.home_id
      join councils k on k.id = h.council_id
"""  # noqa: S608


def _standing(row: dict[str, Any]) -> Standing:
    return Standing(
        row["ask_id"],
        asked_from(row),
        _question(row),
        row["round"],
        row["yeses"],
        row["there_local"],
        row["contact_ended"],
    )


def _question(row: dict[str, Any]) -> Question:
    return Question(
        stage=_stage(row), voice_at=row["voice_at"], answer_by=row["answer_by"], arrive_by=row["arrive_by"],
        minutes=row["minutes"], was_late=row["late_at"] is not None,
    )  # fmt: skip


def _stage(row: dict[str, Any]) -> Stage:
    if row["over_at"] is not None:
        return Stage.OVER
    if row["answer"] == "cannot":
        return Stage.CANNOT
    if row["there_at"] is not None:
        return Stage.THERE
    if row["answer"] == "going":
        return Stage.LATE if row["late_at"] is not None else Stage.GOING
    return Stage.WAITING if row["answer_by"] is not None else Stage.PASSED


async def asked_of(conn: Connection, alert_id: int) -> list[Standing]:
    """Everyone who has been asked about an alert, in the order of the plan."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute((_STANDING + "where q.alert_id = %s order by c.place").encode(), (alert_id,))
        return [_standing(row) for row in await cursor.fetchall()]


async def standing(conn: Connection, ask_id: UUID) -> Standing | None:
    """One question. Whoever is to change it holds the alert."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute((_STANDING + "where q.id = %s").encode(), (ask_id,))
        row = await cursor.fetchone()
    return _standing(row) if row else None


# Many engines work at once: each takes an alert that no other one has.
DUE: Final = """
    select q.id, q.alert_id from asks q join alerts a on a.id = q.alert_id
     where q.due_at <= %(now)s order by q.due_at limit 1 for no key update of a skip locked
"""


async def next_due(conn: Connection, now: datetime) -> tuple[UUID, int] | None:
    """The question that is longest past its deadline: (its number, its alert's), with the alert locked."""
    row = await (await conn.execute(DUE, {"now": now})).fetchone()
    return (row[0], row[1]) if row else None


async def whether_open(conn: Connection, alert_id: int) -> tuple[bool, bool]:
    """Whether an alert is open, and whether its person is known to be safe."""
    cursor = await conn.execute(
        "select closed_at is null, safe_at is not null from alerts where id = %s",
        (alert_id,),
    )
    row = await cursor.fetchone()
    assert row is not None
    return bool(row[0]), bool(row[1])


_ANSWERS: Final = {Stage.GOING: "going", Stage.LATE: "going", Stage.THERE: "going", Stage.CANNOT: "cannot"}
SAVE: Final = """
    update asks
       set answered_at = case when %(answer)s::text is null then null
                              when answer = %(answer)s and minutes is not distinct from %(minutes)s then answered_at
                              else %(now)s end,
           yeses     = yeses + (%(answer)s is not distinct from 'going' and answer is distinct from 'going')::int,
           answer    = %(answer)s, minutes = %(minutes)s, voice_at = %(voice_at)s, answer_by = %(answer_by)s,
           arrive_by = %(arrive_by)s,
           passed_at = case when %(stage)s = 'passed' then coalesce(passed_at, %(now)s) else passed_at end,
           there_at  = case when %(stage)s = 'there' then coalesce(there_at, %(now)s) end,
           late_at   = case when %(was_late)s then coalesce(late_at, %(now)s) end
     where id = %(id)s
"""
END: Final = """
    update asks set voice_at = null, answer_by = null, arrive_by = null, over_at = coalesce(over_at, %(now)s)
     where id = %(id)s
"""  # what was answered is kept


async def save(conn: Connection, ask_id: UUID, question: Question, now: datetime) -> None:
    """Keep how a question stands. The caller holds the alert."""
    if question.stage is Stage.OVER:
        await conn.execute(END, {"id": ask_id, "now": now})
        return
    values = {
        "id": ask_id, "now": now, "stage": question.stage.value, "answer": _ANSWERS.get(question.stage),
        "minutes": question.minutes, "voice_at": question.voice_at, "answer_by": question.answer_by,
        "arrive_by": question.arrive_by, "was_late": question.was_late,
    }  # fmt: skip
    await conn.execute(SAVE, values)
