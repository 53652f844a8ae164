"""The bare path from MQTT to PostgreSQL: what `ratio_to_bare` of `bench.ingest` divides by.

One thread reads publications, copies topic and payload into a table, commits, and only then acknowledges. It validates
nothing, knows no repeats, and survives no fault: what is left when everything that a product must do is taken away.
"""

import select
import sys
from typing import Final

import psycopg

from bench.load import connect
from ingest import mqtt_reader
from ingest.mqtt_reader import Message

TOPIC: Final = "telecare/v1/+/bench"  # which nothing of ours hears
_BATCH: Final = 2000
_CHUNK: Final = 1 << 18


def main() -> None:
    """`python -m bench.bare MQTT_URL DATABASE_URL`: says `ready`, and runs until it is killed."""
    url, database = sys.argv[1:]
    db = psycopg.connect(database)
    db.execute("create table if not exists bench_raw (id bigserial primary key, topic text, payload jsonb)")
    db.commit()
    link, reader = connect(url, "bench-bare")
    link.settimeout(None)
    link.sendall(mqtt_reader.subscribe([TOPIC]))
    reader.feed(link.recv(_CHUNK))
    print("ready", flush=True)
    waiting: list[Message] = []
    cursor = db.cursor()
    while chunk := link.recv(_CHUNK):
        waiting += reader.feed(chunk)[0]
        if waiting and (len(waiting) >= _BATCH or not select.select([link], [], [], 0)[0]):
            with cursor.copy("copy bench_raw (topic, payload) from stdin") as copy:
                for message in waiting:
                    copy.write_row((message.topic, message.payload.decode()))
            db.commit()
            link.sendall(mqtt_reader.acknowledgements([message.mid for message in waiting]))
            waiting.clear()


if __name__ == "__main__":
    main()
