"""The service's own test home: nobody lives there, it is in no council, and nobody can log in as its hub.

The watchdog presses there. Who counts homes, publishes accounts or looks for silent hubs leaves it out.
"""

from typing import Final
from uuid import UUID

from telecare.db import Connection

HUB: Final = "telecare-watchdog"
HOME: Final = UUID("7e1eca4e-0000-7000-8000-000000000001")
ADDRESS: Final = "The service's own test home (nobody lives here)"

_HOME: Final = "insert into homes (id, council_id, address) values (%s, null, %s) on conflict (id) do nothing"
_HUB: Final = "insert into hubs (name, home_id, secret_hash) values (%s, %s, null) on conflict (name) do nothing"


async def make_sure(conn: Connection) -> None:
    """Make the home and its hub where they are missing."""
    await conn.execute(_HOME, (HOME, ADDRESS))
    await conn.execute(_HUB, (HUB, HOME))
