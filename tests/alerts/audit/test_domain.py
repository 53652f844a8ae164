"""The judgement on plain facts: what is broken, and what only looks as if."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.audit import domain
from alerts.audit.domain import Climbed, Placed, Runs, Times
from alerts.audit.feed import Seen, feed_faults, transcript_faults
from alerts.audit.numbers import Kept, Numbers, ledger_faults, missing_numbers, number_faults
from alerts.domain import Ladder
from telecare.vocabulary import Priority

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


LADDER = Ladder(
    resound=seconds(30), supervisor=seconds(60), second_site=seconds(120), breach=seconds(180),
    technical=seconds(3600),
)  # fmt: skip
WHOLE = [("re-sounded", 30), ("escalated-supervisor", 60), ("escalated-second-site", 120), ("breached", 180),
         ("re-sounded", 210), ("re-sounded", 240)]  # fmt: skip
NEVER_STOPPED = Runs([(NOON - timedelta(days=1), NOON + timedelta(days=1))])


def climbed(*steps: tuple[str, float], priority: Priority = Priority.URGENT, waits: bool = False) -> Climbed:
    made = [(what, NOON + seconds(at)) for what, at in steps]
    return Climbed(alert=7, priority=priority, waiting_since=NOON, steps=made, waits=waits)


def faults(one: Climbed, *, runs: Runs = NEVER_STOPPED, since: float | None = None, now: float = 241) -> list[str]:
    begin = None if since is None else NOON + seconds(since)
    return [b.what for b in domain.ladder_faults(one, LADDER, runs, begin, NOON + seconds(now))]


def test_a_ladder_that_was_climbed_in_time_holds() -> None:
    assert faults(climbed(*WHOLE, waits=True)) == []
    assert faults(climbed(("re-sounded", 34.9))) == []
    assert faults(climbed(*((what, at + 3) for what, at in WHOLE), waits=True)) == []
    technical = climbed(("re-sounded", 3600), ("re-sounded", 7201), priority=Priority.TECHNICAL, waits=True)
    assert faults(technical, now=9000) == []


def test_a_step_that_came_late_or_twice_or_not() -> None:
    assert faults(climbed(("re-sounded", 36))) == ["alert 7: re-sounded came 6 s late"]
    assert faults(climbed(*WHOLE[:2], ("escalated-supervisor", 61))) == ["alert 7: escalated-supervisor twice"]
    assert faults(climbed(*WHOLE[:5], ("re-sounded", 211))) == ["alert 7: re-sounded twice within 1 s"]
    assert faults(climbed(WHOLE[0], waits=True), now=66) == ["alert 7: escalated-supervisor has not come, 6 s late"]
    assert faults(climbed(WHOLE[0], waits=True), now=64) == []
    assert faults(climbed(WHOLE[0], waits=False), now=9999) == []  # it was claimed


def test_a_step_is_late_from_when_the_engine_was_back() -> None:
    back = Runs([(NOON - seconds(900), NOON + seconds(10)), (NOON + seconds(100), NOON + seconds(900))])
    caught_up = climbed(("re-sounded", 101), ("escalated-supervisor", 101), ("escalated-second-site", 120))
    assert faults(caught_up, runs=back) == []
    assert faults(climbed(("re-sounded", 106)), runs=back) == ["alert 7: re-sounded came 6 s late"]
    assert faults(climbed(("re-sounded", 99)), runs=back) == []  # it works before it first says so


def test_steps_before_since_are_told_no_more_but_count() -> None:
    assert faults(climbed(("re-sounded", 50), *WHOLE[1:]), since=60) == []
    assert faults(climbed(*WHOLE), since=235) == []


def test_an_overdue_alert_is_broken_with_an_owner_and_more_so_without() -> None:
    now = NOON + seconds(31)
    found = domain.overdue_faults([(1, NOON, False), (2, NOON, True), (3, now, False)], NEVER_STOPPED, now)
    assert [(b.invariant, b.what.split(":")[0]) for b in found] == [
        ("I3", "alert 1"),
        ("I2", "alert 1"),
        ("I3", "alert 2"),
    ]


@pytest.mark.parametrize(
    ("joined", "words"),
    [(9.9, None), (12.0, "alarm a: in alert 7 12 s late"), (-2.0, "alarm a: in alert 7 before it came")],
)
def test_an_alarm_has_its_place_soon_after_it_came(joined: float, words: str | None) -> None:
    placed = Placed(alarm="a", alert=7, received_at=NOON, joined_at=NOON + seconds(joined))
    assert [b.what for b in domain.joining_faults(placed, NEVER_STOPPED)] == ([words] if words else [])


def test_an_alarm_that_waited_while_the_engine_was_away_was_not_held_up() -> None:
    placed = Placed(alarm="a", alert=7, received_at=NOON, joined_at=NOON + seconds(900))
    assert domain.joining_faults(placed, Runs([(NOON + seconds(895), NOON + seconds(999))])) == []
    assert domain.joining_faults(placed, Runs([(NOON + seconds(880), NOON + seconds(999))])) != []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"raised_at": NOON - timedelta(days=365)}, ["raised at another time than its first alarm joined"]),
        ({"waiting_since": NOON + timedelta(hours=1)}, ["waits since a time that cannot be"]),
        ({"waiting_since": NOON - timedelta(hours=1)}, ["waits since a time that cannot be"]),
    ],
)
def test_an_alert_has_the_time_of_arrival(changes: dict[str, Any], words: list[str]) -> None:
    times = Times(alert=7, **(dict.fromkeys(("raised_at", "waiting_since", "first_joined_at"), NOON) | changes))
    assert [b.what for b in domain.time_faults(times, NOON + seconds(60))] == [f"alert 7: {one}" for one in words]


def feed(**changes: Any) -> list[str]:
    values = {"counter": 9, "least": 4, "greatest": 9, "count": 6, "least_at": NOON, "kept_from": NOON} | changes
    return [b.what for b in feed_faults(**values)]


def test_the_feed_is_whole_from_what_is_kept_to_the_counter() -> None:
    assert feed() == []
    assert feed(counter=0, least=None, greatest=None, count=0, least_at=None) == []
    assert feed(counter=3, least=None, greatest=None, count=0, least_at=None) != []
    assert feed(counter=10) == ["the newest change is 9, and 10 were numbered"]
    assert feed(count=5) == ["1 changes between 4 and 9 are missing"]
    assert feed(least_at=NOON + seconds(1)) == ["the change before 4 is missing"]
    assert feed(least=1, count=9, least_at=NOON + seconds(1)) == []


def transcript(*seen: Seen, open_: dict[int, int] | None = None) -> list[str]:
    events = {1: 70, 2: 71, 3: 70, 4: 71}
    last = {alert: (n, NOON - seconds(60)) for alert, n in (open_ or {70: 3}).items()}
    return [b.what for b in transcript_faults(seen, events, last, NOON)]


ALL = (Seen(1, 70, 1), Seen(2, 71, 1), Seen(3, 70, 2), Seen(4, 71, 2))


def test_a_console_that_was_shown_everything() -> None:
    assert transcript(*ALL) == []
    assert transcript(*ALL[1:]) == []  # it was opened later
    assert transcript(*ALL, Seen(4, 71, 3)) == []  # shown again after a reconnection, with one alarm more
    assert transcript() == []
    assert transcript(ALL[0], Seen(3, resync=True), ALL[3]) == []  # it read the list anew


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ((ALL[0], *ALL[2:]), "the console was not shown change 2"),
        ((ALL[0], ALL[3]), "the console was not shown changes 2 to 3"),
        (ALL[:2], "the console was not shown change 3 of the open alert 70"),
        ((*ALL, Seen(4, 70, 2)), "change 4 was shown twice with other content"),
        ((*ALL, Seen(4, 71, 1)), "change 4 was shown twice with other content"),
        ((*ALL[:3], Seen(4, 70, 2)), "change 4 was shown as of alert 70, it is of 71"),
    ],
)
def test_what_a_console_was_not_shown(seen: tuple[Seen, ...], words: str) -> None:
    assert words in transcript(*seen)


def test_silence_that_nobody_noticed() -> None:
    hubs = [("h-1", NOON - seconds(31)), ("h-2", NOON - seconds(29))]
    assert [b.what for b in domain.silence_faults(hubs, NOON)] == ["hub h-1: silent for 31 s, and nobody was told"]
    wanted = {"alerts": seconds(30), "ingest": seconds(30)}
    beats = {"alerts": NOON - seconds(31)}
    assert len(domain.service_faults(beats, wanted, [], NOON)) == 2
    assert domain.service_faults(beats, wanted, ["signs:alerts", "signs:ingest"], NOON) == []


def missing(*came: int, before: int | None = None, age: float = 61) -> list[int]:
    numbers = Numbers(hub="h", before=before, came=[(number, NOON - seconds(age)) for number in came])
    return missing_numbers(numbers, NOON)


def test_numbers_that_never_came() -> None:
    assert missing(1, 2, 3) == []
    assert missing(5, 3) == [4]
    assert missing(7, 8, before=4) == [5, 6]
    assert missing(1, 2, before=900) == []  # a new hub under an old name
    assert missing(3, 6, age=59) == []  # it may still send them again
    assert missing(1, 10**12) == []  # counted by something else
    found = number_faults("h", [4, 5, 9], 0)
    assert [b.what for b in found] == ["hub h: alarms 4 to 5 never came", "hub h: alarm 9 never came"]
    assert not any(b.now for b in found)
    assert number_faults("h", [4], 1) == []  # one came whose number could not be read


def test_a_ledger_against_the_store() -> None:
    kept = [Kept("h", "a", "stored"), Kept("h", "b", "stored"), Kept("h", "c", "rejected"), Kept("h", "d", "rejected"),
            Kept("h", "e", "")]  # fmt: skip
    found = ledger_faults(kept, {("h", "a"): 1}, {("h", "c")})
    assert [(b.invariant, b.what.split(" of ")[0]) for b in found] == [("I1", "alarm b"), ("I7", "alarm d")]


@pytest.mark.parametrize("line", [{}, {"hub": "h", "alarm": 5}, {"hub": "h", "alarm": "a", "status": 1}])
def test_what_is_no_line_of_a_ledger(line: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="names"):
        Kept.read(line)


@pytest.mark.parametrize("line", [{}, {"n": "1", "alert": 1, "alarm_count": 1}, {"n": 1, "alert": 1}])
def test_what_is_no_line_of_a_transcript(line: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="names"):
        Seen.read(line)
