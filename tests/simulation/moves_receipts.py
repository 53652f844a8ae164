"""What a provider says became of a message: late, out of order, twice, of something unknown, or never."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from alerts import receipts, replies_store, sending_store
from alerts.providers import Outgoing
from telecare.db import Connection
from tests.simulation.moves_part import Part
from tests.simulation.telephones import REPORTS

if TYPE_CHECKING:
    from tests.simulation.world import World

_FAILED = ("temporary-failure", "technical-failure", "permanent-failure", "no-answer")


class Receipts(Part):
    """The provider that gives receipts."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._failed: set[str] = set()  # what was said not to have arrived

    def will_report(self, message: Outgoing, ref: str) -> None:
        """It has taken a message: mostly it says soon that this arrived."""
        rng = self.rng
        chance = rng.random()
        if chance < 0.06:
            self.world.count("receipt never came")
            return
        arrived = "answered" if message.channel == "voice" else "delivered"
        said = [rng.choice(_FAILED)] if chance < 0.12 else [arrived]
        if rng.random() < 0.2:
            said.append(rng.choice(("sending", "sent", arrived, *_FAILED)))  # in any order
        for status in said:
            late = rng.uniform(1, 50) if rng.random() < 0.9 else rng.uniform(60, 300_000)
            self.world.after(late, "receipt", partial(self._receipt, message.key, ref, status))
            if rng.random() < 0.1:
                self.world.count("a receipt that came again")
                self.world.after(late * 2, "receipt again", partial(self._receipt, message.key, ref, status))

    async def unknown_receipt(self) -> None:
        """Of a message that was never ours, or with a word that nobody knows."""
        self.world.count("a receipt of something unknown")
        await self._receipt("nobody's", f"ref-{self.rng.random():.9f}", self.rng.choice(("delivered", "vanished")))

    async def _receipt(self, key: str, ref: str, status: str) -> None:
        world, raw = self.world, f"{ref} {status}".encode()
        if status in _FAILED and ref not in self._failed:
            world.telephones.may_come_again(key)
            self._failed.add(ref)
        content = hashlib.sha256(raw).digest()

        async def take(conn: Connection, now: datetime) -> None:
            found = await sending_store.attempt_named(conn, REPORTS, ref, key)
            if found is None or status not in receipts.STATUS:
                await replies_store.keep_stray(conn, REPORTS, "no message of ours", raw, content, now)
                return
            await receipts.take(conn, world.settings, found, REPORTS, status, ref, content, now)

        world.watch.answers.receipt = True
        if await world.act("receipt", take) == "failed":
            world.after(5, "receipt again", partial(self._receipt, key, ref, status))
