"""What must hold after every step, judged from outside: from the log, the clock and what the telephones were given.

The judge has its own idea of an alert, built from the log alone, and its own numbers for how long anybody may wait. It
trusts no deadline that the product has written down for itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.simulation import watch_asks, watch_leases, watch_time
from tests.simulation.broken import ASKED, LOG, PLACE, RECEIPT, Broken
from tests.simulation.case import Case
from tests.simulation.look import LOOK, Seen
from tests.simulation.watch_messages import Messages

if TYPE_CHECKING:
    from tests.simulation.world import World

AFTER_THE_END = frozenset({"alarm-joined", "notify-failed", "reviewed", "corrected"})
_NOTES = (("note", "system"), ("note", "contact"))  # of visits; of what was pressed in a call and not understood


class Watch:
    """Looks after every step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cases: dict[int, Case] = {}  # the open ones, and those closed in the last step
        self.closed: dict[int, Case] = {}  # the last few, for stale screens
        self.log = 0
        self.presses: dict[str, str | None] = {}  # alarms whose place is not known yet: whose case each is
        self.messages, self.answers = Messages(self), watch_asks.Answers()
        self.seen = Seen({}, 0, [], [], [], [], [], [])
        self.alerts = self.looks = 0
        self._points = -1
        self.broken: Broken | None = None  # found while a message was handed over

    async def look(self, *, settled: bool) -> None:
        """Judge. `settled`: an engine is up and has nothing left that is due.

        Raises:
            Broken: an invariant does not hold.
        """
        if self.broken is not None:
            raise self.broken
        if self.fresh(settled):
            return
        values = {"log": self.log, "presses": list(self.presses), "unfinished": list(self.messages.unfinished)}
        row = await (await self.world.watcher.execute(LOOK, values)).fetchone()
        assert row is not None
        found = {name: value or [] for name, value in row[0].items()}
        self.looks += 1
        now = self.world.now.timestamp()
        for entry in found["log"]:
            self.log = entry[0]
            self._read(*entry[1:])
        self.seen = Seen(
            {one["id"]: one for one in found["alerts"]}, found["waiting"] or 0, found["asks"], found["calls"],
            found["messages"], found["visits"], found["services"], found["ladders"],
        )  # fmt: skip
        self.answers.judge(self.seen.asks)
        self._explained()
        watch_asks.told_the_end(self)
        self._find_places(found["places"])
        self.messages.find()
        self._judge(now, settled)
        for number in [n for n, case in self.cases.items() if case.closed]:
            self.closed[number] = self.cases.pop(number)
            if len(self.closed) > 5:
                del self.closed[next(iter(self.closed))]

    def fresh(self, settled: bool) -> bool:
        """Nothing has been said to the database since the last look: only time has passed."""
        points = sum(pool.line.points for pool in self.world.lines)
        if points != self._points:
            self._points = points
            return False
        if settled:
            self._judge(self.world.now.timestamp(), settled)
        return True

    def _read(self, number: int, at: float, who: str, what: str, detail: dict[str, Any]) -> None:
        self.world.trace(f"{number} {at:.6f} {who} {what}")
        if what == "raised":
            if number in self.cases:
                raise Broken(LOG, f"alert {number} is raised twice")
            self.cases[number] = Case(number, raised=at, waiting=at)
            self.alerts += 1
        case = self.cases.get(number) or self.closed.get(number)
        # A telephone call, and the report of a visit, may outlast the alert.
        later = what in AFTER_THE_END or "line" in detail or (what, who) in _NOTES
        if case is None:
            if not later:
                raise Broken(LOG, f"alert {number}: {what} by {who}, and it is over, or was never raised")
            return
        if case.closed and not later:
            raise Broken(LOG, f"alert {number}: {what} by {who} after it was closed")
        if self.answers.receipt and who not in ("system", "device"):
            raise Broken(RECEIPT, f"alert {number}: {what} by {who}, by a receipt", case.story)
        if case.passed and what not in ("notified", "notify-failed", "note"):
            raise Broken(ASKED, f"alert {number}: a contact did not answer, and what comes next is {what}")
        words = detail.get("text") or detail.get("because") or ""
        case.story = [*case.story[-14:], f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M:%S} {who}: {what} {words}"]
        if what == "claim-expired":
            watch_leases.expired(self.world, case, at, detail)
        case.fold(at, who, what, detail)
        case.last = max(case.last, at)
        case.said.add(what)
        if what in watch_time.SOUNDS:
            watch_time.sounds(self, case, at, who, what)

    def _explained(self) -> None:
        """The row says what the log says."""
        for number, row in self.seen.alerts.items():
            case = self.cases.get(number) or self.closed.get(number)
            if case is None:
                if not row["closed"]:
                    raise Broken(LOG, f"alert {number} is open and was never raised")
                continue
            case.key, case.priority, case.alarms = row["key"], row["priority"], row["alarms"]
            told = case.state(self._asks_of(number), self.on_phone(number))
            owner = row["owner"] if case.closed else case.owner
            if row["state"] != told or row["owner"] != owner:
                raise Broken(
                    LOG,
                    f"alert {number} is {row['state']} of {row['owner']}, its log says {told} of {case.owner}",
                    case.story,
                )
        keys = [row["key"] for row in self.seen.alerts.values() if not row["closed"]]
        if len(keys) != len(set(keys)):
            raise Broken(PLACE, "somebody has two open alerts")
        if missing := [n for n, case in self.cases.items() if n not in self.seen.alerts and not case.closed]:
            raise Broken(LOG, f"alerts {missing} are open in the log only")

    def _asks_of(self, number: int) -> list[dict[str, Any]]:
        return [ask for ask in self.seen.asks if ask["alert"] == number]

    def on_phone(self, number: int) -> bool:
        """Whether somebody speaks about this alert on the telephone."""
        return any(alert == number for alert, _ in self.seen.calls)

    def _judge(self, now: float, settled: bool) -> None:
        self._placed(settled)
        self.messages.judge(now, settled)
        watch_asks.judge(self, now, settled)
        for alert in self.seen.alerts.values():
            if not alert["closed"]:
                watch_time.judge(self, self.cases[alert["id"]], alert, now, settled)
                if settled:
                    watch_leases.judge(self.world, self.cases[alert["id"]], now)

    def _placed(self, settled: bool) -> None:
        if settled and self.seen.waiting:
            raise Broken(PLACE, f"{self.seen.waiting} alarms wait for an alert")
        if settled and self.presses:
            raise Broken(PLACE, f"{len(self.presses)} alarms are in no alert")

    def _find_places(self, places: list[tuple[str, int]]) -> None:
        if len(places) != len({alarm for alarm, _ in places}):
            raise Broken(PLACE, "an alarm is in two alerts")
        for alarm, number in places:
            expected = self.presses.pop(alarm)
            case = self.cases.get(number) or self.closed.get(number)
            if expected is not None and (case is None or case.key != expected):
                raise Broken(PLACE, f"an alarm of {expected} is in {case and case.key}")

    def next_deadline(self) -> datetime | None:
        """The next instant at which an engine has something to do."""
        due = [at for _, at in self._due()]
        return datetime.fromtimestamp(min(due), UTC) + timedelta(microseconds=1) if due else None

    def due(self) -> list[str]:
        """What engines have to do now."""
        now = self.world.now.timestamp()
        return list(dict.fromkeys(step for step, at in self._due() if at <= now))

    def _due(self) -> list[tuple[str, float]]:
        found = [("take", self.world.now.timestamp())] if self.seen.waiting else []
        found += [("lease", end) for end in watch_leases.ends(self.world)]
        return found + self.seen.due()
