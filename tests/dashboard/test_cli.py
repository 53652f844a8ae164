"""Starting and stopping, and fetching the design system's files."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from dashboard.cli import check, listen
from dashboard.static import NotFetched, StaticFiles
from telecare.errors import CannotStart
from telecare.vocabulary import Role
from tests.dashboard.world import World, settings_for


async def test_it_listens_on_this_machine_only(world: World) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        await check(world.settings.model_copy(update={"host": host}))
    for host in ("0.0.0.0", "192.0.2.1", "::", "example.org"):
        with pytest.raises(CannotStart, match=r"TELECARE_HOST: .* is not a loopback address.*without HTTPS"):
            await check(world.settings.model_copy(update={"host": host}))
    await world.add_colleague("anybody", Role.OPERATOR, demo=True)
    with pytest.raises(CannotStart, match="everybody knows the demo users' password"):
        await check(world.settings.model_copy(update={"host": "0.0.0.0"}))


async def test_a_database_that_was_not_migrated_is_one_clear_line(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="run `telecare migrate` first"):
        await check(settings_for(empty_database_url, tmp_path))


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = settings_for("postgresql://x@127.0.0.1:1/x", tmp_path, port=taken.getsockname()[1])
        with pytest.raises(CannotStart, match=r"Address already in use.*TELECARE_PORT"):
            listen(settings)


async def test_it_stops_in_time_with_streams_open(world: World, tmp_path: Path) -> None:
    headers = await world.token("operator")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    environment = os.environ | {"TELECARE_DATABASE_URL": world.settings.database, "TELECARE_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "telecare", "dashboard", "--data-dir", str(tmp_path), env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            await until_it_listens(client)
            streams = [
                await client.send(client.build_request("GET", "/api/alerts/stream", headers=headers), stream=True)
                for _ in range(3)
            ]
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(15):  # open streams alone would hold it for ever
                output, _ = await process.communicate()
            for answer in streams:
                await answer.aread()
        assert process.returncode == 0, output
        assert b"Traceback" not in output
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until_it_listens(client: httpx.AsyncClient, within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while True:
            try:
                await client.get("/health")
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
            else:
                return


def fake_npm(folder: Path, script: str) -> None:
    """A command that stands where npm would."""
    for name in ("npm", "node"):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo other > f; tar czf govuk-frontend-6.3.0.tgz f", "another govuk-frontend@6.3.0 than the one"),
        ("echo no network >&2; exit 1", "npm failed: no network"),
        ("exit 0", "npm brought no govuk-frontend"),
        ("sleep 60", "npm did not finish in 0.5 s"),
    ],
)
async def test_only_the_known_package_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, complaint: str
) -> None:
    fake_npm(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    files = StaticFiles(tmp_path / "data", npm_within_s=0.5 if "sleep" in script else 60)
    with pytest.raises(NotFetched, match=complaint):
        await files.fetch()
    assert not (tmp_path / "data").exists()


def test_no_font_of_the_package_is_kept() -> None:
    found = StaticFiles(Path()).find("govuk-frontend.min.css")
    if found is None:
        pytest.skip("the design system could not be fetched here")
    assert b"@font-face" not in found.read_bytes()
