"""The MQTT wire contract as typed messages: what hubs and the service say to each other (docs/integrators.md).

Two rules differ on purpose. An *alarm* is never refused: `read_alarm` turns any bytes into an `AlarmRead`, with what
was wrong in `doubts`. Everything else is decoded strictly and raises `UnreadableMessage`.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeVar
from uuid import UUID

import msgspec

from telecare.clock import format_instant, parse_instant
from telecare.errors import UnreadableMessage
from telecare.vocabulary import Kind

ROOT: Final = "telecare/v1"
HUB_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
Channel = Literal["alarm", "readings", "state", "receipt", "command", "result"]

NAME_LIMIT: Final = 64  # characters of `device` and `location`
ID_LIMIT: Final = 64  # characters of an alarm's id that is not a UUID
EVIDENCE_LIMIT: Final = 4096  # bytes of JSON
BLOW: Final = "blow"  # in the evidence of a press: the blow before it, which its hub took for no fall
NESTED_LIMIT: Final = 32  # levels of lists and objects in evidence: reading JSON back fails at some hundreds
SEQ_LIMIT: Final = 2**63 - 1  # what the database's bigint holds


def topic(hub: str, channel: Channel) -> str:
    """The topic of one hub's channel."""
    return f"{ROOT}/{hub}/{channel}"


def split_topic(name: str) -> tuple[str, str]:
    """`telecare/v1/{hub}/{channel}` to (hub, channel).

    Raises:
        UnreadableMessage: it is not one of our topics.
    """
    parts = name.split("/")
    if len(parts) != 4 or "/".join(parts[:2]) != ROOT or not HUB_NAME.fullmatch(parts[2]):
        raise UnreadableMessage(f"not one of our topics: {name[:100]}")
    return parts[2], parts[3]


# ---------------------------------------------------------------- what hubs send


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm, as a well-behaved hub writes it."""

    id: str
    seq: int
    device: str
    kind: str
    at: str
    clock: Literal["synced", "unsynced"] = "synced"
    test: bool = False
    location: str | None = None
    evidence: dict[str, Any] = msgspec.field(default_factory=dict)


class HubState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A hub's word on itself; also its last will, with `online` false. `heartbeat_s` is in seconds, `battery` in %.

    `readings_lost` counts those that had to go for want of room since the hub's outbox was made; absent where none.
    """

    online: bool
    session: int
    at: str | None = None
    firmware: str | None = None
    mains: bool | None = None
    battery: float | None = None
    network: str | None = None
    outbox: int | None = None
    readings_lost: int | None = None
    heartbeat_s: float | None = None


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command."""

    id: str
    ok: bool
    detail: str = ""


# ---------------------------------------------------------------- what the service sends


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The service's word that an alarm is committed (`stored`), or can be none (`rejected`, with the reason)."""

    id: str
    status: Literal["stored", "rejected"]
    at: str
    reason: str | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something the hub should do before `expires_at`. `announce` speaks `text` to the wearer about `alarm`."""

    id: str
    kind: Literal["announce", "test", "configure", "reboot"]
    expires_at: str
    text: str | None = None
    alarm: str | None = None
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


Message = TypeVar("Message", Alarm, HubState, CommandResult, Receipt, Command)


def encode(message: msgspec.Struct) -> bytes:
    """A message to JSON bytes."""
    return msgspec.json.encode(message)


def decode(payload: bytes, shape: type[Message]) -> Message:
    """JSON bytes to a message, strictly.

    Raises:
        UnreadableMessage: the bytes are not JSON, or not of that shape.
    """
    try:
        return msgspec.json.decode(payload, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise UnreadableMessage(str(problem)) from problem


def read_state(payload: bytes) -> HubState:
    """A hub's state, with its values checked.

    Raises:
        UnreadableMessage: not a HubState, a session that is no counter, or a time that is none.
    """
    state = decode(payload, HubState)
    if not 0 <= state.session <= SEQ_LIMIT:
        raise UnreadableMessage("session: not a counter")
    if state.outbox is not None and not 0 <= state.outbox <= SEQ_LIMIT:
        raise UnreadableMessage("outbox: not a count")
    if state.heartbeat_s is not None and not 1 <= state.heartbeat_s <= 86_400:
        raise UnreadableMessage("heartbeat_s: not between 1 and 86400 seconds")
    if state.battery is not None and not 0 <= state.battery <= 100:
        raise UnreadableMessage("battery: not a percentage")
    for name in ("firmware", "network"):
        text = getattr(state, name)
        if text is not None and (len(text) > NAME_LIMIT or "\0" in text):
            raise UnreadableMessage(f"{name}: longer than {NAME_LIMIT} characters, or with a NUL")
    if state.at is not None:
        try:
            parse_instant(state.at)
        except ValueError as problem:
            raise UnreadableMessage(f"at: {problem}") from problem
    return state


# ---------------------------------------------------------------- reading an alarm, whatever it is


@dataclass(frozen=True, slots=True)
class AlarmRead:
    """What could be read of an alarm. Fields that could not are None, empty or `unknown`, and `doubts` says why."""

    given_id: str | None = None
    seq: int | None = None
    device: str = ""
    kind: Kind = Kind.UNKNOWN
    at: datetime | None = None
    clock_synced: bool = False
    test: bool = False
    location: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @property
    def uuid(self) -> UUID | None:
        """The alarm's id where it is a UUID."""
        try:
            return UUID(self.given_id) if self.given_id and len(self.given_id) == 36 else None
        except ValueError:
            return None

    @property
    def cancels(self) -> str | None:
        """For a `cancel`: the id of the alarm that the wearer takes back."""
        named = self.evidence.get("cancels")
        return named if self.kind is Kind.CANCEL and isinstance(named, str) else None


def read_alarm(payload: bytes) -> AlarmRead:
    """Read an alarm from any bytes. Never raises: what cannot be read becomes kind `unknown`, with the doubts named."""
    try:
        raw = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return AlarmRead(doubts=(f"not JSON: {problem}",))
    if not isinstance(raw, dict):
        return AlarmRead(doubts=("JSON, but not an object",))
    return _AlarmReader(raw).read()


class _AlarmReader:
    """Takes each field out of a decoded object, and notes what is wrong with it."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.doubts: list[str] = []

    def read(self) -> AlarmRead:
        given_id = self._id()
        kind = self._kind()
        return AlarmRead(
            given_id=given_id,
            seq=self._seq(),
            device=self._text("device", required=True) or "",
            kind=kind,
            at=self._instant(),
            clock_synced=self._clock(),
            test=self._flag("test"),
            location=self._text("location"),
            evidence=self._evidence(),
            doubts=tuple(self.doubts),
        )

    def _doubt(self, name: str, why: str) -> None:
        self.doubts.append(f"{name}: {why}")

    def _id(self) -> str | None:
        value = self.raw.get("id")
        if not isinstance(value, str) or not value.strip("\0"):
            self._doubt("id", "missing" if value is None else "not a text")
            return None
        if len(value) > ID_LIMIT or "\0" in value:
            self._doubt("id", f"longer than {ID_LIMIT} characters, or with a NUL")
            return None
        try:
            UUID(value)
        except ValueError:
            self._doubt("id", "not a UUID")
        return value

    def _kind(self) -> Kind:
        value = self.raw.get("kind")
        if not isinstance(value, str):
            self._doubt("kind", "missing" if value is None else "not a text")
            return Kind.UNKNOWN
        try:
            return Kind(value)
        except ValueError:
            self._doubt("kind", f"unknown: {value[:NAME_LIMIT]!r}")
            return Kind.UNKNOWN

    def _seq(self) -> int | None:
        value = self.raw.get("seq")
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= SEQ_LIMIT:
            return value
        self._doubt("seq", "missing" if value is None else "not a counter")
        return None

    def _text(self, name: str, *, required: bool = False) -> str | None:
        value = self.raw.get(name)
        if value is None:
            if required:
                self._doubt(name, "missing")
            return None
        if not isinstance(value, str):
            self._doubt(name, "not a text")
            return None
        if len(value) > NAME_LIMIT or "\0" in value:
            self._doubt(name, f"longer than {NAME_LIMIT} characters, or with a NUL")
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")[:NAME_LIMIT]

    def _flag(self, name: str) -> bool:
        value = self.raw.get(name, False)
        if not isinstance(value, bool):
            self._doubt(name, "not true or false")
        return value is True

    def _clock(self) -> bool:
        value = self.raw.get("clock")
        if value not in ("synced", "unsynced"):
            self._doubt("clock", "missing" if value is None else "neither synced nor unsynced")
        return value == "synced"

    def _instant(self) -> datetime | None:
        value = self.raw.get("at")
        if not isinstance(value, str):
            self._doubt("at", "missing" if value is None else "not a text")
            return None
        try:
            return parse_instant(value)
        except ValueError as problem:
            self._doubt("at", str(problem))
            return None

    def _evidence(self) -> dict[str, Any]:
        value = self.raw.get("evidence", {})
        if not isinstance(value, dict):
            self._doubt("evidence", "not an object")
            return {}
        if _is_deeper(value, NESTED_LIMIT):
            self._doubt("evidence", f"nested deeper than {NESTED_LIMIT} levels")
            return {}
        written = msgspec.json.encode(value)
        if len(written) > EVIDENCE_LIMIT:
            self._doubt("evidence", f"larger than {EVIDENCE_LIMIT} bytes")
            return {}
        if b"\\u0000" in written:  # the database's JSON cannot hold a NUL
            self._doubt("evidence", "with a NUL")
            return dict(msgspec.json.decode(written.replace(b"\\u0000", b"\\ufffd")))
        return value


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects lie in each other deeper than this. It does not recurse: the sender chose the depth."""
    inside = [value]
    for _ in range(levels):
        inside = [
            child
            for one in inside
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
        ]
    return any(isinstance(one, dict | list) for one in inside)


def receipt(given_id: str, status: Literal["stored", "rejected"], at: datetime, reason: str | None = None) -> Receipt:
    """A receipt for the alarm that the hub called `given_id`."""
    return Receipt(id=given_id, status=status, at=format_instant(at), reason=reason)
