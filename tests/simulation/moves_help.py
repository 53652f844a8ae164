"""The help that operators send, and what is heard of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from alerts import actions, emergency, visit_actions
from alerts.emergency import News, Service
from alerts.visiting import NEXT, VisitState
from tests.simulation.case import STAFF_ENDS, Case
from tests.simulation.moves_part import Part

if TYPE_CHECKING:
    pass


class Help(Part):
    """Contacts who are asked by hand, responders, and the emergency services."""

    async def ask_contact(self, case: Case, by: str) -> str:
        settings = self.world.settings
        return await self.world.act("ask", lambda conn, now: actions.ask_contact(conn, settings, case.id, by, now))

    async def dispatch(self, case: Case, by: str) -> str:
        settings = self.world.settings
        return await self.world.act(
            "dispatch", lambda conn, now: actions.dispatch(conn, settings, case.id, by, "sam", "", now)
        )

    async def visit_goes_on(self, case: Case, by: str) -> str:
        """The next step of a visit, told by whoever has the alert or by the responder; or one that cannot be."""
        world, rng = self.world, self.world.rng
        under_way = [(name, state) for name, state in case.visits.items() if state not in STAFF_ENDS - {"left"}]
        if not under_way:
            return "nothing"
        name, state = rng.choice(under_way)
        ways = sorted(NEXT[VisitState(state)])
        to = rng.choice(ways) if rng.random() < 0.96 else rng.choice(list(VisitState))
        detail = {
            "reason": "cannot", "minutes": 10, "brief_read": True, "how": "the unit was pressed", "tried": "bell",
            "device": "cushion", "after": "well", "how_left": "in her chair", "report": "all done",
            "flags": ["trauma"] if to == "checked" and rng.random() < 0.2 else [], "nothing_found": True,
            "on_floor": rng.random() < 0.3, "confirmed_elsewhere": "her son is with her, in his house",
        }  # fmt: skip
        who = by if rng.random() < 0.6 else "sam"
        await world.act(
            f"visit: {to}",
            lambda conn, now: visit_actions.take_step(
                conn, world.settings, case.id, UUID(name), who, VisitState(to), detail, now
            ),
        )
        if rng.random() < 0.1:
            await world.act("panic", lambda conn, now: visit_actions.panic(conn, case.id, UUID(name), "sam", now))
        if rng.random() < 0.2:
            await world.act(
                "check-in",
                lambda conn, now: visit_actions.check_in(conn, world.settings, case.id, UUID(name), "sam", now),
            )
        return "done"

    async def ring_999(self, case: Case, by: str) -> str:
        settings, service = self.world.settings, self.world.rng.choice(list(Service))
        return await self.world.act(
            "999", lambda conn, now: actions.call_service(conn, settings, case.id, by, service, now, minutes=20)
        )

    async def hear_of_service(self, case: Case, by: str) -> str:
        settings, news = self.world.settings, self.world.rng.choice(list(News))
        under_way = [name for name, ended in case.services.items() if not ended]
        if not under_way:
            return "nothing"
        call = UUID(self.world.rng.choice(under_way))
        return await self.world.act(
            "hear",
            lambda conn, now: emergency.hear(
                conn, settings, case.id, call, by, news, now, minutes=10, taken_to="General"
            ),
        )
