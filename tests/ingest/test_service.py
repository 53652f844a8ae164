"""Ingest on a real broker and a real database: what a hub publishes, and what is then in the store."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ingest.alarm_lane import ALARM_TOPICS, AlarmLane
from ingest.inbox import Inbox
from ingest.partitions import Native
from ingest.reading_lane import READING_TOPICS, ReadingLane
from ingest.state_lane import STATE_TOPICS, StateLane
from ingest.stream_inbox import StreamInbox
from telecare.clock import SystemClock
from telecare.db import Pool, open_pool
from telecare.settings import Settings
from tests.helpers import Hub, connected, enrolled, one, rows, running, until


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    async with connected(settings, await enrolled(settings)) as made:
        yield made


@asynccontextmanager
async def alarm_lane(settings: Settings, pool: Pool, wait: bool = True) -> AsyncIterator[Inbox]:
    inbox = Inbox(settings.mqtt, "telecare-ingest-alarms", ALARM_TOPICS, 1000)
    async with running(AlarmLane(pool, inbox, settings, SystemClock()).run):
        if wait:
            await until(lambda: inbox.subscribed)
        yield inbox


@asynccontextmanager
async def reading_lane(settings: Settings, pool: Pool) -> AsyncIterator[StreamInbox]:
    inbox = StreamInbox(settings.mqtt, "telecare-ingest-readings", READING_TOPICS, 1000)
    async with running(ReadingLane(pool, inbox, settings, SystemClock()).run):
        await until(lambda: inbox.subscribed)
        yield inbox


@asynccontextmanager
async def state_lane(settings: Settings, pool: Pool) -> AsyncIterator[StreamInbox]:
    inbox = StreamInbox(settings.mqtt, "telecare-ingest-states", STATE_TOPICS, 1000)
    async with running(StateLane(pool, inbox, settings, SystemClock()).run):
        await until(lambda: inbox.subscribed)
        yield inbox


async def test_an_alarm_is_stored_waits_and_is_receipted(settings: Settings, pool: Pool, hub: Hub) -> None:
    async with alarm_lane(settings, pool):
        alarm = await hub.press(location="bathroom", evidence={"peak_g": 3.4})
        await until(lambda: hub.receipts() == {alarm["id"]: "stored"})
    (stored,) = await rows(pool, "select id::text, hub, device, kind, location, evidence, doubts, raw from alarms")
    assert stored == (alarm["id"], hub.name, "pendant-1", "button", "bathroom", {"peak_g": 3.4}, [], None)
    assert await one(pool, "select alarm_id::text from alarms_waiting") == alarm["id"]


async def test_a_repeat_is_stored_once_and_receipted_again(settings: Settings, pool: Pool, hub: Hub) -> None:
    async with alarm_lane(settings, pool):
        alarm = hub.alarm()
        for _ in range(3):
            await hub.publish("alarm", json.dumps(alarm).encode())
        await until(lambda: len(hub.heard) == 3)
        assert {message["status"] for _, message in hub.heard} == {"stored"}
        # What comes within a moment two of our processes may have heard; a hub sends again after 10 s.
        assert await rows(pool, "select repeats from alarms") == [(0,)]
        async with pool.connection() as conn:
            await conn.execute("update alarms set received_at = received_at - interval '10 seconds'")
        await hub.publish("alarm", json.dumps(alarm).encode())
        await until(lambda: len(hub.heard) == 4)
    assert await rows(pool, "select repeats from alarms") == [(1,)]


async def test_the_same_id_with_another_content_is_rejected_and_the_first_stands(
    settings: Settings, pool: Pool, hub: Hub
) -> None:
    async with alarm_lane(settings, pool):
        alarm = await hub.press()
        await until(lambda: hub.receipts() == {alarm["id"]: "stored"})
        await hub.publish("alarm", json.dumps(alarm | {"kind": "test"}).encode())
        await until(lambda: hub.receipts() == {alarm["id"]: "rejected"})
    assert await rows(pool, "select kind from alarms") == [("button",)]
    assert "first one stands" in await one(pool, "select reason from unreadable where hub = %s", hub.name)


async def test_an_id_that_another_hub_has_used_silences_nobody(settings: Settings, pool: Pool, hub: Hub) -> None:
    async with alarm_lane(settings, pool), connected(settings, await enrolled(settings)) as copy:
        alarm = await hub.press()
        await until(lambda: hub.receipts() == {alarm["id"]: "stored"})
        await copy.press(id=alarm["id"])
        await until(lambda: copy.receipts() == {alarm["id"]: "stored"})
    assert await one(pool, "select count(*) from alarms_waiting") == 2


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"id": 7}', b'{"kind": "explosion"}', b"\0" * 70_000],
    ids=["empty", "truncated", "null", "list", "not-utf8", "wrong-type", "unknown-kind", "64k"],
)
async def test_whatever_arrives_as_an_alarm_is_one_and_the_next_is_handled(
    settings: Settings, pool: Pool, hub: Hub, payload: bytes
) -> None:
    async with alarm_lane(settings, pool):
        await hub.publish("alarm", payload)
        alarm = await hub.press()
        await until(lambda: hub.receipts() == {alarm["id"]: "stored"})
    kinds = await rows(pool, "select kind, raw from alarms order by received_at, kind desc")
    assert kinds == [("unknown", payload[:65536]), ("button", None)]
    assert await one(pool, "select count(*) from alarms_waiting") == 2


async def test_an_alarm_that_waited_at_the_broker_is_stored_when_ingest_comes(
    settings: Settings, pool: Pool, hub: Hub
) -> None:
    async with alarm_lane(settings, pool):
        pass  # the broker knows our session now
    alarm = await hub.press()
    async with alarm_lane(settings, pool):
        await until(lambda: hub.receipts() == {alarm["id"]: "stored"})


async def test_nothing_is_acknowledged_before_it_is_committed(
    settings: Settings, pool: Pool, hub: Hub, database_url: str
) -> None:
    """An ingest that dies between receiving and committing leaves the alarm with the broker."""
    async with alarm_lane(settings, pool), await psycopg.AsyncConnection.connect(database_url) as blocker:
        await blocker.execute("lock table alarms in access exclusive mode")
        alarm = await hub.press()
        await asyncio.sleep(0.3)
        assert hub.receipts() == {}
        await blocker.rollback()
        await until(lambda: hub.receipts() == {alarm["id"]: "stored"})


async def test_a_hub_gone_mad_is_stored_in_few_commits_and_receipted_and_nobody_waits_for_it(
    settings: Settings, pool: Pool, hub: Hub
) -> None:
    few = settings.model_copy(update={"alarms_burst": 3, "alarms_per_min": 0.1, "crowd_linger_ms": 300.0})
    async with alarm_lane(few, pool), connected(settings, await enrolled(settings)) as other:
        alarms = [await hub.press() for _ in range(60)]
        calm = await other.press()
        await until(lambda: other.receipts() == {calm["id"]: "stored"})
        await until(lambda: hub.receipts() == {alarm["id"]: "stored" for alarm in alarms})
    assert await one(pool, "select count(*) from alarms where crowding") == 57
    assert await one(pool, "select count(*) from alarms where not crowding") == 4
    assert await one(pool, "select count(distinct received_at) from alarms where crowding") <= 5


async def test_a_crowding_alarm_is_not_acknowledged_before_it_is_committed(
    settings: Settings, pool: Pool, hub: Hub
) -> None:
    """An ingest that ends while it waits for company leaves it with the broker, which gives it to the next."""
    few = settings.model_copy(update={"alarms_burst": 1, "alarms_per_min": 0.1, "crowd_linger_ms": 5000.0})
    async with alarm_lane(few, pool):
        first, crowding = await hub.press(), await hub.press()
        await until(lambda: hub.receipts() == {first["id"]: "stored"})
        await asyncio.sleep(0.2)
    assert await one(pool, "select count(*) from alarms") == 1
    async with alarm_lane(few, pool):
        await until(lambda: hub.receipts() == {first["id"]: "stored", crowding["id"]: "stored"})


async def test_no_reading_is_acknowledged_before_it_is_committed(
    settings: Settings, pool: Pool, hub: Hub, database_url: str
) -> None:
    """An ingest that ends between receiving and committing leaves it with the broker, which gives it to the next."""
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        async with reading_lane(settings, pool) as inbox:
            await blocker.execute("lock table readings in access exclusive mode")
            await hub.publish("readings", b'[{"n": "env-1/temperature", "u": "Cel", "v": 19.5, "t": 1795000000}]')
            blocked = "select count(*) from pg_locks where not granted and relation = 'readings'::regclass"
            await until(lambda: _exists(pool, f"select 1 where ({blocked}) > 0"))
            assert inbox.subscribed
        await blocker.rollback()
    assert await one(pool, "select count(*) from readings") == 0
    async with reading_lane(settings, pool):
        await until(lambda: _exists(pool, "select 1 from readings where value = 19.5"))


async def test_an_alarm_survives_a_database_that_goes_away(
    settings: Settings, pool: Pool, hub: Hub, database_url: str
) -> None:
    async with open_pool(database_url, name="cut", size=2) as cut, alarm_lane(settings, cut):
        async with pool.connection() as conn:
            await conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'telecare-cut'"
            )
        alarm = await hub.press()
        await until(lambda: hub.receipts() == {alarm["id"]: "stored"}, 15)
    assert await one(pool, "select count(*) from alarms") == 1


async def test_a_state_is_kept_and_the_will_of_an_older_session_says_nothing(
    settings: Settings, pool: Pool, hub: Hub
) -> None:
    async with state_lane(settings, pool):
        await hub.publish("state", b'{"online": true, "session": 17, "firmware": "1.4.0", "heartbeat_s": 60}')
        await hub.publish("state", b'{"online": false, "session": 16}')
        await hub.publish("state", b'{"online": "perhaps"}')
        await hub.publish("result", b'{"id": "c1", "ok": true}')
        await until(lambda: _exists(pool, "select 1 from command_results where command_id = 'c1'"))
    found = await rows(pool, "select online, session, firmware from hub_states where hub = %s", hub.name)
    assert found == [(True, 17, "1.4.0")]
    assert "online" in await one(
        pool, "select reason from unreadable where topic = %s", f"telecare/v1/{hub.name}/state"
    )


async def _exists(pool: Pool, sql: str) -> bool:
    return bool(await rows(pool, sql))


async def test_readings_are_stored_once_however_often_they_come(settings: Settings, pool: Pool, hub: Hub) -> None:
    pack = [
        {"bn": "env-1/", "bt": 1795473600, "n": "temperature", "u": "Cel", "v": 18.5},
        {"n": "temperature", "v": 19, "t": 60},
        {"n": "mood", "v": 1},
    ]
    async with reading_lane(settings, pool):
        for _ in range(2):
            await hub.publish("readings", json.dumps(pack).encode())
        await hub.publish("readings", b"not a pack")
        await hub.publish("readings", b'[{"n": "bed-1/occupied", "vb": true}]')
        # The lane has two writers: what came last may be stored first.
        await until(lambda: _exists(pool, "select 1 from series where measure = 'occupied'"))
        await until(lambda: _exists(pool, "select 1 from unreadable having count(*) >= 3"))
    stored = await rows(
        pool,
        """select s.device, s.measure, r.value from readings r join series s on s.id = r.series_id
            where s.hub = %s order by s.device desc, r.at""",
        hub.name,
    )
    assert stored == [("env-1", "temperature", 18.5), ("env-1", "temperature", 19.0), ("bed-1", "occupied", 1.0)]
    reasons = [
        row[0]
        for row in await rows(pool, "select reason from unreadable where topic like %s order by id", f"%{hub.name}%")
    ]
    assert len(reasons) == 3
    assert "no such measure" in reasons[0]


async def test_no_time_is_refused(settings: Settings, pool: Pool, hub: Hub) -> None:
    times = [1_000_000_000, 1795473600, 4_000_000_000]
    forever = settings.model_copy(update={"readings_keep_days": 36_500})
    async with reading_lane(forever, pool):
        await hub.publish("readings", json.dumps([{"n": "pir/motion", "vb": True, "t": t} for t in times]).encode())
        await until(lambda: _exists(pool, "select 1 from readings having count(*) = 3"))


async def test_a_hub_cannot_write_or_read_what_is_anothers(
    settings: Settings, pool: Pool, hub: Hub, broker: object
) -> None:
    if getattr(broker, "mosquitto", None) is None:
        pytest.skip("needs Mosquitto: the wheel's broker does not keep hubs apart by topic")
    async with alarm_lane(settings, pool), connected(settings, await enrolled(settings)) as other:
        await other.client.publish(f"telecare/v1/{hub.name}/alarm", json.dumps(hub.alarm()).encode(), qos=1)
        await other.client.subscribe("telecare/v1/#", qos=1)
        await hub.press()
        await until(lambda: len(hub.receipts()) == 1)
        await other.press()
        await until(lambda: len(other.receipts()) == 1)
    assert sorted(row[0] for row in await rows(pool, "select hub from alarms")) == sorted([hub.name, other.name])
    assert len(other.receipts()) == 1  # only its own: never the press of the other home


async def test_a_partition_that_is_attached_meanwhile_costs_no_reading(
    settings: Settings, pool: Pool, hub: Hub
) -> None:
    """Days are made one after the other while readings of all of them come; none may be set aside."""
    today = datetime(2026, 9, 1, tzinfo=UTC)
    async with reading_lane(settings.model_copy(update={"partition_days_ahead": 1}), pool), pool.connection() as conn:
        await until(lambda: _exists(pool, "select 1 from pg_class where relname ~ '^readings_2'"))
        for day in range(30):
            at = (today + timedelta(days=day)).timestamp()
            pack = [{"bn": "pir/", "bt": at, "n": "motion", "vb": True, "t": 60.0 * n} for n in range(20)]
            await hub.publish("readings", json.dumps(pack).encode())
            await Native().make_ahead(conn, today.date() + timedelta(days=day), 0, 0)
        await until(lambda: _exists(pool, "select 1 from readings having count(*) = 600"))
    assert await one(pool, "select count(*) from unreadable") == 0
