"""What a responder is told before they go: the alarm, what is known, the risks, who else attends, and the way in."""

from datetime import datetime
from typing import Any
from uuid import UUID

from alerts import asks_screens, keys_store, queue
from alerts.visiting import ENDED, VisitState
from dashboard.fall_words import falls_of
from dashboard.words import ZONE
from telecare.db import Connection
from telecare.register import homes, person_states
from telecare.vocabulary import PersonState


async def brief(conn: Connection, visit_id: UUID, alert_id: int, now: datetime) -> dict[str, Any]:
    """The page's context. Of a visit that is over, nothing about anybody: who has reported needs it no more."""
    record = await queue.whole_alert(conn, alert_id, now)
    visit = next(one for one in record["visits"] if one["id"] == visit_id)
    state = VisitState(visit["state"])
    found: dict[str, Any] = {"visit": visit, "state": state, "over": state in ENDED and state is not VisitState.LEFT}
    if found["over"]:
        return found
    checks = [one["detail"] for one in visit["steps"] if one["state"] == VisitState.CHECKED]
    told = [one["detail"].get("note", "") for one in record["log"] if one["what"] == "dispatched"]
    found |= {
        "alert": record,
        "flags": checks[-1].get("flags", []) if checks else [],
        "fall": falls_of(record["alarms"]),
        "others": [one for one in record["visits"] if one["id"] != visit_id and VisitState(one["state"]) not in ENDED],
        "services": [one for one in record["emergency_calls"] if one["ended_at"] is None],
        "told": [note for note in told if note],
        "home": None,
        "timezone": ZONE,
    }
    return found if record["home"] is None else found | await _at_home(conn, record, visit_id, now)


async def _at_home(conn: Connection, record: dict[str, Any], visit_id: UUID, now: datetime) -> dict[str, Any]:
    home = await homes.home(conn, record["home"])
    people = await homes.people_of(conn, record["home"])
    standing, going = None, []
    if record["person"] is not None:
        people = [one for one in people if one["id"] == record["person"]]
        states = await person_states.history_of(conn, record["person"])
        standing = states[0] if states and people and people[0]["state"] != PersonState.ACTIVE else None
        asked = await asks_screens.asks_of(conn, record["id"])
        coming = {one for one, ask in asked.items() if ask["answer"] == "going" and ask["over_at"] is None}
        going = [one for one in await homes.contacts_of(conn, record["person"]) if one["id"] in coming]
    return {
        "home": home,
        "timezone": home["timezone"],
        "people": people,
        "standing": standing,
        "going": going,
        "keys": [one for one in await keys_store.out(conn, now) if one["visit_id"] == visit_id],
    }
