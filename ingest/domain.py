"""What an arriving alarm is to the store: plain decisions, without I/O and without a clock."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from telecare.wire import AlarmRead, read_alarm

RAW_LIMIT: Final = 64 * 1024  # bytes of a payload that are kept
# No hub is older than this: an earlier time is a clock that was never set.
EARLIEST: Final = datetime(2020, 1, 1, tzinfo=UTC)
# Where we make an alarm's id because its hub gave none that can serve (RFC 9562, section 5.5).
_NAMESPACE: Final = UUID("c6a2f1d4-6a53-5f0e-9c55-3f0e6f8a7b21")


@dataclass(frozen=True, slots=True)
class Intake:
    """An alarm as it goes into the store."""

    id: UUID
    hub: str
    read: AlarmRead
    raw: bytes | None  # kept where there is any doubt
    content_hash: bytes
    crowding: bool = False  # its hub sends more than a home can need: it is taken after the others


def take_in(hub: str, payload: bytes, now: datetime, ahead: timedelta, *, crowding: bool = False) -> Intake:
    """Read an alarm, judge its time, and give it its identity. Never raises."""
    read = judge_time(read_alarm(payload), now, ahead)
    return Intake(
        id=read.uuid or _own_id(hub, read, payload, now),
        hub=hub,
        read=read,
        raw=payload[:RAW_LIMIT] if read.doubts else None,
        content_hash=content_hash(payload),
        crowding=crowding,
    )


def judge_time(read: AlarmRead, now: datetime, ahead: timedelta) -> AlarmRead:
    """Doubt a time that cannot be. The alarm stands; the time of arrival counts."""
    if read.at is None:
        return read
    if read.at < EARLIEST:
        return replace(read, at=None, clock_synced=False, doubts=(*read.doubts, "at: before any hub was made"))
    if read.at > now + ahead:
        return replace(read, clock_synced=False, doubts=(*read.doubts, "at: in the future"))
    return read


def _own_id(hub: str, read: AlarmRead, payload: bytes, now: datetime) -> UUID:
    """An id for an alarm that brought none that can serve.

    One that named itself otherwise keeps that name. One without a name cannot be told from its repeat: the same bytes
    from the same hub within a minute count as one, later ones as another press. Better to ring twice than never.
    """
    if read.given_id is not None:
        return uuid5(_NAMESPACE, f"{hub}/{read.given_id}")
    return uuid5(_NAMESPACE, f"{hub}//{hashlib.sha256(payload).hexdigest()}/{int(now.timestamp() // 60)}")


def other_hubs_id(intake: Intake) -> Intake:
    """The same alarm under an id of its own, because another hub has used the one that it gave."""
    doubts = (*intake.read.doubts, "id: another hub has used it")
    return replace(
        intake,
        id=uuid5(_NAMESPACE, f"{intake.hub}/{intake.read.given_id}"),
        read=replace(intake.read, doubts=doubts),
    )


def content_hash(payload: bytes) -> bytes:
    """Tells a repeat from a contradiction: the same for the same JSON, however it is spaced and ordered."""
    try:
        canonical = json.dumps(json.loads(payload), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        canonical = payload
    return hashlib.sha256(canonical).digest()
