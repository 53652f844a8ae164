"""Entering episodes on pages, and importing them."""

import re
from datetime import date, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.dashboard.outcomes.files import COLUMNS, LINES, PEOPLE, WRONG, WRONG_LINES, big_file, wrong_at
from tests.dashboard.outcomes.town import Town
from tests.dashboard.world import csrf_of
from tests.helpers import one, rows

GOOD = {"reason": "fall", "started_on": "02/03/2026", "goal_1": "Walk to the shop <b>alone</b>", "barthel_start": "11"}
ENDED = {"ended_on": "10/04/2026", "end_reason": "completed", "sequel": "none"}


async def post(client: httpx.AsyncClient, path: str, page: str, **fields: Any) -> httpx.Response:
    token = await csrf_of(client, page)
    return await client.post(path, data=fields | {"csrf_token": token})


async def upload(client: httpx.AsyncClient, content: bytes, **fields: str) -> httpx.Response:
    token = await csrf_of(client, "/episodes/import")
    files = {"file": ("episodes.csv", content, "text/csv")}
    return await client.post("/episodes/import", data=fields | {"csrf_token": token}, files=files)


@pytest.mark.parametrize("who", ["operator", "supervisor", "admin", "commissioner", "anytown"])
async def test_an_episode_is_entered_ended_and_asked_after(town: Town, who: str) -> None:
    async with town.world.browser_session(who) as browser:
        found = (await browser.get("/episodes/new?q=AT-0000")).text
        assert f"/episodes/new?person={town.mary}" in found
        made = await post(browser, "/episodes/new", "/episodes/new", person=town.mary, **GOOD)
        assert made.status_code == 303, made.text
        where = made.headers["location"].split("?")[0]
        page = (await browser.get(where)).text
        assert "Walk to the shop &lt;b&gt;alone&lt;/b&gt;" in page
        version = re.findall(r'name="version" value="(\d+)"', page)[0]
        more = GOOD | ENDED | {"goal_1_reached": "yes", "day91": "home", "day91_asked_on": "2/6/2026",
                               "day91_asked_by": "RK", "version": version}  # fmt: skip
        assert (await post(browser, where, where, **more)).status_code == 303
        assert "No support needed" in (await browser.get("/episodes")).text
        stale = await post(browser, where, where, **more)
        assert stale.status_code == 422
        assert "Somebody has changed this episode" in stale.text
    assert [row[0] for row in await rows(town.world.pool, "select what from episode_log order by id")] == [
        "entered", "changed",
    ]  # fmt: skip


async def test_an_end_before_its_start_and_an_overlap_are_said_and_nothing_is_lost(town: Town) -> None:
    async with town.world.browser_session("operator") as browser:
        wrong = GOOD | ENDED | {"ended_on": "01/03/2026", "person": str(town.mary)}
        answer = await post(browser, "/episodes/new", "/episodes/new", **wrong)
        assert answer.status_code == 422
        assert "End: The end, 1 March 2026, is before the start, 2 March 2026" in answer.text
        assert "Walk to the shop" in answer.text  # what was entered comes back
        assert (await post(browser, "/episodes/new", "/episodes/new", person=town.mary, **GOOD)).status_code == 303
        again = await post(
            browser, "/episodes/new", "/episodes/new", person=town.mary, **(GOOD | {"started_on": "1/4/2026"})
        )
        assert again.status_code == 422
        assert "episode from 2 March 2026 and has no end yet. A person has one episode at a time" in again.text
    assert await one(town.world.pool, "select count(*) from episodes") == 1


async def test_the_database_itself_refuses_what_cannot_be(town: Town) -> None:
    number = await town.add_episode(town.mary, "anytown", date(2026, 11, 1), **GOOD)
    for change in (
        "ended_on = started_on - 1, sequel = 'none', end_reason = 'completed'",
        "ended_on = started_on + 9",
        "day91 = 'home', day91_asked_on = started_on + 90, day91_asked_by = 'x'",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            await rows(town.world.pool, f"update episodes set {change} where id = %s returning 1", number)  # noqa: S608
    with pytest.raises(psycopg.errors.ExclusionViolation):
        await rows(
            town.world.pool,
            """insert into episodes (id, person_id, council_id, reason, started_on, entered_at, entered_by)
               select gen_random_uuid(), person_id, council_id, 'fall', '2030-01-01', now(), 'x' from episodes
               returning 1""",
        )
    with pytest.raises(psycopg.errors.CheckViolation):
        await rows(
            town.world.pool, "insert into episode_measures values (%s, 'barthel', 'start', 21) returning 1", number
        )
    with pytest.raises(psycopg.errors.IntegrityError):
        await rows(town.world.pool, "update episode_log set who = 'x' returning 1")


async def test_five_thousand_lines_of_which_37_are_wrong(town: Town) -> None:
    await town.add_people("anytown", PEOPLE)
    async with town.world.browser_session("anytown") as browser:
        sent = await upload(browser, big_file())
        assert sent.status_code == 303, sent.text
        where = sent.headers["location"]
        page = (await browser.get(where)).text
        assert await one(town.world.pool, "select count(*) from episodes") == 0  # a preview writes none
        assert "Import the 4,963 good lines" in page
        assert "<strong>37</strong> wrong" in page
        for line, way in wrong_at().items():
            assert f'<td data-label="Line">{line}</td>' in page
            assert WRONG[way][2] in page
        file = (await browser.get(f"{where}/wrong.csv")).text
        assert file.startswith("\ufeff" + ";".join(COLUMNS) + ";line;what_is_wrong\r\n")
        assert len(file.strip().splitlines()) == WRONG_LINES + 1
        answers = [await post(browser, where, where) for _ in range(2)]  # a double click
        assert [answer.status_code for answer in answers] == [303, 303]
        report = (await browser.get(where)).text
        assert "4,963 lines became episodes of Anytown Council" in report
        assert await one(town.world.pool, "select count(*) from episodes") == LINES - WRONG_LINES
        assert await one(town.world.pool, "select count(*) from episode_goals") == LINES - WRONG_LINES
        # The same file again: nothing to import but what is wrong.
        again = (await browser.get((await upload(browser, big_file())).headers["location"])).text
        assert "<strong>4,963</strong> recorded already" in again
        assert "No line of this file can be imported" in again
        assert "Import the" not in again
    states = await rows(
        town.world.pool,
        """select l.line, l.problems -> 0 ->> 0, l.problems -> 0 ->> 1 from episode_import_lines l
            where state = 'wrong' and import_id = (select id from episode_imports order by uploaded_at limit 1)""",
    )
    assert {line: field for line, field, _ in states} == {line: WRONG[way][1] for line, way in wrong_at().items()}
    assert all(WRONG[wrong_at()[line]][2] in words for line, _, words in states)
    assert (await one(town.world.pool, "select count(*) from access_log where what like '%%wrong lines as CSV'")) == 1


async def test_what_was_wrong_is_put_right_and_uploaded_again(town: Town) -> None:
    text = "person,reason,started_on\nAT-0000,fall,1/1/2026\nAT-0001,fall,2/1/2026\n"
    async with town.world.browser_session("anytown") as browser:
        where = (await upload(browser, text.encode())).headers["location"]
        await post(browser, where, where)
        wrong = (await browser.get(f"{where}/wrong.csv")).text
        await town.add_people("anytown", 2)
        where = (await upload(browser, wrong.encode())).headers["location"]
        page = (await browser.get(where)).text
        assert "left out: line, what_is_wrong" in page
        await post(browser, where, where)
        assert "1 line became an episode" in (await browser.get(where)).text
    assert await one(town.world.pool, "select count(*) from episodes") == 2


async def test_an_episode_entered_between_preview_and_import_is_not_overwritten(town: Town) -> None:
    text = "person,reason,started_on\nAT-0000,fall,1/1/2026\n"
    async with town.world.browser_session("anytown") as browser:
        where = (await upload(browser, text.encode())).headers["location"]
        await town.add_episode(town.mary, "anytown", date(2026, 11, 1), **(GOOD | {"started_on": "25/12/2025"}))
        await post(browser, where, where)
        page = (await browser.get(where)).text
    assert "0 lines became episodes" in page
    assert "Overlaps this person&#39;s episode from 25 December 2025" in page
    assert await one(town.world.pool, "select count(*) from episodes") == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"PK\x03\x04", "Excel workbook"),
        (b"a,b\n1,2\n", "missing: person, reason, started_on"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_in_words(town: Town, content: bytes, said: str) -> None:
    async with town.world.browser_session("anytown") as browser:
        answer = await upload(browser, content)
    assert answer.status_code == 422
    assert said in answer.text


async def test_limits_of_a_file_are_settings(town: Town) -> None:
    async with town.world.browser_session("anytown") as browser:
        answer = await upload(browser, b"x" * (town.world.settings.import_bytes + 1))
        assert answer.status_code == 413
        other = await post(browser, "/episodes/new", "/episodes/new", person=town.mary, goal_1="x" * 70_000)
        assert other.status_code == 413  # a form stays small


async def test_lines_of_a_file_are_forgotten_in_time(town: Town) -> None:
    text = b"person,reason,started_on\nAT-0000,fall,1/1/2026\n"
    async with town.world.browser_session("anytown") as browser:
        where = (await upload(browser, text)).headers["location"]
        await rows(town.world.pool, "update episode_imports set lines_until = now() - interval '1 s' returning 1")
        assert (await browser.get(where)).status_code == 404
        assert (await post(browser, where, "/episodes/import")).status_code == 404
        await upload(browser, text)
    assert await one(town.world.pool, "select count(*) from episode_import_lines") == 1


async def test_episodes_leave_as_a_file_that_comes_in_again(town: Town) -> None:
    await town.add_episode(town.mary, "anytown", date(2026, 11, 1), **GOOD, **ENDED)
    async with town.world.browser_session("anytown") as browser:
        file = (await browser.get("/episodes/export.csv")).content
        page = (await browser.get((await upload(browser, file)).headers["location"])).text
    assert "<strong>1</strong> recorded already" in page
    assert "<strong>0</strong> wrong" in page
    assert await one(town.world.pool, "select what from access_log") == "episodes: 1 as CSV"


async def test_a_reference_is_no_nhs_number_and_nobody_elses(town: Town) -> None:
    path = f"/episodes/people/{town.mary}/reference"
    await town.add_people("anytown", 2)
    async with town.world.browser_session("anytown") as browser:
        page = f"/episodes/people/{town.mary}"
        for reference, said in (
            ("943 476 5919", "NHS number"),
            ("at-0001", "another person"),
            ("?", "letters, digits"),
        ):
            answer = await post(browser, path, page, reference=reference)
            assert (answer.status_code, said in answer.text) == (422, True), reference
        assert (await post(browser, path, page, reference="New/1")).status_code == 303
        assert "reference New/1" in (await browser.get(page)).text
    with pytest.raises(psycopg.errors.CheckViolation):
        await rows(town.world.pool, "update person_references set reference = '943-476-5919' returning 1")


async def test_whoever_is_still_to_be_asked_is_found(town: Town) -> None:
    today = date.fromisoformat(str(await one(town.world.pool, "select current_date")))
    await town.add_episode(town.mary, "anytown", today, reason="fall", started_on=str(today - timedelta(days=91)))
    await town.add_episode(town.ravi, "otherham", today, reason="fall", started_on=str(today - timedelta(days=89)))
    async with town.world.browser_session("commissioner") as browser:
        page = (await browser.get("/episodes?which=ask")).text
    assert "Mary Ashworth" in page
    assert "Ravi Patel" not in page
