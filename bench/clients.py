"""What it costs to take messages from the broker, by client library: our reader beside the ones that people use.

    python -m bench.clients --json

Starts a whole system of its own, for its broker. One library after the other takes the same number of QoS 1 messages
of 200 bytes, which four other processes publish at full speed, and acknowledges them after a "commit" of 10 ms where it
can (`bench.takers`). Messages a second count from the first publication to the disconnection; processor seconds are
those of the subscriber's process. What the broker still keeps afterwards as unacknowledged is asked for, and should be
nothing. On a machine that does other things too, the processor seconds are the steadier figure.

Libraries that are not installed are named as such; `pip install -e '.[bench]'` brings them.
"""

import asyncio
import importlib
import json
import os
import secrets
import subprocess
import sys
import time
from importlib.metadata import version
from typing import Any, Final

from bench.bare import TOPIC
from bench.cpu import used_s
from bench.load import Load
from bench.readings import SIZE, Readings
from bench.running import arguments, fresh_system, tell
from bench.takers import BATCH, COMMIT_S, TAKERS, Kind
from ingest.stream_inbox import StreamInbox
from telecare.errors import TelecareError
from telecare.settings import Settings

_CONNECTIONS: Final = 4
_HUBS: Final = 100
_QUIET_S: Final = 1.0  # the broker sends what it still keeps well within this
_REST_S: Final = 1.0
_AT_REST: Final = 0.03  # seconds of processor time that the broker uses in `_REST_S` when nothing is published


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    wish = parser.parse_args()
    with fresh_system() as (settings, _):
        found = measure(settings, wish.messages)
    tell(found, as_json=wish.json)


def measure(settings: Settings, count: int) -> dict[str, Any]:
    """One library after the other."""
    feed = Readings([f"bench-{number}" for number in range(_HUBS)], _CONNECTIONS)
    about = {"messages": count, "bytes": SIZE, "batch": BATCH, "commit_ms": round(1000 * COMMIT_S)}
    return about | {name: _one(settings, feed, name, kind, count) for name, kind in TAKERS.items()}


def _one(settings: Settings, feed: Readings, name: str, kind: Kind, count: int) -> dict[str, Any] | str:
    if missing := _missing(kind):
        return missing
    client_id = f"bench-{secrets.token_hex(4)}"
    packets = feed.packets(count, 1, bare=True)
    command = [sys.executable, "-m", "bench.takers", name, settings.mqtt, client_id, str(count)]
    before = _broker_at_rest_s()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as taker:
        try:
            assert taker.stdout is not None
            if taker.stdout.readline() != "ready\n":
                raise TelecareError(f"{name} cannot subscribe")
            load = Load(settings.mqtt, client_id + "-load", packets)
            time.sleep(0.5)  # connections are made
            begun = time.perf_counter()
            load.begin()
            last_words = taker.stdout.readline()
            took = time.perf_counter() - begun
        finally:
            taker.kill()
    load.end()
    if not last_words:
        raise TelecareError(f"{name} has not taken all {count} messages")
    broker_s = _broker_at_rest_s() - before
    return {
        "version": None if kind.package is None else version(kind.package),
        "acknowledges": kind.acknowledges,
        "msg_s": round(count / took),
        "cpu_s_per_100k": round(json.loads(last_words)["cpu_s"] * 100_000 / count, 2),
        "broker_cpu_s_per_100k": round(broker_s * 100_000 / count, 2),
        "left_unacknowledged": asyncio.run(_left(settings, client_id)),
    }


def _missing(kind: Kind) -> str | None:
    try:
        importlib.import_module(kind.module)
    except ModuleNotFoundError:
        return "not installed"
    except ImportError as problem:  # a part that is not of Python
        return f"not installed: {problem}"
    return None


def _broker_at_rest_s() -> float:
    """The processor seconds that the broker has used, once it has nothing more to do.

    A connection that takes a session over while the broker is busy is sent messages again that the last one has
    acknowledged: they seem to be still unread in the old connection.
    """
    used = used_s(os.getpid())["broker"]
    while True:
        time.sleep(_REST_S)
        before, used = used, used_s(os.getpid())["broker"]
        if used - before <= _AT_REST:
            return used


async def _left(settings: Settings, client_id: str) -> int:
    """How many messages the broker still keeps in this session; ends it."""
    inbox = StreamInbox(settings.mqtt, client_id, [TOPIC], sys.maxsize, draining=True)
    inbox.open()
    left = 0
    while not await inbox.quiet(_QUIET_S):
        messages = inbox.take_waiting(sys.maxsize)
        inbox.acknowledge(messages)
        left += len(messages)
    await inbox.close(for_good=True)
    return left


if __name__ == "__main__":
    main()
