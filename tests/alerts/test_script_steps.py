"""Answering a script, on a real database. The test's own clock decides the time."""

from typing import Any

import psycopg
import pytest

from alerts import actions, knowing, script_steps
from alerts.errors import Conflict, Incomplete
from alerts.providers import DemoProvider
from telecare.db import Pool
from telecare.errors import NotFound
from telecare.settings import Settings
from telecare.vocabulary import Cause
from tests.alerts.test_helping import Helping
from tests.helpers import one, rows


class Asking(Helping):
    """Mary's press, claimed by the operator."""

    async def answer(self, question: str, answer: str, by: str = "operator", seen: int | None = None) -> bool:
        written: bool = await self.act(script_steps.answer, self.number, by, question, answer, self.now, seen)
        return written

    async def script(self) -> dict[str, Any]:
        async with self.pool.connection() as conn:
            found = await script_steps.record(conn, self.number)
        assert found is not None
        return found


@pytest.fixture
async def asking(pool: Pool, settings: Settings) -> Asking:
    made = Asking(pool, settings, DemoProvider())
    await made.begin()
    return made


async def test_an_answer_is_kept_at_once_and_counts_the_time_anew(asking: Asking) -> None:
    await asking.later(100)
    assert await asking.answer("call", "speaks")
    await asking.later(100)
    entries = [(entry["what"], entry["detail"].get("text")) for entry in (await asking.alert())["log"]]
    words = "Script. Hello, this is your alarm service. Can you hear me? They speak, or somebody with them does"
    assert entries[-1] == ("note", words)  # nothing has sounded again: the answer was a doing
    assert await asking.state() == "claimed"  # and the need is not known by it
    await asking.later(21)
    assert (await asking.last())[0] == "re-sounded"
    script = await asking.script()
    assert (script["id"], script["open"]["question"]) == ("press", "what")
    (given,) = script["given"]
    assert (given["question"], given["answer"], given["by"], given["by_name"]) == (
        "call", "speaks", "operator", "Operator",
    )  # fmt: skip


async def test_the_newest_answer_stands_and_the_older_one_is_kept(asking: Asking) -> None:
    await asking.answer("call", "speaks")
    await asking.answer("what", "ill")
    await asking.answer("ill", "chest")
    assert (await asking.script())["advice"]["do"] == "ambulance"
    await asking.answer("what", "mistake")
    script = await asking.script()
    assert [one["question"] for one in script["given"]] == ["call", "what"]
    assert (script["open"]["question"], script["advice"], script["red_flags"]) == ("sure", None, [])
    kept = await rows(asking.pool, "select question, answer from script_answers order by id")
    assert kept == [("call", "speaks"), ("what", "ill"), ("ill", "chest"), ("what", "mistake")]
    assert (await asking.alert())["log"][-1]["detail"]["text"].startswith("Script, changed. What has happened?")


async def test_a_stale_screens_answer_is_refused_and_the_newest_stands(asking: Asking) -> None:
    first = (await asking.script())["open"]["seen"]
    assert first == 0
    assert await asking.answer("call", "speaks", seen=0)
    assert not await asking.answer("call", "speaks", seen=0)  # pressed twice
    with pytest.raises(Conflict, match=r"has been answered since .* “They speak, .* by Operator. That answer stands"):
        await asking.answer("call", "nobody", seen=0)
    assert (await asking.script())["open"]["question"] == "what"
    (given,) = (await asking.script())["given"]
    assert await asking.answer("call", "speaks", seen=given["seen"])  # asked again, the same was heard
    assert await one(asking.pool, "select count(*) from script_answers") == 2
    assert await asking.answer("call", "nobody", seen=(await asking.script())["given"][0]["seen"])
    assert (await asking.script())["open"]["question"] == "ring"


async def test_only_the_owner_of_an_open_alert_answers(asking: Asking) -> None:
    with pytest.raises(Conflict, match="operator has this alert"):
        await asking.answer("call", "speaks", by="second")
    with pytest.raises(Conflict, match="does not ask that"):
        await asking.answer("blow", "fell")
    with pytest.raises(Incomplete, match="choose one of the answers"):
        await asking.answer("call", "sings")
    with pytest.raises(NotFound):
        await asking.act(script_steps.answer, 999, "operator", "call", "speaks", asking.now)
    row = """insert into script_answers (alert_id, at, by, script, version, question, answer, asked, heard)
             values (%s, now(), %s, 'press', 1, 'call', 'speaks', 'x', 'x')"""
    async with asking.pool.connection() as conn:
        with pytest.raises(psycopg.errors.CheckViolation, match="only who has an open alert"):
            await conn.execute(row, (asking.number, "second"))
    await asking.answer("call", "speaks")
    for change in ("update script_answers set heard = 'y'", "delete from script_answers", "truncate script_answers"):
        async with asking.pool.connection() as conn:
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
                await conn.execute(change.encode())
    await asking.close(asking.number)
    with pytest.raises(Conflict, match="closed"):
        await asking.answer("call", "nobody")
    async with asking.pool.connection() as conn:
        with pytest.raises(psycopg.errors.CheckViolation):
            await conn.execute(row, (asking.number, "operator"))


async def test_an_assessment_keeps_the_answers_and_the_scripts_version(asking: Asking) -> None:
    await asking.answer("call", "speaks")
    await asking.answer("what", "fell")
    await asking.answer("floor", "now")
    await asking.answer("ill", "chest")  # off the way: says nothing
    await asking.assess()
    found = (await asking.alert())["assessment"]
    assert (found["script"], found["script_version"]) == ("press", 1)
    assert found["answers"] == {
        "Hello, this is your alarm service. Can you hear me?": "They speak, or somebody with them does",
        "What has happened?": "Has fallen",
        "Are you on the floor now? Since when?": "On the floor, less than an hour",
    }
    await asking.act(
        knowing.assess, asking.number, "operator", asking.now, cause=Cause.OTHER, on_floor=False, decision="watch",
        answers={"Who called?": "Her son"},
    )  # fmt: skip
    found = (await asking.alert())["assessment"]
    assert (found["script"], found["answers"]) == (None, {"Who called?": "Her son"})


async def test_without_a_script_answered_an_assessment_names_none(asking: Asking) -> None:
    await asking.assess()
    found = (await asking.alert())["assessment"]
    assert (found["script"], found["script_version"], found["answers"]) == (None, None, {})


async def test_a_script_never_stands_in_the_way_of_help(asking: Asking) -> None:
    await asking.answer("call", "nobody")
    await asking.send()  # in the middle of it
    assert (await asking.alert())["visits"][0]["state"] == "requested"
    await asking.answer("ring", "nobody")
    assert (await asking.script())["advice"]["decision"] == "visit"


async def test_a_graver_alarm_brings_its_script_and_what_was_answered_stays(asking: Asking) -> None:
    await asking.answer("call", "speaks")
    await asking.answer("what", "fell")
    await asking.answer("floor", "now")
    await asking.alarm(kind="fall")
    script = await asking.script()
    assert script["id"] == "fall"
    assert [one["question"] for one in script["given"]] == ["call", "floor"]
    assert script["open"]["question"] == "injury"


async def test_whose_contacts_go_is_not_promised_a_responder(asking: Asking) -> None:
    async with asking.pool.connection() as conn:
        await conn.execute("update people set service_type = 'silver'")
    await asking.answer("call", "nobody")
    await asking.answer("ring", "nobody")
    assert (await asking.script())["advice"]["decision"] == "contact"


async def test_a_colleague_who_takes_over_goes_on_with_the_answers(asking: Asking) -> None:
    await asking.answer("call", "speaks")
    await asking.act(actions.take_over, asking.number, "second", "asked me to", asking.now)
    await asking.answer("what", "help", by="second")
    assert [one["by"] for one in (await asking.script())["given"]] == ["operator", "second"]
