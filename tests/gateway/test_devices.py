"""The devices' side alone."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gateway.devices import Devices
from gateway.falling import Falling
from gateway.falls.model import shipped
from gateway.outbox import Outbox
from gateway.settings import HubSettings
from gateway.sockets import connect, listen
from gateway.waking import Wakes
from telecare.clock import SystemClock
from tests.helpers import until

SETTINGS = HubSettings(hub="h-1", secret="s", mqtt_url="mqtt://127.0.0.1:1", directory=Path("x"))
TEXT = "help-is-coming"


def falling(outbox: Outbox, wakes: Wakes) -> Falling:
    return Falling(SETTINGS, SystemClock(), outbox, wakes, shipped())


async def test_a_device_that_never_reads_is_dropped_and_others_still_hear(tmp_path: Path) -> None:
    wakes = Wakes()
    with closing(Outbox(tmp_path / "outbox")) as outbox:
        devices = Devices(
            replace(SETTINGS, device_backlog_bytes=1000), SystemClock(), outbox, wakes, falling(outbox, wakes)
        )
        async with listen(tmp_path / "s", devices.serve):
            _, writer = await connect(tmp_path / "s")
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket is read, too
            writer.write(b'{"frame":"hello"}\n')
            await until(lambda: devices.announce(TEXT, None) == 1)
            assert any(devices.announce(TEXT, None) == 0 for _ in range(100_000))
            other_reader, other = await connect(tmp_path / "s")
            other.write(b'{"frame":"hello"}\n')
            await until(lambda: devices.announce(TEXT, None) == 1)
            assert TEXT.encode() in await other_reader.readline()
            writer.close()
            other.close()


async def test_a_full_pack_of_readings_does_not_wait_for_company(tmp_path: Path) -> None:
    wakes = Wakes()
    with closing(Outbox(tmp_path / "outbox")) as outbox:
        devices = Devices(replace(SETTINGS, readings_per_pack=3), SystemClock(), outbox, wakes, falling(outbox, wakes))
        async with listen(tmp_path / "s", devices.serve):
            _, writer = await connect(tmp_path / "s")
            line = b'{"frame":"reading","device":"env-1","measure":"temperature","value":18.5}\n'
            writer.write(line * 4)
            await until(lambda: outbox.count() == 3)
            writer.close()
        devices.store_readings()
        assert outbox.count() == 4
