"""The outbox: what it was given is there after any stop, at any statement."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.outbox import Outbox
from telecare.errors import CannotStart
from telecare.senml import Reading

NOW = datetime(2026, 11, 23, 22, 41, tzinfo=UTC)
PRESS = {"device": "pendant-1", "kind": "button"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    with closing(Outbox(path)) as opened:
        yield opened


def readings(count: int, first: int = 0) -> list[Reading]:
    return [Reading("env-1", "temperature", NOW + timedelta(seconds=n), float(n)) for n in range(first, first + count)]


def test_the_same_key_is_one_alarm_also_after_it_was_delivered(outbox: Outbox) -> None:
    first, new = outbox.keep_alarm(PRESS, "k", NOW)
    assert new
    assert outbox.keep_alarm(PRESS, "k", NOW) == (first, False)
    assert outbox.alarm_delivered(first, NOW)
    assert not outbox.alarm_delivered(first, NOW)
    assert outbox.keep_alarm(PRESS, "k", NOW) == (first, False)
    assert outbox.count() == 0


def test_a_ref_is_kept_a_day_after_delivery_and_while_its_alarm_waits(outbox: Outbox) -> None:
    delivered, _ = outbox.keep_alarm(PRESS, "delivered", NOW)
    still_here, _ = outbox.keep_alarm(PRESS, "waits", NOW)
    outbox.alarm_delivered(delivered, NOW)
    for hours, known in ((24, True), (49, False)):
        later = NOW + timedelta(hours=hours)
        outbox.forget(later, refs_kept_s=48 * 3600, commands_kept_s=1)
        assert (outbox.keep_alarm(PRESS, "delivered", later)[0] == delivered) is known
    assert outbox.keep_alarm(PRESS, "waits", NOW)[0] == still_here


def test_alarms_without_a_key_are_all_new(outbox: Outbox) -> None:
    assert outbox.keep_alarm(PRESS, None, NOW)[0] != outbox.keep_alarm(PRESS, None, NOW)[0]


def test_alarms_are_given_out_in_their_order_and_again_only_while_they_wait(outbox: Outbox) -> None:
    ids = [outbox.keep_alarm(PRESS, None, NOW)[0] for _ in range(4)]
    assert [alarm.id for alarm in outbox.unsent(0, 3, NOW)] == ids[:3]
    assert outbox.has_unsent(3)
    assert not outbox.has_unsent(4)
    outbox.alarm_delivered(ids[1], NOW)
    assert [alarm.id for alarm in outbox.again([1, 2, 4])] == [ids[0], ids[3]]


def test_the_second_path_gets_only_what_is_due_there(outbox: Outbox) -> None:
    ids = [outbox.keep_alarm(PRESS, None, NOW)[0] for _ in range(3)]
    assert not outbox.on_second_path()
    outbox.mark_fallback(ids[:2], NOW)
    assert outbox.on_second_path()
    assert [alarm.id for alarm in outbox.unsent(0, 10, NOW, by="second")] == ids[:2]
    for each in ids[:2]:
        outbox.alarm_delivered(each, NOW, by="second")
    assert not outbox.on_second_path()


def test_a_hub_knows_whether_it_carries_an_alarm_for_which_somebody_may_need_help(outbox: Outbox) -> None:
    outbox.keep_alarm({"device": "hub", "kind": "mains-lost"}, None, NOW)
    assert not outbox.carries_urgent()
    press, _ = outbox.keep_alarm(PRESS, None, NOW)
    assert outbox.carries_urgent()
    outbox.alarm_delivered(press, NOW)
    assert not outbox.carries_urgent()


def test_readings_leave_in_their_order_and_the_oldest_are_thinned(outbox: Outbox) -> None:
    assert outbox.add_readings(readings(5), limit_rows=10) == 0
    assert outbox.add_readings(readings(7, first=5), limit_rows=10) == 2
    assert outbox.count() == 10
    batch = outbox.next_readings(4)
    assert batch is not None
    assert batch.readings == tuple(readings(4, first=2))
    outbox.readings_delivered(batch.last)
    batch = outbox.next_readings(100)
    assert batch is not None
    assert batch.readings == tuple(readings(6, first=6))
    outbox.readings_delivered(batch.last)
    assert outbox.next_readings(4) is None


def test_alarms_are_never_thinned(outbox: Outbox) -> None:
    for _ in range(5):
        outbox.keep_alarm(PRESS, None, NOW)
    outbox.add_readings(readings(20), limit_rows=3)
    assert len(outbox.waiting(100)) == 5


def test_the_fallback_is_marked_once(outbox: Outbox) -> None:
    alarm_id, _ = outbox.keep_alarm(PRESS, None, NOW)
    assert [alarm.id for alarm in outbox.without_fallback()] == [alarm_id]
    outbox.mark_fallback([alarm_id], NOW)
    assert outbox.without_fallback() == []
    assert len(outbox.waiting(10)) == 1


def test_a_command_is_remembered_with_its_effects(outbox: Outbox, path: Path) -> None:
    assert not outbox.seen_before("c")
    outbox.command_done("c", b"{}", NOW, test_alarm={"device": "hub"}, heartbeat_s=30)
    assert outbox.unanswered() == [("c", b"{}")]
    outbox.answered("c")
    assert outbox.unanswered() == []
    assert outbox.seen_before("c")
    assert outbox.unanswered() == [("c", b"{}")]
    outbox.close()
    with closing(Outbox(path)) as again:
        assert again.heartbeat_s() == 30
        assert len(again.waiting(10)) == 1


def test_a_file_that_is_no_outbox_or_a_later_one_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, and long enough to be looked at" * 30)
    with pytest.raises(CannotStart, match="not a database"):
        Outbox(tmp_path / "text")
    with closing(sqlite3.connect(tmp_path / "later")) as later:
        later.execute("pragma user_version = 99")
    with pytest.raises(CannotStart, match="later version"):
        Outbox(tmp_path / "later")
    with pytest.raises(CannotStart):
        Outbox(tmp_path / "nowhere" / "outbox")


def test_a_stop_at_any_statement_loses_nothing_and_the_numbers_go_on(tmp_path: Path) -> None:
    """Before each statement the files are copied as they are on the disk; each copy must be a sound outbox."""
    folder = tmp_path / "live"
    folder.mkdir()
    stops: list[tuple[Path, list[str], list[str]]] = []
    answered: list[str] = []
    delivered: list[str] = []

    def copy(_statement: str) -> None:
        target = tmp_path / f"stop-{len(stops)}"
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*-shm"))
        stops.append((target / "outbox.sqlite3", list(answered), list(delivered)))

    with closing(Outbox(folder / "outbox.sqlite3")) as outbox:
        outbox._db.set_trace_callback(copy)
        for n in range(4):
            answered.append(outbox.keep_alarm(PRESS, f"ref-{n}", NOW)[0])
            outbox.add_readings(readings(3), limit_rows=5)
            if n % 2:
                delivered.append(answered[n - 1])
                outbox.alarm_delivered(answered[n - 1], NOW)
    assert len(stops) > 40
    for path, kept, given_away in stops:
        with closing(Outbox(path)) as survivor:
            there = {alarm.id: alarm.seq for alarm in survivor.waiting(100)}
            assert set(kept) - set(given_away) <= there.keys()
            for n, alarm_id in enumerate(kept):
                assert survivor.keep_alarm(PRESS, f"ref-{n}", NOW) == (alarm_id, False)
            survivor.keep_alarm(PRESS, "next", NOW)
            highest = max(alarm.seq for alarm in survivor.waiting(100))
            assert highest == max([len(kept), *there.values()]) + 1


_PRESSER = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from gateway.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]))
while True:
    print(outbox.keep_alarm({"device": "p"}, None, datetime.now(UTC))[0], flush=True)
"""


def test_a_killed_hub_has_every_alarm_it_answered(path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _PRESSER, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as out:
        answered = [out.readline().decode().strip() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        answered += out.read().decode().split()
    process.wait(10)
    with closing(Outbox(path)) as outbox:
        there = outbox.waiting(100_000)
        assert set(answered) <= {alarm.id for alarm in there}
        assert [alarm.seq for alarm in there] == list(range(1, len(there) + 1))
        outbox.keep_alarm(PRESS, None, NOW)
        assert json.loads(outbox.waiting(100_000)[-1].payload)["seq"] == len(there) + 1
