"""A disk that is full: alarms are kept, readings make way and are counted, and the hub says so once."""

import json
import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.housekeeping import Housekeeping
from gateway.outbox import Outbox
from gateway.outbox_file import NoRoom
from gateway.reserve import SLICE_BYTES, Reserve
from gateway.settings import HubSettings
from gateway.waking import Wakes
from telecare.senml import Reading
from tests.gateway.conftest import Service, device_of, running_hub
from tests.helpers import until

NOW = datetime(2026, 11, 23, 22, 41, tzinfo=UTC)
PRESS = {"device": "pendant-1", "kind": "button", "evidence": {"peak_g": 3.4}}
KIB = 1024
SETTINGS = HubSettings(hub="h-1", secret="s", mqtt_url="mqtt://127.0.0.1:1", directory=Path("x"))


def readings(count: int, first: int = 0) -> list[Reading]:
    return [Reading("env-1", "temperature", NOW + timedelta(seconds=n), float(n)) for n in range(first, first + count)]


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob("outbox*"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip("needs to mount a small file system, which only root may")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Somebody else takes all that is left of it, to the last byte."""
    ballast = disk / "ballast"
    handle = os.open(ballast, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        for piece in (64 * KIB, 4 * KIB, 1):
            try:
                while True:
                    os.write(handle, b"x" * piece)
            except OSError:
                continue
    finally:
        os.close(handle)
    return ballast


def press_until_full(outbox: Outbox, first: int) -> list[str]:
    """Alarms kept until there is no room for one; their ids."""
    kept = []
    for n in range(first, 100_000):
        try:
            kept.append(outbox.keep_alarm(PRESS, f"ref-{n}", NOW)[0])
        except NoRoom:
            return kept
    raise AssertionError("the outbox has no limit")


# ---------------------------------------------------------------- a file system that is really full


def test_on_a_full_disk_alarms_are_kept_and_readings_make_way(small_disk: Path) -> None:
    path = small_disk / "outbox.sqlite3"
    opened: Callable[[], Outbox] = lambda: Outbox(path, reserve_bytes=1024 * KIB)  # noqa: E731
    with closing(opened()) as outbox:
        assert outbox.add_readings(readings(5000), 10_000) == 0
        assert not outbox.short_of_room()
        fill(small_disk)
        lost = sum(outbox.add_readings(readings(200, first=5000 + 200 * n), 10_000) for n in range(50))
        assert lost > 0
        assert outbox.readings_lost() == lost
        ids = [outbox.keep_alarm(PRESS, f"ref-{n}", NOW)[0] for n in range(300)]
        assert outbox.short_of_room()
        for each in ids[:100]:
            assert outbox.alarm_delivered(each, NOW)
        outbox.readings_delivered(100)
    # It stays full over a restart, and somebody else is quick to take what is free.
    fill(small_disk)
    with closing(opened()) as outbox:
        assert [alarm.id for alarm in outbox.waiting(1000)] == ids[100:]
        for n in range(100, 200):
            assert outbox.keep_alarm(PRESS, f"ref-{n}", NOW) == (ids[n], False)
        more = [outbox.keep_alarm(PRESS, None, NOW)[0] for _ in range(100)]
        for each in [*ids[100:], *more]:
            assert outbox.alarm_delivered(each, NOW)
        assert outbox.short_of_room()
        (small_disk / "ballast").unlink()
        outbox.short_of_room()
        assert not outbox.short_of_room()
        assert (small_disk / "outbox.reserve").stat().st_size == 1024 * KIB
        assert outbox.add_readings(readings(200), 10_000) == 0


def test_a_small_reserve_is_enough_while_there_are_readings_whose_place_can_be_taken(small_disk: Path) -> None:
    with closing(Outbox(small_disk / "outbox.sqlite3", reserve_bytes=512 * KIB)) as outbox:
        for n in range(100):
            outbox.add_readings(readings(200, first=200 * n), 100_000)
        fill(small_disk)
        ids = [outbox.keep_alarm(PRESS, f"ref-{n}", NOW)[0] for n in range(1500)]
        assert [alarm.id for alarm in outbox.waiting(5000)] == ids
        assert outbox.readings_lost() > 0


def test_where_nothing_is_left_to_give_it_is_said_and_nothing_is_half_done(small_disk: Path) -> None:
    with closing(Outbox(small_disk / "outbox.sqlite3", reserve_bytes=SLICE_BYTES)) as outbox:
        fill(small_disk)
        kept = press_until_full(outbox, 0)
        fill(small_disk)
        with pytest.raises(NoRoom):
            outbox.keep_alarm(PRESS, "refused", NOW)
        assert [alarm.seq for alarm in outbox.waiting(20_000)] == list(range(1, len(kept) + 1))
        (small_disk / "ballast").unlink()
        _, new = outbox.keep_alarm(PRESS, "refused", NOW)
        assert new
        assert outbox.waiting(20_000)[-1].seq == len(kept) + 1  # no number was used up


async def test_a_whole_hub_on_a_full_disk_takes_a_press_delivers_it_and_raises_one_fault(
    hub_settings: HubSettings, service: Service, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub = replace(hub_settings, directory=small_disk / "hub", alarm_reserve_bytes=512 * KIB)
    async with running_hub(hub), device_of(hub) as home:
        await until(lambda: bool(service.on("state")))
        fill(small_disk)
        for n in range(2000):
            await home.say({"frame": "reading", "device": "env-1", "measure": "temperature", "value": n})
        pressed = await home.press()
        await until(lambda: len(service.on("alarm")) == 2)
        kinds = {alarm["kind"]: alarm for alarm in service.on("alarm")}
        assert kinds["button"]["id"] == pressed
        assert (kinds["fault"]["device"], kinds["fault"]["evidence"]["fault"]) == ("hub", "disk-full")
        for alarm in service.on("alarm"):
            await service.store(alarm["id"])
        await service.command("after", "announce", text="closed")
        await service.result_of("after")
        more = await home.press()
        await until(lambda: service.on("alarm")[-1]["id"] == more)
    assert [alarm["kind"] for alarm in service.on("alarm")].count("fault") == 1
    assert sum(record.levelno == logging.ERROR and record.message == "disk full" for record in caplog.records) == 1


# ---------------------------------------------------------------- the outbox's own limit


def test_readings_stop_at_their_limit_and_alarms_have_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    with closing(Outbox(path, power_safe=False, limit_bytes=2048 * KIB)) as outbox:
        for n in range(200):
            outbox.add_readings(readings(200, first=200 * n), 1_000_000, 1024 * KIB)
        assert 900 * KIB < outbox.used_bytes() <= 1100 * KIB
        newest = outbox._db.execute("select max(value) from readings").fetchone()[0]
        assert newest == 200 * 200 - 1  # the oldest go first
        assert outbox.readings_lost() == 200 * 200 - outbox.count()
        there = outbox.count()
        kept = [outbox.keep_alarm(PRESS, f"ref-{n}", NOW)[0] for n in range(1500)]
        assert outbox.count() == there + 1500  # no reading had to go for them
        kept += press_until_full(outbox, 1500)
        assert [alarm.id for alarm in outbox.waiting(100_000)] == kept
        assert outbox.count() - len(kept) <= 1  # before an alarm is refused, every reading has gone but the newest
    assert path.stat().st_size <= 2048 * KIB


def test_a_pack_that_is_under_way_is_not_taken_for_readings_that_came_after_it(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path / "outbox.sqlite3")) as outbox:
        outbox.add_readings(readings(50), 1000)
        batch = outbox.next_readings(100)
        assert batch is not None
        with outbox._transaction():
            outbox.delete_readings(1000)
        outbox.add_readings(readings(20, first=50), 1000)
        outbox.readings_delivered(batch.last)
        assert outbox.count() == 20


# ---------------------------------------------------------------- the reserve


def test_the_reserve_is_given_up_slice_by_slice_and_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    reserve = Reserve(path, 3 * SLICE_BYTES)
    assert not reserve.give()
    assert reserve.refill()
    assert path.stat().st_blocks * 512 >= 3 * SLICE_BYTES  # not a hole
    assert [reserve.give() for _ in range(4)] == [True, True, True, False]
    assert reserve.refill()
    assert Reserve(path, 0).refill()
    assert not Reserve(path, 0).give()


def run_full(outbox: Outbox) -> None:
    """Readings come until there is no room, and the oldest of them have gone."""
    lost = outbox.readings_lost()
    while outbox.readings_lost() == lost:
        outbox.add_readings(readings(200), 1_000_000)


def test_the_fault_is_said_once_while_it_lasts_and_not_again_at_once_after_it(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path / "outbox.sqlite3", power_safe=False, limit_bytes=256 * KIB)) as outbox:

        class At:
            seconds = 0.0

            def now(self) -> datetime:
                return NOW + timedelta(seconds=self.seconds)

            async def sleep(self, seconds: float) -> None: ...

        clock = At()
        house = Housekeeping(SETTINGS, clock, outbox, Wakes())

        def faults(hours: float, now_full: bool) -> int:
            clock.seconds = hours * 3600
            if now_full:
                run_full(outbox)
            house.step()
            return sum(json.loads(alarm.payload)["kind"] == "fault" for alarm in outbox.waiting(100))

        assert [faults(0, True), faults(1, True), faults(30, True)] == [1, 1, 1]
        assert [faults(31, False), faults(32, True)] == [1, 2]
        assert [faults(33, False), faults(34, True)] == [2, 2]


# ---------------------------------------------------------------- how large it becomes


def test_72_hours_at_one_message_a_second_are_all_kept_within_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    count, default = 72 * 3600, SETTINGS
    with closing(Outbox(path, power_safe=False, limit_bytes=default.outbox_limit_bytes)) as outbox:
        for n in range(0, count, 300):
            lost = outbox.add_readings(
                readings(300, first=n), default.readings_limit_rows, default.readings_limit_bytes
            )
            assert lost == 0
        assert outbox.count() == count
        assert outbox.used_bytes() < 12 * 1024 * KIB
    assert size(path) < 16 * 1024 * KIB


def test_72_hours_of_alarms_at_one_a_second_are_all_kept_within_the_limit(tmp_path: Path) -> None:
    """A fiftieth of them, in a fiftieth of the room."""
    path = tmp_path / "outbox.sqlite3"
    with closing(Outbox(path, power_safe=False, limit_bytes=SETTINGS.outbox_limit_bytes // 50)) as outbox:
        for n in range(72 * 72):
            outbox.keep_alarm(PRESS | {"location": "bathroom"}, f'["pendant-1","{n:016x}"]', NOW)
        assert len(outbox.waiting(100_000)) == 72 * 72


def test_a_year_leaves_no_garbage_behind(tmp_path: Path) -> None:
    """Every day readings and alarms come and go; what is kept for a while (refs, commands, the ledger) is forgotten."""
    path = tmp_path / "outbox.sqlite3"
    sizes = []
    with closing(Outbox(path, power_safe=False)) as outbox:
        for day in range(365):
            now = NOW + timedelta(days=day)
            for n in range(2):
                outbox.add_readings(readings(200, first=400 * day + 200 * n), 300_000)
            for n in range(6):
                alarm, _ = outbox.keep_alarm(PRESS, f"ref-{day}-{n}", now)
                outbox.alarm_delivered(alarm, now)
            outbox.command_done(f"c-{day}", b"{}", now)
            outbox.answered(f"c-{day}")
            while (batch := outbox.next_readings(200)) is not None:
                outbox.readings_delivered(batch.last)
            outbox.forget(now, refs_kept_s=SETTINGS.refs_kept_s, commands_kept_s=SETTINGS.commands_kept_s)
            outbox.forget_ledger(now, kept_s=SETTINGS.ledger_kept_s, limit_rows=SETTINGS.ledger_limit_rows)
            sizes.append(size(path))
        assert outbox._db.execute("select count(*) from ledger").fetchone()[0] <= 15 * 6
    # Two months in, all of these have been forgotten many times; what leaked a page a day would double it.
    assert max(sizes[60:]) <= 1.1 * max(sizes[:60])


def test_the_files_pragmas_are_what_durability_needs(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path / "outbox.sqlite3")) as outbox:
        found: dict[str, Any] = {
            name: outbox._db.execute(f"pragma {name}").fetchone()[0] for name in ("synchronous", "journal_mode")
        }
    assert found == {"synchronous": 2, "journal_mode": "wal"}  # 2: FULL
