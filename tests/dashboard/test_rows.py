"""Rows of the queue: drawn once, in the queue's order, and fitted to whoever looks."""

import json
from datetime import timedelta
from typing import Any

import httpx

from alerts import queue
from dashboard.rows import Rows, fit, group, sort_key
from telecare.db import database_now
from tests.dashboard.test_stream import Events
from tests.dashboard.world import NASTY, World


async def test_a_row_is_drawn_again_only_when_it_shows_something_else(world: World) -> None:
    drawn: list[int] = []

    def render(template: str, context: dict[str, Any]) -> str:
        drawn.append(context["alert"]["id"])
        return f"row {len(drawn)}"

    rows, number = Rows(render), await world.alert("hub-1")

    async def row() -> str:
        async with world.pool.connection() as conn:
            now = await database_now(conn)
            return (await rows.draw(conn, await queue.open_alerts(conn, now), now))[number]

    assert [await row(), await row()] == ["row 1", "row 1"]
    await world.claim(number)
    assert [await row(), await row()] == ["row 2", "row 2"]
    await world.alarm("hub-1")
    assert await row() == "row 3"
    assert drawn == [number] * 3


async def test_rows_lie_in_the_order_of_the_queue(world: World) -> None:
    for hub, kind in (("hub-2", "fall"), ("hub-3", "button"), ("hub-4", "battery-low"), ("hub-5", "inactivity")):
        await world.add_home(hub)
        await world.alert(hub, kind)
    await world.alert("hub-1")
    async with world.pool.connection() as conn:
        found = await queue.open_alerts(conn, await database_now(conn))
    keys = [sort_key(one) for one in found]
    assert keys == sorted(keys)
    assert [group(one) for one in found] == ["live"] * 4 + ["technical"]
    earlier = found[1] | {"raised_at": found[1]["raised_at"] - timedelta(days=9000), "id": 10**9}
    assert sort_key(earlier) < keys[1]


def test_only_ones_own_row_says_so_and_only_the_form_gets_the_token() -> None:
    row = '<p class="owner" data-owner="op">Ann has this</p><input name="csrf_token" value="" data-csrf>'
    fake = "&lt;p class=&#34;owner&#34; data-owner=&#34;op&#34;&gt;x value=&#34;&#34; data-csrf"  # as a name comes
    assert fit({1: row + fake}, "op", "t0k")[1] == (
        '<p class="owner" data-owner="op">You have this</p><input name="csrf_token" value="t0k">' + fake
    )
    assert "Ann has this" in fit({1: row}, "other", "t0k")[1]


async def test_a_console_gets_the_row_with_the_change_and_a_program_does_not(served: World) -> None:
    await served.add_home("hub-2", NASTY)
    headers = await served.token("operator")
    async with (
        httpx.AsyncClient(base_url=served.base, timeout=20, headers=headers) as client,
        client.stream("GET", "/api/alerts/stream?rows=true") as console,
        client.stream("GET", "/api/alerts/stream") as program,
    ):
        screen, other = Events(console.aiter_lines()), Events(program.aiter_lines())
        await screen.next("beat")
        await other.next("beat")
        number = await served.alert("hub-2")
        event = await screen.next("alert")
        assert f'id="alert-{number}"' in event.data["row"]
        assert NASTY not in event.data["row"]
        assert "row" not in (await other.next("alert")).data
        await served.claim(number)
        await served.close(number)
        rows = []
        while not rows or rows[-1] is not None:
            rows.append((await screen.next("alert")).data["row"])
        assert any("Operator One has this" in json.dumps(one) for one in rows)
