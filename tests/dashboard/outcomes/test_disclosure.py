"""What is hidden stays hidden, even from somebody who knows every shown count exactly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.outcomes.disclosure import Count, Part, hidden_of, hidden_shares, rounded

FAR = 10_000  # no count in these tests is larger


def counts() -> st.SearchStrategy[tuple[object, ...]]:
    """A sum of sums: a leaf is a number, a sum a tuple."""
    leaf = st.one_of(st.integers(0, 12), st.integers(0, 40))
    return st.recursive(leaf, lambda below: st.lists(below, min_size=1, max_size=4).map(tuple), max_leaves=8).map(
        lambda found: found if isinstance(found, tuple) else (found,)
    )


def named(shape: object, name: str = "t") -> Count:
    if isinstance(shape, tuple):
        parts = tuple(named(part, f"{name}.{n}") for n, part in enumerate(shape))
        return Count(name, parts=parts, keep=len(parts) % 2 == 1)
    assert isinstance(shape, int)
    return Count(name, shape, keep=shape % 3 == 0)


def possible(total: Count, hidden: frozenset[str]) -> dict[str, tuple[int, int]]:
    """What somebody can work out who knows every shown count exactly: each count's least and most."""
    up: dict[str, tuple[int, int]] = {}  # as far as what is below says

    def below(count: Count) -> tuple[int, int]:
        lows, highs = zip(*(below(part) for part in count.parts), strict=True) if count.parts else ((1,), (FAR,))
        low, high = sum(lows), sum(highs)
        up[count.name] = (max(low, 1), high) if count.name in hidden else (count.size, count.size)
        return up[count.name]

    found = {total.name: below(total)}

    def above(count: Count) -> None:
        low, high = found[count.name]
        for part in count.parts:
            others = [up[other.name] for other in count.parts if other is not part]
            mine = up[part.name]
            least = low - sum(most for _, most in others)
            most = high - sum(least for least, _ in others)
            found[part.name] = (max(mine[0], least), min(mine[1], most))
            above(part)

    above(total)
    return found


@settings(max_examples=200)
@given(counts())
def test_no_small_count_can_be_worked_out_by_subtraction(shape: object) -> None:
    total = named(shape)
    hidden = hidden_of(total)
    open_to = possible(total, hidden)
    for count in total.walk():
        least, most = open_to[count.name]
        assert least <= count.size <= most
        if 1 <= count.size <= 7:
            assert count.name in hidden
            assert most - least >= 3, (count.name, least, most, hidden)


def test_a_second_count_is_hidden_where_a_total_would_give_one_away() -> None:
    total = Count("all", parts=(Count("home", 70), Count("not home", 12), Count("unknown", 5)))
    assert hidden_of(total) == {"unknown", "not home"}


def test_what_a_headline_stands_on_is_kept_where_something_else_can_be_hidden() -> None:
    not_home = Count("not home", parts=(Count("hospital", 4), Count("died", 2)))
    known = Count("known", parts=(Count("home", 42, keep=True), not_home))
    unknown = Count("unknown", parts=(Count("not reached", 6), Count("not asked", 4)))
    due = Count("due", parts=(known, unknown), keep=True)
    assert hidden_of(due) & {"due", "home"} == set()
    assert {"known", "not home"} <= hidden_of(due)


def test_two_hidden_ones_that_would_be_as_good_as_known_take_a_third_with_them() -> None:
    total = Count("all", parts=(Count("a", 1), Count("b", 1), Count("c", 20), Count("d", 30)))
    assert hidden_of(total) == {"a", "b", "c"}


def test_none_is_shown_and_a_total_of_one_small_part_is_hidden() -> None:
    assert hidden_of(Count("all", parts=(Count("a", 0), Count("b", 0)))) == frozenset()
    assert hidden_of(Count("all", parts=(Count("a", 3), Count("b", 0)))) == {"all", "a"}


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (8, 10), (12, 10), (13, 15), (97, 95), (98, 100)])
def test_others_are_to_the_nearest_5(count: int, shown: int) -> None:
    assert rounded(count) == shown


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=6))
def test_no_share_gives_a_small_number_away(pairs: list[tuple[int, int]]) -> None:
    parts = [Part(late + in_time, in_time) for late, in_time in pairs]
    hidden, sum_hidden = hidden_shares(parts)
    for place, part in enumerate(parts):
        assert not (part.is_small and place not in hidden)
    if hidden and not sum_hidden:
        # The sum is known, and so the sum of the hidden: neither side of one of them follows from it.
        for side in ([p.count for p in parts], [p.of - p.count for p in parts]):
            together = sum(side[place] for place in hidden)
            assert len(hidden) >= 2
            assert together == 0 or together >= 8
