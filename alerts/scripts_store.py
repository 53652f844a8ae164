"""Every SQL statement about scripts: whose case it is, and what was answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from alerts.scripts import Answer, Question, Script
from telecare.db import Connection
from telecare.rota import ServiceType
from telecare.vocabulary import Kind


@dataclass(frozen=True, slots=True)
class Case:
    """What of an alert a script goes by."""

    kind: str
    possible: bool
    is_incident: bool
    service_type: str | None  # None: not known whose alert it is

    @property
    def alarm(self) -> Kind:
        return Kind(self.kind)

    @property
    def service(self) -> ServiceType | None:
        return ServiceType(self.service_type) if self.service_type else None


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it was written down."""

    id: int
    question: str
    answer: str
    at: datetime
    by: str
    by_name: str
    asked: str
    heard: str


async def case_of(conn: Connection, alert_id: int) -> Case | None:
    """What of an alert a script goes by; None where there is no such alert."""
    async with conn.cursor(row_factory=class_row(Case)) as cursor:
        await cursor.execute(
            """select a.kind, a.possible, a.home_id is null as is_incident, p.service_type
                 from alerts a left join people p on p.id = a.person_id where a.id = %s""",
            (alert_id,),
        )
        return await cursor.fetchone()


_SAID: Final = """
    select distinct on (r.question) r.id, r.question, r.answer, r.at, r.by, coalesce(s.display_name, r.by) as by_name,
           r.asked, r.heard
      from script_answers r left join staff s on s.username = r.by
     where r.alert_id = %s order by r.question, r.id desc
"""


async def said(conn: Connection, alert_id: int) -> dict[str, Said]:
    """The newest answer to each question, by the question's id."""
    async with conn.cursor(row_factory=class_row(Said)) as cursor:
        await cursor.execute(_SAID, (alert_id,))
        return {one.question: one for one in await cursor.fetchall()}


async def write(
    conn: Connection, alert_id: int, script: Script, question: Question, answer: Answer, by: str, now: datetime
) -> None:
    """Write an answer down. The caller has locked the alert, and it is theirs."""
    await conn.execute(
        """insert into script_answers (alert_id, at, by, script, version, question, answer, asked, heard)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (alert_id, now, by, script.id, script.version, question.id, answer.id, question.ask, answer.words),
    )
