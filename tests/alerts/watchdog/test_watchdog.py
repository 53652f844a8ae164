"""The watchdog on a real broker and database, with the real ingest, engine and pages; the engineer is a web server."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from alerts.providers import DemoProvider
from alerts.service import Engine
from alerts.supervision import Supervision
from alerts.watchdog.domain import Open, Trouble
from alerts.watchdog.outside import DemoEngineer, NoEngineer, Webhook, engineer_for
from alerts.watchdog.press import Press
from alerts.watchdog.service import Watchdog
from dashboard.server import serve
from ingest.alarm_lane import ALARM_TOPICS, AlarmLane
from ingest.inbox import Inbox
from telecare.clock import SystemClock
from telecare.db import Pool
from telecare.enrolment import publish_accounts
from telecare.mqtt_accounts import read_password_file
from telecare.processes import free_port
from telecare.register import homes, own
from telecare.settings import Settings
from tests.dashboard.conftest import Away as Away
from tests.dashboard.conftest import away as away
from tests.helpers import one, rows, running, until

CLOCK = SystemClock()


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """Settings for tests: short times, and a port of the pages' own."""
    return settings.model_copy(
        update={
            "port": free_port(), "watchdog_within_s": 8.0, "watchdog_press_every_s": 0.5, "watchdog_look_every_s": 0.5,
            "watchdog_patience_s": 1.0, "oncall_clear_s": 0.5, "oncall_repeat_s": 900.0,
        }
    )  # fmt: skip


@asynccontextmanager
async def ingest(pool: Pool, settings: Settings) -> AsyncIterator[None]:
    # A name of its own: the broker outlives a test, and would keep its session.
    inbox = Inbox(settings.mqtt, f"watched-{settings.port}", ALARM_TOPICS, 1000)
    lane = AlarmLane(pool, inbox, settings, CLOCK)
    async with running(lane.run):
        await until(lambda: inbox.subscribed)
        yield


@asynccontextmanager
async def engine(pool: Pool, settings: Settings) -> AsyncIterator[None]:
    async with running(Engine(pool, settings, DemoProvider(), CLOCK).run):
        yield


@asynccontextmanager
async def pages(settings: Settings) -> AsyncIterator[None]:
    listener = socket.create_server(("127.0.0.1", settings.port))
    async with running(lambda stop: serve(settings, listener, stop)):
        yield


@pytest.fixture
async def whole(pool: Pool, quick: Settings) -> AsyncIterator[AsyncExitStack]:
    """The whole chain."""
    async with AsyncExitStack() as stack:
        for part in (ingest(pool, quick), engine(pool, quick), pages(quick)):
            await stack.enter_async_context(part)
        heard = "select count(*) = 2 from service_heartbeats where detail ->> 'subscribed' = 'true'"
        await until(lambda: one(pool, heard), 20)
        yield stack


class Phone:
    """A gateway to the engineer's telephone: what it was told; it may refuse."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.pings = 0
        self.answer = b"200 OK"
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/secret-path"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line.split(":")[1] for line in head.lower().splitlines() if line.startswith("content-length")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        if self.answer.startswith(b"200"):
            if head.startswith("POST"):
                self.told.append(json.loads(body))
            else:
                self.pings += 1
        writer.write(b"HTTP/1.1 " + self.answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    @property
    def states(self) -> list[str]:
        return [document["state"] for document in self.told]


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    made = Phone()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await server.wait_closed()


def watchdog(settings: Settings, phone: Phone | None = None) -> Watchdog:
    if phone is not None:
        settings = settings.model_copy(update={"oncall_webhook_url": SecretStr(phone.url)})
    made = Watchdog(settings, engineer_for(settings), CLOCK)
    made.board.settled_at = CLOCK.now()  # everything has been started
    return made


# ---------------------------------------------------------------- the press


async def test_a_press_travels_the_whole_chain_and_bothers_nobody(
    pool: Pool, quick: Settings, whole: AsyncExitStack
) -> None:
    made = watchdog(quick)
    async with pool.connection() as conn:
        await own.make_sure(conn)
    await made.press_step()
    await made.look_step()
    (press,) = await rows(pool, "select missing, receipt_s, alert_s, shown_s from watchdog_presses")
    assert press[0] == ""
    assert min(press[1:3]) > 0
    assert press[3] >= press[2]
    (alert,) = await rows(pool, "select state, kind, cause, person_id, home_id from alerts")
    assert alert == ("closed", "test", "test", None, own.HOME)
    assert await rows(pool, "select what from alert_log order by id") == [("raised",), ("closed",)]
    assert await rows(pool, "select doubts from alarms") == [([],)]
    assert await rows(pool, "select count(*) from unreadable") == [(0,)]
    assert await rows(pool, "select count(*) from commands") == [(0,)]
    async with pool.connection() as conn:
        assert (await homes.home(conn, own.HOME))["address"] == own.ADDRESS
        assert await homes.enrolled_hubs(conn) == {}


async def test_nobody_can_log_in_as_the_test_hub_and_no_council_has_it(
    pool: Pool, quick: Settings, whole: AsyncExitStack
) -> None:
    async with pool.connection() as conn:
        await own.make_sure(conn)
        await own.make_sure(conn)  # again changes nothing
        assert quick.mqtt_password_file is not None
        await publish_accounts(conn, quick.mqtt_password_file)
    assert own.HUB not in read_password_file(quick.mqtt_password_file)
    assert await one(pool, "select council_id from homes where id = %s", own.HOME) is None
    assert await rows(pool, "select name from councils") == []


async def test_the_test_hub_is_never_called_silent(pool: Pool, quick: Settings, whole: AsyncExitStack) -> None:
    await watchdog(quick).press_step()
    async with pool.connection() as conn:
        await conn.execute("update hubs set enrolled_at = enrolled_at - interval '9 days'")
        await conn.execute(
            "update hub_states set silent_at = now() - interval '1 day', received_at = now() - interval '2 days'"
        )
        await conn.execute("update service_heartbeats set well_since = now() - interval '3 days'")
    supervision = Supervision(pool, quick, CLOCK)
    while await supervision.step():
        pass
    assert await rows(pool, "select hub from silences") == []


async def missing_part(pool: Pool, settings: Settings, *parts: Any) -> str:
    """What a press says while only these parts work."""
    short = settings.model_copy(update={"watchdog_within_s": 3.0})
    async with AsyncExitStack() as stack:
        for part in parts:
            await stack.enter_async_context(part)
        made = watchdog(short)
        await made.press_step()
        (lasting,) = made.board.grave()
        await made.look_step()
        assert await one(pool, "select words from troubles where key = 'press:lost'") == lasting.trouble.words
        return lasting.trouble.words


async def test_a_press_says_where_the_way_is_broken(pool: Pool, quick: Settings) -> None:
    assert "ingest or the database" in await missing_part(pool, quick, engine(pool, quick), pages(quick))
    assert "the alert engine" in await missing_part(pool, quick, ingest(pool, quick), pages(quick))


async def test_a_press_says_that_the_pages_do_not_answer(pool: Pool, quick: Settings) -> None:
    assert "the dashboard" in await missing_part(pool, quick, ingest(pool, quick), engine(pool, quick))
    away = quick.model_copy(update={"mqtt_url": SecretStr("mqtt://127.0.0.1:1")})
    assert "the broker does not let us in" in await missing_part(pool, away, pages(quick))


async def test_it_presses_and_shouts_while_the_database_is_away(
    pool: Pool, quick: Settings, phone: Phone, away: Away
) -> None:
    made = watchdog(quick.model_copy(update={"watchdog_within_s": 3.0}), phone)
    async with away():
        await made.press_step()
        for _ in range(4):
            await made.look_step()
            await asyncio.sleep(0.4)
        assert {one.trouble.key for one in made.board.grave()} >= {"press:lost", "database:away"}
        await made.call_step()
        assert phone.states == ["trouble"]
        assert "The database cannot be reached" in phone.told[0]["body"]
        assert phone.told[0]["type"] == "failure"
    await made.look_step()  # back again
    await made.look_step()  # and everything is written down
    assert await rows(pool, "select ended_at is not null from troubles where key = 'database:away'") == [(True,)]
    assert await one(pool, "select count(*) from watchdog_presses where missing <> ''") == 1
    assert await rows(pool, "select about, taken_at is not null from oncall_messages") == [("trouble", True)]


# ---------------------------------------------------------------- looking


async def test_it_finds_what_is_late_and_who_is_silent_and_hears_that_it_is_over(
    pool: Pool, quick: Settings, whole: AsyncExitStack
) -> None:
    made = watchdog(quick)
    await made.press_step()
    await made.look_step()
    # In this chain nobody collects readings or states, or detects.
    assert set(made.board.open) == {"signs:ingest-readings", "signs:ingest-states", "signs:detection"}
    assert await one(pool, "select count(*) from troubles where ended_at is null and grave") == 3
    async with pool.connection() as conn:
        await conn.execute(
            """insert into service_heartbeats (service, at, detail, well_since)
               select s, clock_timestamp() + interval '1 hour', '{"subscribed": true}', clock_timestamp()
                 from unnest(array['ingest-readings', 'ingest-states', 'detection']) s"""
        )
    await made.look_step()
    assert made.board.open == {}
    assert await one(pool, "select count(*) from troubles where ended_at is not null") == 3
    assert (
        await one(pool, "select detail ->> 'subscribed' from service_heartbeats where service = 'watchdog'") == "true"
    )
    assert await one(pool, "select count(*) from service_runs where service = 'alerts'") == 1


async def test_an_orphan_is_found_by_a_look_and_what_the_audit_finds_is_a_trouble(pool: Pool, quick: Settings) -> None:
    made = watchdog(quick)
    async with pool.connection() as conn:
        await own.make_sure(conn)
        await conn.execute(
            """insert into alarms (id, hub, device, kind, clock_synced, test, evidence, doubts, content_hash,
                                   received_at)
               values (gen_random_uuid(), 'telecare-watchdog', 'x', 'test', true, false, '{}', '{}', '\\x00',
                       clock_timestamp() - interval '12 seconds')"""
        )
    await made.look_step()
    assert "1 alarm is in no alert, the oldest for 1" in made.board.open["signs:unplaced"].trouble.words
    await made.audit_step()
    assert "in no alert, and not waiting for one" in made.board.open["audit:I1"].trouble.words
    async with pool.connection() as conn:
        await conn.execute("delete from alarms")
    await made.look_step()
    await made.audit_step()
    assert {"signs:unplaced", "audit:I1"}.isdisjoint(made.board.open)


async def test_an_empty_room_is_told_to_the_engineer_until_somebody_is_back(
    pool: Pool, quick: Settings, phone: Phone
) -> None:
    made = watchdog(quick.model_copy(update={"demo": False}), phone)
    demo = watchdog(quick)  # nobody has looked at it since it began
    async with pool.connection() as conn:
        await conn.execute(
            """insert into staff (id, username, display_name, role, password_hash)
               values (gen_random_uuid(), 'operator', 'Operator', 'operator', 'none');
               insert into consoles (id, username, opened_at, seen_at)
               select gen_random_uuid(), 'operator', t, t from (select now() - interval '11 minutes') old (t)"""
        )
    await demo.look_step()
    assert "screens:none" not in demo.board.open
    await made.look_step()
    words = made.board.open["screens:none"].trouble.words
    assert words.startswith("No operator's or supervisor's screen has been connected for 6")
    await made.call_step()
    assert "screens:none" in [one["key"] for one in phone.told[0]["troubles"]]
    async with pool.connection() as conn:
        await conn.execute("update consoles set seen_at = now()")
    await made.look_step()
    assert "screens:none" not in made.board.open
    assert await one(pool, "select ended_at is not null from troubles where key = 'screens:none'")


async def test_a_database_that_only_lets_us_read_is_a_trouble(
    pool: Pool, quick: Settings, postgres: Any, database_url: str
) -> None:
    made = watchdog(quick)
    await made.look_step()
    name = database_url.rsplit("/", 1)[1]
    async with pool.connection() as conn:
        await conn.execute(f"alter database {name} set default_transaction_read_only = on".encode())
    await made.look_step()
    await made.look_step()
    found = [one.trouble.words for one in made.board.grave() if "takes nothing" in one.trouble.words]
    assert found, made.board.open


async def test_whatever_fails_inside_is_a_trouble_and_the_rest_goes_on(pool: Pool, quick: Settings) -> None:
    made = watchdog(quick)
    async with pool.connection() as conn:  # only the audit reads it
        await conn.execute("alter table asks rename to asks_gone")
    stop = asyncio.Event()
    made.settings = quick.model_copy(update={"watchdog_within_s": 0.2, "audit_every_s": 0.2})
    task = asyncio.create_task(made.run(stop))
    await until(lambda: "own-audit:failed" in made.board.open, 20)
    await until(lambda: "signs:alerts" in made.board.open, 20)
    stop.set()
    await task


# ---------------------------------------------------------------- a second one, after the first


async def test_a_watchdog_that_was_started_anew_ends_what_it_finds_over_and_says_so(
    pool: Pool, quick: Settings, whole: AsyncExitStack, phone: Phone
) -> None:
    async with pool.connection() as conn:
        await conn.execute(
            """insert into troubles (key, words, advice, grave, begun_at, told_at)
               values ('press:lost', 'It did not arrive.', '', true, now() - interval '1 hour',
                       now() - interval '1 hour')"""
        )
        await conn.execute(
            """insert into service_heartbeats (service, at, detail, well_since)
               select s, clock_timestamp() + interval '1 hour', '{"subscribed": true}', clock_timestamp()
                 from unnest(array['ingest-readings', 'ingest-states', 'detection']) s"""
        )
    made = watchdog(quick, phone)
    await made.look_step()
    assert set(made.board.open) == {"press:lost"}
    await made.call_step()
    assert phone.states == ["trouble"]  # told an hour ago: it is time again
    await made.press_step()
    assert made.board.open == {}
    await asyncio.sleep(0.6)
    await made.call_step()
    await made.look_step()
    assert phone.states == ["trouble", "clear"]
    assert await one(pool, "select count(*) from troubles where ended_at is null") == 0
    assert sorted(await rows(pool, "select about, attempts from oncall_messages")) == [("clear", 1), ("trouble", 1)]


# ---------------------------------------------------------------- the far edge


async def test_a_gateway_that_refuses_is_tried_again_until_it_takes_one_message(
    pool: Pool, quick: Settings, phone: Phone
) -> None:
    made = watchdog(quick, phone)
    made.board.found("press", [Trouble(key="press:lost", words="A test press did not arrive.")], CLOCK.now())
    phone.answer = b"503 Busy"
    await made.call_step()
    await made.call_step()  # not yet again
    assert made.oncall.attempts == 1
    await made.look_step()
    assert await rows(pool, "select attempts, taken_at, failure from oncall_messages") == [(1, None, "it answers 503")]
    phone.answer = b"200 OK"
    await asyncio.sleep(2.1)
    await made.call_step()
    await made.look_step()
    assert phone.states == ["trouble"]
    assert await one(pool, "select attempts from oncall_messages where taken_at is not null") == 2
    assert phone.told[0]["troubles"][0]["key"] == "press:lost"
    assert {"id", "service", "title", "body", "at"} <= set(phone.told[0])


async def test_outside_hears_of_each_press_that_arrived_and_of_none_while_something_is_wrong(
    pool: Pool, quick: Settings, whole: AsyncExitStack, phone: Phone
) -> None:
    made = watchdog(quick.model_copy(update={"deadman_url": SecretStr(phone.url)}))
    await made.press_step()
    assert phone.pings == 1
    await made.look_step()
    assert phone.pings == 1  # once for a press
    assert made.board.grave()  # half of the services are not there
    await made.press_step()
    assert phone.pings == 1
    async with pool.connection() as conn:
        await conn.execute(
            """insert into service_heartbeats (service, at, detail, well_since)
               select s, clock_timestamp() + interval '1 hour', '{"subscribed": true}', clock_timestamp()
                 from unnest(array['ingest-readings', 'ingest-states', 'detection']) s"""
        )
    await made.look_step()
    assert phone.pings == 2  # a clean look after a press that arrived
    phone.answer = b"500 No"
    await made.press_step()  # is said in the log, and is nobody's trouble here
    assert made.board.grave() == []


async def test_who_is_told_is_a_setting(settings: Settings, phone: Phone) -> None:
    assert isinstance(engineer_for(settings), DemoEngineer)
    assert isinstance(engineer_for(settings.model_copy(update={"demo": False})), NoEngineer)
    assert isinstance(engineer_for(settings.model_copy(update={"oncall_webhook_url": SecretStr(phone.url)})), Webhook)


async def test_a_failed_call_never_tells_the_address(quick: Settings) -> None:
    made = watchdog(quick.model_copy(update={"oncall_webhook_url": SecretStr("http://127.0.0.1:1/secret-path")}))
    made.board.adopt([Open(Trouble(key="press:lost", words="Lost."), CLOCK.now())], CLOCK.now())
    await made.call_step()
    assert made._message is not None
    assert "secret" not in made._message.failure
    assert "cannot be reached" in made._message.failure


async def test_what_is_old_goes(pool: Pool, quick: Settings, whole: AsyncExitStack) -> None:
    made = watchdog(quick)
    await made.press_step()
    await made.look_step()
    async with pool.connection() as conn:
        await conn.execute("update watchdog_presses set pressed_at = pressed_at - interval '91 days'")
    await made.retire_step()
    assert await one(pool, "select count(*) from watchdog_presses") == 0
    assert await one(pool, "select count(*) from alarms") == 1  # an alarm stays


def test_a_press_that_is_not_followed_has_come_nowhere(quick: Settings) -> None:
    press = Press(quick, CLOCK, lambda: None)  # type: ignore[arg-type,return-value]
    assert not press.journey.arrived
    assert press.age_s >= 0


def test_settings_of_the_far_edge_are_checked() -> None:
    for name in ("oncall_webhook_url", "deadman_url"):
        with pytest.raises(ValueError, match="http"):
            Settings.model_validate({name: "ftp://x"})
