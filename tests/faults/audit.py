"""The comparison at the end of a row: what the devices were told, against the store, the alerts, their logs, the
commands to hubs, the event stream and the console's API.

It reads with SQL of its own, so that it does not believe the code that it checks. The invariants are in docs/faults.md.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from tests.faults.console import Transcript
from tests.faults.ledger import Press

OVERDUE_S: Final = 5.0  # I3: a due step is taken within this
# What the service finds out by itself, and what a hub says of its own disk, nobody has pressed.
_OF_DEVICES: Final = """
    a.hub = any(%(hubs)s) and a.device <> 'detector' and not (a.device = 'hub' and a.kind = 'fault')"""


@dataclass(slots=True)
class Store:
    """What the database holds about some hubs."""

    alarms: dict[str, str]  # id of each alarm of theirs: its hub
    places: list[tuple[str, int, float]]  # alarm, alert, when that was committed (seconds since 1970)
    counts: dict[int, int]  # alert: how many alarms it says it has
    held: Counter[int]  # alert: how many it has
    logged: Counter[str]  # alarm: how often an alert's log says that it came
    crowds: Counter[int]  # alert: how many alarms its log counts together: of a hub gone mad, or of an incident
    unnamed: Counter[int]  # alert: how many alarms of the service's own finding it has that its log does not name
    rungs: dict[str, int]  # a step of the ladder that was taken more than once in one wait: how often
    announced: Counter[str]  # alarm: how often "help is coming" was to be said for it
    told: dict[str, int]  # a message that a contact was to be sent more than once: how often
    unsent: dict[str, float]  # messages whose time to be sent has passed, by how many seconds
    waiting: set[str]  # alarms on the waiting list
    overdue: dict[int, float]  # open alerts past their deadline, by how many seconds
    events: dict[int, int]  # number of each change: its alert


@dataclass(slots=True)
class Findings:
    """What is wrong. Each is a list of words for a person; an empty one is what the row promises."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    delays: dict[str, float] = field(default_factory=dict)  # alarm: seconds from the press to its place in an alert

    @property
    def all(self) -> list[str]:
        """Everything."""
        return [*self.lost, *self.doubled, *self.other]


_PLACES: Final = f"""
    select p.alarm_id::text, p.alert_id, extract(epoch from pg_xact_commit_timestamp(p.xmin))::float8
      from alert_alarms p join alarms a on a.id = p.alarm_id where {_OF_DEVICES}
"""  # noqa: S608
_COUNTS: Final = f"""
    select t.id, t.alarm_count, (select count(*) from alert_alarms q where q.alert_id = t.id)
      from alerts t
     where t.id in (select p.alert_id from alert_alarms p join alarms a on a.id = p.alarm_id where {_OF_DEVICES})
"""  # noqa: S608
_LOGGED: Final = f"""
    select l.detail ->> 'alarm', count(*) from alert_log l join alarms a on a.id::text = l.detail ->> 'alarm'
     where l.what in ('raised', 'alarm-joined') and {_OF_DEVICES} group by 1
"""  # noqa: S608
_CROWDS: Final = """
    select l.alert_id, sum((l.detail ->> 'alarms')::integer)::integer from alert_log l
     where l.detail ? 'alarms' group by 1
"""
_UNNAMED: Final = """
    select p.alert_id, count(*) from alert_alarms p join alarms a on a.id = p.alarm_id
     where a.device = 'detector' and not exists (
           select 1 from alert_log l where l.alert_id = p.alert_id and l.detail ->> 'alarm' = a.id::text)
     group by 1
"""
_RUNGS: Final = """
    select l.alert_id || ' ' || l.what || ' since ' || (l.detail ->> 'waiting_since'), count(*) from alert_log l
     where l.what in ('escalated-supervisor', 'escalated-second-site', 'breached') group by 1 having count(*) > 1
"""
_ANNOUNCED: Final = f"""
    select c.alarm_id::text, count(*) from commands c join alarms a on a.id = c.alarm_id
     where c.text = 'help-is-coming' and {_OF_DEVICES} group by 1
"""  # noqa: S608
_TOLD: Final = """
    select m.purpose || ' about alert ' || m.alert_id || ' to ' || m.contact_id, count(*) from messages m
     where m.alert_id is not null and m.purpose = 'ask' group by 1 having count(*) > 1
"""
_UNSENT: Final = """
    select m.id::text, extract(epoch from clock_timestamp() - m.next_try_at)::float8 from messages m
     where m.state in ('pending', 'sending')
       and m.next_try_at < clock_timestamp() - make_interval(secs => %(overdue_s)s)
"""
_OVERDUE: Final = """
    select id, extract(epoch from clock_timestamp() - due_at)::float8 from alerts
     where state <> 'closed' and due_at < clock_timestamp() - make_interval(secs => %(overdue_s)s)
"""


def read_store(database_url: str, hubs: Sequence[str]) -> Store:
    """What the database holds about these hubs."""
    values = {"hubs": list(hubs), "overdue_s": OVERDUE_S}

    with psycopg.connect(database_url) as conn:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return conn.execute(query.encode(), values).fetchall()

        counts = rows(_COUNTS)
        return Store(
            alarms=dict(rows(f"select a.id::text, a.hub from alarms a where {_OF_DEVICES}")),  # noqa: S608
            places=[(row[0], row[1], row[2]) for row in rows(_PLACES)],
            counts={row[0]: row[1] for row in counts},
            held=Counter({row[0]: row[2] for row in counts}),
            logged=Counter(dict(rows(_LOGGED))),
            crowds=Counter(dict(rows(_CROWDS))),
            unnamed=Counter(dict(rows(_UNNAMED))),
            rungs=dict(rows(_RUNGS)),
            announced=Counter(dict(rows(_ANNOUNCED))),
            told=dict(rows(_TOLD)),
            unsent=dict(rows(_UNSENT)),
            waiting={row[0] for row in rows("select alarm_id::text from alarms_waiting")},
            overdue=dict(rows(_OVERDUE)),
            events=dict(rows("select n, alert_id from alert_events")),
        )


def compare(presses: Sequence[Press], store: Store, transcript: Transcript | None) -> Findings:
    """What is wrong in the store, and in what the console was shown (None: nobody watched)."""
    found = Findings()
    _alarms(found, presses, store)
    _alerts(found, presses, store)
    if transcript is not None:
        _stream(found, store, transcript)
    return found


def _alarms(found: Findings, presses: Sequence[Press], store: Store) -> None:
    """I1: what a hub was told is stored, and what it has kept, is one alarm; and nothing is that was not pressed."""
    expected = {press.id: press for press in presses if press.id is not None}
    found.other += [f"pressed and never kept: {press.ref}" for press in presses if press.id is None]
    for press in expected.values():
        if press.id not in store.alarms:
            told = "told stored" if press.receipt_at is not None else "no receipt"
            found.lost.append(f"not in the store: {press.id} of {press.hub} ({told})")
        elif press.status == "rejected":
            found.lost.append(f"its hub was told that it can be no alarm: {press.id} of {press.hub}")
        elif press.receipt_at is None:
            found.other.append(f"stored, and its hub has no receipt: {press.id} of {press.hub}")
    found.doubled += [
        f"in the store, and nobody pressed it: {alarm}" for alarm in store.alarms.keys() - expected.keys()
    ]


def _alerts(found: Findings, presses: Sequence[Press], store: Store) -> None:
    """Each alarm is in one alert, which counts it, logs it once and has it announced once at most."""
    placed = {alarm: at for alarm, _, at in store.places}
    pressed = {press.id: press.pressed_at for press in presses}
    for alarm in store.alarms:
        if alarm not in placed:
            found.lost.append(f"in no alert: {alarm}")
            continue
        if pressed.get(alarm) is not None:
            found.delays[alarm] = placed[alarm] - pressed[alarm]
    _logs(found, store)
    found.doubled += [f"logged {n} times: {alarm}" for alarm, n in store.logged.items() if n > 1]
    found.doubled += [f"announced {n} times: {alarm}" for alarm, n in store.announced.items() if n > 1]
    found.doubled += [f"alert {rung}: {n} times" for rung, n in store.rungs.items()]
    found.doubled += [f"message {message}: {n} times" for message, n in store.told.items()]
    found.other += [
        f"message {message} should have gone {late_s:.0f} s ago" for message, late_s in store.unsent.items()
    ]
    found.other += [
        f"alert {alert} counts {count} alarms and has {store.held[alert]}"
        for alert, count in store.counts.items()
        if count != store.held[alert]
    ]
    found.other += [f"in an alert and still waiting: {alarm}" for alarm in store.waiting & placed.keys()]
    found.other += [f"alert {alert} is {late_s:.0f} s overdue" for alert, late_s in store.overdue.items()]


def _logs(found: Findings, store: Store) -> None:
    """An alert's log names each alarm, or counts those of a hub that sends too many, or of an incident."""
    unnamed: dict[int, list[str]] = {}
    for alarm, alert, _ in store.places:
        if store.logged[alarm] == 0:
            unnamed.setdefault(alert, []).append(alarm)
    for alert in unnamed.keys() | (store.crowds.keys() & store.counts.keys()):
        alarms, counted = unnamed.get(alert, []), store.crowds[alert]
        crowd = len(alarms) + store.unnamed[alert]
        if counted < crowd:
            found.lost += [f"in an alert whose log does not say so: {alarm}" for alarm in alarms[counted - crowd :]]
        if counted > crowd:
            found.doubled.append(f"the log of alert {alert} counts {counted} alarms that came in a crowd of {crowd}")


def _stream(found: Findings, store: Store, transcript: Transcript) -> None:
    """I4: no gap and no repeat in what the console was shown, but where it was told to load the list anew."""
    begun = transcript.begun_at or 0
    times = Counter(one.n for one in transcript.shown)
    found.doubled += [f"shown {n} times on the stream: change {number}" for number, n in times.items() if n > 1]
    last_resync = max(transcript.resyncs, default=0)
    found.lost += [
        f"change {number} (alert {alert}) was never shown on the stream"
        for number, alert in store.events.items()
        if number > max(begun, last_resync) and number not in times
    ]
    newest = {one.alert: one for one in transcript.shown}
    for alert, count in store.counts.items():
        if alert in newest and newest[alert].alarm_count != count and newest[alert].n > last_resync:
            shown = newest[alert].alarm_count
            found.lost.append(f"alert {alert} has {count} alarms and the stream showed {shown} last")
    numbers = [one.n for one in transcript.shown]
    if numbers != sorted(numbers):
        found.other.append("the stream went back")


def console_shows(found: Findings, presses: Iterable[Press], alerts: Iterable[dict[str, Any]]) -> None:
    """The API tells of each alarm in one alert, with its log. `alerts` are whole ones."""
    shown: Counter[str] = Counter()
    for alert in alerts:
        shown.update(alarm["id"] for alarm in alert["alarms"])
        if not alert["log"]:
            found.lost.append(f"alert {alert['id']} is shown without a log")
    for press in presses:
        if press.id is not None and shown[press.id] == 0:
            found.lost.append(f"the console's API does not show {press.id}")
        elif press.id is not None and shown[press.id] > 1:
            found.doubled.append(f"the console's API shows {press.id} in {shown[press.id]} places")
