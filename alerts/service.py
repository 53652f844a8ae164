"""The alert engine: takes alarms into alerts, moves on what nobody answers, sends what was decided.

Each worker has a step that does one piece of work in one transaction and says whether it found any. The database is the
only queue: any number of engines may run, and one that dies loses nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import aiomqtt

from alerts import asks, calls, store
from alerts.domain import POLICY, Arrival, Placement, climb, first_due, place
from alerts.incidents import service as incidents
from alerts.providers import Provider, ProviderRefused, ProviderUnavailable
from alerts.retention import retire
from alerts.settings import command_validity, ladder
from alerts.supervision import Supervision
from telecare.clock import Clock, format_instant
from telecare.db import Connection, Pool, database_now
from telecare.mqtt import client_for
from telecare.service import Backoff, keep_doing, listen, run_workers, say_alive
from telecare.settings import Settings
from telecare.wire import Command, encode, topic

log = logging.getLogger("alerts")

NowOf = Callable[[Connection], Awaitable[datetime]]

_TRIES = 5
_BUGS = (AssertionError, LookupError, TypeError, ValueError)
_ALARMS_PER_COMMIT = 50
_RETIRE_EVERY_S = 3600.0
_SET_ASIDE_S = 30.0  # an alarm whose taking failed is tried again after this long; the others go on meanwhile


class Engine:
    """One alert engine."""

    def __init__(
        self, pool: Pool, settings: Settings, provider: Provider, clock: Clock, now_of: NowOf = database_now
    ) -> None:
        self.pool = pool
        self.settings = settings
        self.provider = provider
        self.clock = clock
        self.now_of = now_of  # the database's time; a test hands in its own
        self.subscribed = False  # the broker takes our commands
        self._aside: dict[UUID, float] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        alarms, deadlines, asked, messages, commands = (asyncio.Event() for _ in range(5))
        poll_s = self.settings.alerts_poll_s
        await run_workers(
            stop,
            listen=listen(
                self.settings.database,
                self.clock,
                {store.ARRIVED: [alarms], store.CHANGED: [deadlines, asked, messages, commands]},
            ),
            alarms=keep_doing(self.take_step, alarms, self.clock, poll_s, "alarms"),
            deadlines=keep_doing(self.deadline_step, deadlines, self.clock, min(poll_s, 0.5), "deadlines"),
            asks=keep_doing(self.ask_step, asked, self.clock, poll_s, "asks"),
            calls=keep_doing(self.call_step, asyncio.Event(), self.clock, poll_s, "calls"),
            messages=keep_doing(self.message_step, messages, self.clock, poll_s, "messages"),
            commands=self.send_commands(commands, poll_s),
            retention=keep_doing(self.retire_step, asyncio.Event(), self.clock, _RETIRE_EVERY_S, "retention"),
            supervision=Supervision(self.pool, self.settings, self.clock, self.now_of).run(),
            alive=say_alive(self.pool, self.clock, "alerts", lambda: {"subscribed": self.subscribed}),
        )

    # ------------------------------------------------------------ alarms

    async def take_step(self) -> bool:
        """Give the longest-waiting alarms their places; False when none waits.

        Those that may be part of an incident come last: nobody who calls waits behind a power cut.
        """
        for shared in (False, True):
            try:
                found = await self._take_some(_ALARMS_PER_COMMIT, shared=shared)
            except _BUGS:
                # One of them: the others must not wait for it.
                log.exception("alarms could not be taken together", extra={"event": "alarms_one_by_one"})
                await self._take_one_by_one()
                return True
            if found:
                return True
        return False

    async def _take_one_by_one(self) -> None:
        """As many as share a commit, each in its own, as alarms of single homes; one that cannot be taken is set aside.

        It keeps its place in the queue, the row's age is watched by /health, and it is tried again.
        """
        for _ in range(_ALARMS_PER_COMMIT):
            taking: list[UUID] = []
            try:
                if not (await self._take_some(1, taking) or await self._take_some(1, taking, shared=True, alone=True)):
                    return
            except _BUGS:
                if not taking:
                    raise
                log.exception("alarm could not be taken", extra={"event": "alarm_set_aside", "alarm": taking[0]})
                self._aside[taking[0]] = asyncio.get_running_loop().time() + _SET_ASIDE_S

    async def _take_some(
        self, most: int, taking: list[UUID] | None = None, *, shared: bool = False, alone: bool = False
    ) -> bool:
        """Those that wait together share a commit. `taking` is told which they are.

        `shared`: those that may be part of an incident; with `alone` they are taken as if there were none.
        """
        now_s = asyncio.get_running_loop().time()
        self._aside = {alarm: until for alarm, until in self._aside.items() if until > now_s}
        async with self.pool.connection() as conn, conn.transaction():
            aside = list(self._aside)
            changed: list[int] = []
            if shared:
                signals = await incidents.next_waiting(conn, aside, most if alone else self.settings.incident_batch)
                alarms = [signal.alarm_id for signal in signals]
            else:
                alarms = await store.next_waiting(conn, aside, most)
            if taking is not None:
                taking += alarms
            if not alarms:
                return False
            now = await self.now_of(conn)
            if shared and not alone:
                alarms, changed = await incidents.gather(conn, self.settings, signals, now)
            changed += [await self._take(conn, alarm, now) for alarm in alarms[:most]]
            await store.publish_changes(conn, list(dict.fromkeys(changed)), now)
            return True

    async def _take(self, conn: Connection, alarm_id: UUID, now: datetime) -> int:
        """Give one alarm its place; the number of its alert."""
        arrival = await store.arrival(conn, alarm_id)
        if arrival.cancels is not None:
            named = await store.alert_of_alarm(conn, arrival.hub, arrival.cancels)
            if named is not None:
                return await self._join_cancelled(conn, arrival, named, now)
        placement = place(arrival)
        alert_id, entries = await self._open_or_join(conn, arrival, placement, now)
        await store.give_place(conn, alarm_id, alert_id, now)
        if placement.announces:
            expires_at = now + command_validity(self.settings)
            await store.queue_command(conn, alert_id, "help-is-coming", alarm_id, now, expires_at)
            entries.append(("system", "announced", {"text": "help-is-coming"}))
        await store.log_all(conn, alert_id, now, entries)
        return alert_id

    async def _open_or_join(
        self, conn: Connection, arrival: Arrival, placement: Placement, now: datetime
    ) -> tuple[int, list[store.Entry]]:
        """The alert's number, and what is to be written down about it."""
        due_at = first_due(placement.priority, now, ladder(self.settings))
        for _ in range(_TRIES):  # the open alert may be closed between our two statements
            opened = await store.open_alert(conn, arrival, placement, now, due_at)
            if opened is not None:
                return opened, await self._raised(conn, opened, arrival, placement, now)
            joined = await store.join_open_alert(conn, placement)
            if joined is not None:
                detail = {"alarm": str(arrival.alarm_id), "kind": arrival.kind, "reason": placement.reason}
                return joined, [
                    ("device", "alarm-joined", detail),
                    ("system", "re-sounded", {"because": "another alarm"}),
                ]
        raise LookupError(f"the alert was opened and closed by others {_TRIES} times")

    async def _raised(
        self, conn: Connection, alert_id: int, arrival: Arrival, placement: Placement, now: datetime
    ) -> list[store.Entry]:
        detail = {"alarm": str(arrival.alarm_id), "kind": placement.kind, "rule": POLICY, "reason": placement.reason}
        entries: list[store.Entry] = [("system", "raised", detail)]
        if placement.is_test:
            await store.close_test(conn, alert_id, now)
            entries.append(("system", "closed", {"cause": "test", "reason": "proof of the path"}))
        log.info(
            "alert raised",
            extra={"event": "alert_raised", "alert": alert_id, "level": int(placement.priority), "hub": arrival.hub},
        )
        return entries

    async def _join_cancelled(self, conn: Connection, arrival: Arrival, alert_id: int, now: datetime) -> int:
        """A cancel joins the alert of the alarm that it names, open or closed, and changes nothing else there."""
        await store.count_alarm(conn, alert_id)
        detail = {"kind": arrival.kind, "cancels": arrival.cancels}
        await store.log(conn, alert_id, now, "wearer", "alarm-joined", detail)
        await store.give_place(conn, arrival.alarm_id, alert_id, now)
        return alert_id

    # ------------------------------------------------------------ deadlines

    async def deadline_step(self) -> bool:
        """Move the longest-overdue alert on; False when none is due."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            due = await store.next_due(conn, now)
            if due is None:
                return False
            if due.state == "raised":
                step = climb(due.waiting, now, ladder(self.settings))
                await store.set_deadline(conn, due.id, step.due_at, step.step)
                for rung in step.rungs:
                    await store.log(
                        conn, due.id, now, "system", rung, {"waiting_since": str(due.waiting.waiting_since)}
                    )
                    if rung == "breached":
                        await asks.ask_unless_asked(conn, self.settings, due.id, now)
            else:
                await store.set_deadline(conn, due.id, now + ladder(self.settings).welfare, 0)
                await store.log(conn, due.id, now, "system", "welfare-due", {"owner": due.claimed_by})
            await store.publish_change(conn, due.id, now)
            return True

    # ------------------------------------------------------------ contacts

    async def ask_step(self) -> bool:
        """Pass on from one contact who has not answered in time; False when none is due."""
        async with self.pool.connection() as conn, conn.transaction():
            return await asks.pass_on(conn, self.settings, await self.now_of(conn))

    async def call_step(self) -> bool:
        """End one call that nobody has ended in time; False when none is due."""
        async with self.pool.connection() as conn, conn.transaction():
            return await calls.end_overdue(conn, await self.now_of(conn))

    async def retire_step(self) -> bool:
        """Delete some of what has been kept long enough; False when nothing is left to delete."""
        async with self.pool.connection() as conn, conn.transaction():
            return await retire(conn, self.settings, await self.now_of(conn)) > 0

    # ------------------------------------------------------------ messages

    async def message_step(self) -> bool:
        """Send one message; False when none is due. It is marked with a deadline before it is handed over."""
        try_s = timedelta(seconds=self.settings.message_try_s)
        async with self.pool.connection() as conn:
            now = await self.now_of(conn)
            message = await store.take_message(conn, now, now + 2 * try_s)
        if message is None:
            return False
        failure, again = await self._hand_over(message)
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            if failure is None:
                await store.message_sent(conn, message.id, now, keep_link=self.settings.demo)
            else:
                await store.message_failed(conn, message.id, failure, now + try_s if again else None)
            if failure is not None and not again and message.alert_id is not None:
                await store.log(conn, message.alert_id, now, "system", "notify-failed", {"why": failure})
                await store.publish_change(conn, message.alert_id, now)
        return True

    async def _hand_over(self, message: store.OutgoingMessage) -> tuple[str | None, bool]:
        """Give a message to the provider: why that failed (None: it did not), and whether to try again."""
        may_try_again = message.attempts < self.settings.message_attempts
        try:
            async with asyncio.timeout(self.settings.message_try_s):
                await self.provider.send(str(message.id), message.recipient, message.body)
        except (ProviderUnavailable, TimeoutError) as problem:
            return str(problem) or "no answer in time", may_try_again
        except ProviderRefused as problem:
            return str(problem), False
        except Exception as problem:
            # Whatever is wrong inside a provider, alarms go on being taken.
            log.exception("provider failed", extra={"event": "provider_failed"})
            return f"the provider failed ({type(problem).__name__})", may_try_again
        return None, False

    # ------------------------------------------------------------ commands

    async def send_commands(self, wake: asyncio.Event, poll_s: float) -> None:
        """Publish commands to hubs for as long as the broker is there; come back to it when it is."""
        backoff = Backoff()
        while True:
            try:
                async with client_for(self.settings.mqtt, ca_file=self.settings.mqtt_ca_file) as client:
                    self.subscribed = True
                    backoff.well()

                    async def step(connected: aiomqtt.Client = client) -> bool:
                        return await self.command_step(connected)

                    await keep_doing(step, wake, self.clock, poll_s, "commands")
            except aiomqtt.MqttError as problem:
                log.warning("broker away", extra={"event": "broker_away", "why": str(problem)})
            finally:
                self.subscribed = False
            await self.clock.sleep(backoff.again())

    async def command_step(self, client: aiomqtt.Client) -> bool:
        """Publish the commands that wait; False when none does. One that is published twice is obeyed once."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            waiting = await store.unsent_commands(conn, now)
            for command_id, hub, kind, text, alarm_id, expires_at, _ in waiting:
                command = Command(
                    id=str(command_id),
                    kind=kind,
                    text=text,
                    alarm=str(alarm_id) if alarm_id else None,
                    expires_at=format_instant(expires_at),
                )
                await client.publish(topic(hub, "command"), encode(command), qos=1)
                await store.command_sent(conn, command_id, now)
        return bool(waiting)
