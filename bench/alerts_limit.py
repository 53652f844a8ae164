"""The machine's own limit for `bench.alerts`: the statements of an alert's step, without an engine that decides."""

import time
from datetime import timedelta
from typing import Final

from alerts import deadlines_store, store, taking_store
from telecare.db import Connection, database_now

_FOR_S: Final = 4.0
_FAR: Final = timedelta(days=1)  # the engine has nothing to do with them meanwhile


async def bare_steps_per_s(conn: Connection, per_commit: int) -> int:
    """Move on open alerts as fast as one connection can, so many in each commit: how many a second."""
    ids = [row[0] for row in await (await conn.execute("select id from alerts where closed_at is null")).fetchall()]
    begun, done = time.perf_counter(), 0
    while time.perf_counter() < begun + _FOR_S:
        some = [ids[(done + place) % len(ids)] for place in range(per_commit)]
        async with conn.transaction():
            now = await database_now(conn)
            await conn.execute("select id from alerts where id = any(%s) for update", (some,))
            await deadlines_store.set_deadlines(conn, [(one, now + _FAR, 0) for one in some])
            await taking_store.log_entries(conn, [(one, "system", "note", {"text": "limit"}) for one in some], now)
            await store.publish_changes(conn, some, now)
        done += per_commit
    return round(done / (time.perf_counter() - begun))
