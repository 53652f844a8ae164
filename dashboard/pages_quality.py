"""`/quality`: looking back at closed alerts. What was drawn of each handler's month, its reviews, and its picture."""

from datetime import date
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts import quality, quality_store, queue
from alerts.errors import Conflict, Incomplete
from alerts.quality import CRITERION_WORDS, MARK_WORDS, Criterion
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.forms import Form
from dashboard.parts import database, parts_of
from dashboard.words import ZONE

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

NAME: Final = "quality"  # of the form
MARK_ITEMS: Final = [{"value": mark.value, "text": words} for mark, words in MARK_WORDS.items()]


@router.get("/quality")
async def quality_page(request: Request, month: str = "") -> Response:
    """What is to be reviewed, and the picture of a month: the last that was drawn, unless another is asked for."""
    async with database(request) as (conn, _):
        months = await quality_store.months(conn)
        shown = _month(month, months)
        samples = await quality_store.samples_of(conn, shown) if shown else []
        context = {
            "to_review": await quality_store.to_review(conn),
            "months": months,
            "shown": shown,
            "reviewed": await quality_store.reviewed_in(conn, shown) if shown else [],
            "pictures": quality.pictures(samples),
            "criteria": [(CRITERION_WORDS[one], share) for one, share in quality.by_criterion(samples).items()],
            "saved": request.query_params.get("done") is not None,
        }
    return parts_of(request).pages.render(request, "quality.html", context=context)


def _month(asked: str, months: list[date]) -> date | None:
    """The month that was asked for where it was drawn; else the newest."""
    return next((one for one in months if f"{one:%Y-%m}" == asked), months[0] if months else None)


@router.get("/quality/{sample_id}")
async def sample_page(request: Request, sample_id: str) -> Response:
    """An alert that was drawn: what happened, and the form of its review, or the review."""
    return await _sample_page(request, sample_id, Form(NAME))


@router.post("/quality/{sample_id}")
async def review(request: Request, sample_id: str) -> Response:
    """Keep a review, once."""
    sent = await request.form()
    names = [*(one.value for one in Criterion), "note"]
    values = {name: str(sent.get(name, "")).replace("\0", "").replace("\r\n", "\n").strip() for name in names}
    form = Form(NAME, values)
    marks = {name: value for name, value in values.items() if name != "note"}
    by = visitor_of(request).member.username
    try:
        async with database(request) as (conn, now):
            await quality_store.review(conn, register_id(sample_id, "sample"), by, marks, values["note"], now)
    except Incomplete:
        form.errors = quality.problems(marks, values["note"])
        return await _sample_page(request, sample_id, form, 422)
    except Conflict as conflict:
        return await _sample_page(request, sample_id, form, 409, conflict=str(conflict))
    return RedirectResponse("/quality?done", 303)


async def _sample_page(request: Request, sample_id: str, form: Form, status: int = 200, **more: Any) -> Response:
    async with database(request) as (conn, now):
        sample = await quality_store.sample_of(conn, register_id(sample_id, "sample"))
        alert = await queue.whole_alert(conn, sample["alert_id"], now)
    context = {
        "sample": sample,
        "alert": alert,
        "form": form,
        "now": now,
        "mine": sample["handler"] == visitor_of(request).member.username,
        "criteria": [(one.value, words) for one, words in CRITERION_WORDS.items()],
        "mark_items": MARK_ITEMS,
        "mark_words": {mark.value: words for mark, words in MARK_WORDS.items()},
        "timezone": ZONE,
    }
    return parts_of(request).pages.render(request, "quality_one.html", status, context | more)
