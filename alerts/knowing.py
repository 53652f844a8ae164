"""What people find out and write up about an alert: the need, who agrees to a silent close, the wrap-up, the review."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts import script_steps, store, tasks_store
from alerts.actions import OVER, TEXT_LIMIT, own
from alerts.errors import Conflict, Incomplete
from alerts.tasks import TaskKind
from alerts.visiting import ISTUMBLE
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.vocabulary import CAUSE_WORDS, Cause

Decision = Literal["reassure", "contact", "visit", "emergency-service", "watch"]
DECISION_WORDS: Final[dict[str, str]] = {
    "reassure": "Reassure",
    "contact": "Ask a contact to go",
    "visit": "Send a responder",
    "emergency-service": "Ring 999",
    "watch": "Keep watching",
}
SCORES: Final = (0, 100)
_FOLLOW_UP: Final = timedelta(days=1)  # what is to be followed up is due by then, for somebody to give another day


async def assess(
    conn: Connection, alert_id: int, by: str, now: datetime, *,
    cause: Cause, on_floor: bool, decision: Decision, floor_since: datetime | None = None,
    red_flags: Sequence[str] = (), answers: Mapping[str, str] | None = None, reason: str = "",
) -> None:  # fmt: skip
    """Write down the need: what it seems to be, whether the person is on the floor, red flags, and what is decided.

    Without `answers` of the caller's own, those that were given to the script beside the case are kept with it, and
    the script's version.

    Raises:
        NotFound, Conflict: there is no such alert, or it is not theirs.
        Incomplete: a red flag that is none, red flags and nobody sent, or a time that cannot be.
    """
    problems = [f"red_flags: {flag} is no sign of ISTUMBLE" for flag in sorted(set(red_flags) - ISTUMBLE.keys())]
    if red_flags and decision in ("reassure", "watch") and not reason.strip():
        problems.append("reason: there are red flags: say why nobody is sent")
    if floor_since is not None and (floor_since > now or not on_floor):
        problems.append("floor_since: that is in the future, or the person is not on the floor")
    if len(reason) > TEXT_LIMIT or len(str(answers or "")) > TEXT_LIMIT:
        problems.append(f"reason: at most {TEXT_LIMIT} characters")
    if problems:
        raise Incomplete(problems)
    async with conn.transaction():
        await own(conn, alert_id, by)
        script = None if answers else await script_steps.standing(conn, alert_id)
        if script is not None and not (answers := script.answers):
            script = None
        await conn.execute(
            """insert into assessments (alert_id, by, at, cause, on_floor, floor_since, red_flags, answers, decision,
                                        reason, script, script_version)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (alert_id, by, now, cause.value, on_floor, floor_since, list(red_flags), Jsonb(dict(answers or {})),
             decision, reason.strip(), script and script.script.id, script and script.script.version),
        )  # fmt: skip
        await conn.execute(
            """update alerts
                  set floor_since = case when %(floor)s then coalesce(%(since)s::timestamptz, floor_since, raised_at)
                                         else floor_since end,
                      lifted_at = case when %(floor)s then null
                                       when floor_since is not null then coalesce(lifted_at, %(now)s) end
                where id = %(id)s""",
            {"floor": on_floor, "since": floor_since, "now": now, "id": alert_id},
        )
        signs = ", ".join(ISTUMBLE[flag].lower() for flag in red_flags)
        words = [CAUSE_WORDS[cause], "on the floor" if on_floor else "not on the floor", signs,
                 DECISION_WORDS[decision].lower(), reason.strip()]  # fmt: skip
        detail = {"text": ". ".join(word for word in words if word), "decision": decision, "on_floor": on_floor}
        await store.log(conn, alert_id, now, by, "assessed", detail)
        await store.publish_change(conn, alert_id, now)


async def agree(conn: Connection, alert_id: int, by: str, why: str, now: datetime) -> None:
    """A second person agrees that an alert may be closed although nobody was reached (PRACTICE section 7).

    Raises:
        NotFound: there is no such alert.
        Conflict: it is closed, nobody has it, it is their own, or somebody has agreed already.
        Incomplete: it is not said why.
    """
    if not why.strip() or len(why) > TEXT_LIMIT:
        raise Incomplete(["why: say why it may be closed although nobody was reached"])
    async with conn.transaction():
        found = await store.owner_and_state(conn, alert_id)
        if found is None:
            raise NotFound(f"no alert {alert_id}")
        owner, state, _, _ = found
        if state in OVER or owner is None or owner == by:
            what = "a second person must agree" if owner == by else "nobody has this alert, or it is closed"
            raise Conflict(what, claimed_by=owner, state=state)
        try:
            async with conn.transaction():
                await conn.execute(
                    "insert into agreements (alert_id, by, at, why) values (%s, %s, %s, %s)",
                    (alert_id, by, now, why.strip()),
                )
        except UniqueViolation as problem:
            raise Conflict("somebody has agreed already", claimed_by=owner, state=state) from problem
        detail = {"text": f"Agrees to close without contact: {why.strip()}"}
        await store.log(conn, alert_id, now, by, "note", detail)
        await store.publish_change(conn, alert_id, now)


async def wrap_up(conn: Connection, alert_id: int, by: str, written: Mapping[str, Any], now: datetime) -> None:
    """Write the alert up before it is closed; the person must be safe. Written again, the last one counts.

    What is to be followed up becomes a task.

    Raises:
        NotFound, Conflict: there is no such alert, it is not theirs, or nobody has confirmed that the person is safe.
        Incomplete: the follow-up is too long.
    """
    async with conn.transaction():
        await own(conn, alert_id, by)
        cursor = await conn.execute(
            "update alerts set wrap_up = %s, wrapped_up_at = %s where id = %s and safe_at is not null",
            (Jsonb(dict(written)), now, alert_id),
        )
        if cursor.rowcount == 0:
            raise Conflict("nobody has confirmed that the person is safe", claimed_by=by, state="claimed")
        await store.log(conn, alert_id, now, by, "wrapped-up", dict(written))
        if follow_up := str(written.get("follow_up") or "").strip():
            due_at = now + _FOLLOW_UP
            await tasks_store.add(conn, follow_up, due_at, by, now, alert_id=alert_id, kind=TaskKind.FOLLOW_UP)
        await store.publish_change(conn, alert_id, now)


async def review(conn: Connection, alert_id: int, by: str, score: int, words: str, now: datetime) -> None:
    """A supervisor looks at how a closed alert was handled; once, and not at one's own.

    Raises:
        NotFound: there is no such alert.
        Conflict: it is open, their own, or has been reviewed.
        Incomplete: the score is out of bounds, or nothing is said.
    """
    if not SCORES[0] <= score <= SCORES[1]:
        raise Incomplete([f"score: from {SCORES[0]} to {SCORES[1]}"])
    if not words.strip() or len(words) > TEXT_LIMIT:
        raise Incomplete(["words: say what was seen"])
    async with conn.transaction():
        found = await store.owner_and_state(conn, alert_id)
        if found is None:
            raise NotFound(f"no alert {alert_id}")
        owner, state, _, _ = found
        if state != "closed" or owner == by:
            why = "this was your own" if owner == by else f"this alert is {state}"
            raise Conflict(why, claimed_by=owner, state=state)
        cursor = await conn.execute(
            """insert into reviews (alert_id, by, at, score, words) values (%s, %s, %s, %s, %s)
               on conflict (alert_id) do nothing""",
            (alert_id, by, now, score, words.strip()),
        )
        if cursor.rowcount == 0:
            raise Conflict("somebody has reviewed it", claimed_by=owner, state="reviewed")
        await store.log(conn, alert_id, now, by, "reviewed", {"text": words.strip(), "score": score})
        await store.publish_change(conn, alert_id, now)


async def known(conn: Connection, alert_id: int) -> dict[str, Any]:
    """What was found out: the `assessment` that counts, who has `agreed`, and the `review`; each None without one."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        found: dict[str, Any] = {}
        for name, sql in _KNOWN.items():
            await cursor.execute(sql, (alert_id,))
            found[name] = await cursor.fetchone()
    return found


_KNOWN: Final = {
    "assessment": """select by, at, cause, on_floor, floor_since, red_flags, answers, decision, reason, script,
                            script_version
                       from assessments where alert_id = %s order by id desc limit 1""",
    "agreed": "select by, at, why from agreements where alert_id = %s and ended_at is null",
    "review": "select by, at, score, words from reviews where alert_id = %s",
}
