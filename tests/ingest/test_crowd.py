"""How many alarms a home can need, and a hub that sends more."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.crowd import Crowd


def test_a_home_may_press_many_times_at_once_and_then_goes_on_at_a_steady_pace() -> None:
    crowd = Crowd(burst=5, per_s=0.5)
    assert [crowd.crowds("h-1", 0.0) for _ in range(7)] == [False] * 5 + [True] * 2
    assert [crowd.crowds("h-1", at) for at in (1.0, 2.0, 2.5, 4.0)] == [True, False, True, False]
    assert [crowd.crowds("h-1", 1000.0) for _ in range(6)] == [False] * 5 + [True]


def test_one_hub_gone_mad_takes_nothing_from_another() -> None:
    crowd = Crowd(burst=2, per_s=1)
    assert sum(not crowd.crowds("mad", 0.0) for _ in range(1000)) == 2
    assert not crowd.crowds("other", 0.0)


def test_a_clock_that_is_put_back_takes_little_and_breaks_nothing() -> None:
    crowd = Crowd(burst=3, per_s=1)
    assert not crowd.crowds("h-1", 100.0)
    assert not crowd.crowds("h-1", 99.5)
    assert [crowd.crowds("h-1", 99.5 + n) for n in range(1, 5)] == [False] * 4


@given(st.lists(st.floats(0, 10), max_size=200))
def test_never_more_than_the_burst_and_what_has_filled_up(pauses: list[float]) -> None:
    crowd, now, let = Crowd(burst=4, per_s=0.5), 0.0, 0
    for pause in pauses:
        now += pause
        let += not crowd.crowds("h-1", now)
    assert let <= 4 + 0.5 * now + 1e-6
