"""Figures by the published wording, small numbers hidden alike on the page, in CSV and in JSON."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from uuid import uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.outcomes import definitions as words
from dashboard.outcomes.api import COLUMNS, ReportAnswer, as_csv, as_json
from dashboard.outcomes.chart import Line, line_chart
from dashboard.outcomes.counting import month_before, period_words
from dashboard.outcomes.day91 import Place
from dashboard.outcomes.disclosure import rounded
from dashboard.outcomes.reports import BUILDERS, WHOLE, Counted, Month, Visits, make
from dashboard.outcomes.vocabulary import Sequel
from telecare.vocabulary import Cause
from tests.dashboard.outcomes.town import Town
from tests.helpers import one, rows

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
counts = st.integers(0, 60)


def month(number: int, alerts: tuple[int, int, int]) -> Month:
    late, slow, quick = alerts
    return Month(begins=date(2026, number, 1), alerts=late + slow + quick, answered=slow + quick, within_60=quick,
                 within_180=slow + quick, median_s=20.0, visits=slow)  # fmt: skip


everything = st.builds(
    lambda months, visits, causes, places, sequels, goals: Counted(
        council_id=uuid4(), council="Anytown", median_s=21.0,
        months=[month(number, alerts) for number, alerts in enumerate(months, start=1)],
        visits=Visits(within_45=visits[0], within_60=visits[1], later=visits[2], not_recorded=visits[3]),
        causes=dict(zip(("fall-up", "accidental", "reassurance"), causes, strict=True)),
        places=dict(zip(Place, places, strict=True)),
        sequels={sequel.value: n for sequel, n in zip(Sequel, sequels, strict=True)},
        goals=dict(zip(("yes", "partly", "no", "not said"), goals, strict=True)),
    ),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 200)), min_size=1, max_size=12),
    st.tuples(counts, counts, counts, counts), st.tuples(counts, counts, counts),
    st.tuples(*[counts] * len(Place)), st.tuples(*[counts] * len(Sequel)), st.tuples(counts, counts, counts, counts),
)  # fmt: skip


@settings(max_examples=60)
@given(everything)
def test_no_export_says_more_than_the_page(counted: Counted) -> None:
    """Every form is written from the same figures, and none of them holds a small number."""
    for name in BUILDERS:
        made = make(name, [counted], "a year")
        sheet = list(csv.DictReader(io.StringIO(as_csv(made))))
        answer = ReportAnswer.model_validate(as_json(made, NOW))
        assert len(sheet) == len(answer.figures) == len(made.figures)
        for figure, row, told in zip(made.figures, sheet, answer.figures, strict=True):
            assert (row["measure"], row["period"]) == (told.measure, told.period) == (figure.measure, figure.period)
            if figure.value is None:
                assert figure.text == figure.mark == row["mark"] == told.mark
                assert (row["value"], row["low"], row["high"]) == ("", "", "")
                assert (told.value, told.low, told.high) == (None, None, None)
            else:
                assert float(row["value"]) == told.value == figure.value
                assert row["mark"] == told.mark == ""
            if figure.unit == "count" and figure.value is not None:
                assert figure.value == 0 or figure.value >= 10  # 8 and 9 are shown as 10
                assert figure.value % 5 == 0


@settings(max_examples=60)
@given(everything)
def test_a_share_stands_on_shown_counts_and_says_nothing_of_few(counted: Counted) -> None:
    made = make("day-91", [counted], "a year")
    places = counted.places
    home = places[Place.HOME]
    not_home = places[Place.HOSPITAL] + places[Place.CARE_HOME] + places[Place.DIED]
    unknown = places[Place.NOT_REACHED] + places[Place.NOT_ASKED]
    due = home + not_home + unknown
    lower, upper = made.find("Anytown", words.LOWER), made.find("Anytown", words.UPPER)
    known = made.find("Anytown", words.OF_KNOWN)
    for figure, part, whole in ((lower, home, due), (upper, home + unknown, due), (known, home, home + not_home)):
        small = any(1 <= n <= 7 for n in (part, whole, whole - part))
        if figure.value is not None:
            assert not small
            assert figure.value == round(100 * part / whole, 1)
    if 1 <= unknown <= 7:
        # With the count of the known and two shares, the unknown could be worked out.
        assert upper.value is None
        assert known.value is None or lower.value is None


def test_day_91_by_the_published_rule_with_both_bounds_and_the_interval() -> None:
    places = dict.fromkeys(Place, 0) | {
        Place.HOME: 70, Place.HOSPITAL: 4, Place.CARE_HOME: 4, Place.DIED: 4, Place.NOT_REACHED: 6, Place.NOT_ASKED: 4,
        Place.NOT_DUE: 20,
    }  # fmt: skip
    made = make("day-91", [Counted(council_id=uuid4(), council="A", months=[], places=places)], "a year")
    assert made.find("A", words.LOWER).text == f"{100 * 70 / 92:.1f}%"
    assert made.find("A", words.UPPER).text == f"{100 * 80 / 92:.1f}%"
    assert made.find("A", words.OF_KNOWN).text == "85.4% (76.1 to 91.4)"
    assert made.find("A", words.DUE).text == "90"
    assert made.find("A", "Had died").text == "[c]"
    assert "counts as not at home" in " ".join(made.definition)
    assert "West" not in made.title
    assert "2B(1)" in made.source


def test_a_share_of_a_month_with_few_late_is_hidden_and_the_years_is_shown() -> None:
    months = [month(1, (3, 0, 200)), month(2, (9, 0, 200)), month(3, (20, 0, 200))]
    made = make("answering", [Counted(council_id=uuid4(), council="A", months=months)], "a year")
    shares = [made.find("A", words.WITHIN_60, period).mark for period in ("2026-01", "2026-02", "2026-03", WHOLE)]
    assert shares == ["[c]", "[c]", "", ""]  # the second, or the year's share would give the first away


def test_months_are_whole_and_twelve() -> None:
    assert month_before(date(2026, 1, 31), 1) == date(2025, 12, 1)
    assert period_words(date(2026, 11, 24)) == "November 2025 to October 2026"


# ---------------------------------------------------------------- from the database to the page


async def fill(town: Town) -> datetime:
    """Sixty alerts of Mary's in the last complete month: 45 answered in 20 s, 15 in 2 min; 40 visited."""
    row = await rows(town.world.pool, "select date_trunc('month', now()) - interval '10 days'")
    start: datetime = row[0][0]
    for n in range(60):
        raised = start + timedelta(hours=n)
        answered = raised + timedelta(seconds=20 if n < 45 else 120)
        arrived = raised + timedelta(minutes=30 if n < 15 else 50) if n < 30 else None
        await town.add_case(town.mary, raised, answered, raised + timedelta(minutes=55), arrived, sent=n < 40,
                            cause=Cause.FALL_UP if n < 3 else Cause.REASSURANCE)  # fmt: skip
    return start


async def test_alerts_visits_and_times_by_the_wording(town: Town, client: httpx.AsyncClient) -> None:
    start = await fill(town)
    await town.world.alert("hub-1", "battery-low")  # technical, and this month's
    token = await town.world.token("anytown")
    month_name = f"{start:%Y-%m}"

    async def figures(report: str, period: str = WHOLE) -> dict[str, str]:
        answer = (await client.get(f"/api/reports/{report}", headers=token)).json()
        return {one["measure"]: one["mark"] or one["value"] for one in answer["figures"] if one["period"] == period}

    answering = {words.ALERTS: 60, words.VISITS: 40, words.MEDIAN: 20, words.WITHIN_60: 75.0, words.WITHIN_180: 100.0}
    assert await figures("answering", month_name) == answering
    assert await figures("answering") == answering
    assert await figures("visits") == {
        words.VISITS: 40, words.ARRIVAL_RECORDED: 30, words.ARRIVAL_NOT_RECORDED: 10, words.ON_SITE_45: 15,
        words.ON_SITE_60: 15, words.ON_SITE_LATER: 0, words.SHARE_45: 50.0, words.SHARE_60: 100.0,
    }  # fmt: skip
    causes = await figures("causes")
    assert causes[words.CLOSED_ALERTS] == "[c]" or causes["Anxious, wanted reassurance"] == "[c]"
    assert causes["Fall, up again"] == "[c]"


async def test_page_csv_and_json_tell_the_same_and_each_export_is_logged(town: Town, client: httpx.AsyncClient) -> None:
    await fill(town)
    async with town.world.browser_session("anytown") as browser:
        page = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "|", (await browser.get("/commissioning")).text)))
        for name in BUILDERS:
            told = (await browser.get(f"/api/reports/{name}")).json()
            sheet = (await browser.get(f"/api/reports/{name}?format=csv")).text
            assert not sheet.startswith("\ufeff")
            assert sheet.splitlines()[0] == ",".join(COLUMNS)
            for row, figure in zip(csv.DictReader(io.StringIO(sheet)), told["figures"], strict=True):
                assert row["value"] == ("" if figure["value"] is None else f"{figure['value']:.10g}")
            made = {figure["measure"] for figure in told["figures"]}
            assert all(f"|{measure}|" in page for measure in made), name
            notes = (await browser.get(f"/api/reports/{name}?format=notes")).text
            assert told["source"] in notes.replace('""', '"')
            assert told["source"] in page
    logged = await one(town.world.pool, "select count(*) from access_log where what like 'report %%: Anytown Council'")
    assert logged == 3 * len(BUILDERS)


async def test_a_report_that_is_none(town: Town, client: httpx.AsyncClient) -> None:
    token = await town.world.token("commissioner")
    assert (await client.get("/api/reports/savings", headers=token)).status_code == 404
    assert (await client.get("/api/reports/answering?council=x", headers=token)).status_code == 404
    assert (await client.get("/api/reports/answering?format=pdf", headers=token)).status_code == 422
    names = [report["name"] for report in (await client.get("/api/reports", headers=token)).json()["reports"]]
    assert names == list(BUILDERS)
    described = (await client.get("/api/openapi.json")).json()
    assert {"/api/reports", "/api/reports/{report}"} <= set(described["paths"])


def test_a_chart_leaves_gaps_and_escapes_names() -> None:
    svg = line_chart(
        [Line("A", [1, None, 3]), Line("B", [2, 2, 2])], ["<x>", "y", "z"], "s", 'a "b"', width=300, height=200
    )
    assert svg.count("<path") == 5 + 2 + 3  # grid, two lines, three squares
    assert "M40.0" in svg
    assert "<x>" not in svg
    assert "style=" not in svg
    with pytest.raises(ValueError, match="four"):
        line_chart([Line(str(n), []) for n in range(5)], [], "s", "", width=300, height=200)


def test_counts_are_to_the_nearest_five() -> None:
    assert [rounded(n) for n in (0, 8, 12, 13)] == [0, 10, 10, 15]
