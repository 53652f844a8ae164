"""Emergency services that an operator has called: each has its own clock until it came or was stood down."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from alerts import asks, store
from alerts.errors import Conflict, Incomplete
from telecare.clock import format_instant
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.ids import uuid7
from telecare.settings import Settings


class Service(StrEnum):
    """Who comes."""

    AMBULANCE = "ambulance"
    FIRE = "fire"
    POLICE = "police"


class News(StrEnum):
    """What is heard of a service that was called."""

    NEW_ETA = "new-eta"
    ARRIVED = "arrived"
    ATTENDED = "attended"  # came, helped, and took nobody along
    CONVEYED = "conveyed"  # took the person along
    STOOD_DOWN = "stood-down"


NEWS_WORDS: Final[dict[News, str]] = {
    News.NEW_ETA: "Says when it comes",
    News.ARRIVED: "Has arrived",
    News.ATTENDED: "Came, and took nobody along",
    News.CONVEYED: "Took the person along",
    News.STOOD_DOWN: "Stood down",
}
ENDS: Final = frozenset({News.ATTENDED, News.CONVEYED, News.STOOD_DOWN})
MINUTES: Final = (1, 1440)
TEXT_LIMIT: Final = 400  # characters of a reference, of who stays on the line, of where to


def _eta(minutes: int | None, now: datetime) -> datetime | None:
    if minutes is None:
        return None
    if not MINUTES[0] <= minutes <= MINUTES[1]:
        raise Incomplete([f"minutes: from {MINUTES[0]} to {MINUTES[1]}"])
    return now + timedelta(minutes=minutes)


async def call(
    conn: Connection, settings: Settings, alert_id: int, by: str, service: Service, now: datetime, *,
    reference: str = "", minutes: int | None = None, access_told: bool = False, on_line: str = "",
) -> UUID:  # fmt: skip
    """Write down that a service was called. The caller holds the transaction and has checked that `by` may.

    Raises:
        Incomplete: a text is too long, or the minutes are out of bounds.
    """
    if len(reference) > TEXT_LIMIT or len(on_line) > TEXT_LIMIT:
        raise Incomplete([f"reference: at most {TEXT_LIMIT} characters"])
    eta_at, call_id = _eta(minutes, now), uuid7()
    check = timedelta(seconds=settings.emergency_check_s)
    await conn.execute(
        """insert into emergency_calls (id, alert_id, service, reference, called_by, called_at, eta_at, access_told,
                                        on_line, state, due_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'awaited', %s)""",
        (call_id, alert_id, service.value, reference, by, now, eta_at, access_told, on_line,
         min(eta_at, now + check) if eta_at else now + check),
    )  # fmt: skip
    said = [f"{service.value} called", f"reference {reference}" if reference else "",
            f"about {minutes} min" if minutes else "", "" if access_told else "not yet told how to get in",
            f"{on_line} stays on the line" if on_line else ""]  # fmt: skip
    await store.log(
        conn, alert_id, now, by, "emergency-service",
        {"service": service.value, "call": str(call_id), "text": ", ".join(part for part in said if part)},
    )  # fmt: skip
    return call_id


async def hear(
    conn: Connection, settings: Settings, alert_id: int, call_id: UUID, by: str, news: News, now: datetime, *,
    minutes: int | None = None, taken_to: str = "", text: str = "",
) -> None:  # fmt: skip
    """Write down what is heard of a service. Only for who has the alert.

    Raises:
        NotFound: there is no such call.
        Conflict: the alert is not theirs, or the call has ended.
        Incomplete: it came and went without having arrived, or nothing says where to or when.
    """
    if news is News.CONVEYED and not taken_to.strip():
        raise Incomplete(["taken_to: say where to"])
    if news is News.NEW_ETA and minutes is None:
        raise Incomplete(["minutes: say in how many minutes"])
    if len(taken_to) > TEXT_LIMIT or len(text) > TEXT_LIMIT:
        raise Incomplete([f"text: at most {TEXT_LIMIT} characters"])
    async with conn.transaction():
        service = await _locked(conn, alert_id, call_id, by)
        eta_at = _eta(minutes, now)
        check = timedelta(seconds=settings.emergency_check_s)
        await conn.execute(
            """update emergency_calls
                  set state = case when %(ends)s then 'ended' when %(news)s = 'arrived' then 'at-scene' else state end,
                      arrived_at = case when %(news)s = 'stood-down' then arrived_at
                                        when %(ends)s or %(news)s = 'arrived' then coalesce(arrived_at, %(now)s)
                                        else arrived_at end,
                      ended_at = case when %(ends)s then %(now)s end,
                      outcome = case when %(ends)s then %(news)s end, taken_to = %(to)s,
                      eta_at = coalesce(%(eta)s, eta_at),
                      due_at = case when %(ends)s then null else %(due)s end
                where id = %(id)s""",
            {"ends": news in ENDS, "news": news.value, "now": now, "to": taken_to.strip(), "eta": eta_at,
             "due": max(now, eta_at) if eta_at else now + check, "id": call_id},
        )  # fmt: skip
        words = [
            f"{service}: {NEWS_WORDS[news].lower()}",
            taken_to.strip(),
            f"about {minutes} min" if minutes else "",
            text,
        ]
        detail = {"service": service, "call": str(call_id), "news": news.value, "text": ", ".join(filter(None, words))}
        if news is News.ARRIVED:
            detail["at_scene"] = format_instant(now)
        await store.log(conn, alert_id, now, by, "emergency-service", detail)
        if news is News.CONVEYED:
            _, zone = await store.raised_where(conn, alert_id)
            await asks.to_hospital(conn, settings, alert_id, taken_to.strip(), now.astimezone(zone), now)
        await store.publish_change(conn, alert_id, now)


async def _locked(conn: Connection, alert_id: int, call_id: UUID, by: str) -> str:
    row = await (
        await conn.execute(
            """select a.claimed_by, a.state, e.service, e.state
                 from emergency_calls e join alerts a on a.id = e.alert_id
                where e.id = %s and a.id = %s for no key update of a""",
            (call_id, alert_id),
        )
    ).fetchone()
    if row is None:
        raise NotFound("no such call to an emergency service")
    owner, state, service, stands = row
    if owner != by:
        raise Conflict("this alert is not yours", claimed_by=owner, state=state)
    if stands == "ended":
        raise Conflict(f"the {service} has ended", claimed_by=owner, state=stands)
    return str(service)


async def overdue_step(conn: Connection, settings: Settings, now: datetime) -> bool:
    """Ask about one service that has not been heard of; False when none is due. The caller holds the transaction."""
    row = await (
        await conn.execute(
            """select e.id, e.alert_id, e.service, e.state, e.called_at
                 from emergency_calls e join alerts a on a.id = e.alert_id where e.due_at <= %s
                order by e.due_at limit 1 for no key update of a skip locked""",
            (now,),
        )
    ).fetchone()
    if row is None:
        return False
    call_id, alert_id, service, state, called_at = row
    cursor = await conn.execute(
        "update emergency_calls set due_at = %s where id = %s and due_at <= %s",
        (now + timedelta(seconds=settings.emergency_check_s), call_id, now),
    )
    if cursor.rowcount == 0:
        return True
    waited = int((now - called_at).total_seconds() // 60)
    because = (
        f"the {service} has not arrived {waited} min after it was called: ask where it is"
        if state == "awaited"
        else f"the {service} is with the person: ask how it ended"
    )
    await store.log(conn, alert_id, now, "system", "re-sounded", {"because": because})
    await store.publish_change(conn, alert_id, now)
    return True


async def calls_of(conn: Connection, alert_id: int) -> list[dict[str, Any]]:
    """The emergency services called about an alert, oldest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select id, service, reference, called_by, called_at, eta_at, access_told, on_line, state, due_at,
                      arrived_at, ended_at, outcome, taken_to
                 from emergency_calls where alert_id = %s order by called_at, id""",
            (alert_id,),
        )
        return await cursor.fetchall()
