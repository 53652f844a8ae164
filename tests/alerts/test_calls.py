"""Calls on a real database: whom, when, how long, what was heard; and what to try next."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from alerts import calls
from alerts.calls import Advice, Line, Result
from alerts.errors import Conflict, Incomplete
from alerts.providers import DemoProvider
from telecare.db import Pool
from telecare.errors import NotFound
from telecare.settings import Settings
from tests.alerts.test_engine import World, employ
from tests.helpers import mary, one

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Calling(World):
    """Mary's alert, claimed by `operator`."""

    number = 0

    async def begin(self) -> None:
        async with self.pool.connection() as conn:
            await employ(conn, "operator", "second")
        await self.live_in(mary(phone="01632 960101"))
        await self.alarm()
        self.number = (await self.open())[0]["id"]
        await self.claim(self.number)

    async def call(self, line: Line = "landline", contact: UUID | None = None, by: str = "operator") -> UUID:
        async with self.pool.connection() as conn:
            return await calls.start(conn, self.settings, self.number, by, line, contact, self.now)

    async def end(self, call: UUID, result: Result, words: str = "", by: str = "operator") -> None:
        async with self.pool.connection() as conn:
            await calls.finish(conn, self.number, call, by, result, words, self.now)

    async def alone_since(self) -> datetime | None:
        async with self.pool.connection() as conn:
            return (await calls.alone_since(conn)).get(self.number)


@pytest.fixture
async def calling(pool: Pool, settings: Settings) -> Calling:
    made = Calling(pool, settings, DemoProvider())
    await made.begin()
    return made


async def test_a_call_is_begun_and_ended_and_stands_in_the_log(calling: Calling) -> None:
    call = await calling.call()
    calling.now += timedelta(seconds=42)
    await calling.end(call, Result.NO_ANSWER, "Rang for long")
    entry = (await calling.alert())["log"][-1]
    assert (entry["what"], entry["who"]) == ("contact-tried", "operator")
    assert entry["detail"] == {
        "contact": "Mary Green", "line": "landline", "result": "no-answer", "seconds": 42, "text": "Rang for long",
    }  # fmt: skip
    await calling.end(await calling.call(), Result.SPOKE)
    assert (await calling.history())[-1] == "contact-answered"


async def test_one_call_at_a_time_and_only_for_who_has_the_alert(calling: Calling) -> None:
    call = await calling.call()
    with pytest.raises(Conflict, match="another call open"):
        await calling.call()
    with pytest.raises(Conflict, match="claim this alert first"):
        await calling.call(by="second")
    with pytest.raises(NotFound):
        await calling.end(call, Result.SPOKE, by="second")
    await calling.end(call, Result.SPOKE)
    with pytest.raises(Conflict, match="has ended"):
        await calling.end(call, Result.SILENCE)
    await calling.close(calling.number)
    with pytest.raises(Conflict, match="closed"):
        await calling.call()


async def test_a_number_must_be_there(calling: Calling) -> None:
    jo: UUID = await one(calling.pool, "select id from contacts where place = 1")
    wrong: list[tuple[Any, Any]] = [("mobile", None), ("contact", None), ("contact", UUID(int=1)), ("landline", jo)]
    for line, contact in wrong:
        with pytest.raises(Incomplete, match="no such number"):
            await calling.call(line, contact)
    await calling.end(await calling.call("contact", jo), Result.SPOKE)
    assert (await calling.alert())["log"][-1]["detail"]["contact"] == "Jo Green"


async def test_a_call_that_nobody_ends_ends_by_itself(calling: Calling) -> None:
    await calling.call()
    calling.now += timedelta(seconds=calling.settings.call_s - 1)
    assert not await calling.engine.call_step()
    calling.now += timedelta(seconds=1)
    assert await calling.engine.call_step()
    assert not await calling.engine.call_step()
    assert (await calling.alert())["log"][-1]["detail"]["result"] == "not-recorded"


async def test_how_long_somebody_has_been_alone(calling: Calling) -> None:
    claimed = calling.now
    assert await calling.alone_since() == claimed
    call = await calling.call()
    assert await calling.alone_since() is None
    calling.now += timedelta(seconds=90)
    await calling.end(call, Result.SPOKE)
    assert await calling.alone_since() == calling.now


async def test_what_must_never_be_true_cannot_be_written(calling: Calling) -> None:
    await calling.call()
    for wrong in (
        "update calls set end_by = null", "update calls set result = 'spoke'", "update calls set line = 'contact'",
        "update calls set ended_at = started_at - interval '1 s', result = 'spoke'",
    ):  # fmt: skip
        async with calling.pool.connection() as conn:
            with pytest.raises(psycopg.errors.CheckViolation):
                await conn.execute(wrong.encode())


def made(*pairs: tuple[str, Result]) -> list[dict[str, Any]]:
    return [{"line": line, "result": result.value, "ended_at": NOW} for line, result in pairs]


BOTH = frozenset({"landline", "mobile"})
NONE = Result.NO_ANSWER


@pytest.mark.parametrize(
    ("tried", "lines", "line"),
    [
        ([], BOTH, "landline"),
        ([("landline", NONE)], BOTH, "mobile"),
        ([("landline", NONE), ("mobile", NONE)], BOTH, "landline"),
        ([("mobile", NONE)], BOTH, "landline"),
        ([("contact", NONE)], BOTH, "landline"),
        ([], frozenset({"mobile"}), "mobile"),
        ([("landline", NONE), ("landline", Result.SILENCE)], frozenset({"landline"}), None),
        ([("landline", NONE), ("mobile", NONE), ("landline", NONE)], BOTH, None),
        ([], frozenset(), None),
    ],
)
def test_what_to_try_next(tried: list[tuple[str, Result]], lines: frozenset[str], line: str | None) -> None:
    advice = calls.next_step(made(*tried), lines, NOW - timedelta(seconds=30), NOW)
    assert advice.line == line
    assert line is not None or "ring 999 now: silence is not safety" in advice.words


def test_tries_take_no_longer_than_three_minutes() -> None:
    assert calls.next_step([], BOTH, NOW - timedelta(minutes=3), NOW).line is None


def test_a_sound_without_words_is_acted_upon_at_once() -> None:
    heard = calls.next_step(made(("landline", Result.HEARD)), BOTH, NOW, NOW)
    assert heard == Advice("Something was heard and nobody has spoken: act at once. Send somebody, or ring 999.")
    assert calls.next_step(made(("landline", Result.SPOKE)), BOTH, NOW, NOW).words == "You have spoken with them."
