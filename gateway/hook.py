"""The fallback hook: a program that takes an alarm by some other way, such as a modem for SMS or voice."""

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import msgspec

from gateway.domain import Waiting, doubled_s
from gateway.outbox import Outbox
from gateway.outbox_file import NoRoom
from gateway.settings import SECRET_VARIABLE, HubSettings
from gateway.waking import Wakes, pause
from telecare.clock import Clock

log = logging.getLogger("gateway")

REASON: Final = "no-receipt"


class Hook:
    """Runs the hook for each alarm that is due on the second path, until it has taken it or there is a receipt."""

    def __init__(self, settings: HubSettings, clock: Clock, outbox: Outbox, wakes: Wakes) -> None:
        self._settings, self._clock, self._outbox, self._wakes = settings, clock, outbox, wakes

    async def run(self) -> None:
        """Repeat `step`, one alarm at a time, until cancelled."""
        while True:
            self._wakes.hook.clear()
            try:
                while await self.step():
                    pass
            except NoRoom:
                # An attempt that cannot be written down would be made again at once, for ever.
                log.error("no room to write the hook's attempt down", extra=self._extra("no_room"))
                await self._clock.sleep(self._settings.hook_retry_first_s)
            # By time too: an attempt may have become due.
            await pause(self._clock, self._wakes.hook, self._settings.housekeeping_s)

    async def step(self) -> bool:
        """Run the hook once, for the alarm that is due. False: there is none.

        Raises:
            NoRoom: the attempt could not be written down.
        """
        now = self._clock.now()
        due = self._outbox.hook_due(now, self._settings.hook_retry_most_s)
        if due is None:
            return False
        alarm, tries = due
        again_s = doubled_s(tries + 1, self._settings.hook_retry_first_s, self._settings.hook_retry_most_s)
        # Before it runs, so that a stop meanwhile is an attempt too.
        self._outbox.hook_begun(alarm.id, now + timedelta(seconds=again_s))
        code = await run_hook(self._settings.hook_command, self._told(alarm, tries + 1), self._settings.hook_timeout_s)
        if code == 0:
            self._outbox.hook_took(alarm.id, self._clock.now())
            log.warning("hook took the alarm", extra=self._extra("hook_took", alarm, tries + 1))
        else:
            log.error("hook failed", extra=self._extra("hook_failed", alarm, tries + 1) | {"code": code})
        return True

    def _told(self, alarm: Waiting, attempt: int) -> bytes:
        waited_s = (self._clock.now() - alarm.kept_at).total_seconds()
        return msgspec.json.encode(
            {
                "hub": self._settings.hub,
                "reason": REASON,
                "waited_s": max(round(waited_s), 0),
                "attempt": attempt,
                "alarm": msgspec.Raw(alarm.payload),
            }
        )

    def _extra(self, event: str, alarm: Waiting | None = None, attempt: int | None = None) -> dict[str, object]:
        extra: dict[str, object] = {"event": event, "hub": self._settings.hub}
        return extra if alarm is None else extra | {"alarm": alarm.id, "attempt": attempt}


async def run_hook(command: Sequence[str], told: bytes, timeout_s: float) -> int | None:
    """Run a program, without a shell, with `told` on its standard input; its exit code, None where it has none.

    After `timeout_s`, or when we are cancelled, it is killed with all that it started.
    """
    # It has no business with the hub's secret.
    environment = {name: value for name, value in os.environ.items() if name != SECRET_VARIABLE}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(timeout_s):
            await process.communicate(told)
        return process.returncode
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
