"""Who may see the code of a key safe, and what is written down of each look. The code itself is in no log.

A responder sees that of the home to which their own visit is under way. An operator sees it to read it to somebody who
is on the way. (docs/decisions/0028)
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from alerts import life_store, store
from alerts.actions import OVER
from alerts.errors import Conflict, Incomplete
from alerts.responders_store import rows
from alerts.visit_actions import write_step
from alerts.visiting import COMING, VISIT_WORDS, VisitState
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.register import homes

SOMEBODY_ELSE: Final = "else"
WORDS_LIMIT: Final = 200  # characters


async def readers(conn: Connection, alert_id: int) -> list[dict[str, str]]:
    """To whom the code of an alert's home may be read: everybody who has said that they come, as `value` and `text`."""
    return await rows(
        conn,
        """select 'visit:' || v.id as value, coalesce(m.display_name, v.responder) as text
             from visits v left join staff m on m.username = v.responder
            where v.alert_id = %(alert)s and v.state = any(%(coming)s)
            union all
           select 'service:' || e.id, rtrim('the ' || e.service || ' ' || e.reference)
             from emergency_calls e where e.alert_id = %(alert)s and e.state <> 'ended'
            union all
           select 'contact:' || k.contact_id, c.name || ' (contact)' from asks k join contacts c on c.id = k.contact_id
            where k.alert_id = %(alert)s and k.answer = 'going' and k.over_at is null
            order by value desc""",
        alert=alert_id,
        coming=[state.value for state in COMING],
    )


async def for_operator(
    conn: Connection, alert_id: int, reader: str, whom: str, why: str, by: str, now: datetime
) -> tuple[str, UUID, str]:
    """The code, the home and for whom it is: `reader` is one of `readers`, or SOMEBODY_ELSE with `whom` and `why`.

    Raises:
        NotFound: there is no such alert, or it is of no home.
        Conflict: it is closed.
        Incomplete: it is not said for whom, or for somebody else not why.
    """
    async with conn.transaction():
        await life_store.lock(conn, alert_id)
        home_id = await _home(conn, alert_id)
        known = {one["value"]: one["text"] for one in await readers(conn, alert_id)}
        for_whom = known.get(reader, "")
        if reader == SOMEBODY_ELSE:
            for_whom = whom.strip()
            wrong = [
                f"{name}: {words} (at most {WORDS_LIMIT} characters)"
                for name, value, words in (("whom", for_whom, "say to whom you read it"),
                                           ("why", why.strip(), "say why they need it"))
                if not 0 < len(value) <= WORDS_LIMIT or "\0" in value
            ]  # fmt: skip
            if wrong:
                raise Incomplete(wrong)
        elif not for_whom:
            raise Incomplete(["reader: choose to whom you read it: somebody who is on the way"])
        said = f": {why.strip()}" if reader == SOMEBODY_ELSE else ""
        await _log(conn, alert_id, f"Looked at the key safe's code, to read it to {for_whom}{said}", by, now)
        return await homes.key_safe_code(conn, home_id), home_id, for_whom


async def _home(conn: Connection, alert_id: int) -> UUID:
    found = await rows(conn, "select home_id, claimed_by, state from alerts where id = %(id)s", id=alert_id)
    if not found:
        raise NotFound(f"no alert {alert_id}")
    if found[0]["state"] in OVER:
        raise Conflict("this alert is closed", claimed_by=found[0]["claimed_by"], state="closed")
    if found[0]["home_id"] is None:
        raise NotFound("an incident has no key safe")
    home_id: UUID = found[0]["home_id"]
    return home_id


async def for_responder(
    conn: Connection, visit_id: UUID, by: str, now: datetime, alert_id: int | None = None
) -> tuple[str, UUID, int]:
    """The code, the home and the alert, for whose own visit to that home is under way.

    Raises:
        NotFound: there is no such visit, or it is to no home.
        Conflict: it is somebody else's, they have not said that they go, or they have left.
    """
    async with conn.transaction():
        visit = await _visit(conn, visit_id)
        await life_store.lock(conn, visit["alert_id"])
        visit = await _visit(conn, visit_id)  # as it stands, now that nobody else changes it
        if alert_id is not None and visit["alert_id"] != alert_id:
            raise NotFound("no such visit of this alert")
        if visit["home_id"] is None:
            raise NotFound("an incident has no key safe")
        state = VisitState(visit["state"])
        if why := _refusal(visit["responder"], state, by):
            raise Conflict(why, claimed_by=visit["claimed_by"], state=state.value)
        await write_step(conn, visit_id, by, "code", {}, now)
        await _log(conn, visit["alert_id"], "Looked at the key safe's code, for their own visit", by, now)
        return await homes.key_safe_code(conn, visit["home_id"]), visit["home_id"], visit["alert_id"]


def _refusal(responder: str, state: VisitState, by: str) -> str | None:
    """Why a responder may not see the code; None where they may."""
    if responder != by:
        return "this visit is not yours: its responder alone sees the code"
    if state is VisitState.REQUESTED:
        return "say first that you go"
    if state not in COMING:
        return f"this visit is over ({VISIT_WORDS[state].lower()}): ask the control room"
    return None


async def _visit(conn: Connection, visit_id: UUID) -> dict[str, Any]:
    found = await rows(
        conn,
        """select v.responder, v.state, v.alert_id, a.home_id, a.claimed_by
             from visits v join alerts a on a.id = v.alert_id where v.id = %(id)s""",
        id=visit_id,
    )
    if not found:
        raise NotFound("no such visit")
    return found[0]


async def _log(conn: Connection, alert_id: int, text: str, by: str, now: datetime) -> None:
    await store.log(conn, alert_id, now, by, "note", {"text": text})
    await store.publish_change(conn, alert_id, now)
