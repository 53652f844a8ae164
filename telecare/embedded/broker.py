"""An embedded MQTT broker: Mosquitto where there is one, else the `iotcore` wheel behind a front door of ours."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telecare.errors import CannotStart
from telecare.mqtt_accounts import SERVICE_LOGIN, hash_secret, read_password_file, write_password_file
from telecare.processes import ServerUser

PASSWORDS: Final = "passwords"
_SBIN: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # where Debian puts it, outside an ordinary user's PATH

# %u is the login: a hub speaks on its own topics and hears its own, and nothing else.
_ACL: Final = f"""\
user {SERVICE_LOGIN}
topic readwrite telecare/v1/#

pattern write telecare/v1/%u/alarm
pattern write telecare/v1/%u/readings
pattern write telecare/v1/%u/state
pattern write telecare/v1/%u/result
pattern read telecare/v1/%u/receipt
pattern read telecare/v1/%u/command
"""


def access_rules() -> str:
    """Who may speak and hear what: Mosquitto's ACL file."""
    return _ACL


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker: its folder, its port, the program (None for the wheel), and the service's password."""

    folder: Path
    port: int
    mosquitto: Path | None
    user: ServerUser | None
    service_password: str

    @property
    def password_file(self) -> Path:
        return self.folder / PASSWORDS

    @property
    def service_url(self) -> str:
        """Where the service's own processes log in."""
        return f"mqtt://{SERVICE_LOGIN}:{self.service_password}@127.0.0.1:{self.port}"

    @property
    def hub_url(self) -> str:
        """What hubs are told."""
        return f"mqtt://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """The broker's command line, to run in the foreground."""
        if self.mosquitto is not None:
            return [str(self.mosquitto), "-c", str(self.folder / "mosquitto.conf")]
        return [sys.executable, "-m", "telecare.embedded.wheel_broker", str(self.port), str(self.password_file)]

    def write_files(self) -> None:
        """Everything that the broker reads at its start. Accounts of hubs that are there already stay."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if self.mosquitto is not None:
            (self.folder / "mosquitto.conf").write_text("\n".join(self._configuration()) + "\n", encoding="ascii")
            (self.folder / "acl").write_text(_ACL, encoding="ascii")
        if self.user is not None and self.mosquitto is not None:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, self.user.uid, self.user.gid)
        accounts = read_password_file(self.password_file) | {SERVICE_LOGIN: hash_secret(self.service_password)}
        write_password_file(self.password_file, accounts)

    def _configuration(self) -> Iterator[str]:
        # Not `listener`: a configuration that has one is refused when the accounts are read again (SIGHUP).
        yield f"port {self.port}"
        yield "bind_address 127.0.0.1"
        yield "allow_anonymous false"
        yield f"password_file {self.password_file}"
        yield f"acl_file {self.folder / 'acl'}"
        # A convenience: what we promise rests on the hubs' outboxes. 0 would drop (Mosquitto 2.0.16), the default of
        # 1,000 drops silently what an absent ingest has not read.
        yield "persistence true"
        yield f"persistence_location {self.folder}/"
        yield "autosave_interval 60"
        yield "max_queued_messages 1000000"
        yield "max_inflight_messages 5000"
        yield "max_packet_size 1048576"
        yield "set_tcp_nodelay true"  # small messages go at once: waiting for company costs an alarm 40 ms
        yield "persistent_client_expiration 7d"
        yield "log_dest stderr"
        yield "log_type error"
        yield "log_type warning"


def find_mosquitto(configured: Path | None) -> Path | None:
    """The mosquitto program, or None where there is none.

    Raises:
        CannotStart: the one that is configured does not exist.
    """
    if configured is not None:
        if not configured.exists():
            raise CannotStart(f"setting TELECARE_MOSQUITTO: there is no {configured}")
        return configured
    found = shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", ""), *_SBIN)))
    return Path(found) if found else None
