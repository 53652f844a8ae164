"""Working tables are emptied of what is old; alarms, alerts and their log never are."""

from datetime import timedelta

import psycopg
import pytest

from alerts import replies_store
from ingest import store as ingest_store
from tests.alerts.test_engine import World, world
from tests.helpers import one, rows

__all__ = ["world"]  # the fixture


async def test_old_changes_and_commands_go_and_the_newest_change_stays(world: World) -> None:
    await world.alarm()
    kept = await rows(world.pool, "select * from alarms"), await rows(world.pool, "select * from alert_log order by id")
    assert not await world.engine.retire_step()
    world.now += timedelta(days=world.settings.events_keep_days - 1)
    await world.alarm()
    newest = await one(world.pool, "select n from alert_event_counter")
    world.now += timedelta(days=2)
    assert await world.engine.retire_step()
    assert not await world.engine.retire_step()
    assert (await rows(world.pool, "select n from alert_events order by n"))[-1] == (newest,)
    assert await one(world.pool, "select count(*) from alert_events where at < %s", world.now - timedelta(days=7)) == 0
    assert await one(world.pool, "select count(*) from commands") == 2
    world.now += timedelta(days=world.settings.commands_keep_days)
    while await world.engine.retire_step():
        pass
    assert await rows(world.pool, "select n from alert_events") == [(newest,)]
    assert await one(world.pool, "select count(*) from commands") == 0
    assert await rows(world.pool, "select * from alarms where id = %s", kept[0][0][0]) == kept[0]
    assert (await rows(world.pool, "select * from alert_log order by id"))[: len(kept[1])] == kept[1]


async def test_what_could_not_be_understood_goes_after_its_time(world: World) -> None:
    async with world.pool.connection() as conn:
        await ingest_store.keep_unreadable(conn, None, "telecare/v1/x/alarm", b"{", "not JSON", world.now)
        for days, left in ((world.settings.unreadable_keep_days - 1, 1), (world.settings.unreadable_keep_days + 1, 0)):
            await ingest_store.retire_side_tables(conn, world.settings, world.now + timedelta(days=days))
            cursor = await conn.execute("select count(*) from unreadable")
            assert await cursor.fetchone() == (left,)


async def test_what_providers_and_contacts_say_goes_after_its_own_time(world: World) -> None:
    async with world.pool.connection() as conn:
        await replies_store.keep_stray(conn, "notify", "no message of ours has this id", b"{}", b"1", world.now)
        values = {"provider": "notify", "channel": "sms", "sender": "+447700900001", "words": "1", "content": b"1"}
        await replies_store.keep(conn, values | {"now": world.now, "became": "no-question", "ask": None})
    begun = world.now
    for days, strays, replies in ((89, 1, 1), (91, 0, 1), (364, 0, 1), (366, 0, 0)):
        world.now = begun + timedelta(days=days)
        while await world.engine.retire_step():
            pass
        assert await one(world.pool, "select count(*) from stray_callbacks") == strays
        assert await one(world.pool, "select count(*) from replies") == replies


async def test_nothing_but_retention_takes_an_answer_away(world: World) -> None:
    values = {"provider": "notify", "channel": "sms", "sender": "+447700900001", "words": "1", "content": b"1"}
    async with world.pool.connection() as conn:
        await replies_store.keep(conn, values | {"now": world.now, "became": "no-question", "ask": None})
        await world.engine.retire_step()
    for wrong in ("delete from replies", "update replies set words = '2'"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            await rows(world.pool, wrong)
