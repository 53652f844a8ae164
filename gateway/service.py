"""One hub: the devices' side, the service's side by two paths, and the outbox between them."""

import asyncio
import fcntl
import os
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.devices import Devices
from gateway.falling import Falling
from gateway.falls.model import shipped
from gateway.hearing import Hearing
from gateway.hook import Hook
from gateway.housekeeping import Housekeeping
from gateway.link import Link
from gateway.outbox import Outbox
from gateway.outbox_file import NoRoom
from gateway.second_path import SecondPath
from gateway.settings import HubSettings
from gateway.sockets import listen
from gateway.waking import Wakes
from telecare.clock import Clock
from telecare.errors import CannotStart
from telecare.service import run_workers


async def run(settings: HubSettings, clock: Clock, stop: asyncio.Event) -> None:
    """Run one hub until `stop` is set. Many may run in one event loop.

    It begins by taking frames, whether or not the broker can be reached. A broken outbox ends it: its devices then get
    no "kept", and its silence is noticed. A full disk does not end it.

    Raises:
        CannotStart: the folder, the outbox or the socket cannot be used.
    """
    with _own_folder(settings.directory), closing(_outbox(settings)) as outbox:
        wakes = Wakes()
        falling = Falling(settings, clock, outbox, wakes, shipped())
        devices = Devices(settings, clock, outbox, wakes, falling)
        hearing = Hearing(settings, clock, outbox, wakes, devices.announce)
        link = Link(settings, clock, outbox, wakes, hearing)
        beside: dict[str, Coroutine[Any, Any, None]] = {
            "devices": devices.keep_storing(),
            "falling": falling.run(),
            "housekeeping": Housekeeping(settings, clock, outbox, wakes).run(),
        }
        if settings.second_mqtt_url is not None:
            path = SecondPath(settings, settings.second_mqtt_url, clock, outbox, wakes, hearing)
            beside["second path"] = path.run()
        if settings.hook_command:
            beside["hook"] = Hook(settings, clock, outbox, wakes).run()
        ended = asyncio.Event()

        async def until_goodbye() -> None:
            """Not cancelled like the others: it has a goodbye to say."""
            await link.run(stop)
            ended.set()

        async with listen(settings.socket_path, devices.serve):
            await run_workers(ended, link=until_goodbye(), **beside)
        devices.store_readings()


def _outbox(settings: HubSettings) -> Outbox:
    outbox = Outbox(
        settings.outbox_path,
        power_safe=settings.power_safe,
        limit_bytes=settings.outbox_limit_bytes,
        reserve_bytes=settings.alarm_reserve_bytes,
    )
    with suppress(NoRoom):  # it is known from before, or from the next start
        outbox.belongs_to(settings.hub)
    return outbox


@contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """Make the hub's folder where there is none, and keep any other hub out of it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as problem:
        raise CannotStart(f"{folder}: {problem.strerror}") from problem
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise CannotStart(f"{folder}: another hub runs there") from problem
        yield
    finally:
        os.close(handle)
