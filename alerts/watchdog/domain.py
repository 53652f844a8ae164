"""What is a trouble, when it begins and ends, and when the engineer on call is told. Plain decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from alerts.leases import Screens
from telecare.heartbeat import STALE_AFTER_S

SERVICE: Final = "watchdog"  # as it calls itself in its heartbeat
SERVICES: Final = (
    "ingest",
    "ingest-readings",
    "ingest-states",
    "alerts",
    "detection",
)  # without any one of them something is missed
CARRY_ON: Final = "Alarms may not be reaching this screen. Ring the engineer on call now"
COME_BACK: Final = "Ring the monitoring centre: somebody opens the list of alerts at once"
RESTART: Final = "The engineer on call restarts it and reads its log"
EMPTY_ROOM: Final = "screens:none"  # the key of that trouble, of which those on call hear (alerts/ringing.py)
_TRY_FIRST: Final = timedelta(seconds=2)  # before the engineer is told again when nobody took it; doubles
_TRY_MOST: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that is wrong. `key` is `source:what`; `words` and `advice` are what people read.

    `grave`: alarms may not be reaching people now. What is not grave is something that has been, and is shown quietly.
    """

    key: str
    words: str
    advice: str = CARRY_ON
    grave: bool = True
    patience: timedelta = timedelta()  # found for this long before it counts

    @property
    def source(self) -> str:
        """Which of the watchdog's looks finds it."""
        return self.key.partition(":")[0]


# ---------------------------------------------------------------- the test press


@dataclass(frozen=True, slots=True)
class Journey:
    """How far a test press came: for each step the seconds from the press, or None where it was not seen in time."""

    connected: bool = False  # the broker let us in
    receipt_s: float | None = None
    looked: bool = True  # the database let us look for the alert
    alert_s: float | None = None
    shown_s: float | None = None

    @property
    def missing(self) -> str:
        """The first step that was not seen, in words; '' where the press arrived."""
        if not self.connected:
            return "the broker does not let us in"
        if self.receipt_s is None:
            return "nobody says that it is stored (ingest or the database)"
        if not self.looked:
            return "it is stored, and the watchdog cannot look for its alert in the database"
        if self.alert_s is None:
            return "it is stored and becomes no alert (the alert engine)"
        if self.shown_s is None:
            return "it is an alert, and the pages do not answer or have not read it (the dashboard)"
        return ""

    @property
    def arrived(self) -> bool:
        return self.missing == ""

    @property
    def took_s(self) -> float | None:
        """Seconds until the last step."""
        steps = [step for step in (self.receipt_s, self.alert_s, self.shown_s) if step is not None]
        return max(steps) if self.arrived else None


def trouble_of_press(journey: Journey, within_s: float) -> list[Trouble]:
    """The trouble of a press that did not arrive."""
    if journey.arrived:
        return []
    return [Trouble(key="press:lost", words=f"A test press did not arrive in {within_s:g} s: {journey.missing}.")]


# ---------------------------------------------------------------- what a look finds


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the database says of the alert path."""

    unplaced: int  # alarms that have been in no alert for too long
    oldest_s: float | None  # how long the oldest of them
    overdue_s: float | None  # how far the most overdue open alert is past its deadline
    beats: Mapping[str, tuple[datetime, Mapping[str, Any]]]  # by service: when it last said that it lives, and what


def troubles_of_signs(signs: Signs, now: datetime, *, overdue_after_s: float, patience_s: float) -> list[Trouble]:
    """What is wrong with the alert path, by what the database says."""
    found = []
    if signs.unplaced:
        some = "1 alarm is" if signs.unplaced == 1 else f"{signs.unplaced} alarms are"
        words = f"{some} in no alert, the oldest for {signs.oldest_s or 0:.0f} s."
        found.append(Trouble(key="signs:unplaced", words=words))
    if signs.overdue_s is not None and signs.overdue_s > overdue_after_s:
        words = f"An alert is {signs.overdue_s:.0f} s past its deadline: nothing moves on by itself."
        found.append(Trouble(key="signs:overdue", words=words))
    for service in SERVICES:
        beat = signs.beats.get(service)
        if why := _silent(beat, now):
            found.append(Trouble(key=f"signs:{service}", words=f"The service {service} {why}."))
        elif beat is not None and beat[1].get("subscribed") is not True:
            # It comes back to a broker that was started again within seconds.
            words, patience = f"The service {service} does not hear its messages.", timedelta(seconds=patience_s)
            found.append(Trouble(key=f"signs:{service}", words=words, patience=patience))
    return found


def trouble_of_screens(
    screens: Screens, now: datetime, *, counted_from: datetime | None, with_alerts_s: float, idle_s: float
) -> list[Trouble]:
    """The trouble that nobody can see an alert: no screen of an operator or supervisor is connected (PRACTICE A10).

    Where there never was one (in a demo: since `counted_from`, its start), nobody is missed. A dashboard that has come
    back gives the screens the whole time anew.
    """
    seen = screens.last_seen
    if seen is None or (counted_from is not None and seen < counted_from):
        return []
    gone = now - max(seen, screens.working_since or seen)
    is_awaited = screens.open_since is not None
    if gone <= timedelta(seconds=with_alerts_s if is_awaited else idle_s):
        return []
    what = "alerts are open, and " if is_awaited else ""
    words = f"{what}no operator's or supervisor's screen has been connected for {gone.total_seconds():.0f} s."
    return [Trouble(key=EMPTY_ROOM, words=f"{words[0].upper()}{words[1:]}", advice=COME_BACK)]


def _silent(beat: tuple[datetime, Mapping[str, Any]] | None, now: datetime) -> str:
    if beat is None:
        return "has never said that it lives"
    return "no longer says that it lives" if now - beat[0] > timedelta(seconds=STALE_AFTER_S) else ""


def out_of_reach(what: Literal["database", "broker"], patience_s: float) -> Trouble:
    """The trouble of a database or broker that does not answer."""
    words = f"The {what} cannot be reached: no alarm can be taken."
    return Trouble(key=f"{what}:away", words=words, patience=timedelta(seconds=patience_s))


def cannot_write(why: str) -> Trouble:
    """The trouble of a database that answers and takes nothing."""
    return Trouble(key="database:mute", words=f"The database takes nothing ({why}): no alarm can be stored.")


# ---------------------------------------------------------------- the board


@dataclass(frozen=True, slots=True)
class Open:
    """A trouble that lasts."""

    trouble: Trouble
    begun_at: datetime
    told_at: datetime | None = None  # when the engineer was last told


@dataclass(slots=True)
class Board:
    """What is wrong now. Held in memory, so that it is known while the database is away.

    Until `settled_at` (our own start and the others') nothing new begins; what lasted when we started may end.
    """

    settled_at: datetime
    open: dict[str, Open] = field(default_factory=dict)
    well_since: datetime | None = None  # since when nothing grave has been open; None: something is
    _first_found: dict[str, datetime] = field(default_factory=dict)

    def found(self, source: str, troubles: Sequence[Trouble], now: datetime) -> list[tuple[Open, datetime | None]]:
        """What one look finds replaces what it found before. What has begun (None) and what has ended (when)."""
        found = {trouble.key: trouble for trouble in troubles}
        changes: list[tuple[Open, datetime | None]] = []
        for key in [key for key, one in self.open.items() if one.trouble.source == source and key not in found]:
            changes.append((self.open.pop(key), now))
        for key in [key for key in self._first_found if key.startswith(f"{source}:") and key not in found]:
            del self._first_found[key]
        for key, trouble in found.items():
            first = self._first_found.setdefault(key, now)
            if key in self.open:
                self.open[key] = replace(self.open[key], trouble=trouble)  # its words may tell a longer time
            elif now >= max(first + trouble.patience, self.settled_at):
                self.open[key] = Open(trouble, first)
                changes.append((self.open[key], None))
        self._keep_time(now)
        return changes

    def adopt(self, open_before: Sequence[Open], now: datetime) -> None:
        """What lasted when the one before us ended lasts until a look finds it gone."""
        for one in open_before:
            self.open.setdefault(one.trouble.key, one)
        self._keep_time(now)

    def grave(self) -> list[Open]:
        """What keeps alarms from people, oldest first."""
        return sorted((one for one in self.open.values() if one.trouble.grave), key=lambda one: one.begun_at)

    def told(self, keys: Sequence[str], now: datetime) -> None:
        """The engineer has been told of these."""
        for key in keys:
            if key in self.open:
                self.open[key] = replace(self.open[key], told_at=now)

    def _keep_time(self, now: datetime) -> None:
        if self.grave():
            self.well_since = None
        elif self.well_since is None:
            self.well_since = now


# ---------------------------------------------------------------- telling the engineer

About = Literal["trouble", "clear"]


@dataclass(frozen=True, slots=True)
class OnCall:
    """What the engineer has been told and not been told to be over, and how the last attempt went."""

    told: frozenset[str] = frozenset()
    told_at: datetime | None = None
    attempts: int = 0  # that nobody took
    next_try_at: datetime | None = None

    def due(self, board: Board, now: datetime, repeat: timedelta, clear_after: timedelta) -> About | None:
        """What they are to be told now."""
        if self.next_try_at is not None and now < self.next_try_at:
            return None
        lasting = {one.trouble.key for one in board.grave()}
        if lasting:
            is_news = not lasting <= self.told
            return "trouble" if is_news or self.told_at is None or now - self.told_at >= repeat else None
        is_over = board.well_since is not None and now - board.well_since >= clear_after
        return "clear" if self.told and is_over else None

    def taken(self, about: About, keys: frozenset[str], now: datetime) -> "OnCall":
        """Somebody has taken the message. What ended meanwhile stays told until all is clear: no message a flicker."""
        return OnCall(self.told | keys if about == "trouble" else frozenset(), now)

    def not_taken(self, now: datetime) -> "OnCall":
        """Nobody has: try again, a little later each time."""
        wait = min(_TRY_FIRST * 2 ** min(self.attempts, 10), _TRY_MOST)
        return replace(self, attempts=self.attempts + 1, next_try_at=now + wait)


def body_of(about: About, troubles: Sequence[Open], service: str, now: datetime) -> str:
    """What the engineer reads, short enough for a telephone."""
    if about == "clear":
        return f"{service}: all clear. Test presses arrive again, and nothing is late or silent."
    lines = [f"{one.trouble.words} Since {_minutes(now - one.begun_at)}." for one in troubles[:3]]
    more = f" And {len(troubles) - 3} more." if len(troubles) > 3 else ""
    return f"{service}: alarms may not reach people. {' '.join(lines)}{more}"


def _minutes(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    return f"{minutes} min" if minutes else f"{max(int(length.total_seconds()), 0)} s"


def silent_after_s(look_every_s: float) -> float:
    """Seconds after which a watchdog that has said nothing counts as silent: three looks, each with its timeouts."""
    return 3 * look_every_s + 5
