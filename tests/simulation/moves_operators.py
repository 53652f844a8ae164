"""What operators and supervisors do with alerts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from alerts import actions, calls, knowing
from alerts.calls import Result
from telecare.db import Connection
from telecare.vocabulary import Cause, ConfirmedBy, Outcome
from tests.simulation.broken import CLOCK, Broken
from tests.simulation.case import Case
from tests.simulation.moves_part import Part
from tests.simulation.people import OPERATORS, SUPERVISOR, ZONE

if TYPE_CHECKING:
    from tests.simulation.world import World


class Operators(Part):
    """Those at the centre."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.away_until: datetime | None = None  # nobody is at the centre
        self.known: set[int] = set()  # alerts that somebody is going to look at

    async def look_out(self) -> None:
        """Whoever is at the centre sees what is new."""
        for case in self.world.watch.cases.values():
            if case.id not in self.known and not case.closed:
                self.known.add(case.id)
                slow = 900.0 if case.priority == 4 else 15.0 * self.world.faults
                self._turn(case.id, self.world.rng.expovariate(1 / slow) + 2)

    def _turn(self, number: int, seconds: float) -> None:
        self.world.after(seconds, "turn", lambda: self.turn(number))

    async def turn(self, number: int) -> None:
        """Somebody at the centre turns to an alert."""
        world, rng = self.world, self.world.rng
        case = world.watch.cases.get(number)
        if case is None or case.closed:
            self.known.discard(number)
            return
        if self.away_until is not None and world.now < self.away_until:
            self._turn(number, (self.away_until - world.now).total_seconds() + rng.expovariate(1 / 60))
            return
        await self._one_move(case)
        # They come back soon; sometimes a shift ends first.
        self._turn(number, rng.uniform(600, 4000) if rng.random() < 0.02 else rng.expovariate(1 / 75.0) + 5)

    async def _one_move(self, case: Case) -> None:
        rng, screens, table = self.rng, self.world.screens, self.world.moves.table
        there = [name for name in OPERATORS if screens.there(name)]
        if not there:
            return
        if case.owner is None:
            await self.claim(case, rng.choice(there))
            return
        if not screens.there(case.owner):
            # Their screen is lost: who sees that takes over, or the alert comes back.
            if rng.random() < 0.1:
                await self.take_over(case, rng.choice(there))
            return
        move = rng.choices(table, [one.weight for one in table])[0]
        by = case.owner
        if not move.of_owner or rng.random() < 0.04:
            by = rng.choice((*there, SUPERVISOR))
        await move.play(case, by)
        if rng.random() < 0.1 and (case.owner is None or rng.random() < 0.3):
            await self.take_over(case, rng.choice(there))

    async def claim(self, case: Case, by: str) -> str:
        """One claims; often enough two do at once."""
        world = self.world
        two = (
            [name for name in OPERATORS if name != by and world.screens.there(name)][:1]
            if world.rng.random() < 0.15
            else []
        )
        others = [by, *two]
        acts = [lambda conn, now, who=who: actions.claim(conn, world.settings, case.id, who, now) for who in others]
        became = await world.act("claim", *acts)
        world.moves.fate.somebody_has_claimed(by)
        return became

    async def take_over(self, case: Case, by: str) -> str:
        return await self.world.act(
            "take over", lambda conn, now: actions.take_over(conn, case.id, by, "their shift has ended", now)
        )

    async def release(self, case: Case, by: str) -> str:
        settings = self.world.settings
        return await self.world.act(
            "release", lambda conn, now: actions.release(conn, settings, case.id, by, "I am needed", now)
        )

    async def note(self, case: Case, by: str) -> str:
        return await self.world.act(
            "note", lambda conn, now: actions.write_log(conn, case.id, by, "note", {"text": "She is on her chair"}, now)
        )

    async def ring(self, case: Case, by: str) -> str:
        """Ring the person; one in eight calls is never ended by hand."""
        world, rng = self.world, self.world.rng
        line = rng.choice(("landline", "mobile", "mobile", "contact"))
        contact = self._contact_of(case) if line == "contact" else None
        begun: list[Any] = []

        async def start(conn: Connection, now: datetime) -> None:
            begun.append(await calls.start(conn, world.settings, case.id, by, line, contact, now))  # type: ignore[arg-type]

        outcome = await world.act("ring", start)
        if begun and rng.random() < 0.88:
            result = rng.choice([Result.SPOKE, Result.SILENCE, Result.NO_ANSWER, Result.HEARD])

            async def end() -> None:
                await world.act(
                    "end call", lambda conn, now: calls.finish(conn, case.id, begun[0], by, result, "", now)
                )

            world.after(rng.expovariate(1 / 60.0), "call ends", end)
        return outcome

    def _contact_of(self, case: Case) -> UUID | None:
        """Some contact of the alert's person; now and then of somebody else."""
        rng = self.world.rng
        whose = [person for person in self.world.people if case.key == f"person:{person.id}"] or [self.someone()]
        return rng.choice(whose[0].contacts).id if whose[0].contacts else None

    async def assess(self, case: Case, by: str) -> str:
        floor = self.world.rng.random() < 0.3
        return await self.world.act(
            "assess",
            lambda conn, now: knowing.assess(
                conn, case.id, by, now, cause=Cause.FALL_ON_FLOOR, on_floor=floor, decision="visit"
            ),
        )

    async def wrap_up(self, case: Case, by: str) -> str:
        return await self.world.act(
            "wrap up", lambda conn, now: knowing.wrap_up(conn, case.id, by, {"notes": "all well"}, now)
        )

    async def agree(self, case: Case, by: str) -> str:
        return await self.world.act("agree", lambda conn, now: knowing.agree(conn, case.id, by, "nobody answers", now))

    async def somebody_reviews(self) -> None:
        """A supervisor looks at a closed alert."""
        closed = self.world.watch.closed
        if closed:
            case = closed[max(closed)]
            await self.world.act(
                "review", lambda conn, now: knowing.review(conn, case.id, SUPERVISOR, 80, "well done", now)
            )

    async def stale_screen(self) -> None:
        """Somebody does something to an alert that was closed long ago."""
        world, rng = self.world, self.world.rng
        if world.watch.closed:
            case = world.watch.closed[max(world.watch.closed)]
            move = rng.choice([one for one in self.world.moves.table if one.name != "visit"])
            if await move.play(case, rng.choice(OPERATORS)) == "done":
                world.count("done to a closed alert: " + move.name)

    async def visit(self, case: Case, by: str) -> str:
        """A responder tells when they arrived, by the clock on the wall; whoever writes it down does so later."""
        world = self.world
        arrived = case.raised + world.rng.random() * (world.now.timestamp() - case.raised)
        said = f"{datetime.fromtimestamp(arrived, UTC).astimezone(ZONE):%H:%M}"
        detail = {"text": "with her now", "arrived_at": said}
        result = await world.act(
            "visit", lambda conn, now: actions.write_log(conn, case.id, by, "visit", dict(detail), now)
        )
        if case.owner == by and not case.closed and result == "refused":
            raise Broken(
                CLOCK, f"alert {case.id}: they arrived at {said}, and it is refused at {world.now:%d %b %H:%M} UTC"
            )
        return result

    async def safe(self, case: Case, by: str) -> str:
        how = "spoke with her"
        return await self.world.act(
            "safe", lambda conn, now: actions.mark_safe(conn, case.id, by, ConfirmedBy.PERSON, how, now)
        )

    async def close(self, case: Case, by: str) -> str:
        """Close, in any way that somebody may try; a stale screen shows fewer alarms; some click twice."""
        world, rng = self.world, self.world.rng
        values: dict[str, Any] = {
            "cause": rng.choice(
                (Cause.FALL_UP, Cause.ACCIDENTAL, Cause.REASSURANCE, Cause.REASSURANCE, Cause.NOT_KNOWN)
            ),
            "outcomes": [Outcome.REASSURED] if rng.random() < 0.92 else [],
            "confirmed_by": ConfirmedBy.PERSON
            if rng.random() < 0.85
            else rng.choice((ConfirmedBy.SYSTEM, ConfirmedBy.TWO_PEOPLE)),
            "how": "spoke with her" if rng.random() < 0.92 else "",
            "seen_alarms": case.alarms - (rng.random() < 0.05),
        }
        acts = [lambda conn, now: actions.close(conn, world.settings, case.id, by, now, **values)]
        if rng.random() < 0.1:
            acts *= 2
        return await world.act("close", *acts)
