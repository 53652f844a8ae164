"""Importing episodes from a CSV file: upload, preview with every wrong line named, then all good lines at once."""

import asyncio
import hashlib
from datetime import timedelta
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile

from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.outcomes import counting, import_store, vocabulary
from dashboard.outcomes.csv_import import COLUMNS, NotAFile, read_file, write_rows
from dashboard.outcomes.domain import FIELD_WORDS, GOALS
from dashboard.outcomes.pages import chosen_councils, own_council
from dashboard.outcomes.pages_episodes import csv_answer
from dashboard.parts import database, parts_of

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

WRONG_SHOWN: Final = 200  # on the page; the file has them all
NAME_LIMIT: Final = 120  # characters of a file's name
BOM: Final = "\ufeff"  # by which a spreadsheet knows UTF-8
EXAMPLE: Final = {
    "person": "AB-1234", "reason": "hospital-discharge", "started_on": "02/03/2026",
    "goal_1": "Walk to the shop and carry my own bag", "goal_1_reached": "yes", "barthel_start": "11",
    "barthel_end": "17", "care_hours_start": "10.5", "care_hours_end": "2", "ended_on": "10/04/2026",
    "end_reason": "completed", "sequel": "none", "day91": "home", "day91_asked_on": "03/06/2026",
    "day91_asked_by": "Reablement team",
}  # fmt: skip


@router.get("/episodes/import")
async def upload_form(request: Request) -> Response:
    """Choose a file."""
    return await _upload_page(request)


@router.get("/episodes/import/example.csv")
async def example(request: Request) -> Response:
    """A file with every column and one line."""
    return csv_answer(BOM + write_rows(COLUMNS, [[EXAMPLE.get(name, "") for name in COLUMNS]]), "episodes-example.csv")


@router.post("/episodes/import")
async def upload(request: Request) -> Response:
    """Read the file and keep its lines for a preview. Nothing becomes an episode."""
    form = await request.form()
    sent, council = form.get("file"), form.get("council")
    settings = parts_of(request).settings
    if not isinstance(sent, UploadFile) or not sent.filename:
        return await _upload_page(request, 422, {"file": "Choose a file"})
    async with database(request) as (conn, now):
        allowed = await chosen_councils(conn, request, council if isinstance(council, str) and council else None)
    if len(allowed) != 1:
        return await _upload_page(request, 422, {"council": "Choose whose file this is"})
    content = await sent.read()
    today = now.astimezone(ZoneInfo(allowed[0].timezone)).date()
    try:
        # Thousands of lines take a second of pure reckoning: beside the event loop, where alerts are live.
        file = await asyncio.to_thread(read_file, content, today, most_lines=settings.import_lines)
    except NotAFile as problem:
        return await _upload_page(request, 422, {"file": str(problem)}, chosen=str(allowed[0].id))
    name = PurePath(sent.filename.replace("\\", "/").replace("\0", "")).name[:NAME_LIMIT]
    until = now + timedelta(hours=settings.import_kept_h)
    async with database(request) as (conn, now):
        by = visitor_of(request).member.username
        digest = hashlib.sha256(content).digest()
        number = await import_store.stage(conn, file, allowed[0].id, name, digest, by, now, until)
    return RedirectResponse(f"/episodes/import/{number}", 303)


async def _upload_page(
    request: Request, status: int = 200, errors: dict[str, str] | None = None, chosen: str = ""
) -> Response:
    async with database(request) as (conn, _):
        allowed = await chosen_councils(conn, request, None)
    settings = parts_of(request).settings
    context: dict[str, Any] = {
        "councils": allowed,
        "errors": errors or {},
        "chosen": chosen,
        "columns": COLUMNS,
        "field_words": FIELD_WORDS,
        "vocabulary": vocabulary,
        "GOALS": GOALS,
        "most_lines": settings.import_lines,
        "most_mb": settings.import_bytes / 1_000_000,
        "hours": settings.import_kept_h,
    }
    return parts_of(request).pages.render(request, "import.html", status, context)


@router.get("/episodes/import/{import_id}")
async def preview(request: Request, import_id: str) -> Response:
    """What the file holds: how many lines are good, and each wrong one with what is wrong. Afterwards, the report."""
    async with database(request) as (conn, now):
        found = await import_store.upload(conn, _number(import_id), own_council(request), now)
        wrong = await import_store.wrong_lines(conn, found.id, WRONG_SHOWN)
    context = {"upload": found, "wrong": wrong, "shown": WRONG_SHOWN, "field_words": FIELD_WORDS}
    return parts_of(request).pages.render(request, "import_preview.html", context=context)


@router.post("/episodes/import/{import_id}")
async def take_in(request: Request, import_id: str) -> Response:
    """Import the good lines, all in one transaction. A second time does nothing."""
    async with database(request) as (conn, now):
        number = _number(import_id)
        found = await import_store.upload(conn, number, own_council(request), now)
        today = now.astimezone(ZoneInfo(found.timezone)).date()
        await import_store.take_in(conn, number, own_council(request), visitor_of(request).member.username, now, today)
    return RedirectResponse(f"/episodes/import/{number}", 303)


@router.get("/episodes/import/{import_id}/wrong.csv")
async def wrong(request: Request, import_id: str) -> Response:
    """The wrong lines as they were, with what is wrong in a column of its own: to be put right and uploaded again."""
    async with database(request) as (conn, now):
        found = await import_store.upload(conn, _number(import_id), own_council(request), now)
        lines = await import_store.wrong_lines(conn, found.id)
        who = visitor_of(request).member.username
        await counting.note_export(conn, now, who, f"import {found.id}: {len(lines)} wrong lines as CSV")
    width = len(found.header)
    rows = [
        [*line["cells"][:width], *[""] * (width - len(line["cells"])), str(line["line"]), _why(line["problems"])]
        for line in lines
    ]
    text = write_rows([*found.header, "line", "what_is_wrong"], rows, found.delimiter)
    return csv_answer(BOM + text, "wrong-lines.csv")


def _why(problems: list[list[str]]) -> str:
    return "; ".join(f"{name}: {words}" if name else words for name, words in problems)


def _number(import_id: str) -> UUID:
    return register_id(import_id, "import")
