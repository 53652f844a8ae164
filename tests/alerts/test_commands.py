"""Commands reach the hub, whatever happens to the connection to the broker while they are sent."""

import asyncio
import json
import random
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from alerts import store
from alerts.providers import DemoProvider
from alerts.service import Engine
from ingest.domain import take_in
from ingest.store import save_alarms
from telecare.clock import SystemClock
from telecare.db import Pool, database_now
from telecare.settings import Settings
from tests.helpers import connected, enrolled, one, running, until
from tests.proxy import Proxy

CUTS = 3


async def test_commands_are_sent_again_after_a_connection_that_broke_while_they_were_on_their_way(
    pool: Pool, settings: Settings
) -> None:
    hub = await enrolled(settings)
    parts = urlsplit(settings.mqtt)
    async with Proxy(parts.port or 1883, random.Random(1)) as proxy:
        login = parts.netloc.rpartition("@")[0]
        url = urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))
        engine = Engine(pool, settings.model_copy(update={"mqtt_url": SecretStr(url)}), DemoProvider(), SystemClock())

        async def announce(text: str) -> None:
            async with pool.connection() as conn, conn.transaction():
                now = await database_now(conn)
                alert = await (await conn.execute("select id from alerts")).fetchone()
                assert alert is not None
                assert await store.queue_command(conn, alert[0], text, None, now, now + timedelta(minutes=5))
                await store.publish_change(conn, alert[0], now)

        async with running(engine.run), connected(settings, hub) as home:
            async with pool.connection() as conn:
                now = await database_now(conn)
                payload = json.dumps(home.alarm(at=now.isoformat())).encode()
                await save_alarms(conn, [take_in(hub.hub, payload, now, timedelta(minutes=5))], now)
            await until(lambda: one_alert(pool))
            await until(lambda: engine.subscribed)
            for cut in range(CUTS):
                proxy.go_silent()
                await announce(f"announcement {cut}")
                await asyncio.sleep(0.3)  # it waits for the broker's answer
                proxy.cut()
                await until(lambda: not engine.subscribed)
                proxy.mend()
                await until(lambda: engine.subscribed)
                await until(lambda wanted=f"announcement {cut}": wanted in home.announced())


async def one_alert(pool: Pool) -> bool:
    return bool(await one(pool, "select count(*) = 1 from alerts"))
