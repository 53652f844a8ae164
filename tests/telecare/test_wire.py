"""Reading what hubs send: an alarm never fails, everything else fails clearly."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecare.clock import format_instant, parse_instant
from telecare.errors import UnreadableMessage
from telecare.vocabulary import Kind
from telecare.wire import Alarm, Command, decode, encode, read_alarm, read_state, split_topic, topic

GOOD = {
    "id": "019386a4-7f2e-7c11-9a55-0c2f5e1d9b10",
    "seq": 1234,
    "device": "pendant-1",
    "kind": "fall",
    "at": "2026-11-23T22:41:07.123Z",
    "clock": "synced",
    "test": False,
    "location": "bathroom",
    "evidence": {"peak_g": 3.4},
}


def nested(levels: int) -> list[object]:
    """Lists in lists."""
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def written(**changes: object) -> bytes:
    return json.dumps(GOOD | changes).encode()


def test_a_good_alarm_is_read_without_doubt() -> None:
    read = read_alarm(written())
    assert read.doubts == ()
    assert read.kind is Kind.FALL
    assert read.at == datetime(2026, 11, 23, 22, 41, 7, 123000, tzinfo=UTC)
    assert str(read.uuid) == GOOD["id"]


def test_what_a_hub_encodes_is_read_back() -> None:
    alarm = Alarm(
        id="019386a4-7f2e-7c11-9a55-0c2f5e1d9b10", seq=1, device="p", kind="button", at="2026-11-23T22:41:07Z"
    )
    assert read_alarm(encode(alarm)).doubts == ()


@pytest.mark.parametrize("name", ["id", "seq", "device", "kind", "at", "clock"])
def test_a_missing_field_is_a_doubt_and_not_a_refusal(name: str) -> None:
    read = read_alarm(json.dumps({k: v for k, v in GOOD.items() if k != name}).encode())
    assert [doubt.split(":")[0] for doubt in read.doubts] == [name]


@pytest.mark.parametrize("name", list(GOOD))
@given(value=json_values)
def test_any_value_in_any_field_is_read(name: str, value: object) -> None:
    read = read_alarm(json.dumps(GOOD | {name: value}).encode("utf-8", "surrogatepass"))
    assert len(read.device) <= 64
    assert "\0" not in read.device + (read.location or "") + json.dumps(read.evidence, ensure_ascii=False)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_alarm(payload: bytes) -> None:
    assert read_alarm(payload).kind in Kind


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"kind": "explosion"}, "kind"),
        ({"device": "x" * 65}, "device"),
        ({"location": "x" * 1000}, "location"),
        ({"seq": -1}, "seq"),
        ({"seq": 2**63}, "seq"),
        ({"seq": True}, "seq"),
        ({"at": "yesterday"}, "at"),
        ({"at": "2026-11-23T22:41:07"}, "at"),
        ({"at": "2026-02-30T00:00:00Z"}, "at"),
        ({"at": "0001-01-01T00:00:00+23:59"}, "at"),
        ({"at": 0}, "at"),
        ({"evidence": {"x": "y" * 5000}}, "evidence"),
        ({"evidence": [1]}, "evidence"),
        ({"evidence": {"x": nested(32)}}, "evidence"),
        ({"kind": 7}, "kind"),
        ({"kind": ["fall"]}, "kind"),
        ({"evidence": {"x": "\0"}}, "evidence"),
        ({"test": "yes"}, "test"),
        ({"clock": "wound"}, "clock"),
        ({"id": 7}, "id"),
        ({"id": "seven"}, "id"),
        ({"id": "x" * 65}, "id"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], doubt: str) -> None:
    assert [d.split(":")[0] for d in read_alarm(written(**changes)).doubts] == [doubt]


@pytest.mark.parametrize("field", ["kind", "evidence", "device", "id", "at"])
def test_no_depth_of_nesting_stops_the_reading(field: str) -> None:
    """Between what the decoder takes and what Python can print lies a gap of some levels; it moves with the stack."""
    for levels in range(800, 1000):
        payload = b'{"id":"x","device":"p","kind":"fall","%s":%s}' % (field.encode(), b"[" * levels + b"]" * levels)
        assert read_alarm(payload).doubts


def test_evidence_of_ordinary_depth_is_kept() -> None:
    read = read_alarm(written(evidence={"x": nested(31)}))
    assert (read.evidence, read.doubts) == ({"x": nested(31)}, ())


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b"[" * 100_000, b'{"v":NaN}', b"\0"])
def test_what_is_no_object_is_an_alarm_of_unknown_kind(payload: bytes) -> None:
    read = read_alarm(payload)
    assert read.kind is Kind.UNKNOWN
    assert read.doubts


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b"[]",
        b"{",
        b'{"online": 1, "session": 1}',
        b'{"online": true, "session": -1}',
        b'{"online": true, "session": 9223372036854775808}',
        b'{"online": true, "session": 1, "at": "noon"}',
        b'{"online": true, "session": 1, "heartbeat_s": 0}',
        b'{"online": true, "session": 1, "battery": 300}',
        b'{"online": true, "session": 1, "firmware": "\\u0000"}',
        b'{"online": true, "session": 1, "network": "' + b"x" * 65 + b'"}',
    ],
)
def test_a_state_that_cannot_be_is_unreadable(payload: bytes) -> None:
    with pytest.raises(UnreadableMessage):
        read_state(payload)


def test_a_command_goes_there_and_back() -> None:
    command = Command(id="1", kind="announce", text="help-is-coming", alarm="2", expires_at="2026-11-23T22:41:07Z")
    assert decode(encode(command), Command) == command


@pytest.mark.parametrize(
    "name", ["telecare/v1/hub", "telecare/v2/hub/alarm", "x/v1/hub/alarm", "telecare/v1/HUB/alarm"]
)
def test_other_topics_are_not_ours(name: str) -> None:
    with pytest.raises(UnreadableMessage):
        split_topic(name)


def test_a_topic_is_split_as_it_was_made() -> None:
    assert split_topic(topic("hub-1", "alarm")) == ("hub-1", "alarm")


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_an_instant_is_read_as_it_was_written(instant: datetime) -> None:
    read = parse_instant(format_instant(instant))
    assert abs((read - instant).total_seconds()) < 0.001
