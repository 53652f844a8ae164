"""Blows that were judged no fall, kept for a while: a press that follows says more than the judgement did.

The press takes the last blow of its own device along as evidence. Whoever answers it sees that there was a blow, and
if it turns out to have been a fall, the model can learn from it (docs/falls.md). Kept in memory alone: nobody waits
for it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from gateway.domain import passed
from telecare.vocabulary import Kind
from telecare.wire import BLOW, EVIDENCE_LIMIT

DEVICES_REMEMBERED: Final = 50


class Blows:
    """The last blow of each device, until a press has taken it along or it is too old."""

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._last: dict[str, tuple[dict[str, Any], datetime]] = {}

    def felt(self, device: str, evidence: dict[str, Any], now: datetime) -> None:
        """A blow that was no fall; `evidence` as a fall's would be, with `at`."""
        self._last.pop(device, None)
        self._last[device] = evidence, now
        if len(self._last) > DEVICES_REMEMBERED:
            del self._last[next(iter(self._last))]

    def told(self, fields: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
        """The fields of an alarm, with the blow before it where it is a press with a place for it; else as they are."""
        evidence, device = fields.get("evidence", {}), fields.get("device")
        known = self._last.get(device) if isinstance(device, str) else None
        if known is None or fields.get("kind") != Kind.BUTTON or not isinstance(evidence, dict) or BLOW in evidence:
            return fields
        blow, felt_at = known
        with_it = evidence | {BLOW: blow}
        if passed(felt_at, self._kept_s, now) or len(msgspec.json.encode(with_it)) > EVIDENCE_LIMIT:
            return fields
        return {**fields, "evidence": with_it}

    def forget(self, device: Any) -> None:
        """The device's last blow has been told."""
        if isinstance(device, str):
            self._last.pop(device, None)
