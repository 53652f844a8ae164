"""`telecare simulate`: households that live their days, through real hubs and the real broker."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from psycopg import AsyncConnection

from firmware_sim import households, pendant
from firmware_sim.frames import AlarmFrame, Announce, reading
from firmware_sim.homes import SimulatedHub, hubs_of
from firmware_sim.households import Event
from firmware_sim.link import Link
from firmware_sim.pendant import Pendant
from firmware_sim.sensors import Sensor, sense
from gateway.service import run as run_hub
from telecare.clock import Clock
from telecare.db import database_now
from telecare.errors import CannotStart
from telecare.ids import uuid7
from telecare.register.carers import link_demo_carer
from telecare.register.homes import enrolled_hubs
from telecare.settings import Settings

log = logging.getLogger("firmware_sim")

HUBS_AT_ONCE_S: Final = 0.01  # between two hubs' starts: 200 logins at once would be a storm of our own making


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for."""

    homes: int
    seed: int
    days: float = 0.0  # simulated days; 0 means until stopped
    speed: float = 1.0  # simulated seconds in a second
    press_after_s: float | None = None
    readings_per_s: float = 0.0  # more than people make, of all homes together: for benchmarks


@dataclass(slots=True)
class Life:
    """The time that a simulated home believes in: it runs `speed` times as fast as ours, and ends as ours does."""

    begun: datetime
    starts: datetime
    speed: float

    @classmethod
    def of(cls, wish: Wish, now: datetime) -> "Life":
        """Simulated days that pass faster begin in the past, so that no reading is ahead of the clock."""
        ahead = timedelta(days=wish.days) * (1 - 1 / wish.speed)
        return cls(now, now - ahead, wish.speed)

    def wait_s(self, at: datetime, now: datetime) -> float:
        """How many of our seconds it is until the simulated instant `at`."""
        return (at - self.starts).total_seconds() / self.speed - (now - self.begun).total_seconds()


@dataclass(slots=True)
class Home:
    """One simulated home: its hub, its devices and what they remember."""

    number: int
    hub: SimulatedHub
    link: Link
    boot: str
    sensors: dict[tuple[str, str], Sensor] = field(default_factory=dict)

    def notice(self, event: Event) -> list[AlarmFrame]:
        """A device notices something: readings are told at once, alarms are returned."""
        key = (event.device, event.measure)
        sensor = self.sensors.get(key) or Sensor(event.device, event.measure, self.boot)
        self.sensors[key], frames = sense(sensor, event.value, event.at)
        alarms = []
        for frame in frames:
            if isinstance(frame, AlarmFrame):
                alarms.append(frame)
            else:
                self.link.tell(frame)
        return alarms


def hub_name(seed: int, number: int) -> str:
    """The hub of simulated home `number`, which counts from 1."""
    return f"sim-{seed}-{number:04d}"


async def simulate(settings: Settings, wish: Wish, clock: Clock, stop: asyncio.Event) -> None:
    """Let the households live until `stop`, or until their days are over.

    Raises:
        CannotStart: a wish that cannot be, or homes whose hubs cannot log in.
    """
    if wish.speed != 1 and not wish.days:
        raise CannotStart("--speed needs --days: without an end, simulated time would run ahead of the clock")
    homes = await _homes(settings, wish, clock)
    log.info("simulating", extra={"event": "simulating", "homes": len(homes), "seed": wish.seed})
    life = Life.of(wish, clock.now())
    hubs_stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for home in homes:
            group.create_task(run_hub(home.hub.settings, clock, hubs_stop))
            await clock.sleep(HUBS_AT_ONCE_S)
        workers = [group.create_task(home.link.run()) for home in homes]
        workers += [group.create_task(_live(home, wish, life, clock)) for home in homes]
        if wish.readings_per_s and homes:
            workers += [group.create_task(_chatter(home, wish, clock)) for home in homes]
        if wish.press_after_s is not None and homes:
            workers.append(group.create_task(_press_later(homes[0], wish.press_after_s, clock)))
        await _until_over(stop, wish, clock)
        for worker in workers:
            worker.cancel()
        hubs_stop.set()


async def _homes(settings: Settings, wish: Wish, clock: Clock) -> list[Home]:
    wanted = {hub_name(wish.seed, n): households.household(wish.seed, n) for n in range(1, wish.homes + 1)}
    boot = uuid7().hex[-8:]
    homes = []
    for number, hub in enumerate(await hubs_of(settings, wanted), start=1):
        devices = [device.name for device in wanted[hub.hub].devices]
        link = Link(hub.settings.socket_path, devices, clock, _say_heard(hub.hub))
        homes.append(Home(number, hub, link, boot))
    if settings.demo and homes:
        await _give_the_carer_somebody(settings, homes[0])
    return homes


async def _give_the_carer_somebody(settings: Settings, home: Home) -> None:
    """The demo's carer is a contact in the first home."""
    async with await AsyncConnection.connect(settings.database) as conn:
        home_id = (await enrolled_hubs(conn))[home.hub.hub]
        await link_demo_carer(conn, home_id, await database_now(conn))


def _say_heard(hub: str) -> Callable[[Announce], None]:
    def heard(frame: Announce) -> None:
        log.info("wearer hears", extra={"event": "announced", "hub": hub, "text": frame.text, "alarm": frame.alarm})

    return heard


async def _until_over(stop: asyncio.Event, wish: Wish, clock: Clock) -> None:
    if not wish.days:
        await stop.wait()
        return
    over = asyncio.ensure_future(clock.sleep(wish.days * 86_400 / wish.speed))
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait([over, stopped], return_when=asyncio.FIRST_COMPLETED)
    for waiting in (over, stopped):
        waiting.cancel()


async def _live(home: Home, wish: Wish, life: Life, clock: Clock) -> None:
    await _connected(home, clock)
    for event in households.current_state(wish.seed, home.number, life.starts):
        await _send_alarms(home, home.notice(event))
    for event in households.live(wish.seed, home.number, life.starts):
        wait_s = life.wait_s(event.at, clock.now())
        if wait_s > 0:
            await clock.sleep(wait_s)
        await _send_alarms(home, home.notice(event))


async def _connected(home: Home, clock: Clock) -> None:
    while not home.link.connected:
        await clock.sleep(0.1)


async def _send_alarms(home: Home, alarms: list[AlarmFrame]) -> None:
    for alarm in alarms:
        await home.link.alarm(alarm)


async def _chatter(home: Home, wish: Wish, clock: Clock) -> None:
    every_s = wish.homes / wish.readings_per_s
    await clock.sleep(every_s * home.number / wish.homes)
    while True:
        home.link.tell(reading("env-1", "temperature", 20.0, clock.now()))
        await clock.sleep(every_s)


async def _press_later(home: Home, after_s: float, clock: Clock) -> None:
    await _connected(home, clock)
    await clock.sleep(after_s)
    _, frame = pendant.press(Pendant("pendant-1", home.boot), clock.now())
    await home.link.alarm(frame)
    log.info("pendant pressed", extra={"event": "pressed", "hub": home.hub.hub})
