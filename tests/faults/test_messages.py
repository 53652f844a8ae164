"""Messages that come twice, late, out of order, with wrong times, or that are none."""

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiomqtt
import httpx
import psycopg
import pytest

from telecare.enrolment import enrol
from telecare.mqtt import client_for
from telecare.wire import topic
from tests.faults.conftest import Stage
from tests.faults.fuzz import Fuzz
from tests.faults.raw import RawHubs, raw_hubs
from tests.faults.verdict import finish
from tests.faults.world import Plan, World, is_full, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

HOUR_S, YEAR_S = 3600.0, 365 * 86_400.0
KEPT_BYTES = 64 * 1024  # of an unreadable message

# The night of 25 October 2026 in London has the hour from one to two twice; and times that no clock should show.
STRANGE_TIMES = (
    "2026-10-25T01:30:00+01:00", "2026-10-25T01:30:00+00:00", "2026-10-25T00:59:59.999Z", "2026-03-29T01:30:00+00:00",
    "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2038-01-19T03:14:07Z", "2038-01-19T03:14:08Z",
    "9999-12-31T23:59:59Z", "2016-12-31T23:59:60Z", "2026-02-30T12:00:00Z", "0001-01-01T00:00:00Z",
)  # fmt: skip


def _wrong_clocks() -> tuple[float, ...]:
    to_1970 = 100 - time.time()
    to_2038 = datetime(2038, 1, 19, 3, 14, 0, tzinfo=UTC).timestamp() - time.time()  # seven seconds later, 2**31
    return (0.0, HOUR_S, -HOUR_S, YEAR_S, -YEAR_S, to_1970, to_2038)


async def test_t7_hubs_with_wrong_clocks(stage: Stage) -> None:
    """The clock of the services is the database's, so theirs cannot differ from each other."""
    name = "T7 hub clocks: +-1 h, +-1 y, 1970, 2038, jumping, DST night"
    plan = Plan(name=name, clocks_off_s=_wrong_clocks(), hubs=14)
    async with stage(plan) as (made, row), raw_hubs(made, len(STRANGE_TIMES), "strange") as raw:
        async with made.fault(settle_s=0):
            for hub, at in zip(raw.names, STRANGE_TIMES, strict=True):
                await raw.press(hub, at=at)
            await asyncio.sleep(60 if is_full() else 25)
        found = await finish(made, row)
        # I6: nothing is held back, or put in another order, by what a hub says the time is.
        assert max(found.delays.values()) < 10
        assert await asyncio.to_thread(made.count, "select count(*) from alarms where received_at < %s", _ago(600)) == 0
        raised = [
            alert["raised_at"] for alert in made.system.get("/api/alerts?state=all&limit=1000", made.token)["alerts"]
        ]
        assert raised == sorted(raised)


def _ago(seconds: float) -> datetime:
    return datetime.fromtimestamp(time.time() - seconds, UTC)


async def test_t8_repeats_disorder_and_a_replay(stage: Stage) -> None:
    async with stage(Plan(name="T8 each alarm 1 to 4 times, in disorder, then all replayed")) as (made, row):
        capture: list[tuple[str, bytes]] = []
        recording = asyncio.create_task(_record(made, capture))
        try:
            async with raw_hubs(made, 8, "again") as raw, made.fault(settle_s=0):
                copies = 0
                for _ in range(20 if is_full() else 5):
                    copies += await _in_disorder(made, raw)
                    await asyncio.sleep(made.rng.uniform(0.5, 2))
                await until(lambda: len(capture) >= copies, 30)
                await _replay(made, raw, list(capture), row.figures)
        finally:
            recording.cancel()
            with suppress(asyncio.CancelledError):
                await recording
        row.figures |= {"copies": copies, "replayed": row.figures["replayed"]}
        await finish(made, row)


async def _in_disorder(made: World, raw: RawHubs) -> int:
    """Ten alarms, each one to four times, shuffled; how many messages those were."""
    messages = []
    for _ in range(10):
        hub = made.rng.choice(raw.names)
        alarm = raw.alarm(hub)
        raw.expect(hub, alarm)
        times = made.rng.randint(2, 4) if made.rng.random() < 0.6 else 1
        messages += [(topic(hub, "alarm"), json.dumps(alarm).encode())] * times
    made.rng.shuffle(messages)
    await asyncio.gather(*(raw.publish(*message) for message in messages))
    return len(messages)


async def _record(made: World, capture: list[tuple[str, bytes]]) -> None:
    async with client_for(made.settings.mqtt) as client:
        await client.subscribe([("telecare/v1/+/alarm", 1), ("telecare/v1/+/readings", 1)])
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            capture.append((message.topic.value, message.payload))


async def _replay(made: World, raw: RawHubs, capture: list[tuple[str, bytes]], figures: dict[str, Any]) -> None:
    """All that was heard so far comes once more: not one alarm or reading of it is new."""
    assert made.readings is not None
    await asyncio.to_thread(made.readings.stop)
    assert made.pressing is not None
    await made.pressing.stop(30)
    await asyncio.sleep(3)
    # Without the service's own findings: so many repeats of one hub are a crowd, and that is said by an alarm.
    counts = """select (select count(*) from alarms where device <> 'detector') || ' ' ||
                       (select count(*) from readings)"""
    before = made.count(counts)
    await asyncio.gather(*(raw.publish(*message) for message in capture))
    last = await raw.press(raw.names[0])  # behind all of them
    stored = "select count(*) from alarms where id::text = %s"
    await until(lambda: made.count(stored, last["id"]) == 1, 30)
    await asyncio.sleep(3)
    alarms, readings = before.split()
    assert made.count(counts) == f"{int(alarms) + 1} {readings}"
    figures["replayed"] = len(capture)


async def test_t9_messages_that_are_none(stage: Stage) -> None:
    async with stage(Plan(name="T9 fuzz: wrong shapes, NaN, 64 KB, bad UTF-8, others' topics")) as (made, row):
        fuzz = Fuzz(made.rng)
        async with raw_hubs(made, 6, "fuzz", compared=False) as raw, made.fault(settle_s=0):
            alarms, others = [], []
            for _ in range(1500 if is_full() else 250):
                hub = made.rng.choice(raw.names)
                channel, payload = _nonsense(made, fuzz, raw, hub)
                (alarms if channel == "alarm" else others).append((topic(hub, channel), payload))
                await raw.publish(topic(hub, channel), payload)
            await _others_topics(made)
            await asyncio.sleep(2)
        await finish(made, row)
        row.figures |= {"strange alarms": len(alarms), "other messages": len(others)}
        await asyncio.to_thread(_each_is_kept, made, alarms, others)


def _nonsense(made: World, fuzz: Fuzz, raw: RawHubs, hub: str) -> tuple[Any, bytes]:
    channel = made.rng.choice(["alarm", "alarm", "readings", "state", "result"])
    if made.rng.random() < 0.4:
        return channel, fuzz.nonsense()
    shapes = {"state": fuzz.state, "result": fuzz.result, "readings": fuzz.pack}
    return channel, shapes[channel]() if channel in shapes else fuzz.alarm(raw.alarm(hub))


async def _others_topics(made: World) -> None:
    """A hub that speaks on another's topics, and on topics that are none: the broker refuses it."""
    one, other = await enrol(made.settings, [("thief", made.home(1)), ("victim", made.home(2))])
    login = {"username": one.hub, "password": one.secret, "identifier": one.hub}
    async with client_for(made.settings.mqtt_url_for_hubs, **login) as client:
        for name in (topic(other.hub, "alarm"), topic(one.hub, "receipt"), "telecare/v1/thief/alarm/more", "elsewhere"):
            with suppress(aiomqtt.MqttError):
                await client.publish(name, b'{"id": "stolen"}', qos=1)


def _each_is_kept(made: World, alarms: list[tuple[str, bytes]], others: list[tuple[str, bytes]]) -> None:
    """I7: a strange alarm is an alarm with its bytes, in an alert; what can be none is kept once, with its bytes."""
    with psycopg.connect(made.settings.database) as conn:
        kept = conn.execute("select topic, payload from unreadable").fetchall()
        found = conn.execute(
            """select 'telecare/v1/' || a.hub || '/alarm', a.raw from alarms a join alert_alarms p on p.alarm_id = a.id
                where a.hub like 'fuzz-%' and a.device <> 'detector'"""
        ).fetchall()
        stolen = conn.execute("select count(*) from alarms where hub in ('victim', 'thief')").fetchone()
    assert stolen == (0,)
    assert not [row for row in kept if "victim" in row[0] or "thief" in row[0]]
    sent = sorted((name, payload[:KEPT_BYTES]) for name, payload in others)
    assert sorted((row[0], bytes(row[1])) for row in kept if not row[0].endswith("/alarm")) == sent
    # The same id with another content: the first one stands, the other is kept as unreadable.
    contradictions = [(row[0], bytes(row[1])) for row in kept if row[0].endswith("/alarm")]
    assert len(found) + len(contradictions) == len(alarms)
    strange = sorted((name, payload[:KEPT_BYTES]) for name, payload in alarms)
    seen = [(row[0], bytes(row[1])) for row in found if row[1] is not None] + contradictions
    assert len(seen) > len(alarms) / 2
    assert Counter(seen) <= Counter(strange), "kept with other bytes than were sent"
    metrics = httpx.get(f"{made.system.url}/metrics", headers={"Authorization": f"Bearer {made.token}"}, timeout=10)
    assert f"telecare_unreadable_messages {len(kept)}.0" in metrics.text, metrics.text[:300]
