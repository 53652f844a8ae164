"""What all who do something have in common."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tests.simulation.people import Person

if TYPE_CHECKING:
    from tests.simulation.world import World

DAY_S = 86_400.0


class Part:
    """Some of what may happen."""

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def rng(self) -> Random:
        """The one generator that decides everything."""
        return self.world.rng

    def someone(self) -> Person:
        """Anybody with an alarm."""
        return self.rng.choice(self.world.people)
