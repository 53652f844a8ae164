"""How a person stands with the service: what it stops, what it does not, and who may say so."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from alerts import actions, asks, asks_store, standing
from telecare.db import database_now
from telecare.errors import Refused
from telecare.register import carers, plans
from telecare.register.person_states import Change
from telecare.register.plans import CarePlan
from telecare.vocabulary import PersonState, Role
from tests.dashboard.test_carers import is_carer
from tests.dashboard.world import World, csrf_of, send_messages
from tests.helpers import one, rows


async def says(
    served: World, state: str, by: str = "supervisor", note: str = "Her daughter, by telephone", **more: Any
) -> int:
    person = served.people["hub-1"]
    async with served.browser_session(by) as browser:
        sent = {"csrf_token": await csrf_of(browser, f"/people/{person}"), "state": state, "note": note, **more}
        answer = await browser.post(f"/people/{person}/state", data=sent)
    return answer.status_code


async def died(served: World) -> None:
    assert await says(served, "deceased") == 303


async def page(served: World, path: str, by: str = "operator") -> str:
    async with served.browser_session(by) as browser:
        answer = await browser.get(path)
        assert answer.status_code == 200
    return " ".join(answer.text.split())


async def ask(served: World, number: int) -> None:
    async with served.pool.connection() as conn:
        await actions.ask_contact(conn, served.settings, number, "operator", await database_now(conn))


# ---------------------------------------------------------------- what it stops


@pytest.mark.parametrize("state", ["deceased", "ended"])
async def test_nobody_is_written_to_from_that_moment(served: World, state: str) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    await ask(served, number)
    assert await one(served.pool, "select state from messages") == "pending"
    assert await says(served, state) == 303
    assert await one(served.pool, "select state from messages") == "failed"
    assert await one(served.pool, "select count(*) from asks where answer_by is not null") == 0
    await ask(served, number)  # the next contact
    await served.close(number)  # and no closing message either
    await send_messages(served)
    assert await rows(served.pool, "select state, sent_at from messages") == [("failed", None)]
    why = await one(served.pool, "select detail ->> 'why' from alert_log where what = 'notify-failed'")
    assert why.endswith("nobody is written to")


async def test_the_ladder_writes_to_nobody_either(served: World) -> None:
    await died(served)
    number = await served.alert("hub-1")
    async with served.pool.connection() as conn:
        await asks.ask_unless_asked(conn, served.settings, number, await database_now(conn))
    assert await one(served.pool, "select count(*) from messages") == 0


async def test_no_message_slips_in_beside_the_news(served: World) -> None:
    """A message that is queued at the same moment waits for the news, and is then not queued."""
    contact = served.contacts["hub-1"]
    new = Change(state=PersonState.DECEASED, note="Hospital", by="supervisor", role=Role.SUPERVISOR)
    async with served.pool.connection() as other:
        async with served.pool.connection() as news:
            now = await database_now(news)
            await standing.change(news, served.settings, served.people["hub-1"], new, now)
            queued = asyncio.create_task(
                asks_store.queue_message(other, contact, "07700 900456", "Hello", "test", "k", now, None)
            )
            await asyncio.sleep(0.3)
            assert not queued.done()
        assert await queued is False
    assert await one(served.pool, "select count(*) from messages") == 0


async def test_an_alarm_still_arrives_and_says_so(served: World) -> None:
    await died(served)
    number = await served.alert("hub-1", "fall")
    assert "Has died" in await page(served, "/console")
    text = await page(served, f"/console/alerts/{number}")
    assert "<strong>Recorded as having died.</strong> Her daughter, by telephone (supervisor" in text
    async with served.browser_session("operator") as browser:
        headers = await served.token("operator")
        listed = (await browser.get(f"/api/alerts/{number}", headers=headers)).json()
    assert listed["person_state"] == "deceased"


async def test_an_open_alert_shows_the_news_at_once(served: World) -> None:
    number = await served.alert("hub-1")
    before = await one(served.pool, "select n from alert_event_counter")
    await died(served)
    assert await one(served.pool, "select n from alert_event_counter") == before + 1
    assert "Her daughter, by telephone" in await page(served, f"/console/alerts/{number}")


async def test_nothing_is_watched_and_afterwards_it_begins_anew(served: World) -> None:
    person = served.people["hub-1"]
    due = """select count(*) from care_plans p join people on people.id = p.person_id
              and people.state in ('active', 'kit-fault')"""
    async with served.pool.connection() as conn:
        await plans.set_plan(conn, person, CarePlan(still_after_min=240), "operator", await database_now(conn))
    version = await one(served.pool, "select version from care_plans")
    await died(served)
    assert await one(served.pool, due) == 0
    assert await says(served, "active", note="It was her neighbour") == 303
    assert await one(served.pool, due) == 1
    assert await one(served.pool, "select version from care_plans") > version


async def test_a_carers_page_no_longer_speaks_of_the_person(served: World) -> None:
    await is_carer(served, "carer", "hub-1", carers.Consent(alerts=True, activity=True, equipment=True))
    assert "Mary" in await page(served, "/carer", "carer")
    await died(served)
    assert "Mary" not in await page(served, "/carer", "carer")


async def test_a_kit_fault_stops_nothing_and_is_said_on_every_alert(served: World) -> None:
    note = "Pendant does not answer; her neighbour looks in twice a day"
    assert await says(served, "kit-fault", "operator", note=note) == 303
    due_in = await one(served.pool, "select due_at - recorded_at from person_states")
    assert due_in == timedelta(hours=24)
    number = await served.alert("hub-1")
    assert f"<strong>Kit fault:</strong> {note} To be put right by" in await page(served, f"/console/alerts/{number}")
    assert "Kit fault" in await page(served, "/console")
    await served.claim(number)
    await ask(served, number)
    assert await one(served.pool, "select count(*) from messages") == 1


async def test_somebody_who_is_away_is_said_to_be(served: World) -> None:
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        away = CarePlan(away_until=now + timedelta(days=2), away_why="Anytown Hospital, her son")
        await plans.set_plan(conn, served.people["hub-1"], away, "operator", now)
    text = await page(served, f"/console/alerts/{await served.alert('hub-1')}")
    assert "Away until" in text
    assert "Anytown Hospital, her son" in text


# ---------------------------------------------------------------- who may say so


@pytest.mark.parametrize("state", ["deceased", "ended"])
async def test_an_operator_alone_can_neither_say_it_nor_undo_it(served: World, state: str) -> None:
    assert await says(served, state, "operator") == 422
    assert await says(served, state, "supervisor") == 303
    assert await says(served, "active", "operator") == 422
    assert "A supervisor or an administrator can change this" in await page(served, f"/people/{served.people['hub-1']}")
    assert await says(served, "active", "admin", note="It was her neighbour") == 303
    kept = await rows(served.pool, "select state, recorded_by from person_states order by id")
    assert kept == [(state, "supervisor"), ("active", "admin")]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"state": "asleep", "note": "x"}, "Choose how"),
        ({"state": "ended", "note": " "}, "Write down who said so"),
        ({"state": "ended", "note": "x" * 1001}, "at most 1000"),
        ({"state": "kit-fault", "note": "x", "due": "soon"}, "Enter a day"),
        ({"state": "kit-fault", "note": "x", "due": "1/1/2020"}, "must lie ahead"),
    ],
)
async def test_what_cannot_be_is_said_and_changes_nothing(served: World, sent: dict[str, str], words: str) -> None:
    person = served.people["hub-1"]
    async with served.browser_session("supervisor") as browser:
        token = {"csrf_token": await csrf_of(browser, f"/people/{person}")}
        answer = await browser.post(f"/people/{person}/state", data=token | sent)
    assert answer.status_code == 422
    assert words in answer.text
    assert await one(served.pool, "select state from people where id = %s", person) == "active"


async def test_the_database_keeps_what_was_said_and_knows_no_other_state(served: World) -> None:
    await died(served)
    for change in ("delete from person_states", "update person_states set note = 'x'", "truncate person_states"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            await one(served.pool, change)
    with pytest.raises(psycopg.errors.CheckViolation):
        await one(served.pool, "update people set state = 'ended' returning 1")


async def test_a_change_that_is_refused_leaves_no_trace(served: World) -> None:
    async with served.pool.connection() as conn:
        new = Change(state=PersonState.ENDED, note="x", by="operator", role=Role.OPERATOR)
        with pytest.raises(Refused):
            await standing.change(conn, served.settings, served.people["hub-1"], new, await database_now(conn))
    assert await one(served.pool, "select count(*) from person_states") == 0


async def test_no_two_parts_of_the_page_have_one_name(served: World) -> None:
    names = re.findall(r' id="([^"]+)"', await page(served, f"/people/{served.people['hub-1']}", "supervisor"))
    assert sorted(names) == sorted(set(names))
