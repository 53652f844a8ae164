"""Pressing pendants at real hubs, and when each press was kept, receipted and shown."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.running import token_for, until_online
from bench.watching import Receipts, Shown, watching
from gateway.service import run as run_hub
from gateway.settings import HubSettings
from gateway.sockets import connect
from telecare.clock import SystemClock
from telecare.enrolment import enrol
from telecare.register.homes import NewDevice, NewHome, NewPerson
from telecare.settings import Settings

SETTLE_S: Final = 5.0  # after the last press


@dataclass
class Ledger:
    """When each alarm was pressed, kept, receipted and shown (seconds of the performance counter)."""

    # A console event carries its alert's count of alarms: the n-th press of a home is shown by its n-th alarm.
    order: dict[str, list[str]]
    pressed: dict[str, float] = field(default_factory=dict)
    kept: dict[str, float] = field(default_factory=dict)
    receipted: dict[str, float] = field(default_factory=dict)
    shown: dict[str, float] = field(default_factory=dict)

    def seen(self, receipts: Receipts, shown: Shown) -> None:
        """What the watchers saw."""
        self.receipted |= receipts
        for home, count, at in shown:
            for alarm in self.order.get(home, [])[:count]:
                self.shown.setdefault(alarm, at)

    def took_ms(self, what: dict[str, float], since: dict[str, float]) -> list[float]:
        """From one moment of each alarm to another."""
        return [1000 * (at - since[alarm]) for alarm, at in what.items() if alarm in since]


class Pressers:
    """Homes with real hubs, whose pendants are pressed in turn."""

    def __init__(self, settings: Settings, folder: Path, name: str, count: int) -> None:
        self._settings, self._folder, self._name, self._count = settings, folder, name, count
        self._hubs: list[HubSettings] = []
        self._homes: dict[str, str] = {}
        self._order: dict[str, list[str]] = {}
        self._number = 0  # a ref that comes again would be the same alarm

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The hubs, online."""
        wanted = [(f"{self._name}-{n}", _home(n)) for n in range(self._count)]
        enrolments = await enrol(self._settings, list(wanted))
        self._homes = {e.hub: str(e.home) for e in enrolments}
        self._hubs = [
            HubSettings(
                hub=e.hub,
                secret=e.secret,
                mqtt_url=self._settings.mqtt_url_for_hubs,
                directory=self._folder / e.hub,
                return_jitter_s=0.0,
                alarm_reserve_bytes=0,
            )
            for e in enrolments
        ]
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for hub in self._hubs:
                group.create_task(run_hub(hub, SystemClock(), stop))
            try:
                await until_online(self._settings, self._name, self._count)
                yield
            finally:
                stop.set()

    async def press(self, seconds: float, per_s: float) -> Ledger:
        """Press for `seconds`, and wait until all is told: when each press was kept, receipted and shown."""
        ledger = Ledger(self._order)
        token = await token_for(self._settings, "operator")
        with watching(self._settings.mqtt, self._settings.port, token) as watchers:
            await self._press(ledger, seconds, per_s)
            await asyncio.sleep(SETTLE_S)
            ledger.seen(*await asyncio.to_thread(watchers.ended))
        return ledger

    async def _press(self, ledger: Ledger, seconds: float, per_s: float) -> None:
        links = [(hub, *await connect(hub.socket_path)) for hub in self._hubs]
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            hub, reader, writer = links[self._number % len(links)]
            frame = {"frame": "alarm", "device": "pendant-1", "ref": f"bench-{self._number}", "kind": "button"}
            pressed = time.perf_counter()
            writer.write(json.dumps(frame).encode() + b"\n")
            alarm = str(json.loads(await _kept(reader))["id"])
            ledger.pressed[alarm], ledger.kept[alarm] = pressed, time.perf_counter()
            ledger.order.setdefault(self._homes[hub.hub], []).append(alarm)
            self._number += 1
            # Not in step with anything periodic in the system.
            await asyncio.sleep(random.uniform(0.5, 1.5) / per_s)
        for _, _, writer in links:
            writer.close()


def _home(number: int) -> NewHome:
    return NewHome(
        address=f"{number} Bench Street",
        people=(NewPerson(name=f"Presser {number}"),),
        devices=(NewDevice(name="pendant-1", kind="pendant", person=0),),
    )


async def _kept(reader: asyncio.StreamReader) -> bytes:
    while True:
        line = await reader.readline()
        if b'"kept"' in line:
            return line
