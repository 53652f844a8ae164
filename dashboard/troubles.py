"""What the watchdog shouts about, read once for all screens; and that the watchdog itself says nothing."""

import asyncio
import json
import logging
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from alerts import replies_store
from alerts.watchdog.domain import CARRY_ON, RESTART, SERVICE, silent_after_s
from alerts.watchdog.store import LastPress, last_press, open_troubles
from dashboard import store
from telecare.clock import format_instant
from telecare.db import Connection, Pool, database_now
from telecare.settings import Settings

log = logging.getLogger(__name__)

READ_EVERY_S: Final = 1.0
_READ_WITHIN_S: Final = 4.0
STRAYS_OF: Final = timedelta(days=1)
AWAY: Final = "The database cannot be reached: no alarm can be taken."


@dataclass(frozen=True, slots=True)
class Shout:
    """A trouble as a page shows it."""

    words: str
    advice: str
    grave: bool
    since: str | None  # RFC 3339


def why_silent(beats: dict[str, Any], press: LastPress | None, now: datetime, settings: Settings) -> str | None:
    """Why the watchdog itself cannot be relied upon; None where it can."""
    beat = beats.get(SERVICE)
    if beat is None:
        return "the watchdog has never said that it lives"
    age = now - beat["at"]
    if age > timedelta(seconds=silent_after_s(settings.watchdog_look_every_s)):
        return f"the watchdog has been silent for {age.total_seconds():.0f} s"
    # It lives and looks; does it press? Each press is written down when it has arrived, or its time is over.
    running_s = (now - (beat.get("well_since") or now)).total_seconds()
    unpressed_s = min(running_s, press.age_s) if press else running_s
    if unpressed_s > settings.watchdog_press_every_s + 2 * settings.watchdog_within_s:
        return f"the watchdog has pressed no test pendant for {unpressed_s:.0f} s"
    return None


class Shouts:
    """The troubles that last, as of a second ago. Every page shows them; every beat of the event stream holds them."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool, self._settings = pool, settings
        self._began = time.monotonic()
        self.now: tuple[Shout, ...] = ()
        self.strays = 0  # callbacks of the last day that belong to nothing we know: for administrators alone

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self.step()
            except Exception:
                # A page without its banner is worse than a line in the log.
                log.exception("troubles could not be read", extra={"event": "troubles_unread"})
            await asyncio.sleep(READ_EVERY_S)

    async def step(self) -> None:
        """Read once."""
        try:
            async with asyncio.timeout(_READ_WITHIN_S), self._pool.connection(_READ_WITHIN_S) as conn:
                self.now = tuple(await self._read(conn))
        except (psycopg.OperationalError, TimeoutError):
            self.now = (Shout(AWAY, CARRY_ON, grave=True, since=None),)

    async def _read(self, conn: Connection) -> list[Shout]:
        now = await database_now(conn)
        self.strays = await replies_store.count_strays(conn, now - STRAYS_OF)
        found = [
            Shout(one.trouble.words, one.trouble.advice, one.trouble.grave, format_instant(one.begun_at))
            for one in await open_troubles(conn)
        ]
        silent = why_silent(await store.heartbeats(conn), await last_press(conn, now), now, self._settings)
        # Both of us may just have been started: it gets as long as a press may take.
        if silent is not None and time.monotonic() - self._began > self._settings.watchdog_within_s:
            words = f"{silent[0].upper()}{silent[1:]}: nobody checks that alarms arrive."
            found.insert(0, Shout(words, f"{CARRY_ON}. {RESTART}", grave=True, since=None))
        return found

    def as_data(self) -> str:
        """What a beat of the event stream carries."""
        return json.dumps({"troubles": [asdict(one) for one in self.now]})
