"""How much processor time the parts of a running system have used, from /proc."""

import os
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
PARTS: Final = {
    "broker": "mosquitto",
    "ingest": "ingest --lane readings",
    "ingest of alarms": "ingest --lane alarms",
    "alerts": "telecare alerts",
    "detection": "telecare detection",
    "dashboard": "telecare dashboard",
    "database": "postgres",
}


def used_s(root: int) -> dict[str, float]:
    """Seconds of processor time, by part, of the processes below `root`; children that have ended count with theirs."""
    processes = {pid: found for pid in _pids() if (found := _stat(pid)) is not None}
    below, grown = {root}, True
    while grown:
        more = {pid for pid, (parent, _) in processes.items() if parent in below} - below
        below |= more
        grown = bool(more)
    used = dict.fromkeys(PARTS, 0.0)
    for pid in below & processes.keys():
        command = _command(pid)
        part = next((part for part, word in PARTS.items() if word in command and " bench." not in command), None)
        if part is not None:
            used[part] += processes[pid][1]
    return used


def process_s(pid: int) -> float:
    """Seconds of processor time of this process alone; 0 where it is gone."""
    found = _stat(pid)
    return 0.0 if found is None else found[1]


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> tuple[int, float] | None:
    """The parent, and the seconds used by it and by its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(int(field) for field in fields[11:15]) / _TICKS


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
