"""Readings in the background at a steady rate: `python -m tests.faults.readings URL HUBS RATE FILE`.

HUBS is a comma-separated list, RATE is readings a second; at SIGTERM what was sent and acknowledged is written to FILE.
Packs of ten, as hubs send them. A broker that is away is waited for; packs that it had not acknowledged are not sent
again: a reading may die with the broker, and these are only the weather in which alarms travel.
"""

import itertools
import json
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.load import connect, publication
from ingest.mqtt_reader import Kind, PacketReader
from tests.system.running import clean_environment

PACK: Final = 10  # readings
_TICK_S: Final = 0.05


class Source:
    """Makes packs of which none is like another, and counts."""

    def __init__(self, hubs: list[str]) -> None:
        self._hubs = itertools.cycle(hubs)
        # Whole milliseconds: sums of seconds drift, and two readings of a pack then have the same instant now and then.
        self._at_ms = int((time.time() - 3600) * 1000)
        self.sent = self.acknowledged = 0  # packs

    def packs(self, count: int) -> bytes:
        """The next ones, ready to be written to a connection."""
        made = []
        for _ in range(count):
            self._at_ms += PACK
            pack = [self._record(n) for n in range(PACK)]
            made.append(publication(f"telecare/v1/{next(self._hubs)}/readings", json.dumps(pack).encode(), self.sent))
            self.sent += 1
        return b"".join(made)

    def _record(self, number: int) -> dict[str, Any]:
        return {"n": "env-1/temperature", "u": "Cel", "v": 19.5, "t": (self._at_ms + number) / 1000}


class ReadingsProcess:
    """The process that sends them, seen from the row."""

    def __init__(self, url: str, hubs: list[str], rate: float, file: Path) -> None:
        self._file = file
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.readings", url, ",".join(hubs), str(rate), str(file)],
            env=clean_environment(), start_new_session=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> dict[str, int]:
        """Send no more; how many readings were `sent`, and `acknowledged` by the broker."""
        self._process.terminate()
        self._process.wait(timeout=40)
        found: dict[str, int] = json.loads(self._file.read_text(encoding="utf-8"))
        return found


class Stop(Exception):
    """SIGTERM."""


def flow(link: socket.socket, reader: PacketReader, source: Source, rate: float) -> None:
    """Send at the rate until the connection breaks."""
    due = time.monotonic()
    owed = 0.0
    while True:
        owed += rate * _TICK_S / PACK
        link.sendall(source.packs(int(owed)))
        owed -= int(owed)
        while select.select([link], [], [], 0)[0]:
            data = link.recv(1 << 18)
            if not data:
                raise ConnectionResetError
            source.acknowledged += sum(control.kind == Kind.PUBACK for control in reader.feed(data)[1])
        due += _TICK_S
        time.sleep(max(0.0, due - time.monotonic()))


def main() -> None:
    """Send until SIGTERM."""
    url, hubs, rate, file = sys.argv[1:]
    source = Source(hubs.split(","))

    def stop(*_: object) -> None:
        raise Stop

    signal.signal(signal.SIGTERM, stop)
    try:
        while True:
            try:
                link, reader = connect(url, "fault-readings")
                with link:
                    flow(link, reader, source, float(rate))
            except OSError:
                time.sleep(0.5)
    except Stop:
        Path(file).write_text(json.dumps({"sent": source.sent * PACK, "acknowledged": source.acknowledged * PACK}))


if __name__ == "__main__":
    main()
