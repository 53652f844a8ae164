"""A town for a measurement: homes that are not enrolled at the broker, and presses written as ingest writes them."""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from psycopg import AsyncConnection

from ingest.domain import take_in
from ingest.store import Saved, save_alarms
from telecare.db import Connection, database_now
from telecare.errors import TelecareError
from telecare.ids import uuid7
from telecare.register.homes import NewHome, add_home
from telecare.settings import Settings

_STORED_TOGETHER: Final = 500
_WITHIN_S: Final = 300.0
_POLL_S: Final = 0.1
_MAKE: Final = (
    """insert into homes (id, council_id, address)
       select md5('home ' || n)::uuid, (select council_id from homes where id = %(model)s), n || ' Bench Street'
         from generate_series(1, %(homes)s) n""",
    """insert into people (id, home_id, name)
       select md5('person ' || n)::uuid, md5('home ' || n)::uuid, 'Person ' || n
         from generate_series(1, %(homes)s) n""",
    """insert into devices (home_id, name, kind, person_id)
       select md5('home ' || n)::uuid, 'pendant-1', 'pendant', md5('person ' || n)::uuid
         from generate_series(1, %(homes)s) n""",
    """insert into hubs (name, home_id, secret_hash)
       select 'town-' || n, md5('home ' || n)::uuid, 'none' from generate_series(1, %(homes)s) n""",
    "analyze homes, people, devices, hubs",
)


async def build(settings: Settings, homes: int) -> list[str]:
    """So many homes with one person and a pendant each: the names of their hubs."""
    async with await AsyncConnection.connect(settings.database) as conn:
        model = await add_home(conn, NewHome(address="0 Bench Street"))
        for statement in _MAKE:
            values = {"model": model, "homes": homes} if "%(" in statement else None
            await conn.execute(statement.encode(), values)
    return [f"town-{number}" for number in range(1, homes + 1)]


async def press(conn: Connection, hubs: Sequence[str]) -> None:
    """A press in each of these homes, in one commit, as ingest stores it."""
    async with conn.transaction():
        now = await database_now(conn)
        intakes = [_press(hub, now.isoformat()) for hub in hubs]
        saved = await save_alarms(
            conn, [take_in(hub, payload, now, timedelta(minutes=5)) for hub, payload in intakes], now
        )
        if saved != [Saved.NEW] * len(hubs):
            raise TelecareError("a press was not stored")


def _press(hub: str, at: str) -> tuple[str, bytes]:
    alarm = {"id": str(uuid7()), "seq": 1, "device": "pendant-1", "kind": "button", "clock": "synced", "at": at}
    return hub, json.dumps(alarm).encode()


async def press_all(conn: Connection, hubs: Sequence[str]) -> None:
    """A press in each of these homes, and wait until each is in an alert."""
    for first in range(0, len(hubs), _STORED_TOGETHER):
        await press(conn, hubs[first : first + _STORED_TOGETHER])
    await until_none(conn, "select count(*) from alarms_waiting")


async def press_steadily(conn: Connection, hubs: Sequence[str], per_s: float, begin: float) -> float:
    """One press after the other from `begin` (seconds since 1970) on; those that wait share a commit.

    Returns how many a second were stored.
    """
    done = 0
    while done < len(hubs):
        await asyncio.sleep(max(0.0, begin + done / per_s - time.time()))
        due = min(len(hubs), int((time.time() - begin) * per_s) + 1)
        await press(conn, hubs[done:due])
        done = due
    return len(hubs) / max(time.time() - begin, len(hubs) / per_s)


async def until_none(conn: Connection, query: str, *values: object) -> None:
    """Wait until this query counts nothing.

    Raises:
        TelecareError: it still does after five minutes.
    """
    deadline = time.time() + _WITHIN_S
    while time.time() < deadline:
        row = await (await conn.execute(query.encode(), values)).fetchone()
        if row is not None and row[0] == 0:
            return
        await asyncio.sleep(_POLL_S)
    raise TelecareError(f"still something after {_WITHIN_S:.0f} s: {query}")
