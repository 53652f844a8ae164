"""A seeded world around the real code on a real database: discrete events, one clock, one generator.

Nothing waits in real time: the clock jumps to whatever comes next, an event of somebody's or a deadline in the
database. Each transaction takes some simulated milliseconds, so that no two things happen at the same instant.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from alerts.errors import Conflict, Incomplete
from alerts.service import Engine
from telecare import ids
from telecare.clock import SystemClock
from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.settings import Settings
from tests.simulation.broken import DEADLINE, ERROR, Broken
from tests.simulation.lines import FAST, Crash, OnePool, Plain, open_line, together
from tests.simulation.people import Contact, Person, settle_in
from tests.simulation.screens import Screens
from tests.simulation.telephones import Telephones
from tests.simulation.watch import Watch

REFUSALS = (Conflict, Incomplete, NotFound, Refused)
STEPS = {
    name: f"{name}_step"
    for name in ("take", "deadline", "rise", "lease", "ask", "call", "visit", "emergency", "message")
}
_MOST_STEPS = 400  # in a row, without anything else happening
_ENGINE_DIES = 0.02  # of steps
_TWO_AT_ONCE = 0.06
_PAGE_FAILS = 0.01

Act = Callable[[Connection, datetime], Awaitable[Any]]


@dataclass(slots=True)
class Works:
    """One alert engine: its process may be gone for a while."""

    name: str
    pool: OnePool
    engine: Engine
    down_until: datetime | None = None


@dataclass(order=True, slots=True)
class Event:
    """Something that will happen."""

    at: datetime
    number: int
    name: str = field(compare=False)
    play: Callable[[], Awaitable[None]] = field(compare=False)


class World:
    """Everything there is, and what happens in it."""

    def __init__(self, seed: int, start: datetime, settings: Settings, busy: float, faults: float) -> None:
        from tests.simulation.moves import Moves

        self.busy = busy  # how often things happen, as a multiple
        self.faults = faults  # likewise faults, and what happens at the same time
        self.seed, self.start, self.now, self.settings = seed, start, start, settings
        self.rng = Random(seed)
        self.counts: Counter[str] = Counter()
        self.up_since = start  # an engine has been up ever since
        self._events: list[Event] = []
        self._numbers = itertools.count(1)
        self._trace = hashlib.sha256()
        self.people: list[Person] = []
        self.by_contact: dict[UUID, Contact] = {}
        self.telephones, self.screens = Telephones(self), Screens(self)
        self.watch = Watch(self)
        self.moves = Moves(self)
        self.engines: list[Works] = []
        self.desks: list[OnePool] = []
        self.lines: list[OnePool] = []
        self.watcher: AsyncConnection[Any]

    # ------------------------------------------------------------ small things

    def tick(self) -> datetime:
        """Some milliseconds pass; the time then."""
        self.now += timedelta(microseconds=self.rng.randint(500, 5000))
        return self.now

    async def now_of(self, conn: Connection) -> datetime:
        """The database's clock, as engines ask for it."""
        return self.tick()

    def next_number(self) -> int:
        return next(self._numbers)

    def at(self, when: datetime, name: str, play: Callable[[], Awaitable[None]]) -> None:
        """Let something happen then."""
        heapq.heappush(self._events, Event(max(when, self.now), self.next_number(), name, play))

    def after(self, seconds: float, name: str, play: Callable[[], Awaitable[None]]) -> None:
        self.at(self.now + timedelta(seconds=seconds), name, play)

    def count(self, what: str) -> None:
        """Count a fault, or a refusal."""
        self.counts[what] += 1
        self.trace(what)

    def trace(self, words: str) -> None:
        self._trace.update(words.encode())

    @property
    def digest(self) -> str:
        """The same for two runs in which the same has happened."""
        return self._trace.hexdigest()[:16]

    @property
    def days(self) -> float:
        return (self.now - self.start) / timedelta(days=1)

    # ------------------------------------------------------------ play

    async def play(self, days: float) -> None:
        """Let so many days pass.

        Raises:
            Broken: an invariant does not hold.
        """
        end = self.start + timedelta(days=days)
        while self.now < end:
            due = self.watch.next_deadline()
            works = any(self._is_up(one) for one in self.engines)
            event = self._events[0] if self._events else None
            if works and due is not None and (event is None or due <= event.at):
                # An engine looks twice a second.
                self.now = max(self.now, due) + timedelta(seconds=self.rng.uniform(0, 0.5))
            elif event is not None:
                heapq.heappop(self._events)
                self.now = max(self.now, event.at)
                self.trace(f"{self.now.timestamp():.6f} {event.name}")
                await event.play()
                await self.watch.look(settled=False)
            await self.engines_work()

    # ------------------------------------------------------------ engines

    def _is_up(self, one: Works) -> bool:
        return one.down_until is None or one.down_until <= self.now

    async def engines_work(self) -> None:
        """Let the engines that are up do what is due, one step after the other, until nothing is."""
        for _ in range(_MOST_STEPS):
            up = [one for one in self.engines if self._is_up(one)]
            if not up:
                return
            due = self.watch.due()
            if not due:
                # A step that finds nothing changes nothing: only sometimes are the engines asked.
                if self.rng.random() < 0.02:
                    await self._step(up, self.rng.choice(list(STEPS)))
                    await self.watch.look(settled=False)
                    continue
                await self.watch.look(settled=True)
                return
            await self._step(up, self.rng.choice(due))
            await self.watch.look(settled=False)
        raise Broken(DEADLINE, f"{due} are due, and the engines do not get on")

    async def _step(self, up: list[Works], step: str) -> None:
        rng = self.rng
        await self._before(step)
        playing = [up[rng.randrange(len(up))]]
        if len(up) > 1 and rng.random() < _TWO_AT_ONCE * self.faults:
            playing = up
            self.counts["two engines at once"] += 1
        for one in playing:
            if rng.random() < _ENGINE_DIES * self.faults:
                how = Crash if rng.random() < 0.6 else psycopg.OperationalError
                one.pool.line.die_after(rng.randint(1, 5 if step == "message" else 12), how)
        if len(playing) == 1:
            results = [await _outcome(self._play_step(playing[0], step))]
        else:
            plays = [(one.pool, lambda one=one: self._play_step(one, step)) for one in playing]
            results = await together(rng, self.watcher, plays)
        for one, result in zip(playing, results, strict=True):
            self._judge_engine(one, step, result)

    async def _before(self, step: str) -> None:
        if step == "lease":
            await self.screens.write_down()

    async def engine_looks(self, step: str) -> None:
        """An engine that is up does this, whether or not something is due."""
        if up := [one for one in self.engines if self._is_up(one)]:
            await self._step(up, step)

    async def _play_step(self, one: Works, step: str) -> bool:
        result: bool = await getattr(one.engine, STEPS[step])()
        return result

    def _judge_engine(self, one: Works, step: str, result: Any) -> None:
        one.pool.line.die_after(None)
        self.trace(f"{one.name} {step} {result if isinstance(result, bool) else type(result).__name__}")
        if not isinstance(result, BaseException):
            if step == "lease":
                self.screens.judged = self.now.timestamp()
            return
        if not isinstance(result, Crash | psycopg.OperationalError) or isinstance(
            result, psycopg.errors.DeadlockDetected
        ):
            raise Broken(ERROR, f"{step}: {type(result).__name__}: {result}") from result
        if step == "message":
            self.telephones.excuse()
        self.counts[
            "database away in a step" if isinstance(result, psycopg.OperationalError) else "engine died in a step"
        ] += 1
        if isinstance(result, Crash):
            self.engine_dies(one, self.rng.choice((1.0, 5.0, 20.0, 120.0)))

    def engine_dies(self, one: Works, seconds: float) -> None:
        """Its process is gone, and comes back later with nothing in its memory."""
        one.down_until = self.now + timedelta(seconds=seconds)
        if not any(self._is_up(other) for other in self.engines):
            self.up_since = min(other.down_until or self.now for other in self.engines)
        one.engine = Engine(one.pool, self.settings, self.telephones.table, SystemClock(), now_of=self.now_of)  # type: ignore[arg-type]
        self.at(one.down_until, "engine is back", _nothing)

    # ------------------------------------------------------------ people at their screens

    async def act(self, name: str, *acts: Act) -> str:
        """Somebody does something; several acts are done at once. What became of (the first of) them."""
        rng = self.rng
        plays: list[tuple[OnePool, Callable[[], Awaitable[Any]]]] = []
        for desk, act in zip(self.desks, acts, strict=False):
            if rng.random() < _PAGE_FAILS * self.faults:
                desk.line.die_after(rng.randint(1, 10), psycopg.OperationalError)
            plays.append((desk, lambda desk=desk, act=act: self._play_act(desk, act)))
        up = [one for one in self.engines if self._is_up(one)]
        beside = up[rng.randrange(len(up))] if up and rng.random() < _TWO_AT_ONCE * self.faults else None
        if beside is not None:
            step = rng.choice(self.watch.due() or ["deadline", "ask", "message"])
            await self._before(step)
            plays.append((beside.pool, lambda: self._play_step(beside, step)))
            self.counts["an engine works while somebody acts"] += 1
        if len(plays) == 1:
            results = [await _outcome(plays[0][1]())]
        else:
            results = await together(rng, self.watcher, plays)
        if beside is not None:
            self._judge_engine(beside, step, results.pop())
        outcomes = [self._judge_act(name, desk, result) for desk, result in zip(self.desks, results, strict=False)]
        return outcomes[0]

    async def _play_act(self, desk: OnePool, act: Act) -> Any:
        async with desk.connection() as conn:
            return await act(conn, self.tick())

    def _judge_act(self, name: str, desk: OnePool, result: Any) -> str:
        desk.line.die_after(None)
        if isinstance(result, REFUSALS):
            self.count("refused: " + name)
            return "refused"
        if isinstance(result, psycopg.OperationalError) and not isinstance(result, psycopg.errors.DeadlockDetected):
            self.count("a page failed")
            return "failed"
        if isinstance(result, BaseException):
            raise Broken(ERROR, f"{name}: {type(result).__name__}: {result}") from result
        self.trace(name)
        return "done"


async def _outcome(play: Awaitable[Any]) -> Any:
    try:
        return await play
    except (Broken, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as problem:
        return problem


async def _nothing() -> None:
    pass


class _Seeded:
    """What `telecare.ids` takes randomness and the time from: the order of ids must not differ between two runs."""

    def __init__(self, world: World) -> None:
        self._world, self._rng = world, Random(world.seed + 1)

    def time_ns(self) -> int:
        return int(self._world.now.timestamp() * 1e6) * 1000

    def randbits(self, bits: int) -> int:
        return self._rng.getrandbits(bits)


@asynccontextmanager
async def world_of(
    database_url: str,
    seed: int,
    *,
    start: datetime = datetime(2026, 2, 1, tzinfo=UTC),
    homes: int = 40,
    busy: float = 1.0,
    faults: float = 1.0,
) -> AsyncIterator[World]:
    """A new world on a fresh database."""
    settings = Settings.model_validate({"database_url": database_url, "mqtt_url": "mqtt://127.0.0.1:1"})
    world = World(seed, start, settings, busy, faults)
    source = _Seeded(world)
    pools = [await open_line(database_url) for _ in range(4)]
    world.watcher = await Plain.connect(database_url, autocommit=True, **FAST)
    try:
        with patch.multiple(ids, time=source, secrets=source, _last=0):
            for name, pool in zip("AB", pools, strict=False):
                engine = Engine(pool, settings, world.telephones.table, SystemClock(), now_of=world.now_of)  # type: ignore[arg-type]
                world.engines.append(Works(name, pool, engine))
            world.desks, world.lines = pools[2:], pools
            async with world.desks[0].connection() as conn:
                world.people = await settle_in(world, conn, homes)
            world.by_contact = {c.id: c for person in world.people for c in person.contacts}
            await world.screens.begin(database_url)
            world.moves.begin()
            yield world
    finally:
        await world.watcher.close()
        await world.screens.end()
        for pool in pools:
            await pool.conn.close()
