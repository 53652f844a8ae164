"""Simulated homes on this machine: their hubs' logins, kept in the data directory to be the same next time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.settings import HubSettings
from telecare.enrolment import enrol
from telecare.errors import CannotStart, Refused
from telecare.register.homes import NewHome
from telecare.settings import Settings
from telecare.supervisor import write_json

HOMES: Final = "homes"  # below the data directory, a folder for each hub
LOGIN: Final = "hub.json"


@dataclass(frozen=True, slots=True)
class SimulatedHub:
    """A hub that may log in, and its folder."""

    hub: str
    settings: HubSettings


async def hubs_of(settings: Settings, wanted: Mapping[str, NewHome]) -> list[SimulatedHub]:
    """The hubs of these names, enrolled where they are new, each for its home.

    Raises:
        CannotStart: a hub of that name is enrolled, but its secret is not in this data directory.
    """
    missing = [(hub, home) for hub, home in wanted.items() if not _login(settings, hub).exists()]
    try:
        enrolments = await enrol(settings, missing)
    except Refused as problem:
        raise CannotStart(f"{problem}, and its secret is not in {settings.data_dir / HOMES}") from problem
    for enrolment in enrolments:
        path = _login(settings, enrolment.hub)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(path, {"home": str(enrolment.home), "secret": enrolment.secret}, 0o600)
    return [SimulatedHub(hub, _hub_settings(settings, hub)) for hub in wanted]


def _login(settings: Settings, hub: str) -> Path:
    return settings.data_dir / HOMES / hub / LOGIN


def _hub_settings(settings: Settings, hub: str) -> HubSettings:
    path = _login(settings, hub)
    try:
        secret = str(json.loads(path.read_text(encoding="utf-8"))["secret"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise CannotStart(f"{path} cannot be read: {problem}") from problem
    return HubSettings(
        hub=hub, secret=secret, mqtt_url=settings.mqtt_url_for_hubs, directory=path.parent,
        mqtt_ca_file=settings.mqtt_ca_file,
        # Hundreds of them share this machine: they are to be there at once, and their reserves would fill its disk.
        return_jitter_s=0.0, alarm_reserve_bytes=0,
    )  # fmt: skip


def running_hubs(data_dir: Path) -> dict[str, Path]:
    """The sockets of the homes that run now, by hub."""
    return {path.parent.name: path for path in sorted((data_dir / HOMES).glob("*/hub.sock"))}
