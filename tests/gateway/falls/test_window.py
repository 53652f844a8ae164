"""The window as text: what was sent comes out, and anything else is refused in words."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.falls.window import IMPACT, LEAST_SEEN, MOMENTS, decode
from telecare.trace import MISSING, BadTrace, Moment, encode

number = st.integers(-32767, 32767)
moments = st.lists(st.tuples(number, number, number, number), min_size=MOMENTS, max_size=MOMENTS)


@given(moments)
def test_what_was_sent_comes_out(made: list[Moment]) -> None:
    assert (np.rint(decode(encode(made)) * 1000) == np.array(made)).all()


def test_moments_without_samples_stay_empty() -> None:
    sent: list[Moment | None] = [(0, 1000, 0, 1000)] * MOMENTS
    sent[3] = None
    assert np.isnan(decode(encode(sent))[3]).all()
    assert np.isfinite(decode(encode(sent))).all(axis=1).sum() == MOMENTS - 1


def test_it_fits_beside_everything_else_in_an_alarm() -> None:
    assert len(encode([(1, 2, 3, 4)] * MOMENTS)) == 1600  # of 4 KiB of evidence


@given(st.text(max_size=2000))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadTrace):
        decode(text)


@given(st.binary(min_size=MOMENTS * 8, max_size=MOMENTS * 8))
def test_any_bytes_of_the_right_length_are_a_window_or_refused(raw: bytes) -> None:
    try:
        found = decode(base64.b64encode(raw).decode())
    except BadTrace:
        return
    assert found.shape == (MOMENTS, 4)
    assert np.isfinite(found[IMPACT]).all()


@pytest.mark.parametrize("seen", [range(IMPACT, IMPACT + LEAST_SEEN - 1), range(LEAST_SEEN + 1), range(0)])
def test_too_little_or_no_impact_is_refused(seen: range) -> None:
    with pytest.raises(BadTrace, match="moments"):
        decode(encode([(0, 1000, 0, 1000) if place in seen else None for place in range(MOMENTS)]))


def test_only_nothing_in_all_four_numbers_is_nothing() -> None:
    raw = np.full((MOMENTS, 4), 1000, "<i2")
    raw[5], raw[6] = (1000, MISSING, 1000, 1000), MISSING
    found = decode(base64.b64encode(raw.tobytes()).decode())
    assert found[5, 1] == MISSING / 1000
    assert np.isnan(found[6]).all()
