"""Identifiers: UUIDv7 (RFC 9562), whose order is the order of their making."""

import secrets
import threading
import time
from typing import Final
from uuid import UUID

_COUNTER_BITS: Final = 12
_lock: Final = threading.Lock()
_last: int = 0  # milliseconds since 1970 and, below them, the counter of the last one that was made


def uuid7(unix_ms: int | None = None) -> UUID:
    """A new UUIDv7. `unix_ms` is the instant in milliseconds since 1970; by default, now.

    Those of one process made now are in the order of their making also within a millisecond: a counter takes the place
    of the first random bits (RFC 9562, section 6.2, method 1).
    """
    if unix_ms is not None:
        return _uuid7((unix_ms & ((1 << 48) - 1)) << _COUNTER_BITS | secrets.randbits(_COUNTER_BITS))
    global _last
    with _lock:
        # The counter begins low, so that it seldom runs over; if it does, it runs into the next millisecond.
        fresh = time.time_ns() // 1_000_000 << _COUNTER_BITS | secrets.randbits(_COUNTER_BITS - 1)
        _last = max(fresh, _last + 1)
        return _uuid7(_last)


def _uuid7(ms_and_counter: int) -> UUID:
    ms, counter = divmod(ms_and_counter, 1 << _COUNTER_BITS)
    return UUID(int=ms << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | secrets.randbits(62))
