"""The quick way takes what the thorough way takes, and takes it alike."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import quick
from telecare.clock import microseconds
from telecare.errors import UnreadableMessage
from telecare.senml import read_pack
from telecare.vocabulary import NUMBER_MEASURES

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

times = st.one_of(
    st.floats(1.7e9, 1.9e9), st.integers(1_700_000_000, 1_900_000_000), st.floats(-1e12, 1e12), st.just(2**28)
)
values = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.integers(-50, 50))
records = st.dictionaries(
    st.sampled_from(["n", "t", "v", "vb", "u", "bn", "bt", "bu", "bv", "vs", "bver", "x_", "pad", "s"]), values
).flatmap(
    lambda made: st.fixed_dictionaries(
        {}
        | {key: st.just(value) for key, value in made.items() if key in ("vb", "v", "bv", "bver", "vs", "pad", "x_")}
        | {key: times for key in made.keys() & {"t", "bt"}}
        | {key: st.sampled_from(["Cel", "lx", ""]) for key in made.keys() & {"u", "bu"}}
        | {
            key: st.sampled_from(["env/temperature", "pir/motion", "temperature", "/", "env/"])
            for key in made.keys() & {"n", "bn"}
        }
    )
)
plain = st.fixed_dictionaries(
    {"n": st.just("env/temperature"), "t": st.floats(1.7e9, 1.9e9), "v": st.floats(-50, 50)}
)  # fmt: skip


def thorough(payload: bytes) -> list[tuple[str, int, float]] | None:
    try:
        pack = read_pack(payload, NOW)
    except UnreadableMessage:
        return None
    if pack.problems:
        return None
    return [(f"{r.device}/{r.measure}", microseconds(r.at), r.value) for r in pack.readings]


def quickly(payload: bytes) -> list[tuple[str, int, float]] | None:
    found = quick.read(payload)
    if found is None:
        return None
    known = {"env/temperature": NUMBER_MEASURES["temperature"], "pir/motion": None}
    if not all(name in known and quick.fits(known[name], value, unit) for name, _, value, unit in found):
        return None
    return [(name, at, float(value)) for name, at, value, _ in found]


@given(st.lists(st.one_of(records, plain), min_size=1, max_size=4))
def test_what_it_takes_the_thorough_way_takes_alike(pack: list[dict[str, Any]]) -> None:
    payload = json.dumps(pack).encode()
    found = quickly(payload)
    assert found is None or found == thorough(payload)


@given(st.lists(plain, min_size=1, max_size=5))
def test_it_takes_what_is_plain(pack: list[dict[str, Any]]) -> None:
    assert quickly(json.dumps(pack).encode()) is not None


@pytest.mark.parametrize(
    "pack",
    [
        b"[]", b"{}", b"x", b"[1]", b'[{"n":"env/temperature","t":1795473600}]', b"\xff",
        b'[{"n":"env/temperature","v":1,"t":60}]', b'[{"n":"env/temperature","v":1,"vb":true,"t":1795473600}]',
        b'[{"n":"env/temperature","v":true,"t":1795473600}]', b'[{"n":"pir/motion","v":1,"t":1795473600}]',
        b'[{"n":"env/temperature","v":1,"t":1795473600,"u":"lx"}]',
        b'[{"n":"env/temperature","v":1e308,"bv":1e308,"t":1795473600}]',
        b'[{"n":"env/temperature","v":1,"t":1795473600,"must_":1}]', b'[{"n":"a/unheard-of","v":1,"t":1795473600}]',
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left(pack: bytes) -> None:
    assert quickly(pack) is None
