"""Alarms out, on one connection of either path, until each has its receipt."""

import asyncio

from gateway.connection import Connection
from gateway.domain import ReceiptWait, Sent, Waiting
from gateway.outbox import Outbox
from gateway.outbox_alarms import By
from gateway.settings import HubSettings
from gateway.waking import pause
from telecare.clock import Clock


class AlarmSender:
    """Sends what is in the outbox, each alarm first once and then again while there is no receipt."""

    def __init__(self, settings: HubSettings, clock: Clock, outbox: Outbox, connection: Connection, by: By) -> None:
        self._settings, self._clock, self._outbox, self._connection = settings, clock, outbox, connection
        self._by: By = by
        self._sent = Sent(clock.now(), ReceiptWait(settings.receipt_first_s, settings.receipt_timeout_s))

    async def step(self) -> float | None:
        """Publish the alarms that are due now; returns in how many seconds to look again, None when woken only.

        Raises:
            aiomqtt.MqttError: the connection broke; also inside an ExceptionGroup.
        """
        now = self._clock.now()
        send = self._due()
        if not send:
            return self._look_again_s()
        async with asyncio.TaskGroup() as group:
            for alarm in send:
                group.create_task(self._connection.publish("alarm", alarm.payload))
        self._sent.note([alarm.seq for alarm in send], now)
        return 0.0

    def has_unsent(self) -> bool:
        """Whether an alarm was never sent on this connection, but for repeats that are held back."""
        return self._outbox.has_unsent(self._sent.newest)

    def _due(self) -> list[Waiting]:
        """What was never sent here, in its order, then what has had no receipt in time."""
        now, limit = self._clock.now(), self._settings.alarms_in_flight
        held = self._outbox.held(now)
        fresh = self._outbox.unsent(self._sent.newest, limit, now, by=self._by)
        if self._by == "first":
            self._sent.pass_over(held, fresh[-1].seq if fresh else None)
        released = sorted(self._sent.passed_over - held.keys())
        late = self._sent.late(now, max(limit - len(fresh), 0))
        again = self._outbox.again([*released, *late])
        self._sent.forget({*released, *late} - {alarm.seq for alarm in again})
        return [*fresh, *again]

    def _look_again_s(self) -> float | None:
        now = self._clock.now()
        waits_s = [self._sent.look_again_s(now), *self._outbox.held(now).values()]
        return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)

    async def keep_sending(self, wake: asyncio.Event, sent: asyncio.Event | None = None) -> None:
        """Repeat `step`, when woken and when it is time; sets `sent` after each."""
        while True:
            wake.clear()
            look_again_s = await self.step()
            if sent is not None:
                sent.set()
            if look_again_s != 0:
                await pause(self._clock, wake, look_again_s)
