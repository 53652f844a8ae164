"""`/board`: how the room is doing now, for supervisors. It says what is, and changes nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from alerts import board, board_store, calls, floods, kpis_store, on_call, queue
from dashboard.auth import GuardedRoute
from dashboard.parts import database, parts_of
from dashboard.performance import Line, answering
from dashboard.words import ZONE
from telecare.db import Connection
from telecare.register import on_call_now
from telecare.register.on_call_now import OnCall
from telecare.rota import DUTY_WORDS, Duty
from telecare.settings import Settings

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

_ZONE: Final = ZoneInfo(ZONE)  # the control room's clock
BREACHES_SHOWN: Final = 20  # the others are counted


@router.get("/board")
async def board_page(request: Request) -> Response:
    """The board; its script fetches the figures anew."""
    return parts_of(request).pages.render(request, "board.html", context=await _figures(request))


@router.get("/board/now")
async def board_figures(request: Request) -> Response:
    """The figures alone."""
    return parts_of(request).pages.render(request, "board_now.html", context=await _figures(request))


async def _figures(request: Request) -> dict[str, Any]:
    settings = parts_of(request).settings
    async with database(request) as (conn, now):
        breaches = await board_store.breaches(conn, now)
        people = await on_call_now.people(conn)
        return {
            "now": now,
            "periods": await _answered(conn, now),
            "levels": await board_store.levels(conn, now),
            "longest": await _longest(conn, settings, now),
            "breaches": breaches[:BREACHES_SHOWN],
            "breach_count": len(breaches),
            "breach_s": settings.breach_s,
            "flood": await floods.now_at(conn, now),
            "hands": board.hands(await board_store.seats(conn, now), await board_store.changes(conn, now), now),
            "duties": [(DUTY_WORDS[duty], _on_call(people, duty, now)) for duty in Duty],
        }


async def _answered(conn: Connection, now: datetime) -> list[tuple[str, datetime, list[Line]]]:
    """How soon alerts were answered: in this shift where its beginning is known, and today."""
    local = now.astimezone(_ZONE)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    shift = await board_store.shift_taken(conn, now)
    begins = [("This shift", shift)] if shift is not None else []
    begins.append(("Today", midnight))
    cases = await kpis_store.answers(conn, None, min(at for _, at in begins), now)
    return [(name, at, answering([one for one in cases if one.raised_at >= at], now)) for name, at in begins]


async def _longest(conn: Connection, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """The alert that has waited longest for an operator, and the one with whom nobody has spoken for longest."""
    alone = min((await calls.alone_since(conn)).items(), key=lambda item: item[1], default=None)
    unclaimed = await board_store.oldest_unclaimed(conn)
    found = (
        ("Longest unclaimed", "Nobody waits for an operator.", unclaimed, settings.supervisor_s),
        ("Longest with nobody on the telephone", "Nobody is left alone.", alone, settings.alone_s),
    )
    alerts = await queue.list_records(conn, [one[0] for _, _, one, _ in found if one is not None], now)
    return [
        {
            "what": what, "none": none, "alert": alerts[one[0]] if one else None, "since": one[1] if one else None,
            "late": one is not None and now - one[1] > timedelta(seconds=limit_s), "limit_s": limit_s,
        }
        for what, none, one, limit_s in found
    ]  # fmt: skip


def _on_call(people: Sequence[OnCall], duty: Duty, now: datetime) -> list[OnCall]:
    return [one for one in people if one.duty is duty and on_call.on_call_now(one, now)]
