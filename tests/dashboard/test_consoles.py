"""Screens that are connected: written down while their stream is open, and their page says whose alert it was."""

import socket
from datetime import timedelta

import httpx

from dashboard.server import _end_what_nobody_takes
from telecare.vocabulary import Role
from tests.dashboard.test_stream import Events, events
from tests.dashboard.world import World, listening
from tests.helpers import one, rows, until

COUNT = "select count(*) from consoles where {}"


def quick(world: World) -> World:
    world.settings = world.settings.model_copy(update={"console_beat_s": 0.05, "beat_s": 0.1})
    return world


async def test_a_screen_is_seen_while_its_stream_is_open_and_its_end_is_told(world: World) -> None:
    async with listening(quick(world).settings) as world.base, world.browser_session("operator") as browser:
        async with browser.stream("GET", "/api/alerts/stream") as answer:
            heard = Events(answer.aiter_lines())
            await heard.next()
            await until(lambda: there(world, "closed_at is null"))
            first = await one(world.pool, "select seen_at from consoles")
            await until(lambda: there(world, "closed_at is null and seen_at > %s", first))
        await until(lambda: there(world, "closed_at is not null"))
    assert await rows(world.pool, "select username, seen_at = closed_at from consoles") == [("operator", True)]
    assert await one(world.pool, "select well_since is not null from service_heartbeats where service = 'dashboard'")


async def there(world: World, where: str, *values: object) -> bool:
    return await one(world.pool, COUNT.format(where), *values) == 1


async def test_a_programs_stream_is_no_screen(world: World) -> None:
    headers = await world.token("operator")
    async with listening(quick(world).settings) as world.base, events(world, headers) as heard:
        for _ in range(4):
            await heard.next("beat")
    assert await one(world.pool, "select count(*) from consoles") == 0


async def test_every_page_of_an_operator_is_a_screen_and_only_of_them(served: World) -> None:
    for role, path, script in (
        (Role.OPERATOR, "/homes", "present.js"), (Role.OPERATOR, "/console", "console.js"),
        (Role.SUPERVISOR, "/commissioning", "present.js"), (Role.ADMIN, "/homes", None), (Role.CARER, "/carer", None),
    ):  # fmt: skip
        async with served.browser_session(role) as browser:
            text = (await browser.get(path)).text
            assert [name for name in ("present.js", "console.js") if name in text] == ([script] if script else [])
            if script:
                assert (await browser.get(f"/static/{script}")).status_code == 200


async def test_the_queue_says_whose_it_was(served: World) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    async with served.pool.connection() as conn:
        await conn.execute(
            """update alerts set state = 'raised', claimed_by = null, claimed_at = null, was_with = 'operator';
               insert into alert_log (alert_id, at, who, what, detail)
               select id, now(), 'system', 'claim-expired', '{"was_with": "Operator One"}' from alerts"""
        )
    async with served.browser_session("supervisor") as browser:
        assert "was with Operator One" in (await browser.get("/console")).text
        text = (await browser.get(f"/console/alerts/{number}")).text
        assert "it was with Operator One, whose screen is no longer connected" in text
        assert "Claim ran out" in text


async def test_a_connection_whose_other_end_takes_nothing_is_ended() -> None:
    """What is accepted inherits the option: shown by asking the kernel."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _end_what_nobody_takes(listener, 15)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 15_000


async def test_a_screen_that_the_database_did_not_take_is_told_again(world: World) -> None:
    """A beat that fails is made up for: the age of a stream is counted by our own clock."""
    async with listening(quick(world).settings) as world.base, world.browser_session("operator") as browser:
        async with world.pool.connection() as conn:
            await conn.execute("alter table consoles rename to consoles_gone")
        async with browser.stream("GET", "/api/alerts/stream") as answer:
            heard = Events(answer.aiter_lines())
            await heard.next()
            for _ in range(3):
                await heard.next("beat")
        async with world.pool.connection() as conn:
            await conn.execute("alter table consoles_gone rename to consoles")
        await until(lambda: there(world, "closed_at is not null"))
    lasted = await one(world.pool, "select closed_at - opened_at from consoles")
    assert timedelta(seconds=0.2) < lasted < timedelta(seconds=30)


async def test_health_does_not_ask_for_screens(served: World, client: httpx.AsyncClient) -> None:
    await served.all_services_live()
    assert (await client.get("/health")).status_code == 200
