"""Errors as answers: problem documents (RFC 9457) for programs, plain pages for people. Never a stack trace."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlsplit

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from alerts.errors import Conflict, Incomplete
from dashboard.auth import safe_path
from dashboard.errors import NotAllowed, NotLoggedIn, StaleForm, TooLarge, TooManyLogins, TooManyStreams
from dashboard.headers import SECURITY
from dashboard.parts import parts_of
from telecare.errors import NotFound, Refused

log = logging.getLogger(__name__)

STATUS: Final[dict[type[Exception], int]] = {
    NotLoggedIn: 401,
    NotAllowed: 403,
    StaleForm: 403,
    NotFound: 404,
    Conflict: 409,
    Refused: 409,
    TooLarge: 413,
    Incomplete: 422,
    TooManyLogins: 429,
    TooManyStreams: 503,
    psycopg.OperationalError: 503,
}
DATABASE_DOWN: Final = "the database cannot be reached; what you did was not saved"


def is_for_programs(request: Request) -> bool:
    """Whether a problem document is the right answer, and not a page."""
    path = request.url.path
    return path == "/api" or path.startswith(("/api/", "/hooks/")) or path in ("/health", "/metrics")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """A problem document."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail} | more
    return JSONResponse(document, status, dict(headers or {}), "application/problem+json")


def _answer(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    if is_for_programs(request):
        return problem(status, detail, headers, **more)
    context = {"status": status, "title": HTTPStatus(status).phrase, "detail": detail}
    page = parts_of(request).pages.render(request, "error.html", status, context)
    page.headers.update(headers or {})
    return page


def _login_first(request: Request) -> Response:
    if is_for_programs(request):
        return problem(401, "log in first, or send a token", {"WWW-Authenticate": 'Bearer realm="telecare"'})
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET":  # the page that the form was on
        wanted = urlsplit(request.headers.get("referer", "")).path
    following = safe_path(wanted)
    return RedirectResponse(f"/login?next={quote(following)}" if following and following != "/" else "/login", 303)


async def _expected(request: Request, raised: Exception) -> Response:
    status = next(STATUS[kind] for kind in type(raised).__mro__ if kind in STATUS)
    if status == 401:
        return _login_first(request)
    more: dict[str, Any] = {}
    detail = str(raised)
    if isinstance(raised, Conflict):
        more = {"claimed_by": raised.claimed_by, "state": raised.state}
    elif isinstance(raised, Incomplete):
        more = {"problems": raised.problems}
    elif status == 503 and not isinstance(raised, TooManyStreams):
        log.warning("the database did not answer: %s", type(raised).__name__)
        detail = DATABASE_DOWN
    return _answer(request, status, detail, **more)


async def _invalid(request: Request, raised: Exception) -> Response:
    assert isinstance(raised, RequestValidationError)
    problems = []
    for error in raised.errors():
        where = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path"))
        problems.append(f"{where}: {error['msg']}" if where else str(error["msg"]))
    return _answer(request, 422, "; ".join(problems), problems=problems)


async def _http(request: Request, raised: Exception) -> Response:
    assert isinstance(raised, HTTPException)
    detail = {404: "there is nothing at this address", 405: "this address does not take that method"}
    return _answer(request, raised.status_code, detail.get(raised.status_code, raised.detail), raised.headers)


async def _bug(request: Request, raised: Exception) -> Response:
    # Starlette answers with this outside our middleware, and raises on, so that the server logs the trace.
    return _answer(request, 500, "something is wrong on our side; it has been logged", SECURITY)


def install(app: FastAPI) -> None:
    """Answer every error as this module says."""
    handlers: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]
    handlers = dict.fromkeys(STATUS, _expected)
    handlers |= {RequestValidationError: _invalid, HTTPException: _http, Exception: _bug}
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
