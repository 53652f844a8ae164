"""A running system notices by itself: nothing moves in a home, and a hub falls silent."""

import asyncio
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from typing import Any

import psycopg
import pytest

from telecare.mqtt import client_for
from telecare.settings import load_settings
from tests.system import running as up


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[up.System]:
    with up.running(tmp_path_factory.mktemp("patterns") / "data", "--homes", "0") as made:
        yield made


def post_form(system: up.System, path: str, fields: dict[str, str]) -> str:
    """Fill in a form as an operator does, without script; the page that it leads to."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def send(to: str, values: dict[str, str] | None = None) -> str:
        body = urllib.parse.urlencode(values).encode() if values is not None else None
        with browser.open(system.url + to, body, timeout=10) as answer:
            return str(answer.read().decode())

    send("/login", {"username": "operator", "password": "demo-only"})
    token = re.search(r'name="csrf_token" value="([^"]+)"', send(path))
    assert token is not None
    return send(path, fields | {"csrf_token": token[1]})


async def tell(hub: dict[str, str], *messages: tuple[str, object]) -> None:
    """What the hub publishes: (channel, payload) each."""
    url = hub["mqtt_url"].replace("mqtt://", f"mqtt://{hub['hub']}:{hub['secret']}@")
    async with client_for(url) as client:
        for channel, payload in messages:
            await client.publish(f"telecare/v1/{hub['hub']}/{channel}", json.dumps(payload).encode(), qos=1)


def state(heartbeat_s: int) -> tuple[str, object]:
    return "state", {"online": True, "session": 1, "outbox": 0, "heartbeat_s": heartbeat_s}


def reason_of(system: up.System, hub: dict[str, str], kind: str, within_s: float) -> dict[str, Any]:
    """The open alert of this kind in the hub's home, once it is there."""
    token = str(system.command("user", "token", "operator")["token"])
    found: list[dict[str, Any]] = []

    def there() -> bool:
        alerts = system.get("/api/alerts?state=open", token)["alerts"]
        found[:] = [one for one in alerts if one["home"] == hub["home"] and one["kind"] == kind]
        return bool(found)

    up.wait_until(there, within_s)
    whole: dict[str, Any] = system.get(f"/api/alerts/{found[0]['id']}", token)
    return whole


def test_no_movement_for_as_long_as_the_plan_says(system: up.System) -> None:
    hub = system.command("hub-enrol", "quiet", "--new-home")
    with psycopg.connect(load_settings(system.data_dir).database) as conn:
        # The hub has hung there for a month; only then can an hour's stillness have been seen.
        conn.execute("update hubs set enrolled_at = enrolled_at - interval '30 days' where name = 'quiet'")
        row = conn.execute("select id from people where home_id = %s", (hub["home"],)).fetchone()
    assert row is not None
    moved = {"bn": "pir-hall/", "bt": time.time() - 3700, "n": "motion", "vb": True}
    asyncio.run(tell(hub, state(60), ("readings", [moved])))
    fields = {"still": "yes", "still_after_h": "1", "still_from": "0:00", "still_until": "0:00", "out_after_h": "24"}
    page = post_form(system, f"/people/{row[0]}/plan", fields)
    assert "No movement for 1 hour while at home, day and night" in page
    alert = reason_of(system, hub, "inactivity", 20)
    assert alert["priority"] == 3
    assert "for 1 hour 1 minute. The last was at " in alert["log"][0]["detail"]["reason"]
    assert [alarm["device"] for alarm in alert["alarms"]] == ["detector"]


def test_a_hub_that_falls_silent_is_a_level_4_alert(system: up.System) -> None:
    hub = system.command("hub-enrol", "mute", "--new-home")
    asyncio.run(tell(hub, state(1)))
    begun = time.monotonic()
    alert = reason_of(system, hub, "device-silent", 60)
    assert time.monotonic() - begun > 25  # twice its interval and half a minute, and not sooner
    assert alert["priority"] == 4
    assert "The hub has not been heard since" in alert["log"][0]["detail"]["reason"]
    asyncio.run(tell(hub, ("state", {"online": True, "session": 2, "outbox": 0, "heartbeat_s": 60})))
    token = str(system.command("user", "token", "operator")["token"])

    def restored() -> bool:
        alarms = system.get(f"/api/alerts/{alert['id']}", token)["alarms"]
        return [one["kind"] for one in alarms] == ["device-silent", "device-restored"]

    up.wait_until(restored, 20)
