"""The side of the service: one MQTT connection at a time, what goes out on it and what comes in."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Final

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.domain import decide, plan_alarms
from gateway.outbox import Outbox
from gateway.settings import HubSettings
from gateway.waking import Wakes, pause
from telecare import wire
from telecare.clock import Clock, format_instant
from telecare.errors import UnreadableMessage
from telecare.mqtt import tls_for
from telecare.senml import write_pack
from telecare.service import Backoff
from telecare.settings import parse_mqtt_url
from telecare.wire import Channel, Command, CommandResult, HubState, Receipt

log = logging.getLogger("gateway")

FIRMWARE: Final = version("telecare")
_VIEW: Final = 100  # alarms looked at in one step; the outbox gives the most deserving first
_NO_SUCH_LOGIN: Final = frozenset({134, 135})  # MQTT 5 reason codes: bad user name or password, not authorised
_NO_MQTT_5: Final = 132
_FAILURES_FROM: Final = 128  # reason codes from here on are refusals

Announce = Callable[[str, str | None], int]  # text and alarm's id, to how many devices heard it


class Link:
    """One hub's connection to the broker, made again whenever it breaks."""

    def __init__(self, settings: HubSettings, clock: Clock, outbox: Outbox, wakes: Wakes, announce: Announce) -> None:
        self._settings, self._clock, self._outbox, self._wakes = settings, clock, outbox, wakes
        self._announce = announce
        self._url = parse_mqtt_url(settings.mqtt_url)
        self._tls = tls_for(self._url, settings.mqtt_ca_file)
        self._heartbeat_changed = asyncio.Event()
        self._reboot = asyncio.Event()
        self._up_since: float | None = None
        self._trouble = ""  # what was last said about it, so as to say it once

    # ------------------------------------------------------------ connections

    async def run(self, stop: asyncio.Event) -> None:
        """Keep a connection until `stop`; then say goodbye. A broker out of reach is tried again and again."""
        backoff = Backoff(self._settings.backoff_first_s, self._settings.backoff_most_s)
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            self._up_since = None
            if await self._tried(stop):
                continue
            if self._up_since is not None and loop.time() - self._up_since >= self._settings.steady_after_s:
                backoff.well()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), backoff.again())

    async def _tried(self, stop: asyncio.Event) -> bool:
        """One connection from beginning to end. True if it ended because we wanted it to."""
        well = True
        try:
            await self.session(stop)
        except* aiomqtt.MqttError as group:
            self._note(_first(group))
            well = False
        return well

    def _note(self, trouble: BaseException) -> None:
        code = trouble.rc if isinstance(trouble, aiomqtt.MqttCodeError) else None
        value = code.value if isinstance(code, ReasonCode) else code
        words, level = "no connection to the broker", logging.WARNING
        if isinstance(trouble, MqttConnectError) and value in _NO_SUCH_LOGIN:
            words, level = "the broker refuses the hub's name or secret", logging.ERROR
        elif isinstance(trouble, MqttConnectError) and value == _NO_MQTT_5:
            words, level = "the broker does not speak MQTT 5", logging.ERROR
        if str(trouble) != self._trouble:
            self._trouble = str(trouble)
            log.log(level, words, extra={"event": "link_down", "hub": self._settings.hub, "why": self._trouble})

    async def session(self, stop: asyncio.Event) -> None:
        """Connect, and serve the connection until `stop` or a reboot.

        Raises:
            aiomqtt.MqttError: it could not be made, or broke; also inside an ExceptionGroup.
        """
        number = self._outbox.session() + 1
        async with self._connection(number) as client:
            self._outbox.begin_session(number)
            self._outbox.forget_sent()
            self._up_since, self._trouble = asyncio.get_running_loop().time(), ""
            log.info("connected", extra={"event": "link_up", "hub": self._settings.hub, "session": number})
            # Before anything goes out, so that no receipt is missed.
            await self._subscribe(client)
            await self.say_state(client, number)
            await self.answer_commands(client)
            await self._serve(client, number, stop)
            await self._publish(client, "state", wire.encode(self._goodbye(number, final=False)), retain=True)

    async def _serve(self, client: aiomqtt.Client, number: int, stop: asyncio.Event) -> None:
        self._reboot.clear()
        async with asyncio.TaskGroup() as group:
            workers = [
                group.create_task(self._receive(client)),
                group.create_task(self._keep_sending_alarms(client)),
                group.create_task(self._keep_sending_readings(client)),
                group.create_task(self._keep_saying_state(client, number)),
            ]
            ends = [asyncio.ensure_future(event.wait()) for event in (stop, self._reboot)]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (*ends, *workers):
                    task.cancel()

    @asynccontextmanager
    async def _connection(self, number: int) -> AsyncIterator[aiomqtt.Client]:
        client = self._client(number)
        # paho connects in a thread, which cannot be cancelled: whoever loses interest meanwhile must still close it.
        entering = asyncio.ensure_future(client.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            entering.add_done_callback(lambda entered: _abandon(client, entered))
            raise
        except aiomqtt.MqttError:
            _abandon(client, entering)
            raise
        try:
            yield client
        finally:
            await client.__aexit__(None, None, None)

    def _client(self, number: int) -> aiomqtt.Client:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._settings.session_expiry_s
        will = wire.encode(self._goodbye(number, final=True))
        return aiomqtt.Client(
            self._url.host,
            self._url.port,
            identifier=self._settings.hub,
            username=self._settings.hub,
            password=self._settings.secret,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=aiomqtt.Will(self._topic("state"), will, qos=1, retain=True),
            clean_start=False,  # commands wait at the broker while the hub is away for a moment
            properties=properties,
            timeout=self._settings.mqtt_timeout_s,
            keepalive=self._settings.keepalive_s,
            tls_context=self._tls,
        )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        options = SubscribeOptions(qos=1)
        answers = await client.subscribe([(self._topic("receipt"), options), (self._topic("command"), options)])
        refusals = [code for code in answers if _value(code) >= _FAILURES_FROM]
        if refusals:
            raise aiomqtt.MqttError(f"the broker refuses a subscription: {refusals[0]}")

    def _topic(self, channel: Channel) -> str:
        return wire.topic(self._settings.hub, channel)

    async def _publish(self, client: aiomqtt.Client, channel: Channel, payload: bytes, *, retain: bool = False) -> None:
        await client.publish(self._topic(channel), payload, qos=1, retain=retain)

    # ------------------------------------------------------------ the hub's state

    def _goodbye(self, number: int, *, final: bool) -> HubState:
        """`final`: the last will, whose time nobody can know beforehand."""
        return HubState(online=False, session=number, at=None if final else format_instant(self._clock.now()))

    @property
    def _heartbeat_s(self) -> float:
        return self._outbox.heartbeat_s() or self._settings.heartbeat_s

    async def say_state(self, client: aiomqtt.Client, number: int) -> None:
        """Publish the hub's state once."""
        state = HubState(
            online=True,
            session=number,
            at=format_instant(self._clock.now()),
            firmware=FIRMWARE,
            outbox=self._outbox.count(),
            heartbeat_s=self._heartbeat_s,
        )
        await self._publish(client, "state", wire.encode(state), retain=True)

    async def _keep_saying_state(self, client: aiomqtt.Client, number: int) -> None:
        while True:
            self._heartbeat_changed.clear()
            await pause(self._clock, self._heartbeat_changed, self._heartbeat_s)
            await self.say_state(client, number)

    # ------------------------------------------------------------ out: alarms first, then readings

    async def send_alarms(self, client: aiomqtt.Client) -> float | None:
        """Publish the alarms that are due now; returns in how many seconds to look again, None when woken only."""
        now = self._clock.now()
        plan = plan_alarms(
            self._outbox.waiting(_VIEW),
            now,
            receipt_timeout_s=self._settings.receipt_timeout_s,
            at_once=self._settings.alarms_in_flight,
        )
        if plan.send:
            async with asyncio.TaskGroup() as group:
                for alarm in plan.send:
                    group.create_task(self._publish(client, "alarm", alarm.payload))
            self._outbox.alarms_sent([alarm.id for alarm in plan.send], now)
        return plan.look_again_s

    async def _keep_sending_alarms(self, client: aiomqtt.Client) -> None:
        while True:
            self._wakes.alarms.clear()
            look_again_s = await self.send_alarms(client)
            self._wakes.readings.set()
            if look_again_s != 0:
                await pause(self._clock, self._wakes.alarms, look_again_s)

    async def send_readings(self, client: aiomqtt.Client) -> bool:
        """Publish one pack. False if there was none to send, or an alarm goes first."""
        if self._outbox.unsent():
            return False
        batch = self._outbox.next_readings(self._settings.readings_per_pack)
        if batch is None:
            return False
        await self._publish(client, "readings", write_pack(batch.readings))
        self._outbox.readings_delivered(batch.last)
        return True

    async def _keep_sending_readings(self, client: aiomqtt.Client) -> None:
        while True:
            self._wakes.readings.clear()
            while await self.send_readings(client):
                pass
            await self._wakes.readings.wait()

    # ------------------------------------------------------------ in: receipts and commands

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload
            assert isinstance(payload, bytes)
            try:
                if message.topic.value == self._topic("receipt"):
                    self.take_receipt(payload)
                else:
                    await self.take_command(payload, client)
            except UnreadableMessage as problem:
                log.warning(
                    "unreadable message",
                    extra={
                        "event": "unreadable",
                        "hub": self._settings.hub,
                        "topic": message.topic.value,
                        "why": str(problem),
                    },
                )

    def take_receipt(self, payload: bytes) -> None:
        """The service has an alarm, or it can be none: either way it leaves the outbox.

        Raises:
            UnreadableMessage: it is no receipt.
        """
        receipt = wire.decode(payload, Receipt)
        if not self._outbox.alarm_delivered(receipt.id, self._clock.now()):
            return
        level = logging.INFO if receipt.status == "stored" else logging.WARNING
        log.log(
            level,
            f"alarm {receipt.status}",
            extra={"event": f"alarm_{receipt.status}", "hub": self._settings.hub, "alarm": receipt.id},
        )

    async def take_command(self, payload: bytes, client: aiomqtt.Client) -> None:
        """Obey a command unless it was obeyed before, and answer it.

        Raises:
            UnreadableMessage: it is no command.
        """
        command = wire.decode(payload, Command)
        reboot = not self._outbox.seen_before(command.id) and self._obey(command)
        await self.answer_commands(client)
        if reboot:
            self._reboot.set()

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
            self._heartbeat_changed.set()
        log.info(
            f"command {command.kind}",
            extra={"event": "command", "hub": self._settings.hub, "command": command.id, "ok": result.ok},
        )
        return deed.reboot

    async def answer_commands(self, client: aiomqtt.Client) -> None:
        """Publish every result that is still owed, also from before a crash."""
        for command_id, result in self._outbox.unanswered():
            await self._publish(client, "result", result)
            self._outbox.answered(command_id)


def _abandon(client: aiomqtt.Client, entered: asyncio.Future[aiomqtt.Client]) -> None:
    """Close a connection that was never used; aiomqtt leaves the socket open when the broker does not answer."""
    if not entered.cancelled():
        entered.exception()  # seen: nobody else will ask for it
    client._client.disconnect()


def _value(code: int | ReasonCode) -> int:
    return code.value if isinstance(code, ReasonCode) else code


def _first(group: BaseExceptionGroup[aiomqtt.MqttError]) -> BaseException:
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
