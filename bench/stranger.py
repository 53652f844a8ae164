"""The stranger's test with a stopwatch: start to healthy, press to receipt, press to `GET /api/alerts`.

    python -m bench.stranger --hubs 10 --json

Starts a whole system of its own in a temporary folder, twice: on an empty folder and again on the same one. Then each
of some enrolled hubs, which is nothing but an MQTT client, presses once, all together.
"""

import asyncio
import json
import time
import urllib.request
from datetime import UTC, datetime
from typing import Any

from bench.running import arguments, folder, system, tell, token_for
from telecare.clock import format_instant
from telecare.enrolment import enrol
from telecare.ids import uuid7
from telecare.mqtt import client_for
from telecare.register.homes import Enrolment, home_to_be_described
from telecare.settings import Settings

SEEN_WITHIN_S = 10.0
LOOK_EVERY_S = 0.02


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--hubs", type=int, default=10)
    wish = parser.parse_args()
    with folder() as place:
        healthy: list[float] = []
        with system(place / "data", 0, 0, healthy.append):
            pass
        with system(place / "data", 0, 0, healthy.append) as settings:
            pressed = asyncio.run(measure(settings, wish.hubs))
    found = {"healthy_first_s": healthy[0], "healthy_again_s": healthy[1], "hubs": wish.hubs} | pressed
    tell(found, as_json=wish.json)


async def measure(settings: Settings, count: int) -> dict[str, Any]:
    """Enrol, press all at once, and watch the list of open alerts."""
    enrolments = await enrol(settings, [(f"stranger-{n}", home_to_be_described(f"stranger-{n}")) for n in range(count)])
    token = await token_for(settings, "operator")
    pressed: dict[str, float] = {}
    watching = asyncio.create_task(asyncio.to_thread(_watch, settings, token, {str(e.home) for e in enrolments}))
    receipts = await asyncio.gather(*(_press(settings, enrolment, pressed) for enrolment in enrolments))
    seen = await watching
    took = sorted(seen[home] - pressed[home] for home in seen)
    return {
        "receipts": len(receipts),
        "alerts": len(seen),
        "receipt_ms_max": round(1000 * max(receipts), 1),
        "alert_listed_ms_median": round(1000 * took[len(took) // 2], 1),
        "alert_listed_ms_max": round(1000 * took[-1], 1),
    }


async def _press(settings: Settings, hub: Enrolment, pressed: dict[str, float]) -> float:
    async with client_for(
        settings.mqtt_url_for_hubs, username=hub.hub, password=hub.secret, identifier=hub.hub
    ) as client:
        await client.subscribe(f"telecare/v1/{hub.hub}/receipt", qos=1)
        alarm = {"id": str(uuid7()), "seq": 1, "device": "pendant-1", "kind": "button", "clock": "synced"}
        alarm["at"] = format_instant(datetime.now(UTC))
        begun = pressed[str(hub.home)] = time.perf_counter()
        await client.publish(f"telecare/v1/{hub.hub}/alarm", json.dumps(alarm).encode(), qos=1)
        async with asyncio.timeout(SEEN_WITHIN_S):
            await anext(aiter(client.messages))
        return time.perf_counter() - begun


def _watch(settings: Settings, token: str, homes: set[str]) -> dict[str, float]:
    seen: dict[str, float] = {}
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.port}/api/alerts?state=open&limit=1000",
        headers={"Authorization": f"Bearer {token}"},
    )
    end = time.perf_counter() + SEEN_WITHIN_S
    while homes - seen.keys() and time.perf_counter() < end:
        with urllib.request.urlopen(request, timeout=5) as answer:
            listed = {alert["home"] for alert in json.load(answer)["alerts"]}
        now = time.perf_counter()
        for home in (homes & listed) - seen.keys():
            seen[home] = now
        time.sleep(LOOK_EVERY_S)
    return seen


if __name__ == "__main__":
    main()
