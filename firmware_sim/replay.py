"""`telecare replay`: recorded trials through the pendant firmware, a hub, the broker and the service."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from firmware_sim import pendant
from firmware_sim.falls.listen import samples
from firmware_sim.frames import AlarmFrame, ImpactFrame, ReadingFrame
from firmware_sim.homes import SimulatedHub, hubs_of
from firmware_sim.link import Link
from firmware_sim.pendant import Frame, Pendant
from firmware_sim.recordings import Trial
from gateway.outbox import Outbox
from gateway.service import run as run_hub
from telecare.clock import Clock
from telecare.errors import CannotStart
from telecare.ids import uuid7
from telecare.register.homes import NewContact, NewDevice, NewHome, NewPerson
from telecare.settings import Settings

DEVICE: Final = "pendant-1"
RECEIPT_WITHIN_S: Final = 20.0
_LOOK_EVERY_S: Final = 0.005
_STEP_S: Final = 0.05  # samples are played in steps of this at a given speed


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that a trial raised: how far into it the impact was, its id, and how long its receipt took."""

    fell_at_s: float
    alarm: str
    receipt_ms: float


@dataclass(frozen=True, slots=True)
class Played:
    """A trial and what came of it."""

    trial: Trial
    raised: tuple[Raised, ...]


def hub_name(subject: str) -> str:
    """The hub of a recorded subject's home."""
    return f"replay-{re.sub('[^a-z0-9-]+', '-', subject.lower()).strip('-') or 'somebody'}"[:63]


def home_of(subject: str) -> NewHome:
    """The home in which a recorded subject is imagined to live."""
    contact = NewContact(name="Recorded contact", relationship="nobody real", phone="07700 900000")
    return NewHome(
        address=f"Recording of {subject}",
        access_notes="Nobody lives here: a recording is being played.",
        people=(NewPerson(name=f"Volunteer {subject} (recorded)", contacts=(contact,)),),
        devices=(NewDevice(name=DEVICE, kind="pendant", person=0),),
    )


async def replay(
    settings: Settings, trials: Iterable[Trial], clock: Clock, speed: float | None
) -> AsyncIterator[Played]:
    """Play trials one after another; each ends now. `speed` None: as fast as it goes, 1: as it happened.

    Raises:
        CannotStart: a home's hub cannot log in, or the service gives no receipt in time.
    """
    for trial in trials:
        name = hub_name(trial.subject)
        (hub,) = await hubs_of(settings, {name: home_of(trial.subject)})
        if speed is None:  # nobody is there to take a fall back
            hub = replace(hub, settings=replace(hub.settings, prealarm_s=0.0))
        async with _home(hub, clock) as link:
            yield await _play(trial, hub, link, clock, speed)


@asynccontextmanager
async def _home(hub: SimulatedHub, clock: Clock) -> AsyncIterator[Link]:
    stop = asyncio.Event()
    link = Link(hub.settings.socket_path, [DEVICE], clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(run_hub(hub.settings, clock, stop))
        connection = group.create_task(link.run())
        try:
            yield link
        finally:
            connection.cancel()
            stop.set()


async def _play(trial: Trial, hub: SimulatedHub, link: Link, clock: Clock, speed: float | None) -> Played:
    begun = clock.now()
    # The recording's zero, by our clock, so that its end is now when all of it has been played.
    takes_s = trial.length_s / speed if speed else 0.0
    zero = begun + timedelta(seconds=takes_s - float(trial.t[-1]))
    raised = []
    async for frame in _frames(trial, zero, begun, clock, speed):
        if isinstance(frame, ReadingFrame):
            link.tell(frame)
        elif (one := await _deliver(frame, zero, hub, link, clock)) is not None:
            raised.append(one)
    with closing(Outbox(hub.settings.outbox_path)) as outbox:
        await _until(lambda: outbox.count() == 0, clock, "the hub's outbox has not been emptied")
    return Played(trial, tuple(raised))


async def _frames(
    trial: Trial, zero: datetime, begun: datetime, clock: Clock, speed: float | None
) -> AsyncIterator[Frame]:
    """What the pendant says while it feels the trial's samples."""
    worn = Pendant(DEVICE, uuid7().hex[-8:], worn_at=trial.position)
    for sample in samples(trial):
        if speed:
            ahead_s = (sample.t / 1000 - trial.t[0]) / speed - (clock.now() - begun).total_seconds()
            if ahead_s > _STEP_S:
                await clock.sleep(ahead_s)
        worn, said = pendant.feel(worn, sample, zero)
        for frame in said:
            yield frame
    worn, said = pendant.rest(worn, zero)
    for frame in said:
        yield frame


async def _deliver(
    frame: AlarmFrame | ImpactFrame, zero: datetime, hub: SimulatedHub, link: Link, clock: Clock
) -> Raised | None:
    """Give the hub an alarm, or an impact; None where that was no fall."""
    sent = clock.now()
    async with asyncio.timeout(RECEIPT_WITHIN_S):
        alarm = await link.alarm(frame) if isinstance(frame, AlarmFrame) else (await link.impact(frame)).id
    if alarm is None:
        return None
    with closing(Outbox(hub.settings.outbox_path)) as outbox:
        longest_s = RECEIPT_WITHIN_S + hub.settings.prealarm_s
        await _until(lambda: not outbox.holds(alarm), clock, f"no receipt for alarm {alarm}", longest_s)
    took = clock.now() - sent
    fell = datetime.fromisoformat(frame.at)
    return Raised(round((fell - zero).total_seconds(), 2), alarm, round(took.total_seconds() * 1000, 1))


async def _until(so: Callable[[], bool], clock: Clock, otherwise: str, longest_s: float = RECEIPT_WITHIN_S) -> None:
    for _ in range(int(longest_s / _LOOK_EVERY_S)):
        if so():
            return
        await clock.sleep(_LOOK_EVERY_S)
    raise CannotStart(f"{otherwise} after {longest_s:g} s: is the service running?")
