"""Who is asking: sessions for people, tokens for programs, and the check that every route makes first."""

import dataclasses
import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection
from starlette.types import Message

from dashboard import kept_forms, store
from dashboard.access import ACCESS, HOME_PAGE, Access
from dashboard.errors import NotAllowed, NotLoggedIn, StaleForm, TooLarge, TooManyLogins
from dashboard.parts import database, parts_of
from telecare.register import staff
from telecare.register.staff import Member

COOKIE: Final = "telecare_session"
BODY_LIMIT: Final = 64 * 1024  # bytes; the largest form is a note of 4000 characters
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_NAME_LIMIT: Final = 64  # characters of a user name
_PASSWORD_LIMIT: Final = 1000

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is asking. `csrf` is the session's form token; a program with a token has no session."""

    member: Member
    csrf: str | None = None


class GuardedRoute(APIRoute):
    """A route that checks who is asking before anything of the request is looked at."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        (method,) = self.methods or {"GET"}
        access = ACCESS[f"{method} {self.path}"]

        async def guarded(request: Request) -> Response:
            try:
                visitor = await _admit(request, access)
            except NotLoggedIn:
                if not _may_keep(request, access):
                    raise
                form = await _kept(await _with_whole_body(request, BODY_LIMIT))
                if form is None:
                    raise
                return _login_page(request, form=form, status=401)
            request.state.visitor = visitor
            if method == "POST":
                limit = parts_of(request).settings.import_bytes if access.upload else BODY_LIMIT
                request = await _with_whole_body(request, limit)
            try:
                if method == "POST" and visitor is not None and visitor.csrf is not None:
                    try:
                        await _check_form_token(request, visitor.csrf)
                    except StaleForm:
                        form = await _kept(request) if _may_keep(request, access) else None
                        if form is None:
                            raise
                        return _kept_page(request, form, visitor.csrf, "The page was out of date.", 403)
                return await handler(request)
            finally:
                await request.close()  # a file that was sent

        return guarded


router = APIRouter(route_class=GuardedRoute)


def visitor_of(request: HTTPConnection) -> Visitor:
    """Who is asking, on a route that is not public."""
    visitor = request.state.visitor
    assert isinstance(visitor, Visitor)
    return visitor


async def find_visitor(request: HTTPConnection) -> Visitor | None:
    """Whose token or session this request carries, or None."""
    given = request.headers.get("authorization")
    async with database(request) as (conn, now):
        if given is not None:
            scheme, _, token = given.partition(" ")
            member = await staff.member_with_token(conn, token.strip()) if scheme.lower() == "bearer" else None
            return None if member is None else Visitor(member)
        key = request.cookies.get(COOKIE)
        if not key:
            return None
        found = await store.session(conn, _digest(key), now)
        return None if found is None else Visitor(*found)


async def _admit(request: Request, access: Access) -> Visitor | None:
    if access.public or (access.local and _is_local(request)):
        return None
    visitor = await find_visitor(request)
    if visitor is None:
        raise NotLoggedIn("log in first")
    if visitor.member.role not in access.roles:
        raise NotAllowed(f"this is not for the role {visitor.member.role}")
    return visitor


def _is_local(request: Request) -> bool:
    """Whether this comes from our own machine, and not through a proxy on it from anywhere."""
    if any(header in request.headers for header in ("x-forwarded-for", "forwarded", "via")):
        return False
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def _with_whole_body(request: Request, limit: int) -> Request:
    """The request with its body read, up to the limit. No body at all is an empty object where JSON is expected."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"at most {limit // 1024} KiB are taken")
    scope = dict(request.scope)
    if request.url.path.startswith("/api/"):
        body = body or bytearray(b"{}")
        # An API call is JSON whatever a program's library calls it.
        others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
        scope["headers"] = [*others, (b"content-type", b"application/json")]
    complete = bytes(body)

    async def receive() -> Message:
        return {"type": "http.request", "body": complete, "more_body": False}

    return Request(scope, receive)


async def _check_form_token(request: Request, expected: str) -> None:
    given = request.headers.get("x-csrf-token")
    if given is None and not request.url.path.startswith("/api/"):
        field = (await request.form()).get("csrf_token")
        given = field if isinstance(field, str) else None
    if given is None or not hmac.compare_digest(given.encode(), expected.encode()):
        raise StaleForm("this form is out of date: load the page again and repeat what you did")


def _may_keep(request: Request, access: Access) -> bool:
    """Whether what was entered goes on with a form that cannot be taken as it came: one of our own pages'."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    ours = request.method == "POST" and kind == FORM_TYPE and not from_another_site(request)
    return ours and kept_forms.can_keep(request.url.path, access)


async def _kept(request: Request) -> kept_forms.Kept | None:
    page = safe_path(urlsplit(request.headers.get("referer", "")).path) or ""
    return kept_forms.kept(request.url.path, page, await request.form())


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


# ---------------------------------------------------------------- pages


@router.get("/login", include_in_schema=False)
async def login_form(request: Request) -> Response:
    """The login form."""
    return _login_page(request)


@router.post("/login", include_in_schema=False)
async def log_in(request: Request) -> Response:
    """Check name and password, and begin a session."""
    # Another site's page may not log our user in as somebody else.
    if from_another_site(request):
        raise StaleForm("log in from our own page")
    form = await request.form()
    entered = kept_forms.carried(form)
    username, password = (str(form.get(name, "")) for name in ("username", "password"))
    try:
        member = await _check_password(request, username.strip().lower(), password)
    except TooManyLogins as problem:
        return _login_page(request, username=username, problem=str(problem), form=entered, status=429)
    if member is None:
        wrong = "The name or the password is not right"
        return _login_page(request, username=username, problem=wrong, form=entered, status=422)
    token = secrets.token_urlsafe(32)
    if entered is not None and safe_path(entered.path):
        response = _kept_page(request, entered, token, "Your session had ended.", 200)
    else:
        response = RedirectResponse(safe_path(str(form.get("next", ""))) or HOME_PAGE[member.role], 303)
    await begin_session(request, response, member, token)
    return response


async def begin_session(request: Request, response: Response, member: Member, token: str | None = None) -> None:
    """Log a member in: a session in the database, its key in the response's cookie; `token` goes with its forms."""
    key = secrets.token_urlsafe(32)
    lasts = timedelta(hours=parts_of(request).settings.session_hours)
    async with database(request) as (conn, now):
        await store.begin_session(conn, _digest(key), member.id, token or secrets.token_urlsafe(32), now, now + lasts)
        if old := request.cookies.get(COOKIE):
            await store.end_session(conn, _digest(old))
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, key, max_age=int(lasts.total_seconds()), httponly=True, samesite="lax", secure=secure)


def from_another_site(request: Request) -> bool:
    """Whether a browser says that another site's page sent this."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


@router.post("/logout", include_in_schema=False)
async def log_out(request: Request) -> Response:
    """End the session."""
    if key := request.cookies.get(COOKIE):
        async with database(request) as (conn, _):
            await store.end_session(conn, _digest(key))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response


@router.get("/", include_in_schema=False)
async def own_page(request: Request) -> Response:
    """Everyone's own page."""
    return RedirectResponse(HOME_PAGE[visitor_of(request).member.role], 303)


def _login_page(
    request: Request,
    *,
    username: str = "",
    problem: str = "",
    form: kept_forms.Kept | None = None,
    status: int = 200,
) -> Response:
    following = safe_path(request.query_params.get("next", "")) or ""
    context = {"username": username, "problem": problem, "next": following, "kept": form, "names": kept_forms}
    return parts_of(request).pages.render(request, "login.html", status, context)


def _kept_page(request: Request, form: kept_forms.Kept, token: str, why: str, status: int) -> Response:
    page = safe_path(form.page) or "/"
    context = {"kept": dataclasses.replace(form, page=page), "token": token, "why": why}
    return parts_of(request).pages.render(request, "kept.html", status, context)


async def _check_password(request: Request, username: str, password: str) -> Member | None:
    parts = parts_of(request)
    address = request.client.host if request.client else "unknown"
    keys = (f"name {username[:_NAME_LIMIT]}", f"address {address}")
    if not parts.logins.admit(keys, time.monotonic()):
        raise TooManyLogins("Too many failed logins. Wait five minutes and try again")
    if len(username) > _NAME_LIMIT or len(password) > _PASSWORD_LIMIT or "\0" in username:
        return None
    async with parts.hashing, parts.pool.connection() as conn:
        member = await staff.log_in(conn, username, password)
    if member is not None:
        parts.logins.forgive(keys)
    return member


def safe_path(given: str) -> str | None:
    """`given` where it is a path on this service, else None."""
    if not given.startswith("/") or given.startswith("//") or not given.isprintable() or "\\" in given:
        return None
    parts = urlsplit(given)
    return given if not parts.scheme and not parts.netloc else None
