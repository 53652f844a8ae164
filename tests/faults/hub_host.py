"""Real hubs in a process of their own, to be killed: `python -m tests.faults.hub_host FILE`.

FILE is a JSON list, one object for each hub: the fields of `gateway.settings.HubSettings`; `clock_off_s`, by how much
the hub's clock is wrong; and `clock_jumps_s`, after how many seconds it is set right, and after as many wrong again.
"""

import asyncio
import json
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.service import run
from gateway.settings import HubSettings
from telecare.clock import SystemClock
from telecare.service import run_until_stopped


class WrongClock(SystemClock):
    """A hub's clock that is wrong; all the time, or now and then."""

    def __init__(self, off: timedelta, jumps_s: float | None) -> None:
        self._off, self._jumps_s = off, jumps_s
        self._begun = time.monotonic()

    def now(self) -> datetime:
        if self._jumps_s is not None and (time.monotonic() - self._begun) // self._jumps_s % 2:
            return super().now()
        return super().now() + self._off


async def run_all(hubs: list[dict[str, Any]], stop: asyncio.Event) -> None:
    """Run these hubs in one event loop; one that fails takes the others with it, as a power cut does."""
    async with asyncio.TaskGroup() as group:
        for hub in hubs:
            clock = WrongClock(timedelta(seconds=hub.pop("clock_off_s")), hub.pop("clock_jumps_s"))
            settings = HubSettings(**(hub | {"directory": Path(hub["directory"])}))
            group.create_task(run(settings, clock, stop))


def main() -> None:
    """Run until SIGTERM, or until somebody kills us."""
    hubs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    run_until_stopped(lambda stop: run_all(hubs, stop))


if __name__ == "__main__":
    main()
