"""Frames: what is one, what is not, and that no bytes can stop the next one."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.domain import write_alarm
from gateway.frames import AlarmFrame, BadFrame, Frame, Hello, Lines, kept, read_frame, refused
from telecare.senml import Reading, read_pack, write_pack
from telecare.wire import read_alarm

NOW = datetime(2026, 11, 23, 22, 41, 7, 123000, tzinfo=UTC)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def frame(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def taken(line: bytes) -> Frame | BadFrame:
    try:
        return read_frame(line, NOW)
    except BadFrame as problem:
        return problem


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_a_frame_or_a_reason(line: bytes) -> None:
    found = taken(line)
    if isinstance(found, BadFrame):
        assert json.loads(refused(found.reason, found.ref))["frame"] == "refused"


@given(st.dictionaries(st.sampled_from(["device", "ref", "kind", "at", "location", "evidence", "test"]), json_values))
@example({"location": "\ud800", "ref": "1"})
@example({"evidence": {"peak_g": 10**400, "rate": float("nan")}})
def test_an_alarm_frame_is_never_refused_and_becomes_an_alarm(fields: dict[str, Any]) -> None:
    alarm = read_frame(json.dumps({"frame": "alarm"} | fields).encode(), NOW)
    assert isinstance(alarm, AlarmFrame)
    read = read_alarm(write_alarm(alarm.fields, "019386a4-7f2e-7c11-9a55-0c2f5e1d9b10", 7, NOW))
    assert read.seq == 7
    assert read.uuid is not None
    assert json.loads(kept(alarm.ref, "x"))["frame"] == "kept"
    assert alarm.key is None or len(alarm.key) <= 200


def test_an_alarm_with_bytes_that_are_no_text_is_an_alarm() -> None:
    alarm = read_frame(b'{"frame":"alarm","device":"p","ref":"1","kind":"fall","location":"k\xffche"}', NOW)
    assert isinstance(alarm, AlarmFrame)
    assert alarm.fields["kind"] == "fall"


def test_an_odd_alarm_is_passed_on_as_it_is() -> None:
    alarm = read_frame(frame(frame="alarm", device="p", ref=1, kind="meteor", at="noon", location="hall"), NOW)
    assert isinstance(alarm, AlarmFrame)
    assert alarm.fields == {"device": "p", "kind": "meteor", "at": "noon", "location": "hall"}


def test_the_same_device_and_ref_are_one_alarm_and_others_are_not() -> None:
    def key(**fields: Any) -> str | None:
        alarm = read_frame(frame(frame="alarm", **fields), NOW)
        assert isinstance(alarm, AlarmFrame)
        return alarm.key

    assert key(device="a", ref="1") == key(device="a", ref="1", kind="fall")
    assert (
        len({key(device="a", ref="1"), key(device="b", ref="1"), key(device="a", ref="2"), key(device="a", ref=1)}) == 4
    )
    assert key(device="a") is None
    assert key(device="a", ref="x" * 5000) != key(device="a", ref="x" * 5001)


def test_readings_are_read_and_survive_a_pack() -> None:
    motion = read_frame(frame(frame="reading", device="pir-hall", measure="motion", value=True), NOW)
    warm = read_frame(
        frame(frame="reading", device="env-1", measure="temperature", value=18.5, at="2026-11-23T20:00:00+01:00"), NOW
    )
    assert motion == Reading("pir-hall", "motion", NOW, 1.0)
    assert isinstance(motion, Reading)
    assert isinstance(warm, Reading)
    assert warm.at == datetime(2026, 11, 23, 19, tzinfo=UTC)
    pack = read_pack(write_pack([motion, warm]), NOW)
    assert pack.readings == (motion, warm)
    assert pack.problems == ()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"device": "", "measure": "motion", "value": True}, "device"),
        ({"device": "a/b", "measure": "motion", "value": True}, "device"),
        ({"device": "a" * 65, "measure": "motion", "value": True}, "device"),
        ({"device": "a", "measure": "mood", "value": 1}, "measure"),
        ({"device": "a", "measure": ["x"], "value": 1}, "measure"),
        ({"device": "a", "measure": "motion", "value": 1}, "value"),
        ({"device": "a", "measure": "temperature", "value": True}, "value"),
        ({"device": "a", "measure": "temperature", "value": "warm"}, "value"),
        ({"device": "a", "measure": "temperature", "value": 10**400}, "value"),
        ({"device": "a", "measure": "motion", "value": True, "at": "noon"}, "at"),
        ({"device": "a", "measure": "motion", "value": True, "at": 5}, "at"),
        ({"device": "a", "measure": "motion", "value": True, "at": "1970-01-01T00:00:09Z"}, "at"),
    ],
)
def test_a_bad_reading_is_refused_with_the_field_named(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadFrame, match=rf"^({reason}|not JSON)"):
        read_frame(frame(frame="reading", **fields), NOW)


def test_hello_is_read() -> None:
    assert read_frame(frame(frame="hello", devices=["pendant-1"]), NOW) == Hello()


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line)), st.data())
def test_lines_come_out_however_the_bytes_come_in(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    cutter = Lines(limit=20)
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    out = [line for piece in pieces for line in cutter.feed(piece)]
    assert out == [line if len(line) <= 20 else None for line in lines]
