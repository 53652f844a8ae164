"""What an alert's page shows of sending somebody: whom, the home's keys, and to whom its code may be read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from alerts import code_store, keys_store, responders_store
from alerts.actions import OVER
from alerts.dispatching import Advice, Need, Suggestion, advise, need_of
from telecare.db import Connection
from telecare.vocabulary import Cause, Kind, Priority


def need(record: dict[str, Any], home: dict[str, Any] | None, people: Sequence[dict[str, Any]]) -> Need:
    """What an alert asks of who is sent. Whose it is may not be known: then it could be anybody of the home."""
    assessed, place = record["assessment"], home or {}
    return need_of(
        alert_id=record["id"],
        priority=Priority(record["priority"]),
        kind=Kind(record["kind"]),
        cause=Cause(assessed["cause"]) if assessed else None,
        on_floor=record["floor_since"] is not None and record["lifted_at"] is None,
        red_flags=assessed["red_flags"] if assessed else (),
        language=people[0]["language"] if people else "",
        conditions=" ".join(person["conditions"] for person in people),
        hazards=place.get("hazards", ""),
        postcode=place.get("postcode", ""),
        council=place.get("council", ""),
    )


async def advice_for(
    conn: Connection,
    record: dict[str, Any],
    home: dict[str, Any] | None,
    people: Sequence[dict[str, Any]],
    now: datetime,
) -> tuple[Need, Advice]:
    """What an alert asks, and whom to send to it."""
    asked = need(record, home, people)
    return asked, advise(asked, await responders_store.team(conn, now), now)


async def context(
    conn: Connection, record: dict[str, Any], home: dict[str, Any], people: Sequence[dict[str, Any]], now: datetime
) -> dict[str, Any]:
    """What the alert's page needs besides; advice only while the alert is open."""
    found: dict[str, Any] = {"keys": await keys_store.of_home(conn, home["id"], now)}
    if record["state"] not in OVER:
        asked, advice = await advice_for(conn, record, home, people, now)
        found |= {"need": asked, "sending": advice, "readers": await code_store.readers(conn, record["id"])}
    return found


def as_record(suggestion: Suggestion, now: datetime) -> dict[str, Any]:
    """A suggestion for programs."""
    one, shift = suggestion.responder, suggestion.responder.shift
    return {
        "username": one.username,
        "name": one.name,
        "available": suggestion.available,
        "reasons": list(suggestion.reasons),
        "against": list(suggestion.against),
        "doing": suggestion.standing.doing.value,
        "doing_words": suggestion.standing.words(now),
        "alert": suggestion.standing.alert_id,
        "partner": one.partner,
        "vehicle": shift.vehicle if shift else "",
    }
