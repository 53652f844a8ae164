"""Starting processes that cannot outlive us, and finding ports and places for them."""

import ctypes
import os
import pwd
import random
import resource
import shutil
import signal
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from telecare.errors import CannotStart

# Below the kernel's ephemeral range (32768 and up), where an outgoing connection may sit on a port that we remember.
PORT_RANGE: Final = (15_000, 32_000)
_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>


@dataclass(frozen=True, slots=True)
class ServerUser:
    """Whom the embedded servers run as when we are root: PostgreSQL refuses to be root."""

    name: str
    uid: int
    gid: int


def server_user() -> ServerUser | None:
    """The user for the embedded servers, or None for ourselves.

    Raises:
        CannotStart: we are root and there is no user `nobody`.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as problem:
        raise CannotStart(
            "as root the database needs another user to run as, and there is no user `nobody`"
        ) from problem
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def popen_options(user: ServerUser | None, death_signal: signal.Signals) -> dict[str, Any]:
    """Options for a process that runs as `user`, in a session of its own, and gets `death_signal` when we die.

    Ctrl-C reaches the whole foreground group; in a session of its own a part is stopped by us, in order.
    """
    options: dict[str, Any] = {"start_new_session": True, "preexec_fn": _die_with_parent(death_signal)}
    if user is not None:
        options |= {"user": user.uid, "group": user.gid, "extra_groups": []}
    return options


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def in_child() -> None:
        # Each hub is an open file of the broker's: as many as we may.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        # Runs after the change of user, which would clear it; and our death before this line is noticed by the parent.
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return in_child


def free_port() -> int:
    """A port on the loopback address that nobody listens on.

    Raises:
        CannotStart: a hundred tries found none.
    """
    for _ in range(100):
        port = random.randint(*PORT_RANGE)  # noqa: S311
        if port_is_free(port):
            return port
    raise CannotStart("no free port on 127.0.0.1")


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether we could listen there now."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def reachable(path: Path, user: ServerUser | None) -> bool:
    """Whether `user` can pass through every folder above `path` and read it."""
    if user is None:
        return True
    resolved = path.resolve()
    return all(
        _may(folder, user, stat.S_IXOTH if folder.is_dir() else stat.S_IROTH)
        for folder in (resolved, *resolved.parents)
    )


def _may(path: Path, user: ServerUser, bit: int) -> bool:
    found = path.stat()
    return found.st_uid == user.uid or bool(found.st_mode & bit)


def servers_folder(data_dir: Path, user: ServerUser | None) -> Path:
    """Where the embedded servers keep their files: inside the data directory where their user can go there.

    Otherwise (root with a closed home or data directory) under /var/lib/telecare, and `data_dir/servers` points there.
    """
    inside = data_dir / "servers"
    if user is None or (not inside.is_symlink() and reachable(data_dir, user)):
        inside.mkdir(mode=0o700, exist_ok=True)
        folder = inside
    else:
        name = sha256(str(data_dir.resolve()).encode()).hexdigest()[:16]
        folder = Path("/var/lib/telecare") / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not inside.is_symlink():
            inside.symlink_to(folder)
    if user is not None:
        os.chown(folder, user.uid, user.gid)
    return folder


def readable_copy(tree: Path, name: str, user: ServerUser | None, siblings: tuple[str, ...] = ()) -> Path:
    """`tree` itself where `user` can read it, else a copy under /var/lib/telecare with the named folders beside it."""
    if reachable(tree, user):
        return tree
    copy = Path("/var/lib/telecare") / name
    if not (copy / ".complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        for part in (tree, *(tree.parent / sibling for sibling in siblings)):
            shutil.copytree(part, copy / part.name, symlinks=True)
        copy.chmod(0o755)
        (copy / ".complete").touch()
    return copy / tree.name
