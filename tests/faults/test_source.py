"""The readings in the background: what is counted as sent must be as many readings to the store."""

import json
import time

import pytest

from ingest.mqtt_reader import PacketReader
from tests.faults import readings


@pytest.mark.parametrize("begun", [1795876377.0005, 1795876377.0, 1795876377.9999999])
def test_no_two_readings_have_the_same_instant(monkeypatch: pytest.MonkeyPatch, begun: float) -> None:
    """At the first of these, sums of floating-point seconds gave two readings of a pack one instant: one reading."""
    monkeypatch.setattr(time, "time", lambda: begun + 3600)
    messages, _ = PacketReader(1).feed(readings.Source(["h-1"]).packs(300))
    instants = [record["t"] for message in messages for record in json.loads(message.payload)]
    assert len(instants) == len(set(instants)) == 300 * readings.PACK
