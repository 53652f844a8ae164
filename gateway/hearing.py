"""Receipts and commands in, by either path."""

import asyncio
import logging
from contextlib import suppress

from gateway.connection import Connection
from gateway.devices import Announce
from gateway.domain import decide
from gateway.outbox import Outbox
from gateway.outbox_alarms import By
from gateway.outbox_file import NoRoom
from gateway.settings import HubSettings
from gateway.waking import Wakes
from telecare import wire
from telecare.clock import Clock
from telecare.errors import UnreadableMessage
from telecare.wire import Command, CommandResult, Receipt

log = logging.getLogger("gateway")


class Hearing:
    """What the service says to this hub."""

    def __init__(self, settings: HubSettings, clock: Clock, outbox: Outbox, wakes: Wakes, announce: Announce) -> None:
        self._settings, self._clock, self._outbox, self._wakes = settings, clock, outbox, wakes
        self._announce = announce
        self.heartbeat_changed = asyncio.Event()
        self.reboot = asyncio.Event()

    async def keep_hearing(self, connection: Connection, by: By) -> None:
        """Act on what comes until the connection breaks; what cannot be read is passed over.

        Raises:
            aiomqtt.MqttError: it broke.
        """
        async for channel, payload in connection.messages():
            try:
                if channel == "receipt":
                    self.take_receipt(payload, by)
                else:
                    await self.take_command(payload, connection)
            except UnreadableMessage as problem:
                self._say("unreadable message", "unreadable", channel, problem)
            except NoRoom as problem:
                # Not written down, so as good as not heard: the alarm goes out again and gets another receipt.
                self._say("no room to write it down", "no_room", channel, problem)

    def _say(self, words: str, event: str, channel: str, problem: Exception) -> None:
        log.warning(words, extra={"event": event, "hub": self._settings.hub, "channel": channel, "why": str(problem)})

    def take_receipt(self, payload: bytes, by: By) -> None:
        """The service has an alarm, or it can be none: either way it leaves the outbox.

        Raises:
            UnreadableMessage: it is no receipt.
            NoRoom: it could not be written down.
        """
        receipt = wire.decode(payload, Receipt)
        if not self._outbox.alarm_delivered(receipt.id, self._clock.now(), status=receipt.status, by=by):
            return
        self._wakes.alarms.set()  # a repeat may have waited for it
        level = logging.INFO if receipt.status == "stored" else logging.WARNING
        log.log(
            level,
            f"alarm {receipt.status}",
            extra={"event": f"alarm_{receipt.status}", "hub": self._settings.hub, "alarm": receipt.id, "path": by},
        )

    async def take_command(self, payload: bytes, connection: Connection) -> None:
        """Obey a command unless it was obeyed before, and answer it.

        Raises:
            UnreadableMessage: it is no command.
            NoRoom: it could not be written down.
        """
        command = wire.decode(payload, Command)
        reboot = not self._outbox.seen_before(command.id) and self._obey(command)
        await self.answer_commands(connection)
        if reboot:
            self.reboot.set()

    def _obey(self, command: Command) -> bool:
        """Do it and remember it; True if the hub is to reboot."""
        now = self._clock.now()
        deed = decide(command, now)
        result = deed.result
        if deed.announce is not None and not self._announce(deed.announce, command.alarm):
            result = CommandResult(id=command.id, ok=False, detail="no device is listening")
        self._outbox.command_done(
            command.id, wire.encode(result), now, test_alarm=deed.test_alarm, heartbeat_s=deed.heartbeat_s
        )
        if deed.test_alarm is not None:
            self._wakes.alarms.set()
        if deed.heartbeat_s is not None:
            self.heartbeat_changed.set()
        log.info(
            f"command {command.kind}",
            extra={"event": "command", "hub": self._settings.hub, "command": command.id, "ok": result.ok},
        )
        return deed.reboot

    async def answer_commands(self, connection: Connection) -> None:
        """Publish every result that is still owed, also from before a crash.

        Raises:
            aiomqtt.MqttError: the connection broke.
        """
        for command_id, result in self._outbox.unanswered():
            await connection.publish("result", result)
            with suppress(NoRoom):  # then it is given again with the next one
                self._outbox.answered(command_id)
