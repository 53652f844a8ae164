"""Tasks: what is due, made by rules or by hand, and how it was done."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel

from alerts import queue, tasks_store
from alerts.errors import Conflict, Incomplete
from alerts.tasks import WORDS_LIMIT
from dashboard import models
from dashboard.api import alert_number, register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.forms import Form
from dashboard.pages_plans import instant_from
from dashboard.parts import database, parts_of
from dashboard.plain import plain
from telecare.db import Connection
from telecare.register import homes as register

router = APIRouter(route_class=GuardedRoute)

LIMIT: Final = 200
_ZONE: Final = "Europe/London"  # of a task that is about nobody


def _number(task_id: str) -> int:
    return alert_number(task_id)  # the same numbers, and the same refusal


TaskNumber = Annotated[int, Depends(_number)]

# ---------------------------------------------------------------- the list


@router.get("/tasks", include_in_schema=False)
async def tasks_page(request: Request) -> Response:
    """Open tasks, those that are due first first, and what was finished last."""
    return await _tasks_page(request)


async def _tasks_page(request: Request, status: int = 200, **more: Any) -> Response:
    async with database(request) as (conn, now):
        found = await tasks_store.open_tasks(conn, now, LIMIT + 1)
        context = {
            "tasks": found[:LIMIT],
            "more": len(found) > LIMIT,
            "finished": await tasks_store.finished_tasks(conn, now),
            "done": request.query_params.get("done") is not None,
            "made": request.query_params.get("made") is not None,
            "now": now,
        }
    return parts_of(request).pages.render(request, "tasks.html", status, context | more)


@router.post("/tasks/{task_id}/done", include_in_schema=False)
async def done(request: Request, number: TaskNumber) -> Response:
    """A task is done, and how."""
    form = await request.form()
    how = str(form.get("how", ""))
    try:
        async with database(request) as (conn, now):
            await tasks_store.finish(conn, number, visitor_of(request).member.username, how, now)
    except Incomplete:
        words = f"Say what was done, in at most {WORDS_LIMIT} characters"
        return await _tasks_page(request, 422, problem=words, problem_at=number, how=how)
    except Conflict as conflict:
        return await _tasks_page(request, 409, conflict=str(conflict))
    return RedirectResponse("/tasks?done", 303)


# ---------------------------------------------------------------- by hand


class _About:
    """Whom or what a task that is made by hand is about."""

    def __init__(self, person: str = "", alert: str = "") -> None:
        self.person: UUID | None = register_id(person, "person") if person else None
        self.alert: int | None = alert_number(alert) if alert else None

    async def context(self, conn: Connection, now: datetime) -> dict[str, Any]:
        """What the form's page says of it; raises NotFound where it is not there."""
        record = await register.person(conn, self.person) if self.person else None
        alert = await queue.list_record(conn, self.alert, now) if self.alert is not None else None
        home_id = record["home_id"] if record else alert["home"] if alert else None
        home = await register.home(conn, home_id) if home_id else None
        return {"person": record, "alert": alert, "timezone": home["timezone"] if home else _ZONE}


@router.get("/tasks/new", include_in_schema=False)
async def new_task_page(
    request: Request, person: Annotated[str, Query()] = "", alert: Annotated[str, Query()] = ""
) -> Response:
    """The form of a task that is made by hand."""
    return await _new_task_page(request, _About(person, alert), Form("task"))


async def _new_task_page(request: Request, about: _About, form: Form, status: int = 200) -> Response:
    async with database(request) as (conn, now):
        context = await about.context(conn, now)
    return parts_of(request).pages.render(request, "task_new.html", status, context | {"form": form, "now": now})


@router.post("/tasks/new", include_in_schema=False)
async def make_task(request: Request) -> Response:
    """Make a task by hand."""
    sent = await request.form()
    form = Form("task", {name: str(sent.get(name, "")).strip() for name in ("words", "due")})
    about = _About(str(sent.get("person", "")), str(sent.get("alert", "")))
    try:
        async with database(request) as (conn, now):
            zone = ZoneInfo((await about.context(conn, now))["timezone"])
            by, due_at = visitor_of(request).member.username, instant_from(form.values["due"], zone)
            await tasks_store.add(
                conn, form.values["words"], due_at, by, now, person_id=about.person, alert_id=about.alert
            )
    except ValueError as problem:
        form.errors["due"] = str(problem)
    except Incomplete as problem:
        for line in problem.problems:
            name = "due" if line.startswith("due_at") else "words"
            words = line.partition(": ")[2]
            form.errors[name] = words[0].upper() + words[1:]
    if form.errors:
        return await _new_task_page(request, about, form, 422)
    return RedirectResponse(f"/people/{about.person}#tasks" if about.person else "/tasks?made", 303)


# ---------------------------------------------------------------- the API


class Done(BaseModel):
    """How a task was done."""

    how: str


@router.get("/api/tasks", response_model=models.TaskList, tags=["tasks"], summary="Open tasks")
async def api_tasks(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = LIMIT) -> Response:
    """Those that are due first first. `overdue`: their time has come."""
    async with database(request) as (conn, now):
        found = await tasks_store.open_tasks(conn, now, limit)
    return JSONResponse({"tasks": plain(found)})


@router.post("/api/tasks/{task_id}/done", response_model=models.TaskDone, tags=["tasks"], summary="A task is done")
async def api_done(request: Request, number: TaskNumber, body: Done) -> Response:
    """Says how. 409 where somebody has done it already."""
    async with database(request) as (conn, now):
        await tasks_store.finish(conn, number, visitor_of(request).member.username, body.how, now)
    return JSONResponse({"id": number, "done_at": plain(now)})
