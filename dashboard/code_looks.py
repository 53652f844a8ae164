"""Looks at the code of a key safe: each is written down, with for whom, before the code is shown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from alerts import code_store
from dashboard import store
from telecare.db import Connection

_WHAT: Final = "key-safe-code"
_THEMSELVES: Final = "their own visit"


async def look_for(
    conn: Connection, alert_id: int, asked: Mapping[str, str], by: str, now: datetime
) -> tuple[str, str]:
    """The code, for an operator to read to somebody; and to whom. Raises what `code_store.for_operator` raises."""
    why = asked["why"] if asked["reader"] == code_store.SOMEBODY_ELSE else ""
    code, home_id, whom = await code_store.for_operator(conn, alert_id, asked["reader"], asked["whom"], why, by, now)
    await store.note_access(conn, now, by, _WHAT, home_id, alert_id, whom, why)
    return code, whom


async def look(conn: Connection, visit_id: UUID, by: str, now: datetime, *, alert_id: int | None = None) -> str:
    """The code, for the responder whose visit (of that alert) is under way. Raises what `for_responder` raises."""
    code, home_id, alert = await code_store.for_responder(conn, visit_id, by, now, alert_id)
    await store.note_access(conn, now, by, _WHAT, home_id, alert, _THEMSELVES)
    return code
