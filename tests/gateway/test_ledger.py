"""The ledger: one line for each alarm, what became of it and when; read beside the hub that runs."""

import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway import ledger
from gateway.outbox import Outbox
from gateway.settings import HubSettings
from telecare.errors import CannotStart
from tests.gateway.conftest import Service, device_of, running_hub
from tests.gateway.test_upgrade import make_version_1
from tests.helpers import until

NOW = datetime(2026, 11, 23, 22, 41, tzinfo=UTC)
PRESS = {"device": "pendant-1", "kind": "button"}


def command(directory: Path) -> subprocess.CompletedProcess[str]:
    telecare = str(Path(sys.executable).parent / "telecare")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELECARE_")}
    return subprocess.run(
        [telecare, "hub-ledger", "--directory", str(directory)],
        capture_output=True, text=True, env=environment, timeout=60,
    )  # fmt: skip


def printed(directory: Path) -> list[dict[str, Any]]:
    done = command(directory)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_the_ledger_is_read_beside_a_hub_that_runs_and_after_it(
    hub_settings: HubSettings, service: Service
) -> None:
    async with running_hub(hub_settings), device_of(hub_settings) as pendant:
        ids = [await pendant.press() for _ in range(3)]
        await until(lambda: len(service.on("alarm")) == 3)
        await service.store(ids[1])
        await service.store(ids[2], "rejected")
        await service.command("after", "announce", text="closed")
        await service.result_of("after")
        lines = printed(hub_settings.directory)
        # The hub goes on: it was only looked at.
        more = await pendant.press()
        await until(lambda: service.on("alarm")[-1]["id"] == more)
    assert [line["alarm"] for line in printed(hub_settings.directory)] == [*ids, more]
    assert [(line["hub"], line["alarm"], line["seq"], line["status"]) for line in lines] == [
        (hub_settings.hub, ids[0], 1, None),
        (hub_settings.hub, ids[1], 2, "stored"),
        (hub_settings.hub, ids[2], 3, "rejected"),
    ]
    assert all(line.keys() == {"hub", "alarm", "seq", "kept_at", "receipt_at", "status"} for line in lines)
    assert lines[0]["receipt_at"] is None
    for line in lines[1:]:
        kept, receipt = datetime.fromisoformat(line["kept_at"]), datetime.fromisoformat(line["receipt_at"])
        assert timedelta() <= receipt - kept < timedelta(minutes=1)


def test_a_receipt_that_comes_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    with closing(Outbox(path)) as outbox:
        outbox.belongs_to("h-1")
        alarm, _ = outbox.keep_alarm(PRESS, None, NOW)
        outbox.alarm_delivered(alarm, NOW + timedelta(seconds=1))
        outbox.alarm_delivered(alarm, NOW + timedelta(seconds=9), status="rejected", by="second")
        (entry,) = ledger.entries(path)
    assert (entry.status, entry.kept_at, entry.receipt_at) == (
        "stored", "2026-11-23T22:41:00.000Z", "2026-11-23T22:41:01.000Z",
    )  # fmt: skip


def test_it_is_kept_for_its_time_and_up_to_its_length_and_never_forgets_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    with closing(Outbox(path)) as outbox:
        outbox.belongs_to("h-1")
        waits, _ = outbox.keep_alarm(PRESS, None, NOW)
        delivered = [outbox.keep_alarm(PRESS, None, NOW)[0] for _ in range(6)]
        for day, alarm in enumerate(delivered):
            outbox.alarm_delivered(alarm, NOW + timedelta(days=day))

        def left(days: float, limit_rows: int) -> list[str]:
            outbox.forget_ledger(NOW + timedelta(days=days), kept_s=14 * 86_400, limit_rows=limit_rows)
            return [entry.alarm for entry in ledger.entries(path)]

        assert left(14, 100) == [waits, *delivered]
        assert left(15.5, 100) == [waits, *delivered[2:]]
        assert left(15.5, 3) == [waits, *delivered[3:]]
        assert left(99, 3) == [waits]


@pytest.mark.parametrize("made", [None, "junk", "version 1", "unused"])
def test_where_there_is_no_ledger_it_is_said_in_one_line(tmp_path: Path, made: str | None) -> None:
    path = tmp_path / "outbox.sqlite3"
    if made == "junk":
        path.write_text("no database, and long enough to be looked at" * 30)
    elif made == "version 1":
        make_version_1(path)
    elif made == "unused":
        Outbox(path).close()
    with pytest.raises(CannotStart, match=r"outbox\.sqlite3"):
        list(ledger.entries(path))
    assert path.exists() is (made is not None)  # looking makes nothing


def test_the_command_says_so_too(tmp_path: Path) -> None:
    done = command(tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
