"""One hub: the devices' side, the service's side, and the outbox between them."""

import asyncio
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.devices import Devices
from gateway.domain import fallback_due
from gateway.link import Link
from gateway.outbox import Outbox
from gateway.settings import HubSettings
from gateway.sockets import listen
from gateway.waking import Wakes
from telecare.clock import Clock
from telecare.errors import CannotStart

log = logging.getLogger("gateway")


async def run(settings: HubSettings, clock: Clock, stop: asyncio.Event) -> None:
    """Run one hub until `stop` is set. Many may run in one event loop.

    It begins by taking frames, whether or not the broker can be reached. A full disk or a broken outbox ends it: its
    devices then get no "kept", and its silence is noticed.

    Raises:
        CannotStart: the folder, the outbox or the socket cannot be used.
    """
    with (
        _own_folder(settings.directory),
        closing(Outbox(settings.outbox_path, power_safe=settings.power_safe)) as outbox,
    ):
        wakes = Wakes()
        devices = Devices(settings, clock, outbox, wakes)
        link = Link(settings, clock, outbox, wakes, devices.announce)
        async with listen(settings.socket_path, devices.serve), asyncio.TaskGroup() as group:
            workers = [
                group.create_task(devices.keep_storing()),
                group.create_task(_keep_house(settings, clock, outbox)),
            ]
            # Not cancelled like the others: it has a goodbye to say.
            await link.run(stop)
            for worker in workers:
                worker.cancel()
        devices.store_readings()


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


async def _keep_house(settings: HubSettings, clock: Clock, outbox: Outbox) -> None:
    while True:
        keep_house(settings, clock, outbox)
        await clock.sleep(settings.housekeeping_s)


def keep_house(settings: HubSettings, clock: Clock, outbox: Outbox) -> None:
    """Mark the alarms that are due on the second path, once each, and forget what is old."""
    now = clock.now()
    due = fallback_due(outbox.without_fallback(), now, settings.fallback_after_s)
    if due:
        outbox.mark_fallback([alarm.id for alarm in due], now)
    for alarm in due:
        log.error("fallback due", extra={"event": "fallback_due", "hub": settings.hub, "alarm": alarm.id})
    outbox.forget(now, refs_kept_s=settings.refs_kept_s, commands_kept_s=settings.commands_kept_s)
