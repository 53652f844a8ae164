"""The supervisors' figures: from the database, the same on the page, as CSV and JSON, and as the commissioners'."""

import csv
import html
import io
from datetime import timedelta
from typing import Any

import httpx
import pytest

from dashboard.pages_performance import COLUMNS, PerformanceAnswer
from telecare.db import database_now
from telecare.vocabulary import Cause
from tests.dashboard.outcomes.town import Town
from tests.dashboard.world import World
from tests.helpers import one


async def lines(browser: httpx.AsyncClient, **query: str) -> dict[str, dict[str, Any]]:
    answer = await browser.get("/api/performance", params=query)
    assert answer.status_code == 200, answer.text
    document = answer.json()
    PerformanceAnswer.model_validate_json(answer.content)
    return {line["measure"]: line for line in document["lines"]}


async def test_a_morning_is_counted_from_what_the_database_kept(served: World) -> None:
    number = await served.alert("hub-1", "fall")
    await served.claim(number)
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        await conn.execute(
            """update alerts set raised_at = %(raised)s, first_claimed_at = %(raised)s::timestamptz + interval '60 s',
                                 floor_since = %(raised)s::timestamptz - interval '10 min' where id = %(id)s""",
            {"raised": now - timedelta(hours=2), "id": number},
        )
        # An arrival in the log, and an earlier one of a visit: the earlier counts.
        await conn.execute(
            """insert into alert_log (alert_id, at, who, what, detail)
               values (%s, now(), 'operator', 'visit', jsonb_build_object('text', 'x', 'arrived_at', %s::text))""",
            (number, (now - timedelta(hours=1, minutes=10)).isoformat()),
        )
        await conn.execute(
            """insert into visits (id, alert_id, responder, requested_by, requested_at, state, due_at, arrived_at)
               values (gen_random_uuid(), %s, 'Car', 'operator', now(), 'arrived', now(), %s)""",
            (number, now - timedelta(hours=1, minutes=15)),
        )
        await conn.execute(
            """insert into visit_steps (visit_id, at, by, state) select id, %s, 'operator', 'lifted' from visits""",
            (now - timedelta(hours=1),),
        )
        # The person's own voice, and before it a neighbour's.
        for minutes, line in ((90, "contact"), (80, "landline")):
            await conn.execute(
                """insert into alert_log (alert_id, at, who, what, detail)
                   values (%s, %s, 'operator', 'contact-answered',
                           jsonb_build_object('result', 'spoke', 'line', %s::text))""",
                (number, now - timedelta(minutes=minutes), line),
            )
    await served.alarm("hub-1", "button")
    await served.alarm("hub-1", "button")
    await served.alarm("hub-1", "button")
    await served.alert("hub-1", "battery-low", device="hub")
    async with served.browser_session("supervisor") as browser:
        found = await lines(browser)
        page = html.unescape((await browser.get("/performance")).text)
        sent = await browser.get("/api/performance?format=csv")
        wrong = await browser.get("/performance?from=yesterday")
        backwards = await browser.get("/api/performance?from=2026-01-02&to=2026-01-01")
    values = {name: line["value"] for name, line in found.items()}
    assert values["Alerts"] == 1
    assert (values["Answered within 60 s"], values["Answered within 180 s"]) == (100.0, 100.0)  # 60 s exactly
    assert values["Median time to answer"] == 60
    assert (values["Visits"], values["Share on site within 45 min"]) == (1, 100.0)  # after 45 min exactly
    assert values["From the fall to the person's voice: median"] == 50
    assert values["From the fall to being up: median"] == 70
    assert values["On the floor for more than an hour"] == 100.0
    assert values["Chattering devices: three alarms of a kind within a minute"] == 1
    assert values["In ten minutes: most"] == 4
    assert (values["Level 1 Emergency"], values["Level 4 Technical"]) == (50.0, 50.0)
    assert (found["Answered within 60 s"]["asked"], found["Answered within 60 s"]["met"]) == ("97.5%", "yes")
    assert found["Answered within 60 s"]["low"] == 20.7  # Wilson, one of one

    rows = list(csv.DictReader(io.StringIO(sent.text)))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["measure"], row["source"]) for row in rows] == [(name, line["source"]) for name, line in found.items()]
    for row, line in zip(rows, found.values(), strict=True):
        assert row["value"] == ("" if line["value"] is None else f"{line['value']:.10g}")
        cells = page.split(f">{row['measure']}</th>")[1].split("</tr>")[0]
        shown = cells.split("</td>")[0].split(">")[-1]
        if line["value"] is None:
            assert shown == "[z]"
        else:
            assert float(shown.split("%")[0].split(" ")[0].replace(",", "")) == pytest.approx(line["value"], abs=0.5)
        assert line["source"] in cells
    assert (
        await one(served.pool, "select count(*) from access_log where what like 'performance as csv: the centre,%%'")
        == 1
    )
    assert wrong.status_code == 422
    assert "Days, like 2027-03-27" in wrong.text
    assert backwards.status_code == 422


async def test_an_empty_week_has_nothing_to_count(served: World) -> None:
    async with served.browser_session("supervisor") as browser:
        found = await lines(browser, **{"from": "2026-01-01", "to": "2026-01-07"})
        page = await browser.get("/performance?from=2026-01-01&to=2026-01-07")
    assert {line["value"] for line in found.values() if line["unit"] in ("percent", "minutes", "seconds")} == {None}
    assert "[z]" in page.text
    assert found["In ten minutes: most"]["value"] == 0


async def test_a_council_is_counted_alone_and_as_its_commissioners_are_told(town: Town) -> None:
    """What a supervisor is shown of a month is what the commissioners' report says of it, but for small numbers."""
    people = await town.people("anytown")
    async with town.world.pool.connection() as conn:
        now = await database_now(conn)
    begin = (now.replace(day=1, hour=9, minute=0, second=0, microsecond=0) - timedelta(days=1)).replace(day=2)
    for place in range(30):
        raised = begin + timedelta(hours=place)
        answered = raised + timedelta(seconds=10 if place < 20 else 100 if place < 29 else 181)
        arrived = raised + timedelta(minutes=(30, 50, 70)[place % 3])
        await town.add_case(
            people[0], raised, answered, raised + timedelta(hours=3), arrived, sent=True, cause=Cause.FALL_UP
        )
    days = {"from": f"{begin.date()}", "to": f"{(begin + timedelta(days=5)).date()}"}
    mine, other = (str(town.councils[name]) for name in ("anytown", "otherham"))
    async with town.world.browser_session("supervisor") as browser:
        found = await lines(browser, **days, council=mine)
        nothing = await lines(browser, **days, council=other)
        report = (await browser.get(f"/api/reports/answering?council={mine}")).json()["figures"]
        visits = (await browser.get(f"/api/reports/visits?council={mine}")).json()["figures"]
        assert (await browser.get("/api/performance?council=x")).status_code == 404
    assert nothing["Alerts"]["value"] == 0
    assert (found["Alerts"]["value"], found["Visits"]["value"]) == (30, 30)
    month = {one["measure"]: one["value"] for one in report if one["period"] == f"{begin:%Y-%m}"}
    for measure in ("Answered within 60 s", "Median time to answer"):
        assert month[measure] == pytest.approx(found[measure]["value"], abs=0.5), measure
    assert (found["Answered within 60 s"]["value"], found["Answered within 180 s"]["value"]) == (66.7, 96.7)
    shown = {one["measure"]: one["value"] for one in visits if one["council"] == "Anytown Council"}
    for measure in ("Share on site within 45 min", "Share on site within 60 min"):
        assert shown[measure] == found[measure]["value"], measure
    assert found["Visits with the arrival not recorded"]["value"] == 0


async def test_who_is_no_supervisor_sees_no_figures_of_the_room(served: World) -> None:
    for role in ("operator", "commissioner", "responder", "carer"):
        async with served.browser_session(role) as browser:
            assert (await browser.get("/performance")).status_code == 403
            assert (await browser.get("/api/performance")).status_code == 403
