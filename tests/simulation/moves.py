"""What people, devices and fate do. A new thing that may happen is one function and one line in a table."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from alerts import actions, asks, asks_store, calls, emergency, knowing, standing, telling, visit_actions
from alerts.calls import Result
from alerts.detection.findings import Finding, raise_finding
from alerts.emergency import News, Service
from alerts.visiting import NEXT, VisitState
from ingest.domain import take_in
from ingest.store import save_alarms
from telecare.db import Connection
from telecare.ids import uuid7
from telecare.register import homes
from telecare.register.person_states import Change
from telecare.vocabulary import Cause, ConfirmedBy, Kind, Outcome, PersonState, Role
from tests.simulation.broken import Broken
from tests.simulation.people import LINK, OPERATORS, SUPERVISOR, ZONE, Contact, Person
from tests.simulation.watch import CLOCK, STAFF_ENDS, Case

if TYPE_CHECKING:
    from tests.simulation.world import World

AHEAD = timedelta(minutes=5)  # how far a device's clock may be ahead
DAY_S = 86_400.0
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
        self.away_until: datetime | None = None  # nobody is at the centre
        self.known: set[int] = set()  # alerts that somebody is going to look at
        self.table = [
            Move("ring", 2.5, self.ring),
            Move("ask a contact", 2, self.ask_contact),
            Move("dispatch", 0.7, self.dispatch),
            Move("the visit goes on", 2.5, self.visit_goes_on),
            Move("999", 0.3, self.ring_999),
            Move("hear of the service", 1.5, self.hear_of_service),
            Move("assess", 1, self.assess),
            Move("note", 0.5, self.note, of_owner=False),
            Move("visit", 0.5, self.visit),
            Move("safe", 1, self.safe),
            Move("wrap up", 0.7, self.wrap_up),
            Move("agree", 0.3, self.agree, of_owner=False),
            Move("close", 8, self.close),
            Move("release", 0.4, self.release),
            Move("take over", 0.3, self.take_over, of_owner=False),
            Move("claim", 0.3, self.claim, of_owner=False),
        ]
        # What happens by itself: so many times a day.
        self.fate = [
            (0.35, self.somebody_presses),
            (0.08, self.who_waits_presses),
            (0.08, self.device_says),
            (0.06, self.service_finds),
            (0.05, self.equipment_is_tested),
            (0.03, self.nobody_is_there),
            (0.02, self.somebody_dies_or_leaves),
            (0.01, self.provider_goes_away),
            (0.04, self.engines_die),
            (0.02, self.stale_screen),
            (0.02, self.forged_answer),
            (0.06, self.somebody_reviews),
        ]

    def begin(self) -> None:
        """Let fate take its course."""
        for often, play in self.fate:
            self.often(often, play)
        for night in CLOCKS_CHANGE:
            for minute in range(-30, 180, 15):
                at = night + timedelta(minutes=minute + self.world.rng.random() * 10)
                if at > self.world.now:
                    self.world.at(at, "the clocks change", self.somebody_presses)

    def often(self, often: float, play: Callable[[], Awaitable[None]]) -> None:
        """Let something happen so many times a day, from now on."""

        async def and_again() -> None:
            self.often(often, play)
            await play()

        self.world.after(self.world.rng.expovariate(often * self.world.busy / DAY_S), play.__name__, and_again)

    # ------------------------------------------------------------ alarms

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
        self.world.after(0.01, "somebody looks", self._look_out)

    async def _look_out(self) -> None:
        """Whoever is at the centre sees what is new."""
        for case in self.world.watch.cases.values():
            if case.id not in self.known and not case.closed:
                self.known.add(case.id)
                slow = 900.0 if case.priority == 4 else 15.0 * self.world.faults
                self._turn(case.id, self.world.rng.expovariate(1 / slow) + 2)

    def _someone(self) -> Person:
        return self.world.rng.choice(self.world.people)

    async def somebody_presses(self) -> None:
        """A press, a fall, smoke; often more than once; sometimes taken back."""
        rng, person = self.world.rng, self._someone()
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
        rng, person = self.world.rng, self._someone()
        kind = rng.choice(("battery-low", "mains-lost", "mains-restored", "smoke", "nonsense", "tamper"))
        key = f"technical:{person.home}" if kind in ("battery-low", "tamper") else None
        await self.alarm(person, key, kind=kind, **({"device": "smoke-1"} if kind == "smoke" else {}))

    async def service_finds(self) -> None:
        """The service misses somebody's movement."""
        person, key = self._someone(), str(uuid7())
        finding = Finding(person.hub, Kind.INACTIVITY, "no-movement", key, "No movement for 4 hours", person.id)

        async def find(conn: Connection, now: datetime) -> None:
            found = await raise_finding(conn, finding, now)
            if found is not None:
                self._expect(str(found), f"person:{person.id}")

        await self.world.act("finding", find)

    async def equipment_is_tested(self) -> None:
        """A test press; sometimes in a test window, sometimes after it."""
        world, person = self.world, self._someone()
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

    # ------------------------------------------------------------ operators

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
        rng = self.world.rng
        if case.owner is None:
            await self.claim(case, rng.choice(OPERATORS))
            return
        move = rng.choices(self.table, [one.weight for one in self.table])[0]
        by = case.owner or SUPERVISOR
        if not move.of_owner or rng.random() < 0.04:
            by = rng.choice((*OPERATORS, SUPERVISOR))
        await move.play(case, by)
        if rng.random() < 0.1 and (case.owner is None or rng.random() < 0.3):
            await self.take_over(case, rng.choice(OPERATORS))

    async def claim(self, case: Case, by: str) -> str:
        """One claims; often enough two do at once."""
        world = self.world
        others = [by] + ([name for name in OPERATORS if name != by][:1] if world.rng.random() < 0.15 else [])
        acts = [lambda conn, now, who=who: actions.claim(conn, world.settings, case.id, who, now) for who in others]
        return await world.act("claim", *acts)

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
        whose = [person for person in self.world.people if case.key == f"person:{person.id}"] or [self._someone()]
        return rng.choice(whose[0].contacts).id if whose[0].contacts else None

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

    # ------------------------------------------------------------ contacts

    async def contact_reads(self, contact: Contact, body: str) -> None:
        """A message has reached a telephone: they answer now, late, twice, or not; some change their minds."""
        world, rng = self.world, self.world.rng
        found = LINK.search(body)
        if found is None or rng.random() > contact.answers:
            return
        for _ in range(1 + (rng.random() < 0.15)):
            given = "going" if rng.random() < contact.goes else "cannot"
            minutes = rng.choice((5, 10, 30, 30, 300)) if given == "going" else None
            wait = rng.expovariate(1 / 90.0) if rng.random() < 0.9 else rng.uniform(600, 40_000)
            world.after(wait, "answers", lambda given=given, minutes=minutes: self.answer(found[1], given, minutes))

    async def answer(self, token: str, given: Any, minutes: int | None) -> None:
        """Somebody presses a button on the page of a link."""
        world = self.world

        async def press(conn: Connection, now: datetime) -> None:
            found = await asks_store.ask_by(conn, token_hash=telling.link_hash(token))
            if found is None:
                world.count("an answer with a token that is nobody's")
                return
            await asks.answer(conn, world.settings, found["id"], given, minutes, now)

        await world.act("answer", *[press] * (1 + (world.rng.random() < 0.1)))

    async def forged_answer(self) -> None:
        await self.answer("AAAAAAAAAAAAAAAA", "going", 10)

    # ------------------------------------------------------------ fate

    async def nobody_is_there(self) -> None:
        """Nobody is at the centre for a while."""
        self.away_until = self.world.now + timedelta(minutes=self.world.rng.expovariate(1 / 25.0))
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

    async def stale_screen(self) -> None:
        """Somebody does something to an alert that was closed long ago."""
        world, rng = self.world, self.world.rng
        if world.watch.closed:
            case = world.watch.closed[max(world.watch.closed)]
            move = rng.choice([one for one in self.table if one.name != "visit"])
            if await move.play(case, rng.choice(OPERATORS)) == "done":
                world.count("done to a closed alert: " + move.name)

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
