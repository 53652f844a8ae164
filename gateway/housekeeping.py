"""What a hub does every now and then: alarms due on the second path, room on the disk, what is to be forgotten."""

import logging
from datetime import datetime
from typing import Final

from gateway.domain import fallback_due, passed
from gateway.outbox import Outbox
from gateway.outbox_file import NoRoom
from gateway.settings import HubSettings
from gateway.waking import Wakes
from telecare.clock import Clock
from telecare.senml import Reading
from telecare.vocabulary import Kind

log = logging.getLogger("gateway")

DISK_FULL: Final = "disk-full"  # `evidence.fault` of the hub's own alarm


class Housekeeping:
    """One hub's."""

    def __init__(self, settings: HubSettings, clock: Clock, outbox: Outbox, wakes: Wakes) -> None:
        self._settings, self._clock, self._outbox, self._wakes = settings, clock, outbox, wakes
        self._fault_over = True

    async def run(self) -> None:
        """Repeat `step` until cancelled."""
        while True:
            try:
                self.step()
            except NoRoom:
                log.critical("no room on the disk", extra={"event": "no_room", "hub": self._settings.hub})
            await self._clock.sleep(self._settings.housekeeping_s)

    def step(self) -> None:
        """Do all of it once.

        Raises:
            NoRoom: something could not be written down.
        """
        now = self._clock.now()
        self._mark_fallback(now)
        self._look_at_disk(now)
        self._sum_falls(now)
        self._outbox.forget(now, refs_kept_s=self._settings.refs_kept_s, commands_kept_s=self._settings.commands_kept_s)
        self._outbox.forget_ledger(
            now, kept_s=self._settings.ledger_kept_s, limit_rows=self._settings.ledger_limit_rows
        )

    def _mark_fallback(self, now: datetime) -> None:
        """Mark the alarms that are due on the second path, once each."""
        due = fallback_due(self._outbox.without_fallback(), now, self._settings.fallback_after_s)
        if not due:
            return
        self._outbox.mark_fallback([alarm.id for alarm in due], now)
        for alarm in due:
            log.error("fallback due", extra={"event": "fallback_due", "hub": self._settings.hub, "alarm": alarm.id})
        self._wakes.second.set()
        self._wakes.hook.set()

    def _sum_falls(self, now: datetime) -> None:
        """Once a day, how many impacts were no fall, and how many falls were taken back, as readings."""
        found = self._outbox.summary(now, self._settings.falls_summed_every_s)
        if found:
            readings = [Reading(device, what, now, float(count)) for device, what, count in found]
            self._outbox.add_readings(readings, self._settings.readings_limit_rows, self._settings.readings_limit_bytes)
            self._wakes.readings.set()

    def _look_at_disk(self, now: datetime) -> None:
        """Say that the disk is full: in the log and by an alarm, once while it lasts and not again at once after it."""
        if not self._outbox.short_of_room():
            self._fault_over = True
            return
        said_at = self._outbox.fault_said_at()
        if not self._fault_over or (said_at is not None and not passed(said_at, self._settings.fault_again_s, now)):
            return
        lost = self._outbox.readings_lost()
        fault = {"device": "hub", "kind": Kind.FAULT.value, "evidence": {"fault": DISK_FULL, "readings_lost": lost}}
        alarm = self._outbox.say_fault(fault, now)
        self._fault_over = False
        extra = {"event": "disk_full", "hub": self._settings.hub, "alarm": alarm, "readings_lost": lost}
        log.error("disk full", extra=extra)
        self._wakes.alarms.set()
