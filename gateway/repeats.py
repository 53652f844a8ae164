"""Which alarm a repeat is counted in: a contact that chatters must not fill the outbox (docs/decisions/0012).

Only frames without a `ref` can be repeats, and only an alarm that was never sent takes one up: what was sent keeps its
content for ever. All this is remembered in memory alone, so that after a restart nothing counts as never sent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from gateway.domain import passed
from telecare.clock import format_instant
from telecare.vocabulary import Kind
from telecare.wire import EVIDENCE_LIMIT

REPEATS: Final = "repeats"  # in `evidence`: how many more times the same was said,
LAST_REPEAT: Final = "last_repeat_at"  # ... and when last, by the hub's clock


@dataclass(slots=True)
class _Kept:
    """The newest alarm of one content."""

    id: str
    seq: int
    device: Any
    said_at: datetime  # it, or its last repeat
    behind: str | None  # the same alarm, which has no receipt yet; while it has none, this one is
    held_until: datetime | None  # ... not to be sent before
    sent: bool = False


class Repeats:
    """The alarms without a `ref` that were kept a short while ago, by what they say."""

    def __init__(self) -> None:
        self._kept: dict[bytes, _Kept] = {}

    def open_for(self, fields: Mapping[str, Any]) -> str | None:
        """The id of the alarm that takes up this repeat; None: it is an alarm of its own."""
        same = self._kept.get(_content(fields))
        return same.id if same is not None and not same.sent else None

    def sent(self, fields: Mapping[str, Any]) -> str | None:
        """The id of the same alarm that went out a short while ago."""
        same = self._kept.get(_content(fields))
        return same.id if same is not None and same.sent else None

    def repeated(self, fields: Mapping[str, Any], now: datetime) -> None:
        """It was taken up."""
        self._kept[_content(fields)].said_at = now

    def kept(
        self, fields: Mapping[str, Any], alarm_id: str, seq: int, now: datetime, *, behind: str | None, hold_s: float
    ) -> None:
        """A new alarm of this content. `behind` one that has no receipt it waits `hold_s`, and takes up repeats."""
        until = now + timedelta(seconds=hold_s) if behind is not None else None
        self._kept[_content(fields)] = _Kept(alarm_id, seq, fields.get("device"), now, behind, until)

    def something_else(self, fields: Mapping[str, Any]) -> None:
        """The device says something else, or a wearer takes something back: what comes after is a press of its own.

        A repeat that was taken up by an alarm from before a `cancel` would look as if the `cancel` spoke of it too.
        """
        every, device, content = fields.get("kind") == Kind.CANCEL, fields.get("device"), _content(fields)
        for key, one in list(self._kept.items()):
            if every or (one.device == device and key != content):
                del self._kept[key]

    def sealed(self, seqs: Iterable[int]) -> None:
        """These go out now, and take up nothing more."""
        gone = set(seqs)
        for one in self._kept.values():
            if one.seq in gone:
                one.sent, one.held_until = True, None

    def held(self, now: datetime) -> dict[int, float]:
        """The alarms that are not to be sent yet: seq, and for how many seconds from now."""
        left_s = {
            one.seq: (one.held_until - now).total_seconds() for one in self._kept.values() if one.held_until is not None
        }
        return {seq: seconds for seq, seconds in left_s.items() if seconds > 0}

    def delivered(self, alarm_id: str) -> None:
        """The service has this one: nothing waits behind it."""
        for one in self._kept.values():
            if one.behind == alarm_id:
                one.held_until = None

    def forget(self, within_s: float, now: datetime) -> None:
        """Forget what was said longer ago than `within_s`."""
        for key, one in list(self._kept.items()):
            if passed(one.said_at, within_s, now):
                del self._kept[key]


def may_repeat(fields: Mapping[str, Any]) -> bool:
    """Whether there is a place for the count: evidence that is an object, or none, and does not use our words."""
    evidence = fields.get("evidence", {})
    return isinstance(evidence, dict) and not evidence.keys() & {REPEATS, LAST_REPEAT}


def counted(payload: bytes, now: datetime) -> bytes | None:
    """The payload of an alarm that `may_repeat`, with one more repeat; None where its evidence has no room for it."""
    alarm = msgspec.json.decode(payload)
    evidence = alarm.get("evidence", {})
    evidence = evidence | {REPEATS: evidence.get(REPEATS, 0) + 1, LAST_REPEAT: format_instant(now)}
    if len(msgspec.json.encode(evidence)) > EVIDENCE_LIMIT:
        return None
    return msgspec.json.encode(alarm | {"evidence": evidence})


def _content(fields: Mapping[str, Any]) -> bytes:
    """What makes two frames say the same: all but the time."""
    return msgspec.json.encode({name: value for name, value in fields.items() if name != "at"}, order="sorted")
