"""UUIDv7: the order of the ids is the order of their making."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

from telecare.ids import uuid7


def test_many_of_one_moment_are_in_order_and_none_is_made_twice() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid7() for _ in range(20_000)]
    assert all(one < other for one, other in itertools.pairwise(made))
    assert {one.version for one in made} == {7}
    assert before <= made[0].int >> 80
    assert made[-1].int >> 80 <= time.time_ns() // 1_000_000 + 20  # a run of many runs ahead by milliseconds at most


def test_threads_do_not_make_the_same() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: uuid7(), range(5000)))
    assert len(set(made)) == len(made)


def test_the_moment_may_be_given() -> None:
    assert uuid7(1_795_473_600_000).int >> 80 == 1_795_473_600_000
