"""What becomes of an impact that a pendant's trigger let through: judged, held for the pre-alarm, raised or not."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from gateway import frames
from gateway.blows import Blows
from gateway.falls.judge import Judgement, Verdict, judge, worn_at
from gateway.falls.model import Model
from gateway.falls.window import Floats, decode
from gateway.frames import ImpactFrame
from gateway.outbox import Outbox
from gateway.outbox_file import NoRoom
from gateway.settings import HubSettings
from gateway.waking import Wakes, pause
from telecare.clock import Clock, format_instant
from telecare.trace import HZ, IMPACT, BadTrace
from telecare.vocabulary import Kind

log = logging.getLogger("gateway")

REFS_REMEMBERED: Final = 100  # of impacts that were no fall: a pendant that asks again gets the same answer, uncounted
_TEXT_LIMIT: Final = 64
_AGAIN_S: Final = 1.0  # a disk without room is tried again after this


class Falling:
    """One hub's falls."""

    def __init__(self, settings: HubSettings, clock: Clock, outbox: Outbox, wakes: Wakes, model: Model) -> None:
        self._settings, self._clock, self._outbox, self._wakes, self._model = settings, clock, outbox, wakes, model
        self._came = asyncio.Event()
        self._no_falls: dict[str, None] = {}
        self._blows = Blows(settings.blow_kept_s)

    def take(self, impact: ImpactFrame) -> tuple[bytes, str | None]:
        """Judge an impact; returns the answer for the pendant, and the id of the fall that is held from now on.

        Raises:
            NoRoom: it is a fall and cannot be kept.
        """
        if impact.key is not None and impact.key in self._no_falls:
            return frames.judged(impact.ref, Verdict.NONE.value, None, 0.0), None
        window = _window(impact.window)
        found = judge(self._model, window, worn_at(impact.worn_at))
        at = impact.at if impact.at is not None else format_instant(self._clock.now())
        evidence = self._evidence(impact, found, readable=window is not None)
        if found.verdict is Verdict.NONE:
            self._blows.felt(impact.device, {"at": at} | evidence, self._clock.now())
            return self._dismiss(impact), None
        fall = {"device": impact.device, "kind": Kind.FALL.value, "at": at, "evidence": evidence}
        alarm_id, new = self._outbox.hold(fall, impact.key, self._clock.now())
        if new:
            extra = {"event": "prealarm", "hub": self._settings.hub, "alarm": alarm_id, "outcome": found.verdict.value}
            log.info("fall held", extra=extra)
            self._came.set()
        answer = frames.judged(impact.ref, found.verdict.value, alarm_id, self._settings.prealarm_s)
        return answer, alarm_id if new else None

    def _dismiss(self, impact: ImpactFrame) -> bytes:
        try:
            if frames.is_name(impact.device):  # the summary is a reading, which needs one
                self._outbox.dismissed(impact.device)
        except NoRoom:
            log.warning("not counted", extra={"event": "no_room", "hub": self._settings.hub})
        if impact.key is not None:
            self._no_falls[impact.key] = None
            if len(self._no_falls) > REFS_REMEMBERED:
                del self._no_falls[next(iter(self._no_falls))]
        return frames.judged(impact.ref, Verdict.NONE.value, None, 0.0)

    def _evidence(self, impact: ImpactFrame, found: Judgement, *, readable: bool) -> dict[str, Any]:
        """What is known of it."""
        evidence: dict[str, Any] = {
            "detector": impact.detector[:_TEXT_LIMIT],
            "model": self._model.name,
            "outcome": found.verdict.value,
            "reasons": found.reasons,
            "peak_g": impact.peak_g,
            "worn": impact.worn,
        }
        if impact.worn_at is not None:
            evidence["worn_at"] = impact.worn_at[:_TEXT_LIMIT]
        if found.probability is not None:
            evidence["probability"] = round(found.probability, 3)
        if readable:
            evidence |= {"trace": impact.window, "trace_hz": HZ, "trace_impact": IMPACT}
        return evidence

    # ------------------------------------------------------------ the pre-alarm

    def pressed(self) -> None:
        """Somebody asks for help: no fall is held back any longer.

        Raises:
            NoRoom: it could not be written down.
        """
        self._release(0.0)

    def with_blow(self, alarm: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a device says, with the blow before it that was judged no fall, where it is a press."""
        return self._blows.told(alarm, self._clock.now())

    def blow_told(self, device: Any) -> None:
        """An alarm of this device was kept: its last blow is told once."""
        self._blows.forget(device)

    def taken_back(self, alarm_id: Any) -> bool:
        """The wearer says that they are fine. True if that fall was held, and is not sent now.

        Raises:
            NoRoom: it could not be written down.
        """
        if not isinstance(alarm_id, str) or not self._outbox.take_back(alarm_id, self._clock.now()):
            return False
        log.info("fall taken back", extra={"event": "taken_back", "hub": self._settings.hub, "alarm": alarm_id})
        return True

    def step(self) -> float | None:
        """Send the falls whose pre-alarm is over; returns in how many seconds the next is, None where there is none.

        Raises:
            NoRoom: it could not be written down.
        """
        self._release(self._settings.prealarm_s)
        return self._outbox.held_for_s(self._clock.now(), self._settings.prealarm_s)

    async def run(self) -> None:
        """Repeat `step`, when a fall comes and when it is time."""
        while True:
            self._came.clear()
            try:
                wait_s = self.step()
            except NoRoom:
                log.critical("no room on the disk", extra={"event": "no_room", "hub": self._settings.hub})
                wait_s = _AGAIN_S
            await pause(self._clock, self._came, wait_s)

    def _release(self, prealarm_s: float) -> None:
        if self._outbox.held_for_s(self._clock.now(), prealarm_s) is None:
            return
        for alarm_id in self._outbox.release(self._clock.now(), prealarm_s):
            log.info("alarm kept", extra={"event": "alarm_kept", "hub": self._settings.hub, "alarm": alarm_id})
            self._wakes.alarms.set()
            self._wakes.urgent.set()


def _window(text: str | None) -> Floats | None:
    try:
        return decode(text) if text is not None else None
    except BadTrace:
        return None
