"""What people do to an alert. Each is one transaction and one compare-and-set; the dashboard calls these.

All take `now` (the database's time) and `by`, a username whose right to act has been checked. All raise `NotFound` for
an alert that does not exist and `Conflict` for one that is not this user's or not in a state that allows it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from alerts import asks, emergency, life_store, store, visit_actions
from alerts.domain import first_due
from alerts.errors import Conflict, Incomplete
from alerts.incidents import checks
from alerts.life import Closing, closing_problems
from alerts.settings import command_validity, ladder
from alerts.visits import arrival_at
from telecare.clock import format_instant
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.settings import Settings
from telecare.vocabulary import Cause, ConfirmedBy, Outcome

# What may be written to the log by hand. The rest of the log's words are written by the steps that they name.
LOGGED_BY_HAND: Final = frozenset(
    {"note", "contact-tried", "contact-answered", "assessed", "visit", "emergency-service"}
)
TEXT_LIMIT: Final = 4000  # characters of a note
_ANYONE_MAY: Final = frozenset({"note"})  # anyone may assist; the rest is the owner's
OVER: Final = frozenset({"closed", "reviewed"})


async def own(conn: Connection, alert_id: int, by: str) -> None:
    """Lock an open alert that `by` has, until the transaction ends.

    Raises:
        NotFound: there is no such alert.
        Conflict: it is not theirs, or not open.
    """
    await life_store.lock(conn, alert_id)
    found = await store.owner_and_state(conn, alert_id)
    if found is None or found[0] != by or found[1] in OVER:
        raise await _refuse(conn, alert_id, by)


async def _refuse(conn: Connection, alert_id: int, by: str) -> Conflict:
    """Why `by` cannot do that to this alert."""
    found = await store.owner_and_state(conn, alert_id)
    if found is None:
        raise NotFound(f"no alert {alert_id}")
    owner, state, _, _ = found
    if state in OVER:
        why = "this alert is closed"
    elif owner is None:
        why = "nobody has claimed this alert yet"
    elif owner != by:
        why = f"{owner} has this alert"
    else:
        why = f"this alert is {state}"
    return Conflict(why, claimed_by=owner, state=state)


async def _record(
    conn: Connection, alert_id: int, now: datetime, by: str, what: str, detail: dict[str, Any] | None = None
) -> None:
    await store.log(conn, alert_id, now, by, what, detail)
    await store.publish_change(conn, alert_id, now)


async def _announce(conn: Connection, settings: Settings, alert_id: int, text: str, now: datetime) -> None:
    if await store.queue_command(conn, alert_id, text, None, now, now + command_validity(settings)):
        await store.log(conn, alert_id, now, "system", "announced", {"text": text})


async def claim(conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> None:
    """Take an unclaimed alert. Claiming what one already has is no error."""
    async with conn.transaction():
        if await store.claim(conn, alert_id, by, now):
            await _announce(conn, settings, alert_id, "answered", now)
            await _record(conn, alert_id, now, by, "claimed")
            return
        conflict = await _refuse(conn, alert_id, by)
        if conflict.claimed_by != by or conflict.state in OVER:
            raise conflict


async def take_over(conn: Connection, alert_id: int, by: str, reason: str, now: datetime) -> None:
    """Take an alert from the colleague who has it; the reason is written down.

    Raises:
        Incomplete: there is no reason.
    """
    if not reason.strip():
        raise Incomplete(["reason: say why you are taking this alert over"])
    async with conn.transaction():
        found = await store.owner_and_state(conn, alert_id)
        previous = found[0] if found else None
        if previous is None or not await store.take_over(conn, alert_id, by, previous, now):
            raise await _refuse(conn, alert_id, by)
        await _record(conn, alert_id, now, by, "taken-over", {"from": previous, "reason": reason[:TEXT_LIMIT]})


async def release(conn: Connection, settings: Settings, alert_id: int, by: str, reason: str, now: datetime) -> None:
    """Put an alert back into the queue, where it begins to wait anew."""
    async with conn.transaction():
        found = await store.owner_and_state(conn, alert_id)
        if found is None:
            raise NotFound(f"no alert {alert_id}")
        due_at = first_due(found[3], now, ladder(settings))
        if not await store.release(conn, alert_id, by, now, due_at):
            raise await _refuse(conn, alert_id, by)
        await _record(conn, alert_id, now, by, "released", {"reason": reason[:TEXT_LIMIT]})


async def write_log(conn: Connection, alert_id: int, by: str, what: str, detail: dict[str, Any], now: datetime) -> None:
    """Write a step down: a note (anyone), or a try to reach someone, an assessment, a visit, a 999 call (the owner).

    A visit may say when somebody arrived (`arrived_at`: a time of day, or RFC 3339).

    Raises:
        Incomplete: not a word that is logged by hand, no text, or an arrival that cannot be.
    """
    text = detail.get("text")
    if what not in LOGGED_BY_HAND:
        raise Incomplete([f"what: one of {', '.join(sorted(LOGGED_BY_HAND))}"])
    if not isinstance(text, str) or not text.strip() or len(text) > TEXT_LIMIT or "\0" in text:
        raise Incomplete([f"detail.text: a text of 1 to {TEXT_LIMIT} characters"])
    async with conn.transaction():
        found = await store.owner_and_state(conn, alert_id)
        if found is None:
            raise NotFound(f"no alert {alert_id}")
        owner, state, _, _ = found
        if state in OVER or (what not in _ANYONE_MAY and owner != by):
            raise await _refuse(conn, alert_id, by)
        written = {"text": text.strip()}
        if arrived := str(detail.get("arrived_at") or ""):
            written["arrived_at"] = await _arrival(conn, alert_id, what, arrived, now)
        await _record(conn, alert_id, now, by, what, written)


async def _arrival(conn: Connection, alert_id: int, what: str, text: str, now: datetime) -> str:
    if what != "visit":
        raise Incomplete(["detail.arrived_at: only a visit has an arrival"])
    raised_at, zone = await store.raised_where(conn, alert_id)
    try:
        return format_instant(arrival_at(text, raised_at, now, zone))
    except ValueError as problem:
        raise Incomplete([f"detail.arrived_at: {problem}"]) from problem


async def ask_contact(
    conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime, contact: UUID | None = None
) -> bool:
    """Ask the next contact to go, or that one; False where there is nobody left to ask, which is written down."""
    async with conn.transaction():
        await own(conn, alert_id, by)
        return await asks.ask(conn, settings, alert_id, by, now, contact)


async def contact_there(
    conn: Connection, settings: Settings, alert_id: int, by: str, contact: UUID, now: datetime
) -> None:
    """Write down that a contact who was asked is with the person: nobody else is asked.

    Raises:
        NotFound: that contact has not been asked.
    """
    async with conn.transaction():
        await own(conn, alert_id, by)
        await asks.contact_there(conn, settings, alert_id, contact, by, now)


async def stop_asking(conn: Connection, alert_id: int, by: str, now: datetime) -> None:
    """Ask nobody more by itself: no new round, and nobody who can be asked later."""
    async with conn.transaction():
        await own(conn, alert_id, by)
        await asks.stop(conn, alert_id, by, now)


async def dispatch(
    conn: Connection, settings: Settings, alert_id: int, by: str, responder: str, note: str, now: datetime,
    second: str = "",
) -> UUID:  # fmt: skip
    """Ask a responder to go, which begins a visit, and tell the wearer that someone is on the way; the visit's id.

    Raises:
        Incomplete: nobody is named.
    """
    if not responder.strip() or len(responder) > 200:
        raise Incomplete(["responder: say who is going (at most 200 characters)"])
    async with conn.transaction():
        await own(conn, alert_id, by)
        visit_id = await visit_actions.request(conn, settings, alert_id, by, responder.strip(), second.strip(), now)
        await _announce(conn, settings, alert_id, "on-the-way", now)
        detail = {"responder": responder.strip(), "note": note[:TEXT_LIMIT], "visit": str(visit_id)}
        await _record(conn, alert_id, now, by, "dispatched", detail)
    return visit_id


async def call_service(
    conn: Connection, settings: Settings, alert_id: int, by: str, service: emergency.Service, now: datetime,
    **said: Any,
) -> UUID:  # fmt: skip
    """Write down that an emergency service was called (`emergency.call` says what else); the call's id."""
    async with conn.transaction():
        await own(conn, alert_id, by)
        call_id = await emergency.call(conn, settings, alert_id, by, service, now, **said)
        await store.publish_change(conn, alert_id, now)
    return call_id


async def mark_safe(
    conn: Connection, alert_id: int, by: str, confirmed_by: ConfirmedBy, how: str, now: datetime
) -> None:
    """Write down that the person is safe, by whose word and how that is known.

    Raises:
        Incomplete: it is not said how, or nobody has confirmed it.
    """
    if not how.strip() or len(how) > TEXT_LIMIT:
        raise Incomplete(["how: say how you know that the person is safe"])
    if confirmed_by is ConfirmedBy.TWO_PEOPLE:
        raise Incomplete(["confirmed_by: where nobody was reached, nobody is known to be safe"])
    async with conn.transaction():
        if not await store.mark_safe(conn, alert_id, by, confirmed_by.value, how.strip(), now):
            raise await _refuse(conn, alert_id, by)
        await _record(conn, alert_id, now, by, "safe", {"confirmed_by": confirmed_by.value, "how": how.strip()})


async def close(
    conn: Connection,
    settings: Settings,
    alert_id: int,
    by: str,
    now: datetime,
    *,
    cause: Cause,
    outcomes: Sequence[Outcome],
    confirmed_by: ConfirmedBy,
    how: str,
    note: str = "",
    seen_alarms: int | None = None,
) -> None:
    """Close an alert: why it was, what was done, who confirmed that the person is safe, and how.

    `seen_alarms` is how many alarms the closer's screen showed; if another has joined since, it is a `Conflict`.

    Raises:
        Incomplete: something that closing must capture is missing or contradicts itself.
    """
    async with conn.transaction():
        found = await store.owner_and_state(conn, alert_id)
        if found is None:
            raise NotFound(f"no alert {alert_id}")
        level, unchecked = await checks.as_closed(conn, alert_id, found[3])
        if found[0] != by or found[1] in OVER:
            raise await _refuse(conn, alert_id, by)
        await life_store.lock(conn, alert_id)
        around = await life_store.around(conn, alert_id)
        closing = Closing(by=by, cause=cause, outcomes=outcomes, confirmed_by=confirmed_by, how=how)
        if problems := closing_problems(level, closing, around) + unchecked:
            raise Incomplete(problems)
        await visit_actions.stand_down(conn, alert_id, by, "the alert was closed", now)
        agreed = await life_store.end_agreement(conn, alert_id, now) if confirmed_by is ConfirmedBy.TWO_PEOPLE else None
        values = {
            "cause": cause.value,
            "outcomes": [outcome.value for outcome in outcomes],
            "confirmed_by": confirmed_by.value,
            "how": how.strip()[:TEXT_LIMIT],
        }
        agreement = {"agreed_by": agreed[0], "agreed_why": agreed[1]} if agreed else {}
        closed = {"agreed_by": None, "agreed_why": None, "seen_alarms": seen_alarms} | agreement | values
        if not await store.close(conn, alert_id, by, now, closed):
            if found[0] == by and found[1] not in OVER:
                raise Conflict("another alarm has joined since you opened this page", claimed_by=by, state=found[1])
            raise await _refuse(conn, alert_id, by)
        await _announce(conn, settings, alert_id, "closed", now)
        await asks.end(conn, settings, alert_id, confirmed_by.value, now)
        await _record(conn, alert_id, now, by, "closed", values | agreement | {"note": note.strip()[:TEXT_LIMIT]})
