"""Which alarms come thicker than a home can need. Plain decisions; the caller says what time it is.

A hub gone mad has sent other systems 187,000 events in five minutes and stopped them. Here its alarms are stored and
receipted like all others, but after the others', and the alert engine takes them last. No alarm is refused.
"""

from dataclasses import dataclass
from typing import Final

_REMEMBERED: Final = 50_000  # hubs; more are forgotten, and begin with a full allowance


@dataclass(slots=True)
class _Allowance:
    left: float
    at_s: float


class Crowd:
    """An allowance of alarms for each hub, which fills up again with time."""

    def __init__(self, burst: float, per_s: float) -> None:
        """`burst` alarms at once, and `per_s` a second for ever."""
        self._burst, self._per_s = burst, per_s
        self._hubs: dict[str, _Allowance] = {}

    def crowds(self, source: str, now_s: float) -> bool:
        """Whether one more alarm of this source, at `now_s` seconds of any steady clock, is above its allowance."""
        found = self._hubs.get(source)
        if found is None:
            if len(self._hubs) >= _REMEMBERED:
                self._hubs.clear()
            found = self._hubs[source] = _Allowance(self._burst, now_s)
        found.left = min(self._burst, found.left + (now_s - found.at_s) * self._per_s)
        found.at_s = now_s
        if found.left < 1:
            return True
        found.left -= 1
        return False
