"""Our ingest beside the best peer that runs here and the bare path: the same load, the same broker and database.

    python -m bench.peer --json

Starts a whole system of its own. Two rounds, of which the faster one counts for each: the bare path (`bench.bare`), the
peer (`bench.peer_route`), and our ingest; each with as many QoS 1 messages of 200 bytes at full speed, until all are in
its table. The bare path and the peer are sent the same bytes. The peer copies topic and payload into a table and
acknowledges after that. It does not look at what a reading means, keeps repeats (which acknowledging after the commit
brings after each crash), and rolls nothing up; ours does all of that, and detection reads what it stores.

Without it (`pip install -e '.[bench]'`) the figures of the other two are printed.
"""

import importlib.util
import json
import time
from importlib.metadata import version
from typing import Any, Final

import psycopg

from bench.ingest import CONNECTIONS, HUBS, bare, feed_of, number, other, stored
from bench.load import publication, send_all
from bench.peer_route import TABLE
from bench.readings import SIZE, STEP_S, Readings
from bench.running import arguments, fresh_system, tell
from telecare.errors import TelecareError
from telecare.settings import Settings

_ROUNDS: Final = 2
_PARTS: Final = {"broker", "itself", "database"}
_PROBES: Final = 30
_PROBE_S: Final = 2.0  # a probe is stored well within this, or was published too early
_PROBE_TOPIC: Final = "telecare/v1/probe/bench"
DOES_NOT: Final = ["validate", "leave repeats out", "roll up", "feed detection"]
Found = dict[str, Any]


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    wish = parser.parse_args()
    with fresh_system() as (settings, _):
        found = measure(settings, wish.messages)
    tell(found, as_json=wish.json)


def measure(settings: Settings, count: int) -> Found:
    """Every round, and the faster figures of each path."""
    installed = importlib.util.find_spec("mq_bridge") is not None
    feed = feed_of(settings)
    rounds: list[dict[str, Found]] = []
    with psycopg.connect(settings.database, autocommit=True) as conn:
        stored(settings, conn, feed, HUBS * 10, 1)  # every series exists
        for _ in range(_ROUNDS):
            packets = _packets(count)
            one = {"bare": _told(count, *bare(settings, conn, packets))}
            if installed:
                one["peer"] = _told(count, *_peer(settings, conn, packets))
            rounds.append(one | {"ours": _ours(settings, conn, feed, count)})
    best: Found = {name: max((one[name] for one in rounds), key=_speed) for name in rounds[0]}
    ratios = {f"ours_to_{name}": round(_speed(best["ours"]) / _speed(best[name]), 2) for name in best.keys() - {"ours"}}
    about = {"mq-bridge": version("mq-bridge"), "does_not": DOES_NOT} if installed else {"mq-bridge": "not installed"}
    return {"messages": count, "bytes": SIZE} | best | ratios | about


def _speed(path: Found) -> float:
    return float(path["msg_s"])


def _told(count: int, used: dict[str, float], took: float) -> Found:
    cpu = {part: round(seconds * 100_000 / count, 2) for part, seconds in used.items() if part in _PARTS}
    return {"msg_s": round(count / took), "cpu_s_per_100k": round(sum(cpu.values()), 1), "by_part": cpu}


def _ours(settings: Settings, conn: psycopg.Connection, feed: Readings, count: int) -> Found:
    used, took = stored(settings, conn, feed, count, 1)
    return _told(count, used | {"itself": used["ingest"]}, took)


def _peer(settings: Settings, conn: psycopg.Connection, packets: list[list[bytes]]) -> tuple[dict[str, float], float]:
    conn.execute("drop table if exists bench_raw")
    conn.execute(TABLE)
    wanted = sum(map(len, packets))

    def done() -> bool:
        return number(conn, "select count(*) from bench_raw") >= wanted

    return other(settings, "bench.peer_route", packets, done, lambda: _subscribed(settings, conn))


def _subscribed(settings: Settings, conn: psycopg.Connection) -> None:
    """Publish until one message is stored; then leave the table empty."""
    for _ in range(_PROBES):
        send_all(settings.mqtt, "bench-probe", [publication(_PROBE_TOPIC, b'{"payload": "{}"}', 0)])
        end = time.perf_counter() + _PROBE_S
        while time.perf_counter() < end:
            if number(conn, "select count(*) from bench_raw"):
                conn.execute("truncate bench_raw")
                return
            time.sleep(0.05)
    raise TelecareError("the peer stores nothing")


def _packets(count: int) -> list[list[bytes]]:
    """For each connection its publications: readings as text in a JSON object, as the peer needs them."""
    made: list[list[bytes]] = [[] for _ in range(CONNECTIONS)]
    begin = time.time() - 6 * 3600
    for sequence in range(count):
        turn, hub = divmod(sequence, HUBS)
        mine = made[sequence % CONNECTIONS]
        mine.append(publication(f"telecare/v1/bench-{hub}/bench", _payload(begin + turn * STEP_S), len(mine)))
    return made


def _payload(at: float) -> bytes:
    def wrapped(pad: int) -> bytes:
        reading = {"n": "env-1/temperature", "u": "Cel", "v": 19.5, "t": round(at, 3), "pad": "x" * pad}
        return json.dumps({"payload": json.dumps([reading])}).encode()

    return wrapped(SIZE - len(wrapped(0)))


if __name__ == "__main__":
    main()
