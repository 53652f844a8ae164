"""Rows of the queue: each is drawn once for everybody, and then fitted to whoever looks.

Twenty screens that each had the whole list drawn at every change would leave the server no time for anything else.
"""

import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

from alerts import calls
from telecare.db import Connection
from telecare.vocabulary import Priority

Record = dict[str, Any]
Drawn = Callable[[Connection, Collection[Record], datetime], Awaitable[dict[int, str]]]

_FRESH_S: Final = 10.0  # a row's words hold times, which the page's script brings up to date meanwhile
_KEPT: Final = 2000  # rows
_EMPTY: Final = 'value="" data-csrf'  # what a person wrote cannot hold this: quotation marks are escaped
_OWNER: Final = re.compile(r'(<p class="owner" data-owner="([^"]*)">)[^<]*')
_CHANGES_BY_ITSELF: Final = frozenset({"wait_s", "due_at"})


class Rows:
    """Draws rows, and keeps those that it has drawn for some seconds."""

    def __init__(self, render: Callable[[str, Record], str]) -> None:
        """`render` makes text of a template and what it needs."""
        self._render = render
        self._kept: dict[int, tuple[str, float, str]] = {}  # by alert: what it shows, when it was drawn, the row

    async def draw(self, conn: Connection, records: Collection[Record], now: datetime) -> dict[int, str]:
        """The rows of alerts as the list shows them, by number."""
        alone = await calls.alone_since(conn) if records else {}
        return {one["id"]: self._row(one, alone.get(one["id"]), now) for one in records}

    def _row(self, record: Record, alone: datetime | None, now: datetime) -> str:
        shows = repr((alone, [(name, value) for name, value in record.items() if name not in _CHANGES_BY_ITSELF]))
        kept = self._kept.get(record["id"])
        if kept is not None and kept[0] == shows and time.monotonic() - kept[1] < _FRESH_S:
            return kept[2]
        context = {"alert": record, "alone": alone, "now": now, "sort": sort_key(record), "group": group(record)}
        row = self._render("_row.html", context)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[record["id"]] = (shows, time.monotonic(), row)
        return row


def sort_key(record: Record) -> str:
    """A row's place, as text: level, incidents after people, the oldest first."""
    incident, raised = int(record["incident"] is not None), record["raised_at"].timestamp()
    return f"{record['priority']}-{incident}-{raised:017.6f}-{record['id']:012d}"


def group(record: Record) -> str:
    """Which list a row is in."""
    if record["shelved_until"] is not None:
        return "shelved"
    return "technical" if record["priority"] == Priority.TECHNICAL and record["incident"] is None else "live"


def fit(rows: Mapping[int, str], username: str, csrf: str) -> dict[int, str]:
    """Rows for the member who looks: what is theirs says so, and their forms may be sent."""

    def mine(found: re.Match[str]) -> str:
        return f"{found[1]}You have this" if found[2] == username else found[0]

    filled = f'value="{csrf}"'
    return {number: _OWNER.sub(mine, row.replace(_EMPTY, filled)) for number, row in rows.items()}
