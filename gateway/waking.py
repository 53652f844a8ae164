"""How the parts of a hub wake each other."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from telecare.clock import Clock


@dataclass(frozen=True, slots=True)
class Wakes:
    """Something new lies in the outbox. Each event has one that waits for it and clears it."""

    alarms: asyncio.Event = field(default_factory=asyncio.Event)
    urgent: asyncio.Event = field(default_factory=asyncio.Event)  # somebody needs help: a wait to connect is over
    readings: asyncio.Event = field(default_factory=asyncio.Event)
    second: asyncio.Event = field(default_factory=asyncio.Event)  # an alarm is due on the second broker
    hook: asyncio.Event = field(default_factory=asyncio.Event)  # ... and by the hook


async def pause(clock: Clock, wake: asyncio.Event, seconds: float | None) -> None:
    """Wait until woken, or for `seconds` at most (None: without end)."""
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(wake.wait())]
    if seconds is not None:
        waits.append(asyncio.ensure_future(clock.sleep(max(seconds, 0.0))))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
