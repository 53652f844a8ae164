"""Who may import whom (docs/developers.md), and that the pure cores are pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
SERVICES = {"gateway", "ingest", "alerts", "firmware_sim", "dashboard"}
ALLOWED = {
    "telecare": set(),
    "gateway": {"telecare"},
    "ingest": {"telecare"},
    "alerts": {"telecare"},
    "firmware_sim": {"telecare", "gateway"},
    "dashboard": {"telecare", "alerts"},
}
# What a pure core may not know of.
IMPURE = {"psycopg", "psycopg_pool", "aiomqtt", "paho", "asyncio", "sqlite3", "socket", "fastapi", "time", "random"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_package_imports_only_what_it_may(package: str) -> None:
    for path in (REPOSITORY / package).rglob("*.py"):
        others = (set(imported(path)) & (SERVICES | {"telecare"})) - {package}
        assert others <= ALLOWED[package], f"{path.relative_to(REPOSITORY)} imports {others - ALLOWED[package]}"


CORES = sorted(path for package in ALLOWED for path in (REPOSITORY / package).rglob("domain.py"))


@pytest.mark.parametrize("path", CORES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_core_is_pure(path: Path) -> None:
    assert not set(imported(path)) & IMPURE
    assert ".now(" not in path.read_text(encoding="utf-8")
