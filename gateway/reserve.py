"""Disk that is held back for alarms: a file of nothing, given up slice by slice when the disk is full."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

# Not all at once: what is given up is there for anybody. An alarm and what goes with it need some 40 KiB at most.
SLICE_BYTES: Final = 64 * 1024


class Reserve:
    """A file of up to `size_bytes`. With 0 there is none."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path, self._size = path, size_bytes

    def _held(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def give(self) -> bool:
        """Give up one slice. False: there is none left."""
        held = self._held() if self._size else 0
        if not held:
            return False
        with suppress(OSError):
            os.truncate(self._path, max(held - SLICE_BYTES, 0))
            return True
        return False

    def refill(self) -> bool:
        """Take back what the disk has room for. True: the reserve is whole."""
        if not self._size:
            return True
        held = self._held()
        if held >= self._size:
            return True
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return False
        try:
            while held < self._size:
                taken = min(held + SLICE_BYTES, self._size)
                # Truly taken: a file with a hole in it would hold nothing back.
                os.posix_fallocate(handle, held, taken - held)
                held = taken
            return True
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, held)
            return False
        finally:
            os.close(handle)
