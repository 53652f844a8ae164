"""How many alerts the engine carries: new ones beside ten thousand open ones whose deadlines keep coming, and claims.

    python -m bench.alerts --json

Starts a whole system of its own, and puts 10,000 alerts there that nobody claims. Their ladder is spread so that each
takes three steps while `--seconds` pass, evenly; meanwhile 50 presses a second of other homes are stored as ingest
stores them. A step is late by the time from its deadline to the engine's (`alert_log.at`), and is seen when it is
committed and a reader of the screens' feed has it. The machine's own limit in the same run: the bare statements of the
same steps, a hundred a commit and one a commit, on one connection. Then all are made due at once, and twice 500 alerts
are claimed by 8 operators at once: on the database, and through the API.
"""

import argparse
import asyncio
import os
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection

from alerts import store
from bench import claiming, town
from bench.alerts_limit import bare_steps_per_s
from bench.cpu import used_s
from bench.limits import commit_ms, percentiles
from bench.running import arguments, fresh_system, tell
from telecare.db import Connection, database_now
from telecare.errors import TelecareError
from telecare.settings import Settings

RUNGS: Final = ("re-sounded", "escalated-supervisor", "escalated-second-site")
CLAIMED: Final = 500
_LEAD_S: Final = 10.0  # between the spreading of the deadlines and the first of them
_NEVER_S: Final = 86_400  # of rungs that are not part of this
_PUT_OFF: Final = "update alerts set due_at = clock_timestamp() + interval '1 day' where closed_at is null"
_SPREAD: Final = """
    update alerts a set step = 0, waiting_since = p.since, due_at = p.since + %(rung)s
      from (select id, %(begin)s - %(rung)s * (row_number() over (order by id) - 1) / %(count)s as since
              from alerts where closed_at is null) p
     where a.id = p.id
"""
_STEPS: Final = """
    select a.id, l.what, extract(epoch from a.waiting_since)::float8, extract(epoch from l.at)::float8, e.n
      from alert_log l join alerts a on a.id = l.alert_id
      left join alert_events e on e.alert_id = l.alert_id and e.at = l.at
     where l.what = any(%s) and l.at >= %s
"""
_NEW: Final = """
    select extract(epoch from m.received_at)::float8, extract(epoch from a.raised_at)::float8, e.n
      from alarms m join alert_alarms p on p.alarm_id = m.id join alerts a on a.id = p.alert_id
      left join alert_events e on e.alert_id = a.id and e.at = a.raised_at
     where m.hub = any(%s) and m.received_at >= %s
"""
Seen = dict[int, float]  # by the number of a change, when a reader had it: seconds since 1970


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--open", type=int, default=10_000, help="alerts that are open when it begins")
    parser.add_argument("--rate", type=float, default=50, help="new alerts a second")
    parser.add_argument("--seconds", type=float, default=60)
    wish = parser.parse_args()
    rung_s = wish.seconds / len(RUNGS)
    given = {"resound_s": rung_s, "supervisor_s": 2 * rung_s, "second_site_s": 3 * rung_s, "breach_s": _NEVER_S}
    with fresh_system(given) as (settings, _):
        found = asyncio.run(measure(settings, wish, timedelta(seconds=rung_s)))
    tell(found, as_json=wish.json)


async def measure(settings: Settings, wish: argparse.Namespace, rung: timedelta) -> dict[str, Any]:
    """Every figure, one after the other."""
    hubs = await town.build(settings, wish.open + int(wish.rate * wish.seconds))
    standing, coming = hubs[: wish.open], hubs[wish.open :]
    async with await AsyncConnection.connect(settings.database, autocommit=True) as conn:
        await town.press_all(conn, standing)
        await conn.execute("analyze alerts, alert_log, alert_events, alarms, alert_alarms")
        commit = percentiles(await commit_ms(settings))
        limit = {count: await bare_steps_per_s(conn, count) for count in (100, 1)}
        found: dict[str, Any] = {"open_alerts": wish.open, "seconds": wish.seconds, "one_row_commit_ms": commit}
        found["bare_steps_per_s"] = limit[100]
        found["bare_steps_one_a_commit_per_s"] = limit[1]
        before = used_s(os.getpid())
        found |= await sustained(conn, settings, coming, wish, rung)
        after = used_s(os.getpid())
        found["cpu_s_by_part"] = {part: round(after[part] - before[part], 1) for part in after}
        found["all_due_at_once"] = await backlog(conn, rung, limit[100])
        found["claims"] = await claiming.on_the_database(settings, await claiming.unclaimed(conn, CLAIMED))
        found["claims_through_the_api"] = await claiming.through_the_api(
            settings, await claiming.unclaimed(conn, CLAIMED)
        )
    return found


async def sustained(
    conn: Connection, settings: Settings, coming: Sequence[str], wish: argparse.Namespace, rung: timedelta
) -> dict[str, Any]:
    """New alerts and steps, evenly, for as long as wished."""
    await conn.execute(_PUT_OFF)  # nothing else is done from here on
    begin = await database_now(conn) + timedelta(seconds=_LEAD_S)
    end = begin + timedelta(seconds=wish.seconds)
    await conn.execute(_SPREAD.encode(), {"begin": begin, "rung": rung, "count": wish.open})
    if await database_now(conn) >= begin:
        raise TelecareError(f"the deadlines could not be set in {_LEAD_S:.0f} s: the machine is too busy")
    seen: Seen = {}
    reading = asyncio.create_task(_read_feed(settings, seen))
    try:
        stored_per_s = await town.press_steadily(conn, coming, wish.rate, begin.timestamp())
        await asyncio.sleep(max(0.0, end.timestamp() - time.time()))
        await town.until_none(conn, "select count(*) from alarms_waiting")
        await town.until_none(conn, "select count(*) from alerts where closed_at is null and due_at < %s", end)
        await asyncio.sleep(1)  # the last changes are read
    finally:
        reading.cancel()
    return {
        "new_alerts": await _new_alerts(conn, coming, begin, seen) | {"stored_per_s": round(stored_per_s, 1)},
        "steps": await _steps(conn, begin, end, rung, seen),
    }


async def _read_feed(settings: Settings, seen: Seen) -> None:
    """Read the screens' feed as a console does: at each notification, in the order of the numbers."""
    async with await AsyncConnection.connect(settings.database, autocommit=True) as conn:
        row = await (await conn.execute("select n from alert_event_counter")).fetchone()
        last = row[0] if row else 0
        await conn.execute(f"listen {store.CHANGED}".encode())
        while True:
            async for _ in conn.notifies(timeout=0.5, stop_after=1):
                pass
            cursor = await conn.execute("select n from alert_events where n > %s order by n", (last,))
            now = time.time()
            for (last,) in await cursor.fetchall():
                seen[last] = now


async def _new_alerts(conn: Connection, hubs: Sequence[str], begin: datetime, seen: Seen) -> dict[str, Any]:
    rows = await (await conn.execute(_NEW, (list(hubs), begin - timedelta(seconds=1)))).fetchall()
    return {
        "pressed": len(hubs),
        "raised": len(rows),
        "received_to_raised_ms": spread([raised - received for received, raised, _ in rows]),
        "received_to_seen_ms": spread([seen[n] - received for received, _, n in rows if n in seen]),
    }


async def _steps(conn: Connection, begin: datetime, end: datetime, rung: timedelta, seen: Seen) -> dict[str, Any]:
    """What was due between the two, what was done of it, how late."""
    until, each_s = end.timestamp(), rung.total_seconds()
    waiting = await (
        await conn.execute(
            "select extract(epoch from waiting_since)::float8 from alerts where kind = 'button' and closed_at is null"
        )
    ).fetchall()
    due = sum(since + place * each_s < until for (since,) in waiting for place in range(1, len(RUNGS) + 1))
    rows = await (await conn.execute(_STEPS, (list(RUNGS), begin))).fetchall()
    done = [(row[2] + (RUNGS.index(row[1]) + 1) * each_s, row) for row in rows]
    done = [(due_at, row) for due_at, row in done if due_at < until]
    late = [row[3] - due_at for due_at, row in done]
    shown = [seen[row[4]] - due_at for due_at, row in done if row[4] in seen]
    return {
        "due": due,
        "done": len({(row[0], row[1]) for _, row in done}),
        "done_twice": sum(count > 1 for count in Counter((row[0], row[1]) for _, row in done).values()),
        "too_early": sum(seconds < 0 for seconds in late),
        "per_s": round(len(done) / (end - begin).total_seconds()),
        "late_ms": spread(late),
        "due_to_seen_ms": spread(shown),
        "within_1_s_at_p99": bool(shown) and spread(shown)["p99"] <= 1000,
    }


async def backlog(conn: Connection, rung: timedelta, limit_per_s: float) -> dict[str, Any]:
    """The engine was away: every alert's second step is due in one moment. How fast are they worked off?"""
    cursor = await conn.execute(
        """update alerts set step = 1, waiting_since = clock_timestamp() - 2 * %s, due_at = clock_timestamp()
            where closed_at is null and kind = 'button'""",
        (rung,),
    )
    begun = time.perf_counter()
    await town.until_none(conn, "select count(*) from alerts where closed_at is null and due_at <= clock_timestamp()")
    per_s = cursor.rowcount / (time.perf_counter() - begun)
    return {"steps": cursor.rowcount, "per_s": round(per_s), "ratio_to_limit": round(per_s / limit_per_s, 2)}


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p99 and the largest, in ms."""
    taken = [1000 * one for one in seconds]
    return percentiles(taken) | ({"max": round(max(taken), 1)} if taken else {})


if __name__ == "__main__":
    main()
