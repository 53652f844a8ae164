"""What operators find out about the homes of an incident: anyone may help; each check is kept, and is in the log."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from alerts import store as alerts_store
from alerts.errors import Conflict, Incomplete
from alerts.incidents import checks_store, store
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.vocabulary import Priority

WORDS_LIMIT: Final = 1000  # characters
HOMES_AT_ONCE: Final = 1000  # named in one step; more only as all that are left


class Check(StrEnum):
    """What was found out."""

    SAFE = "safe"
    SENT = "sent"
    NO_ANSWER = "no-answer"


CHECK_WORDS: Final[dict[Check, str]] = {
    Check.SAFE: "Safe: somebody spoke with them",
    Check.SENT: "Somebody is going",
    Check.NO_ANSWER: "No answer",
}


async def check_homes(
    conn: Connection,
    alert_id: int,
    by: str,
    now: datetime,
    *,
    result: Check,
    words: str = "",
    homes: Sequence[UUID] = (),
    all_left: bool = False,
) -> int:
    """Write down what was found out about homes of an open incident; of how many.

    `all_left` means all that are neither back nor checked; then it has to be said how that is known.

    Raises:
        NotFound: there is no such alert, or a home is not in it.
        Conflict: it is closed, or no incident.
        Incomplete: no home is named, or it is not said how.
    """
    problems = _problems(result, words, homes, all_left=all_left)
    async with conn.transaction():
        found = await checks_store.owner_and_state(conn, alert_id)
        if found is None:
            raise NotFound(f"no alert {alert_id}")
        owner, state, is_incident = found
        if state in ("closed", "reviewed") or not is_incident:
            why = "this alert is closed" if is_incident else "this alert is no incident"
            raise Conflict(why, claimed_by=owner, state=state)
        if problems:
            raise Incomplete(problems)
        named = await checks_store.unchecked(conn, alert_id) if all_left else list(dict.fromkeys(homes))
        if await checks_store.add_checks(conn, alert_id, named, by, result.value, words.strip(), now) < len(named):
            raise NotFound("no such home in this incident")
        if named:
            await _log(conn, alert_id, by, result, words.strip(), named, now)
    return len(named)


def _problems(result: Check, words: str, homes: Sequence[UUID], *, all_left: bool) -> list[str]:
    found = []
    if not homes and not all_left:
        found.append("homes: tick at least one home")
    if len(words) > WORDS_LIMIT or "\0" in words:
        found.append(f"words: at most {WORDS_LIMIT} characters")
    elif all_left and not words.strip():
        found.append("words: say how you know, for all of them")
    if all_left and result is Check.NO_ANSWER:
        found.append("all_left: nobody has rung all of them; tick the homes that did not answer")
    return found


async def _log(
    conn: Connection, alert_id: int, by: str, result: Check, words: str, homes: Sequence[UUID], now: datetime
) -> None:
    names = await checks_store.addresses(conn, homes)
    few = names if len(names) <= 5 else [*names[:4], f"{len(names) - 4} more homes"]
    text = f"{CHECK_WORDS[result]} ({'; '.join(few)})" + (f": {words}" if words else "")
    detail = {"text": text, "check": result.value, "homes": [str(home) for home in homes]}
    await alerts_store.log(conn, alert_id, now, by, "note", detail)
    await checks_store.touch(conn, alert_id)
    await alerts_store.publish_change(conn, alert_id, now)


async def as_closed(conn: Connection, alert_id: int, priority: Priority) -> tuple[Priority, list[str]]:
    """By which level's rules an alert is closed, and what an incident still lacks for it.

    In an incident each home has a word of its own, or is back. For the whole nobody can say that "the person" is safe,
    so it is closed as equipment is.
    """
    if not await store.is_incident(conn, alert_id):
        return priority, []
    left = len(await checks_store.unchecked(conn, alert_id))
    if not left:
        return Priority.TECHNICAL, []
    are = "home is" if left == 1 else "homes are"
    return Priority.TECHNICAL, [f"homes: {left} {are} neither back nor checked"]
