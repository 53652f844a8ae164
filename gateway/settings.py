"""The settings of one hub, checked when they are made."""

import math
import shlex
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from telecare.errors import CannotStart
from telecare.settings import parse_mqtt_url
from telecare.wire import HUB_NAME

SECRET_VARIABLE: Final = "TELECARE_HUB_SECRET"  # noqa: S105  (the variable's name)
_MAY_BE_ZERO: Final = frozenset(
    {"prealarm_s", "return_jitter_s", "second_linger_s", "repeat_within_s", "alarm_reserve_bytes"}
)
_MEBIBYTE: Final = 1024 * 1024


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
    receipt_first_s: float = 2.0  # on a new connection an alarm without a receipt is sent again after this,
    receipt_timeout_s: float = 10.0  # ... then after ever longer, up to this; on an old one after this
    alarms_in_flight: int = 10  # alarms that wait for the broker's PUBACK at once
    repeat_within_s: float = 10.0  # a frame without `ref` that says the same so soon is a repeat; 0: never
    readings_linger_s: float = 1.0  # readings wait this long for company: one commit, one pack
    readings_per_pack: int = 200  # at most; so a pack stays below some 16 KiB

    prealarm_s: float = 20.0  # a fall that the hub has judged can be taken back so long before it is sent
    blow_kept_s: float = 1800.0  # a blow that was no fall goes with a press that comes within this time
    falls_summed_every_s: float = 86_400.0  # how many impacts came to nothing is told this often

    # The second path (docs/decisions/0011).
    fallback_after_s: float = 60.0  # an alarm without a receipt takes the second path after this
    second_mqtt_url: str | None = None  # another broker, or the same service by another network
    second_linger_s: float = 120.0  # that connection is kept so long after its last alarm: a command lives 120 s
    fallback_hook: str | None = None  # a command line, run without a shell: where a modem for SMS or voice is attached
    hook_timeout_s: float = 30.0  # one run of the hook may take this long
    hook_retry_first_s: float = 60.0  # from the beginning of one attempt to the next: doubling,
    hook_retry_most_s: float = 900.0  # ... up to this

    # Room on the disk (docs/decisions/0012).
    readings_limit_rows: int = 300_000  # above this the oldest readings go; 72 h at one a second are 259,200
    readings_limit_bytes: int = 64 * _MEBIBYTE  # above this much in the outbox the oldest readings go
    outbox_limit_bytes: int = 256 * _MEBIBYTE  # the outbox never grows above this; what is beyond readings is alarms'
    alarm_reserve_bytes: int = 4 * _MEBIBYTE  # disk that is held back, and given up for alarms when it is full
    thinned_said_every_s: float = 600.0  # that readings are being lost is logged at most so often
    fault_again_s: float = 86_400.0  # a disk that is full again raises another alarm only after this

    refs_kept_s: float = 48 * 3600.0  # a device's ref is known this long after its alarm has left the outbox
    commands_kept_s: float = 24 * 3600.0  # a command's id is known this long
    ledger_kept_s: float = 14 * 86_400.0  # what became of an alarm is known this long after its receipt,
    ledger_limit_rows: int = 100_000  # ... and of so many alarms at most
    housekeeping_s: float = 2.0  # how often to look for alarms due on the second path, and for what to forget
    power_safe: bool = True  # False only for simulated homes: a power cut may lose the newest rows

    return_jitter_s: float = 60.0  # the first attempt comes at random within this, unless somebody needs help
    backoff_first_s: float = 0.5  # later ones at random within this, doubling
    backoff_most_s: float = 30.0  # ... up to this
    backoff_urgent_most_s: float = 5.0  # ... or up to this while somebody may need help
    attempts_apart_s: float = 0.2  # the least between two, however many alarms are pressed meanwhile
    steady_after_s: float = 10.0  # a connection of this length counts as well: the back-off begins anew
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
        for name in ("mqtt_url", "second_mqtt_url"):
            self._check_url(name)
        self._check_hook()
        for each in fields(self):
            self._check_number(each.name)
        if self.readings_limit_bytes > self.outbox_limit_bytes:
            raise CannotStart(
                "readings_limit_bytes: above outbox_limit_bytes, so that nothing would be left for alarms"
            )

    def _check_url(self, name: str) -> None:
        url = getattr(self, name)
        try:
            if url is not None:
                parse_mqtt_url(url)
        except ValueError as problem:
            raise CannotStart(f"{name}: {problem}") from problem

    def _check_hook(self) -> None:
        try:
            if self.fallback_hook is not None and not self.hook_command:
                raise ValueError("empty")
        except ValueError as problem:
            raise CannotStart(f"fallback_hook: not a command line: {problem}") from problem

    def _check_number(self, name: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return
        if not math.isfinite(value) or value < 0 or (value == 0 and name not in _MAY_BE_ZERO):
            raise CannotStart(f"{name}: must be above 0")

    @property
    def hook_command(self) -> tuple[str, ...]:
        """The fallback hook's program and its arguments; empty where there is none."""
        return tuple(shlex.split(self.fallback_hook or ""))

    @property
    def outbox_path(self) -> Path:
        """The database of what is not delivered yet."""
        return outbox_in(self.directory)

    @property
    def socket_path(self) -> Path:
        """Where devices connect."""
        return self.directory / "hub.sock"


def outbox_in(directory: Path) -> Path:
    """The outbox in a hub's own folder."""
    return directory / "outbox.sqlite3"
