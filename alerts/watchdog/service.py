"""The watchdog's process: it presses, looks, audits, and shouts. It shares no loop and no pool with what it watches.

What it knows is in memory, and is written down whenever the database takes it. Each step opens its own connection: an
outage is then over when the next step works, and there is nothing to put back together.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import aiomqtt
import psycopg
from psycopg import AsyncConnection

from alerts import leases_store
from alerts.audit import service as audit
from alerts.settings import ladder
from alerts.watchdog import domain, store
from alerts.watchdog.domain import SERVICE, About, Board, Journey, OnCall, Open, Trouble
from alerts.watchdog.outside import Engineer, NotTaken, ping
from alerts.watchdog.press import Press
from alerts.watchdog.store import Message
from telecare.clock import Clock
from telecare.db import Connection, database_now
from telecare.errors import TelecareError
from telecare.heartbeat import beat
from telecare.ids import uuid7
from telecare.mqtt import client_for
from telecare.register import own
from telecare.service import run_workers
from telecare.settings import Settings

log = logging.getLogger("watchdog")

_ANSWER_S: Final = 5  # database and broker answer a look within this, or are out of reach
_AUDIT_S: Final = 30  # one statement of the audit may take this long
_CALL_EVERY_S: Final = 0.5
_RETIRE_EVERY_S: Final = 3600.0
_REMEMBERED: Final = 1000  # presses and endings that wait for the database
_AWAY: Final = (psycopg.OperationalError, TimeoutError, OSError)

Change = tuple[Open, datetime | None]  # a trouble that has begun, or has ended then


class Watchdog:
    """One watchdog."""

    def __init__(self, settings: Settings, engineer: Engineer, clock: Clock) -> None:
        self.settings, self.engineer, self.clock = settings, engineer, clock
        self.board = Board(clock.now() + timedelta(seconds=settings.watchdog_within_s))
        self.oncall = OnCall()
        self._unsaved: deque[Change] = deque(maxlen=_REMEMBERED)
        self._presses: deque[tuple[Press, Journey]] = deque(maxlen=_REMEMBERED)
        self._messages: dict[UUID, Message] = {}  # that wait for the database
        self._message: Message | None = None  # that nobody has taken yet
        self._adopted = False
        # A demo that nobody has looked at yet misses nobody.
        self._screens_from = clock.now() if settings.demo else None
        self._may_ping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        settings = self.settings
        with suppress(*_AWAY, psycopg.Error):  # so that the first press is not one of a stranger
            async with self._database() as conn:
                await own.make_sure(conn)
        await run_workers(
            stop,
            press=self._repeat("press", self.press_step, lambda: self._press_wait_s()),
            look=self._repeat("look", self.look_step, lambda: settings.watchdog_look_every_s),
            audit=self._repeat("audit", self.audit_step, lambda: settings.audit_every_s, settings.watchdog_within_s),
            call=self._repeat("call", self.call_step, lambda: _CALL_EVERY_S),
            retire=self._repeat("retire", self.retire_step, lambda: _RETIRE_EVERY_S),
        )

    async def _repeat(
        self, name: str, step: Callable[[], Awaitable[None]], wait_s: Callable[[], float], first_wait_s: float = 0.0
    ) -> None:
        """Repeat a step. Whatever goes wrong inside one is a trouble of its own, and the others go on."""
        await self.clock.sleep(first_wait_s)
        while True:
            failed: list[Trouble] = []
            try:
                await step()
            except Exception as problem:
                log.exception("the watchdog's %s failed", name, extra={"event": "watchdog_failed"})
                words = f"The watchdog's own {name} fails ({type(problem).__name__}): what it watches is not watched."
                failed.append(Trouble(key=f"own-{name}:failed", words=words, advice=domain.RESTART))
            self._note(f"own-{name}", failed)
            await self.clock.sleep(wait_s())

    def _note(self, source: str, troubles: list[Trouble]) -> None:
        for one, ended_at in self.board.found(source, troubles, self.clock.now()):
            self._unsaved.append((one, ended_at))
            event = "trouble_begun" if ended_at is None else "trouble_ended"
            log.warning(one.trouble.words, extra={"event": event, "key": one.trouble.key})

    @asynccontextmanager
    async def _database(self, statement_s: int = _ANSWER_S) -> AsyncIterator[Connection]:
        async with await AsyncConnection.connect(
            self.settings.database,
            autocommit=True,
            connect_timeout=_ANSWER_S,
            application_name=f"telecare-{SERVICE}",
            options=f"-c timezone=UTC -c statement_timeout={statement_s * 1000}",
        ) as conn:
            yield conn

    # ------------------------------------------------------------ the test press

    async def press_step(self) -> None:
        """Press once, and follow the press to its end."""
        press = Press(self.settings, self.clock, self._database)
        journey = await press.follow()
        self._note("press", domain.trouble_of_press(journey, self.settings.watchdog_within_s))
        self._presses.append((press, journey))
        self._may_ping = journey.arrived
        took = {"ms": round(journey.took_s * 1000)} if journey.took_s is not None else {"missing": journey.missing}
        log.info("pressed", extra={"event": "pressed", "alarm": press.alarm} | took)
        await self._ping_if_well()

    def _press_wait_s(self) -> float:
        """Until the next press; sooner where the last one was lost, to hear soon that the way is open again."""
        settings = self.settings
        is_lost = any(one.trouble.source == "press" for one in self.board.open.values())
        return settings.watchdog_look_every_s if is_lost else settings.watchdog_press_every_s

    async def _ping_if_well(self) -> None:
        """Once for each press that arrived, and only while nothing grave is open."""
        url = self.settings.deadman_url
        if url is None or not self._may_ping or self.board.grave():
            return
        self._may_ping = False
        try:
            await ping(url.get_secret_value(), self.settings.oncall_try_s)
        except NotTaken as problem:
            log.warning("nobody outside took the ping", extra={"event": "ping_not_taken", "why": str(problem)})

    # ------------------------------------------------------------ looking

    async def look_step(self) -> None:
        """Look at broker and database, and at what the database says; then write down what is known."""
        await asyncio.gather(self._look_at_broker(), self._look_at_database())
        await self._ping_if_well()

    async def _look_at_broker(self) -> None:
        settings, found = self.settings, []
        try:
            async with (
                asyncio.timeout(_ANSWER_S),
                client_for(settings.mqtt, ca_file=settings.mqtt_ca_file, timeout_s=_ANSWER_S),
            ):
                pass
        except (aiomqtt.MqttError, OSError, TimeoutError, TelecareError):
            found.append(domain.out_of_reach("broker", settings.watchdog_patience_s))
        self._note("broker", found)

    async def _look_at_database(self) -> None:
        settings, found = self.settings, []
        try:
            async with asyncio.timeout(2 * _ANSWER_S), self._database() as conn:
                now = await database_now(conn)
                signs = await store.signs(conn, now, settings.watchdog_waiting_s)
                limits = {"overdue_after_s": settings.watchdog_overdue_s, "patience_s": settings.watchdog_patience_s}
                self._note("signs", domain.troubles_of_signs(signs, now, **limits))
                screens = await leases_store.screens(conn, now)
                self._note("screens", domain.trouble_of_screens(
                    screens, now, counted_from=self._screens_from,
                    with_alerts_s=settings.no_console_s, idle_s=settings.no_console_idle_s,
                ))  # fmt: skip
                try:
                    await self._write_down(conn, now)
                except (psycopg.OperationalError, psycopg.InternalError) as problem:  # a full disk, or read-only
                    found.append(domain.cannot_write(type(problem).__name__))
        except _AWAY:
            # What the signs were is not known any more: what was open stays open.
            found.append(domain.out_of_reach("database", settings.watchdog_patience_s))
        self._note("database", found)

    async def _write_down(self, conn: Connection, now: datetime) -> None:
        if not self._adopted:
            before = await store.open_troubles(conn)
            self.board.adopt(before, self.clock.now())
            told = [one for one in before if one.told_at is not None and one.trouble.grave]
            if told:
                keys = frozenset(one.trouble.key for one in told)
                self.oncall = replace(self.oncall, told=keys, told_at=max(one.told_at for one in told if one.told_at))
            self._adopted = True
        while self._unsaved:
            one, ended_at = self._unsaved[0]
            if ended_at is None:
                await store.begin_trouble(conn, one)
            else:
                await store.end_trouble(conn, one.trouble.key, ended_at)
            self._unsaved.popleft()
        while self._presses:
            press, journey = self._presses[0]
            await store.save_press(conn, press.alarm, press.age_s, journey)
            self._presses.popleft()
        for number, message in list(self._messages.items()):
            await store.save_message(conn, message)
            del self._messages[number]
        await store.word_troubles(conn, list(self.board.open.values()))
        await store.note_runs(conn)
        await beat(conn, SERVICE, {"subscribed": True})

    # ------------------------------------------------------------ auditing

    async def audit_step(self) -> None:
        """The auditor's cheap part: what lately came. A database that is away is the look's to say."""
        try:
            async with self._database(_AUDIT_S) as conn:
                report = await audit.lately(conn, self.settings, ladder(self.settings))
        except _AWAY:
            return
        self._note("audit", audit.troubles_of(report))

    async def retire_step(self) -> None:
        """Delete what has been kept long enough."""
        with suppress(*_AWAY):
            async with self._database(_AUDIT_S) as conn:
                now = await database_now(conn)
                await store.retire(conn, now - timedelta(days=self.settings.watchdog_keep_days))

    # ------------------------------------------------------------ the engineer on call

    async def call_step(self) -> None:
        """Tell the engineer what is due to be told."""
        settings, now = self.settings, self.clock.now()
        repeat, clear_after = timedelta(seconds=settings.oncall_repeat_s), timedelta(seconds=settings.oncall_clear_s)
        about = self.oncall.due(self.board, now, repeat, clear_after)
        if about is None:
            return
        troubles = self.board.grave()
        message = self._next_message(about, troubles, now)
        try:
            await self.engineer.tell(message, troubles)
        except NotTaken as problem:
            self.oncall = self.oncall.not_taken(self.clock.now())
            self._message = replace(message, failure=str(problem))
            log.error("nobody on call took the message", extra={"event": "oncall_not_taken", "why": str(problem)})
        else:
            keys = frozenset(one.trouble.key for one in troubles)
            now = self.clock.now()
            self.oncall = self.oncall.taken(about, keys, now)
            self.board.told(list(keys), now)
            self._message = None
            message = replace(message, taken_at=now, failure="")
        self._messages[message.id] = self._message or message

    def _next_message(self, about: About, troubles: list[Open], now: datetime) -> Message:
        """The message that nobody has taken, brought up to date; or a new one."""
        body = domain.body_of(about, troubles, self.settings.service_name, now)
        again = self._message
        if again is not None and again.about == about:
            return replace(again, body=body, attempts=again.attempts + 1)
        return Message(uuid7(), about, body, now, 1, None, "")
