"""`telecare simulate`, `telecare press`, `telecare replay`."""

import asyncio
import dataclasses
import json
import random
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from firmware_sim.falls import cli as falls
from telecare.errors import CannotStart, Refused
from telecare.settings import Settings, load_settings
from telecare.vocabulary import NEEDS_A_PERSON, Kind

DataDir = Annotated[Path | None, typer.Option(help="where the running system keeps its files")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]

KEPT_WITHIN_S: Final = 5.0
HEARD_WITHIN_S: Final = 5.0


def register(app: typer.Typer) -> None:
    """Add this service's commands."""
    app.command("simulate")(_simulate)
    app.command("simulate-year")(_simulate_year)
    app.command("press")(_press)
    app.command("replay")(_replay)
    falls.register(app)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _simulate(
    homes: Annotated[int, typer.Option(min=0, max=5000, help="how many households")] = 10,
    days: Annotated[float, typer.Option(min=0, help="simulated days; 0: until stopped")] = 0.0,
    speed: Annotated[float, typer.Option(min=1, help="simulated seconds in a second; needs --days")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same people and days")] = 1,
    press_after: Annotated[
        float | None, typer.Option(min=0, help="press the first home's pendant after so many seconds")
    ] = None,
    readings_per_s: Annotated[
        float, typer.Option(min=0, help="more readings, of all homes together, for benchmarks")
    ] = 0.0,
    data_dir: DataDir = None,
) -> None:
    """Let simulated households live their days, through real hubs and the real broker."""
    from firmware_sim.simulate import Wish, simulate
    from telecare.clock import SystemClock
    from telecare.service import run_until_stopped

    settings = load_settings(data_dir)
    wish = Wish(homes, seed, days, speed, press_after, readings_per_s)
    run_until_stopped(lambda stop: simulate(settings, wish, SystemClock(), stop))


def _simulate_year(
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same people and cases")] = 1,
    people: Annotated[int, typer.Option(min=1, max=20_000, help="how many people, in two councils")] = 240,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the day after the last; today")] = None,
) -> None:
    """Print a simulated year that is over, one JSON record a line, for `telecare import-history`."""
    from firmware_sim.history import year
    from telecare.clock import SystemClock
    from telecare.past import encode

    for record in year(seed, people, (until or SystemClock().now()).date()):
        sys.stdout.buffer.write(encode(record))
    sys.stdout.buffer.flush()


def _press(
    hub: Annotated[str | None, typer.Argument(help="a simulated home's hub; any, if left out")] = None,
    kind: Annotated[Kind, typer.Option(help="of the alarm")] = Kind.BUTTON,
    device: Annotated[str, typer.Option(help="which device raises it")] = "pendant-1",
    cancel: Annotated[str | None, typer.Option(help="take back the alarm with this id")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Press a pendant in a simulated home, and hear what the wearer hears."""
    from firmware_sim.homes import running_hubs

    settings = load_settings(data_dir)
    hubs = {name: path for name, path in running_hubs(settings.data_dir).items() if hub in (None, name)}
    if not hubs:
        raise CannotStart(f"no simulated home {hub or ''} runs in {settings.data_dir}".replace("  ", " "))
    name = random.choice(sorted(hubs))
    found = asyncio.run(_pressed(hubs[name], device, kind, cancel))
    if as_json:
        _say(json.dumps({"hub": name, "device": device} | found))
        return
    _say(f"{name}: {device} pressed; alarm {found['alarm']} kept by the hub")
    heard = found["heard"]
    _say(
        f"the wearer hears: {heard['text']} (after {heard['after_ms']} ms)" if heard else "the wearer hears nothing yet"
    )


async def _pressed(socket: Path, device: str, kind: Kind, cancel: str | None) -> dict[str, Any]:
    from firmware_sim import pendant
    from firmware_sim.frames import Announce
    from firmware_sim.link import Link
    from telecare.clock import SystemClock
    from telecare.ids import uuid7

    heard: asyncio.Queue[Announce] = asyncio.Queue()
    clock = SystemClock()
    link = Link(socket, [device], clock, heard.put_nowait)
    running = asyncio.create_task(link.run())
    try:
        worn = pendant.Pendant(device, uuid7().hex[-8:])
        at = clock.now()
        _, frame = pendant.cancel(worn, cancel, at) if cancel else pendant.raise_alarm(worn, kind, at)
        async with asyncio.timeout(KEPT_WITHIN_S):
            alarm = await link.alarm(frame)
        found: dict[str, Any] = {"alarm": alarm, "heard": None}
        # Only what needs a person is answered with words for the wearer.
        if kind in NEEDS_A_PERSON and not cancel:
            found["heard"] = await _hears(heard, alarm, at.timestamp(), clock.now)
        return found
    except TimeoutError as problem:
        raise CannotStart(f"the hub has not kept the alarm in {KEPT_WITHIN_S:g} s") from problem
    finally:
        running.cancel()


async def _hears(heard: "asyncio.Queue[Any]", alarm: str, pressed: float, now: Any) -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(HEARD_WITHIN_S):
            while True:
                frame = await heard.get()
                if frame.alarm == alarm:
                    return {"text": frame.text, "after_ms": round(1000 * (now().timestamp() - pressed))}
    except TimeoutError:
        return None


def _replay(
    files: Annotated[list[Path], typer.Argument(help="recordings (Parquet; docs/recordings.md)")],
    subject: Annotated[str | None, typer.Option(help="only this subject")] = None,
    activity: Annotated[str | None, typer.Option(help="only this activity, for example F05")] = None,
    trial: Annotated[str | None, typer.Option(help="only this trial")] = None,
    position: Annotated[str | None, typer.Option(help="only this position of the device")] = None,
    home: Annotated[str | None, typer.Option(help="a recorded home's sensors, for example kasteren_B")] = None,
    speed: Annotated[
        float | None, typer.Option(min=0.01, help="1: as it happened [default: as fast as it goes]")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Play recorded falls and daily living, or a recorded home, through devices, a hub and the running service."""
    from firmware_sim.recordings import Wanted

    settings = load_settings(data_dir)
    if home is not None:
        if any(name is not None for name in (subject, activity, trial, position)):
            raise Refused(
                "--home plays a home's sensors; it goes with none of --subject, --activity, --trial, --position"
            )
        _play_home(settings, files, home, speed, as_json)
        return
    played = asyncio.run(_played(settings, files, Wanted(subject, activity, trial, position), speed, as_json))
    if not played:
        raise CannotStart("no trial matches")
    if as_json:
        _say(json.dumps({"trials": played}))


def _play_home(settings: Settings, files: list[Path], home: str, speed: float | None, as_json: bool) -> None:
    from firmware_sim.home_recordings import read_home
    from firmware_sim.home_replay import replay_home
    from telecare.clock import SystemClock

    recording = read_home(files, home)
    days = recording.length_s / 86_400
    if not as_json:
        lasts = f"; this takes {recording.length_s / speed / 60:.1f} min" if speed else ""
        _say(f"{home}: {len(recording.events)} events of {days:.1f} days, by the clock of {recording.zone}{lasts}")
    played = asyncio.run(replay_home(settings, recording, SystemClock(), speed))
    if as_json:
        _say(json.dumps(dataclasses.asdict(played)))
        return
    left = ", ".join(f"{count} {kind}" for kind, count in sorted(played.left_out.items())) or "none"
    _say(f"played {played.played} events ({played.distinct} different ones) through hub {played.hub}")
    _say(f"stored {played.stored}; left out, because they have no measure of ours: {left}")


async def _played(settings: Settings, files: list[Path], wanted: Any, speed: float | None, quiet: bool) -> list[Any]:
    from firmware_sim.recordings import read_trials
    from firmware_sim.replay import replay
    from telecare.clock import SystemClock

    played = []
    async for one in replay(settings, read_trials(files, wanted), SystemClock(), speed):
        trial = one.trial
        raised = [{"fell_at_s": r.fell_at_s, "alarm": r.alarm, "receipt_ms": r.receipt_ms} for r in one.raised]
        played.append({"trial": trial.trial, "position": trial.position, "raised": raised})
        if not quiet:
            what = "; ".join(
                f"fall at {r.fell_at_s:.1f} s -> alarm {r.alarm}, receipt in {r.receipt_ms:.0f} ms" for r in one.raised
            )
            _say(f"{trial.trial:<16} {trial.position:<12} {what or 'nothing raised'}")
    return played
