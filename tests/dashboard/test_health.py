"""/health tells the truth, and /metrics the figures."""

import json
from datetime import timedelta
from typing import Any

import httpx

from alerts.watchdog.domain import SERVICES
from dashboard.health import problems
from telecare.heartbeat import beat
from telecare.vocabulary import Role
from tests.dashboard.world import World, listening

SIGNS: dict[str, Any] = {"waiting": 0, "oldest_s": None, "overdue_s": None, "demo_roles": 6}


async def health(client: httpx.AsyncClient) -> tuple[int, list[str]]:
    answer = await client.get("/health")
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["status"] == ("well" if answer.status_code == 200 else "unwell")
    return answer.status_code, document["problems"]


async def test_it_is_well_when_all_services_live_and_nobody_waits(served: World, client: httpx.AsyncClient) -> None:
    status, found = await health(client)
    assert status == 503
    assert found == [f"{service} has never said that it lives" for service in (*SERVICES, "the watchdog")]
    await served.all_services_live()
    assert await health(client) == (200, [])


TROUBLES = [
    ("update service_heartbeats set at = now() - interval '11 s' where service = 'alerts'", "alerts has been silent"),
    ("update service_heartbeats set detail = '{}' where service = 'ingest'", "ingest does not hear its messages"),
    ("delete from service_heartbeats where service = 'ingest-readings'", "ingest-readings has never"),
    ("insert into alarms_waiting select id, now() - interval '11 s' from alarms", "alarms wait to become alerts"),
    ("insert into alarms_waiting select id, now() - interval '5 s' from alarms", ""),
    ("update alerts set due_at = now() - interval '31 s'", "past its deadline"),
    ("update alerts set due_at = now() - interval '20 s'", ""),
]
AMENDS = "delete from alarms_waiting; update alerts set due_at = now() + interval '1 min'"


async def test_each_trouble_is_named(served: World, client: httpx.AsyncClient) -> None:
    await served.alert("hub-1")
    for change, complaint in TROUBLES:
        await served.all_services_live()
        async with served.pool.connection() as conn:
            await conn.execute(AMENDS.encode())
            await conn.execute(change.encode())
        status, found = await health(client)
        assert status == (503 if complaint else 200), change
        assert [line for line in found if complaint in line] == found
        assert bool(found) is bool(complaint)


async def test_a_process_that_has_crashed_is_named_at_once(served: World, client: httpx.AsyncClient) -> None:
    await served.all_services_live()
    file = served.settings.data_dir / "status.json"
    for parts, complaint in (
        ([{"name": "alerts", "pid": 1, "state": "restarting"}], ["alerts is restarting"]),
        ([{"name": "alerts", "pid": 1, "state": "running"}, {"name": "simulate", "pid": 2, "state": "stopped"}], []),
    ):
        file.write_text(json.dumps({"parts": parts}), encoding="utf-8")
        assert (await health(client))[1] == complaint
    for broken in ("{", "[]", '{"parts": 5}', '{"parts": [{}]}'):
        file.write_text(broken, encoding="utf-8")
        assert (await health(client))[1] == []


async def test_a_demo_needs_its_users(world: World) -> None:
    await world.all_services_live()
    settings = world.settings.model_copy(update={"demo": True})
    async with listening(settings) as base, httpx.AsyncClient(base_url=base) as client:
        assert (await health(client))[1] == ["the demo users are not all there"]
        for role in Role:
            await world.add_colleague(f"demo-{role}", role, demo=True)
        assert await health(client) == (200, [])


async def test_times_are_compared_to_the_databases_own(world: World) -> None:
    async with world.pool.connection() as conn:
        for service in SERVICES:
            await beat(conn, service, {"subscribed": True})
        rows = await (await conn.execute("select service, at, detail from service_heartbeats")).fetchall()
    beats = {row[0]: {"at": row[1], "detail": row[2]} for row in rows}
    now = max(row[1] for row in rows)
    assert problems(now, SIGNS, beats, {}, demo=True) == []
    assert len(problems(now + timedelta(seconds=11), SIGNS, beats, {}, demo=True)) == len(SERVICES)


async def test_figures_for_prometheus(served: World, client: httpx.AsyncClient) -> None:
    await served.alert("hub-1", "fall")
    await served.all_services_live()
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        'telecare_alerts_open{priority="1"} 1.0', 'telecare_alerts_open{priority="2"} 0.0', "telecare_hubs 1.0",
        "telecare_hubs_online 1.0", "telecare_alarms_waiting 0.0", "telecare_unreadable_messages 0.0",
        'telecare_service_heartbeat_age_seconds{service="alerts"}', "process_resident_memory_bytes",
    ):  # fmt: skip
        assert line in answer.text, line


async def test_figures_are_for_this_machine_or_an_administrator(served: World, client: httpx.AsyncClient) -> None:
    from_elsewhere = {"X-Forwarded-For": "192.0.2.7"}  # as a proxy on this machine says
    assert (await client.get("/metrics", headers=from_elsewhere)).status_code == 401
    operator, admin = await served.token("operator"), await served.token("admin")
    assert (await client.get("/metrics", headers=from_elsewhere | operator)).status_code == 403
    assert (await client.get("/metrics", headers=from_elsewhere | admin)).status_code == 200


async def test_a_hub_not_heard_for_three_heartbeats_is_not_online(served: World, client: httpx.AsyncClient) -> None:
    async with served.pool.connection() as conn:
        await conn.execute("update hub_states set received_at = now() - interval '181 s'")
    assert "telecare_hubs_online 0.0" in (await client.get("/metrics")).text
