"""Who may do what: every route, every role."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from dashboard.access import ACCESS, HOME_PAGE
from dashboard.app import create_app
from dashboard.auth import COOKIE, GuardedRoute, safe_path
from dashboard.headers import POLICY
from dashboard.login_limit import LoginLimit
from dashboard.static import StaticFiles
from telecare.ids import uuid7
from telecare.settings import Settings
from telecare.vocabulary import Role
from tests.dashboard.conftest import Away
from tests.dashboard.world import PASSWORD, World, csrf_of, listening


def routes() -> Iterator[tuple[str, str]]:
    for key in ACCESS:
        method, path = key.split(" ")
        yield method, path


def test_every_route_declares_whom_it_is_for() -> None:
    app: FastAPI = create_app(Settings())
    made = set()
    for route in app.routes:
        assert isinstance(route, GuardedRoute), f"{route} is not guarded"
        made |= {f"{method} {route.path}" for method in route.methods or ()}
    assert made == set(ACCESS)
    for key, access in ACCESS.items():
        assert access.public or access.roles, key


def test_a_route_that_is_not_declared_cannot_be_made() -> None:
    router = APIRouter(route_class=GuardedRoute)
    with pytest.raises(KeyError, match="GET /secret"):
        router.get("/secret")(lambda: "secret")
    assert APIRoute("/secret", lambda: "secret")  # it is our class that refuses


def filled(path: str, world: World, alert: int) -> str:
    values = {
        "{alert_id}": str(alert),
        "{home_id}": str(world.homes["hub-1"]),
        "{person_id}": str(world.people["hub-1"]),
        "{import_id}": str(world.people["hub-1"]),
        "{episode_id}": str(world.people["hub-1"]),
        "{report}": "answering",
        "{name}": "telecare.css",
        "{step}": "claim",
        "{to}": "accepted",
        "{contact_id}": str(world.contacts["hub-1"]),
        "{ask_id}": str(uuid7()),
        "{device_id}": str(uuid7()),
        "{call_id}": str(uuid7()),
        "{task_id}": "1",
        "{on_call_id}": str(uuid7()),
        "{key_id}": str(uuid7()),
        "{visit_id}": str(uuid7()),
        "{sample_id}": str(uuid7()),
        "{username}": "responder",
    }
    for name, value in values.items():
        path = path.replace(name, value)
    return path


async def status(client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str] | None = None) -> int:
    """The answer's status; a stream is left as soon as it has begun."""
    async with client.stream(method, path, headers=headers or {}) as answer:
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        return answer.status_code


async def test_every_route_admits_its_roles_and_nobody_else(served: World, client: httpx.AsyncClient) -> None:
    alert = await served.alert("hub-1")
    tokens = {role: await served.token(role.value) for role in Role}
    for method, path in routes():
        access = ACCESS[f"{method} {path}"]
        if access.public or access.local:
            continue
        address = filled(path, served, alert)
        anonymous = await client.request(method, address)
        if path.startswith("/api/"):
            assert anonymous.status_code == 401, (method, path)
            assert anonymous.headers["content-type"] == "application/problem+json"
        else:
            assert anonymous.status_code == 303, (method, path)
            assert anonymous.headers["location"].startswith("/login")
        for role in Role:
            got = await status(client, method, address, tokens[role])
            if role in access.roles:
                assert got not in (401, 403), (method, path, role)
            else:
                assert got == 403, (method, path, role)


async def test_a_password_opens_the_roles_own_page(served: World) -> None:
    for role in Role:
        async with served.browser_session(role.value) as browser:
            answer = await browser.get("/")
            assert answer.status_code == 303
            assert answer.headers["location"] == HOME_PAGE[role]
            assert (await browser.get(HOME_PAGE[role])).status_code == 200


async def test_wrong_logins_are_refused_in_the_same_words(served: World, client: httpx.AsyncClient) -> None:
    tries = [("operator", "wrong"), ("nobody", PASSWORD), ("operator", ""), ("a" * 500, "x"), ("nul\0", "x"), ("", "")]
    for username, password in tries:
        answer = await client.post("/login", data={"username": username, "password": password})
        assert answer.status_code == 422
        assert "The name or the password is not right" in answer.text
        assert COOKIE not in answer.cookies


async def test_guessing_is_slowed_down(world: World) -> None:
    settings = world.settings.model_copy(update={"login_attempts": 3})
    async with listening(settings) as base, httpx.AsyncClient(base_url=base) as client:
        wrong = {"username": "operator", "password": "wrong"}
        answers = await asyncio.gather(*(client.post("/login", data=wrong) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [422, 422, 422, 429, 429]
        right = await client.post("/login", data={"username": "operator", "password": PASSWORD})
        assert right.status_code == 429
        assert "Wait five minutes" in right.text


def test_the_limit_counts_tries_of_five_minutes_and_forgives_right_ones() -> None:
    limit = LoginLimit(2)
    keys = ("name a", "address b")
    assert limit.admit(keys, 0)
    limit.forgive(keys)
    assert limit.admit(keys, 1)
    assert limit.admit(keys, 2)
    assert not limit.admit(keys, 3)
    assert not limit.admit(("name c", "address b"), 4)
    assert limit.admit(("name a", "address d"), 301.5)


async def test_the_cookie_is_closed_to_scripts_and_other_sites(served: World, client: httpx.AsyncClient) -> None:
    answer = await client.post("/login", data={"username": "operator", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie  # over plain HTTP on this machine
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    unbelieved = await client.post("/login", data={"username": "operator", "password": PASSWORD}, headers=said)
    assert "secure" not in unbelieved.headers["set-cookie"].lower()  # anybody can say so
    settings = served.settings.model_copy(update={"trusted_proxies": "127.0.0.1"})
    async with listening(settings) as base, httpx.AsyncClient(base_url=base) as behind:
        believed = await behind.post("/login", data={"username": "operator", "password": PASSWORD}, headers=said)
    assert "secure" in believed.headers["set-cookie"].lower()
    assert "max-age" in believed.headers["strict-transport-security"]


async def test_login_from_another_site_is_refused(served: World, client: httpx.AsyncClient) -> None:
    form = {"username": "operator", "password": PASSWORD}
    answer = await client.post("/login", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


async def test_login_leads_where_one_wanted_to_go_and_never_to_another_site(
    served: World, client: httpx.AsyncClient
) -> None:
    asked = await client.get("/homes?q=mill")
    assert asked.headers["location"] == "/login?next=/homes%3Fq%3Dmill"
    form = {"username": "operator", "password": PASSWORD}
    for wanted, leads in (
        ("/homes?q=mill", "/homes?q=mill"),
        ("//evil.example", "/console"),
        ("https://evil.example", "/console"),
        ("/\\evil.example", "/console"),
        ("/a\r\nSet-Cookie: x=y", "/console"),
    ):
        answer = await client.post("/login", data=form | {"next": wanted})
        assert answer.headers["location"] == leads
    assert safe_path("") is None


async def test_a_session_ends_by_logging_out_by_time_and_with_the_member(served: World) -> None:
    async with served.browser_session("operator") as browser:
        token = await csrf_of(browser, "/console")
        key = browser.cookies[COOKIE]
        assert (await browser.post("/logout", data={"csrf_token": token})).status_code == 303
        assert (await browser.get("/console", headers={"Cookie": f"{COOKIE}={key}"})).status_code == 303
    for change in (
        "update sessions set ends_at = now() - interval '1 s'",
        "update staff set active = false where username = 'operator'",
    ):
        async with served.browser_session("operator") as browser:
            assert (await browser.get("/console")).status_code == 200
            async with served.pool.connection() as conn:
                await conn.execute(change.encode())
            assert (await browser.get("/console")).status_code == 303


async def test_a_session_lasts_as_long_as_the_setting_says(served: World) -> None:
    async with served.browser_session("operator"), served.pool.connection() as conn:
        row = await (await conn.execute("select ends_at - created_at from sessions")).fetchone()
    assert row == (timedelta(hours=12),)


async def test_the_database_knows_neither_cookie_nor_token(served: World) -> None:
    headers = await served.token("operator")
    async with served.browser_session("operator") as browser, served.pool.connection() as conn:
        sessions = await (await conn.execute("select key_hash::text from sessions")).fetchall()
        tokens = await (await conn.execute("select token_hash::text from staff_tokens")).fetchall()
        kept = str(sessions + tokens)
        assert browser.cookies[COOKIE].encode().hex() not in kept
        assert headers["Authorization"].removeprefix("Bearer ").encode().hex() not in kept


async def test_a_form_needs_its_sessions_token(served: World) -> None:
    alert = await served.alert("hub-1")
    async with served.browser_session("operator") as browser, served.browser_session("supervisor") as other:
        mine, theirs = await csrf_of(browser, "/console"), await csrf_of(other, "/console")
        step, api = f"/console/alerts/{alert}/claim", f"/api/alerts/{alert}/claim"
        for given in ({}, {"csrf_token": ""}, {"csrf_token": theirs}, {"csrf_token": "wröng"}):
            assert (await browser.post(step, data=given)).status_code == 403
        assert (await browser.post(api, json={})).status_code == 403
        assert (await browser.post(api, json={}, headers={"X-CSRF-Token": theirs})).status_code == 403
        assert (await browser.post("/logout")).status_code == 403
        assert (await browser.post(api, json={}, headers={"X-CSRF-Token": mine})).status_code == 200
        assert (await browser.post(step, data={"csrf_token": mine})).status_code == 303


async def test_a_wrong_token_is_refused_even_beside_a_session(served: World) -> None:
    async with served.browser_session("operator") as browser:
        for value in ("Bearer wrong", "Bearer", "Basic b3BlcmF0b3I6eA==", "nonsense"):
            answer = await browser.get("/api/alerts", headers={"Authorization": value})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_revoked_token_ends_at_once(served: World, client: httpx.AsyncClient) -> None:
    headers = await served.token("operator")
    assert (await client.get("/api/alerts", headers=headers)).status_code == 200
    async with served.pool.connection() as conn:
        await conn.execute("update staff_tokens set revoked_at = now()")
    assert (await client.get("/api/alerts", headers=headers)).status_code == 401


async def test_more_than_a_form_holds_is_refused(served: World, client: httpx.AsyncClient) -> None:
    headers = await served.token("operator")
    answer = await client.post("/api/alerts/1/claim", content=b"x" * 70_000, headers=headers)
    assert answer.status_code == 413
    assert (await client.post("/login", content=b"x" * 70_000)).status_code == 413


async def test_pages_are_not_kept_and_static_files_are(served: World, client: httpx.AsyncClient) -> None:
    assert (await client.get("/login")).headers["cache-control"] == "no-store"
    assert "immutable" in (await client.get("/static/telecare.css?v=1")).headers["cache-control"]
    for name in ("../app.py", "%2e%2e/app.py", "..%2fapp.py", "vendor", "README.md", "none.css"):
        assert (await client.get(f"/static/{name}")).status_code == 404


async def test_without_the_design_system_pages_come_plain(served: World, client: httpx.AsyncClient) -> None:
    text = (await client.get("/login")).text
    assert ("govuk-frontend.min.css" in text) is StaticFiles(served.settings.data_dir).has_design_system


async def test_the_time_of_a_login_does_not_tell_which_names_exist(served: World, client: httpx.AsyncClient) -> None:
    async def seconds(username: str) -> float:
        begun = time.perf_counter()
        await client.post("/login", data={"username": username, "password": "wrong"})
        return time.perf_counter() - begun

    await seconds("nobody")  # the first unknown name makes the hash that the others are checked against
    known, unknown = await seconds("operator"), await seconds("nobody")
    assert 0.2 < known / unknown < 5


async def test_a_database_that_is_away_is_said_plainly(served: World, client: httpx.AsyncClient, away: Away) -> None:
    headers = await served.token("operator")
    async with served.browser_session("operator") as browser, away():
        answer, page, health = await asyncio.gather(
            client.get("/api/alerts", headers=headers), browser.get("/console"), client.get("/health")
        )
    assert answer.status_code == page.status_code == health.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "the database cannot be reached" in answer.text
    assert "The database cannot be reached" in page.text
    assert health.json()["problems"] == ["the database cannot be reached"]


async def test_a_bug_is_answered_without_its_trace(served: World, client: httpx.AsyncClient) -> None:
    headers = await served.token("operator")
    async with served.pool.connection() as conn:
        await conn.execute("alter table alerts rename column reason to gone")
    answer = await client.get("/api/alerts", headers=headers)
    assert answer.status_code == 500
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.json()["title"] == "Internal Server Error"
    assert "reason" not in answer.text
    async with served.browser_session("operator") as browser:
        page = await browser.get("/console")
    assert page.status_code == 500
    assert page.headers["content-security-policy"] == POLICY
    assert "Something is wrong on our side" in page.text
    assert "psycopg" not in page.text
