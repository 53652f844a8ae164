"""How many readings a second get from the broker into the store, beside what this machine can do at all.

    python -m bench.ingest --json

Starts a whole system of its own. In the same run: the bare path (`bench.bare`), our ingest with messages of one reading
of 200 bytes and with packs of ten, and what COPY alone reaches when it must leave repeats out. Each message is
validated, deduplicated, committed, and then acknowledged; a run ends when every reading is in the table.
"""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg

from bench.cpu import process_s, used_s
from bench.load import Load
from bench.readings import Readings
from bench.running import arguments, fresh_system, tell
from telecare.enrolment import enrol
from telecare.errors import TelecareError
from telecare.register.homes import NewHome
from telecare.settings import Settings

HUBS: Final = 100
CONNECTIONS: Final = 4
PACK: Final = 10  # readings in one pack
_COPIED_TOGETHER: Final = 10_000  # rows
_POLL_S: Final = 0.02
_WITHIN_S: Final = 120.0
_SUBSCRIBED_S: Final = 3.0  # from the place to the subscription
_TAIL_S: Final = 1.0  # acknowledgements follow the commit
_UNREAD: Final = """
    select count(*) from feed_cursors c join readings_feed f on (f.xid, f.n) > (c.xid, c.n)
"""


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=1, help="so many take readings, on a shared subscription")
    wish = parser.parse_args()
    with fresh_system() as (settings, place), more_ingest(settings, place / "data", wish.processes - 1):
        found = {"processes": wish.processes} | measure(settings, wish.messages)
    tell(found, as_json=wish.json)


@contextmanager
def more_ingest(settings: Settings, data_dir: Path, count: int) -> Iterator[None]:
    """So many more processes that take their share of the readings, each with a session of its own."""
    command = [sys.executable, "-m", "telecare", "ingest", "--lane", "readings", "--data-dir", str(data_dir)]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(count)]
    try:
        with psycopg.connect(settings.database, autocommit=True) as conn:
            _until(lambda: number(conn, "select count(*) from ingest_slots where lane = 'readings'") == count + 1)
        time.sleep(_SUBSCRIBED_S if count else 0)
        yield
    finally:
        for process in processes:
            process.terminate()
            process.wait(timeout=30)


def measure(settings: Settings, count: int) -> dict[str, Any]:
    """Every figure, one after the other; the bare path twice, because a shared machine is not always alike."""
    feed = feed_of(settings)
    with psycopg.connect(settings.database, autocommit=True) as conn:
        _, before = bare(settings, conn, feed.packets(count, 1, bare=True))
        stored(settings, conn, feed, HUBS * 10, 1)  # every series exists
        used, single_s = stored(settings, conn, feed, count, 1)
        packs_used, packs_s = stored(settings, conn, feed, 2 * count // PACK, PACK)
        _, after = bare(settings, conn, feed.packets(count, 1, bare=True))
        copied = _copy_rows_s(conn, 2 * count)
    barely, single, packed = count / min(before, after), count / single_s, 2 * count / packs_s
    cpu = {part: round(seconds * 100_000 / count, 2) for part, seconds in used.items()}
    return {
        "messages": count,
        "bare_msg_s": round(barely),
        "bare_msg_s_slower": round(count / max(before, after)),
        "ingest_msg_s": round(single),
        "ratio_to_bare": round(single / barely, 2),
        "cpu_s_per_100k": round(cpu["broker"] + cpu["ingest"] + cpu["database"], 1),
        "cpu_s_per_100k_by_part": cpu,
        "packs_cpu_s_by_part": {part: round(seconds, 2) for part, seconds in packs_used.items()},
        "readings_s": round(packed),
        "copy_rows_s": round(copied),
        "ratio_to_copy": round(packed / copied, 2),
    }


def feed_of(settings: Settings) -> Readings:
    """Readings of hubs that are enrolled."""
    homes = [(f"b-{number}", NewHome(address=f"{number} Bench Street")) for number in range(HUBS)]
    return Readings([enrolment.hub for enrolment in asyncio.run(enrol(settings, homes))], CONNECTIONS)


def stored(
    settings: Settings, conn: psycopg.Connection, feed: Readings, messages: int, per_message: int
) -> tuple[dict[str, float], float]:
    """Our ingest: processor seconds by part, and seconds until every reading is in the table."""
    packets = feed.packets(messages, per_message)
    wanted = number(conn, "select count(*) from readings") + messages * per_message
    before = used_s(os.getpid())
    took = _timed(settings, packets, lambda: number(conn, "select count(*) from readings") >= wanted)
    # What a reading costs includes what the roll-ups and detection make of it, though they may come a little later.
    _until(lambda: number(conn, _UNREAD) == 0)
    after = used_s(os.getpid())
    return {part: after[part] - before[part] for part in after}, took


def bare(settings: Settings, conn: psycopg.Connection, packets: list[list[bytes]]) -> tuple[dict[str, float], float]:
    """The bare path: processor seconds by part, and seconds until every message is in its table."""
    conn.execute("drop table if exists bench_raw")
    done = "select coalesce(max(id), 0) from bench_raw"
    return other(settings, "bench.bare", packets, lambda: number(conn, done) >= sum(map(len, packets)))


def other(
    settings: Settings,
    module: str,
    packets: list[list[bytes]],
    done: Callable[[], bool],
    subscribed: Callable[[], None] = lambda: None,
) -> tuple[dict[str, float], float]:
    """A path that is not ours, in a process of its own: processor seconds by part, its own as `itself`; and seconds.

    `subscribed` waits until it is, where it says `ready` earlier than that.
    """
    command = [sys.executable, "-m", module, settings.mqtt, settings.database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            subscribed()
            before = used_s(os.getpid()) | {"itself": process_s(process.pid)}
            took = _timed(settings, packets, done)
            time.sleep(_TAIL_S)
            after = used_s(os.getpid()) | {"itself": process_s(process.pid)}
        finally:
            process.kill()
    return {part: after[part] - before[part] for part in after}, took


def _timed(settings: Settings, packets: list[list[bytes]], done: Callable[[], bool]) -> float:
    """Seconds from the first packet until `done`. It is not asked before the broker has everything."""
    load = Load(settings.mqtt, f"bench-{secrets.token_hex(4)}", packets)
    time.sleep(0.5)  # connections are made
    begun = time.perf_counter()
    load.begin()
    load.end()
    _until(done)
    return time.perf_counter() - begun


def _until(done: Callable[[], bool]) -> None:
    end = time.perf_counter() + _WITHIN_S
    while not done():
        if time.perf_counter() > end:
            raise TelecareError(f"not everything is stored and read after {_WITHIN_S:.0f} s")
        time.sleep(_POLL_S)


def _copy_rows_s(conn: psycopg.Connection, count: int) -> float:
    """Rows a second that COPY brings into a table like ours when repeats are left out; 10,000 in a commit."""
    conn.execute("create table bench_copy (series_id int, at timestamptz, value float8, primary key (series_id, at))")
    conn.execute("create temporary table bench_stage (series_id int, at timestamptz, value float8)")
    begun = time.perf_counter()
    for first in range(0, count, _COPIED_TOGETHER):
        with conn.transaction(), conn.cursor() as cursor:
            with cursor.copy("copy bench_stage from stdin") as copy:
                copy.write("".join(f"{n % HUBS}\t{_stamp(n)}\t19.5\n" for n in range(first, first + _COPIED_TOGETHER)))
            cursor.execute("insert into bench_copy select * from bench_stage on conflict do nothing")
            cursor.execute("truncate bench_stage")
    took = time.perf_counter() - begun
    stored = number(conn, "select count(*) from bench_copy")
    conn.execute("drop table bench_copy")
    return stored / took


def _stamp(number: int) -> str:
    minutes, hundredths = divmod(number // HUBS, 6000)
    return f"2026-01-01 {minutes // 60:02}:{minutes % 60:02}:{hundredths / 100:05.2f}+00"


def number(conn: psycopg.Connection, query: LiteralString) -> int:
    """The one number that a query finds."""
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
