"""Past cases: closed alerts with their alarm and log, once each, without a hub."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest

from alerts.history import PastCase, PastStep, WrongCase, add_past_case, problem_of
from alerts.visits import arrival_at
from telecare.db import Pool, database_now
from telecare.register.homes import add_home
from telecare.vocabulary import Cause, ConfirmedBy, Kind, Outcome
from tests.helpers import mary, one, rows

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")


def case(person: UUID | None = None) -> PastCase:
    """A fall that was visited."""
    steps = (
        PastStep(AT + timedelta(minutes=2), "desk-1", "dispatched", {"responder": "Car 1"}),
        PastStep(AT + timedelta(minutes=50), "desk-1", "visit", {"text": "Up", "arrived_at": "2026-03-01T09:31:00Z"}),
    )
    return PastCase(
        name="old system 17", person_id=person or uuid4(), kind=Kind.FALL, device="pendant-1", location="hall",
        raised_at=AT, answered_at=AT + timedelta(seconds=20), answered_by="desk-1", closed_at=AT + timedelta(hours=1),
        cause=Cause.FALL_ON_FLOOR, outcomes=[Outcome.RESPONDER_LIFTED], confirmed_by=ConfirmedBy.ON_SITE,
        how="With her",
        steps=steps,
    )  # fmt: skip


async def someone(pool: Pool) -> UUID:
    async with pool.connection() as conn:
        await add_home(conn, mary())
    person: UUID = await one(pool, "select id from people")
    return person


async def add(pool: Pool, past: PastCase) -> bool:
    async with pool.connection() as conn:
        return await add_past_case(conn, past, await database_now(conn))


async def test_a_past_case_is_a_closed_alert_with_its_alarm_and_log_and_wakes_nobody(pool: Pool) -> None:
    person = await someone(pool)
    assert await add(pool, case(person))
    assert not await add(pool, case(person))  # the same one again
    (alert,) = await rows(
        pool, "select id, state, hub, priority, first_claimed_at - raised_at, alarm_count from alerts"
    )
    assert alert[1:] == ("closed", None, 1, timedelta(seconds=20), 1)
    assert [row[0] for row in await rows(pool, "select what from alert_log order by id")] == [
        "raised", "claimed", "dispatched", "visit", "closed",
    ]  # fmt: skip
    assert await rows(pool, "select hub, kind, past, received_at from alarms") == [(None, "fall", True, AT)]
    assert await one(pool, "select alert_id from alert_alarms") == alert[0]
    for table in ("alarms_waiting", "alert_events", "messages", "commands", "hubs"):
        assert await one(pool, f"select count(*) from {table}") == 0  # noqa: S608


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"closed_at": AT - timedelta(hours=1)}, "closed before"),
        ({"answered_at": AT - timedelta(seconds=1)}, "answered before"),
        ({"closed_at": AT + timedelta(days=4000)}, "in the future"),
        ({"steps": (PastStep(AT - timedelta(seconds=1), "x", "note"),)}, "outside the time"),
        ({"steps": (PastStep(AT, "x", "closed"),)}, "a step is closed"),
        ({"steps": (PastStep(AT, "x", "visit", {"arrived_at": "soon"}),)}, "an arrival"),
        ({"steps": (PastStep(AT, "x", "visit", {"arrived_at": 5}),)}, "an arrival"),
        ({"steps": (PastStep(AT, "x", "visit", {"arrived_at": "2026-02-28T09:31:00Z"}),)}, "an arrival"),
        ({"outcomes": []}, "must be given"),
        ({"how": " "}, "must be given"),
    ],
)
def test_a_case_that_cannot_be_true(changes: dict[str, object], words: str) -> None:
    now = AT + timedelta(days=100)
    assert problem_of(case(), now) is None
    found = problem_of(replace(case(), **changes), now)  # type: ignore[arg-type]
    assert found is not None
    assert words in found


async def test_a_case_of_nobody_and_a_case_of_equipment_are_refused(pool: Pool) -> None:
    with pytest.raises(WrongCase, match="no such person"):
        await add(pool, case())
    with pytest.raises(WrongCase, match="about equipment"):
        await add(pool, replace(case(await someone(pool)), kind=Kind.BATTERY_LOW))


async def test_a_live_alert_or_alarm_without_a_hub_cannot_be(pool: Pool) -> None:
    await add(pool, case(await someone(pool)))
    for change in ("alerts set past_case = null", "alerts set state = 'safe', due_at = now(), claimed_by = null",
                   "alarms set past = false"):  # fmt: skip
        with pytest.raises(psycopg.errors.CheckViolation):
            await rows(pool, f"update {change} returning 1")


# ---------------------------------------------------------------- when somebody arrived


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("10:31", datetime(2026, 7, 1, 9, 31, tzinfo=UTC)),  # by the clock on the wall
        ("10.31", datetime(2026, 7, 1, 9, 31, tzinfo=UTC)),
        ("2026-07-01T09:31:00Z", datetime(2026, 7, 1, 9, 31, tzinfo=UTC)),
        ("10:20", datetime(2026, 7, 1, 9, 20, 30, tzinfo=UTC)),  # the minute in which the alert was raised
    ],
)
def test_an_arrival_is_a_time_of_day_or_an_instant(text: str, at: datetime) -> None:
    raised, now = datetime(2026, 7, 1, 9, 20, 30, tzinfo=UTC), datetime(2026, 7, 1, 9, 50, tzinfo=UTC)
    assert arrival_at(text, raised, now, LONDON) == at


def test_an_arrival_before_midnight_is_yesterdays() -> None:
    raised, now = datetime(2026, 7, 1, 22, 20, tzinfo=UTC), datetime(2026, 7, 1, 23, 10, tzinfo=UTC)
    assert arrival_at("23:55", raised, now, LONDON) == datetime(2026, 7, 1, 22, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [("noon", "like 14:35"), ("10:19", "before the alert"), ("10:51", "before the alert"), ("25:00", "like 14:35"),
     ("2026-07-01T10:31:00Z", "in the future")],
)  # fmt: skip
def test_an_arrival_that_cannot_be(text: str, words: str) -> None:
    raised, now = datetime(2026, 7, 1, 9, 20, 30, tzinfo=UTC), datetime(2026, 7, 1, 9, 50, tzinfo=UTC)
    with pytest.raises(ValueError, match=words):
        arrival_at(text, raised, now, LONDON)


@pytest.mark.parametrize(
    ("text", "raised", "now", "at"),
    [
        ("01:40", "00:10", "01:10", "00:40"),  # the clocks have been put back, and it was before that
        ("01:40", "00:10", "02:30", "01:40"),  # it was after that: the last such before now
        ("00:50", "23:40", "01:10", "23:50"),
        ("02:10", "00:10", "02:30", "02:10"),
    ],
)
def test_an_arrival_in_the_night_in_which_the_clocks_are_put_back(text: str, raised: str, now: str, at: str) -> None:
    """Times but the first are of Greenwich."""

    def instant(clock: str) -> datetime:
        hour, minute = map(int, clock.split(":"))
        return datetime(2026, 10, 24 if hour > 12 else 25, hour, minute, tzinfo=UTC)

    assert arrival_at(text, instant(raised), instant(now), LONDON) == instant(at)
