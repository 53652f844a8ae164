"""The six seconds around a fall: read out of what was sent, drawn, and put into words."""

import base64
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.fall_svg import NARROW, WIDE, draw
from dashboard.fall_trace import Span, Trace, read_trace, sentence, table
from telecare.trace import MOMENTS
from tests.dashboard.fall_evidence import NOTHING, Moment, fall, movement, pack


def trace_of(moments: list[Moment], **changes: Any) -> Trace:
    found = read_trace(fall(trace=pack(moments), **changes))
    assert found is not None
    return found


def test_a_fall_is_a_blow_and_then_stillness() -> None:
    trace = trace_of(movement(still_after=30))
    assert (trace.impact, trace.blow_g, trace.seconds) == (62, 3.4, 6.0)
    assert trace.still == (Span(1.2, 3.52),)
    assert sentence(trace) == (
        "Acceleration over 6 seconds: a blow of 3.4 g; still from 1.2 seconds after it until the end."
    )


def test_who_moves_on_is_not_still() -> None:
    trace = trace_of(movement(still_after=70))  # 0.7 s are left, and that is no second
    assert trace.still == ()
    assert sentence(trace) == "Acceleration over 6 seconds: a blow of 3.4 g; not still for a whole second afterwards."


def test_who_gets_up_again_was_still_until_then() -> None:
    moments = movement(still_after=10)
    moments[110:] = movement(still_after=99)[110:]
    trace = trace_of(moments)
    (still,) = trace.still
    assert (still.begin_s, still.end_s) == (0.4, pytest.approx((110 - 62) / 25, abs=0.08))
    assert "still from 0.4 to 2.0 seconds after it." in sentence(trace)


def test_stillness_that_begins_with_the_blow_is_said_in_words() -> None:
    assert "still from right after it until the end" in sentence(trace_of(movement(still_after=1)))
    moments = movement(still_after=1)
    moments[100:] = movement(still_after=99)[100:]
    assert "still from the blow to 1.6 seconds after it." in sentence(trace_of(moments))


def test_the_tail_of_a_blow_is_no_stillness() -> None:
    moments = movement(still_after=2)
    moments[63] = (490, 0, 60, 1900)  # half a g from where they then lie: a second can bear one of these
    assert trace_of(moments).still[0].begin_s == pytest.approx(0.08)


def test_where_nothing_was_measured_nothing_is_known() -> None:
    moments = movement(still_after=10)
    moments[80:140] = [NOTHING] * 60
    trace = trace_of(moments)
    assert trace.gaps == (Span(0.72, 3.12),)
    assert trace.still == ()
    assert "cannot be told; nothing was measured for 2.4 seconds of it." in sentence(trace)
    assert {row.what for row in table(trace)} >= {"the blow", "nothing measured", "not all of it measured"}


def test_the_table_says_what_the_picture_shows() -> None:
    rows = table(trace_of(movement(still_after=30)))
    assert [(row.when, row.most_g, row.what) for row in rows[4:9]] == [
        ("0.5 to 0 s before", "1.2", ""), ("0 to 0.5 s after", "3.4", "the blow"), ("0.5 to 1 s after", "1.4", ""),
        ("1 to 1.5 s after", "1.4", "partly still"), ("1.5 to 2 s after", "1.0", "still"),
    ]  # fmt: skip
    assert (rows[0].when, rows[-1].when, len(rows)) == ("2.5 to 2 s before", "3 to 3.5 s after", 12)


@pytest.mark.parametrize("impact", [0, 1, 12, 62, 137, 149])
def test_the_blow_may_be_anywhere_in_it(impact: int) -> None:
    trace = trace_of(movement(), trace_impact=impact)
    assert [row.what.startswith("the blow") for row in table(trace)].count(True) == 1
    assert sentence(trace)
    assert "blow" in draw(trace)


def test_what_is_not_said_is_as_the_contract_has_it() -> None:
    assert read_trace(fall(trace_hz=None, trace_impact=None)) == read_trace(fall())
    assert read_trace(fall(trace_hz=25.0)) == read_trace(fall())


WHOLE = fall()["trace"]


@pytest.mark.parametrize(
    "changes",
    [
        {"trace": None}, {"trace": ""}, {"trace": "x"}, {"trace": WHOLE[:-4]}, {"trace": WHOLE + "AAAA"},
        {"trace": WHOLE[:-1] + "="}, {"trace": "=" * 1600}, {"trace": "é" * 1600}, {"trace": " " + WHOLE[1:]},
        {"trace": WHOLE.replace("A", "-")}, {"trace": "x" * 4000}, {"trace": 7}, {"trace": [WHOLE]},
        {"trace": WHOLE.encode().hex()}, {"trace": {"trace": WHOLE}}, {"trace": pack(movement(moments=149))},
        {"trace": pack([NOTHING] * MOMENTS)},  # nothing to show
        {"trace": pack([*movement()[:62], NOTHING, *movement()[63:]])},  # no blow to show
        {"trace": pack([(0, 0, 0, -1), *movement()[1:]])},  # a length below nothing
        {"trace": pack([(-32768, 0, 0, 1000), *movement()[1:]])},  # an axis that is missing alone
        {"trace_hz": 0}, {"trace_hz": -25}, {"trace_hz": 50}, {"trace_hz": 10**400}, {"trace_hz": "25"},
        {"trace_hz": float("nan")}, {"trace_hz": float("inf")}, {"trace_hz": [25]}, {"trace_hz": True},
        {"trace_impact": -1}, {"trace_impact": 150}, {"trace_impact": 10**400}, {"trace_impact": 62.0},
        {"trace_impact": "62"}, {"trace_impact": True}, {"trace_impact": {}},
    ],
)  # fmt: skip
def test_what_can_be_no_trace_is_none(changes: dict[str, Any]) -> None:
    assert read_trace(fall(**changes)) is None


@pytest.mark.parametrize("evidence", [None, [], "trace", 7, {}])
def test_evidence_that_is_none_has_no_trace(evidence: Any) -> None:
    assert read_trace(evidence) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
packed = st.binary(min_size=1200, max_size=1200) | st.binary(max_size=1300)
# Mostly small numbers, so that stillness, gaps and blows meet; and the edges of what 16 bits hold.
numbers = st.integers(-1200, 1200) | st.sampled_from([-32768, -32767, 32767])
moments = st.tuples(numbers, numbers, numbers, st.integers(0, 32767)) | st.just(NOTHING)
traces = (
    st.lists(moments, min_size=MOMENTS, max_size=MOMENTS).map(pack)
    | st.tuples(st.lists(moments, max_size=8), st.integers(0, 140)).map(
        lambda found: pack([*movement()[: found[1]], *found[0], *movement()[found[1] + len(found[0]) :]][:MOMENTS])
    )
    | packed.map(lambda written: base64.b64encode(written).decode())
)


@given(trace=traces | anything, hz=st.just(25) | anything, impact=st.integers(-2, 152) | anything)
def test_no_trace_stops_the_page(trace: Any, hz: Any, impact: Any) -> None:
    found = read_trace({"trace": trace, "trace_hz": hz, "trace_impact": impact})
    if found is None:
        return
    assert len(found.lengths_g) == MOMENTS
    assert 0 <= found.blow_g <= 32.767
    known = [length for length in found.lengths_g if length is not None]
    assert all(math.isfinite(length) and length >= 0 for length in known)
    ends = [0.0]
    for span in found.still:
        assert ends[-1] < span.begin_s <= span.end_s - 1 <= found.end_s - 1
        ends.append(span.end_s)
    assert sentence(found).startswith("Acceleration over 6 seconds: a blow of ")
    assert all(re.fullmatch(r"\d+\.\d|–", row.most_g) for row in table(found))
    for width in (WIDE, NARROW):
        drawn = draw(found, width)
        places = [float(number) for number in re.findall(r'(?<=[xy]=")[-\d.]+|(?<=[ML])[-\d.]+(?= )', drawn)]
        assert all(0 <= place <= width for place in places)
        assert "nan" not in drawn
        assert "inf" not in drawn
        assert drawn.count("still</text>") == len(found.still)


def test_the_picture_says_its_numbers() -> None:
    trace = trace_of(movement())
    drawn = draw(trace)
    for said in ("blow 3.4 g", ">still<", "−2 s", ">0 s<", ">3 s<", ">1<", ">4<", ">g<", 'role="img"', "aria-label="):
        assert said in drawn, said
    assert "style=" not in drawn  # the content-security policy forbids it


def test_a_small_blow_looks_small() -> None:
    assert ">2<" in draw(trace_of(movement(blow_mg=1500)))
    assert ">40<" in draw(trace_of(movement(blow_mg=32767)))
