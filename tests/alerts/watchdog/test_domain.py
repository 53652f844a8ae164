"""What is a trouble, how long it must be found, and when the engineer is told."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.watchdog.domain import (
    Board,
    Journey,
    OnCall,
    Open,
    Signs,
    Trouble,
    body_of,
    out_of_reach,
    trouble_of_press,
    troubles_of_signs,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REPEAT, CLEAR = timedelta(minutes=15), timedelta(minutes=1)
LOST = Trouble(key="press:lost", words="A test press did not arrive.")
QUIET = Trouble(key="audit:I7-past", words="A number is missing.", grave=False)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def board(*troubles: Trouble) -> Board:
    made = Board(NOON)
    for one in troubles:
        made.found(one.source, [one], NOON)
    return made


WELL = {"ingest": (NOON, {"subscribed": True}), "ingest-readings": (NOON, {"subscribed": True}),
        "ingest-states": (NOON, {"subscribed": True}), "alerts": (NOON, {"subscribed": True}),
        "detection": (NOON, {"subscribed": True})}  # fmt: skip


def signs(**changes: object) -> Signs:
    values = {"unplaced": 0, "oldest_s": None, "overdue_s": None, "beats": WELL} | changes
    return Signs(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("journey", "missing"),
    [
        (Journey(), "the broker does not let us in"),
        (Journey(connected=True), "stored (ingest or the database)"),
        (Journey(connected=True, receipt_s=0.1, looked=False), "cannot look"),
        (Journey(connected=True, receipt_s=0.1), "becomes no alert"),
        (Journey(connected=True, receipt_s=0.1, alert_s=0.2), "the pages"),
    ],
)
def test_a_press_that_did_not_arrive_says_how_far_it_came(journey: Journey, missing: str) -> None:
    assert not journey.arrived
    assert journey.took_s is None
    (trouble,) = trouble_of_press(journey, 20)
    assert missing in trouble.words
    assert "in 20 s" in trouble.words
    assert trouble.grave


def test_a_press_has_arrived_with_its_last_step() -> None:
    journey = Journey(True, 0.1, True, 0.2, 0.5)
    assert journey.took_s == 0.5
    assert trouble_of_press(journey, 20) == []


def test_what_the_database_says_is_wrong() -> None:
    assert troubles_of_signs(signs(), NOON, overdue_after_s=30, patience_s=10) == []
    found = {
        one.key: one.words
        for one in troubles_of_signs(
            signs(
                unplaced=2, oldest_s=12.0, overdue_s=31.0,
                beats={name: beat for name, beat in WELL.items() if name != "detection"}
                | {"alerts": (NOON - seconds(11), {"subscribed": True}), "ingest": (NOON, {"subscribed": False})},
            ),
            NOON, overdue_after_s=30, patience_s=10,
        )
    }  # fmt: skip
    assert set(found) == {"signs:unplaced", "signs:overdue", "signs:alerts", "signs:ingest", "signs:detection"}
    assert found["signs:unplaced"] == "2 alarms are in no alert, the oldest for 12 s."
    assert found["signs:ingest"] == "The service ingest does not hear its messages."
    assert troubles_of_signs(signs(overdue_s=29.0), NOON, overdue_after_s=30, patience_s=10) == []


def test_a_trouble_begins_with_its_first_look_and_ends_with_the_one_that_does_not_find_it() -> None:
    made = Board(NOON)
    ((opened, ended),) = made.found("press", [LOST], NOON)
    assert (opened.trouble, opened.begun_at, ended) == (LOST, NOON, None)
    assert made.found("press", [LOST], NOON + seconds(5)) == []
    assert made.found("broker", [], NOON + seconds(6)) == []  # another look knows nothing of it
    assert made.found("press", [], NOON + seconds(7)) == [(opened, NOON + seconds(7))]
    assert made.open == {}


def test_what_asks_for_patience_must_be_found_that_long() -> None:
    made, away = Board(NOON), out_of_reach("database", 10)
    assert made.found("database", [away], NOON) == []
    assert made.found("database", [], NOON + seconds(5)) == []  # a restart
    assert made.found("database", [away], NOON + seconds(6)) == []
    ((opened, _),) = made.found("database", [away], NOON + seconds(16))
    assert opened.begun_at == NOON + seconds(6)


def test_while_everything_starts_nothing_begins_and_what_lasted_may_end() -> None:
    made = Board(NOON + seconds(20))
    made.adopt([Open(LOST, NOON - seconds(300), told_at=NOON)], NOON)
    silent = Trouble(key="signs:alerts", words="silent")
    assert made.found("signs", [silent], NOON) == []
    ((ended, ended_at),) = made.found("press", [], NOON + seconds(3))
    assert (ended.trouble, ended_at) == (LOST, NOON + seconds(3))
    ((opened, _),) = made.found("signs", [silent], NOON + seconds(20))
    assert opened.begun_at == NOON


def test_the_engineer_is_told_at_once_and_again_while_it_lasts() -> None:
    made, oncall = board(LOST), OnCall()
    assert oncall.due(made, NOON, REPEAT, CLEAR) == "trouble"
    oncall = oncall.taken("trouble", frozenset({LOST.key}), NOON)
    assert oncall.due(made, NOON + REPEAT - seconds(1), REPEAT, CLEAR) is None
    assert oncall.due(made, NOON + REPEAT, REPEAT, CLEAR) == "trouble"
    made.found("broker", [Trouble(key="broker:away", words="away")], NOON + seconds(1))
    assert oncall.due(made, NOON + seconds(1), REPEAT, CLEAR) == "trouble"  # it is news


def test_the_all_clear_waits_until_all_has_been_well_for_a_while() -> None:
    made = board(LOST)
    oncall = OnCall().taken("trouble", frozenset({LOST.key}), NOON)
    made.found("press", [], NOON + seconds(100))
    assert oncall.due(made, NOON + seconds(159), REPEAT, CLEAR) is None
    assert oncall.due(made, NOON + seconds(160), REPEAT, CLEAR) == "clear"
    oncall = oncall.taken("clear", frozenset(), NOON + seconds(160))
    assert oncall.due(made, NOON + seconds(9999), REPEAT, CLEAR) is None


def test_a_trouble_that_flickers_is_one_message() -> None:
    made = board(LOST)
    oncall = OnCall().taken("trouble", frozenset({LOST.key}), NOON)
    made.found("press", [], NOON + seconds(30))
    made.found("press", [LOST], NOON + seconds(60))
    assert oncall.due(made, NOON + seconds(61), REPEAT, CLEAR) is None


def test_a_message_that_nobody_takes_is_tried_again_later_and_later() -> None:
    made, oncall, now, waits = board(LOST), OnCall(), NOON, []
    for _ in range(7):
        oncall = oncall.not_taken(now)
        assert oncall.next_try_at is not None
        waits.append((oncall.next_try_at - now).total_seconds())
        assert oncall.due(made, oncall.next_try_at - seconds(0.1), REPEAT, CLEAR) is None
        now = oncall.next_try_at
        assert oncall.due(made, now, REPEAT, CLEAR) == "trouble"
    assert waits == [2, 4, 8, 16, 30, 30, 30]


def test_nobody_is_woken_for_what_only_has_been() -> None:
    made = board(QUIET)
    assert made.grave() == []
    assert OnCall().due(made, NOON + seconds(100), REPEAT, CLEAR) is None


def test_what_the_engineer_reads_fits_a_telephone() -> None:
    many = [Open(Trouble(key=f"signs:{n}", words=f"Thing {n} is wrong."), NOON - seconds(90 * n)) for n in range(5)]
    body = body_of("trouble", many, "Anytown Telecare", NOON)
    assert body == (
        "Anytown Telecare: alarms may not reach people. Thing 0 is wrong. Since 0 s. Thing 1 is wrong. Since 1 min."
        " Thing 2 is wrong. Since 3 min. And 2 more."
    )
    assert "all clear" in body_of("clear", [], "Anytown Telecare", NOON)
