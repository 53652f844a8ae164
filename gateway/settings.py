"""The settings of one hub, checked when they are made."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path

from telecare.errors import CannotStart
from telecare.settings import parse_mqtt_url
from telecare.wire import HUB_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """Everything one hub is told. Names say the unit: `_s` seconds, `_bytes`, `_rows`.

    Raises:
        CannotStart: a value is wrong; the text names it.
    """

    hub: str  # its name, which is also its MQTT client id and user name
    secret: str = field(repr=False)
    mqtt_url: str  # mqtt://127.0.0.1:1883, or mqtts://…; a login in it is not used
    directory: Path  # the hub's own folder
    mqtt_ca_file: Path | None = None  # certificates that vouch for an mqtts:// broker; None: the system's

    heartbeat_s: float = 60.0  # until a `configure` command changes it
    receipt_timeout_s: float = 10.0  # an alarm without a receipt is sent again after this
    fallback_after_s: float = 60.0  # ... and is due on the second path after this
    alarms_in_flight: int = 10  # alarms that wait for the broker's PUBACK at once
    readings_linger_s: float = 1.0  # readings wait this long for company: one commit, one pack
    readings_per_pack: int = 200  # at most; so a pack stays below some 16 KiB
    readings_limit_rows: int = 100_000  # above this the oldest readings go
    refs_kept_s: float = 48 * 3600.0  # a device's ref is known this long after its alarm has left the outbox
    commands_kept_s: float = 24 * 3600.0  # a command's id is known this long
    housekeeping_s: float = 2.0  # how often to look for alarms due on the second path, and for what to forget
    power_safe: bool = True  # False only for simulated homes: a power cut may lose the newest rows

    backoff_first_s: float = 0.5  # between attempts to connect: doubling, with jitter,
    backoff_most_s: float = 30.0  # ... up to this,
    steady_after_s: float = 10.0  # ... and from the beginning again after a connection of this length
    mqtt_timeout_s: float = 10.0  # the broker's answer to one packet; without it the connection is given up
    keepalive_s: int = 30
    session_expiry_s: int = 300  # the broker keeps commands for a hub that is away this long

    frame_limit_bytes: int = 64 * 1024  # one line from a device
    device_backlog_bytes: int = 256 * 1024  # answers that a device has not read; above this it is dropped

    def __post_init__(self) -> None:
        if not HUB_NAME.fullmatch(self.hub):
            raise CannotStart(f"hub name {self.hub[:80]!r}: lower-case letters, digits and hyphens, at most 63")
        if not self.secret:
            raise CannotStart("the hub's secret is empty")
        try:
            parse_mqtt_url(self.mqtt_url)
        except ValueError as problem:
            raise CannotStart(f"mqtt_url: {problem}") from problem
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int | float) and not (math.isfinite(value) and (value > 0 or value is False)):
                raise CannotStart(f"{each.name}: must be above 0")

    @property
    def outbox_path(self) -> Path:
        """The database of what is not delivered yet."""
        return self.directory / "outbox.sqlite3"

    @property
    def socket_path(self) -> Path:
        """Where devices connect."""
        return self.directory / "hub.sock"
