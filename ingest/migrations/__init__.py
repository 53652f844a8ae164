"""What ingest keeps: alarms, readings, hub states, and what could not be read."""

from typing import Any

import psycopg

ORDER = 1  # after the register


def after_migrating(conn: psycopg.Connection[Any]) -> str | None:
    """Readings move into a hypertable once TimescaleDB is installed in the database; what was done, in words."""
    from ingest.partitions import move_to_timescale

    moved = move_to_timescale(conn)
    return None if moved is None else f"{moved} readings moved into a TimescaleDB hypertable"
