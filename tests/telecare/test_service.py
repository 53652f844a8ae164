"""What every service does alike: ending when it is told to, whatever fails in that moment."""

import asyncio
from contextlib import suppress

from telecare.service import still_wanted


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
                pass
            still_wanted()

    task = asyncio.create_task(loop())
    await begun.wait()
    task.cancel()
    async with asyncio.timeout(2):
        with suppress(asyncio.CancelledError):
            await task
    assert task.cancelled()


async def test_it_goes_on_where_nobody_has_told_it_to_end() -> None:
    still_wanted()
    with suppress(ExceptionGroup):
        async with asyncio.TaskGroup():
            raise OSError
    still_wanted()
