"""A day in a home: as a sentence, as a picture, as a table."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboard.timeline import Day, LastDay, finding, picture, table
from dashboard.timeline_svg import draw
from tests.dashboard.world import NASTY, World

LONDON = ZoneInfo("Europe/London")
DAY = Day(date(2026, 7, 1), LONDON)  # summer time: midnight is 23:00 UTC


def at(hour: float) -> datetime:
    return DAY.start + timedelta(hours=hour)


NOW = at(48)
MOVES = [("pir-kitchen", "kitchen", at(7), 4, at(7.02), at(7.05)), ("pir-hall", "hall", at(22), 1, at(22.5), at(22.5))]
STATES = [
    ("bed-1", "bedroom", "occupied", False, at(-1), 1.0), ("bed-1", "bedroom", "occupied", False, at(6.75), 0.0),
    ("door-front", "hall", "open", True, at(9), 1.0), ("door-front", "hall", "open", True, at(9.1), 0.0),
    ("bed-1", "bedroom", "occupied", False, at(23), 1.0),
]  # fmt: skip
WARM = [("env-1", "living", at(3), 16.2), ("env-1", "living", at(19), 21.0)]
ALARMS = [(at(12), "Pendant pressed")]
ALERTS = [(7, 2, at(12), at(12.5), "Pendant pressed"), (8, 4, at(-5), None, "Battery low")]


def shown(**changes: Any) -> Any:
    given = {"movements": MOVES, "states": STATES, "temperatures": WARM, "alarms": ALARMS, "alerts": ALERTS}
    return picture(DAY, NOW, **(given | changes))


def test_a_day_in_a_sentence() -> None:
    assert finding(shown()) == (
        "First movement 07:01, last 22:30; outside door opened 1 time; bed 1 longest 00:00 to 06:45;"
        " 16.2 to 21 °C; 2 alerts."
    )
    nothing = shown(movements=[], states=[], temperatures=[], alarms=[], alerts=[])
    assert nothing.is_empty
    assert finding(nothing) == "Nothing was heard from this home on this day."
    assert finding(shown(movements=[])).startswith("No movement was seen;")


def test_the_last_24_hours_end_now_and_begin_with_what_went_on() -> None:
    last = LastDay.before(at(9.05), LONDON)
    shown_ = picture(last, at(9.05), MOVES[:1], STATES[:3], WARM[:1], [], [])
    assert (last.end - last.start, last.wall(last.end), last.wall(last.start)) == (timedelta(days=1), "09:03", "09:03")
    assert [last.wall(hour) for hour in last.hours] == [f"{hour % 24:02}:00" for hour in range(10, 34)]
    (bed,) = [lane for lane in shown_.lanes if lane.name == "Bed 1"]
    assert [(span.start, span.end) for span in bed.spans] == [(at(-1), at(6.75))]
    (door,) = [lane for lane in shown_.lanes if lane.name == "Door front"]
    assert door.spans[-1].end == at(9.05)  # it is open now
    svg = str(draw(shown_, finding(shown_)))
    assert "The last 24 hours" in svg
    nothing = picture(last, at(9.05), [], [], [], [], [])
    assert finding(nothing) == "Nothing was heard from this home in the last 24 hours."


def test_what_began_before_midnight_begins_at_midnight_and_what_goes_on_ends_now() -> None:
    (bed,) = [lane for lane in shown().lanes if lane.name == "Bed 1"]
    assert [(DAY.wall(span.start), DAY.wall(span.end)) for span in bed.spans] == [
        ("00:00", "06:45"),
        ("23:00", "00:00"),
    ]
    today = picture(DAY, at(23.5), MOVES, STATES, WARM, ALARMS, ALERTS)
    (bed,) = [lane for lane in today.lanes if lane.name == "Bed 1"]
    assert bed.spans[-1].end == at(23.5)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)])
def test_a_day_has_as_many_hours_as_the_clock_gives_it(day: date, hours: int) -> None:
    which = Day(day, LONDON)
    empty = picture(which, which.end, [], [], [("env-1", "", which.start, 18.0)], [], [])
    assert len(which.hours) == len(table(empty)) == hours
    svg = str(draw(empty, "x"))
    assert svg.count('class="hour') - svg.count('class="hour-name"') == hours


def test_the_table_says_hour_by_hour_what_the_picture_shows() -> None:
    rows = table(shown())
    assert rows[7].movement == "kitchen 4"
    assert rows[9].states == "Door front 09:00 to 09:06"
    assert rows[12].alarms == "12:00 Pendant pressed"
    assert (rows[3].temperature, rows[4].temperature) == ("16.2", "")


def test_the_picture_is_sound_and_names_from_outside_are_harmless() -> None:
    nasty = [(NASTY, NASTY, at(7), 4, at(7), at(7))]
    svg = str(draw(shown(movements=nasty, states=[('a"b', "x", "open", False, at(1), 1.0)]), 'said "so" & more'))
    assert "<script" not in svg
    tree = ET.fromstring(svg)  # noqa: S314  (our own)
    assert tree.attrib["role"] == "img"
    for element in tree.iter():
        assert "style" not in element.attrib
        for name in ("x", "width"):
            if name in element.attrib:
                assert -200 <= float(element.attrib[name]) <= 1000


async def test_the_page_of_a_day(served: World) -> None:
    home = served.homes["hub-1"]
    async with served.pool.connection() as conn:
        row = await (await conn.execute("select now()")).fetchone()
    assert row is not None
    now: datetime = row[0].astimezone(UTC)
    await served.reading("hub-1", "pir-hall", "motion", 1.0, now - timedelta(seconds=30))
    await served.reading("hub-1", "env-1", "temperature", 18.5, now - timedelta(seconds=20))
    number = await served.alert("hub-1", "fall")
    today = (now - timedelta(seconds=30)).astimezone(LONDON).date().isoformat()
    async with served.browser_session("operator") as browser:
        page = await browser.get(f"/homes/{home}/timeline?day={today}")
        assert page.status_code == 200
        assert re.search(r"First movement \d\d:\d\d, last \d\d:\d\d; 18\.5 °C", page.text)
        assert "Fall detected, level 1" in page.text
        assert "Movement, hall" in page.text
        assert f"/homes/{home}/timeline" in (await browser.get(f"/console/alerts/{number}")).text
        empty = await browser.get(f"/homes/{home}/timeline?day=2020-01-01")
        assert "Nothing was heard from this home on this day." in empty.text
        for wrong in ("yesterday", "2999-01-01", "1999-12-31", "2026-02-30", "%00"):
            answer = await browser.get(f"/homes/{home}/timeline?day={wrong}")
            assert answer.status_code == 422
            assert "Enter a day" in answer.text
        assert (await browser.get("/homes/0/timeline")).status_code == 404
