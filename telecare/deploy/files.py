"""What `telecare init` writes: settings, the broker's configuration, systemd units. Plain text from plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telecare.embedded.broker import access_rules
from telecare.errors import Refused

# Each service of a machine: its unit's name, its command, what it is.
SERVICES: Final[tuple[tuple[str, str, str], ...]] = (
    ("ingest", "ingest --lane alarms", "alarms into the store"),
    ("ingest-readings", "ingest --lane readings", "readings into the store"),
    ("alerts", "alerts", "alarms into alerts, and what nobody answers"),
    ("detection", "detection", "patterns in readings"),
    ("dashboard", "dashboard", "the console and all pages"),
    ("watchdog", "watchdog", "a test press each minute, and who shouts when it does not arrive"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where things are on this machine."""

    folder: Path  # of the configuration
    program: Path  # the `telecare` command
    user: str  # whom the services run as
    data_dir: Path
    backups: Path
    mosquitto: Path
    mqtt_port: int
    certificate: Path
    key: Path
    ca: Path | None

    @property
    def env_file(self) -> Path:
        return self.folder / "telecare.env"

    @property
    def broker(self) -> Path:
        return self.folder / "broker"


def environment(values: Mapping[str, str]) -> str:
    """The file of settings, one TELECARE_… line each.

    Raises:
        Refused: a value would not fit on a line.
    """
    lines = [
        "# Settings of Telecare; `telecare settings` explains each. Secrets: only for root and the service to read."
    ]
    for name, value in values.items():
        if any(char in value for char in "\n\r\0'"):
            raise Refused(f"{name} may hold no quotation mark and no line break")
        lines.append(f"TELECARE_{name.upper()}='{value}'")
    return "\n".join(lines) + "\n"


def mosquitto(plan: Plan) -> str:
    """The broker's configuration: TLS for everybody, a login for everybody, each hub on its own topics."""
    lines = [
        "# Mosquitto for Telecare. Hubs and the service itself speak TLS on this port.",
        # Not `listener`: a configuration that has one is refused when the accounts are read again (SIGHUP).
        f"port {plan.mqtt_port}",
        f"certfile {plan.certificate}",
        f"keyfile {plan.key}",
        "allow_anonymous false",
        f"password_file {plan.broker / 'passwords'}",
        f"acl_file {plan.broker / 'acl'}",
        f"pid_file {plan.broker / 'broker.pid'}",
        "persistence true",
        f"persistence_location {plan.broker}/",
        "autosave_interval 60",
        "max_queued_messages 1000000",
        "max_inflight_messages 5000",
        "max_packet_size 1048576",
        "set_tcp_nodelay true",  # small messages go at once: waiting for company costs an alarm 40 ms
        "persistent_client_expiration 7d",
        "log_type error",
        "log_type warning",
        "log_dest stderr",
    ]
    return "\n".join(lines) + "\n"


def acl() -> str:
    """Who may speak and hear what."""
    return access_rules()


_HARDENING: Final = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
LockPersonality=yes
CapabilityBoundingSet=
UMask=0027
"""


def units(plan: Plan) -> dict[str, str]:
    """The systemd units by file name."""
    found = {f"telecare-{name}.service": _service(plan, name, command, words) for name, command, words in SERVICES}
    wants = " ".join(f"telecare-{name}.service" for name in ("broker", *(name for name, _, _ in SERVICES)))
    found["telecare.target"] = (
        f"[Unit]\nDescription=Telecare\nWants={wants} telecare-backup.timer\n\n[Install]\nWantedBy=multi-user.target\n"
    )
    found["telecare-broker.service"] = (
        "[Unit]\nDescription=Telecare: the broker\nPartOf=telecare.target\nAfter=network-online.target\n"
        "Wants=network-online.target\nStartLimitIntervalSec=0\n\n"
        f"[Service]\nUser={plan.user}\nExecStart={plan.mosquitto} -c {plan.broker / 'mosquitto.conf'}\n"
        "ExecReload=/bin/kill -HUP $MAINPID\nRestart=always\nRestartSec=1\nLimitNOFILE=1048576\n"
        f"ReadWritePaths={plan.broker}\n{_HARDENING}\n[Install]\nWantedBy=telecare.target\n"
    )
    found["telecare-backup.service"] = (
        "[Unit]\nDescription=Telecare: backup\nAfter=network-online.target postgresql.service\n\n"
        f"[Service]\nType=oneshot\nUser={plan.user}\nEnvironment=TELECARE_ENV_FILE={plan.env_file}\n"
        f"ExecStart={plan.program} backup {plan.backups} --keep 14\nReadWritePaths={plan.backups}\n{_HARDENING}"
    )
    found["telecare-backup.timer"] = (
        "[Unit]\nDescription=Telecare: a backup each night\n\n[Timer]\nOnCalendar=*-*-* 02:30:00\n"
        "RandomizedDelaySec=15min\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    )
    return found


def _service(plan: Plan, name: str, command: str, words: str) -> str:
    return (
        f"[Unit]\nDescription=Telecare: {words}\nPartOf=telecare.target\n"
        "After=network-online.target postgresql.service telecare-broker.service\nWants=network-online.target\n"
        "StartLimitIntervalSec=0\n\n"
        f"[Service]\nUser={plan.user}\nEnvironment=TELECARE_ENV_FILE={plan.env_file}\n"
        f"ExecStart={plan.program} {command}\nRestart=always\nRestartSec=1\nTimeoutStopSec=20\n"
        f"ReadWritePaths={plan.data_dir}\n{_HARDENING}\n"
        "[Install]\nWantedBy=telecare.target\n"
    )
