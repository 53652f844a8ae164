"""The handover of a shift: who goes writes it, who comes checks each item and signs."""

from itertools import groupby
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from alerts import handover_store
from alerts.errors import Conflict, Incomplete
from alerts.handover import KIND_WORDS, ItemKind, items
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.parts import database, parts_of

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

_ZONE: Final = ZoneInfo("Europe/London")  # the control room's clock


@router.get("/handover")
async def handover(request: Request) -> Response:
    """What is open now, to be handed over; and handovers that wait to be taken."""
    return await _page(request)


async def _page(request: Request, status: int = 200, **more: Any) -> Response:
    async with database(request) as (conn, now):
        found = items(await handover_store.open_now(conn, now, _troubles(request)), _ZONE)
        context = {
            "groups": _grouped([{"kind": one.kind, "words": one.words, "link": one.link} for one in found]),
            "waiting": await handover_store.waiting(conn),
            "recent": await handover_store.recent(conn),
            "taken": request.query_params.get("done") == "taken",
            "now": now,
        }  # fmt: skip
    return parts_of(request).pages.render(request, "handover.html", status, context | more)


def _troubles(request: Request) -> list[str]:
    return [one.words for one in parts_of(request).shouts.now]


def _grouped(listed: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Items under the words of their kind, in their order."""
    return [(KIND_WORDS[ItemKind(kind)], list(of)) for kind, of in groupby(listed, key=lambda one: one["kind"])]


@router.post("/handover")
async def give(request: Request) -> Response:
    """Hand over what is open at this moment."""
    words = str((await request.form()).get("words", "")).replace("\0", "").replace("\r\n", "\n")
    by = visitor_of(request).member.username
    try:
        async with database(request) as (conn, now):
            given = items(await handover_store.open_now(conn, now, _troubles(request)), _ZONE)
            number = await handover_store.give(conn, by, words, given, now)
    except Incomplete as problem:
        text = problem.problems[0].partition(": ")[2]
        return await _page(request, 422, problem=text[:1].upper() + text[1:], words=words)
    return RedirectResponse(f"/handover/{number}", 303)


@router.get("/handover/{handover_id}")
async def one(request: Request, handover_id: str) -> Response:
    """One handover, to be checked and signed, or as it was."""
    return await _one_page(request, handover_id)


async def _one_page(request: Request, handover_id: str, status: int = 200, **more: Any) -> Response:
    async with database(request) as (conn, now):
        record = await handover_store.handover_of(conn, register_id(handover_id, "handover"))
    me = visitor_of(request).member.username
    is_open = record["taken_at"] is None and record["ended_at"] is None
    context = {
        "handover": record, "groups": _grouped(record["listed"]), "now": now, "me": me,
        "to_take": is_open and record["given_by"] != me, "left": (), "remarks": "", "item_remarks": {},
    }  # fmt: skip
    return parts_of(request).pages.render(request, "handover_one.html", status, context | more)


@router.post("/handover/{handover_id}")
async def take(request: Request, handover_id: str) -> Response:
    """Check items, and sign when all have been checked."""
    form = await request.form()
    checked, item_remarks = _entered(form)
    remarks = str(form.get("remarks", "")).replace("\0", "")
    by = visitor_of(request).member.username
    try:
        async with database(request) as (conn, now):
            left = await handover_store.take(
                conn, register_id(handover_id, "handover"), by, checked, item_remarks, remarks, now
            )
    except Conflict as conflict:
        return await _one_page(request, handover_id, 409, conflict=str(conflict))
    except Incomplete as problem:
        words = problem.problems[0].partition(": ")[2]
        return await _one_page(request, handover_id, 422, problem=words, remarks=remarks, item_remarks=item_remarks)
    if left:
        return await _one_page(request, handover_id, 422, left=left, remarks=remarks, item_remarks=item_remarks)
    return RedirectResponse("/handover?done=taken", 303)


def _entered(form: FormData) -> tuple[set[int], dict[int, str]]:
    """The places that are ticked, and the remarks at places."""
    ticked = {int(one) for one in form.getlist("checked") if isinstance(one, str) and one.isascii() and one.isdigit()}
    remarks = {}
    for name, value in form.multi_items():
        place = name.removeprefix("remark-")
        if name != place and place.isascii() and place.isdigit() and isinstance(value, str) and value.strip():
            remarks[int(place)] = value.replace("\0", "").strip()
    return {one for one in ticked if one < 2**15}, remarks
