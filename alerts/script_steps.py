"""Answering the script beside a case, and reading where it stands."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from alerts import scripts_store, store
from alerts.actions import own
from alerts.errors import Conflict, Incomplete
from alerts.script_files import script_for
from alerts.scripts import Question, Script, Steps, next_steps
from alerts.scripts_store import Said
from telecare.db import Connection
from telecare.errors import NotFound


@dataclass(frozen=True, slots=True)
class Standing:
    """A case's script, what was answered to it, and what follows."""

    script: Script
    said: dict[str, Said]  # the newest answer to each question, of this script or another
    steps: Steps

    @property
    def answers(self) -> dict[str, str]:
        """Question to answer, in words, in the order in which they are asked."""
        found = [self.said[one.question.id] for one in self.steps.given]
        return {one.asked: one.heard for one in found}


async def standing(conn: Connection, alert_id: int) -> Standing | None:
    """Where the script of an alert stands; None for an incident, whose homes are rung one after the other.

    Raises:
        NotFound: there is no such alert.
    """
    case = await scripts_store.case_of(conn, alert_id)
    if case is None:
        raise NotFound(f"no alert {alert_id}")
    if case.is_incident:
        return None
    script = script_for(case.alarm, case.possible)
    said = await scripts_store.said(conn, alert_id)
    answers = {one.question: one.answer for one in said.values()}
    return Standing(script, said, next_steps(script, answers, case.service))


async def answer(
    conn: Connection, alert_id: int, by: str, question: str, answer_id: str, now: datetime, seen: int | None = None
) -> bool:
    """Write down the answer to a question of the alert's script; False where just that was written down before.

    `seen` is the number of the answer to this question that the asker's screen showed (0: none); with None nothing
    is compared, and the answer replaces whatever was there.

    Raises:
        NotFound: there is no such alert.
        Conflict: it is not theirs, or not open; its script does not ask this; or the question has been answered
            since the screen was drawn, and that answer stands.
        Incomplete: no such answer.
    """
    async with conn.transaction():
        await own(conn, alert_id, by)
        now_stands = await standing(conn, alert_id)
        asked = now_stands.script.questions.get(question) if now_stands else None
        if now_stands is None or asked is None:
            raise Conflict("the script beside this alert does not ask that", claimed_by=by, state="claimed")
        chosen = asked.answer(answer_id)
        if chosen is None:
            raise Incomplete(["answer: choose one of the answers"])
        before = now_stands.said.get(question)
        if before is not None and seen is not None and seen != before.id:
            if before.answer == chosen.id:
                return False
            raise _answered_since(before)
        await scripts_store.write(conn, alert_id, now_stands.script, asked, chosen, by, now)
        words = f"Script{', changed' if before else ''}. {asked.ask} {chosen.words}"
        detail = {"text": words, "script": now_stands.script.id, "version": now_stands.script.version,
                  "question": asked.id, "answer": chosen.id}  # fmt: skip
        # A note: it is something that staff did, and says nothing about the need before that is written down.
        await store.log(conn, alert_id, now, by, "note", detail)
        await store.publish_change(conn, alert_id, now)
    return True


def _answered_since(before: Said) -> Conflict:
    words = f"“{before.asked}” has been answered since you opened this page: “{before.heard}”, by {before.by_name}"
    return Conflict(
        f"{words}. That answer stands; change it where it is different", claimed_by=before.by, state="answered"
    )


# ---------------------------------------------------------------- for the screens


async def record(conn: Connection, alert_id: int) -> dict[str, Any] | None:
    """Where an alert's script stands, as a record; None for an incident.

    Raises:
        NotFound: there is no such alert.
    """
    found = await standing(conn, alert_id)
    if found is None:
        return None
    steps, said = found.steps, found.said
    given = [_question(one.question, said) | {"answer": one.answer.id} for one in steps.given]
    return {
        "id": found.script.id,
        "version": found.script.version,
        "title": found.script.title,
        "sources": list(found.script.sources),
        "open": _question(steps.open, said) if steps.open else None,
        "given": given,
        "answered_at": max((said[one.question.id].at for one in steps.given), default=None),
        "red_flags": list(steps.red_flags),
        "advice": asdict(steps.advice) | {"more": list(steps.advice.more)} if steps.advice else None,
        "cause": steps.cause.value,
        "on_floor": steps.on_floor,
    }


def _question(question: Question, said: Mapping[str, Said]) -> dict[str, Any]:
    """A question with what was said to it last, which may be an answer that the script has no more."""
    answers = [{"id": one.id, "words": one.words} for one in question.answers]
    asked = {"question": question.id, "ask": question.ask, "hint": question.hint, "answers": answers}
    last = said.get(question.id)
    if last is None:
        return asked | {"answer": None, "heard": "", "at": None, "by": None, "by_name": "", "seen": 0}
    return asked | {"answer": None, "heard": last.heard, "at": last.at, "by": last.by, "by_name": last.by_name,
                    "seen": last.id}  # fmt: skip
