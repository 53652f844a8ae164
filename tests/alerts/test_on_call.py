"""Those on call are rung when nobody sees to an alert: on a real database, with no browser open anywhere."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from alerts import replies
from alerts.channels.webhook import Webhook
from alerts.providers import DemoProvider, Outgoing, ProviderRefused
from alerts.service import Engine
from alerts.watchdog.domain import EMPTY_ROOM
from telecare.clock import SystemClock
from telecare.db import Connection, Pool
from telecare.register import on_call
from telecare.register.councils import council_named, councils
from telecare.register.on_call import NewOnCall
from telecare.rota import Duty
from telecare.settings import Settings
from tests.alerts.test_engine import NOON, World, employ
from tests.helpers import mary, one, rows

ALI, BEA = "+447700900555", "+447700900556"
MINUTE = timedelta(minutes=1)
US = {"service": "Anytown Telecare", "phone": "01632 960000"}
EVERY_DAY = frozenset(range(1, 8))


class Watched(World):
    """The engine's world, in which those on call are rung too."""

    async def later(self, seconds: float) -> None:
        await super().later(seconds)
        while await self.engine.ring_step():
            pass

    async def on_call(self, name: str, phone: str, duty: Duty = Duty.SUPERVISOR, **more: Any) -> UUID:
        async with self.pool.connection() as conn:
            new = NewOnCall(duty=duty, name=name, phone=phone, **more)
            return await on_call.add(conn, new, "admin", self.now)

    async def rung(self) -> list[tuple[str, str]]:
        """Whom a call was put into the outbox for, and what it says by text message."""
        return await rows(
            self.pool,
            """select recipient, body from messages m where purpose = 'on-call' and channel = 'sms'
                  and exists (select 1 from messages v where v.channel = 'voice' and v.recipient = m.recipient
                                 and v.created_at = m.created_at and v.next_try_at = m.created_at)
                order by created_at, recipient""",
        )

    async def calls(self) -> int:
        return int(
            await one(self.pool, "select count(*) from messages where purpose = 'on-call' and channel = 'voice'")
        )

    async def steps(self, alert: int) -> list[tuple[str, str]]:
        return await rows(
            self.pool,
            """select what, coalesce(detail ->> 'on_call', '') from alert_log
                where alert_id = %s and what not in ('raised', 'announced') order by id""",
            alert,
        )


@pytest.fixture
async def world(pool: Pool, database_url: str) -> Watched:
    settings = Settings.model_validate({"database_url": database_url, "mqtt_url": "mqtt://127.0.0.1:1"})
    made = Watched(pool, settings, DemoProvider())
    async with pool.connection() as conn:
        await employ(conn, "operator", "second")
    await made.live_in(mary())
    return made


# ---------------------------------------------------------------- the ladder


async def test_the_ladder_rings_those_on_call_with_no_browser_open(world: Watched) -> None:
    await world.on_call("Ali Khan", "07700 900555")
    await world.on_call("Bea Long", "07700 900556", Duty.SECOND_SITE, email="bea@example.org")
    await world.alarm()
    alert = (await world.alert())["id"]
    await world.later(30)
    assert await world.rung() == []
    await world.later(30)
    said = "alert {} (urgent) has waited {} and nobody has taken it. Open the console or call 01632 960000"
    first = (ALI, f"Anytown Telecare: {said.format(alert, '60 s')}")
    assert await world.rung() == [first]
    await world.later(60)
    assert await world.rung() == [first, (BEA, f"Anytown Telecare: {said.format(alert, '2 min')}")]
    assert await rows(world.pool, "select recipient, alert_id from messages where channel = 'email'") == [
        ("bea@example.org", alert)
    ]
    await world.later(60)
    assert (await world.steps(alert))[:7] == [
        ("re-sounded", ""), ("escalated-supervisor", ""), ("notified", "Ali Khan (supervisor)"),
        ("escalated-second-site", ""), ("notified", "Bea Long (second site)"), ("breached", ""), ("notified", ""),
    ]  # fmt: skip


async def test_what_arrives_is_no_answer_and_nothing_but_a_claim_ends_the_ladder(world: Watched) -> None:
    await world.on_call("Ali Khan", ALI)
    await world.alarm()
    alert = (await world.alert())["id"]
    await world.later(60)
    while await world.engine.message_step():
        pass
    await rows(
        world.pool, "update messages set state = 'delivered', delivered_at = %s, next_try_at = null returning 1", NOON
    )
    await world.later(60)
    await world.later(60)
    assert [what for what, _ in await world.steps(alert)].count("breached") == 1
    assert await world.calls() == 2
    for _ in range(9):  # past its end it sounds every 30 s, and rings every 5 minutes
        await world.later(30)
    assert await world.calls() == 2
    await world.later(30)
    assert await world.calls() == 3
    await world.claim(alert)
    for _ in range(3):
        await world.later(100)
        await rows(world.pool, "update alerts set missed = 0, attended_at = %s returning 1", world.now)
    assert await world.calls() == 3


async def test_the_supervisor_hears_when_a_claimed_alert_is_left_alone_twice(world: Watched) -> None:
    await world.on_call("Ali Khan", ALI)
    await world.alarm()
    alert = (await world.alert())["id"]
    await world.claim(alert)
    await world.later(120)
    assert await world.rung() == []
    await world.later(120)
    (said,) = await world.rung()
    assert said == (
        ALI,
        f"Anytown Telecare: alert {alert} (urgent) was taken and is left alone: nobody has done anything for some time."
        " Open the console or call 01632 960000",
    )


async def test_a_technical_alert_rings_nobody(world: Watched) -> None:
    await world.on_call("Ali Khan", ALI)
    await world.alarm(kind="battery-low")
    for _ in range(4):
        await world.later(3600)
    assert await rows(world.pool, "select 1 from messages") == []
    assert await one(world.pool, "select count(*) from on_call_needs") == 0


async def test_where_nobody_has_that_duty_the_other_is_rung_and_where_nobody_at_all_the_log_says_so(
    world: Watched,
) -> None:
    await world.alarm()
    alert = (await world.alert())["id"]
    await world.later(60)
    why = "select detail ->> 'why' from alert_log where what = 'notify-failed'"
    assert await one(world.pool, why) == "nobody is on call as supervisor or otherwise: nobody could be told"
    bea = await world.on_call("Bea Long", BEA, Duty.SECOND_SITE)
    await world.later(60)
    assert [number for number, _ in await world.rung()] == [BEA]
    async with world.pool.connection() as conn:
        await on_call.end(conn, bea, "admin", world.now)
    await world.on_call("Ali Khan", ALI)
    for _ in range(12):
        await world.later(30)
    # Past the ladder's end both duties hear once more: Ali alone, once.
    assert [number for number, _ in await world.rung()] == [BEA, ALI]
    assert await one(world.pool, "select count(*) from on_call_needs where ended_at is null") == 0
    assert (await world.steps(alert))[1:4] == [
        ("escalated-supervisor", ""), ("notify-failed", ""), ("escalated-second-site", "")
    ]  # fmt: skip


async def test_each_council_has_its_own_people_and_those_of_every_council(world: Watched) -> None:
    async with world.pool.connection() as conn:
        (ours,) = [one.id for one in await councils(conn)]
        other = (await council_named(conn, "Othertown")).id
    await world.on_call("Of others", "07700 900557", council_id=other)
    await world.on_call("Ali Khan", ALI, council_id=ours)
    await world.on_call("Bea Long", BEA)
    await world.alarm()
    await world.later(60)
    assert [number for number, _ in await world.rung()] == [ALI, BEA]


async def test_two_engines_ring_once(world: Watched) -> None:
    await world.on_call("Ali Khan", ALI)
    await world.alarm()
    await World.later(world, 60)
    other = Engine(world.pool, world.settings, DemoProvider(), SystemClock(), now_of=world._now)
    await asyncio.gather(*(engine.ring_step() for engine in (world.engine, other) * 3))
    await world.later(0)
    assert len(await world.rung()) == 1


# ---------------------------------------------------------------- floods


async def flood(world: Watched, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        await world.live_in(mary(address=f"{number} High Street"), f"f-{number}")
        await world.alarm()


async def test_a_flood_rings_each_number_once_a_minute_and_each_alert_is_told_within_it(world: Watched) -> None:
    await world.on_call("Ali Khan", ALI)
    await world.on_call("Ali Khan", ALI, Duty.SECOND_SITE)
    await flood(world, 20)
    await world.later(5)
    await flood(world, 10, 20)
    for _ in range(23):  # until 120 s after the first
        await world.later(5)
    found = await rows(
        world.pool, "select created_at - %s, body from messages where channel = 'voice' order by created_at", NOON
    )
    assert [seconds.total_seconds() for seconds, _ in found] == [60, 120]
    assert "20 alerts wait and nobody has taken them, first alert" in found[0][1]
    assert "30 alerts wait and nobody has taken them, first alert" in found[1][1]  # all again: the second site is due
    late = await rows(
        world.pool,
        """select max(m.created_at - n.begun_at) from on_call_needs n join on_call_need_messages l on l.need_id = n.id
             join messages m on m.id = l.message_id""",
    )
    assert late[0][0] <= timedelta(seconds=world.settings.on_call_apart_s)
    heard = "select count(distinct n.alert_id) from on_call_needs n join on_call_need_messages l on l.need_id = n.id"
    assert await one(world.pool, heard) == 30
    told = "select count(distinct alert_id) from alert_log where what = 'notified' and detail ? 'on_call'"
    assert await one(world.pool, told) == 30


async def test_who_has_been_taken_meanwhile_is_not_mentioned(world: Watched) -> None:
    await world.on_call("Ali Khan", ALI)
    await flood(world, 1)
    await world.later(10)
    await flood(world, 2, 1)
    await world.later(50)
    assert len(await world.rung()) == 1
    await world.later(10)
    open_ones = [alert["id"] for alert in await world.open()]
    await world.claim(open_ones[1])
    await world.claim(open_ones[2])
    await world.later(49)
    await world.claim(open_ones[0])
    await world.later(1)
    assert len(await world.rung()) == 1
    assert await rows(world.pool, "select distinct became from on_call_needs order by 1") == [
        ("not-needed",),
        ("told",),
    ]


# ---------------------------------------------------------------- the empty room


async def empty_room(conn: Connection, now: datetime, *, ended: bool = False) -> None:
    if ended:
        await conn.execute("update troubles set ended_at = %s", (now,))
        return
    await conn.execute(
        """insert into troubles (key, words, advice, grave, begun_at)
           values (%s, 'No screen.', 'Come.', true, %s)""",
        (EMPTY_ROOM, now),
    )


async def test_an_empty_room_rings_at_once_and_again_for_as_long_as_it_lasts(world: Watched) -> None:
    await world.on_call("Ali Khan", ALI)
    await world.on_call("Bea Long", BEA, Duty.SECOND_SITE)
    async with world.pool.connection() as conn:
        await empty_room(conn, world.now)
    await world.later(1)
    said = (
        "Anytown Telecare: No operator's screen is connected. Nobody may see an alert."
        " Open the console or call 01632 960000"
    )
    assert await world.rung() == [(ALI, said)]
    await world.later(60)
    assert [number for number, _ in await world.rung()] == [ALI, BEA]
    await world.later(200)
    assert len(await world.rung()) == 2
    await world.later(100)
    assert [number for number, _ in await world.rung()] == [ALI, BEA, ALI, BEA]
    async with world.pool.connection() as conn:
        await empty_room(conn, world.now, ended=True)
    await world.later(1000)
    assert len(await world.rung()) == 4


async def test_the_ladder_runs_the_same_in_an_empty_room(world: Watched) -> None:
    await world.on_call("Ali Khan", ALI)
    await world.alarm()
    async with world.pool.connection() as conn:
        await empty_room(conn, world.now)
    await world.later(1)
    await world.later(60)
    assert len(await world.rung()) == 2
    assert "No operator's screen is connected. Alert" in (await world.rung())[1][1]
    assert await one(world.pool, "select count(*) from alert_log where what = 'escalated-supervisor'") == 1


# ---------------------------------------------------------------- the outbox


async def test_a_message_goes_to_one_person(world: Watched) -> None:
    ali = await world.on_call("Ali Khan", ALI)
    insert = """insert into messages (id, contact_id, on_call_id, channel, recipient, body, purpose, idempotency_key,
                                      state, next_try_at, created_at)
                values (gen_random_uuid(), %s, %s, 'sms', '1', 'x', %s, gen_random_uuid()::text, 'pending', now(),
                        now()) returning 1"""
    contact = await one(world.pool, "select id from contacts limit 1")
    for to, person, purpose in (
        (contact, ali, "test"),
        (None, None, "test"),
        (None, ali, "invitation"),
        (contact, None, "on-call"),
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            await rows(world.pool, insert, to, person, purpose)
    assert await rows(world.pool, insert, None, ali, "on-call") == [(1,)]


class Refusing:
    """A telephone company that refuses; what it was given is kept."""

    name = "refusing"
    receipts = True

    def __init__(self, *, refuse: bool = True) -> None:
        self.refuse, self.given = refuse, list[Outgoing]()

    async def send(self, message: Outgoing) -> str | None:
        self.given.append(message)
        if self.refuse:
            raise ProviderRefused("no such line")
        return None


async def test_the_logs_of_all_alerts_say_that_a_message_did_not_reach_who_is_on_call(world: Watched) -> None:
    world.engine.provider = Refusing()
    await world.on_call("Ali Khan", ALI)
    await flood(world, 3)
    await world.later(60)
    while await world.engine.message_step():
        pass
    failed = """select alert_id, detail ->> 'on_call', detail ->> 'channel' from alert_log
                 where what = 'notify-failed' order by 1, 3"""
    numbers = [alert["id"] for alert in await world.open()]
    assert await rows(world.pool, failed) == [
        (number, "Ali Khan", channel) for number in sorted(numbers) for channel in ("sms", "voice")
    ]


async def test_what_has_been_taken_is_not_sent_any_more(world: Watched) -> None:
    provider = world.engine.provider = Refusing(refuse=False)
    await world.on_call("Ali Khan", ALI)
    await flood(world, 2)
    await world.later(60)
    first, second = [alert["id"] for alert in await world.open()]
    await world.claim(first)
    assert await world.engine.message_step()  # the other still waits
    await world.claim(second)
    while await world.engine.message_step():
        pass
    (given,) = provider.given
    assert (given.to, given.contact) == (ALI, None)
    assert await rows(world.pool, "select state, failure from messages where state = 'stale'") == [
        ("stale", "it has been seen to")
    ]


async def test_a_key_in_such_a_call_is_kept_and_means_nothing(world: Watched) -> None:
    given = Outgoing(attempt=uuid4(), key="k", channel="voice", to=ALI, body="x", contact=None)
    document = Webhook("http://127.0.0.1:1", "s" * 16, "http://127.0.0.1:1", "Anytown Telecare", 1).document(given)
    assert document["contact"] is None
    assert "keys" not in document
    await world.on_call("Ali Khan", ALI)
    await world.alarm()
    await world.later(60)
    alert = (await world.alert())["id"]
    before = await world.steps(alert)
    reply = replies.Reply("webhook", "voice", ALI, "1", b"1")
    assert await world.act(replies.take_key, world.settings, reply, alert, None, world.now) == "no-question"
    assert await world.steps(alert) == before


async def test_the_engine_rings_by_itself_and_then_pauses(world: Watched) -> None:
    await world.on_call("Ali Khan", ALI)
    await world.alarm()
    await World.later(world, 60)
    assert not await world.engine._ring()
    assert len(await world.rung()) == 1


async def test_no_message_says_who_or_where(world: Watched) -> None:
    await world.on_call("Ali Khan", ALI, email="ali@example.org")
    await world.alarm(kind="seizure", location="bathroom")
    await world.later(60)
    bodies = [body for (body,) in await rows(world.pool, "select body from messages where purpose = 'on-call'")]
    assert len(bodies) == 3
    for private in ("Mary", "Green", "Street", "seizure", "bathroom", "4711"):
        assert not any(private.lower() in body.lower() for body in bodies)
