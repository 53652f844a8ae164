"""A storm of alarms: how soon all of them are in alerts that the console lists.

    python -m bench.storm --rate 500 --seconds 10 --json

Starts a whole system of its own. Alarms of many homes are published at a steady rate; each is timed from the moment
when it was due until it is committed, and until it has its place in an alert that is on the list.
"""

import asyncio
import json
import os
import time
from typing import Any, Final

import aiomqtt
from psycopg import AsyncConnection

from bench import running
from bench.cpu import used_s
from bench.limits import percentiles
from bench.running import arguments, fresh_system, tell
from telecare.clock import SystemClock, format_instant
from telecare.enrolment import enrol
from telecare.ids import uuid7
from telecare.mqtt import client_for
from telecare.register.homes import NewDevice, NewHome, NewPerson
from telecare.settings import Settings

CONNECTIONS: Final = 4
_STEP_S: Final = 0.05
_WITHIN_S: Final = 120.0
PLACED: Final = "select count(*) from alert_alarms"


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--homes", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=500, help="alarms a second")
    parser.add_argument("--seconds", type=float, default=10)
    wish = parser.parse_args()
    with fresh_system() as (settings, _):
        found = asyncio.run(measure(settings, wish.homes, wish.rate, wish.seconds))
    tell(found, as_json=wish.json)


async def measure(settings: Settings, homes: int, rate: float, seconds: float) -> dict[str, Any]:
    """Publish, wait until every alarm has its place, and count."""
    hubs = [e.hub for e in await enrol(settings, [(f"s-{n}", _home(n)) for n in range(homes)])]
    due: dict[str, float] = {}
    begun = time.time() + 1
    count = int(rate * seconds)
    placed_before = await running.count(settings, PLACED)
    before = used_s(os.getpid())
    async with asyncio.TaskGroup() as group:
        for first in range(CONNECTIONS):
            group.create_task(_publish(settings, hubs, range(first, count, CONNECTIONS), begun, rate, due))
    published = time.time()
    visible_s = await _until_placed(settings, placed_before + count, begun + seconds)
    after = used_s(os.getpid())
    async with await AsyncConnection.connect(settings.database) as conn:
        committed = await _times(conn, "select given_id, extract(epoch from received_at)::float8 from alarms")
        placed = await _times(
            conn,
            """select a.given_id, extract(epoch from e.at)::float8 from alarms a
                 join alert_alarms p on p.alarm_id = a.id
                 join lateral (select at from alert_events e where e.alert_id = p.alert_id and e.at >= p.joined_at
                                order by n limit 1) e on true""",
        )
    return {
        "homes": homes,
        "alarms": count,
        "published_per_s": round(count / (published - begun)),
        "stored": len(committed.keys() & due.keys()),
        "placed": len(placed.keys() & due.keys()),
        "due_to_received_ms": percentiles(
            [1000 * (at - due[alarm]) for alarm, at in committed.items() if alarm in due]
        ),
        "due_to_placed_ms": percentiles([1000 * (at - due[alarm]) for alarm, at in placed.items() if alarm in due]),
        "all_visible_after_s": round(visible_s, 2),
        "cpu_ms_per_alarm_by_part": {part: round(1000 * (after[part] - before[part]) / count, 2) for part in after},
    }


def _home(number: int) -> NewHome:
    return NewHome(
        address=f"{number} Storm Street",
        people=(NewPerson(name=f"Person {number}"),),
        devices=(NewDevice(name="pendant-1", kind="pendant", person=0),),
    )


async def _publish(
    settings: Settings, hubs: list[str], numbers: range, begun: float, rate: float, due: dict[str, float]
) -> None:
    async with client_for(settings.mqtt) as client, asyncio.TaskGroup() as group:
        for number in numbers:
            at = begun + number / rate
            await asyncio.sleep(max(0.0, at - time.time()))
            alarm = str(uuid7())
            due[alarm] = at
            group.create_task(_send(client, hubs[number % len(hubs)], alarm, number))


async def _send(client: aiomqtt.Client, hub: str, alarm: str, number: int) -> None:
    at = format_instant(SystemClock().now())
    payload = {"id": alarm, "seq": number + 1, "device": "pendant-1", "kind": "button", "at": at}
    await client.publish(f"telecare/v1/{hub}/alarm", json.dumps(payload).encode(), qos=1, timeout=_WITHIN_S)


async def _until_placed(settings: Settings, count: int, last_due: float) -> float:
    """Seconds after the last alarm was due until all had their places."""
    while time.time() < last_due + _WITHIN_S:
        if await running.count(settings, PLACED) >= count:
            return max(0.0, time.time() - last_due)
        await asyncio.sleep(_STEP_S)
    return _WITHIN_S


async def _times(conn: AsyncConnection, query: str) -> dict[str, float]:
    return {row[0]: row[1] for row in await (await conn.execute(query.encode())).fetchall()}


if __name__ == "__main__":
    main()
