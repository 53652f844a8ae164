"""The processes of a running system, to be killed and stopped by id, and what /proc says of them."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.system.running import System

SERVERS = ("postgres", "broker")


def pids(system: System) -> dict[str, int]:
    """Process ids by part, of those that run."""
    status = json.loads((system.data_dir / "status.json").read_text(encoding="utf-8"))
    return {part["name"]: part["pid"] for part in status["parts"] if part["pid"] is not None}


def services(system: System) -> list[str]:
    """The parts that are our own, in the order of their start."""
    return [name for name in pids(system) if name not in SERVERS]


def kill(system: System, name: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a part; nothing where it does not run."""
    with suppress(KeyError, ProcessLookupError):
        os.kill(pids(system)[name], number)


def family(pid: int) -> list[int]:
    """A process and all that descend from it: a stopped database is its server and every backend."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found, look = [pid], [pid]
    while look:
        children = parents.get(look.pop(), [])
        found += children
        look += children
    return found


def signal_all(processes: list[int], number: signal.Signals) -> None:
    """Send a signal to each that still lives."""
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def rss_mb(pid: int) -> float:
    """Resident memory of a process, in MB; 0 where it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def local_ports(pid: int) -> list[int]:
    """The ports of a process's own ends of its IPv4 connections: they tell which backends of the database are its."""
    sockets = set()
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                sockets.add(str(link.readlink()))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(fields[1].rsplit(":", 1)[1], 16) for fields in lines if f"socket:[{fields[9]}]" in sockets]


def superuser_url(system: System) -> str:
    """Where the database's superuser connects."""
    passwords = json.loads((system.data_dir / "secrets.json").read_text())
    ports = json.loads((system.data_dir / "ports.json").read_text())
    return f"postgresql://postgres:{passwords['postgres_superuser']}@127.0.0.1:{ports['postgres']}/telecare"


def terminate_backends(system: System, which: str) -> int:
    """End the backends of our services of which the SQL condition `which` is true; how many those were."""
    with psycopg.connect(superuser_url(system), autocommit=True) as conn:
        found = conn.execute(
            f"""select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity a
                 where usename = 'telecare' and pid <> pg_backend_pid() and ({which})""".encode()  # noqa: S608
        ).fetchone()
    return int(found[0]) if found else 0
