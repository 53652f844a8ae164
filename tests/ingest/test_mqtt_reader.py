"""Packets of MQTT 5 from bytes in pieces of any size; what a client library wrote and reads."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest import mqtt_reader
from ingest.mqtt_reader import Control, Kind, Message, PacketReader, ProtocolError


def publication(topic: str, payload: bytes, mid: int = 0, properties: bytes = b"\x00") -> bytes:
    raw = topic.encode()
    body = struct.pack(">H", len(raw)) + raw + (struct.pack(">H", mid) if mid else b"") + properties + payload
    return bytes([0x32 if mid else 0x30]) + mqtt_reader._variable(len(body)) + body


def user_properties() -> bytes:
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    made.UserProperty = [("made by", "a bridge " * 40)]
    made.ContentType = "application/senml+json"
    packed: bytes = made.pack()  # type: ignore[no-untyped-call]
    return packed


MESSAGES = [
    ("telecare/v1/hub-1/readings", b"", 1, b"\x00"),
    ("telecare/v1/hub-1/readings", b"x" * 127, 65_535, b"\x00"),
    ("telecare/v1/hub-2/readings", b"y" * 20_000, 7, user_properties()),
    ("telecare/v1/h\u00fcb/readings", b"z", 0, b"\x00"),
]
STREAM = (
    b"\x20\x03\x00\x00\x00" + b"".join(publication(*m) for m in MESSAGES) + b"\xd0\x00" + b"\x90\x04\x00\x01\x00\x01"
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_packets_are_whole_however_the_bytes_are_cut(cuts: list[int]) -> None:
    reader, places = PacketReader(3), sorted({0, *cuts, len(STREAM)})
    messages, controls = [], []
    for begin, end in itertools.pairwise(places):
        found = reader.feed(STREAM[begin:end])
        messages += found[0]
        controls += found[1]
    assert messages == [Message(t, p, False, m, 1 if m else 0, 3) for t, p, m, _ in MESSAGES]
    assert [control.kind for control in controls] == [Kind.CONNACK, Kind.PINGRESP, Kind.SUBACK]
    assert [mqtt_reader.refusal(control) for control in controls] == [None, None, None]


@given(st.binary(max_size=300))
def test_noise_is_a_protocol_error_or_packets_and_nothing_else(noise: bytes) -> None:
    reader = PacketReader(1)
    try:
        for _, controls in (reader.feed(noise), reader.feed(b"\x00" * 50)):
            for control in controls:
                mqtt_reader.refusal(control)
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    ("control", "code"),
    [
        (Control(Kind.CONNACK, b"\x00\x87\x00"), 0x87),
        (Control(Kind.SUBACK, b"\x00\x01\x00\x01\x80"), 0x80),
        (Control(Kind.DISCONNECT, b"\x8e"), 0x8E),
        (Control(Kind.DISCONNECT, b""), None),
    ],
)
def test_a_refusal_is_understood(control: Control, code: int | None) -> None:
    assert mqtt_reader.refusal(control) == code


def test_what_we_say() -> None:
    said = mqtt_reader.connect("me", "user", "secret", keepalive_s=30, session_s=86_400, receive_maximum=5000)
    assert said.startswith(b"\x10")
    assert said[2:8] == b"\x00\x04MQTT"
    assert said[8:12] == b"\x05\xc0\x00\x1e"
    assert said.endswith(b"\x00\x02me\x00\x04user\x00\x06secret")
    assert mqtt_reader.subscribe(["a/+"]) == b"\x82\x09\x00\x01\x00\x00\x03a/+\x01"
    assert mqtt_reader.acknowledgements([1, 515]) == b"\x40\x02\x00\x01\x40\x02\x02\x03"
    with pytest.raises(ValueError, match="65,535 bytes"):
        mqtt_reader.subscribe(["x" * 70_000])
