"""A disk that is small, and then full."""

import errno
import os
import random
import subprocess
from pathlib import Path

import pytest

_CHUNK = 64 * 1024


def small_disk(folder: Path, megabytes: int) -> Path:
    """Mount a small file system of its own at `folder`; skips the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    size = f"size={megabytes}m,mode=0755"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True, check=False, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"needs root to mount a small disk ({done.stderr.strip()})")
    return folder


def fill(folder: Path, rng: random.Random) -> Path:
    """Leave no byte free; returns the file to delete so that there is room again."""
    balloon = folder / "balloon"
    size = _CHUNK
    with balloon.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(rng.randbytes(size))
            except OSError as problem:
                if problem.errno != errno.ENOSPC:
                    raise
                size //= 2
        os.fsync(file.fileno())
    return balloon


def unmount(folder: Path) -> None:
    """The small disk goes, with what is on it."""
    subprocess.run(["umount", "--lazy", str(folder)], check=False)
