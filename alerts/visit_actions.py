"""Visits on the database: asking a responder to go, each step, and what happens when one does not come.

Each function is one transaction, or joins its caller's. A visit's alert is locked before the visit, as everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts import life_store, store
from alerts.errors import Conflict, Incomplete
from alerts.settings import visit_limits
from alerts.visiting import ISTUMBLE, ON_THE_WAY, VISIT_WORDS, Visit, VisitState, due_of, overdue, problems
from telecare.clock import format_instant
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.ids import uuid7
from telecare.settings import Settings
from telecare.vocabulary import Priority

NAME_LIMIT: Final = 200  # characters of who goes
WORDS_LIMIT: Final = 4000  # characters of each thing that is captured
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class _Found:
    """A visit with what its next step depends on."""

    id: UUID
    alert_id: int
    responder: str
    owner: str | None
    alert_closed: bool
    visit: Visit


FIND: Final = """
    select v.id, v.alert_id, v.responder, a.claimed_by, a.closed_at is not null, v.state, v.missed,
           coalesce((select array(select jsonb_array_elements_text(s.detail -> 'flags')) from visit_steps s
                      where s.visit_id = v.id and s.state = 'checked' order by s.id desc limit 1), '{}'),
           exists (select 1 from emergency_calls e where e.alert_id = v.alert_id and e.service = 'ambulance'
                    and e.state = 'awaited')
      from visits v join alerts a on a.id = v.alert_id where v.id = %s and v.alert_id = %s
       for no key update of v
"""


async def _find(conn: Connection, alert_id: int, visit_id: UUID) -> _Found:
    await life_store.lock(conn, alert_id)
    row = await (await conn.execute(FIND, (visit_id, alert_id))).fetchone()
    if row is None:
        raise NotFound("no such visit of this alert")
    visit = Visit(state=VisitState(row[5]), flags=frozenset(row[7]), ambulance_awaited=row[8], missed=row[6])
    return _Found(row[0], row[1], row[2], row[3], row[4], visit)


async def request(
    conn: Connection, settings: Settings, alert_id: int, by: str, responder: str, second: str, now: datetime
) -> UUID:
    """Ask a responder to go. The caller holds the transaction and the alert, and has checked that `by` may."""
    visit_id = uuid7()
    due_at = due_of(VisitState.REQUESTED, now, None, visit_limits(settings))
    await conn.execute(
        """insert into visits (id, alert_id, responder, second, requested_by, requested_at, state, due_at)
           values (%s, %s, %s, %s, %s, %s, 'requested', %s)""",
        (visit_id, alert_id, responder, second, by, now, due_at),
    )
    await write_step(conn, visit_id, by, VisitState.REQUESTED, {}, now)
    return visit_id


async def take_step(
    conn: Connection, settings: Settings, alert_id: int, visit_id: UUID, by: str, to: VisitState,
    detail: Mapping[str, Any], now: datetime, beside: Mapping[str, Any] = _NOTHING,
) -> None:  # fmt: skip
    """Write down a visit's next step. For who has the alert, and for who goes. `beside`: what is said of its time.

    Raises:
        NotFound: there is no such visit.
        Conflict: it is not theirs, or what it would follow has not happened.
        Incomplete: something that the step captures is missing, or it must not be now (`visiting.problems`).
    """
    captured = _captured(detail) | ({"flags": list(detail.get("flags") or ())} if to is VisitState.CHECKED else {})
    async with conn.transaction():
        found = await _find(conn, alert_id, visit_id)
        _allow(found, by)
        if wrong := problems(found.visit, to, captured):
            if wrong[0].startswith("state: after"):
                raise Conflict(wrong[0].removeprefix("state: "), claimed_by=found.owner, state=found.visit.state.value)
            raise Incomplete(wrong)
        eta_at = now + timedelta(minutes=int(str(captured["minutes"]))) if to is VisitState.EN_ROUTE else None
        await conn.execute(
            """update visits set state = %(state)s, due_at = %(due)s, missed = 0, eta_at = coalesce(%(eta)s, eta_at),
                      second = coalesce(nullif(%(second)s, ''), second),
                      arrived_at = case when %(state)s = 'arrived' then %(now)s else arrived_at end,
                      left_at = case when %(state)s = 'left' then %(now)s else left_at end
                where id = %(id)s""",
            {"state": to.value, "due": due_of(to, now, eta_at, visit_limits(settings)), "eta": eta_at, "now": now,
             "second": str(captured.get("second") or "")[:NAME_LIMIT], "id": visit_id},
        )  # fmt: skip
        await write_step(conn, visit_id, by, to, {**captured, **beside}, now)
        await _log(conn, found, by, to, captured, beside, now)
        await _follow(conn, found, to, captured, now)
        await store.publish_change(conn, found.alert_id, now)


def _captured(detail: Mapping[str, Any]) -> dict[str, Any]:
    """What was entered, without what is empty.

    Raises:
        Incomplete: something is too long.
    """
    if long := [name for name, value in detail.items() if len(str(value)) > WORDS_LIMIT or "\0" in str(value)]:
        raise Incomplete([f"{name}: at most {WORDS_LIMIT} characters" for name in long])
    return {name: value for name, value in detail.items() if value not in ("", None, [], False)}


def _allow(found: _Found, by: str) -> None:
    if by not in (found.owner, found.responder):
        why = "this visit is neither yours nor of an alert that you have"
        raise Conflict(why, claimed_by=found.owner, state=found.visit.state.value)


async def write_step(
    conn: Connection, visit_id: UUID, by: str, state: VisitState | str, detail: Mapping[str, Any], now: datetime
) -> None:
    """Write into a visit's steps: a state, or a word of `visiting.STEP_WORDS`."""
    await conn.execute(
        "insert into visit_steps (visit_id, at, by, state, detail) values (%s, %s, %s, %s, %s)",
        (visit_id, now, by, str(state), Jsonb(dict(detail))),
    )


async def _log(
    conn: Connection, found: _Found, by: str, to: VisitState, captured: Mapping[str, Any], beside: Mapping[str, Any],
    now: datetime,
) -> None:  # fmt: skip
    if found.alert_closed:
        return  # the report comes when the alert is closed; it is in the visit's own steps
    words = VISIT_WORDS[to]
    if to is VisitState.CHECKED:
        signs = [ISTUMBLE[flag] for flag in captured["flags"]]
        words += f": {', '.join(signs).lower()}" if signs else ": no sign of any"
    said = [str(captured[name]) for name in ("reason", "how", "tried", "device", "after", "how_left", "report",
                                             "confirmed_elsewhere") if captured.get(name)]  # fmt: skip
    detail = {
        "responder": found.responder,
        "state": to.value,
        "visit": str(found.id),
        "text": ". ".join([words, *said]),
    }
    if to is VisitState.ARRIVED:
        detail["arrived_at"] = format_instant(now)
    await store.log(conn, found.alert_id, now, by, "visit", {**detail, **beside})


async def _follow(conn: Connection, found: _Found, to: VisitState, captured: Mapping[str, Any], now: datetime) -> None:
    """What a step means for the alert."""
    if to is VisitState.LIFTED:
        await conn.execute(
            "update alerts set lifted_at = %s where id = %s and floor_since is not null and lifted_at is null",
            (now, found.alert_id),
        )
    if to is VisitState.CHECKED and captured.get("on_floor"):
        await conn.execute(
            "update alerts set floor_since = coalesce(floor_since, raised_at) where id = %s", (found.alert_id,)
        )
    because = ""
    if to is VisitState.CHECKED and captured["flags"]:
        because = "a sign of ISTUMBLE: do not lift, ring 999"
    if to is VisitState.REFUSED:
        because = f"{found.responder} cannot go"
    if because and not found.alert_closed:
        await store.log(conn, found.alert_id, now, "system", "re-sounded", {"because": because})


async def check_in(
    conn: Connection, settings: Settings, alert_id: int, visit_id: UUID, by: str, now: datetime,
    beside: Mapping[str, Any] = _NOTHING,
) -> None:  # fmt: skip
    """The responder was heard from: the check-in clock begins anew. `beside`: what is said of its time.

    Raises:
        Conflict: it is not theirs, or they are not on site.
    """
    async with conn.transaction():
        found = await _find(conn, alert_id, visit_id)
        _allow(found, by)
        due_at = now + visit_limits(settings).check_in
        cursor = await conn.execute(
            """update visits set due_at = %s, missed = 0
                where id = %s and arrived_at is not null and left_at is null and due_at is not null""",
            (due_at, visit_id),
        )
        if cursor.rowcount == 0:
            raise Conflict("they are not on site", claimed_by=found.owner, state=found.visit.state.value)
        await write_step(conn, visit_id, by, "check-in", beside, now)
        said = {"responder": found.responder, "text": "Checked in, is well", **beside}
        await store.log(conn, found.alert_id, now, by, "visit", said)
        await store.publish_change(conn, found.alert_id, now)


async def panic(
    conn: Connection, alert_id: int, visit_id: UUID, by: str, now: datetime, beside: Mapping[str, Any] = _NOTHING
) -> None:
    """The responder needs help: the alert is an emergency now, for everybody. `beside`: what is said of its time."""
    async with conn.transaction():
        found = await _find(conn, alert_id, visit_id)
        _allow(found, by)
        await write_step(conn, visit_id, by, "panic", beside, now)
        await _emergency(conn, found.alert_id, f"{found.responder} calls for help", now, beside)


async def _emergency(
    conn: Connection, alert_id: int, because: str, now: datetime, beside: Mapping[str, Any] = _NOTHING
) -> None:
    await conn.execute(
        "update alerts set priority = %s, version = version + 1 where id = %s and closed_at is null",
        (int(Priority.EMERGENCY), alert_id),
    )
    await store.log(conn, alert_id, now, "system", "re-sounded", {"because": because, **beside})
    await store.publish_change(conn, alert_id, now)


async def overdue_step(conn: Connection, settings: Settings, now: datetime) -> bool:
    """Ask about one visit whose next step has not come; False when none is due. The caller holds the transaction."""
    row = await (
        await conn.execute(
            """select v.alert_id, v.id from visits v join alerts a on a.id = v.alert_id where v.due_at <= %s
                order by v.due_at limit 1 for no key update of a skip locked""",
            (now,),
        )
    ).fetchone()
    if row is None:
        return False
    found = await _find(conn, row[0], row[1])
    late = overdue(found.visit, found.responder, now, visit_limits(settings))
    cursor = await conn.execute(
        "update visits set due_at = %s, missed = missed + 1 where id = %s and due_at <= %s",
        (late.due_at, found.id, now),
    )
    if cursor.rowcount == 0:
        return True  # its step came while we waited
    await write_step(conn, found.id, "system", "overdue", {"because": late.because}, now)
    if late.level_1:
        await _emergency(conn, found.alert_id, late.because, now)
    else:
        what = "note" if found.alert_closed else "re-sounded"
        await store.log(conn, found.alert_id, now, "system", what, {"because": late.because, "text": late.because})
        await store.publish_change(conn, found.alert_id, now)
    return True


async def stand_down(conn: Connection, alert_id: int, by: str, reason: str, now: datetime) -> None:
    """Nobody needs to go any more: who has not arrived is told to turn back. The caller holds the transaction."""
    rows = await (
        await conn.execute(
            """update visits set state = 'cancelled', due_at = null where alert_id = %s and state = any(%s)
               returning id, responder""",
            (alert_id, [state.value for state in ON_THE_WAY]),
        )
    ).fetchall()
    for visit_id, responder in rows:
        await write_step(conn, visit_id, by, VisitState.CANCELLED, {"reason": reason}, now)
        detail = {"responder": responder, "state": "cancelled", "visit": str(visit_id), "text": f"Stood down: {reason}"}
        await store.log(conn, alert_id, now, by, "visit", detail)


async def visits_of(conn: Connection, alert_id: int) -> list[dict[str, Any]]:
    """An alert's visits, oldest first, each with its steps."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select v.id, v.responder, v.second, v.state, v.due_at, v.eta_at, v.requested_at, v.arrived_at,
                      v.left_at, v.missed, coalesce(m.display_name, v.responder) as responder_name,
                      coalesce((select jsonb_agg(jsonb_build_object('at', s.at, 'by', s.by, 'state', s.state,
                                                                    'detail', s.detail) order by s.id)
                                  from visit_steps s where s.visit_id = v.id), '[]') as steps
                 from visits v left join staff m on m.username = v.responder
                where v.alert_id = %s order by v.requested_at, v.id""",
            (alert_id,),
        )
        return await cursor.fetchall()
