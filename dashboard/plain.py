"""Records as JSON: instants in RFC 3339 with Z, ids as strings."""

import math
from datetime import date, datetime
from typing import Any
from uuid import UUID

from telecare.clock import format_instant


def plain(value: Any) -> Any:
    """`value` with everything in it that JSON has no form for put into words."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
