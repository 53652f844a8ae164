"""A small service for each test, and a dashboard that listens."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from dashboard.static import NotFetched, StaticFiles
from telecare.db import Pool
from telecare.embedded import postgres as embedded
from telecare.register import councils
from telecare.vocabulary import Role
from tests.dashboard.outcomes.town import Town
from tests.dashboard.world import World, listening, settings_for

Away = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture(scope="session", autouse=True)
def design_system(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The design system's files, fetched once for all test processes; without them the pages are plain."""
    files = StaticFiles(tmp_path_factory.getbasetemp())
    if files.is_complete:
        return
    with (tmp_path_factory.getbasetemp().parent / "design-system.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not files.is_complete:
            try:
                asyncio.run(files.fetch())
            except NotFetched as problem:
                print(f"the design system could not be fetched: {problem}")


@pytest.fixture
async def world(pool: Pool, database_url: str, tmp_path: Path) -> World:
    """A database with one member of staff in each role, and one home."""
    world = World(pool, settings_for(database_url, tmp_path))
    await world.add_staff(*Role)
    await world.add_home("hub-1")
    return world


@pytest.fixture
async def served(world: World) -> AsyncIterator[World]:
    """The same with a dashboard that listens."""
    async with listening(world.settings) as base:
        world.base = base
        yield world


@pytest.fixture
async def client(served: World) -> AsyncIterator[httpx.AsyncClient]:
    """A program without a token."""
    async with httpx.AsyncClient(base_url=served.base, timeout=20) as opened:
        yield opened


@pytest.fixture
async def town(served: World) -> Town:
    """Mary of Anytown, Ravi of Otherham, and a commissioner of each council beside the one of all."""
    await served.add_home("hub-2", "Ravi Patel", council="Otherham Council")
    town = Town(served)
    async with served.pool.connection() as conn:
        for name in ("Anytown Council", "Otherham Council"):
            council = await councils.council_named(conn, name)
            town.councils[name.split(" ")[0].lower()] = council.id
        await councils.set_reference(conn, served.people["hub-1"], town.councils["anytown"], "AT-0000")
        await councils.set_reference(conn, served.people["hub-2"], town.councils["otherham"], "OH-0000")
    await town.add_commissioner("anytown")
    await town.add_commissioner("otherham")
    return town


@pytest.fixture
def away(postgres: embedded.Postgres, database_url: str) -> Away:
    """For a while, the database throws everybody out and lets nobody in."""
    name = sql.Identifier(database_url.rsplit("/", 1)[1])

    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        async with await psycopg.AsyncConnection.connect(postgres.superuser_url, autocommit=True) as conn:
            await conn.execute(sql.SQL("alter database {} allow_connections false").format(name))
            await conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                (database_url.rsplit("/", 1)[1],),
            )
            try:
                yield
            finally:
                await conn.execute(sql.SQL("alter database {} allow_connections true").format(name))

    return outage
