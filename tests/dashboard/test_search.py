"""The search: whoever is meant is found, however it was typed, and what is open stays open."""

import httpx
import pytest

from dashboard import search_store
from dashboard.searching import LIMIT, read
from tests.dashboard.world import NASTY, World

LIKE_IT_SOUNDS = [
    ("Catharine Smyth", "katherine smith"),
    ("Philippa Nowak", "filipa"),
    ("Siobhán O’Brien", "o'brien"),
    ("Stephen Wright", "steven rite"),
]


@pytest.mark.parametrize(
    ("typed", "alert", "digits"),
    [
        ("12", 12, ""),
        ("#12", 12, ""),
        ("alert 12", 12, ""),
        ("01632 960101", None, "1632960101"),
        ("+44 1632 960101", None, "1632960101"),
        ("960101", 960101, "960101"),
        ("12 Mill Lane", None, ""),
        ("9" * 40, None, "9" * 40),
        ("²", None, ""),
        ("", None, ""),
    ],
)
def test_what_a_number_may_mean(typed: str, alert: int | None, digits: str) -> None:
    search = read(typed)
    assert (search.alert, search.digits) == (alert, digits)


def test_what_was_typed_is_bounded() -> None:
    search = read("\0" + "ab " * 100_000)
    assert len(search.typed) <= LIMIT
    assert set(search.words) <= {"ab", "a"}
    assert read(" ' - _ % ").words == ()


async def found(world: World, typed: str) -> dict[str, list[search_store.Record]]:
    async with world.pool.connection() as conn:
        return await search_store.find(conn, read(typed), 10)


@pytest.mark.parametrize(("name", "typed"), LIKE_IT_SOUNDS)
async def test_a_name_is_found_as_it_sounds(world: World, name: str, typed: str) -> None:
    await world.add_home("hub-2", name)
    await world.add_home("hub-3", "Gerald Tomkins")
    assert [one["name"] for one in (await found(world, typed))["people"]] == [name]


async def test_the_very_name_comes_before_one_that_only_sounds_like_it(world: World) -> None:
    await world.add_home("hub-2", "Catharine Smyth")
    await world.add_home("hub-3", "Katherine Smith")
    await world.add_home("hub-4", "Katherina Smithson")
    names = [one["name"] for one in (await found(world, "katherine smith"))["people"]]
    assert names[0] == "Katherine Smith"
    assert "Catharine Smyth" in names


async def test_everything_by_which_somebody_may_be_known(world: World) -> None:
    await world.add_home("hub-2", "John Bell", address="Flat 3, 40 High Street")
    number = await world.alert("hub-1")

    async def kinds(typed: str) -> set[str]:
        return {kind for kind, records in (await found(world, typed)).items() if records}

    assert await kinds("mary mill") == {"people"}
    assert await kinds("mill lane") == {"people", "homes"}
    assert await kinds("AN1 2BC") == await kinds("an12bc") == {"people", "homes"}
    assert await kinds("01632 960101") == await kinds("+441632960101") == {"telephones"}
    assert await kinds("900456") == {"telephones"}  # the end of a contact's number
    assert await kinds("susan") == {"contacts"}
    assert await kinds("pendant-1") == {"equipment"}
    assert await kinds("hub-2") == {"equipment"}
    assert "alerts" in await kinds(str(number))
    assert await kinds("nobody of this name") == set()
    assert await kinds("%") == await kinds("") == set()
    people = (await found(world, "ashworth"))["people"]
    assert [one["alert"] for one in people] == [number]


async def test_the_page_leads_on_and_shows_what_was_typed(served: World) -> None:
    await served.add_home("hub-9", NASTY)
    number = await served.alert("hub-1")
    async with served.browser_session("operator") as browser:
        page = (await browser.get("/search", params={"q": "ashworth"})).text
        assert f'href="/console/alerts/{number}"' in page
        assert "/people/" in page
        nasty = (await browser.get("/search", params={"q": NASTY})).text
        assert NASTY not in nasty
        assert "0 found" not in nasty
        for typed in ("", "\0", "%", "9" * 5000, "x" * 9000):
            answer = await browser.get("/search", params={"q": typed})
            assert answer.status_code == httpx.codes.OK
        alert = (await browser.get(f"/console/alerts/{number}")).text
        assert 'role="search" target="search"' in alert
    async with served.browser_session("carer") as browser:
        assert 'role="search"' not in (await browser.get("/carer")).text
