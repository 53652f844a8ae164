"""Who is rung on call, what they are told, and what the register takes: the rules, without the engine."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from alerts import long_texts, texts
from alerts.on_call import Need, News, gaps, news_of, next_round, of_empty_room, told_again, whom
from telecare.db import Pool
from telecare.errors import NotFound, Refused
from telecare.register import on_call
from telecare.register.councils import council_named
from telecare.register.on_call import NewOnCall
from telecare.register.on_call_now import OnCall, missing, missing_now, people
from telecare.rota import Channel, Duty, Window
from telecare.vocabulary import Priority
from tests.alerts.test_engine import NOON
from tests.helpers import rows

ALI, BEA = "+447700900555", "+447700900556"
MINUTE = timedelta(minutes=1)
US = {"service": "Anytown Telecare", "phone": "01632 960000"}
EVERY_DAY = frozenset(range(1, 8))


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    "news",
    [
        News(1, 0, False, 123, Priority.EMERGENCY, 60),
        News(0, 1, False, 123, Priority.URGENT, 0),
        News(50, 0, False, 1_234_567, Priority.ATTENTION, 4000),
        News(50, 50, True, 1_234_567, Priority.EMERGENCY, 4000),
        News(0, 3, False, 12, Priority.EMERGENCY, 0),
        News(1, 0, True, 12, Priority.EMERGENCY, 61),
        News(no_screen=True),
    ],
)
@pytest.mark.parametrize("us", [US, {"service": "S" * 30, "phone": "+" + "1" * 19}])
def test_each_text_fits_says_who_writes_and_what_to_do(news: News, us: dict[str, str]) -> None:
    short, spoken = texts.on_call_text(**us, news=news), long_texts.on_call_spoken(**us, news=news)
    assert len(short) <= 160
    assert short.startswith(f"{us['service']}: ")
    assert us["phone"] in short
    assert us["phone"] in spoken
    if us is US and news.first is not None:
        assert str(news.first) in short
    assert " s." not in spoken
    assert "Mary" not in short + spoken


def test_the_words() -> None:
    news = News(1, 0, False, 123, Priority.EMERGENCY, 60)
    assert texts.on_call_text(**US, news=news) == (
        "Anytown Telecare: alert 123 (emergency) has waited 60 s and nobody has taken it."
        " Open the console or call 01632 960000"
    )
    assert long_texts.on_call_spoken(**US, news=news) == (
        "This is Anytown Telecare, for whoever is on call. Alert 123 (emergency) has waited 60 seconds and nobody has"
        " taken it. Open the console, or call 01632 960000."
    )
    many = News(3, 2, False, 7, Priority.URGENT, 125)
    assert texts.on_call_text(**US, news=many) == (
        "Anytown Telecare: 3 alerts wait, 2 are left alone, first alert 7 (urgent), which has waited 2 min."
        " Open the console or call 01632 960000"
    )


# ---------------------------------------------------------------- the pure core


def somebody(duty: Duty = Duty.SUPERVISOR, phone: str = ALI, *windows: Window, council: UUID | None = None) -> OnCall:
    return OnCall(
        id=uuid4(), duty=duty, name="A", phone=phone, email="", council_id=council, timezone="Europe/London",
        windows=tuple((uuid4(), one) for one in windows),
    )  # fmt: skip


def need(number: int, *, at: datetime = NOON, duty: Duty = Duty.SUPERVISOR) -> Need:
    return Need(id=number, duty=duty, why="unclaimed", begun_at=at, alert_id=number, waiting_since=at)


def test_who_is_rung_by_the_hour() -> None:
    day, night = Window(EVERY_DAY, 8 * 60, 20 * 60), Window(EVERY_DAY, 20 * 60, 32 * 60)
    by_day, by_night = somebody(Duty.SUPERVISOR, ALI, day), somebody(Duty.SUPERVISOR, BEA, night)
    site = somebody(Duty.SECOND_SITE, "+441632960001", day)
    late = NOON + timedelta(hours=12)
    everybody = [by_day, by_night, site]
    assert whom(everybody, None, Duty.SUPERVISOR, NOON) == [by_day]
    assert whom(everybody, None, Duty.SUPERVISOR, late) == [by_night]
    assert whom(everybody, None, Duty.SECOND_SITE, late) == [by_night]  # nobody there: the other duty
    assert whom([by_day, site], None, Duty.SECOND_SITE, late) == [site]  # nobody at this hour: whoever there is
    assert whom([], None, Duty.SUPERVISOR, NOON) == []
    assert whom([somebody(council=uuid4())], uuid4(), Duty.SUPERVISOR, NOON) == []
    assert whom([by_day, somebody()], None, Duty.SUPERVISOR, NOON) == [by_day]  # one number is one person


def test_the_hours_with_nobody_are_known_beforehand() -> None:
    council = uuid4()
    day = somebody(Duty.SUPERVISOR, ALI, Window(EVERY_DAY, 8 * 60, 20 * 60))
    (gap,) = gaps([day], council, Duty.SUPERVISOR, NOON, NOON + timedelta(hours=24))
    assert (gap.start, gap.end) == (NOON + timedelta(hours=8), NOON + timedelta(hours=20))
    assert gaps([day, somebody()], council, Duty.SUPERVISOR, NOON, NOON + timedelta(hours=24)) == []
    assert gaps([], council, Duty.SUPERVISOR, NOON, NOON + timedelta(hours=24)) == []  # said in other words


def test_a_number_that_was_just_rung_holds_back_nobody_elses_word() -> None:
    ali, bea = somebody(), somebody(Duty.SUPERVISOR, BEA)
    last = {ALI: NOON - timedelta(seconds=20)}
    found = next_round([need(1)], [ali, bea], set(), last, NOON, MINUTE)
    assert [(one.to, [n.id for n in one.needs]) for one in found.bundles] == [(bea, [1])]
    assert found.told == []
    found = next_round([need(1), need(2)], [ali, bea], {(1, BEA)}, {BEA: NOON}, NOON + timedelta(seconds=40), MINUTE)
    assert [(one.to, [n.id for n in one.needs]) for one in found.bundles] == [(ali, [1, 2])]
    assert found.told == [1]


def test_the_most_urgent_comes_first() -> None:
    old, urgent = need(1, at=NOON - MINUTE), need(2)
    news = news_of([Need(**{**_fields(old), "priority": Priority.ATTENTION}), urgent], NOON + MINUTE)
    assert (news.waiting, news.first, news.level, news.waited_s) == (2, 2, Priority.EMERGENCY, 60)


def _fields(one: Need) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Need.__slots__}  # type: ignore[attr-defined]


def test_what_lasts_is_said_again_at_its_times_and_once() -> None:
    seconds = [timedelta(seconds=30 * number) for number in range(41)]
    said = [after for before, after in pairwise(seconds) if told_again(NOON, NOON + before, NOON + after, 5 * MINUTE)]
    assert said == [5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 20 * MINUTE]
    assert of_empty_room(NOON, {}, NOON, MINUTE, 5 * MINUTE) == [Duty.SUPERVISOR]
    assert of_empty_room(NOON, {Duty.SUPERVISOR: NOON}, NOON + MINUTE, MINUTE, 5 * MINUTE) == [Duty.SECOND_SITE]


# ---------------------------------------------------------------- the register


async def test_who_is_on_call_is_checked_and_written_down(pool: Pool) -> None:
    now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    async with pool.connection() as conn:
        for phone, words in (("112", "short"), ("", "Enter"), ("nonsense", "like")):
            with pytest.raises(Refused, match=words):
                await on_call.add(conn, NewOnCall(duty=Duty.SUPERVISOR, name="Ali", phone=phone), "admin", now)
        nowhere = NewOnCall(duty=Duty.SUPERVISOR, name="Ali", phone=ALI, council_id=uuid4())
        with pytest.raises(NotFound):
            await on_call.add(conn, nowhere, "admin", now)
        ali = await on_call.add(conn, NewOnCall(duty=Duty.SUPERVISOR, name="Ali", phone="07700 900555"), "admin", now)
        with pytest.raises(Refused, match="already"):
            await on_call.add(conn, NewOnCall(duty=Duty.SUPERVISOR, name="Ali again", phone=ALI), "admin", now)
        await on_call.add_window(conn, ali, Window(EVERY_DAY, 0, 600), "admin", now)
        changed = NewOnCall(duty=Duty.SECOND_SITE, name="Ali", phone="07700 900556")
        await on_call.change(conn, ali, changed, "supervisor", now)
        (found,) = await people(conn)
        assert (found.phone, found.duty, [str(window) for _, window in found.windows]) == (
            BEA, Duty.SECOND_SITE, ["Every day 00:00 to 10:00"]
        )  # fmt: skip
        await on_call.remove_window(conn, ali, found.windows[0][0], "admin", now)
        await on_call.end(conn, ali, "admin", now)
        assert await people(conn) == []
        await on_call.end(conn, ali, "admin", now)
        with pytest.raises(NotFound):
            await on_call.change(conn, ali, changed, "admin", now)
    assert [(row[0], row[1]) for row in await rows(pool, "select what, who from on_call_log order by id")] == [
        ("added", "admin"), ("window-added", "admin"), ("changed", "supervisor"), ("window-removed", "admin"),
        ("ended", "admin"),
    ]  # fmt: skip
    with pytest.raises(psycopg.errors.IntegrityError):
        await rows(pool, "delete from on_call_log returning 1")


async def test_it_is_said_which_duty_has_nobody_or_nobody_who_was_reached(pool: Pool) -> None:
    async with pool.connection() as conn:
        council = await council_named(conn, "Anytown")
        assert await missing_now(conn) == [
            "Anytown: nobody is on call as supervisor.", "Anytown: nobody is on call as second site."
        ]  # fmt: skip
        for duty, phone in ((Duty.SUPERVISOR, ALI), (Duty.SECOND_SITE, BEA)):
            new = NewOnCall(duty=duty, name="Ali", phone=phone, council_id=council.id)
            number = await on_call.add(conn, new, "admin", NOON)
            if duty is Duty.SUPERVISOR:
                await on_call.note_test(conn, number, Channel.VOICE, True, "admin", NOON)
        words = "Anytown: no number of those on call as second site has been tested, or it failed."
        assert missing(await people(conn), [council]) == [words]
        ali = (await people(conn))[0]
        await on_call.note_test(conn, ali.id, Channel.VOICE, False, "admin", NOON + MINUTE)
        assert len(await missing_now(conn)) == 2
