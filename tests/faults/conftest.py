"""A stage for each row, and the table at the end of the run."""

import json
import os
import random
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from telecare.embedded.broker import find_mosquitto
from tests.conftest import REPOSITORY
from tests.faults import table
from tests.faults.table import Row
from tests.faults.world import Plan, World, world

# The processes of one run share a seed: they are started by the one that reads this first.
SEED = os.environ.setdefault("FAULT_SEED", secrets.token_hex(4))
_ROW = "row of the fault suite"
_rows: list[Row] = []

Stage = Callable[..., AbstractAsyncContextManager[tuple[World, Row]]]


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Stage:
    """Opens a running system for a plan; gives it with the row of the table that the test fills."""
    if find_mosquitto(None) is None:
        pytest.skip("needs Mosquitto")

    @asynccontextmanager
    async def open_stage(
        plan: Plan, prepare: Callable[[Path], None] = lambda data_dir: None
    ) -> AsyncIterator[tuple[World, Row]]:
        row = Row(plan.name, SEED)
        print(f"{plan.name}: FAULT_SEED={SEED}")
        try:
            async with world(plan, random.Random(f"{SEED} {plan.name}"), prepare) as made:
                yield made, row
        except BaseException as problem:
            if not row.verdict.startswith("FAILED"):
                row.verdict = f"FAILED: {str(problem).strip().splitlines()[0][:120] if str(problem) else problem!r}"
            raise
        finally:
            request.node.user_properties.append((_ROW, json.dumps(asdict(row))))

    return open_stage


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Take a row from the report of its test, which may have run in another process."""
    if report.when == "call":
        _rows.extend(Row(**json.loads(str(row))) for name, row in report.user_properties if name == _ROW)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, and keep it."""
    if not _rows:
        return
    terminalreporter.section("faults")
    for line in table.lines(_rows):
        terminalreporter.write_line(line)
    path = table.write(_rows, REPOSITORY / "build" / "faults")
    terminalreporter.write_line(f"the same as JSON: {path.relative_to(REPOSITORY)}; again with FAULT_SEED={SEED}")
