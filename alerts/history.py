"""Taking in cases from before: of a system that a council leaves, or of a simulated year.

A past case becomes a closed alert with its alarm and its log, through the same tables and constraints as a live one. It
has no hub, nobody is told of it, and no screen changes. The same case twice is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from alerts.policy import FIRST, level
from telecare.clock import parse_instant
from telecare.db import Connection
from telecare.errors import TelecareError
from telecare.ids import uuid7
from telecare.vocabulary import KIND_WORDS, Cause, ConfirmedBy, Kind, Outcome, Priority

NAME_LIMIT: Final = 200  # characters of a case's name
STEPS: Final = frozenset(
    {"note", "contact-tried", "contact-answered", "assessed", "dispatched", "visit", "emergency-service", "safe",
     "escalated-supervisor", "breached"}
)  # fmt: skip


class WrongCase(TelecareError):
    """A past case that cannot be true; the words say why."""


@dataclass(frozen=True, slots=True)
class PastStep:
    """Something that was done about a past case. A `visit` may have `arrived_at` in its detail."""

    at: datetime
    who: str
    what: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCase:
    """An alert of the past, from raised to closed."""

    name: str  # what it was called where it comes from; unique
    person_id: UUID
    kind: Kind
    device: str
    location: str | None
    raised_at: datetime
    answered_at: datetime | None
    answered_by: str
    closed_at: datetime
    cause: Cause
    outcomes: Sequence[Outcome]
    confirmed_by: ConfirmedBy
    how: str
    steps: Sequence[PastStep] = ()


def problem_of(case: PastCase, now: datetime) -> str | None:
    """Why a past case cannot be true, or None."""
    times = [case.raised_at, *([case.answered_at] if case.answered_at else []), case.closed_at]
    if times != sorted(times):
        return "it is answered before it is raised, or closed before it is answered"
    if any(not case.raised_at <= step.at <= case.closed_at for step in case.steps):
        return "a step lies outside the time from raised to closed"
    if any(not _arrival_is_right(step, case) for step in case.steps):
        return "an arrival is no time between raised and closed"
    if case.closed_at > now:
        return "it is closed in the future"
    if unknown := sorted({step.what for step in case.steps} - STEPS):
        return f"a step is {unknown[0]}: one of {', '.join(sorted(STEPS))}"
    if not case.outcomes or not case.how.strip() or not 0 < len(case.name) <= NAME_LIMIT:
        return "name, outcomes and how must be given"
    return None


def _arrival_is_right(step: PastStep, case: PastCase) -> bool:
    if "arrived_at" not in step.detail:
        return True
    try:
        return step.what == "visit" and case.raised_at <= parse_instant(step.detail["arrived_at"]) <= case.closed_at
    except (TypeError, ValueError):
        return False


ADD: Final = """
    insert into alerts (case_key, person_id, home_id, hub, kind, priority, state, reason, raised_at, waiting_since,
                        first_claimed_at, alarm_count, closed_at, cause, outcomes, confirmed_by, how, past_case, policy)
    select 'person:' || p.id, p.id, p.home_id, null, %(kind)s, %(priority)s, 'closed', %(reason)s, %(raised_at)s,
           %(raised_at)s, %(answered_at)s, 1, %(closed_at)s, %(cause)s, %(outcomes)s, %(confirmed_by)s, %(how)s,
           %(name)s, %(policy)s
      from people p where p.id = %(person_id)s
    on conflict (past_case) do nothing
    returning id
"""


async def add_past_case(conn: Connection, case: PastCase, now: datetime) -> bool:
    """True when the case is new; False when it was taken in before. The caller holds the transaction.

    Raises:
        WrongCase: it cannot be true, or is about somebody whom the register does not know.
    """
    if problem := problem_of(case, now):
        raise WrongCase(f"case {case.name[:NAME_LIMIT]}: {problem}")
    priority = level(FIRST.policy, case.kind)
    if priority is Priority.TECHNICAL:
        raise WrongCase(f"case {case.name}: {case.kind} is about equipment; a past case is about a person")
    reason = f"{KIND_WORDS[case.kind]} ({case.device}). A case from before, taken in as {case.name}."
    values = {
        "name": case.name,
        "person_id": case.person_id,
        "kind": case.kind.value,
        "priority": int(priority),
        "reason": reason,
        "raised_at": case.raised_at,
        "answered_at": case.answered_at,
        "closed_at": case.closed_at,
        "cause": case.cause.value,
        "outcomes": [outcome.value for outcome in case.outcomes],
        "confirmed_by": case.confirmed_by.value,
        "how": case.how,
        "policy": FIRST.name,
    }
    row = await (await conn.execute(ADD, values)).fetchone()
    if row is None:
        if not await (await conn.execute("select 1 from people where id = %s", (case.person_id,))).fetchone():
            raise WrongCase(f"case {case.name}: there is no such person")
        return False
    await _add_alarm(conn, case, row[0])
    await _add_log(conn, case, row[0], reason)
    return True


async def _add_alarm(conn: Connection, case: PastCase, alert_id: int) -> None:
    alarm_id = uuid7(int(case.raised_at.timestamp() * 1000))
    await conn.execute(
        """insert into alarms (id, hub, past, device, kind, at, clock_synced, test, location, evidence, doubts,
                               content_hash, received_at)
           values (%s, null, true, %s, %s, %s, true, false, %s, '{}', '{}', %s, %s)""",
        (alarm_id, case.device, case.kind.value, case.raised_at, case.location, sha256(case.name.encode()).digest(),
         case.raised_at),
    )  # fmt: skip
    await conn.execute(
        "insert into alert_alarms (alarm_id, alert_id, joined_at) values (%s, %s, %s)",
        (alarm_id, alert_id, case.raised_at),
    )


async def _add_log(conn: Connection, case: PastCase, alert_id: int, reason: str) -> None:
    steps = [PastStep(case.raised_at, "system", "raised", {"kind": case.kind.value, "reason": reason})]
    if case.answered_at is not None:
        steps.append(PastStep(case.answered_at, case.answered_by, "claimed"))
    steps += case.steps
    closing = {
        "cause": case.cause.value,
        "outcomes": [outcome.value for outcome in case.outcomes],
        "confirmed_by": case.confirmed_by.value,
        "how": case.how,
        "note": "",
    }
    steps.append(PastStep(case.closed_at, case.answered_by, "closed", closing))
    steps.sort(key=lambda step: step.at)
    await conn.execute(
        """insert into alert_log (alert_id, at, who, what, detail)
           select %s, s.at, s.who, s.what, s.detail
             from unnest(%s::timestamptz[], %s::text[], %s::text[], %s::jsonb[])
                  with ordinality as s (at, who, what, detail, place) order by s.place""",
        (alert_id, [step.at for step in steps], [step.who for step in steps], [step.what for step in steps],
         [Jsonb(step.detail) for step in steps]),
    )  # fmt: skip
