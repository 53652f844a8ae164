"""What a subscriber needs of MQTT 5 (OASIS Standard, 2019), as bytes in and bytes out: no socket, no clock, no thread.

For the lane of readings, where a client library costs twenty times what this does (docs/decisions/0009): it subscribes
at QoS 1, hands out publications, and acknowledges none of them by itself.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple


class Message(NamedTuple):
    """A publication that waits for its acknowledgement."""

    topic: str
    payload: bytes
    retained: bool
    mid: int  # packet identifier; 0 at QoS 0
    qos: int
    connection: int  # on which connection it came: its acknowledgement is good on that one only


class Kind(IntEnum):
    """Packets that are not publications (section 2.1.2)."""

    CONNACK = 2
    PUBACK = 4
    SUBACK = 9
    UNSUBACK = 11
    PINGRESP = 13
    DISCONNECT = 14


class Control(NamedTuple):
    """A packet that is not a publication: its kind, and what follows its fixed header."""

    kind: int
    body: bytes


class ProtocolError(Exception):
    """The other side does not speak MQTT."""


PINGREQ: Final = b"\xc0\x00"
DISCONNECT: Final = b"\xe0\x00"
# ... and the session ends with the connection (section 3.14.2.2.2: session expiry interval 0).
DISCONNECT_FOR_GOOD: Final = b"\xe0\x07\x00\x05\x11\x00\x00\x00\x00"
_REFUSED: Final = 0x80  # reason codes from here on are failures
_PUBLISH: Final = 3
_LENGTH_BYTES: Final = 4  # section 2.1.4: the remaining length has at most so many
_TEXT_LIMIT: Final = 65_535


class PacketReader:
    """Takes bytes as they come, in pieces of any size, and gives whole packets."""

    def __init__(self, connection: int) -> None:
        """`connection` is written on each message."""
        self._rest = b""
        self._connection = connection

    def feed(self, data: bytes) -> tuple[list[Message], list[Control]]:
        """The packets that are whole now: publications, and the others; each in its order.

        Raises:
            ProtocolError: these are no packets.
        """
        data = self._rest + data if self._rest else data
        messages: list[Message] = []
        controls: list[Control] = []
        start, end = 0, len(data)
        while (body := _body(data, start, end)) is not None:
            first, at, after = data[start], *body
            if first >> 4 == _PUBLISH:
                messages.append(self._publication(data, first, at, after))
            else:
                controls.append(Control(first >> 4, data[at:after]))
            start = after
        self._rest = data[start:]
        return messages, controls

    def _publication(self, data: bytes, first: int, at: int, after: int) -> Message:
        try:
            topic_end = at + 2 + (data[at] << 8 | data[at + 1])
            topic = data[at + 2 : topic_end].decode()
            qos, mid, at = first >> 1 & 3, 0, topic_end
            if qos:
                mid, at = data[at] << 8 | data[at + 1], at + 2
            # Properties (section 3.3.2.3) say nothing that we use; nearly always there are none.
            length = data[at]
            at += 1
            if length:
                length, at = _varint(data, at - 1, after)
                at += length
        except (IndexError, UnicodeDecodeError, TypeError) as problem:
            raise ProtocolError("a publication that cannot be read") from problem
        if at > after:
            raise ProtocolError("a publication that is longer than it says")
        return Message(topic, data[at:after], bool(first & 1), mid, qos, self._connection)


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A variable byte integer (section 1.5.5): its value, and where it ends; raises `TypeError` where it is cut off."""
    found = _length(data, at, end)
    if found is None:
        raise TypeError("cut off")
    return found


def _length(data: bytes, at: int, end: int) -> tuple[int, int] | None:
    value = shift = 0
    for position in range(at, min(at + _LENGTH_BYTES, end)):
        byte = data[position]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position + 1
        shift += 7
    if end - at >= _LENGTH_BYTES:
        raise ProtocolError("a length of more than four bytes")
    return None


def _body(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Where the body of the packet that begins at `start` begins and ends; None while it is not whole."""
    if end - start < 2:
        return None
    length = data[start + 1]
    at = start + 2
    if length > 127:
        found = _length(data, start + 1, end)
        if found is None:
            return None
        length, at = found
    return (at, at + length) if at + length <= end else None


# ---------------------------------------------------------------- what we say


def connect(
    client_id: str,
    username: str | None,
    password: str | None,
    *,
    keepalive_s: int,
    session_s: int,
    receive_maximum: int,
) -> bytes:
    """CONNECT (section 3.1): resume our session, which lasts `session_s` seconds after a connection.

    Raises:
        ValueError: a text is longer than MQTT takes.
    """
    properties = struct.pack(">BIBH", 0x11, session_s, 0x21, receive_maximum)
    flags = (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    body = _text("MQTT") + struct.pack(">BBH", 5, flags, keepalive_s) + bytes([len(properties)]) + properties
    body += b"".join(_text(one) for one in (client_id, username, password) if one is not None)
    return b"\x10" + _variable(len(body)) + body


def subscribe(topics: Sequence[str], packet_id: int = 1) -> bytes:
    """SUBSCRIBE (section 3.8) at QoS 1."""
    body = struct.pack(">HB", packet_id, 0) + b"".join(_text(topic) + b"\x01" for topic in topics)
    return b"\x82" + _variable(len(body)) + body


def unsubscribe(topics: Sequence[str], packet_id: int = 1) -> bytes:
    """UNSUBSCRIBE (section 3.10)."""
    body = struct.pack(">HB", packet_id, 0) + b"".join(_text(topic) for topic in topics)
    return b"\xa2" + _variable(len(body)) + body


def acknowledgements(mids: Sequence[int]) -> bytes:
    """One PUBACK (section 3.4) for each packet identifier."""
    return b"".join([b"\x40\x02" + mid.to_bytes(2) for mid in mids])


def _text(value: str) -> bytes:
    raw = value.encode()
    if len(raw) > _TEXT_LIMIT:
        raise ValueError("a text of MQTT has at most 65,535 bytes")
    return struct.pack(">H", len(raw)) + raw


def _variable(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (128 if value else 0))
        if not value:
            return bytes(out)


# ---------------------------------------------------------------- what we hear


def refusal(control: Control) -> int | None:
    """The reason code of a CONNACK, SUBACK, UNSUBACK or DISCONNECT that refuses; None where it does not.

    Raises:
        ProtocolError: it is cut off.
    """
    try:
        if control.kind == Kind.CONNACK:
            codes = control.body[1:2]
        elif control.kind in (Kind.SUBACK, Kind.UNSUBACK):
            length, at = _varint(control.body, 2, len(control.body))
            codes = control.body[at + length :]
        else:
            codes = control.body[:1] or b"\x00"
        return next((code for code in codes if code >= _REFUSED), None)
    except (IndexError, TypeError) as problem:
        raise ProtocolError("an answer that is cut off") from problem
