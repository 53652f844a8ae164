"""Slowing down whoever guesses passwords."""

from collections import deque
from typing import Final

WINDOW_S: Final = 300.0
_MANY: Final = 10_000  # keys kept before those that have run out are swept


class LoginLimit:
    """Failed logins per name and per address in the last five minutes. `now` is in seconds of any steady clock."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts
        self._failures: dict[str, deque[float]] = {}

    def admit(self, keys: tuple[str, ...], now: float) -> bool:
        """Whether another try is allowed. It counts as failed until `forgive`: many at once are no way round."""
        if len(self._failures) > _MANY:
            self._sweep(now)
        tries = [self._recent(key, now) for key in keys]
        if any(len(times) >= self._attempts for times in tries):
            return False
        for times in tries:
            times.append(now)
        return True

    def forgive(self, keys: tuple[str, ...]) -> None:
        """The last admitted try was right."""
        for key in keys:
            if times := self._failures.get(key):
                times.pop()

    def _recent(self, key: str, now: float) -> deque[float]:
        times = self._failures.setdefault(key, deque())
        while times and times[0] <= now - WINDOW_S:
            times.popleft()
        return times

    def _sweep(self, now: float) -> None:
        for key in list(self._failures):
            if not self._recent(key, now):
                del self._failures[key]
