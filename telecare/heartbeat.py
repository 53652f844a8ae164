"""A service's own word that it lives, kept in the database."""

from typing import Any, Final

from psycopg.types.json import Jsonb

from telecare.db import Connection

EVERY_S: Final = 2.0  # how often a service says so
STALE_AFTER_S: Final = 10.0  # older than this, it is not believed


async def beat(conn: Connection, service: str, detail: dict[str, Any]) -> None:
    """Say that `service` lives; `detail` says what it can do, for example `{"subscribed": true}`."""
    await conn.execute(
        """insert into service_heartbeats (service, at, detail) values (%s, clock_timestamp(), %s)
           on conflict (service) do update set at = excluded.at, detail = excluded.detail""",
        (service, Jsonb(detail)),
    )
