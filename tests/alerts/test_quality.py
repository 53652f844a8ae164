"""Looking back: what is drawn, that nobody reviews their own, once and whole, and what a month adds up to."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import actions, emergency, quality_store
from alerts.errors import Conflict, Incomplete
from alerts.kpis import Share
from alerts.quality import (
    Candidate,
    Criterion,
    Mark,
    Picture,
    Sample,
    by_criterion,
    draw,
    month_span,
    months_over,
    pictures,
    problems,
    score,
)
from alerts.quality_service import Sampling
from telecare.clock import SystemClock
from telecare.errors import NotFound
from tests.alerts.test_engine import NOON, World, world
from tests.helpers import one, rows

__all__ = ["world"]  # the fixture
ZONE = ZoneInfo("Europe/London")
OCTOBER = date(2026, 10, 1)
ALL_YES = {criterion.value: "yes" for criterion in Criterion}

candidates = st.lists(
    st.builds(Candidate, st.integers(1, 500), st.sampled_from(["A", "B", "C"]), st.booleans()),
    unique_by=lambda one: one.alert_id,
    max_size=12,
)


@given(candidates, st.integers(0, 2**62), st.randoms())
def test_a_draw_is_the_same_whatever_the_order_and_holds_a_999_call(
    found: list[Candidate], seed: int, mix: Random
) -> None:
    chosen = draw(found, {}, seed)
    assert len(chosen) == min(2, len(found)) == len(set(chosen))
    assert any(one.had_999 for one in chosen) == any(one.had_999 for one in found)
    mix.shuffle(found)
    assert draw(found, {}, seed) == chosen


def test_over_many_seeds_each_alert_is_drawn() -> None:
    found = [Candidate(number, "A") for number in range(10)]
    counts = Counter(one.alert_id for seed in range(500) for one in draw(found, {}, seed))
    assert set(counts) == set(range(10))
    assert 50 < min(counts.values()) <= max(counts.values()) < 160  # about 100 each


def test_services_take_turns() -> None:
    found = [Candidate(1, "A"), Candidate(2, "A"), Candidate(3, "B"), Candidate(4, "C")]
    last = {"A": date(2026, 9, 1), "B": date(2026, 8, 1)}
    for seed in range(20):
        assert [one.service for one in draw(found, last, seed)] == ["C", "B"]  # never, and longest ago
        assert [one.service for one in draw(found[:2], last, seed)] == ["A", "A"]  # there is nothing else
        rung = [*found, Candidate(5, "A", had_999=True)]
        assert [one.service for one in draw(rung, last, seed)] == ["A", "C"]


def test_months_are_those_that_are_over_by_the_rooms_clock() -> None:
    first = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)  # half past midnight in London
    assert months_over(first, ZONE) == [date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)]
    assert months_over(datetime(2026, 1, 31, tzinfo=UTC), ZONE, 1) == [date(2025, 12, 1)]
    begins, ends = month_span(date(2026, 12, 1), ZONE)
    assert (begins, ends) == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def marks(*given: str) -> dict[Criterion, Mark]:
    return {criterion: Mark(mark) for criterion, mark in zip(Criterion, given, strict=True)}


def test_a_score_is_of_what_applies_and_partly_is_half() -> None:
    assert score(marks("yes", "yes", "yes", "yes", "yes", "yes")) == 100
    assert score(marks("yes", "partly", "no", "no", "not-applicable", "not-applicable")) == 38  # 1.5 of 4
    assert score(marks(*["not-applicable"] * 6)) == 0


@pytest.mark.parametrize(
    ("changed", "note", "wrong"),
    [
        ({}, "Good", set()),
        ({"facts-only": ""}, "Good", {"facts-only"}),
        ({"facts-only": "perhaps"}, " ", {"facts-only", "note"}),
        (dict.fromkeys(ALL_YES, "not-applicable"), "Good", {"answered-in-time"}),
        ({}, "x" * 4001, {"note"}),
    ],
)
def test_what_is_missing_is_said_by_field(changed: Mapping[str, str], note: str, wrong: set[str]) -> None:
    assert set(problems(ALL_YES | dict(changed), note)) == wrong


def test_a_month_is_counted_of_those_that_were_reviewed() -> None:
    seen = marks("yes", "yes", "partly", "no", "not-applicable", "yes")
    samples = [
        Sample(handler="b", name="Bob", candidates=9, marks=seen),
        Sample(handler="b", name="Bob", candidates=9),
        Sample(handler="a", name="Ann", candidates=1),
    ]
    assert pictures(samples) == [
        Picture(name="Ann", candidates=1, sampled=1, reviewed=0, yes=Share(0, 0)),
        Picture(name="Bob", candidates=9, sampled=2, reviewed=1, yes=Share(3, 5)),
    ]
    counted = by_criterion(samples)
    assert (counted[Criterion.ANSWERED], counted[Criterion.SAFETY]) == (Share(1, 1), Share(0, 0))


# ---------------------------------------------------------------- on a real database


async def closed(world: World, by: str = "operator", *, rung: bool = False) -> int:
    await world.alarm()
    number: int = (await world.open())[0]["id"]
    await world.claim(number, by)
    if rung:
        ambulance = await world.act(
            actions.call_service, world.settings, number, by, emergency.Service.AMBULANCE, world.now
        )
        news = emergency.News.STOOD_DOWN
        await world.act(emergency.hear, world.settings, number, ambulance, by, news, world.now)
    await world.close(number, by)
    return number


def sampling(world: World, seed: int = 7) -> Sampling:
    return Sampling(world.pool, world.settings, SystemClock(), world._now, lambda: seed)


async def a_sample(world: World) -> tuple[UUID, int]:
    """A sample of the operator's October, and its alert."""
    world.now = datetime(2026, 10, 20, 12, tzinfo=UTC)
    number = await closed(world)
    world.now = NOON
    assert await sampling(world).step()
    found: UUID = await one(world.pool, "select id from quality_samples")
    return found, number


async def test_a_month_is_drawn_once_when_it_is_over(world: World) -> None:
    world.now = datetime(2026, 10, 31, 23, tzinfo=UTC)
    numbers = {await closed(world) for _ in range(4)}
    rung = await closed(world, rung=True)
    theirs = await closed(world, "second")
    assert not await sampling(world).step()  # October is not over
    world.now = datetime(2026, 11, 1, 0, 1, tzinfo=UTC)
    later = await closed(world)
    assert await sampling(world).step()
    found = await rows(world.pool, "select handler, month, place, alert_id, had_999 from quality_samples order by 1, 3")
    assert [(handler, month, place) for handler, month, place, _, _ in found] == [
        ("operator", OCTOBER, 1), ("operator", OCTOBER, 2), ("second", OCTOBER, 1),
    ]  # fmt: skip
    drawn = {number for _, _, _, number, _ in found}
    assert {rung, theirs} < drawn <= numbers | {rung, theirs}
    assert later not in drawn
    assert found[0][3:] == (rung, True)
    kept = await rows(world.pool, "select handler, seed, candidates from quality_draws order by 1")
    assert kept == [("operator", 7, 5), ("second", 7, 1)]
    assert not await sampling(world, 8).step()
    assert len(await rows(world.pool, "select 1 from quality_samples")) == 3
    # By the seed that was kept anybody draws the same again.
    service = await one(world.pool, "select distinct service from quality_samples where handler = 'operator'")
    again = draw([Candidate(number, service, number == rung) for number in [*numbers, rung]], {}, 7)
    assert [one.alert_id for one in again] == [found[0][3], found[1][3]]


async def test_two_processes_draw_one_month_once(world: World) -> None:
    world.now = datetime(2026, 10, 20, 12, tzinfo=UTC)
    await closed(world)
    found = await world.act(quality_store.undrawn, OCTOBER, *month_span(OCTOBER, ZONE))
    assert set(found) == {"operator"}
    assert len(await world.act(quality_store.draw_month, "operator", OCTOBER, found["operator"], 1, NOON)) == 1
    assert await world.act(quality_store.draw_month, "operator", OCTOBER, found["operator"], 2, NOON) == []
    assert await rows(world.pool, "select seed from quality_draws") == [(1,)]


async def test_a_review_is_kept_once_and_is_the_alerts_review(world: World) -> None:
    sample, number = await a_sample(world)
    (waiting,) = await world.act(quality_store.to_review)
    assert (waiting["alert_id"], waiting["handler_name"]) == (number, "Operator")
    given = ALL_YES | {"script-followed": "partly", "voice-heard": "not-applicable"}
    await world.act(quality_store.review, sample, "second", given, " Calm and clear ", NOON)
    found = await world.act(quality_store.sample_of, sample)
    assert (found["reviewed_by_name"], found["note"], found["marks"]) == ("Second", "Calm and clear", given)
    assert await rows(world.pool, "select alert_id, by, score, words from reviews") == [
        (number, "second", 90, "Calm and clear")
    ]
    assert (await world.alert())["state"] == "reviewed"
    with pytest.raises(Conflict, match="already"):
        await world.act(quality_store.review, sample, "second", given, "Again", NOON)
    assert await world.act(quality_store.to_review) == []
    assert [one["id"] for one in await world.act(quality_store.reviewed_in, OCTOBER)] == [sample]
    (counted,) = pictures(await world.act(quality_store.samples_of, OCTOBER))
    assert (counted.reviewed, counted.yes) == (1, Share(4, 5))
    assert await world.act(quality_store.months) == [OCTOBER]


async def test_an_alert_that_has_its_review_keeps_it(world: World) -> None:
    sample, number = await a_sample(world)
    async with world.pool.connection() as conn:
        await conn.execute(
            "insert into reviews (alert_id, by, at, score, words) values (%s, 'second', %s, 55, 'Seen')", (number, NOON)
        )
    await world.act(quality_store.review, sample, "second", ALL_YES, "Good", NOON)
    assert await rows(world.pool, "select score from reviews") == [(55,)]


async def test_nobody_reviews_their_own_nor_half(world: World) -> None:
    sample, _ = await a_sample(world)
    with pytest.raises(Conflict, match="somebody else"):
        await world.act(quality_store.review, sample, "operator", ALL_YES, "Mine was fine", NOON)
    with pytest.raises(Incomplete, match="facts-only"):
        await world.act(quality_store.review, sample, "second", ALL_YES | {"facts-only": ""}, "Good", NOON)
    with pytest.raises(NotFound):
        await world.act(quality_store.review, UUID(int=1), "second", ALL_YES, "Good", NOON)
    assert await rows(world.pool, "select 1 from quality_marks") == []


REVIEWED = "update quality_samples set reviewed_by = '{}', reviewed_at = now(), note = 'x'"
MARKS = "insert into quality_marks select id, c, 'yes' from quality_samples, unnest(%s::text[]) c"


async def test_the_database_refuses_what_must_never_be(world: World) -> None:
    sample, number = await a_sample(world)
    world.now += timedelta(minutes=1)
    await world.alarm()
    theirs: int = (await world.open())[0]["id"]
    every = [criterion.value for criterion in Criterion]
    add = """insert into quality_samples (id, handler, month, place, alert_id, service, had_999)
             values (gen_random_uuid(), """
    kept = f"'operator', '2026-10-01', 2, {theirs}, 'A', false)"
    refused = [
        add + kept,  # it is open, and nobody's
        add + kept.replace(", 2,", ", 3,").replace(str(theirs), str(number)),  # a third, and the same alert
        REVIEWED.format("second"),  # without marks
        "update quality_samples set place = 2",
        "delete from quality_samples",
        "update quality_draws set seed = 1",
    ]
    async with world.pool.connection() as conn:
        for sql in refused:
            with pytest.raises(psycopg.IntegrityError):
                async with conn.transaction():
                    await conn.execute(sql.encode())
        await conn.execute(MARKS, (every,))
        with pytest.raises(psycopg.errors.CheckViolation, match="nobody_reviews_their_own"):
            async with conn.transaction():
                await conn.execute(REVIEWED.format("operator").encode())
        with pytest.raises(psycopg.IntegrityError):
            async with conn.transaction():
                await conn.execute("update quality_marks set mark = 'no'")
        await conn.execute(REVIEWED.format("second").encode())
        for sql in ("update quality_samples set note = 'y'", "delete from quality_marks"):
            with pytest.raises(psycopg.IntegrityError):
                async with conn.transaction():
                    await conn.execute(sql.encode())
    assert await one(world.pool, "select reviewed_by from quality_samples where id = %s", sample) == "second"
