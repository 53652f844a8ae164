"""A supervisor of processes: starts parts, starts again what crashed, says so, and leaves none behind.

Every part is told by the kernel to end when the supervisor dies, even by kill -9 (`processes.popen_options`).
"""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from telecare.clock import Clock, format_instant
from telecare.errors import CannotStart
from telecare.processes import ServerUser, popen_options

log = logging.getLogger("telecare.up")

FIRST_WAIT_S: Final = 0.1  # before a crashed part is started again; doubles
MOST_WAIT_S: Final = 2.0
WELL_AFTER_S: Final = 10.0  # a part that ran this long begins anew with the first wait
LOG_LIMIT_BYTES: Final = 20_000_000  # a part's log is begun again above this, at its start
STATUS_FILE: Final = "status.json"


@dataclass(slots=True)
class Part:
    """A process to keep running."""

    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    user: ServerUser | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 8.0
    death_signal: signal.Signals = (
        signal.SIGKILL
    )  # what it gets when we die; servers get the one that saves their files
    started: Callable[[int], None] | None = None  # told the process id at each start
    once: bool = False  # it has something to do, and is not started again when that is done


@dataclass(slots=True)
class _Running:
    part: Part
    task: asyncio.Task[None] | None = None
    process: asyncio.subprocess.Process | None = None
    state: str = "starting"
    since: datetime | None = None
    restarts: int = 0
    stopping: bool = False


class Supervisor:
    """Keeps parts running. `say` tells the person at the terminal."""

    def __init__(self, folder: Path, clock: Clock, say: Callable[[str], None]) -> None:
        self._folder, self._clock, self._say = folder, clock, say
        self._parts: dict[str, _Running] = {}
        (folder / "logs").mkdir(exist_ok=True)

    async def start(self, part: Part) -> None:
        """Start a part and keep it running until `stop`."""
        running = self._parts[part.name] = _Running(part)
        await self._spawn(running)
        running.task = asyncio.create_task(self._keep(running), name=part.name)

    def lives(self, name: str) -> bool:
        """Whether a part's process runs now."""
        process = self._parts[name].process
        return process is not None and process.returncode is None

    async def wait_ready(self, name: str, ready: Callable[[], Awaitable[bool]], timeout_s: float) -> None:
        """Wait until `ready` says yes.

        Raises:
            CannotStart: the part ended twice meanwhile, or was not ready in time.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not await ready():
            if self._parts[name].restarts >= 2:
                raise CannotStart(f"{name} does not start; see {self._log_path(name)}")
            if asyncio.get_running_loop().time() > deadline:
                raise CannotStart(f"{name} is not ready after {timeout_s:g} s; see {self._log_path(name)}")
            await self._clock.sleep(0.05)

    async def stop(self, names: Sequence[str]) -> None:
        """Stop some parts side by side; what does not end in its time is killed."""
        await asyncio.gather(*(self._stop_one(self._parts[name]) for name in names if name in self._parts))

    async def stop_rest(self) -> None:
        """Stop whatever still runs."""
        await self.stop([name for name, running in self._parts.items() if not running.stopping])

    async def _spawn(self, running: _Running) -> None:
        part = running.part
        path = self._log_path(part.name)
        mode = "ab" if not path.exists() or path.stat().st_size < LOG_LIMIT_BYTES else "wb"
        with path.open(mode) as output:
            running.process = await asyncio.create_subprocess_exec(
                *part.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | part.environment,
                **popen_options(part.user, part.death_signal),
            )
        running.state, running.since = "running", self._clock.now()
        if part.started is not None:
            part.started(running.process.pid)
        self._write_status()

    async def _keep(self, running: _Running) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            assert running.process is not None
            begun = asyncio.get_running_loop().time()
            code = await running.process.wait()
            if running.stopping or (running.part.once and code == 0):
                running.state = "stopped" if running.stopping else "finished"
                self._write_status()
                return
            if asyncio.get_running_loop().time() - begun >= WELL_AFTER_S:
                wait_s = FIRST_WAIT_S
            running.state = "crashed"
            running.restarts += 1
            self._write_status()
            name = running.part.name
            self._say(f"{name} ended ({_why(code)}); starting it again. Its log: {self._log_path(name)}")
            await self._clock.sleep(wait_s)
            wait_s = min(wait_s * 2, MOST_WAIT_S)
            if not running.stopping:
                await self._spawn(running)

    async def _stop_one(self, running: _Running) -> None:
        running.stopping = True
        process = running.process
        if process is not None and process.returncode is None:
            process.send_signal(running.part.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), running.part.stop_within_s)
            except TimeoutError:
                self._say(f"{running.part.name} did not stop in {running.part.stop_within_s:g} s and was killed")
                process.kill()
                await process.wait()
        if running.task is not None:
            running.task.cancel()
            await asyncio.gather(running.task, return_exceptions=True)
        running.state = "stopped"
        self._write_status()

    def _log_path(self, name: str) -> Path:
        return self._folder / "logs" / f"{name}.log"

    def _write_status(self) -> None:
        parts: list[dict[str, Any]] = [
            {
                "name": name,
                "pid": running.process.pid if running.process and running.process.returncode is None else None,
                "state": running.state,
                "since": format_instant(running.since) if running.since else None,
                "restarts": running.restarts,
            }
            for name, running in self._parts.items()
        ]
        write_json(self._folder / STATUS_FILE, {"supervisor": os.getpid(), "parts": parts})


def _why(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def write_json(path: Path, value: object, mode: int = 0o644) -> None:
    """Replace a JSON file in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(value, file)
    temporary.replace(path)
