"""The frames between a device and its hub, typed (docs/frames.md): JSON lines over the hub's local socket."""

from datetime import datetime
from typing import Any

import msgspec

from telecare.clock import format_instant
from telecare.errors import UnreadableMessage
from telecare.wire import ID_LIMIT

# ---------------------------------------------------------------- what a device says


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag_field="frame", tag="hello"):
    """Which devices speak over this connection, and listen."""

    devices: list[str]


class AlarmFrame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="frame", tag="alarm"):
    """An alarm. `ref` is the device's own name for it: a repeat of the same ref is the same alarm."""

    device: str
    ref: str
    kind: str
    at: str
    location: str | None = None
    evidence: dict[str, Any] = msgspec.field(default_factory=dict)
    test: bool = False


class ReadingFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="frame", tag="reading"):
    """One measured value, in the measure's unit (`telecare.vocabulary.NUMBER_MEASURES`)."""

    device: str
    measure: str
    value: bool | float
    at: str


class ImpactFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="frame", tag="impact"):
    """What the trigger let through, for the hub to judge. `window` is as `gateway.falls.window` writes it."""

    device: str
    ref: str
    at: str
    detector: str
    peak_g: float
    worn: bool | None
    worn_at: str | None
    window: str


DeviceFrame = Hello | AlarmFrame | ImpactFrame | ReadingFrame


def reading(device: str, measure: str, value: bool | float, at: datetime) -> ReadingFrame:
    """A reading as a frame."""
    return ReadingFrame(device=device, measure=measure, value=value, at=format_instant(at))


def ref(device: str, boot: str, number: int) -> str:
    """A device's own name for its alarm: `boot` tells this power-up from others, `number` this alarm from others."""
    tail = f"-{boot}-{number}"
    return device[: ID_LIMIT - len(tail)] + tail


def write(frame: DeviceFrame) -> bytes:
    """A frame as one line."""
    return msgspec.json.encode(frame) + b"\n"


# ---------------------------------------------------------------- what the hub says


class Kept(msgspec.Struct, frozen=True, kw_only=True, tag_field="frame", tag="kept"):
    """The hub has the alarm on its disk. `id` is the alarm's name from here on."""

    ref: str
    id: str


class Judged(msgspec.Struct, frozen=True, kw_only=True, tag_field="frame", tag="judged"):
    """What an impact is. With an `id` the hub has it on its disk, and sends it after the pre-alarm."""

    ref: str
    verdict: str
    id: str | None
    prealarm_s: float


class TakenBack(msgspec.Struct, frozen=True, kw_only=True, tag_field="frame", tag="taken-back"):
    """The fall that a `cancel` names was in its pre-alarm, and is not sent."""

    ref: str
    id: str


class RefusedFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="frame", tag="refused"):
    """The hub could not read a frame."""

    reason: str
    ref: str | None = None


class Announce(msgspec.Struct, frozen=True, kw_only=True, tag_field="frame", tag="announce"):
    """Something for the wearer to hear about their alarm."""

    text: str
    alarm: str | None = None


HubFrame = Kept | Judged | TakenBack | RefusedFrame | Announce

_HUB_FRAMES: msgspec.json.Decoder[HubFrame] = msgspec.json.Decoder(HubFrame)


def read_hub_frame(line: bytes) -> HubFrame:
    """One line from the hub.

    Raises:
        UnreadableMessage: it is none of the hub's frames.
    """
    try:
        return _HUB_FRAMES.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise UnreadableMessage(str(problem)) from problem
