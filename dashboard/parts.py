"""What a request needs of the running dashboard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import HTTPConnection

from dashboard.consoles import Consoles
from dashboard.login_limit import LoginLimit
from dashboard.rows import Rows
from dashboard.static import StaticFiles
from dashboard.stream import Feed
from dashboard.tasks_due import TasksDue
from dashboard.troubles import Shouts
from dashboard.views import Pages
from telecare.db import Connection, Pool, database_now
from telecare.settings import Settings

_CONNECTION_WITHIN_S: Final = 4.0  # an operator hears soon that the database is away


@dataclass(slots=True)
class Parts:
    """The running dashboard's parts."""

    settings: Settings
    static: StaticFiles
    pages: Pages
    rows: Rows
    logins: LoginLimit
    pool: Pool
    feed: Feed
    shouts: Shouts
    consoles: Consoles
    tasks_due: TasksDue
    hashing: asyncio.Semaphore  # checking a password takes 64 MiB: a few at a time


def parts_of(request: HTTPConnection) -> Parts:
    """The parts of the dashboard that answers this request."""
    found: Parts = request.app.state.parts
    return found


@asynccontextmanager
async def database(request: HTTPConnection) -> AsyncIterator[tuple[Connection, datetime]]:
    """A connection and the database's time. What was done is committed on the way out."""
    async with parts_of(request).pool.connection(_CONNECTION_WITHIN_S) as conn:
        yield conn, await database_now(conn)
