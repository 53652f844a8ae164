"""Who may log in to the broker: hashes in the register, rendered to the broker's password file.

Mosquitto's own format, so that no helper program is needed: `name:$7$iterations$salt$hash`, PBKDF2-SHA512.
"""

import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

# The secret is 24 random bytes, so the hash need not be slow; and a country's hubs may come back at once.
ITERATIONS: Final = 101  # Mosquitto 2's own default
SERVICE_LOGIN: Final = "telecare_service"  # no hub can be called so: a hub name has no underscore


def hash_secret(secret: str) -> str:
    """The broker's hash of a secret."""
    salt = secrets.token_bytes(12)
    return _hash(secret, salt, ITERATIONS)


def _hash(secret: str, salt: bytes, iterations: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, iterations)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def secret_matches(secret: str, hashed: str) -> bool:
    """Whether this secret has that hash."""
    _, kind, iterations, salt, _ = hashed.split("$")
    if kind != "7":
        return False
    return hmac.compare_digest(_hash(secret, base64.b64decode(salt), int(iterations)), hashed)


def write_password_file(path: Path, accounts: dict[str, str]) -> None:
    """Replace the broker's password file in one step. `accounts` is name to hash."""
    text = "".join(f"{name}:{hashed}\n" for name, hashed in sorted(accounts.items()))
    owner = path.parent.stat()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".passwords-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        if os.geteuid() == 0:  # the broker runs as the folder's owner
            os.chown(temporary, owner.st_uid, owner.st_gid)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_password_file(path: Path) -> dict[str, str]:
    """Name to hash, as the file has it; empty where there is no file."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split(":", 1) for line in lines if ":" in line)
