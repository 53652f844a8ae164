"""The ledger: what became of each alarm of a hub, read beside the hub that runs."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

import msgspec

from gateway.outbox_alarms import instant
from telecare.clock import format_instant
from telecare.errors import CannotStart

_BUSY_S: Final = 5
_ALL: Final = """
    select seq, id, kept_at, receipt_at, status from ledger
    union all
    select seq, id, kept_at, null, null from alarms
     order by seq
"""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm: when a device was told "kept", and what the service's receipt said and when it came."""

    hub: str
    alarm: str
    seq: int
    kept_at: str
    receipt_at: str | None
    status: Literal["stored", "rejected"] | None


def entries(path: Path) -> Iterator[Entry]:
    """The alarms that the outbox at `path` knows of, in their order, all as of one instant.

    Raises:
        CannotStart: there is no outbox, it cannot be read, or no hub of this version has used it.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_BUSY_S)) as db:
            row = db.execute("select value from words where name = 'hub'").fetchone()
            if row is None:
                raise CannotStart(f"{path}: no hub has used it yet")
            # All at once: while anybody reads, the hub's log cannot be used again and grows.
            found = db.execute(_ALL).fetchall()
    except sqlite3.Error as problem:
        raise CannotStart(f"{path}: no ledger can be read there ({problem})") from problem
    for seq, alarm, kept_at, receipt_at, status in found:
        yield Entry(
            hub=row[0],
            alarm=alarm,
            seq=seq,
            kept_at=format_instant(instant(kept_at)),
            receipt_at=None if receipt_at is None else format_instant(instant(receipt_at)),
            status=status,
        )
