"""The page of tasks, tasks on a person's record, and their API."""

from datetime import timedelta

import httpx
import pytest

from alerts import tasks_store
from dashboard import models
from telecare.db import database_now
from telecare.vocabulary import Role
from tests.dashboard.test_states import page, says
from tests.dashboard.world import World, csrf_of
from tests.helpers import one, rows, until


async def task(served: World, words: str = "Ring her daughter", *, days: float = 1, about: bool = True) -> int:
    """A task by hand; one with a day that has passed was made before it."""
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        due = now + timedelta(days=days)
        person = served.people["hub-1"] if about else None
        return await tasks_store.add(conn, words, due, "operator", min(now, due) - timedelta(days=1), person_id=person)


async def finish(served: World, number: int, how: str, by: str = "operator") -> httpx.Response:
    async with served.browser_session(by) as browser:
        sent = {"csrf_token": await csrf_of(browser, "/tasks"), "how": how}
        return await browser.post(f"/tasks/{number}/done", data=sent)


async def test_due_first_and_overdue_by_word_and_shape(served: World) -> None:
    await task(served, "Later")
    late = await task(served, "Sooner", days=-1)
    text = await page(served, "/tasks")
    assert text.index("Sooner") < text.index("Later")
    assert "2 open, 1 overdue" in text
    shown = text.split(f'id="task-{late}"')[1].split("</li>")[0]
    assert "</svg> Overdue</strong>" in shown
    assert "Mary Ashworth" in shown
    assert "Overdue</strong>" not in text.split("Later")[0].split("</li>")[-1]


async def test_a_task_is_done_and_how(served: World) -> None:
    number = await task(served)
    refused = await finish(served, number, " ")
    assert refused.status_code == 422
    assert "Say what was done" in refused.text
    assert (await finish(served, number, "She rang back")).status_code == 303
    text = await page(served, "/tasks?done")
    assert "Nothing is to be done." in text
    assert "She rang back" in text
    again = await finish(served, number, "Me too", "supervisor")
    assert again.status_code == 409
    assert "done already" in again.text
    assert (await finish(served, 999, "x")).status_code == 404


async def test_a_task_is_made_on_a_record_and_stands_there(served: World) -> None:
    person = served.people["hub-1"]
    async with served.browser_session("operator") as browser:
        assert f"/tasks/new?person={person}" in (await browser.get(f"/people/{person}")).text
        form = f"/tasks/new?person={person}"
        assert "About Mary Ashworth" in (await browser.get(form)).text
        sent = {"csrf_token": await csrf_of(browser, form), "person": str(person), "words": "New batteries", "due": ""}
        wrong = await browser.post("/tasks/new", data=sent)
        assert wrong.status_code == 422
        assert "Enter a day" in wrong.text
        assert "New batteries" in wrong.text
        past = await browser.post("/tasks/new", data=sent | {"due": "1/1/2020"})
        assert "Must lie ahead" in past.text
        made = await browser.post("/tasks/new", data=sent | {"due": "27/3/2099 10:00"})
        assert made.status_code == 303
        assert "New batteries" in (await browser.get(f"/people/{person}")).text
    assert await rows(served.pool, "select kind, person_id, home_id, made_by from tasks") == [
        ("by-hand", person, served.homes["hub-1"], "operator")
    ]


async def test_a_task_is_made_on_an_alert(served: World) -> None:
    number = await served.alert("hub-1")
    form = f"/tasks/new?alert={number}"
    assert form in await page(served, f"/console/alerts/{number}")
    async with served.browser_session("operator") as browser:
        sent = {
            "csrf_token": await csrf_of(browser, form),
            "alert": str(number),
            "words": "Falls team",
            "due": "1/1/2099",
        }
        assert (await browser.post("/tasks/new", data=sent)).status_code == 303
    assert await rows(served.pool, "select alert_id, person_id from tasks") == [(number, served.people["hub-1"])]
    assert f'href="/console/alerts/{number}"' in await page(served, "/tasks")


@pytest.mark.parametrize("about", ["person=x", "alert=x", "alert=999", "person=00000000-0000-0000-0000-000000000009"])
async def test_nothing_is_made_about_what_is_not_there(served: World, about: str) -> None:
    async with served.browser_session("operator") as browser:
        assert (await browser.get(f"/tasks/new?{about}")).status_code == 404


async def test_the_menu_counts_what_is_due(served: World) -> None:
    await task(served, days=-1)
    await task(served, days=0.5)
    await task(served, days=3)

    async def counted() -> bool:
        return "2 due, 1 overdue" in await page(served, "/console")

    await until(counted, 20)
    assert "2 due" not in await page(served, "/homes", Role.ADMIN)  # who cannot go there


async def test_programs_read_and_finish_tasks(served: World, client: httpx.AsyncClient) -> None:
    number, headers = await task(served, days=-1), await served.token("operator")
    await task(served, about=False)
    answer = await client.get("/api/tasks", headers=headers)
    found = models.TaskList.model_validate(answer.json()).tasks
    assert (found[0].id, found[0].overdue, found[0].person_name) == (number, True, "Mary Ashworth")
    assert found[1].person is None
    for body, status in (({}, 422), ({"how": ""}, 422), ({"how": "Rang"}, 200), ({"how": "Rang"}, 409)):
        answer = await client.post(f"/api/tasks/{number}/done", headers=headers, json=body)
        assert answer.status_code == status, answer.text
    assert answer.json()["claimed_by"] == "operator"
    assert len((await client.get("/api/tasks", headers=headers)).json()["tasks"]) == 1


@pytest.mark.parametrize("state", ["deceased", "ended"])
async def test_nobody_is_invited_about_who_has_died_or_left(served: World, state: str) -> None:
    person, contact = served.people["hub-1"], served.contacts["hub-1"]
    address = f"/people/{person}/contacts/{contact}/invite"
    assert address in await page(served, f"/people/{person}")
    assert await says(served, state) == 303
    assert address not in await page(served, f"/people/{person}")
    async with served.browser_session("operator") as browser:
        answer = await browser.post(address, data={"csrf_token": await csrf_of(browser, f"/people/{person}")})
        assert answer.status_code == 409
        assert "nobody is invited" in answer.text
    assert await one(served.pool, "select count(*) from invitations") == 0
