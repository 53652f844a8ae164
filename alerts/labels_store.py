"""Reads coded alarms of those who consent, and writes labelled windows as a file (docs/recordings.md)."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from alerts.labels import Coded, Label
from telecare.db import Connection
from telecare.vocabulary import Cause, Kind

_CODED: Final = """
    select a.id, a.person_id, p.born, m.received_at::date, m.kind, a.cause, m.evidence
      from alerts a
      join lateral (select given from recording_consents where person_id = a.person_id order by id desc limit 1) c
        on c.given
      join people p on p.id = a.person_id
      join alert_alarms j on j.alert_id = a.id
      join alarms m on m.id = j.alarm_id
     where a.closed_at is not null and a.past_case is null and m.kind = any(%(kinds)s)
       and jsonb_typeof(m.evidence) = 'object' and m.evidence ?| %(fields)s
     order by a.id, m.received_at, m.id
"""
_KINDS: Final = (Kind.FALL.value, Kind.BUTTON.value)
_FIELDS: Final = ("trace", "blow")


async def coded(conn: Connection) -> list[Coded]:
    """Every alarm of a closed alert with a trace, of people who let their recordings be used as of now."""
    cursor = await conn.execute(_CODED, {"kinds": list(_KINDS), "fields": list(_FIELDS)})
    return [
        Coded(alert_id, person_id, born, on, Kind(kind), Cause(cause), evidence)
        for alert_id, person_id, born, on, kind, cause, evidence in await cursor.fetchall()
    ]


async def count_consents(conn: Connection) -> int:
    """How many people let their recordings be used as of now."""
    cursor = await conn.execute(
        """select count(*) from (select distinct on (person_id) given from recording_consents
                                  order by person_id, id desc) newest where given"""
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


def pseudonyms(people: Iterable[UUID]) -> dict[UUID, str]:
    """A word for each person, drawn anew each time: two exports do not tell who is whom."""
    return {person: secrets.token_hex(6) for person in sorted(set(people))}


def write(path: Path, dataset: str, labels: Sequence[Label]) -> None:
    """Write the labels as one Parquet file that only its owner may read; what was there is replaced as a whole.

    Raises:
        OSError: it cannot be written.
    """
    import pyarrow
    import pyarrow.parquet

    columns: dict[str, Any] = {
        "dataset": pyarrow.string(), "subject": pyarrow.string(), "trial": pyarrow.string(),
        "age_group": pyarrow.string(), "position": pyarrow.string(), "is_fall": pyarrow.bool_(),
        "source": pyarrow.string(), "probability": pyarrow.float64(), "model": pyarrow.string(),
        "trace": pyarrow.string(),
    }  # fmt: skip
    rows = [{"dataset": dataset, **asdict(label), "source": label.source.value} for label in labels]
    table = pyarrow.Table.from_pylist(rows, schema=pyarrow.schema(columns))
    making = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        making.touch(mode=0o600, exist_ok=False)
        pyarrow.parquet.write_table(table, making, compression="zstd")
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)
