"""The live feed: what changed, in order, once; from where one left off."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from alerts import queue
from dashboard import models, stream
from dashboard.stream import RESYNC_AFTER, Feed
from telecare.db import database_now
from telecare.ending import end_tasks
from tests.dashboard.world import World, listening


@dataclass
class Event:
    """One server-sent event."""

    name: str
    id: int
    data: Any


class Events:
    """Reads a stream event by event."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self, *names: str, within_s: float = 5) -> Event:
        """The next event, or the next of these names."""
        async with asyncio.timeout(within_s):
            while True:
                fields = {}
                async for line in self._lines:
                    if not line:
                        break
                    name, _, value = line.partition(": ")
                    fields[name] = value
                else:
                    raise EOFError
                if "event" in fields and (not names or fields["event"] in names):
                    return Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))


@asynccontextmanager
async def events(world: World, headers: dict[str, str], last: int | None = None) -> AsyncIterator[Events]:
    resume = {} if last is None else {"Last-Event-ID": str(last)}
    async with (
        httpx.AsyncClient(base_url=world.base, timeout=20) as client,
        client.stream("GET", "/api/alerts/stream", headers=headers | resume) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield Events(answer.aiter_lines())


async def test_a_change_is_heard_at_once(served: World) -> None:
    headers = await served.token("responder")
    async with events(served, headers) as heard:
        assert (await heard.next()).name == "beat"
        number = await served.alert("hub-1", "fall")
        event = await heard.next("alert", within_s=2)
        assert event.data["id"] == number
        models.ListedAlert.model_validate(event.data)
        await served.claim(number)
        later = await heard.next("alert", within_s=2)
        assert (later.data["state"], later.data["claimed_by"]) == ("claimed", "operator")
        assert later.id > event.id


async def test_a_new_stream_begins_now(served: World) -> None:
    await served.alert("hub-1")
    async with events(served, await served.token("operator")) as heard:
        beat = await heard.next()
        number = await served.alert("hub-1")
        event = await heard.next("alert")
        assert event.id == beat.id + 1
        assert (event.data["id"], event.data["alarm_count"]) == (number, 2)


async def test_a_stream_goes_on_where_it_was_left(served: World) -> None:
    headers = await served.token("operator")
    async with events(served, headers) as heard:
        start = (await heard.next()).id
    for _ in range(3):
        await served.alert("hub-1")
    async with events(served, headers, start) as heard:
        await served.alert("hub-1")
        got = [(await heard.next("alert")).id for _ in range(4)]
    assert got == [start + 1, start + 2, start + 3, start + 4]


async def test_too_far_behind_or_ahead_means_reading_anew(served: World) -> None:
    headers = await served.token("operator")
    number = await served.alert("hub-1")
    async with served.pool.connection() as conn:
        cursor = await conn.execute(
            "update alert_event_counter set n = n + %s returning n - %s", (RESYNC_AFTER, RESYNC_AFTER)
        )
        row = await cursor.fetchone()
        assert row is not None
        await conn.execute(
            "insert into alert_events (n, alert_id, at) select %s + g, %s, now() from generate_series(1, %s) g",
            (row[0], number, RESYNC_AFTER),
        )
        newest = await queue.last_event(conn)
    async with listening(served.settings) as served.base:
        for last in (0, newest + 5):
            async with events(served, headers, last) as heard:
                event = await heard.next("resync")
                assert event.id == newest
        async with events(served, headers, newest - RESYNC_AFTER) as heard:
            for expected in range(newest - RESYNC_AFTER + 1, newest + 1):
                assert (await heard.next("alert")).id == expected


async def test_what_is_not_kept_any_more_means_reading_anew(served: World) -> None:
    headers = await served.token("operator")
    for _ in range(4):
        await served.alarm("hub-1")
    async with served.pool.connection() as conn:
        newest = await queue.last_event(conn)
        await conn.execute("delete from alert_events where n < %s", (newest - 1,))
    async with listening(served.settings) as served.base:
        async with events(served, headers, newest - 3) as heard:
            assert (await heard.next("resync")).id == newest
        async with events(served, headers, newest - 2) as heard:
            assert [(await heard.next("alert")).id for _ in range(2)] == [newest - 1, newest]


async def test_it_says_regularly_that_it_lives(world: World) -> None:
    settings = world.settings.model_copy(update={"beat_s": 0.2})
    async with listening(settings) as world.base, events(world, await world.token("operator")) as heard:
        for _ in range(4):
            assert (await heard.next(within_s=1)).name == "beat"


async def test_a_nonsense_last_event_id_is_a_new_stream(served: World, client: httpx.AsyncClient) -> None:
    headers = await served.token("operator")
    for given in ("abc", "-1", "9" * 30, ""):
        async with client.stream("GET", "/api/alerts/stream", headers=headers | {"Last-Event-ID": given}) as answer:
            assert answer.status_code == 200


async def test_open_streams_do_not_hold_the_stop(world: World) -> None:
    headers = await world.token("operator")
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(timeout=20) as client:
        async with listening(world.settings) as base:
            answers = [
                await client.send(
                    client.build_request("GET", f"{base}/api/alerts/stream", headers=headers), stream=True
                )
                for _ in range(5)
            ]
            begun = loop.time()
        assert loop.time() - begun < 3
        for answer in answers:
            await answer.aread()  # ended, not cut off


async def test_a_stream_ends_with_its_session(world: World) -> None:
    quick = world.settings.model_copy(update={"who_every_s": 0.001})
    async with (
        listening(quick) as world.base,
        world.browser_session("operator") as browser,
        browser.stream("GET", "/api/alerts/stream") as answer,
    ):
        heard = Events(answer.aiter_lines())
        await heard.next()
        async with world.pool.connection() as conn:
            await conn.execute("delete from sessions")
        await world.alert("hub-1")
        with pytest.raises(EOFError):
            await heard.next("alert", within_s=3)


async def test_changes_are_heard_without_notifications(served: World) -> None:
    headers = await served.token("operator")
    async with events(served, headers) as heard:
        beat = await heard.next()
        number = await served.alert("hub-1")
        await heard.next("alert")
        async with served.pool.connection() as conn:  # as if the notification had been lost
            await conn.execute("update alert_event_counter set n = n + 1")
            await conn.execute("insert into alert_events values (%s, %s, now())", (beat.id + 2, number))
        assert (await heard.next("alert", within_s=stream.POLL_S + 2)).id == beat.id + 2


async def test_a_reader_that_does_not_read_is_bounded_and_holds_nobody(world: World) -> None:
    number = await world.alert("hub-1")
    feed = Feed(world.pool, world.settings.database, 5)
    await feed.start()
    slow = feed.stream(None)
    first = await anext(slow)
    assert "event: beat" in first
    async with world.pool.connection() as conn:
        now = await database_now(conn)
        await conn.execute(
            """with c as (update alert_event_counter set n = n + 1500 returning n)
               insert into alert_events select c.n - 1500 + g, %s, %s from c, generate_series(1, 1500) g""",
            (number, now),
        )
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(10):
        while feed.position <= 1500:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        while "event: resync" not in await anext(slow):
            pass
    feed.close()
    assert [event async for event in slow] == []
    assert feed.streams == 0
    await end_tasks([running])


async def test_no_beat_while_the_database_is_mute(world: World) -> None:
    feed = Feed(world.pool, world.settings.database, 0.2, believed_s=0.2)
    await feed.start()  # and never runs: nothing is read any more
    heard = feed.stream(None)
    await anext(heard)
    beats = 0
    try:
        async with asyncio.timeout(1.5):
            while True:
                assert "event: beat" in await anext(heard)
                beats += 1
    except TimeoutError:
        assert beats <= 2
