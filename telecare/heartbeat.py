"""A service's own word that it lives, kept in the database."""

from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.types.json import Jsonb

from telecare.db import Connection

EVERY_S: Final = 2.0  # how often a service says so
STALE_AFTER_S: Final = 10.0  # older than this, it is not believed


BEAT: Final = """
    insert into service_heartbeats as old (service, at, detail, well_since)
    values (%(service)s, clock_timestamp(), %(detail)s, case when %(well)s then clock_timestamp() end)
    on conflict (service) do update
       set at = excluded.at, detail = excluded.detail,
           well_since = case when excluded.well_since is null then null
                             when old.at < excluded.at - make_interval(secs => %(stale_s)s) then excluded.well_since
                             else coalesce(old.well_since, excluded.well_since) end
     where %(well)s or old.detail ->> 'who' is not distinct from %(who)s
        or old.at < excluded.at - make_interval(secs => %(stale_s)s)
"""


async def beat(conn: Connection, service: str, detail: dict[str, Any]) -> None:
    """Say that `service` lives; `detail` says what it can do, for example `{"subscribed": true}`.

    Several processes may be one service: `who` in `detail` tells them apart. While one of them is well, the service is.
    """
    well = detail.get("subscribed") is not False
    values = {
        "service": service,
        "detail": Jsonb(detail),
        "well": well,
        "stale_s": STALE_AFTER_S,
        "who": detail.get("who"),
    }
    await conn.execute(BEAT, values)


async def well_since(conn: Connection, service: str, now: datetime) -> datetime | None:
    """Since when `service` has been doing its work without a break; None where it does not do it now."""
    row = await (
        await conn.execute("select at, well_since from service_heartbeats where service = %s", (service,))
    ).fetchone()
    if row is None or row[1] is None or now - row[0] > timedelta(seconds=STALE_AFTER_S):
        return None
    since: datetime = row[1]
    return since
