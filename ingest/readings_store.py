"""Every SQL statement that ingest sends about readings and their series."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from psycopg import Rollback

from telecare.arrays import Float8s, Instants, Int4s
from telecare.db import Connection

Name = tuple[str, str, str]  # hub, device, measure


async def series_ids(conn: Connection, names: Sequence[Name]) -> dict[Name, int]:
    """The number of each series, made where it is new; a hub that is not enrolled has none."""
    columns = [list(column) for column in zip(*names, strict=True)]
    await conn.execute(
        """insert into series (hub, device, measure)
           select h.name, n.device, n.measure
             from unnest(%b::text[], %b::text[], %b::text[]) n (hub, device, measure) join hubs h on h.name = n.hub
           on conflict do nothing""",
        columns,
    )
    rows = await (
        await conn.execute(
            """select s.hub, s.device, s.measure, s.id
                 from unnest(%b::text[], %b::text[], %b::text[]) n (hub, device, measure)
                 join series s using (hub, device, measure)""",
            columns,
        )
    ).fetchall()
    return {(row[0], row[1], row[2]): row[3] for row in rows}


_GIVEN: Final = "unnest(%b::integer[], %b::timestamptz[], %b::float8[]) n (series_id, at, value)"
_INSERT: Final = f"""
    insert into readings (series_id, at, value, received_at)
    select n.series_id, n.at, n.value, %b from {_GIVEN} on conflict do nothing
"""  # noqa: S608
# What was new goes into the feed of roll-ups and detection (telecare.feed) in the same transaction.
_FEED_ALL: Final = "insert into readings_feed (received_at, series_ids, ats, vals) values (%b, %b, %b, %b)"
_SAVE_MIXED: Final = f"""
    with fresh as ({_INSERT} returning series_id, at, value, received_at),
    fed as (
        insert into readings_feed (received_at, series_ids, ats, vals)
        select min(received_at), array_agg(series_id), array_agg(at), array_agg(value) from fresh having count(*) > 0)
    select count(*) from fresh
"""  # noqa: S608


@dataclass(slots=True)
class Columns:
    """Readings, a list for each column: the series' number, microseconds since 1970, the value."""

    series: list[int] = field(default_factory=list)
    at_us: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, series: int, at_us: int, value: float) -> None:
        """One more."""
        self.series.append(series)
        self.at_us.append(at_us)
        self.values.append(value)


async def save_readings(conn: Connection, readings: Columns, now: datetime) -> int:
    """Store readings; the same one twice is one. How many were new.

    Nearly always all are new, and what came is what the feed gets. Only where some were stored before does it have to
    be asked which: that costs half as much again.
    """
    if not readings.series:
        return 0
    columns = (Int4s(readings.series), Instants(readings.at_us), Float8s(readings.values))
    async with conn.transaction() as attempt:
        cursor = await conn.execute(_INSERT, (now, *columns))
        if cursor.rowcount == len(readings.series):
            await conn.execute(_FEED_ALL, (now, *columns))
            return cursor.rowcount
        raise Rollback(attempt)
    saved = await (await conn.execute(_SAVE_MIXED, (now, *columns))).fetchone()
    assert saved is not None
    return int(saved[0])
