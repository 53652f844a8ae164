"""The hub may stop at any line of the outbox: a child process dies at each one, and what is then there is judged."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.outbox import Outbox
from tests.gateway.test_upgrade import make_version_1

NOW = datetime(2026, 11, 23, 22, 41, tzinfo=UTC)
PRESS = {"device": "pendant-1", "kind": "button"}
FALL = {"device": "pendant-1", "kind": "fall", "evidence": {"probability": 0.9}}
DOOR = {"device": "door-1", "kind": "door"}
REFS = ("a", "b")

# The child forks once for each line: each grandchild runs the scenario on a fresh copy and dies at its line, without a
# word of farewell to anybody. It tells what the devices were told through a pipe, at the moment they are told.
_DIER = """
import os, shutil, sys
from pathlib import Path
from tests.gateway.test_power_loss import scenario
import gateway.outbox

start, folder, dies = Path(sys.argv[1]), Path(sys.argv[2]), [int(line) for line in sys.argv[3].split(",")]
source = str(Path(gateway.outbox.__file__).parent / "outbox")


def run(number, tell):
    left = number

    def at_line(frame, event, argument):
        nonlocal left
        if event == "line":
            left -= 1
            if not left:
                os._exit(0)
        return at_line

    def at_call(frame, event, argument):
        return at_line if frame.f_code.co_filename.startswith(source) else None

    sys.settrace(at_call)
    scenario(folder / str(number) / "outbox.sqlite3", tell)
    sys.settrace(None)
    return number - left


for number in dies:
    shutil.copytree(start, folder / str(number))
    child = os.fork()
    if not child:
        told = os.open(folder / str(number) / "told", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        lines = run(number, lambda text: os.write(told, text.encode() + b"\\n"))
        os.write(told, f"lines {lines}\\n".encode())
        os._exit(0)
    os.waitpid(child, 0)
"""


def scenario(path: Path, tell: Any) -> None:
    """A hub's day, from a file of the version before: `tell` is what a device hears, and what the service said."""
    outbox = Outbox(path)
    outbox.belongs_to("h-1")
    for ref in REFS:
        tell(f"kept {ref} {outbox.keep_alarm(PRESS, ref, NOW)[0]}")
    for second in range(2):
        kept, _ = outbox.keep_alarm(DOOR, None, NOW + timedelta(seconds=second), repeat_within_s=10)
        tell(f"kept - {kept}")
    for ref in ("fell", "tripped"):
        tell(f"kept {ref} {outbox.hold(FALL, ref, NOW)[0]}")
    fell, tripped = (outbox.hold(FALL, ref, NOW)[0] for ref in ("fell", "tripped"))
    tell(f"taken-back {tripped}")
    outbox.take_back(tripped, NOW)
    outbox.dismissed("pendant-1")
    assert outbox.release(NOW + timedelta(seconds=20), 20.0) == [fell]
    outbox.summary(NOW, 0.0)
    outbox.begin_session(7)
    sent = outbox.unsent(0, 10, NOW)
    outbox.add_readings([], 10)
    outbox.mark_fallback([alarm.id for alarm in sent[:2]], NOW)
    due = outbox.hook_due(NOW, 900)
    assert due is not None
    outbox.hook_begun(due[0].id, NOW)
    outbox.hook_took(due[0].id, NOW)
    for alarm, status in zip(sent[1:4], ("stored", "rejected", "stored"), strict=True):
        tell(f"receipt {alarm.id}")
        outbox.alarm_delivered(alarm.id, NOW, status=status)  # type: ignore[arg-type]
    outbox.command_done("c", b"{}", NOW, test_alarm={"device": "hub", "kind": "test"})
    outbox.say_fault({"device": "hub", "kind": "fault"}, NOW)
    outbox.forget(NOW, refs_kept_s=3600, commands_kept_s=3600)
    outbox.forget_ledger(NOW, kept_s=3600, limit_rows=1000)
    tell(f"kept a {outbox.keep_alarm(PRESS, 'a', NOW)[0]}")
    outbox.close()


@dataclass
class Told:
    """What was said before the power went."""

    kept: dict[str, str] = field(default_factory=dict)  # id by ref
    without_ref: set[str] = field(default_factory=set)
    receipts: set[str] = field(default_factory=set)
    taken_back: set[str] = field(default_factory=set)  # or about to be
    lines: int = 0

    @classmethod
    def read(cls, folder: Path) -> "Told":
        told = cls()
        for line in (folder / "told").read_text().splitlines():
            match line.split():
                case ["kept", "-", alarm]:
                    told.without_ref.add(alarm)
                case ["kept", ref, alarm]:
                    assert told.kept.setdefault(ref, alarm) == alarm
                case ["taken-back", alarm]:
                    told.taken_back.add(alarm)
                case ["receipt", alarm]:
                    told.receipts.add(alarm)
                case ["lines", number]:
                    told.lines = int(number)
        return told


@pytest.fixture
def place() -> Iterator[Path]:
    """In memory where there is such a place: a process that dies takes nothing from the kernel, so only time is lost.

    That a commit is on the disk when it returns is SQLite's promise with `synchronous` FULL, which is asserted.
    """
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="telecare-test-", dir=memory if os.access(memory, os.W_OK) else None)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def start(place: Path) -> Path:
    """A folder with an outbox of version 1, in which an alarm waits."""
    folder = place / "start"
    folder.mkdir()
    make_version_1(folder / "outbox.sqlite3")
    return folder


def die_at(start: Path, folder: Path, lines: list[int]) -> None:
    folder.mkdir(exist_ok=True)
    arguments = [str(start), str(folder), ",".join(map(str, lines))]
    subprocess.run([sys.executable, "-c", _DIER, *arguments], check=True, timeout=170, cwd=Path(__file__).parents[2])


def judge(folder: Path) -> None:
    """What must be so whenever the power went."""
    told = Told.read(folder)
    with closing(Outbox(folder / "outbox.sqlite3")) as outbox:
        waits = {alarm.id: alarm.seq for alarm in outbox.waiting(100)}
        done = dict(outbox._db.execute("select id, seq from ledger"))
        here = waits | done
        held = {row[0] for row in outbox._db.execute("select id from prealarms")}
        # Every alarm of which a device was told "kept" waits, is a fall in its pre-alarm, or has had its receipt; only
        # one that its wearer takes back may be gone. None is in two places.
        assert {*told.kept.values(), *told.without_ref} <= here.keys() | held | told.taken_back
        assert not held & here.keys()
        assert not waits.keys() & done.keys()
        assert done.keys() <= told.receipts
        # Numbers and ids are each alarm's own; the alarm of before the upgrade is the first.
        assert len(set(here.values())) == len(here)
        assert sorted(here.values()) == list(range(1, len(here) + 1))
        for alarm in outbox.waiting(100):
            payload = json.loads(alarm.payload)
            assert (payload["id"], payload["seq"]) == (alarm.id, alarm.seq)
        # A device that asks again hears the same; and the next press has the next number.
        for ref, alarm in told.kept.items():
            assert outbox.keep_alarm(PRESS, ref, NOW) == (alarm, False)
        outbox.keep_alarm(PRESS, "next", NOW)
        assert outbox.waiting(100)[-1].seq == len(here) + 1
        assert outbox._db.execute("pragma integrity_check").fetchone() == ("ok",)
        assert outbox._db.execute("pragma synchronous").fetchone() == (2,)  # FULL


def test_the_power_may_go_at_any_line(place: Path, start: Path) -> None:
    folder = place / "stops"
    die_at(start, folder, [1_000_000])  # one that lives, to count the lines
    lines = Told.read(folder / "1000000").lines
    assert lines > 150
    judge(folder / "1000000")
    die_at(start, folder, list(range(1, lines + 1)))
    for line in range(1, lines + 1):
        judge(folder / str(line))
        shutil.rmtree(folder / str(line))
