"""What every service does alike: workers that end when they are told to, and not before."""

import asyncio

import pytest

from telecare.clock import SystemClock
from telecare.service import WorkerEnded, keep_doing, run_workers


async def for_ever() -> None:
    await asyncio.sleep(60)


async def test_a_loop_that_deals_with_failures_ends_when_it_is_told_to_amid_one() -> None:
    begun = asyncio.Event()

    async def child() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("fails because it was ended")

    async def loop() -> None:
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(child())
            except* OSError:
                await asyncio.sleep(60)  # until it tries again

    stop = asyncio.Event()
    working = asyncio.create_task(run_workers(stop, loop=loop()))
    await begun.wait()
    stop.set()
    async with asyncio.timeout(5):
        await working


async def test_a_loop_that_deals_with_failures_of_a_group_goes_on() -> None:
    """Such a failure leaves the loop's task marked as told to end (Python 3.11), though nobody told it."""
    stop, rounds = asyncio.Event(), 0

    async def child() -> None:
        await asyncio.sleep(0)
        raise OSError

    async def loop() -> None:
        nonlocal rounds
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(child())
            except* OSError:
                rounds += 1
            if rounds == 3:
                stop.set()
            await asyncio.sleep(0.01)

    async with asyncio.timeout(5):
        await run_workers(stop, loop=loop(), other=for_ever())
    assert rounds >= 3


async def test_a_worker_that_ends_by_itself_is_a_failure_and_ends_the_others() -> None:
    others: list[str] = []

    async def ends() -> None:
        await asyncio.sleep(0.01)

    async def ends_as_if_told() -> None:
        raise asyncio.CancelledError

    async def other() -> None:
        try:
            await for_ever()
        finally:
            others.append("ended")

    for worker in (ends, ends_as_if_told):
        with pytest.raises(BaseExceptionGroup) as raised:
            await run_workers(asyncio.Event(), first=worker(), other=other())
        (problem,) = raised.value.exceptions
        assert isinstance(problem, WorkerEnded)
        assert "first" in str(problem)
    assert others == ["ended", "ended"]


async def test_a_worker_that_fails_is_told_with_its_failure() -> None:
    async def fails() -> None:
        raise OSError("disk")

    with pytest.raises(ExceptionGroup) as raised:
        await run_workers(asyncio.Event(), first=fails(), other=for_ever())
    assert [str(problem) for problem in raised.value.exceptions] == ["disk"]
    assert len(asyncio.all_tasks()) == 1


async def test_who_runs_workers_and_is_cancelled_leaves_none_behind() -> None:
    working = asyncio.create_task(run_workers(asyncio.Event(), one=for_ever(), two=for_ever()))
    await asyncio.sleep(0.01)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("turns", range(4))
async def test_a_loop_that_is_woken_in_the_moment_in_which_it_is_ended_ends(turns: int) -> None:
    wake, began = asyncio.Event(), asyncio.Event()

    async def step() -> bool:
        began.set()
        return False

    doing = asyncio.create_task(keep_doing(step, wake, SystemClock(), 60, "test"))
    await began.wait()
    await asyncio.sleep(0.01)
    wake.set()
    for _ in range(turns):  # of the event loop, until what it waits for has come and it has not yet run on
        await asyncio.sleep(0)
    doing.cancel()
    await asyncio.wait([doing], timeout=1)
    assert doing.cancelled()
