"""What people, devices and fate do. A new thing that may happen is one function and one line in a table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.simulation.case import Case
from tests.simulation.moves_contacts import Contacts
from tests.simulation.moves_devices import Devices
from tests.simulation.moves_fate import Fate
from tests.simulation.moves_help import Help
from tests.simulation.moves_operators import Operators
from tests.simulation.moves_part import DAY_S
from tests.simulation.moves_receipts import Receipts

if TYPE_CHECKING:
    from tests.simulation.world import World

# The nights on which the clocks change, between which minutes nothing should be certain (UTC).
CLOCKS_CHANGE = [
    datetime(y, m, d, tzinfo=UTC) for y, m, d in ((2026, 3, 29), (2026, 10, 25), (2027, 3, 28), (2027, 10, 31))
]


@dataclass(frozen=True, slots=True)
class Move:
    """Something that an operator may do with an alert."""

    name: str
    weight: float
    play: Callable[[Case, str], Awaitable[str]]
    of_owner: bool = True  # only who has it does that, except by mistake


class Moves:
    """What happens by itself, and what it leads to."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.devices, self.contacts, self.fate = Devices(world), Contacts(world), Fate(world)
        self.operators, self.help = Operators(world), Help(world)
        self.receipts = Receipts(world)
        of, sent = self.operators, self.help
        self.table = [
            Move("ring", 2.5, of.ring),
            Move("ask a contact", 2, sent.ask_contact),
            Move("dispatch", 0.7, sent.dispatch),
            Move("the visit goes on", 2.5, sent.visit_goes_on),
            Move("999", 0.3, sent.ring_999),
            Move("hear of the service", 1.5, sent.hear_of_service),
            Move("assess", 1, of.assess),
            Move("note", 0.5, of.note, of_owner=False),
            Move("visit", 0.5, of.visit),
            Move("safe", 1, of.safe),
            Move("wrap up", 0.7, of.wrap_up),
            Move("agree", 0.3, of.agree, of_owner=False),
            Move("close", 8, of.close),
            Move("release", 0.4, of.release),
            Move("take over", 0.3, of.take_over, of_owner=False),
            Move("claim", 0.3, of.claim, of_owner=False),
        ]
        # What happens by itself: so many times a day.
        self.by_itself = [
            (0.35, self.devices.somebody_presses),
            (0.08, self.devices.who_waits_presses),
            (0.08, self.devices.device_says),
            (0.06, self.devices.service_finds),
            (0.05, self.devices.equipment_is_tested),
            (0.03, self.fate.nobody_is_there),
            (0.02, self.fate.somebody_dies_or_leaves),
            (0.01, self.fate.provider_goes_away),
            (0.04, self.fate.engines_die),
            (0.02, self.operators.stale_screen),
            (0.02, self.contacts.forged_answer),
            (0.05, self.contacts.stray_text),
            (0.03, self.receipts.unknown_receipt),
            (0.06, self.operators.somebody_reviews),
        ]

    def begin(self) -> None:
        """Let fate take its course."""
        for often, play in self.by_itself:
            self.often(often, play)
        for night in CLOCKS_CHANGE:
            for minute in range(-30, 180, 15):
                at = night + timedelta(minutes=minute + self.world.rng.random() * 10)
                if at > self.world.now:
                    self.world.at(at, "the clocks change", self.devices.somebody_presses)

    def often(self, often: float, play: Callable[[], Awaitable[None]]) -> None:
        """Let something happen so many times a day, from now on."""

        async def and_again() -> None:
            self.often(often, play)
            await play()

        self.world.after(self.world.rng.expovariate(often * self.world.busy / DAY_S), play.__name__, and_again)
