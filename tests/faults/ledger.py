"""What the devices know: what was pressed and what the hub has kept. From the hubs' ledgers: what was receipted."""

import json
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.ledger import Entry
from telecare.clock import parse_instant
from telecare.trace import encode
from tests.firmware_sim.signals import UP, Signal, windows

A_FALL = encode(windows(Signal().hold(5, UP, 1.0, 0.1).fall().samples)[0].moments)


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
    is_fall: bool = False  # not pressed: the pendant felt a blow, and its hub takes it for a fall


@dataclass(slots=True)
class Ledger:
    """Every press of a row, in its order."""

    presses: list[Press] = field(default_factory=list)

    def press(self, hub: str, ref: str, *, is_fall: bool = False) -> Press:
        """A pendant is pressed, or its wearer falls, now."""
        made = Press(hub, ref, time.time(), is_fall=is_fall)
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


def take_receipts(kept: Sequence[Press], ledgers: Mapping[str, Sequence[Entry]], held: Set[str]) -> None:
    """Write down which alarms the hubs have receipts for, by the hubs' own ledgers.

    `held` are falls in their pre-alarm: they are no alarms yet. Any other alarm that its hub has kept and knows no more
    has had its receipt; the hub's clock has jumped meanwhile.
    """
    known = {entry.alarm: entry for entries in ledgers.values() for entry in entries}
    for press in kept:
        assert press.id is not None
        if press.hub not in ledgers or press.receipt_at is not None or press.id in held:
            continue
        entry = known.get(press.id)
        if entry is None:
            press.receipt_at, press.status = time.time(), "stored"
        elif entry.receipt_at is not None:
            press.receipt_at, press.status = parse_instant(entry.receipt_at).timestamp(), entry.status
            press.seq = entry.seq


def frame(press: Press, **more: Any) -> bytes:
    """The press, or the fall, as a device's frame; the same one each time it is sent again."""
    if press.is_fall:
        blow = {"frame": "impact", "device": "pendant-1", "ref": press.ref, "window": A_FALL, "worn_at": "neck"}
        return json.dumps(blow | more).encode() + b"\n"
    made = {"frame": "alarm", "device": "pendant-1", "ref": press.ref, "kind": "button", **more}
    return json.dumps(made).encode() + b"\n"
