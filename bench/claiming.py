"""Alerts that several operators claim at once: each must have one winner, and nobody else may be told that they won."""

import asyncio
import http.client
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection

from alerts import actions
from alerts.errors import Conflict
from bench.running import token_for
from telecare.db import Connection, database_now
from telecare.errors import TelecareError
from telecare.settings import Settings

OPERATORS: Final = tuple(f"bench-{number}" for number in range(1, 9))
_WON: Final = 200
_LOST: Final = 409
_REQUEST_WITHIN_S: Final = 60
_EMPLOY: Final = """
    insert into staff (id, username, display_name, role, password_hash)
    select gen_random_uuid(), name, name, 'operator', 'none' from unnest(%s::text[]) name
    on conflict do nothing
"""


async def unclaimed(conn: Connection, count: int) -> list[int]:
    """So many alerts that nobody has; the operators are there."""
    await conn.execute(_EMPLOY, (list(OPERATORS),))
    cursor = await conn.execute("select id from alerts where state = 'raised' order by id limit %s", (count,))
    return [row[0] for row in await cursor.fetchall()]


async def on_the_database(settings: Settings, alerts: Sequence[int]) -> dict[str, Any]:
    """Every operator claims every alert, in the same order, each on a connection of their own."""
    connections = [await AsyncConnection.connect(settings.database, autocommit=True) for _ in OPERATORS]
    begun = time.perf_counter()
    won = await asyncio.gather(
        *(_claim_all(conn, settings, alerts, by) for conn, by in zip(connections, OPERATORS, strict=True))
    )
    took_s = time.perf_counter() - begun
    found = await _told(connections[0], alerts, won, took_s)
    for conn in connections:
        await conn.close()
    return found


async def _claim_all(conn: Connection, settings: Settings, alerts: Sequence[int], by: str) -> list[int]:
    won = []
    for alert in alerts:
        try:
            await actions.claim(conn, settings, alert, by, await database_now(conn))
        except Conflict:
            continue
        won.append(alert)
    return won


async def through_the_api(settings: Settings, alerts: Sequence[int]) -> dict[str, Any]:
    """Every operator claims every alert, in the same order, as their consoles would."""
    tokens = [await token_for(settings, by) for by in OPERATORS]
    begun = time.perf_counter()
    won = await asyncio.gather(*(asyncio.to_thread(_claim_all_there, settings.port, token, alerts) for token in tokens))
    took_s = time.perf_counter() - begun
    async with await AsyncConnection.connect(settings.database, autocommit=True) as conn:
        return await _told(conn, alerts, won, took_s)


def _claim_all_there(port: int, token: str, alerts: Sequence[int]) -> list[int]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    console = http.client.HTTPConnection("127.0.0.1", port, timeout=_REQUEST_WITHIN_S)
    won = []
    for alert in alerts:
        console.request("POST", f"/api/alerts/{alert}/claim", body=b"{}", headers=headers)
        answer = console.getresponse()
        answer.read()
        if answer.status == _WON:
            won.append(alert)
        elif answer.status != _LOST:
            raise TelecareError(f"a claim was answered with {answer.status}")
    console.close()
    return won


async def _told(conn: Connection, alerts: Sequence[int], won: list[list[int]], took_s: float) -> dict[str, Any]:
    """What the operators were told, held against what is written down."""
    cursor = await conn.execute(
        "select alert_id, who from alert_log where what = 'claimed' and alert_id = any(%s)", (list(alerts),)
    )
    written = await cursor.fetchall()
    told = {(alert, by) for by, theirs in zip(OPERATORS, won, strict=True) for alert in theirs}
    times = Counter(alert for theirs in won for alert in theirs)
    return {
        "alerts": len(alerts),
        "operators": len(OPERATORS),
        "winners": len(times),
        "doubles": sum(count > 1 for count in times.values()),
        "as_written_down": len(written) == len(told) and set(written) == told,
        "seconds": round(took_s, 2),
        "claims_tried_per_s": round(len(alerts) * len(OPERATORS) / took_s),
    }
