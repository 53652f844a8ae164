"""The pendants, and the process of the hubs that they are heard by."""

import asyncio
import json
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from gateway.sockets import connect
from tests.faults.ledger import Ledger, Press, frame
from tests.system.running import clean_environment

ANSWER_S: Final = 3.0  # a device waits so long for "kept" before it sends again
AGAIN_S: Final = 0.2
_STARTED_AGAIN_S: Final = 0.5  # a hub's process that ended is started again after this, as a service manager does


class HubProcess:
    """A process with some hubs in it, started again whenever it ends."""

    def __init__(self, folder: Path, hubs: list[dict[str, Any]]) -> None:
        self.folder, self.hubs = folder, hubs
        self._file = folder / "hubs.json"
        self._file.write_text(json.dumps(hubs), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def keep(self) -> None:
        """Start it, and again whenever it has ended; stop it at the end."""
        try:
            while True:
                if self._process is None or self._process.poll() is not None:
                    self._start()
                await asyncio.sleep(_STARTED_AGAIN_S)
        finally:
            self._stop()

    def _start(self) -> None:
        with (self.folder / "hubs.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.hub_host", str(self._file)],
                stdout=log, stderr=log, env=clean_environment(), start_new_session=True,
            )  # fmt: skip
        self.starts += 1

    def kill(self) -> None:
        """As a power cut ends it; the files stay as they are."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Pendant:
    """A device that sends each press again until the hub has kept it."""

    def __init__(self, hub: str, directory: Path, ledger: Ledger) -> None:
        self.hub, self._socket, self._ledger = hub, directory / "hub.sock", ledger
        self._link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def press(self, ref: str, *, is_fall: bool = False, **fields: Any) -> Press:
        """Press, or fall, and wait until it is kept."""
        press = self._ledger.press(self.hub, ref, is_fall=is_fall)
        async with self._one_at_a_time:
            while press.id is None:
                try:
                    await self._say(press, **fields)
                except (OSError, TimeoutError, asyncio.IncompleteReadError):
                    self.close()
                    await asyncio.sleep(AGAIN_S)
        return press

    async def _say(self, press: Press, **fields: Any) -> None:
        if self._link is None:
            self._link = await connect(self._socket)
        reader, writer = self._link
        writer.write(frame(press, **fields))
        async with asyncio.timeout(ANSWER_S):
            while True:
                answer = json.loads(await reader.readuntil(b"\n"))
                if answer["frame"] in {"kept", "judged"} and answer["ref"] == press.ref:
                    assert answer["id"], "a fall is dismissed: the row proves nothing about falls"
                    press.id, press.kept_at = answer["id"], time.time()
                    return

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link[1].transport.abort()
            self._link = None


class Pressing:
    """Presses pendants in turn at a steady rate, not in step with anything."""

    def __init__(
        self, pendants: list[Pendant], rate: float, rng: random.Random, name: str, falls_share: float = 0.0
    ) -> None:
        self._pendants, self._rate, self._rng, self._name = pendants, rate, rng, name
        self._falls_share = falls_share
        self._under_way: set[asyncio.Task[Press]] = set()
        self._number = 0
        self._stopped = False

    async def run(self) -> None:
        """Until stopped."""
        while not self._stopped:
            self.press(self._rng.choice(self._pendants), is_fall=self._rng.random() < self._falls_share)
            await asyncio.sleep(self._rng.uniform(0.5, 1.5) / self._rate)

    def press(self, pendant: Pendant, **fields: Any) -> "asyncio.Task[Press]":
        """One press now, beside everything else."""
        self._number += 1
        task = asyncio.create_task(pendant.press(f"{self._name}-{self._number}", **fields))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def stop(self, within_s: float) -> None:
        """Press no more, and wait until the hubs have kept what was pressed; what is not kept then stays so."""
        self._stopped = True
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within_s)

    async def close(self) -> None:
        """Stop waiting, and hang up."""
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for pendant in self._pendants:
            with suppress(OSError):
                pendant.close()
