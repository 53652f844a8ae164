"""The best peer: `mq-bridge`, a Rust engine with Python bindings, as one route from MQTT to PostgreSQL with COPY.

Tuned for throughput: batches of 2,000, four at a time, acknowledged after their commit. Its COPY takes text out of the
top-level fields of a JSON object and nothing else, so what it is sent is an object with one such field, `payload`.
"""

import os
import secrets
import sys
from typing import Any, Final

from bench.bare import TOPIC
from telecare.settings import parse_mqtt_url

_BATCH: Final = 2000  # messages in one COPY at most
_AT_ONCE: Final = 4  # batches
_HELD: Final = 20_000  # messages in its memory; by default 100, and no batch would be larger
_SESSION_S: Final = 1
_INSERT: Final = "insert into bench_raw (topic, payload) values (${metadata:mqb.src.mqtt_topic}, ${payload:payload})"
TABLE: Final = "create table bench_raw (id bigserial primary key, topic text, payload jsonb)"


def main() -> None:
    """`python -m bench.peer_route MQTT_URL DATABASE_URL`: says `ready`, and runs until it is killed."""
    os.environ["MQB_SOURCE_METADATA"] = "1"  # or the topic is not known
    import mq_bridge

    url, database = sys.argv[1:]
    route = mq_bridge.Route.from_config(_route(url, database))
    route.start()
    print("ready", flush=True)
    route.join()


def _route(url: str, database: str) -> dict[str, Any]:
    parts = parse_mqtt_url(url)
    broker = {
        "url": f"tcp://{parts.host}:{parts.port}",
        "username": parts.username,
        "password": parts.password,
        "client_id": f"bench-peer-{secrets.token_hex(4)}",
        "session_expiry_interval": _SESSION_S,
        "topic": TOPIC,
        "qos": 1,
        "queue_capacity": _HELD,
        "delayed_ack": False,  # its name for acknowledging on receipt
    }
    table = {
        "url": database,
        "table": "bench_raw",
        "insert_query": _INSERT,
        "bulk_copy": True,
    }
    return {"input": {"mqtt": broker}, "output": {"sqlx": table}, "batch_size": _BATCH, "concurrency": _AT_ONCE}


if __name__ == "__main__":
    main()
