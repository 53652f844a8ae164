"""With whose things every route deals: each route with the ids of one's own people and of other people's.

Mary is the carer's person and lives in Anytown; Ravi is nobody's and lives in Otherham. A new route is tried with the
ids that its path names, for each role that it admits; one that names something else stops these tests until both
people have such a thing here.
"""

import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from alerts import actions, calls, handover_store, keys_store, tasks_store
from alerts.emergency import Service
from dashboard.access import ACCESS, Access, Reach
from telecare.db import database_now
from telecare.register import on_call
from telecare.register.on_call import NewOnCall
from telecare.rota import Duty
from telecare.vocabulary import Role
from tests.dashboard.outcomes.test_episodes import ENDED, GOOD, upload
from tests.dashboard.outcomes.town import Town
from tests.dashboard.test_carers import asked, invited, is_carer
from tests.dashboard.test_quality import sampled
from tests.dashboard.world import World
from tests.helpers import one, rows

TODAY: Final = date(2026, 11, 1)
NO_ONES: Final = {
    "{name}": "telecare.css",
    "{report}": "answering",
    "{step}": "claim",
    "{to}": "accepted",
    "{username}": "responder",
}  # in paths, and nobody's
# What a form or call must hold to be looked at as far as its ids.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "POST /episodes/{episode_id}": GOOD | {"started_on": "1/1/2025"} | ENDED | {"ended_on": "1/2/2025", "version": "1"},
    "POST /episodes/people/{person_id}/reference": {"reference": "NEW-1"},
    "POST /api/alerts/{alert_id}/calls/{call_id}/result": {"result": "spoke"},
    "POST /api/alerts/{alert_id}/emergency/{emergency_id}": {"news": "new-eta", "minutes": 5},
    "POST /api/alerts/{alert_id}/visits/{visit_id}": {"to": "accepted"},
    "POST /keys/{key_id}/back": {"witness": "Ann"},
    "POST /api/keys/{key_id}/back": {"witness": "Ann"},
    "POST /api/alerts/{alert_id}/key-safe": {"reader": "else", "whom": "A crew", "why": "At the door"},
    "POST /homes/{home_id}/keys": {"do": "held", "tag": "99", "kept": "Board"},
    "POST /tasks/{task_id}/done": {"how": "Rang"},
    "POST /api/tasks/{task_id}/done": {"how": "Rang"},
    "POST /people/{person_id}/state": {"state": "kit-fault", "note": "Battery"},
    "POST /people/{person_id}/recordings": {"given": "yes", "said": "On the phone"},
    "POST /people/{person_id}/escalation": {"service_type": "silver"},
    "POST /people/{person_id}/contacts": {
        "name": "New", "language": "English", "night": "unasked", "quiet_from": "22:00", "quiet_until": "7:00",
    },
    "POST /people/{person_id}/contacts/{contact_id}/rota": {
        "do": "absence", "first": "1/1/2027", "last": "2/1/2027", "why": "holiday",
    },
    "POST /people/{person_id}/contacts/{contact_id}/consent": {"said": "On the phone", "alerts": "yes"},
    "POST /api/people/{person_id}/contacts/{contact_id}/end": {"why": " "},
    "POST /carer/asks/{ask_id}": {"answer": "cannot"},
}  # fmt: skip
Ask = Callable[[str, str], Awaitable[httpx.Response]]
REFUSED: Final = (401, 403, 404)


@dataclass(frozen=True)
class Member:
    """Somebody who asks, and whose people they may reach."""

    username: str
    role: Role
    sees_mary: bool = True
    sees_ravi: bool = True


def members(access: Access) -> Iterator[Member]:
    """Who is tried on a route: one of each role that it admits, and of each council."""
    for role in sorted(access.roles):
        if access.reach is Reach.OWN:
            yield Member(role, role, sees_ravi=False)
            continue
        yield Member(role, role)
        if access.reach is Reach.OWN_VISITS:  # both are visits of the same responder
            yield Member("kim", role, sees_mary=False, sees_ravi=False)
        if access.reach is Reach.COUNCIL and role is Role.COMMISSIONER:
            yield Member("anytown", role, sees_ravi=False)
            yield Member("otherham", role, sees_mary=False)


async def device(world: World, username: str) -> UUID:
    """A browser in which this member lets us ring."""
    sql = """insert into push_subscriptions (id, staff_id, endpoint, p256dh, auth, created_at)
             select gen_random_uuid(), id, 'https://push.example/' || username, 'x', 'x', now() from staff
              where username = %s returning id"""
    found: UUID = await one(world.pool, sql, username)
    return found


async def things(town: Town) -> dict[str, tuple[str, str]]:
    """One of each thing that a path names: Mary's, and Ravi's."""
    world = town.world
    found: dict[str, list[str]] = {}
    await is_carer(world, "carer", "hub-1")
    await world.add_colleague("kim", Role.RESPONDER)
    council_of = dict(
        await rows(world.pool, "select n.name, h.council_id from hubs n join homes h on h.id = n.home_id")
    )
    for hub, council in (("hub-1", "anytown"), ("hub-2", "otherham")):
        sample = await sampled(world, hub, by="operator" if hub == "hub-1" else "admin")
        number, _ = await asked(world, hub)
        async with world.pool.connection() as conn:
            now = await database_now(conn)
            call = await calls.start(conn, world.settings, number, "operator", "landline", None, now)
            await calls.finish(conn, number, call, "operator", calls.Result.SILENCE, "", now)
            ambulance = await actions.call_service(conn, world.settings, number, "operator", Service.AMBULANCE, now)
            visit = await actions.dispatch(conn, world.settings, number, "operator", "responder", "", now)
            key = await keys_store.add(conn, world.homes[hub], f"K{number}", "Board", "operator", now)
            await keys_store.sign_out(conn, world.settings, number, visit, key, "Sam", "Ann", "operator", now)
            due = now + timedelta(days=1)
            new = NewOnCall(duty=Duty.SUPERVISOR, name=council, phone="07700 900555", council_id=council_of[hub])
            rung = await on_call.add(conn, new, "admin", now)
            given = await handover_store.give(conn, "operator", "All is well", [], now)
            task = await tasks_store.add(conn, "Ring", due, "operator", now, person_id=world.people[hub])
        episode = await town.add_episode(world.people[hub], council, TODAY, **GOOD | {"started_on": "1/1/2025"})
        async with world.browser_session(council) as browser:
            sent = await upload(browser, b"person,reason,started_on\nnobody,fall,1/1/2026\n")
        ids = {
            "{alert_id}": number,
            "{call_id}": call,
            "{emergency_id}": ambulance,
            "{visit_id}": visit,
            "{task_id}": task,
            "{on_call_id}": rung,
            "{key_id}": key,
            "{handover_id}": given,
            "{sample_id}": sample,
            "{ask_id}": await one(world.pool, "select id from asks where alert_id = %s", number),
            "{device_id}": await device(world, "carer" if hub == "hub-1" else "operator"),
            "{home_id}": world.homes[hub],
            "{person_id}": world.people[hub],
            "{contact_id}": world.contacts[hub],
            "{episode_id}": episode,
            "{import_id}": sent.headers["location"].rsplit("/", 1)[1],
        }
        for name, value in ids.items():
            found.setdefault(name, []).append(str(value))
    return {name: (marys, ravis) for name, (marys, ravis) in found.items()}


def names_in(path: str) -> list[str]:
    return [part for part in path.split("/") if part.startswith("{") and part not in NO_ONES]


def addresses(path: str, known: dict[str, tuple[str, str]]) -> Iterator[tuple[bool, bool, str]]:
    """The path with every mixture of Mary's and Ravi's ids; whether any is Mary's, and any Ravi's."""
    for name, value in NO_ONES.items():
        path = path.replace(name, value)
    names = names_in(path)
    for whose in itertools.product((0, 1), repeat=len(names)):
        address = path
        for name, which in zip(names, whose, strict=True):
            address = address.replace(name, known[name][which])
        yield 0 in whose, 1 in whose, address


async def ask(browser: httpx.AsyncClient, token: str, key: str, address: str) -> httpx.Response:
    if key.startswith("GET"):
        return await browser.get(address)
    body, headers = BODIES.get(key, {}), {"X-CSRF-Token": token}
    if address.startswith("/api/"):
        return await browser.post(address, content=json.dumps(body), headers=headers)
    return await browser.post(address, data=body, headers=headers)


async def everything(town: Town) -> dict[str, str]:
    """What the database holds, table by table; without heartbeats and sessions, which also the refused begin."""
    tables = await rows(town.world.pool, "select tablename from pg_tables where schemaname = 'public'")
    content = "select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {} t"
    return {
        table: await one(town.world.pool, content.format(table))
        for (table,) in tables
        if table not in ("sessions", "service_heartbeats")
    }


@asynccontextmanager
async def logged_in(town: Town) -> AsyncIterator[Callable[[Member], Awaitable[Ask]]]:
    """Gives each member's way of asking; everybody logs in once."""
    ways: dict[str, Ask] = {}

    async with AsyncExitStack() as stack:

        async def of(member: Member) -> Ask:
            if member.username not in ways:
                browser = await stack.enter_async_context(town.world.browser_session(member.username))
                page = await browser.get("/", follow_redirects=True)
                token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
                ways[member.username] = lambda key, address: ask(browser, token, key, address)
            return ways[member.username]

        yield of


async def test_every_route_with_ones_own_and_other_peoples_ids(town: Town) -> None:
    known = await things(town)
    tried: set[str] = set()
    cases: dict[bool, list[tuple[str, Member, str]]] = {True: [], False: []}
    for key, access in ACCESS.items():
        path = key.split(" ")[1]
        if access.reach in (Reach.NOBODY, Reach.LINK) or not names_in(path):
            continue
        tried.add(key)
        for member, (marys, ravis, address) in itertools.product(members(access), addresses(path, known)):
            refused = (marys and ravis) or (marys and not member.sees_mary) or (ravis and not member.sees_ravi)
            # A call is written down by who makes it, whoever else may see it.
            refused |= "{call_id}" in path and member.username != "operator"
            cases[refused].append((key, member, address))
    assert {key for key in ACCESS if names_in(key.split(" ")[1]) and "{token}" not in key} == tried
    async with logged_in(town) as way_of:
        before = await everything(town)
        for key, member, address in cases[True]:
            got = await (await way_of(member))(key, address)
            assert got.status_code == 404, (key, member, address, got.text[-300:])
            assert not any(name in got.text for name in ("Mary", "Ravi", "AT-0", "OH-0")), (key, member, address)
        assert await everything(town) == before
        for key, member, address in cases[False]:
            got = await (await way_of(member))(key, address)
            assert got.status_code not in REFUSED, (key, member, address, got.text[-300:])
            assert got.status_code < 500, (key, member, address, got.text[-300:])


async def test_pages_without_ids_show_ones_own_people_only(town: Town) -> None:
    await things(town)
    marys, ravis = ("Mary", "AT-0000", "Anytown Council"), ("Ravi", "OH-0000", "Otherham")
    shown = {}
    async with logged_in(town) as way_of:
        for key, access in ACCESS.items():
            method, path = key.split(" ")
            if method != "GET" or access.reach not in (Reach.OWN, Reach.COUNCIL) or names_in(path):
                continue
            for member in members(access):
                text = (await (await way_of(member))(key, path.replace("{report}", "answering"))).text
                assert member.sees_mary or not any(word in text for word in marys), (key, member)
                assert member.sees_ravi or not any(word in text for word in ravis), (key, member)
                shown[path, member.username] = text
    assert "Mary" in shown["/carer", "carer"]  # that is, there was something to see
    assert "Ravi" in shown["/episodes", "otherham"]


async def test_a_link_is_its_holders_whoever_else_is_logged_in(town: Town) -> None:
    """Links of messages need no login; a login gives no more by them than was sent."""
    _, question = await asked(town.world, "hub-2")
    links = {"/a/{token}": question, "/i/{token}": await invited(town.world, "hub-2")}
    assert {key.split(" ")[1] for key, access in ACCESS.items() if access.reach is Reach.LINK} == set(links)
    async with town.world.browser_session("carer") as browser:
        for link in links.values():
            assert (await browser.get(link)).status_code == 200
            forged = link[:-1] + ("A" if link[-1] != "A" else "B")
            assert (await browser.get(forged)).status_code == 404
            assert (await browser.post(forged, data={"answer": "cannot"})).status_code in (404, 409)
    assert await rows(town.world.pool, "select answer from asks") == [(None,)]


@pytest.mark.parametrize("key", [key for key, access in ACCESS.items() if access.reach is Reach.NOBODY])
def test_a_route_about_nobody_names_nobody(key: str) -> None:
    assert names_in(key.split(" ")[1]) == []
