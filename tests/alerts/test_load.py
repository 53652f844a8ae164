"""What being a contact costs in a week, counted from what was asked."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from alerts import load
from alerts.load import Budget, Load, loads, night_of
from alerts.load_store import AskedAbout
from alerts.providers import DemoProvider
from telecare.db import Pool
from telecare.settings import Settings
from telecare.vocabulary import Cause, Outcome
from tests.alerts.test_asks import JO, Asking
from tests.helpers import one

LONDON = ZoneInfo("Europe/London")
TEN, SEVEN = time(22), time(7)


def test_a_night_is_one_night_on_both_sides_of_midnight() -> None:
    def night(text: str) -> date | None:
        return night_of(datetime.fromisoformat(text), TEN, SEVEN, LONDON)

    assert night("2026-11-24T21:59:59Z") is None
    assert night("2026-11-24T22:00:00Z") == night("2026-11-25T06:59:59Z") == date(2026, 11, 24)
    assert night("2026-11-25T07:00:00Z") is None
    assert night("2026-07-01T21:30:00Z") == date(2026, 7, 1)  # half past ten on the wall
    # The nights in which the clocks change are nights like others.
    assert night("2026-10-25T00:30:00Z") == night("2026-10-25T01:30:00Z") == date(2026, 10, 24)
    assert night("2027-03-28T05:59:00Z") == date(2027, 3, 27)
    assert night("2027-03-28T06:01:00Z") is None
    assert night_of(datetime(2026, 1, 1, 13, tzinfo=UTC), time(12), time(14), LONDON) == date(2026, 1, 1)
    assert night_of(datetime(2026, 1, 1, 13, tzinfo=UTC), time(9), time(9), LONDON) is None


def asked(alert: int, *at: datetime, cause: str | None = None, contact: int = 1) -> AskedAbout:
    return AskedAbout(
        UUID(int=contact), "Jo Green", UUID(int=9), "Mary Green", alert, cause is not None, cause, TEN, SEVEN,
        "Europe/London", list(at),
    )  # fmt: skip


def test_a_week_in_figures_and_in_words() -> None:
    night = datetime(2026, 11, 24, 23, tzinfo=UTC)
    (jo,) = loads([
        asked(1, night, night + timedelta(seconds=90)), asked(2, night + timedelta(hours=3), cause="accidental"),
        asked(3, night + timedelta(days=1), cause="fall-up"), asked(4, night - timedelta(hours=8), cause="test"),
    ])  # fmt: skip
    assert (jo.alerts, jo.nights, jo.closed, jo.false, jo.false_percent) == (4, 2, 3, 2, 67)
    assert jo.words(Budget(4, 2)) == (
        "Jo was asked 4 times this week, in 2 nights, 2 of 3 turned out accidental or a test."
    )
    assert jo.words(Budget()).endswith("That is more than 3 alerts and 1 night a week: change the plan.")
    assert [jo.over(Budget(4, 2)), jo.over(Budget(3, 2)), jo.over(Budget(4, 1))] == [False, True, True]
    assert loads([]) == []


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 10_000), st.sampled_from(
    [None, "accidental", "test", "fall-up"]))))  # fmt: skip
def test_figures_keep_their_bounds(happened: list[tuple[int, int, int, str | None]]) -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    rows = [asked(a, start + timedelta(minutes=m), cause=cause, contact=c) for a, c, m, cause in happened]
    found: list[Load] = loads(rows)
    assert {one.contact_id for one in found} == {row.contact_id for row in rows}
    for one_load in found:
        assert 0 <= one_load.false <= one_load.closed
        assert 1 <= one_load.alerts <= 5
        assert 0 <= one_load.nights <= 8


async def test_who_is_over_the_budget_is_listed_for_a_week(pool: Pool, settings: Settings) -> None:
    world = Asking(pool, settings, DemoProvider())
    await world.begin()
    jo: UUID = await one(pool, "select id from contacts where phone = %s", JO)
    world.now = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    first = world.now
    for _ in range(2):
        await world.ask(jo)
        while await world.engine.message_step():
            pass
        await world.close(world.number, cause=Cause.ACCIDENTAL, outcomes=[Outcome.NO_HELP_NEEDED])
        world.now += timedelta(days=1)
        await world.alarm()
        world.number = (await world.open())[0]["id"]
        await world.claim(world.number)
    async with pool.connection() as conn:
        (found,) = await load.over_budget(conn, world.now)
        assert (found.contact, found.alerts, found.nights, found.false_percent) == ("Jo Green", 2, 2, 100)
        assert await load.over_budget(conn, world.now, Budget(3, 2)) == []
        assert await load.over_budget(conn, first + timedelta(days=8)) == []
        assert list(await load.of_person(conn, found.person_id, world.now)) == [jo]
        await conn.execute("update messages set state = 'failed' where purpose = 'ask'")
        assert await load.over_budget(conn, world.now) == []  # nothing left the house: nobody was woken
