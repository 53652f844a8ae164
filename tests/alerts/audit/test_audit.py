"""The auditor on a real database: a healthy, busy service holds, and each row broken by hand is found."""

import asyncio
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from alerts import actions, asks, calls
from alerts.audit import service as audit
from alerts.audit.domain import Report
from alerts.history import PastCase, add_past_case
from alerts.providers import DemoProvider
from alerts.service import Engine
from alerts.settings import ladder
from telecare.clock import SystemClock
from telecare.db import Pool, database_now
from telecare.deploy import backup
from telecare.errors import Refused
from telecare.heartbeat import beat
from telecare.ids import uuid7
from telecare.vocabulary import Cause, ConfirmedBy, Kind, Outcome, Role
from tests.dashboard.world import World, send_messages, settings_for
from tests.helpers import rows

QUICK = {"resound_s": 0.3, "supervisor_s": 0.6, "second_site_s": 0.9, "breach_s": 1.2, "technical_s": 3600}


@dataclass
class Audited:
    """A small service with an auditor."""

    world: World
    url: str

    @property
    def pool(self) -> Pool:
        return self.world.pool

    async def audit(self, url: str | None = None, *, lately: bool = False, **more: Any) -> Report:
        settings = self.world.settings
        async with await AsyncConnection.connect(url or self.url, autocommit=True) as conn:
            if lately:
                return await audit.lately(conn, settings, ladder(settings))
            return await audit.audit(conn, settings, ladder(settings), **more)

    async def found(self, invariant: str, words: str) -> None:
        """Both the whole audit and the cheap one find exactly this one thing; and it is a trouble."""
        for lately in (False, True):
            report = await self.audit(lately=lately)
            assert {broken.invariant for broken in report.broken} == {invariant}, report.broken
            assert any(words in broken.what for broken in report.broken), report.broken
            assert {one.key.removesuffix("-past") for one in audit.troubles_of(report)} == {f"audit:{invariant}"}

    async def sql(self, statement: str, *values: Any) -> None:
        async with self.pool.connection() as conn:
            await conn.execute(statement.encode(), values)

    async def live(self) -> None:
        """All services say that they live, and hubs are heard."""
        await self.world.all_services_live()


@pytest.fixture
async def service(pool: Pool, database_url: str, tmp_path: Path) -> Audited:
    world = World(pool, settings_for(database_url, tmp_path, demo=True))
    await world.add_staff(Role.OPERATOR)
    await world.add_home("hub-1")
    made = Audited(world, database_url)
    await made.live()
    return made


async def be_busy(service: Audited) -> None:
    """A claimed fall with an ask and a call, a closed press, one that nobody answers until it is a breach, a test."""
    world = service.world
    world.settings = world.settings.model_copy(update=QUICK)
    for number in (2, 3, 4):
        await world.add_home(f"hub-{number}", f"Person {number}")
    fall = await world.alert("hub-1", "fall")
    await world.alarm("hub-1")
    await world.claim(fall)
    async with world.pool.connection() as conn:
        now = await database_now(conn)
        await actions.ask_contact(conn, world.settings, fall, "operator", now)
        await calls.start(conn, world.settings, fall, "operator", "mobile", None, now)
    press = await world.alert("hub-2")
    await world.claim(press)
    await world.close(press)
    await world.alert("hub-2", "test")
    await world.alert("hub-4", "battery-low")
    ignored = await world.alert("hub-3")
    engine = Engine(world.pool, world.settings, DemoProvider(), SystemClock())
    for _ in range(30):
        while await engine.deadline_step():
            pass
        await asyncio.sleep(0.05)
    await world.claim(ignored)
    await send_messages(world)
    assert "breached" in [row[0] for row in await rows(world.pool, "select what from alert_log")]


async def test_a_healthy_busy_service_holds(service: Audited) -> None:
    await be_busy(service)
    await service.live()
    for lately in (False, True):
        report = await service.audit(lately=lately)
        assert report.broken == []
        assert audit.troubles_of(report) == []
    assert all(report.checked[name] > 0 for name in ("I1", "I2", "I3", "I4", "I5", "I6", "I7"))


async def test_it_holds_right_after_a_night_in_which_nothing_ran(service: Audited) -> None:
    # An alert waits, everything is stopped; hours later everything is started, and the engine takes what was missed.
    await service.world.alert("hub-1")
    night = "interval '9 hours'"
    await service.sql(f"update alarms set received_at = received_at - {night}")
    await service.sql(f"update alert_alarms set joined_at = joined_at - {night}")
    await service.sql(
        f"update alerts set raised_at = raised_at - {night}, waiting_since = waiting_since - {night},"
        f" due_at = due_at - {night}"
    )
    await service.sql(f"update service_heartbeats set at = at - {night}, well_since = well_since - {night}")
    await service.sql(f"update hub_states set received_at = received_at - {night}, silent_at = silent_at - {night}")
    await service.live()
    engine = Engine(service.pool, service.world.settings, DemoProvider(), SystemClock())
    while await engine.deadline_step():
        pass
    assert "breached" in [row[0] for row in await rows(service.pool, "select what from alert_log")]
    for lately in (False, True):
        assert (await service.audit(lately=lately)).broken == []


async def test_it_holds_after_a_restore(service: Audited, empty_database_url: str, tmp_path: Path) -> None:
    await be_busy(service)
    path, _ = await asyncio.to_thread(backup.make_backup, service.url, tmp_path, None, datetime.now(UTC))
    await asyncio.to_thread(
        lambda: backup.restore(empty_database_url, path, None, replace=False, now=datetime.now(UTC))
    )
    async with await AsyncConnection.connect(empty_database_url, autocommit=True) as conn:
        for name in ("ingest", "ingest-readings", "ingest-states", "alerts", "detection", "watchdog"):
            await beat(conn, name, {"subscribed": True})
    for lately in (False, True):
        assert (await service.audit(empty_database_url, lately=lately)).broken == []


async def test_cases_from_before_are_nobodys_fault(service: Audited) -> None:
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    async with service.pool.connection() as conn:
        now = await database_now(conn)
        for number, raised_at in enumerate((at, now - timedelta(minutes=5))):
            past = PastCase(
                name=f"old {number}", person_id=service.world.people["hub-1"],
                kind=Kind.FALL, device="p", location=None,
                raised_at=raised_at, answered_at=raised_at, answered_by="desk", closed_at=now, cause=Cause.FALL_UP,
                outcomes=[Outcome.REASSURED], confirmed_by=ConfirmedBy.PERSON, how="said so",
            )  # fmt: skip
            assert await add_past_case(conn, past, now)
    for lately in (False, True):
        assert (await service.audit(lately=lately)).broken == []


# ---------------------------------------------------------------- broken by hand


async def stored_alarm(service: Audited, seq: int, *, age_s: float = 0, hub: str = "hub-1", waits: bool = False) -> str:
    """A row of an alarm that ingest stored and no engine took."""
    alarm = uuid7()
    await service.sql(
        """insert into alarms (id, hub, given_id, seq, device, kind, at, clock_synced, test, evidence, doubts,
                               content_hash, received_at)
           values (%s, %s, %s, %s, 'pendant-1', 'button', null, false, false, '{}', '{}', %s,
                   clock_timestamp() - make_interval(secs => %s))""",
        alarm, hub, str(alarm), seq, hashlib.sha256(alarm.bytes).digest(), age_s,
    )  # fmt: skip
    if waits:
        await service.sql("insert into alarms_waiting select id, received_at from alarms where id = %s", alarm)
    return str(alarm)


async def test_an_orphan_alarm(service: Audited) -> None:
    alarm = await stored_alarm(service, 1, age_s=11)
    await service.found("I1", f"alarm {alarm}: in no alert, and not waiting for one")


async def test_an_alarm_that_waits_too_long(service: Audited) -> None:
    await service.sql("update service_heartbeats set well_since = well_since - interval '1 hour'")
    alarm = await stored_alarm(service, 1, age_s=9, waits=True)
    assert (await service.audit()).broken == []
    await service.sql("update alarms_waiting set received_at = received_at - interval '2 seconds'")
    await service.sql("update alarms set received_at = received_at - interval '2 seconds'")
    await service.found("I1", f"alarm {alarm}: has waited")


async def test_an_alarm_that_is_placed_and_still_waits(service: Audited) -> None:
    alarm = await service.world.alarm("hub-1")
    await service.sql("insert into alarms_waiting select id, received_at from alarms")
    await service.found("I1", f"alarm {alarm}: in an alert, and still waiting")


async def an_old_engine(service: Audited) -> None:
    """The engine has worked for a day."""
    await service.sql("update service_heartbeats set well_since = well_since - interval '1 day'")


async def test_an_alert_without_an_owner_whose_next_step_is_overdue(service: Audited) -> None:
    await an_old_engine(service)
    number = await service.world.alert("hub-1", "battery-low")
    await service.sql("update alerts set due_at = clock_timestamp() - interval '31 seconds'")
    report = await service.audit(lately=True)
    assert report.of("I2") == [f"alert {number}: nobody owns it, and its next step is 31 s overdue"]
    assert report.of("I3") == [f"alert {number}: its next step is 31 s overdue"]
    assert {b.invariant for b in report.broken} == {"I2", "I3"}


async def test_an_overdue_step_of_an_alert_that_somebody_owns(service: Audited) -> None:
    await an_old_engine(service)
    number = await service.world.alert("hub-1")
    await service.world.claim(number)
    await service.sql("update alerts set due_at = clock_timestamp() - interval '6 seconds'")
    await service.found("I3", f"alert {number}: its next step is 6 s overdue")


async def test_a_step_that_was_put_off(service: Audited) -> None:
    # The deadline was moved by hand, so that nothing is overdue; the ladder's steps have not come all the same.
    await an_old_engine(service)
    number = await service.world.alert("hub-1")
    await service.sql(
        "update alerts set due_at = clock_timestamp() + interval '1 hour',"
        " waiting_since = waiting_since - interval '4 minutes', raised_at = raised_at - interval '4 minutes'"
    )
    await service.sql("update alert_alarms set joined_at = joined_at - interval '4 minutes'")
    await service.sql("update alarms set received_at = received_at - interval '4 minutes'")
    await service.found("I3", f"alert {number}: breached has not come")


async def test_a_step_that_came_twice(service: Audited) -> None:
    await be_busy(service)
    await service.live()
    await service.sql(
        """insert into alert_log (alert_id, at, who, what, detail)
           select alert_id, at, who, what, detail from alert_log where what = 'breached'"""
    )
    await service.found("I3", "breached twice")


async def half_sent(service: Audited) -> None:
    number = await service.world.alert("hub-1")
    await service.world.claim(number)
    async with service.pool.connection() as conn:
        await asks.ask(conn, service.world.settings, number, "operator", await database_now(conn))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "update messages set state = 'sending', attempts = 1, next_try_at = clock_timestamp() - interval '31 s'",
            "message",
        ),
        ("update messages set next_try_at = clock_timestamp() - interval '31 s'", "message"),
        ("update asks set answer_by = clock_timestamp() - interval '31 s'", "ask"),
    ],
)
async def test_a_notice_that_is_half_sent(service: Audited, change: str, words: str) -> None:
    await an_old_engine(service)
    await half_sent(service)
    assert (await service.audit()).broken == []
    await service.sql(change)
    await service.found("I3", f"{words} ")


async def test_a_call_that_nobody_ended(service: Audited) -> None:
    await an_old_engine(service)
    number = await service.world.alert("hub-1")
    await service.world.claim(number)
    async with service.pool.connection() as conn:
        now = await database_now(conn)
        await calls.start(conn, service.world.settings, number, "operator", "mobile", None, now)
    await service.sql("update calls set end_by = clock_timestamp() - interval '31 s'")
    await service.found("I3", "call ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("delete from alert_events where n = 2", "1 changes between 1 and 3 are missing"),
        ("delete from alert_events where n = 3", "the newest change is 2, and 3 were numbered"),
        ("delete from alert_events", "3 were numbered, and none is there"),
        ("update alert_event_counter set n = 4", "the newest change is 3, and 4 were numbered"),
    ],
)
async def test_a_change_that_is_missing_in_the_feed(service: Audited, change: str, words: str) -> None:
    await service.world.alert("hub-1")
    await service.world.alarm("hub-1")
    await service.world.alarm("hub-1")
    await service.sql(change)
    report = await service.audit(lately=True)
    assert {b.invariant for b in report.broken} == {"I4"}
    assert words.replace("3 were numbered, and none", "changes up to 3 were numbered, and none") in report.of("I4")


async def test_something_was_written_down_and_no_screen_was_told(service: Audited) -> None:
    number = await service.world.alert("hub-1")
    await service.sql(
        "insert into alert_log (alert_id, at, who, what) values (%s, clock_timestamp(), 'operator', 'note')", number
    )
    await service.found("I4", f"alert {number}: changed after its last change in the feed")


async def test_a_number_that_a_console_was_shown_twice_with_other_content(service: Audited, tmp_path: Path) -> None:
    number = await service.world.alert("hub-1")
    await service.world.add_home("hub-2", "Another")
    other = await service.world.alert("hub-2")
    lines = [{"n": 1, "alert": number, "alarm_count": 1, "at": "2026-11-24T12:00:00Z"},
             {"n": 2, "alert": other, "alarm_count": 1, "at": "2026-11-24T12:00:01Z"}]  # fmt: skip
    path = tmp_path / "stream.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert (await service.audit(stream=audit.read_stream(path))).broken == []
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, lines[0] | {"n": 2}]))
    report = await service.audit(stream=audit.read_stream(path))
    assert "change 2 was shown twice with other content" in report.of("I4")


async def test_a_silence_that_nobody_saw(service: Audited) -> None:
    await an_old_engine(service)
    past = "clock_timestamp() - interval '%s s'"
    await service.sql(f"update hub_states set received_at = {past % 999}, silent_at = {past % 20}")
    assert (await service.audit()).broken == []  # supervision may still come to it
    await service.sql(f"update hub_states set silent_at = {past % 31}")
    await service.found("I5", "hub hub-1: silent for 31 s, and nobody was told")
    await service.sql("update service_heartbeats set well_since = null where service = 'ingest-states'")
    assert (await service.audit()).broken == []  # it is we who hear nothing


async def test_a_service_that_says_nothing_where_no_trouble_says_so(service: Audited) -> None:
    await service.sql("update service_heartbeats set at = at - interval '1 minute' where service = 'detection'")
    await service.found("I5", "service detection has said nothing for 60 s")
    await service.sql(
        """insert into troubles (key, words, advice, grave, begun_at)
           values ('signs:detection', 'silent', '', true, clock_timestamp())"""
    )
    assert (await service.audit()).broken == []


async def test_an_alarm_that_was_held_up(service: Audited) -> None:
    await an_old_engine(service)
    alarm = await service.world.alarm("hub-1")
    await service.sql("update alarms set received_at = received_at - interval '11 seconds'")
    await service.found("I6", f"alarm {alarm}: in alert 1 11 s late")


async def test_an_alert_that_bears_the_hubs_time(service: Audited) -> None:
    number = await service.world.alert("hub-1", "battery-low")
    await service.sql("update alerts set raised_at = '1970-01-01'")
    await service.found("I6", f"alert {number}: raised at another time than its first alarm joined")


async def test_a_hubs_wrong_clock_breaks_nothing(service: Audited) -> None:
    for late in (timedelta(days=365), -timedelta(days=365)):
        await service.world.alarm("hub-1", late=late)
    assert (await service.audit()).broken == []


async def number_gap(service: Audited) -> None:
    """hub-1 gave numbers 1, 2 and 4; 4 came two minutes ago."""
    for _ in range(2):
        await service.world.alarm("hub-1")
    service.world.seq += 1
    await service.world.alarm("hub-1")
    for table, column in (("alarms", "received_at"), ("alert_alarms", "joined_at"), ("alerts", "raised_at")):
        await service.sql(f"update {table} set {column} = {column} - interval '2 minutes'")
    await service.sql("update alerts set waiting_since = raised_at, due_at = clock_timestamp() + interval '1 hour'")


async def test_a_number_that_never_came(service: Audited) -> None:
    await number_gap(service)
    await service.found("I7", "hub hub-1: alarm 3 never came")
    (trouble,) = audit.troubles_of(await service.audit(lately=True))
    assert not trouble.grave  # it has been: no siren, and /health stays as it is
    assert "ring its home" in trouble.advice


async def test_a_number_that_came_before_since_is_no_gap(service: Audited) -> None:
    await number_gap(service)
    await stored_alarm(service, 3, age_s=9999)
    await service.sql(
        """insert into alert_alarms select a.id, t.id, a.received_at from alarms a, alerts t where a.seq = 3"""
    )
    report = await service.audit(lately=True)
    assert report.of("I7") == []


async def test_a_number_that_was_set_aside_with_its_bytes_is_accounted_for(service: Audited) -> None:
    await number_gap(service)
    contradiction = json.dumps({"id": str(uuid7()), "seq": 3, "kind": "fall", "device": "x"}).encode()
    await service.sql(
        """insert into unreadable (hub, topic, payload, size_bytes, reason, received_at)
           values ('hub-1', 'telecare/v1/hub-1/alarm', %s, 9, 'another one', clock_timestamp())""",
        contradiction,
    )
    assert (await service.audit()).broken == []


# ---------------------------------------------------------------- the command


def command(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "telecare", "audit", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


async def test_the_command_says_what_holds_and_ends_accordingly(
    service: Audited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELECARE_DATABASE_URL", service.url)
    alarm = str(await service.world.alarm("hub-1", "test"))
    ledger = tmp_path / "ledger.jsonl"
    lines = [
        {"hub": "hub-1", "alarm": alarm, "seq": 1, "kept_at": "x", "receipt_at": "x", "status": "stored"},
        {"hub": "hub-1", "alarm": str(uuid7()), "seq": 2, "kept_at": "x", "receipt_at": None, "status": None},
    ]
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    await service.live()
    code, said, _ = await asyncio.to_thread(command, "--ledger", str(ledger), "--json")
    document = json.loads(said)
    assert (code, document["holds"], document["since"]) == (0, True, None), said
    assert [one["id"] for one in document["invariants"]] == ["I1", "I2", "I3", "I4", "I5", "I6", "I7"]
    lost = lines[1] | {"status": "stored"}
    ledger.write_text(json.dumps(lost) + "\n")
    await service.live()
    code, said, _ = await asyncio.to_thread(command, "--ledger", str(ledger), "--since", "2026-01-01T00:00:00Z")
    assert code == 1
    assert "BROKEN I1" in said
    assert f"alarm {lost['alarm']} of hub hub-1: told that it is stored, 0 rows" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "yesterday"), "not an RFC 3339 time"),
        (("--ledger", "/nowhere.jsonl"), "No such file"),
        ((), "connection"),
    ],
)
def test_what_cannot_be_looked_at_ends_with_2(
    arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELECARE_DATABASE_URL", "postgresql://x:y@127.0.0.1:1/z")
    code, out, error = command(*arguments)
    assert (code, out) == (2, "")
    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for text in ("{", "[]", '{"hub": 1}'):
        path.write_text(f"\n{text}\n")
        with pytest.raises(Refused, match="line 2"):
            audit.read_ledger(path)
