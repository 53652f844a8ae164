"""The machine's own limits, to read a figure as a ratio: a hop through the broker, a commit, a notification."""

import asyncio
import time

from psycopg import AsyncConnection

from telecare.mqtt import client_for
from telecare.settings import Settings


async def broker_hop_ms(settings: Settings, count: int = 200) -> list[float]:
    """Publish QoS 1 to hearing it on another connection, in ms, one after another."""
    took: list[float] = []
    topic = "telecare/v1/bench/limit"
    async with client_for(settings.mqtt) as hears, client_for(settings.mqtt) as speaks:
        await hears.subscribe(topic, qos=1)
        messages = aiter(hears.messages)
        for _ in range(count):
            begun = time.perf_counter()
            publishing = asyncio.create_task(speaks.publish(topic, b"x" * 200, qos=1))
            await anext(messages)
            took.append(1000 * (time.perf_counter() - begun))
            await publishing
            await asyncio.sleep(0.002)
    return took


async def commit_ms(settings: Settings, count: int = 200) -> list[float]:
    """One row inserted and committed, in ms, one after another."""
    took: list[float] = []
    async with await AsyncConnection.connect(settings.database, autocommit=True) as conn:
        await conn.execute("create table if not exists bench_limit (id integer primary key, payload text)")
        await conn.execute("truncate bench_limit")
        for number in range(count):
            begun = time.perf_counter()
            await conn.execute("insert into bench_limit values (%s, %s)", (number, "x" * 200))
            took.append(1000 * (time.perf_counter() - begun))
        await conn.execute("drop table bench_limit")
    return took


async def notified_ms(settings: Settings, count: int = 200) -> list[float]:
    """A notification to hearing it on another connection, in ms, one after another."""
    took: list[float] = []
    async with (
        await AsyncConnection.connect(settings.database, autocommit=True) as hears,
        await AsyncConnection.connect(settings.database, autocommit=True) as speaks,
    ):
        await hears.execute("listen bench_limit")
        for _ in range(count):
            begun = time.perf_counter()
            await speaks.execute("notify bench_limit")
            async for _ in hears.notifies(stop_after=1):
                took.append(1000 * (time.perf_counter() - begun))
            await asyncio.sleep(0.002)
    return took


def percentiles(values: list[float]) -> dict[str, float]:
    """p50 and p99, as measured (nearest rank), rounded to 0.1."""
    ordered = sorted(values)
    if not ordered:
        return {}
    rank = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99)]
    return {"p50": round(rank[0], 1), "p99": round(rank[1], 1)}
