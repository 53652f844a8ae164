"""Readings as packets, made beforehand: none is like another."""

import json
import time
from collections.abc import Sequence
from typing import Any, Final

from bench.load import publication

SIZE: Final = 200  # bytes of a message with one reading
STEP_S: Final = 0.01  # between two readings of one series


class Readings:
    """Makes publications of which none is like another."""

    def __init__(self, hubs: Sequence[str], connections: int) -> None:
        self._connections = connections
        self._topics = [f"telecare/v1/{hub}/readings" for hub in hubs]
        self._at = time.time() - 6 * 3600

    def packets(self, messages: int, per_message: int, *, bare: bool = False) -> list[list[bytes]]:
        """For each connection its packets; hub after hub, each with the next times."""
        made: list[list[bytes]] = [[] for _ in range(self._connections)]
        for number in range(messages):
            turn, hub = divmod(number, len(self._topics))
            begin = self._at + turn * per_message * STEP_S
            records = [self._record(begin + n * STEP_S) for n in range(per_message)]
            payload = json.dumps(records).encode()
            if per_message == 1:
                records[0]["pad"] = "x" * (SIZE - len(payload) - len(', "pad": ""'))
                payload = json.dumps(records).encode()
            mine = made[number % self._connections]
            topic = self._topics[hub].replace("/readings", "/bench") if bare else self._topics[hub]
            mine.append(publication(topic, payload, len(mine)))
        self._at += (messages // len(self._topics) + 1) * per_message * STEP_S
        return made

    def _record(self, at: float) -> dict[str, Any]:
        return {"n": "env-1/temperature", "u": "Cel", "v": 19.5, "t": round(at, 3)}
