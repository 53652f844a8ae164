"""What the devices know: what was pressed, and what the hub said it keeps. From the hubs' files: what was receipted."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Press:
    """One press of a pendant. Instants are seconds since 1970 by this machine's clock, which is also the database's."""

    hub: str
    ref: str
    pressed_at: float
    id: str | None = None  # what the hub called it
    kept_at: float | None = None
    receipt_at: float | None = None
    seq: int | None = None
    status: str | None = None


@dataclass(slots=True)
class Ledger:
    """Every press of a row, in its order."""

    presses: list[Press] = field(default_factory=list)

    def press(self, hub: str, ref: str) -> Press:
        """A pendant is pressed now."""
        made = Press(hub, ref, time.time())
        self.presses.append(made)
        return made

    @property
    def kept(self) -> list[Press]:
        """Those whose wearer was told that they are kept: what the service answers for."""
        return [press for press in self.presses if press.id is not None]

    @property
    def unreceipted(self) -> list[Press]:
        """Kept, and the hub has not heard yet that the service has it."""
        return [press for press in self.kept if press.receipt_at is None]

    def lines(self) -> str:
        """As `telecare audit --ledger` takes it: one JSON object a line."""
        return "".join(
            json.dumps(
                {
                    "hub": press.hub,
                    "alarm": press.id,
                    "seq": press.seq,
                    "kept_at": _instant(press.kept_at),
                    "receipt_at": _instant(press.receipt_at),
                    "status": press.status,
                }
            )
            + "\n"
            for press in self.kept
        )


def _instant(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


@dataclass(frozen=True, slots=True)
class HubFile:
    """What a hub's own file says: which alarms it was given, and which of them still wait for a receipt."""

    refs: dict[str, float | None]  # id of each alarm, and when it left the outbox
    waiting: frozenset[str]


def hub_file(directory: Path) -> HubFile:
    """Read a hub's outbox beside the hub."""
    path = directory / "outbox.sqlite3"
    with closing(sqlite3.connect(path, timeout=5)) as db:
        refs = dict(db.execute("select id, done_at / 1000.0 from refs").fetchall())
        waiting = frozenset(row[0] for row in db.execute("select id from alarms"))
    return HubFile(refs, waiting)


def take_receipts(kept: Sequence[Press], files: Mapping[str, HubFile]) -> None:
    """Write down which alarms the hubs know to be stored: those that they have kept and that wait no more.

    `files` is by hub. A hub whose clock has jumped may have forgotten when that was.
    """
    for press in kept:
        file = files.get(press.hub)
        if file is not None and press.receipt_at is None and press.id is not None and press.id not in file.waiting:
            press.receipt_at, press.status = file.refs.get(press.id) or time.time(), "stored"


def frame(press: Press, **more: Any) -> bytes:
    """The press as a device's frame; the same one each time it is sent again."""
    made = {"frame": "alarm", "device": "pendant-1", "ref": press.ref, "kind": "button", **more}
    return json.dumps(made).encode() + b"\n"
