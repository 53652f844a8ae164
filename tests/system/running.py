"""A whole system, started as a newcomer starts it: by the `telecare` command."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telecare.processes import free_port as free_port

TELECARE = str(Path(sys.executable).parent / "telecare")


@dataclass(slots=True)
class System:
    """A running `telecare up`."""

    data_dir: Path
    port: int
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> Any:
        """Run a subcommand with `--json` on this system; its one object."""
        done = subprocess.run(
            [TELECARE, *arguments, "--data-dir", str(self.data_dir), "--json"],
            capture_output=True, text=True, check=False, env=clean_environment(), timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run(self, *arguments: str) -> None:
        """Run a subcommand that has no `--json`, to its end."""
        subprocess.run(
            [TELECARE, *arguments, "--data-dir", str(self.data_dir)],
            capture_output=True, check=True, env=clean_environment(), timeout=300,
        )  # fmt: skip

    def get(self, path: str, token: str) -> Any:
        """GET some JSON with a program's token."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def pids(self) -> dict[str, int]:
        """Process ids by part."""
        return {part["name"]: part["pid"] for part in self.command("status")["parts"]}

    def healthy(self) -> bool:
        """Whether /health answers 200 now."""
        return not self.problems()

    def problems(self) -> str:
        """What /health finds wrong now, in words; '' where all is well."""
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=2):
                return ""
        except urllib.error.HTTPError as answer:
            return answer.read().decode()
        except OSError as problem:
            return f"/health does not answer: {problem}"

    def wait_healthy(self, timeout_s: float) -> None:
        """Wait until /health answers 200; what it said last, if it does not."""
        deadline = time.monotonic() + timeout_s
        while problems := self.problems():
            assert time.monotonic() < deadline, f"not well after {timeout_s:g} s: {problems}"
            time.sleep(0.05)


def clean_environment(**given: str) -> dict[str, str]:
    """This process's environment without its own TELECARE_ settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TELECARE_")} | given


def start(data_dir: Path, *arguments: str, **environment: str) -> System:
    """Start `telecare up --demo` and wait until it is healthy."""
    port = free_port()
    output = data_dir.with_name(data_dir.name + ".out")
    with output.open("ab") as log:
        process = subprocess.Popen(
            [TELECARE, "up", "--demo", "--port", str(port), "--data-dir", str(data_dir), *arguments],
            stdout=log, stderr=log, env=clean_environment(**environment), start_new_session=True,
        )  # fmt: skip
    system = System(data_dir, port, process, output)
    try:
        wait_until(system.healthy, 60, lambda: process.poll() is None)
    except BaseException:
        process.kill()
        process.wait()
        raise AssertionError(f"`telecare up` is not healthy:\n{output.read_text()}") from None
    return system


def stop(system: System, number: signal.Signals = signal.SIGTERM) -> None:
    """Stop it as Ctrl-C or a service manager does."""
    system.process.send_signal(number)
    system.process.wait(timeout=40)


def ended_by_itself(system: System) -> bool:
    """Whether no part had to be killed when it stopped."""
    return "and was killed" not in system.output.read_text()


@contextmanager
def running(data_dir: Path, *arguments: str, **environment: str) -> Iterator[System]:
    """A system for the length of a test."""
    system = start(data_dir, *arguments, **environment)
    try:
        yield system
    finally:
        if system.process.poll() is None:
            stop(system)


def wait_until(what: Any, timeout_s: float, still: Any = lambda: True) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout_s
    while not what():
        assert still(), "ended meanwhile"
        assert time.monotonic() < deadline, f"not so after {timeout_s:g} s"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs (one that is dead and not yet reaped does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
