"""What of the alerts' working tables is not kept. Alarms, alerts and their log are: nothing here touches them."""

from datetime import datetime, timedelta
from typing import Final

from telecare.db import Connection
from telecare.settings import Settings

_AT_A_TIME: Final = 1000  # rows, so that nobody waits for a long deletion

# The newest change stays, so that a screen's last number is always known.
_EVENTS: Final = """
    delete from alert_events where n in (
        select n from alert_events where at < %(before)s and n < (select n from alert_event_counter)
         order by n limit %(limit)s)
"""
# A command that was never sent has run out long before.
_COMMANDS: Final = """
    delete from commands where id in (select id from commands where expires_at < %(before)s limit %(limit)s)
"""
# What nobody could make anything of.
_STRAY: Final = """
    delete from stray_callbacks where content_hash in (
        select content_hash from stray_callbacks where received_at < %(before)s limit %(limit)s)
"""
# What contacts said; which answers they gave stays with the question and in the alert's log.
_REPLIES: Final = """
    delete from replies where id in (select id from replies where received_at < %(before)s limit %(limit)s)
"""
# The newest stays: the watchdog asks when a screen was last seen.
_CONSOLES: Final = """
    delete from consoles where id in (
        select id from consoles where seen_at < %(before)s and seen_at < (select max(seen_at) from consoles)
         limit %(limit)s)
"""
# A browser that its carer has not removed; how its tries went goes with it.
_DEVICES: Final = """
    delete from push_subscriptions where id in (
        select id from push_subscriptions where gone_at < %(before)s limit %(limit)s)
"""


async def retire(conn: Connection, settings: Settings, now: datetime) -> int:
    """Delete some of what has been kept long enough; how many rows went (0: nothing is left to delete).

    The caller holds a transaction.
    """
    gone = 0
    await conn.execute("select set_config('telecare.retiring', 'replies', true)")  # until the transaction ends
    for statement, days in (
        (_EVENTS, settings.events_keep_days),
        (_CONSOLES, settings.events_keep_days),
        (_COMMANDS, settings.commands_keep_days),
        (_STRAY, settings.stray_callbacks_keep_days),
        (_REPLIES, settings.replies_keep_days),
        (_DEVICES, settings.push_gone_days),
    ):
        cursor = await conn.execute(statement, {"before": now - timedelta(days=days), "limit": _AT_A_TIME})
        gone += cursor.rowcount
    return gone
