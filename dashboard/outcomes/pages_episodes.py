"""Pages of reablement episodes: finding, entering and changing them, and one person's."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from dashboard.access import ACCESS
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.forms import Form
from dashboard.outcomes import counting, store, vocabulary
from dashboard.outcomes.csv_import import COLUMNS, write_rows
from dashboard.outcomes.domain import DAY, FIELD_WORDS, FIELDS, GOALS, Episode, as_entered, read_episode
from dashboard.outcomes.pages import chosen_councils, own_council
from dashboard.outcomes.store import Kept
from dashboard.parts import database, parts_of
from dashboard.words import ZONE
from telecare.db import Connection
from telecare.errors import Refused
from telecare.register import councils as register

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

LIST_LIMIT: Final = 50
PEOPLE_LIMIT: Final = 20
WORDS_LIMIT: Final = 100  # characters of a search
NAME: Final = "episode"  # of the form


def _words(request: Request) -> str:
    return request.query_params.get("q", "").replace("\0", "").strip()[:WORDS_LIMIT]


def _today(now: datetime, timezone: str = ZONE) -> date:
    return now.astimezone(ZoneInfo(timezone)).date()


async def _found(request: Request, conn: Connection, now: datetime, limit: int | None) -> tuple[list[Kept], str]:
    """The episodes that were asked for, and which those are."""
    which = request.query_params.get("which", "all")
    which = which if which in store.FILTERS else "all"
    council = request.query_params.get("council") or None
    chosen = None if council is None else (await chosen_councils(conn, request, council))[0].id
    found = await store.episodes(conn, own_council(request), chosen, _words(request), which, _today(now), limit)
    return found, which


@router.get("/episodes")
async def episodes(request: Request) -> Response:
    """Episodes, newest first."""
    async with database(request) as (conn, now):
        found, which = await _found(request, conn, now, LIST_LIMIT + 1)
        context = {
            "episodes": found[:LIST_LIMIT],
            "more": len(found) > LIST_LIMIT,
            "which": which,
            "words": _words(request),
            "councils": await chosen_councils(conn, request, None),
            "chosen": request.query_params.get("council", ""),
            "query": request.url.query,
            "today": _today(now),
            "vocabulary": vocabulary,
            "DAY": DAY,
        }
    return parts_of(request).pages.render(request, "episodes.html", context=context)


@router.get("/episodes/export.csv")
async def export(request: Request) -> Response:
    """The same episodes, all of them, as a file that can be imported again. Who took it is written down."""
    async with database(request) as (conn, now):
        found, _ = await _found(request, conn, now, None)
        await counting.note_export(conn, now, visitor_of(request).member.username, f"episodes: {len(found)} as CSV")
    header = ("council", *COLUMNS)
    rows = [[kept.council, kept.reference or str(kept.person_id), *as_entered(kept.episode).values()] for kept in found]
    return csv_answer(write_rows(header, rows), "episodes.csv")


def csv_answer(text: str, name: str) -> Response:
    """A CSV file to be saved."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)


# ---------------------------------------------------------------- entering and changing


@router.get("/episodes/new")
async def new_form(request: Request) -> Response:
    """Whose episode, and then its form."""
    person = request.query_params.get("person")
    if person is None:
        words = _words(request)
        async with database(request) as (conn, _):
            found = await register.clients(conn, words, own_council(request), PEOPLE_LIMIT + 1) if words else []
        context = {"words": words, "people": found[:PEOPLE_LIMIT], "more": len(found) > PEOPLE_LIMIT}
        return parts_of(request).pages.render(request, "episode_person.html", context=context)
    return await _form_page(request, person=person)


@router.post("/episodes/new")
async def enter(request: Request) -> Response:
    """Keep a new episode."""
    sent = await _sent(request)
    async with database(request) as (conn, now):
        client = await register.client(conn, register_id(sent.get("person", ""), "person"), own_council(request))
        form, episode = _read(sent, _today(now, client.council.timezone))
        if episode is not None:
            try:
                by = visitor_of(request).member.username
                number = await store.add_episode(conn, client.id, client.council.id, episode, by, now)
                return RedirectResponse(f"/episodes/{number}?saved=yes", 303)
            except Refused as problem:
                form.errors["started_on"] = str(problem)
    return await _form_page(request, 422, form, person=str(client.id))


@router.get("/episodes/{episode_id}")
async def episode_form(request: Request, episode_id: str) -> Response:
    """An episode, to read and to change."""
    return await _form_page(request, episode=episode_id)


@router.post("/episodes/{episode_id}")
async def change(request: Request, episode_id: str) -> Response:
    """Keep what was changed."""
    sent = await _sent(request)
    async with database(request) as (conn, now):
        kept = await store.episode(conn, register_id(episode_id, "episode"), own_council(request))
        form, episode = _read(sent, _today(now))
        version = sent.get("version", "")
        if episode is not None:
            try:
                number = int(version) if version.isascii() and version.isdigit() and len(version) < 9 else 0
                await store.change_episode(conn, kept, number, episode, visitor_of(request).member.username, now)
                return RedirectResponse(f"/episodes/{kept.id}?saved=yes", 303)
            except Refused as problem:
                form.errors["started_on"] = str(problem)
    return await _form_page(request, 422, form, episode=episode_id)


async def _sent(request: Request) -> dict[str, str]:
    form = await request.form()
    return {name: value.replace("\r\n", "\n") for name, value in form.items() if isinstance(value, str)}


def _read(sent: Mapping[str, str], today: date) -> tuple[Form, Episode | None]:
    reading = read_episode(sent, today)
    return Form(NAME, {name: sent.get(name, "").strip() for name in FIELDS}, reading.problems), reading.episode


async def _form_page(
    request: Request, status: int = 200, form: Form | None = None, *, person: str = "", episode: str = ""
) -> Response:
    only = own_council(request)
    async with database(request) as (conn, _):
        kept = await store.episode(conn, register_id(episode, "episode"), only) if episode else None
        person_id = kept.person_id if kept else register_id(person, "person")
        # The person of an episode may belong to another council by now; whoever sees the episode sees whose it is.
        client = await register.client(conn, person_id, None if kept else only)
        log = await store.log_of(conn, kept.id) if kept else []
    shown = form or Form(NAME, as_entered(kept.episode) if kept else dict.fromkeys(FIELDS, ""))
    filled = [n for n in range(1, GOALS + 1) if shown.values.get(f"goal_{n}") or shown.errors.get(f"goal_{n}")]
    context: dict[str, Any] = {
        "kept": kept,
        "client": client,
        "form": shown,
        "log": log,
        "saved": request.query_params.get("saved") == "yes" and not shown.errors,
        "goals": range(1, min(GOALS, max([2, *(n + 1 for n in filled)])) + 1),
        "GOALS": GOALS,
        "field_words": FIELD_WORDS,
        "vocabulary": vocabulary,
        "due": kept.episode.started_on + DAY if kept else None,
    }
    return parts_of(request).pages.render(request, "episode.html", status, context)


# ---------------------------------------------------------------- one person


@router.get("/episodes/people/{person_id}")
async def person(request: Request, person_id: str) -> Response:
    """A person's episodes; for those who answer their alerts, exact figures too."""
    return await _person_page(request, person_id)


async def _person_page(request: Request, person_id: str, status: int = 200, problem: str = "") -> Response:
    only = own_council(request)
    # Exact figures of one person are for running the service; in a report they would undo the hiding of small numbers.
    may_see_figures = visitor_of(request).member.role in ACCESS["GET /people/{person_id}"].roles
    async with database(request) as (conn, now):
        client = await register.client(conn, register_id(person_id, "person"), only)
        context: dict[str, Any] = {
            "client": client,
            "episodes": await store.episodes_of(conn, client.id, only),
            "counted": await counting.count(conn, client.council, now, person=client.id) if may_see_figures else None,
            "period": counting.period_words(_today(now, client.council.timezone)),
            "problem": problem,
            "vocabulary": vocabulary,
            "DAY": DAY,
            "today": _today(now, client.council.timezone),
        }
    return parts_of(request).pages.render(request, "client.html", status, context)


@router.post("/episodes/people/{person_id}/reference")
async def set_reference(request: Request, person_id: str) -> Response:
    """By which reference the council knows this person."""
    given = (await _sent(request)).get("reference", "").strip()
    async with database(request) as (conn, _):
        client = await register.client(conn, register_id(person_id, "person"), own_council(request))
        try:
            await register.set_reference(conn, client.id, client.council.id, given)
            return RedirectResponse(f"/episodes/people/{client.id}", 303)
        except Refused as refused:
            problem = str(refused)
    return await _person_page(request, person_id, 422, problem)
