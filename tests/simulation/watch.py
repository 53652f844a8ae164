"""What must hold after every step, judged from outside: from the log, the clock and what the telephones were given.

The judge has its own idea of an alert, built from the log alone, and its own numbers for how long anybody may wait. It
trusts no deadline that the product has written down for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.simulation.broken import Broken
from tests.simulation.people import AT, ZONE, Contact

if TYPE_CHECKING:
    from tests.simulation.world import World

DEADLINE = "an open alert has a deadline ahead of it, or an owner"
TOLD = "no alert is past its time with nobody told"
DOUBLE = "nobody claims what another has"
TWICE = "no step of the ladder comes twice"
QUIET = "no message in quiet hours unless the policy says so"
DECEASED = "nobody is written to about somebody who has died or left"
PLACE = "every press is in exactly one alert, its own"
LOG = "the log explains every state"
MESSAGE = "a message is handed over once, and none is lost"
ASKED = "who is asked is passed on from, and told how it ended"
CLOCK = "a time of day is the council's"
ERROR = "nothing fails that need not"

# Rule A10 and the welfare call, in seconds, as promised; not read from the settings.
LADDER = ((30, "re-sounded"), (60, "escalated-supervisor"), (120, "escalated-second-site"), (180, "breached"))
RUNGS = {what: offset for offset, what in LADDER}
SOUNDS = frozenset(RUNGS)
AGAIN_S, TECHNICAL_S, ANSWER_S = 30.0, 3600.0, 180.0
# Rule A11: how long an alert that somebody has may be left alone, by where it stands.
ALONE_S = {"safe": 1800.0, "wrap-up": 1800.0, "watching": 600.0}
ALONE_ELSE_S = 120.0
SLACK_S = 2.0  # how late a step may be that was played
AFTER_THE_END = frozenset({"alarm-joined", "notify-failed", "reviewed", "corrected"})
STAFF_ENDS = frozenset({"refused", "reported", "cancelled", "left"})  # a visit that is no help any more

LOOK = """
with said as (select * from alert_log where id > %(log)s),
     seen as (select * from alerts where closed_at is null or id in (select alert_id from said))
select json_build_object(
  'log', (select json_agg(json_build_array(id, alert_id, extract(epoch from at), who, what, detail) order by id)
            from said),
  'alerts', (select json_agg(json_build_object('id', id, 'key', case_key, 'state', state, 'owner', claimed_by,
               'due', extract(epoch from due_at), 'rises', extract(epoch from rises_at),
               'priority', priority, 'closed', closed_at is not null,
               'alarms', alarm_count) order by id) from seen),
  'waiting', (select count(*) from alarms_waiting),
  'places', (select json_agg(json_build_array(alarm_id, alert_id)) from alert_alarms
              where alarm_id = any(%(presses)s)),
  'asks', (select json_agg(json_build_object('id', k.id, 'alert', k.alert_id, 'contact', k.contact_id,
               'asked', extract(epoch from k.asked_at), 'by', extract(epoch from k.answer_by), 'answer', k.answer,
               'passed', k.passed_at is not null, 'due', extract(epoch from k.due_at), 'round', k.round,
               'late', k.late_at is not null and k.there_at is null, 'over', k.over_at is not null,
               'stopped', p.state in ('deceased', 'ended'),
               'told', k.over_at is null or exists (select 1 from messages m where m.contact_id = k.contact_id
                        and m.created_at >= k.over_at and m.alert_id = k.alert_id and m.purpose = 'over'))
               order by k.asked_at)
             from seen a join asks k on k.alert_id = a.id join contacts c on c.id = k.contact_id
             join people p on p.id = c.person_id),
  'calls', (select json_agg(json_build_array(alert_id, extract(epoch from end_by)))
              from calls where ended_at is null),
  'ladders', (select json_agg(json_build_array(alert_id, extract(epoch from due_at)))
                from ladders where due_at is not null),
  'visits', (select json_agg(extract(epoch from due_at)) from visits where due_at is not null),
  'services', (select json_agg(extract(epoch from due_at)) from emergency_calls where due_at is not null),
  'messages', (select json_agg(json_build_object('id', idempotency_key, 'alert', alert_id, 'contact', contact_id,
               'state', state, 'purpose', purpose, 'created', extract(epoch from created_at),
               'next', extract(epoch from next_try_at)) order by id)
             from messages where state in ('pending', 'sending') or idempotency_key = any(%(unfinished)s)))
"""


@dataclass(slots=True)
class Case:
    """An alert as its log tells it."""

    id: int
    key: str = ""
    raised: float = 0.0
    waiting: float = 0.0
    rungs: set[str] = field(default_factory=set)
    owner: str | None = None
    closed: bool = False
    safe: bool = False
    wrapped_up: bool = False
    reviewed: bool = False
    visits: dict[str, str] = field(default_factory=dict)  # by id, each with its last step
    services: dict[str, bool] = field(default_factory=dict)  # emergency calls; True: has ended
    last: float = 0.0  # the last word of anybody
    sounded: float = 0.0
    said: set[str] = field(default_factory=set)  # every word of the log that was ever used
    tried: bool = False  # somebody has tried to reach the person
    story: list[str] = field(default_factory=list)  # the last of its log, for whoever looks for the cause
    passed: bool = False  # somebody was passed on from, and nothing has been said about what then
    priority: int = 2
    alarms: int = 0

    def state(self, asks: list[dict[str, Any]], on_phone: bool) -> str:
        """Where it stands, by the log and by who was asked."""
        if self.closed:
            return "reviewed" if self.reviewed else "closed"
        if self.owner is None:
            return "raised"
        if self.safe:
            return "wrap-up" if self.wrapped_up else "safe"
        help_is = {
            "asked" if state == "requested" else "coming" for state in self.visits.values() if state not in STAFF_ENDS
        }
        help_is |= {"coming" for ended in self.services.values() if not ended}
        help_is |= {
            "coming" if k["answer"] == "going" else "asked"
            for k in asks
            if not k["over"] and (k["by"] or (k["answer"] == "going" and not k["late"]))
        }
        if help_is:
            return "acting" if "asked" in help_is else "watching"
        if "assessed" in self.said:
            return "assessed"
        return "contacting" if self.tried or on_phone else "claimed"


@dataclass(slots=True)
class Seen:
    """What the database says now."""

    alerts: dict[int, dict[str, Any]]
    waiting: int
    asks: list[dict[str, Any]]
    calls: list[tuple[int, float]]
    messages: list[dict[str, Any]]
    visits: list[float]
    services: list[float]
    ladders: list[tuple[int, float]]  # alerts about which contacts will be asked, and when


class Watch:
    """Looks after every step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cases: dict[int, Case] = {}  # the open ones, and those closed in the last step
        self.closed: dict[int, Case] = {}  # the last few, for stale screens
        self.log = 0
        self.presses: dict[str, str | None] = {}  # alarms whose place is not known yet: whose case each is
        self.unfinished: dict[str, dict[str, Any]] = {}
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
        values = {"log": self.log, "presses": list(self.presses), "unfinished": list(self.unfinished)}
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
        self._explained()
        self._told_the_end()
        self._find_places(found["places"])
        self._find_messages()
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

    # ------------------------------------------------------------ the log

    def _read(self, number: int, at: float, who: str, what: str, detail: dict[str, Any]) -> None:
        self.world.trace(f"{number} {at:.6f} {who} {what}")
        if what == "raised":
            if number in self.cases:
                raise Broken(LOG, f"alert {number} is raised twice")
            self.cases[number] = Case(number, raised=at, waiting=at)
            self.alerts += 1
        case = self.cases.get(number) or self.closed.get(number)
        # A telephone call, and the report of a visit, may outlast the alert.
        later = what in AFTER_THE_END or "line" in detail or (what, who) == ("note", "system")
        if case is None:
            if not later:
                raise Broken(LOG, f"alert {number}: {what} by {who}, and it is over, or was never raised")
            return
        if case.closed and not later:
            raise Broken(LOG, f"alert {number}: {what} by {who} after it was closed")
        if case.passed and what not in ("notified", "notify-failed", "note"):
            raise Broken(ASKED, f"alert {number}: a contact did not answer, and what comes next is {what}")
        words = detail.get("text") or detail.get("because") or ""
        case.story = [*case.story[-14:], f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M:%S} {who}: {what} {words}"]
        self._fold(case, at, who, what, detail)
        case.last = max(case.last, at)
        case.said.add(what)
        if what in SOUNDS:
            self._sounds(case, at, who, what)

    def _sounds(self, case: Case, at: float, who: str, what: str) -> None:
        if case.owner is None and who == "system" and case.priority < 4:
            if what in case.rungs and what != "re-sounded":
                raise Broken(TWICE, f"alert {case.id}: {what} came twice", case.story)
            due = max(case.waiting + RUNGS[what], self.world.up_since.timestamp())
            if what not in case.rungs and at > due + SLACK_S:
                raise Broken(TOLD, f"alert {case.id}: {what} came {at - due:.0f} s late", case.story)
        case.sounded = at
        case.rungs.add(what)

    def _fold(self, case: Case, at: float, who: str, what: str, detail: dict[str, Any]) -> None:
        words = f"alert {case.id}: {what} by {who}, while {case.owner} has it"
        tried = what == "contact-tried" and who == "system" and "line" not in detail
        case.passed = tried and "no answer" in str(detail.get("text")) and not case.safe
        if what == "claimed":
            if case.owner is not None or case.closed:
                raise Broken(DOUBLE, words)
            case.owner = who
        elif what == "taken-over":
            if case.owner is None or case.owner != detail["from"] or case.owner == who:
                raise Broken(DOUBLE, words)
            case.owner = who
        elif what in ("released", "claim-expired"):
            if case.owner is None:
                raise Broken(DOUBLE, words)
            case.owner, case.waiting, case.rungs = None, at, set()
        elif what == "closed":
            if who != "system" and case.owner != who:
                raise Broken(DOUBLE, words)
            case.closed = True
        else:
            self._fold_more(case, who, what, detail)

    def _fold_more(self, case: Case, who: str, what: str, detail: dict[str, Any]) -> None:
        if what == "safe":
            case.safe = True
        elif what == "wrapped-up":
            case.wrapped_up = True
        elif what == "reviewed":
            case.reviewed = True
        elif what in ("alarm-joined", "repeated") and who == "device":
            case.safe = case.wrapped_up = False  # who calls again is not safe
        elif what in ("contact-tried", "contact-answered") and (who not in ("system", "contact") or "line" in detail):
            case.tried = True
        elif what == "dispatched":
            case.visits[detail["visit"]] = "requested"
        elif what == "visit" and "state" in detail:
            case.visits[detail["visit"]] = detail["state"]
        elif what == "emergency-service" and "call" in detail:
            case.services[detail["call"]] = detail.get("news") in ("attended", "conveyed", "stood-down")

    def _explained(self) -> None:
        """The row says what the log says."""
        for number, row in self.seen.alerts.items():
            case = self.cases.get(number) or self.closed.get(number)
            if case is None:
                if not row["closed"]:
                    raise Broken(LOG, f"alert {number} is open and was never raised")
                continue
            case.key, case.priority, case.alarms = row["key"], row["priority"], row["alarms"]
            told = case.state(self._asks_of(number), self._on_phone(number))
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

    def _on_phone(self, number: int) -> bool:
        return any(alert == number for alert, _ in self.seen.calls)

    # ------------------------------------------------------------ time

    def _timely(self, case: Case, row: dict[str, Any], now: float, settled: bool) -> None:
        name = f"alert {case.id}"
        if row["due"] is None and row["owner"] is None:
            raise Broken(DEADLINE, f"{name} has neither")
        if not settled:
            return
        if row["due"] is None or row["due"] <= now:
            raise Broken(DEADLINE, f"{name}: its deadline is {'none' if row['due'] is None else 'past'}")
        if case.owner is not None or row["priority"] == 4:
            self._attended(case, row, now)
        else:
            self._unclaimed(case, now)

    def _attended(self, case: Case, row: dict[str, Any], now: float) -> None:
        most = TECHNICAL_S if row["priority"] == 4 else ALONE_S.get(row["state"], ALONE_ELSE_S)
        if now - case.last > most + SLACK_S and not self._on_phone(case.id):
            words = f"alert {case.id} is {row['state']}, and nothing was said for {now - case.last:.0f} s"
            raise Broken(TOLD, words, case.story)

    def _unclaimed(self, case: Case, now: float) -> None:
        name, waited = f"alert {case.id}", now - case.waiting
        for offset, rung in LADDER:
            if waited > offset + SLACK_S and rung not in case.rungs:
                raise Broken(TOLD, f"{name} has waited {waited:.0f} s without {rung}", case.story)
        if waited > LADDER[-1][0] + SLACK_S:
            if now - case.sounded > AGAIN_S + SLACK_S:
                raise Broken(TOLD, f"{name} has been silent for {now - case.sounded:.0f} s", case.story)
            if not case.said & {"notified", "notify-failed"} and not case.key.startswith("incident:"):
                raise Broken(TOLD, f"{name} is a breach, and no contact was asked, nor was it said why not", case.story)

    # ------------------------------------------------------------ presses, contacts, messages

    def _judge(self, now: float, settled: bool) -> None:
        self._placed(settled)
        self._messages(now, settled)
        self._asks(now, settled)
        for alert in self.seen.alerts.values():
            if not alert["closed"]:
                self._timely(self.cases[alert["id"]], alert, now, settled)

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

    def _told_the_end(self) -> None:
        for ask in self.seen.asks:
            if self.seen.alerts[ask["alert"]]["closed"] and (not ask["over"] or not (ask["told"] or ask["stopped"])):
                raise Broken(ASKED, f"alert {ask['alert']} is closed, and a contact who was asked is not told")

    def _asks(self, now: float, settled: bool) -> None:
        of_alert: dict[int, list[dict[str, Any]]] = {}
        for ask in self.seen.asks:
            of_alert.setdefault(ask["alert"], []).append(ask)
            waits = ask["answer"] is None and not ask["passed"] and not ask["over"]
            if settled and waits and ask["round"] == 1 and now - ask["asked"] > ANSWER_S + SLACK_S:
                raise Broken(ASKED, f"alert {ask['alert']}: a contact has not answered for {now - ask['asked']:.0f} s")
        self._passed_on(of_alert)
        for number, asks in of_alert.items():
            hope = any(ask["answer"] == "going" or ask["by"] is not None or ask["stopped"] for ask in asks)
            hope = hope or any(alert == number for alert, _ in self.seen.ladders)
            if not self.seen.alerts[number]["closed"] and not hope and "notify-failed" not in self.cases[number].said:
                raise Broken(ASKED, f"alert {number}: nobody goes, nobody is asked, and it is not said")
        if settled and any(end <= now for _, end in self.seen.calls):
            raise Broken(TOLD, "a call that nobody ended has not ended")
        if settled and any(due <= now for due in (*self.seen.visits, *self.seen.services)):
            raise Broken(TOLD, "a visit or an emergency service is past its time, and nobody asks")

    def _passed_on(self, of_alert: dict[int, list[dict[str, Any]]]) -> None:
        for number, case in self.cases.items():
            if any(ask["answer"] == "going" or ask["by"] is not None for ask in of_alert.get(number, [])):
                case.passed = False  # somebody else has been asked already, by hand
            if case.passed:
                words = f"alert {number}: a contact was passed on from, and nobody else was asked"
                raise Broken(ASKED, words, case.story)

    def _find_messages(self) -> None:
        given = self.world.telephones
        for message in self.seen.messages:
            number = message["id"]
            if message["state"] in ("pending", "sending"):
                self.unfinished[number] = message
                continue
            if message["state"] in ("sent", "delivered") and not given.accepted.get(number):
                raise Broken(MESSAGE, f"a message counts as sent that nobody was given: {message}")
            if message["next"] is not None:
                # A call that has been taken, and of which nothing is heard, goes by the other way as well.
                if self.unfinished.get(number, {}).get("state") != "sent":
                    given.excused[number] = given.excused.get(number, 0) + 1
                self.unfinished[number] = message
                continue
            self.unfinished.pop(number, None)
            given.forget(number)
        if self.unfinished.keys() - {message["id"] for message in self.seen.messages}:
            raise Broken(MESSAGE, "a message has gone")

    def _messages(self, now: float, settled: bool) -> None:
        if settled and any(message["next"] <= now for message in self.unfinished.values()):
            raise Broken(MESSAGE, "a message stands still")
        given = self.world.telephones
        for number, times in given.accepted.items():
            if times > 1 + given.excused.get(number, 0):
                raise Broken(MESSAGE, f"a message was handed over {times} times")

    def handed_over(self, message_id: str, contact: Contact | None, body: str) -> None:
        """The provider has taken a message."""
        if contact is None:
            raise Broken(MESSAGE, "a message went to a number that is nobody's")
        if contact.person.stopped:
            raise Broken(
                DECEASED, f"person {contact.person.number} is stopped, and contact {contact.number} is written to"
            )
        message = self.unfinished.get(message_id)
        # Who is asked by day is told at night how it ended; what counts is when it was decided.
        at = message["created"] if message is not None and message["purpose"] in ("ask", "next") else None
        local = datetime.fromtimestamp(at, UTC).astimezone(ZONE) if at is not None else None
        if local is not None and not contact.at_night and (local.hour >= 22 or local.hour < 7):
            raise Broken(QUIET, f"contact {contact.number} is written to at {local:%H:%M}")
        said = AT.search(body)
        case = self.cases.get(message["alert"]) if message is not None and message["alert"] else None
        if said and case is not None:
            raised = datetime.fromtimestamp(case.raised, UTC).astimezone(ZONE)
            if said[1] != f"{raised:%H:%M}":
                raise Broken(CLOCK, f"it was {raised:%H:%M} and the message says {said[1]}")

    # ------------------------------------------------------------ when it goes on

    def next_deadline(self) -> datetime | None:
        """The next instant at which an engine has something to do."""
        seen = self.seen
        due = [row["due"] for row in seen.alerts.values() if row["due"] is not None and not row["closed"]]
        due += [row["rises"] for row in seen.alerts.values() if row["rises"] is not None]
        due += [ask["due"] for ask in seen.asks if ask["due"] is not None]
        due += [at for _, at in seen.ladders]
        due += [end for _, end in seen.calls]
        due += seen.visits + seen.services
        due += [message["next"] for message in seen.messages if message["next"] is not None]
        if seen.waiting:
            due.append(self.world.now.timestamp())
        if not due:
            return None
        return datetime.fromtimestamp(min(due), UTC) + timedelta(microseconds=1)

    def due(self) -> list[str]:
        """What engines have to do now."""
        seen, now = self.seen, self.world.now.timestamp()
        found = ["take"] if seen.waiting else []
        if any(not row["closed"] and row["due"] is not None and row["due"] <= now for row in seen.alerts.values()):
            found.append("deadline")
        if any(row["rises"] is not None and row["rises"] <= now for row in seen.alerts.values()):
            found.append("rise")
        asking = [ask["due"] for ask in seen.asks if ask["due"] is not None] + [at for _, at in seen.ladders]
        if any(at <= now for at in asking):
            found.append("ask")
        if any(end <= now for _, end in seen.calls):
            found.append("call")
        if any(due <= now for due in seen.visits):
            found.append("visit")
        if any(due <= now for due in seen.services):
            found.append("emergency")
        if any(message["next"] is not None and message["next"] <= now for message in seen.messages):
            found.append("message")
        return found
