"""Two councils to test against."""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from alerts.history import PastCase, PastStep, add_past_case
from dashboard.outcomes import store
from dashboard.outcomes.domain import read_episode
from telecare.clock import format_instant
from telecare.db import database_now
from telecare.vocabulary import Cause, ConfirmedBy, Kind, Outcome, Role
from tests.dashboard.world import World


@dataclass
class Town:
    """A world whose people belong to two councils."""

    world: World
    councils: dict[str, UUID] = field(default_factory=dict)  # anytown, otherham
    cases: int = 0

    @property
    def mary(self) -> UUID:
        return self.world.people["hub-1"]

    @property
    def ravi(self) -> UUID:
        return self.world.people["hub-2"]

    async def add_commissioner(self, council: str) -> None:
        """Somebody who sees one council only; the user name is its."""
        await self.world.add_colleague(council, Role.COMMISSIONER)
        async with self.world.pool.connection() as conn:
            await conn.execute(
                "update staff set council_id = %s where username = %s", (self.councils[council], council)
            )

    async def add_people(self, council: str, count: int, *, prefix: str = "AT-") -> None:
        """People of a council with references, in one home."""
        async with self.world.pool.connection() as conn:
            await conn.execute(
                """with h as (select id from homes where council_id = %(council)s limit 1),
                        p as (insert into people (id, home_id, name, born)
                              select gen_random_uuid(), h.id, 'Person ' || n, '1940-01-01'
                                from h, generate_series(1, %(count)s - 1) n returning id, name)
                   insert into person_references (person_id, council_id, reference)
                   select id, %(council)s, %(prefix)s || lpad(split_part(name, ' ', 2), 4, '0') from p""",
                {"council": self.councils[council], "count": count, "prefix": prefix},
            )

    async def people(self, council: str) -> list[UUID]:
        """Everybody whom a council knows by a reference."""
        async with self.world.pool.connection() as conn:
            rows = await (
                await conn.execute(
                    "select person_id from person_references where council_id = %s order by reference",
                    (self.councils[council],),
                )
            ).fetchall()
        return [row[0] for row in rows]

    async def add_episode(self, person: UUID, council: str, today: date, **fields: str) -> UUID:
        """An episode as it would be entered."""
        reading = read_episode(fields, today)
        assert reading.episode is not None, reading.problems
        async with self.world.pool.connection() as conn:
            now = await database_now(conn)
            return await store.add_episode(conn, person, self.councils[council], reading.episode, "operator", now)

    async def add_case(
        self,
        person: UUID,
        raised_at: datetime,
        answered_at: datetime | None,
        closed_at: datetime,
        arrived_at: datetime | None = None,
        *,
        sent: bool = False,
        cause: Cause = Cause.FALL_UP,
    ) -> None:
        """A past alert."""  # fmt: skip
        self.cases += 1
        steps = [PastStep(answered_at or raised_at, "desk", "dispatched", {"responder": "Car"})] if sent else []
        if arrived_at is not None:
            steps.append(PastStep(closed_at, "desk", "visit", {"text": "x", "arrived_at": format_instant(arrived_at)}))
        case = PastCase(
            name=f"case {self.cases}", person_id=person, kind=Kind.BUTTON, device="pendant-1", location=None,
            raised_at=raised_at, answered_at=answered_at, answered_by="desk", closed_at=closed_at, cause=cause,
            outcomes=[Outcome.REASSURED], confirmed_by=ConfirmedBy.PERSON, how="said so", steps=steps,
        )  # fmt: skip
        async with self.world.pool.connection() as conn:
            assert await add_past_case(conn, case, await database_now(conn))
