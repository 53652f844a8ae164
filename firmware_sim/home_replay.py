"""`telecare replay --home`: a recorded home's sensors through a hub, the broker and the store."""

import asyncio
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg import AsyncConnection

from firmware_sim.frames import reading
from firmware_sim.home_recordings import HomeRecording
from firmware_sim.homes import SimulatedHub, hubs_of
from firmware_sim.link import Link
from firmware_sim.replay import hub_name
from gateway.outbox import Outbox
from gateway.service import run as run_hub
from telecare.clock import Clock, format_instant, parse_instant
from telecare.errors import CannotStart
from telecare.register.homes import NewHome, NewPerson
from telecare.settings import Settings

_DRAIN_EVERY: Final = 200  # events; the hub takes what it can, and the recording waits for it
_STUCK_S: Final = 30.0  # the outbox has not become shorter for so long
_QUIET_S: Final = 0.5
_STORED_WITHIN_S: Final = 15.0
_LOOK_EVERY_S: Final = 0.1
_STEP_S: Final = 0.05

_Key = tuple[str, str, datetime]  # device, measure, time


@dataclass(frozen=True, slots=True)
class PlayedHome:
    """What came of it. `stored` counts each device, measure and time once, as the store does."""

    home: str
    hub: str
    played: int
    distinct: int
    stored: int
    left_out: dict[str, int]


async def replay_home(settings: Settings, recording: HomeRecording, clock: Clock, speed: float | None) -> PlayedHome:
    """Play a recorded home so that it ends now. `speed` None: as fast as the hub takes it; 1000: a day in 86 s.

    Raises:
        CannotStart: the home's hub cannot log in, or the service takes nothing.
    """
    name = hub_name(recording.home)
    new = NewHome(
        address=f"Recording of {recording.home}",
        access_notes="Nobody lives here: a recording is being played.",
        people=(NewPerson(name=f"Resident of {recording.home} (recorded)"),),
        devices=recording.devices,
    )
    (hub,) = await hubs_of(settings, {name: new})
    takes = timedelta(milliseconds=round(1000 * recording.length_s / speed) if speed else 0)
    now = clock.now()  # a frame's time is whole milliseconds
    shift = now.replace(microsecond=now.microsecond // 1000 * 1000) + takes - recording.events[-1].at
    stop = asyncio.Event()
    link = Link(hub.settings.socket_path, [device.name for device in recording.devices], clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(run_hub(hub.settings, clock, stop))
        connection = group.create_task(link.run())
        try:
            await _play(recording, shift, link, clock, speed)
            await _until_sent(hub, clock)
        finally:
            connection.cancel()
            stop.set()
    distinct = {
        (event.device, event.measure, parse_instant(format_instant(event.at + shift))) for event in recording.events
    }
    stored = await _until_stored(settings, name, distinct, clock)
    return PlayedHome(recording.home, name, len(recording.events), len(distinct), stored, dict(recording.left_out))


async def _play(recording: HomeRecording, shift: timedelta, link: Link, clock: Clock, speed: float | None) -> None:
    while not link.connected:
        await clock.sleep(_LOOK_EVERY_S)
    begun, first = clock.now(), recording.events[0].at
    for number, event in enumerate(recording.events):
        if speed:
            ahead_s = (event.at - first).total_seconds() / speed - (clock.now() - begun).total_seconds()
            if ahead_s > _STEP_S:
                await clock.sleep(ahead_s)
        link.tell(reading(event.device, event.measure, event.value, event.at + shift))
        if number % _DRAIN_EVERY == 0:
            await link.drain()
    await link.drain()


async def _until_sent(hub: SimulatedHub, clock: Clock) -> None:
    """Wait until the hub has kept and sent everything; a queue that does not become shorter is said."""
    seen, since = -1, clock.now()
    # The last readings wait for company before they are in the outbox.
    quiet = timedelta(seconds=hub.settings.readings_linger_s + _QUIET_S)
    with closing(Outbox(hub.settings.outbox_path)) as outbox:
        while True:
            waiting = outbox.count()
            if waiting != seen:
                seen, since = waiting, clock.now()
            if not waiting and clock.now() - since > quiet:
                return
            if waiting and clock.now() - since > timedelta(seconds=_STUCK_S):
                raise CannotStart(f"{waiting} readings wait in the hub and are not taken: is the service running?")
            await clock.sleep(_LOOK_EVERY_S)


async def _until_stored(settings: Settings, hub: str, played: set[_Key], clock: Clock) -> int:
    """How many of those played are in the store; ingest gets a while to come after the broker."""
    stored, until = -1, clock.now() + timedelta(seconds=_STORED_WITHIN_S)
    while stored < len(played) and clock.now() < until:
        await clock.sleep(_LOOK_EVERY_S)
        stored = await _stored(settings, hub, played)
    return stored


async def _stored(settings: Settings, hub: str, played: set[_Key]) -> int:
    devices, measures, times = zip(*played, strict=True)
    async with await AsyncConnection.connect(settings.database) as conn:
        row = await (
            await conn.execute(
                """select count(*)
                     from unnest(%s::text[], %s::text[], %s::timestamptz[]) as played (device, measure, at)
                     join series s using (device, measure)
                     join readings r on r.series_id = s.id and r.at = played.at
                    where s.hub = %s and r.at between %s and %s""",
                (list(devices), list(measures), list(times), hub, min(times), max(times)),
            )
        ).fetchone()
    assert row is not None
    return int(row[0])
