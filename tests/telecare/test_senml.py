"""SenML packs: RFC 8428's rules, and one bad record beside good ones."""

import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecare.errors import UnreadableMessage
from telecare.senml import Reading, read_pack, write_pack

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def pack(*records: object) -> bytes:
    return json.dumps(records).encode()


def test_the_contracts_example() -> None:
    read = read_pack(
        pack(
            {"bn": "pir-hall/", "bt": 1795473600, "n": "motion", "vb": True},
            {"n": "motion", "vb": True, "t": 41.5},
            {"bn": "env-1/", "n": "temperature", "u": "Cel", "v": 18.5},
        ),
        NOW,
    )
    assert read.problems == ()
    begin = datetime.fromtimestamp(1795473600, UTC)
    assert read.readings == (
        Reading("pir-hall", "motion", begin, 1.0),
        Reading("pir-hall", "motion", begin + timedelta(seconds=41.5), 1.0),
        Reading("env-1", "temperature", begin, 18.5),
    )


def test_a_small_time_counts_from_now() -> None:
    read = read_pack(pack({"n": "pir/motion", "vb": True, "t": -5}, {"n": "bed/occupied", "vb": False}), NOW)
    assert [r.at for r in read.readings] == [NOW - timedelta(seconds=5), NOW]


def test_a_base_value_and_a_base_unit_are_added() -> None:
    read = read_pack(pack({"bn": "env/", "bu": "Cel", "bv": 18, "n": "temperature", "v": 0.5}), NOW)
    assert [r.value for r in read.readings] == [18.5]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"n": "pir/motion"}, "not exactly one"),
        ({"n": "pir/motion", "vb": True, "v": 1}, "not exactly one"),
        ({"n": "pir/motion", "v": 1}, "needs vb"),
        ({"n": "pir/motion", "vb": 1}, "needs vb"),
        ({"n": "env/temperature", "vb": True}, "needs v"),
        ({"n": "env/temperature", "v": "warm"}, "not a number"),
        ({"n": "env/temperature", "v": True}, "not a number"),
        ({"n": "env/temperature", "v": 300, "u": "K"}, "unit"),
        ({"n": "env/mood", "v": 1}, "no such measure"),
        ({"n": "motion", "vb": True}, "name"),
        ({"n": "x" * 65 + "/motion", "vb": True}, "name"),
        ({"n": "p\u0000/motion", "vb": True}, "name"),
        ({"n": 3, "vb": True}, "not a text"),
        ({"n": "pir/motion", "vb": True, "t": 1e300}, "time"),
        ({"n": "pir/motion", "vb": True, "t": "noon"}, "not a number"),
        ({"n": "pir/motion", "vb": True, "must_": 1}, "must be understood"),
        ({"n": "pir/motion", "vb": True, "bver": 11}, "bver"),
    ],
)
def test_a_bad_record_is_named_and_the_others_stand(record: dict[str, object], why: str) -> None:
    good = {"n": "bed/occupied", "vb": True}
    read = read_pack(pack(good, record, good | {"t": -1}), NOW)
    assert len(read.readings) == 2
    assert len(read.problems) == 1
    assert read.problems[0].startswith("record 2: ")
    assert why in read.problems[0]


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"[1]", b"null", b"\xff", b"[" * 5000, b'[{"v":NaN}]'])
def test_what_is_no_pack_is_unreadable(payload: bytes) -> None:
    with pytest.raises(UnreadableMessage):
        read_pack(payload, NOW)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_clearly(payload: bytes) -> None:
    with contextlib.suppress(UnreadableMessage):
        assert read_pack(payload, NOW)


@given(
    st.lists(
        st.builds(
            Reading,
            st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True),
            st.just("temperature"),
            st.integers(1_600_000_000_000, 1_900_000_000_000).map(lambda ms: datetime.fromtimestamp(ms / 1000, UTC)),
            st.floats(-50, 100),
        ),
        min_size=1,
    )
)
def test_what_is_written_is_read_back(readings: list[Reading]) -> None:
    read = read_pack(write_pack(readings), NOW)
    assert read.problems == ()
    assert list(read.readings) == readings
