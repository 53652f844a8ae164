"""How soon every open console shows a new alert.

    python -m bench.console --json

Starts a whole system of its own with `--open` open alerts, opens `--consoles` live streams of the queue as screens hold
them (each in its own connection, all read in a process of their own), and stores presses of other homes evenly as
ingest stores them. A change is shown when the last of the consoles has it; its time runs from the instant that its
transaction took from the database's clock, which is before its commit. Before that, Chromium opens the console, where
there is one: how soon the queue is painted, and how soon after its change a row is painted. The machine's own
limit in the same run: one row committed, and a notification heard.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from typing import Any, Final

from psycopg import AsyncConnection

from bench import browser, town
from bench.cpu import used_s
from bench.limits import commit_ms, notified_ms, percentiles
from bench.running import arguments, fresh_system, tell, token_for
from telecare.db import Connection
from telecare.errors import TelecareError
from telecare.settings import Settings

_LEAD_S: Final = 3.0
_BROWSER_PRESSES: Final = 30
_USER: Final = "bench-console"
_READY_WITHIN_S: Final = 60.0
_EVENTS: Final = "select n, extract(epoch from at)::float8 from alert_events where n > %s and n <= %s order by n"
Seen = list[dict[int, float]]  # for each console: by the number of a change, when it had come (seconds since 1970)


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--open", type=int, default=500, help="alerts that are open when it begins")
    parser.add_argument("--consoles", type=int, default=20)
    parser.add_argument("--rate", type=float, default=50, help="new alerts a second")
    parser.add_argument("--seconds", type=float, default=30)
    wish = parser.parse_args()
    with fresh_system() as (settings, _):
        found = asyncio.run(measure(settings, wish))
    tell(found, as_json=wish.json)


async def measure(settings: Settings, wish: argparse.Namespace) -> dict[str, Any]:
    """Every figure, one after the other."""
    hubs = await town.build(settings, wish.open + _BROWSER_PRESSES + int(wish.rate * wish.seconds))
    standing, coming = hubs[: wish.open], hubs[wish.open + _BROWSER_PRESSES :]
    async with await AsyncConnection.connect(settings.database, autocommit=True) as conn:
        await town.press_all(conn, standing)
        token = await _token(settings, conn)
        await conn.execute("analyze alerts, alert_log, alert_events, alarms, alert_alarms")
        found: dict[str, Any] = {"open_alerts": wish.open, "consoles": wish.consoles}
        found["one_row_commit_ms"] = percentiles(await commit_ms(settings))
        found["notified_ms"] = percentiles(await notified_ms(settings))
        found["browser"] = await browser.look(settings, conn, hubs[wish.open : wish.open + _BROWSER_PRESSES])
        before = used_s(os.getpid())
        with _consoles(settings.port, token, wish.consoles) as pipe:
            first = await _newest(conn)
            stored_per_s = await town.press_steadily(conn, coming, wish.rate, time.time() + _LEAD_S)
            await town.until_none(conn, "select count(*) from alarms_waiting")
            last = await _newest(conn)
            await asyncio.sleep(2)
            pipe.send("stop")
            seen: Seen = await asyncio.to_thread(pipe.recv)
        after = used_s(os.getpid())
        found |= await _told(conn, first, last, seen) | {"stored_per_s": round(stored_per_s, 1)}
        found["cpu_s_by_part"] = {part: round(after[part] - before[part], 1) for part in after}
    return found


async def _token(settings: Settings, conn: Connection) -> str:
    await conn.execute(
        """insert into staff (id, username, display_name, role, password_hash)
           values (gen_random_uuid(), %s, %s, 'operator', 'none')""",
        (_USER, _USER),
    )
    return await token_for(settings, _USER)


async def _newest(conn: Connection) -> int:
    row = await (await conn.execute("select n from alert_event_counter")).fetchone()
    assert row is not None
    return int(row[0])


async def _told(conn: Connection, first: int, last: int, seen: Seen) -> dict[str, Any]:
    """How late the last console had each change, and whether any lacks one."""
    rows = await (await conn.execute(_EVENTS, (first, last))).fetchall()
    late = [1000 * (max(one[n] for one in seen) - at) for n, at in rows if all(n in one for one in seen)]
    return {
        "changes": len(rows),
        "missing": sum(n not in one for n, _ in rows for one in seen),
        "shown_on_all_ms": percentiles(late) | {"max": round(max(late, default=0.0), 1)},
    }


# ---------------------------------------------------------------- the consoles, in a process of their own


@contextlib.contextmanager
def _consoles(port: int, token: str, count: int) -> Iterator[Pipe]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_watch, args=(theirs, port, token, count), daemon=True)
    process.start()
    try:
        if not ours.poll(_READY_WITHIN_S) or ours.recv() != "ready":
            raise TelecareError("the consoles could not be opened")
        yield ours
    finally:
        process.terminate()
        process.join()


def _watch(theirs: Pipe, port: int, token: str, count: int) -> None:
    asyncio.run(_until_told(theirs, port, token, count))


async def _until_told(theirs: Pipe, port: int, token: str, count: int) -> None:
    seen: Seen = [{} for _ in range(count)]
    ready = [asyncio.Event() for _ in range(count)]
    reading = [
        asyncio.create_task(_read(port, token, one, begun)) for one, begun in zip(seen, ready, strict=True)
    ]  # fmt: skip
    for begun in ready:
        await begun.wait()
    theirs.send("ready")
    await asyncio.to_thread(theirs.recv)
    for task in reading:
        task.cancel()
    theirs.send(seen)


async def _read(port: int, token: str, seen: dict[int, float], begun: asyncio.Event) -> None:
    """A stream as a screen holds it. What comes is read as JSON, as a screen does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    asked = ("GET /api/alerts/stream?rows=true HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {token}")
    writer.write("".join(f"{line}\r\n" for line in (*asked, "")).encode())
    number, name = 0, b""
    while line := await reader.readline():
        field, _, value = line.strip().partition(b": ")
        if field == b"event":
            name = value
            begun.set()
        elif field == b"id":
            number = int(value)
        elif field == b"data" and name == b"alert":
            json.loads(value)
            seen.setdefault(number, time.time())


if __name__ == "__main__":
    main()
