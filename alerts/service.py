"""The alert engine: takes alarms into alerts, moves on what nobody answers, sends what was decided.

Each worker has a step that does one piece of work in one transaction and says whether it found any. The database is the
only queue: any number of engines may run, and one that dies loses nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

import aiomqtt

from alerts import asks, calls, emergency, leases_store, ringing, sending, store, visit_actions
from alerts.deadlines import Deadlines
from alerts.policy_store import Editions
from alerts.providers import Provider, Table, table_of
from alerts.retention import retire
from alerts.rising import raise_levels
from alerts.supervision import Supervision
from alerts.taking import Taking
from telecare.clock import Clock, format_instant
from telecare.db import Connection, Pool, database_now
from telecare.mqtt import client_for
from telecare.service import Backoff, keep_doing, listen, run_workers, say_alive
from telecare.settings import Settings
from telecare.wire import Command, encode, topic

log = logging.getLogger("alerts")

NowOf = Callable[[Connection], Awaitable[datetime]]

_RETIRE_EVERY_S = 3600.0
_DEADLINES_POLL_S = 0.5  # at least; the next deadline that is known wakes it sooner
_RING_EVERY_S = 0.5  # a word to those on call is later by this at most
_CROWD_PAUSE_S = 0.1  # between two hundreds of alarms of hubs gone mad


class Engine:
    """One alert engine."""

    def __init__(
        self, pool: Pool, settings: Settings, provider: Provider | Table, clock: Clock, now_of: NowOf = database_now
    ) -> None:
        self.pool = pool
        self.settings = settings
        self.provider = provider  # one for every channel, or those of each
        self.clock = clock
        self.now_of = now_of  # the database's time; a test hands in its own
        self.subscribed = False  # the broker takes our commands
        self._taking = Taking(pool, settings, now_of)
        self._deadlines = Deadlines(pool, settings, now_of)
        self._editions = Editions()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        alarms, crowds, asked, messages, commands = (asyncio.Event() for _ in range(5))
        poll_s = self.settings.alerts_poll_s
        await run_workers(
            stop,
            listen=listen(
                self.settings.database,
                self.clock,
                {store.ARRIVED: [alarms, crowds], store.CHANGED: [asked, messages, commands]},
            ),
            alarms=keep_doing(self.take_step, alarms, self.clock, poll_s, "alarms"),
            crowds=keep_doing(self.crowd_step, crowds, self.clock, poll_s, "crowds"),
            deadlines=self._deadlines.run(self.clock, min(poll_s, _DEADLINES_POLL_S)),
            levels=keep_doing(self.rise_step, asyncio.Event(), self.clock, poll_s, "levels"),
            asks=keep_doing(self.ask_step, asked, self.clock, poll_s, "asks"),
            on_call=keep_doing(self._ring, asyncio.Event(), self.clock, min(poll_s, _RING_EVERY_S), "on call"),
            calls=keep_doing(self.call_step, asyncio.Event(), self.clock, poll_s, "calls"),
            visits=keep_doing(self.visit_step, asyncio.Event(), self.clock, poll_s, "visits"),
            services=keep_doing(self.emergency_step, asyncio.Event(), self.clock, poll_s, "services"),
            leases=keep_doing(self.lease_step, asyncio.Event(), self.clock, poll_s, "leases"),
            messages=sending.run(
                self.pool, self.settings, table_of(self.provider), self.now_of, messages, self.clock, poll_s
            ),
            commands=self.send_commands(commands, poll_s),
            retention=keep_doing(self.retire_step, asyncio.Event(), self.clock, _RETIRE_EVERY_S, "retention"),
            supervision=Supervision(self.pool, self.settings, self.clock, self.now_of).run(),
            alive=say_alive(self.pool, self.clock, "alerts", lambda: {"subscribed": self.subscribed}),
        )

    async def take_step(self) -> bool:
        """Give the longest-waiting alarms their places (`taking`); False when none waits."""
        return await self._taking.step()

    async def crowd_step(self) -> bool:
        """Give those of hubs gone mad theirs, with a pause that leaves the machine to the others."""
        took = await self._taking.crowd_step()
        if took:
            await self.clock.sleep(_CROWD_PAUSE_S)
        return took

    async def deadline_step(self) -> bool:
        """Move on the alerts that are longest overdue (`deadlines`); False when none is due."""
        return await self._deadlines.step()

    async def rise_step(self) -> bool:
        """Raise the levels whose time has come (`rising`); False when none is to be looked at."""
        async with self.pool.connection() as conn, conn.transaction():
            return await raise_levels(conn, self._editions, await self.now_of(conn))

    async def lease_step(self) -> bool:
        """Put alerts whose operator's screen is lost back into the queue; False when none is."""
        async with self.pool.connection() as conn, conn.transaction():
            return await leases_store.expire_lost(conn, self.settings, await self.now_of(conn)) > 0

    # ------------------------------------------------------------ contacts

    async def ask_step(self) -> bool:
        """Pass on from one contact who has not answered in time; False when none is due."""
        async with self.pool.connection() as conn, conn.transaction():
            return await asks.pass_on(conn, self.settings, await self.now_of(conn))

    async def ring_step(self) -> bool:
        """Tell those on call what they are to hear of (`ringing`); False when there is nothing to say now."""
        async with self.pool.connection() as conn, conn.transaction():
            return await ringing.step(conn, self.settings, await self.now_of(conn))

    async def _ring(self) -> bool:
        """The same, and then a pause: in a flood, what comes meanwhile shares one step."""
        await self.ring_step()
        return False

    async def call_step(self) -> bool:
        """End one call that nobody has ended in time; False when none is due."""
        async with self.pool.connection() as conn, conn.transaction():
            return await calls.end_overdue(conn, await self.now_of(conn))

    async def visit_step(self) -> bool:
        """Ask about one visit whose next step has not come; False when none is due."""
        async with self.pool.connection() as conn, conn.transaction():
            return await visit_actions.overdue_step(conn, self.settings, await self.now_of(conn))

    async def emergency_step(self) -> bool:
        """Ask about one emergency service that has not been heard of; False when none is due."""
        async with self.pool.connection() as conn, conn.transaction():
            return await emergency.overdue_step(conn, self.settings, await self.now_of(conn))

    async def retire_step(self) -> bool:
        """Delete some of what has been kept long enough; False when nothing is left to delete."""
        async with self.pool.connection() as conn, conn.transaction():
            return await retire(conn, self.settings, await self.now_of(conn)) > 0

    # ------------------------------------------------------------ messages

    async def message_step(self) -> bool:
        """Do what is due next about one message (`sending`); False when nothing is due."""
        return await sending.step(self.pool, self.settings, table_of(self.provider), self.now_of)

    # ------------------------------------------------------------ commands

    async def send_commands(self, wake: asyncio.Event, poll_s: float) -> None:
        """Publish commands to hubs for as long as the broker is there; come back to it when it is."""
        backoff = Backoff()
        while True:
            try:
                async with client_for(self.settings.mqtt, ca_file=self.settings.mqtt_ca_file) as client:
                    client.pending_calls_threshold = store.COMMANDS_AT_ONCE  # above it aiomqtt complains
                    self.subscribed = True
                    backoff.well()

                    async def step(connected: aiomqtt.Client = client) -> bool:
                        return await self.command_step(connected)

                    await client.while_connected(keep_doing(step, wake, self.clock, poll_s, "commands"))
            except* aiomqtt.MqttError as problem:
                log.warning("broker away", extra={"event": "broker_away", "why": str(problem.exceptions[0])})
            finally:
                self.subscribed = False
            await self.clock.sleep(backoff.again())

    async def command_step(self, client: aiomqtt.Client) -> bool:
        """Publish the commands that wait; False when none does. One that is published twice is obeyed once."""
        async with self.pool.connection() as conn, conn.transaction():
            now = await self.now_of(conn)
            waiting = await store.unsent_commands(conn, now)
            async with asyncio.TaskGroup() as group:
                for command_id, hub, kind, text, alarm_id, expires_at, _ in waiting:
                    command = Command(
                        id=str(command_id),
                        kind=kind,
                        text=text,
                        alarm=str(alarm_id) if alarm_id else None,
                        expires_at=format_instant(expires_at),
                    )
                    group.create_task(client.publish(topic(hub, "command"), encode(command), qos=1))
            await store.commands_sent(conn, [row[0] for row in waiting], now)
        return bool(waiting)
