"""Raising the levels of alerts whose time has come: by age, by presses, by time on the floor.

`alerts.rises_at` is the deadline; the database sets it to the past when something has changed on which a rise depends
(levels_only_rise), so that the next step looks at it again.
"""

import logging
from datetime import datetime

from alerts import policy_store, store
from alerts.policy import rise
from alerts.policy_store import Editions
from alerts.taking_store import Entry, log_entries
from telecare.db import Connection

log = logging.getLogger("alerts")


async def raise_levels(conn: Connection, editions: Editions, now: datetime) -> bool:
    """Look at the alerts whose level may rise now; False where there is none. The caller holds the transaction.

    Each goes by the policy that it was raised by. What rises sounds again for everyone and says why.
    """
    waiting = await policy_store.next_rising(conn, now)
    if not waiting:
        return False
    policies = await editions.of(conn, {one.policy_id for one in waiting})
    steps = [(one, rise(policies[one.policy_id].policy, one.facts, now)) for one in waiting]
    await policy_store.set_levels(conn, steps)
    entries: list[Entry] = []
    for one, step in steps:
        if step.level < one.facts.level:
            words = f"level {int(one.facts.level)} to {int(step.level)}: {', '.join(step.why)}"
            detail = {
                "because": words,
                "from": int(one.facts.level),
                "level": int(step.level),
                "policy": policies[one.policy_id].name,
            }
            entries.append((one.id, "system", "re-sounded", detail))
            log.info("level rose", extra={"event": "level_rose", "alert": one.id, "level": int(step.level)})
    if entries:
        await log_entries(conn, entries, now)
        await store.publish_changes(conn, [entry[0] for entry in entries], now)
    return True
