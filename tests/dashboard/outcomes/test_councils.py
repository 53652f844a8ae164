"""A commissioner of one council sees nothing of another's. (Every route with everyone's ids: `test_reach`.)"""

from datetime import date

import pytest

from telecare.db import database_now
from telecare.errors import Refused
from telecare.register import staff
from telecare.vocabulary import Role
from tests.dashboard.outcomes.test_episodes import GOOD, post, upload
from tests.dashboard.outcomes.town import Town
from tests.helpers import one, rows

TODAY = date(2026, 11, 1)


async def test_pages_without_ids_show_own_people_only(town: Town) -> None:
    await town.add_episode(town.ravi, "otherham", TODAY, **GOOD)
    await town.add_episode(town.mary, "anytown", TODAY, **GOOD)
    pages = ("/episodes", "/episodes/export.csv", "/episodes/new?q=a", "/commissioning", "/api/reports/day-91",
             "/api/reports/answering?format=csv", "/episodes/import")  # fmt: skip
    for who, other in (("anytown", ("Ravi", "Otherham")), ("otherham", ("Mary", "Anytown Council"))):
        async with town.world.browser_session(who) as browser:
            for page in pages:
                answer = await browser.get(page)
                assert answer.status_code == 200, page
                for word in other:
                    assert word not in answer.text.replace("No step", ""), (who, page)
            assert (await browser.get(f"/commissioning?council={town.councils['otherham']}")).status_code == (
                200 if who == "otherham" else 404
            )
            listed = await browser.get(f"/episodes?council={town.councils['anytown']}")
            assert listed.status_code == (200 if who == "anytown" else 404)


async def test_another_councils_person_cannot_be_entered_or_imported(town: Town) -> None:
    async with town.world.browser_session("anytown") as browser:
        assert (await browser.get(f"/episodes/new?person={town.ravi}")).status_code == 404
        entered = await post(browser, "/episodes/new", "/episodes/new", person=town.ravi, **GOOD)
        assert entered.status_code == 404
        for person in ("OH-0000", str(town.ravi)):
            sent = await upload(browser, f"person,reason,started_on\n{person},fall,1/1/2026\n".encode())
            page = (await browser.get(sent.headers["location"])).text
            assert "No person of this council has this reference or id" in page
        forged = await upload(browser, b"person,reason,started_on\nOH-0000,fall,1/1/2026\n",
                              council=str(town.councils["otherham"]))  # fmt: skip
        assert forged.status_code == 404
    assert await one(town.world.pool, "select count(*) from episodes") == 0


async def test_exact_figures_of_a_person_are_for_those_who_answer(town: Town) -> None:
    page = f"/episodes/people/{town.mary}"
    for who, sees in (
        ("operator", True),
        ("supervisor", True),
        ("admin", True),
        ("anytown", False),
        ("commissioner", False),
    ):
        async with town.world.browser_session(who) as browser:
            assert ("Exact figures of one person" in (await browser.get(page)).text) is sees, who


async def test_only_commissioners_belong_to_a_council(town: Town) -> None:
    async with town.world.pool.connection() as conn:
        with pytest.raises(Refused, match="only commissioners"):
            await staff.add_member(conn, "x", "X", Role.OPERATOR, "long enough", council_id=town.councils["anytown"])
        token = await staff.new_token(conn, "anytown", await database_now(conn))
        found = await staff.member_with_token(conn, token)
    assert found is not None
    assert found.council_id == town.councils["anytown"]
    assert await rows(town.world.pool, "select council_id from staff where username = 'operator'") == [(None,)]
