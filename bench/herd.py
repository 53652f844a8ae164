"""Everybody back at once: how long until every hub is connected and its state stored, and an alarm among them.

    python -m bench.herd --hubs 9000 --json

Starts a whole system of its own. Hubs are plain MQTT connections without the jitter that our hub has: each connects,
subscribes to its receipts and commands, and says that it is online. One of them carries an alarm. Mosquitto's queue of
connections that wait to be accepted holds 100 (its src/net.c): what comes on top the kernel tries again after 1 s.
"""

import asyncio
import json
import os
import resource
import time
from collections.abc import Sequence
from typing import Any, Final

from bench import running
from bench.cpu import used_s
from bench.limits import percentiles
from bench.load import publication
from bench.running import arguments, fresh_system, tell
from ingest import mqtt_reader
from ingest.mqtt_reader import Kind, PacketReader
from telecare.clock import SystemClock, format_instant
from telecare.enrolment import enrol
from telecare.errors import TelecareError
from telecare.ids import uuid7
from telecare.register.homes import Enrolment, NewHome
from telecare.settings import Settings, parse_mqtt_url

_WITHIN_S: Final = 60.0
_POLL_S: Final = 0.05
ONLINE: Final = "select count(*) from hub_states where online and hub like 'herd-%%' and session >= %s"


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--hubs", type=int, default=9000)
    wish = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < wish.hubs + 500:
        raise TelecareError(f"this shell may open {hard} files (ulimit -n): too few for {wish.hubs} hubs")
    with fresh_system() as (settings, _):
        found = asyncio.run(measure(settings, wish.hubs))
    tell(found, as_json=wish.json)


async def measure(settings: Settings, hubs: int) -> dict[str, Any]:
    """All connect at once, twice: when they are new, and when power comes back."""
    enrolled = await enrol(settings, [(f"herd-{n}", NewHome(address=f"{n} Herd Street")) for n in range(hubs)])
    first = await _come(settings, enrolled, 1)
    return {"hubs": hubs, "first_time": first, "again": await _come(settings, enrolled, 2)}


async def _come(settings: Settings, enrolled: Sequence[Enrolment], session: int) -> dict[str, Any]:
    url = parse_mqtt_url(settings.mqtt_url_for_hubs)
    loop = asyncio.get_running_loop()
    before, begun = used_s(os.getpid()), time.perf_counter()
    herd = [_Hub(enrolment, session, alarm=number == len(enrolled) // 2) for number, enrolment in enumerate(enrolled)]

    await asyncio.gather(*(loop.create_connection(hub.itself, url.host, url.port) for hub in herd))
    async with asyncio.timeout(_WITHIN_S):
        await asyncio.gather(*(hub.connected for hub in herd))
        await _until_stored(settings, session, len(herd))
        all_back = time.perf_counter() - begun
        (carrier,) = (hub for hub in herd if hub.receipted is not None)
        receipted = await carrier.receipted  # type: ignore[misc]
    after = used_s(os.getpid())
    for hub in herd:
        hub.leave()
    await asyncio.sleep(2)
    return {
        "connected_ms": percentiles([1000 * (hub.connected.result() - begun) for hub in herd]),
        "last_connected_s": round(max(hub.connected.result() for hub in herd) - begun, 2),
        "all_states_stored_s": round(all_back, 2),
        "alarm_receipted_s": round(receipted - begun, 2),
        "alarm_after_its_connection_ms": round(1000 * (receipted - carrier.connected.result()), 1),
        "cpu_s_by_part": {part: round(after[part] - before[part], 2) for part in after},
    }


async def _until_stored(settings: Settings, session: int, hubs: int) -> None:
    found = 0
    while found < hubs:
        await asyncio.sleep(_POLL_S)
        found = await running.count(settings, ONLINE, session)


class _Hub(asyncio.Protocol):
    """One hub's connection."""

    def __init__(self, enrolment: Enrolment, session: int, *, alarm: bool) -> None:
        self._hub, self._secret, self._session = enrolment.hub, enrolment.secret, session
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[float] = loop.create_future()
        self.receipted: asyncio.Future[float] | None = loop.create_future() if alarm else None
        self._alarm_id = str(uuid7())
        self._packets = PacketReader(1)
        self._transport: asyncio.Transport | None = None

    def itself(self) -> "_Hub":
        """For asyncio, which asks for a maker of protocols."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            mqtt_reader.connect(self._hub, self._hub, self._secret, keepalive_s=60, session_s=300, receive_maximum=20)
        )

    def data_received(self, data: bytes) -> None:
        messages, controls = self._packets.feed(data)
        for control in controls:
            if control.kind == Kind.CONNACK:
                self._accepted(mqtt_reader.refusal(control))
        if messages and self._transport is not None:
            self._transport.write(mqtt_reader.acknowledgements([message.mid for message in messages]))
        if (
            self.receipted is not None
            and not self.receipted.done()
            and any(self._alarm_id.encode() in message.payload for message in messages)
        ):
            self.receipted.set_result(time.perf_counter())

    def _accepted(self, refusal: int | None) -> None:
        assert self._transport is not None
        if refusal is not None:
            self.connected.set_exception(TelecareError(f"the broker refuses {self._hub} (reason {refusal})"))
            return
        self.connected.set_result(time.perf_counter())
        topics = [f"telecare/v1/{self._hub}/receipt", f"telecare/v1/{self._hub}/command"]
        state = {"online": True, "session": self._session, "at": format_instant(SystemClock().now()), "heartbeat_s": 60}
        out = mqtt_reader.subscribe(topics)
        if self.receipted is not None:
            out += publication(f"telecare/v1/{self._hub}/alarm", json.dumps(self._alarm()).encode(), 1)
        self._transport.write(out + publication(f"telecare/v1/{self._hub}/state", json.dumps(state).encode(), 0))

    def _alarm(self) -> dict[str, Any]:
        at = format_instant(SystemClock().now())
        return {"id": self._alarm_id, "seq": self._session, "device": "pendant-1", "kind": "button", "at": at}

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.connected.done():
            self.connected.set_exception(exc or ConnectionResetError("the broker closed the connection"))

    def leave(self) -> None:
        """Go without a word, as in a power cut."""
        if self._transport is not None:
            self._transport.abort()


if __name__ == "__main__":
    main()
