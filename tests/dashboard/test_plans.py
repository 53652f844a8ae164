"""The page of a care plan."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from starlette.datastructures import FormData

from dashboard.pages_plans import form_of, plan_from
from telecare.register import plans
from telecare.register.plans import CarePlan
from tests.dashboard.world import World, csrf_of

LONDON = ZoneInfo("Europe/London")
GOOD = {
    "still": "yes", "still_after_h": "2.5", "still_from": "8:00", "still_until": "21.30", "out_after_h": "12",
    "up": "yes", "up_by": "10:00", "up_since": "5:00", "away_until": "27/7/2027 18:00", "away_why": "her son's",
    "agreed": "Leave me be at night.",
}  # fmt: skip
PLAN = CarePlan(
    still_after_min=150, still_from=time(8), still_until=time(21, 30), out_after_min=720, up_by=time(10),
    away_until=datetime(2027, 7, 27, 17, tzinfo=UTC), away_why="her son's", agreed="Leave me be at night.",
)  # fmt: skip


def test_a_form_is_a_plan_and_a_plan_a_form() -> None:
    form, plan = plan_from(FormData(GOOD), LONDON)
    assert form.errors == {}
    assert plan == PLAN
    assert plan_from(FormData(form_of(PLAN, LONDON).values), LONDON)[1] == PLAN
    assert plan_from(FormData({}), LONDON)[1] == CarePlan()
    assert plan_from(FormData(form_of(CarePlan(), LONDON).values), LONDON)[1] == CarePlan()


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"still_after_h": "four"}, "still_after_h", "Enter a number of hours"),
        ({"still_after_h": "nan"}, "still_after_h", "Enter a number of hours"),
        ({"still_after_h": "inf"}, "still_after_h", "Enter a number of hours"),
        ({"still_after_h": "0.1"}, "still_after_h", "Between 30 minutes and 48 hours"),
        ({"still_from": "24:00"}, "still_from", "Enter a time of day"),
        ({"out_after_h": "1000"}, "out_after_h", "Between 1 hour and 7 days"),
        ({"up_by": "4:00"}, "up_by", "Must be later than 05:00"),
        ({"up_by": ""}, "up_by", "Enter a time of day"),
        ({"away_until": "tomorrow"}, "away_until", "Enter a day"),
        ({"away_until": "31/2/2027"}, "away_until", "There is no such day"),
        ({"agreed": "x" * 1001}, "agreed", "At most 1000 characters"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(changes: dict[str, str], field: str, words: str) -> None:
    form, _ = plan_from(FormData(GOOD | changes), LONDON)
    assert list(form.errors) == [field]
    assert form.errors[field].startswith(words)


async def test_a_plan_is_changed_on_its_page_and_shown_on_the_persons(served: World) -> None:
    person = served.people["hub-1"]
    async with served.browser_session("operator") as browser:
        before = (await browser.get(f"/people/{person}")).text
        assert "Nothing is watched besides the alarm." in before
        token = await csrf_of(browser, f"/people/{person}/plan")
        wrong = await browser.post(f"/people/{person}/plan", data=GOOD | {"csrf_token": token, "up_by": "late"})
        assert wrong.status_code == 422
        assert "Enter a time of day" in wrong.text
        assert "Leave me be at night." in wrong.text  # what was entered comes back
        right = await browser.post(f"/people/{person}/plan", data=GOOD | {"csrf_token": token})
        assert (right.status_code, right.headers["location"]) == (303, f"/people/{person}#plan")
        after = (await browser.get(f"/people/{person}")).text
        assert "No movement for 2 hours 30 minutes while at home, between 08:00 and 21:30; 12 hours when out" in after
        assert "Not up by 10:00" in after
        assert "Away until" in after
        assert "operator" in (await browser.get(f"/people/{person}/plan")).text
    async with served.pool.connection() as conn:
        assert await plans.plan_of(conn, person) == PLAN


async def test_a_plan_of_nobody_is_not_found(served: World) -> None:
    async with served.browser_session("operator") as browser:
        token = await csrf_of(browser, "/console")
        for person in ("0", "01890000-0000-7000-8000-000000000000"):
            assert (await browser.get(f"/people/{person}/plan")).status_code == 404
            assert (await browser.post(f"/people/{person}/plan", data={"csrf_token": token})).status_code == 404
