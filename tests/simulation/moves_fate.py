"""What nobody wants: an empty centre, providers and engines that are gone, people who die or leave."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from alerts import standing
from telecare.register.person_states import Change
from telecare.vocabulary import PersonState, Role
from tests.simulation.moves_part import DAY_S, Part
from tests.simulation.people import SUPERVISOR, Person

if TYPE_CHECKING:
    pass


class Fate(Part):
    """It takes its course."""

    async def nobody_is_there(self) -> None:
        """Nobody is at the centre for a while."""
        self.world.moves.operators.away_until = self.world.now + timedelta(minutes=self.world.rng.expovariate(1 / 25.0))
        self.world.count("nobody at the centre")

    async def provider_goes_away(self) -> None:
        """No message gets out for a while."""
        self.world.telephones.away_until = self.world.now + timedelta(hours=self.world.rng.uniform(0.1, 24))
        self.world.count("provider away for hours")

    async def engines_die(self) -> None:
        """Both engines are gone at once, for seconds or for hours."""
        seconds = self.world.rng.choice((3, 30, 300, 300, 7200))
        self.world.count("both engines gone")
        for one in self.world.engines:
            self.world.engine_dies(one, seconds + self.world.rng.uniform(0, 5))

    def somebody_has_claimed(self, by: str) -> None:
        """Sometimes their screen goes soon afterwards, or all screens do."""
        chance, soon = self.rng.random(), self.rng.expovariate(1 / 40.0)
        if chance < 0.1:
            self.world.after(soon, "a screen is lost", lambda: self._screen_goes(by))
        elif chance < 0.12:
            self.world.after(soon, "the pages die", self._pages_die)

    async def _screen_goes(self, name: str) -> None:
        world = self.world
        if world.screens.works:
            world.count("a screen is lost")
            await world.screens.lose(name)
            world.screens.later(self.rng.choice((3, 20, 29, 32, 40, 90, 600, 7200)) + self.rng.random(), name)
            world.after(self.rng.uniform(1, 28), "leases are looked at", lambda: world.engine_looks("lease"))

    async def _pages_die(self) -> None:
        world = self.world
        if world.screens.works:
            world.count("the pages' process died")
            seconds = self.rng.choice((2, 8, 15, 45, 400))
            for name in await world.screens.pages_die():
                world.screens.later(seconds + self.rng.uniform(1, 60), name)
            world.after(seconds, "pages are back", world.screens.pages_are_back)
            world.after(seconds + 0.5, "leases are looked at", lambda: world.engine_looks("lease"))

    async def somebody_dies_or_leaves(self) -> None:
        """Often while an alert of theirs is open; some are written off by mistake, and that is undone."""
        world, rng = self.world, self.world.rng
        open_keys = {case.key for case in world.watch.cases.values() if not case.closed}
        alive = [person for person in world.people if not person.stopped]
        troubled = [person for person in alive if f"person:{person.id}" in open_keys]
        person = rng.choice(troubled if troubled and rng.random() < 0.8 else alive)
        state = rng.choice((PersonState.DECEASED, PersonState.DECEASED, PersonState.ENDED))
        await self._stands(person, state)
        world.after(
            rng.uniform(0.5, 30) * DAY_S, "written off by mistake", lambda: self._stands(person, PersonState.ACTIVE)
        )

    async def _stands(self, person: Person, state: PersonState) -> None:
        world = self.world
        new = Change(state=state, note="her daughter rang", by=SUPERVISOR, role=Role.SUPERVISOR)
        await world.act("standing", lambda conn, now: standing.change(conn, world.settings, person.id, new, now))
        row = await (await world.watcher.execute("select state from people where id = %s", (person.id,))).fetchone()
        assert row is not None
        person.stopped = row[0] in ("deceased", "ended")
