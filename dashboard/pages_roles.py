"""One page each for responders and administrators."""

from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from alerts import replies_store
from alerts.watchdog.domain import SERVICE, SERVICES
from alerts.watchdog.store import last_press
from dashboard import store
from dashboard.auth import GuardedRoute
from dashboard.health import problems, process_states, watched_now
from dashboard.parts import database, parts_of
from telecare.clock import format_instant, parse_instant
from telecare.heartbeat import STALE_AFTER_S

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

UNREADABLE_SHOWN: Final = 50


@router.get("/admin")
async def admin(request: Request) -> Response:
    """Whether the parts are well, what could not be understood, and who works here."""
    settings = parts_of(request).settings
    async with database(request) as (conn, now):
        signs, beats = await store.vital_signs(conn, now), await store.heartbeats(conn)
        watched = await watched_now(conn, beats, now, settings)
        context: dict[str, Any] = {
            "press": await last_press(conn, now),
            "counts": await store.count_homes(conn),
            "figures": await store.figures(conn),
            "unreadable": [_readable(row) for row in await store.unreadable(conn, UNREADABLE_SHOWN)],
            "strays_kept": await replies_store.count_strays(conn),
            "staff": await store.staff_list(conn),
        }
    context |= {
        "problems": problems(now, signs, beats, process_states(settings), settings.demo, watched),
        "services": [(name, beats.get(name)) for name in (*SERVICES, SERVICE)],
        "silent": {name for name, beat in beats.items() if now - beat["at"] > timedelta(seconds=STALE_AFTER_S)},
        "signs": signs,
        "now": now,
    }
    return parts_of(request).pages.render(request, "admin.html", context=context)


@router.get("/admin/callbacks")
async def callbacks(request: Request) -> Response:
    """What providers told us that belongs to nothing we know, or could not be read: newest first, page by page."""
    try:
        before = parse_instant(request.query_params["before"])
    except (KeyError, ValueError):
        before = None
    async with database(request) as (conn, now):
        found = await replies_store.strays(conn, UNREADABLE_SHOWN + 1, before)
        context = {
            "found": [_readable(row) for row in found[:UNREADABLE_SHOWN]],
            "older": format_instant(found[UNREADABLE_SHOWN - 1]["received_at"])
            if len(found) > UNREADABLE_SHOWN
            else None,
            "before": before,
            "count": await replies_store.count_strays(conn),
            "keep_days": parts_of(request).settings.stray_callbacks_keep_days,
            "now": now,
        }
    return parts_of(request).pages.render(request, "callbacks.html", context=context)


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """The message with the beginning of its bytes as text that can do no harm on a screen."""
    text = bytes(row["payload"]).decode("utf-8", "backslashreplace")
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return row | {"text": shown}
