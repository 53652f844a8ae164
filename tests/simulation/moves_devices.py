"""What devices and those who wear them do: presses, falls, smoke, tests, and findings of the service's own."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from alerts.detection.findings import Finding, raise_finding
from ingest.domain import take_in
from ingest.store import save_alarms
from telecare.db import Connection
from telecare.ids import uuid7
from telecare.register import homes
from telecare.vocabulary import Kind
from tests.simulation.moves_part import Part
from tests.simulation.people import Person

if TYPE_CHECKING:
    pass

AHEAD = timedelta(minutes=5)  # how far a device's clock may be ahead


class Devices(Part):
    """They send alarms."""

    async def alarm(self, person: Person, key: str | None, **changes: Any) -> str:
        """An alarm arrives, as ingest keeps it; sometimes two processes of ingest hear it."""
        world = self.world
        alarm = {"id": str(uuid7()), "seq": 1, "device": person.device, "kind": "button", "clock": "synced"}
        at = world.now - timedelta(seconds=world.rng.uniform(0.1, 3))
        payload = json.dumps(alarm | {"at": at.isoformat()} | changes).encode()

        async def save(conn: Connection, now: datetime) -> None:
            await save_alarms(conn, [take_in(person.hub, payload, now, AHEAD)], now)

        name = str((alarm | changes)["id"])
        if await world.act("alarm", *[save] * (1 + (world.rng.random() < 0.05))) == "failed":
            # The hub sends again until it is told that it is kept.
            world.after(10, "sent again", lambda: self._again(person, key, alarm | changes))
            return name
        self._expect(name, key)
        return name

    async def _again(self, person: Person, key: str | None, alarm: dict[str, Any]) -> None:
        await self.alarm(person, key, **alarm)

    def _expect(self, name: str, key: str | None) -> None:
        self.world.watch.presses[name] = key
        self.world.after(0.01, "somebody looks", self.world.moves.operators.look_out)

    async def somebody_presses(self) -> None:
        """A press, a fall, smoke; often more than once; sometimes taken back."""
        rng, person = self.world.rng, self.someone()
        kind = rng.choices((Kind.BUTTON, Kind.FALL, Kind.PULL_CORD, Kind.INACTIVITY, Kind.BED_EXIT), (60, 20, 8, 7, 5))[
            0
        ]
        key = f"person:{person.id}"
        name = await self.alarm(person, key, kind=kind.value)
        again = rng.choices((0, 1, 2, 5), (70, 20, 7, 3))[0]
        for _ in range(again):
            self.world.after(
                rng.expovariate(1 / 60.0), "presses again", lambda: self._again(person, key, {"id": str(uuid7())})
            )
        if rng.random() < 0.1:
            cancel = {"id": str(uuid7()), "kind": "cancel", "evidence": {"cancels": name}}
            self.world.after(rng.uniform(1, 900), "takes it back", lambda: self._again(person, None, cancel))

    async def who_waits_presses(self) -> None:
        """Somebody whose alert is open calls again."""
        waiting = {case.key for case in self.world.watch.cases.values()}
        people = [one for one in self.world.people if f"person:{one.id}" in waiting]
        if people:
            person = self.world.rng.choice(people)
            await self.alarm(person, f"person:{person.id}")

    async def device_says(self) -> None:
        """Equipment, smoke, and what cannot be read."""
        rng, person = self.world.rng, self.someone()
        kind = rng.choice(("battery-low", "mains-lost", "mains-restored", "smoke", "nonsense", "tamper"))
        key = f"technical:{person.home}" if kind in ("battery-low", "tamper") else None
        await self.alarm(person, key, kind=kind, **({"device": "smoke-1"} if kind == "smoke" else {}))

    async def service_finds(self) -> None:
        """The service misses somebody's movement."""
        person, key = self.someone(), str(uuid7())
        finding = Finding(person.hub, Kind.INACTIVITY, "no-movement", key, "No movement for 4 hours", person.id)

        async def find(conn: Connection, now: datetime) -> None:
            found = await raise_finding(conn, finding, now)
            if found is not None:
                self._expect(str(found), f"person:{person.id}")

        await self.world.act("finding", find)

    async def equipment_is_tested(self) -> None:
        """A test press; sometimes in a test window, sometimes after it."""
        world, person = self.world, self.someone()
        if world.rng.random() < 0.5:
            await self.alarm(person, None, kind="test")
            return
        length = timedelta(minutes=10)
        await world.act(
            "test window",
            lambda conn, now: homes.open_test_window(conn, person.home, person.device, "ann", now, length),
        )
        later = {"id": str(uuid7()), "test": True}
        world.after(world.rng.uniform(1, 900), "tests", lambda: self._again(person, None, later))
