"""The engine on a real database: from a stored alarm to a closed alert. The test's own clock decides the time."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from alerts import actions, queue
from alerts.detection.findings import Finding, raise_finding
from alerts.errors import Conflict, Incomplete
from alerts.providers import DemoProvider, Handed, NoProvider, Outgoing, ProviderUnavailable
from alerts.service import Engine
from ingest.domain import take_in
from ingest.store import Saved, save_alarms
from telecare.clock import SystemClock
from telecare.db import Connection, Pool
from telecare.errors import NotFound
from telecare.ids import uuid7
from telecare.register import homes
from telecare.register.homes import NewContact, NewDevice, NewHome, NewPerson
from telecare.settings import Settings
from telecare.vocabulary import Cause, ConfirmedBy, Kind, Outcome
from tests.helpers import mary, one, rows

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class World:
    """A home with a hub, an engine, and a clock that the test moves."""

    def __init__(self, pool: Pool, settings: Settings, provider: Any) -> None:
        self.pool, self.settings, self.now = pool, settings, NOON
        self.engine = Engine(pool, settings, provider, SystemClock(), now_of=self._now)
        self.hub, self.home = "", UUID(int=0)

    async def _now(self, conn: Connection) -> datetime:
        return self.now

    async def live_in(self, home: NewHome, hub: str = "h-1") -> None:
        async with self.pool.connection() as conn:
            self.home, self.hub = await homes.add_home(conn, home), hub
            await homes.enrol_hub(conn, hub, self.home)

    async def alarm(self, **changes: Any) -> str:
        """Store an alarm as ingest does, and let the engine take it."""
        good = {"id": str(uuid7()), "seq": 1, "device": "pendant-1", "kind": "button", "clock": "synced"}
        alarm = good | {"at": self.now.isoformat()} | changes
        async with self.pool.connection() as conn:
            intake = take_in(self.hub, json.dumps(alarm).encode(), self.now, timedelta(minutes=5))
            assert await save_alarms(conn, [intake], self.now) == [Saved.NEW]
        while await self.engine.take_step():
            pass
        return str(alarm["id"])

    async def later(self, seconds: float) -> None:
        """Time passes, and the engine works its deadlines."""
        self.now += timedelta(seconds=seconds)
        while await self.engine.deadline_step():
            pass

    async def open(self) -> list[dict[str, Any]]:
        async with self.pool.connection() as conn:
            return await queue.open_alerts(conn, self.now)

    async def alert(self) -> dict[str, Any]:
        """The only alert there is."""
        async with self.pool.connection() as conn:
            (found,) = await queue.alerts_after(conn, self.now)
            return await queue.whole_alert(conn, found["id"], self.now)

    async def history(self) -> list[str]:
        return [entry["what"] for entry in (await self.alert())["log"]]

    async def act(self, step: Any, *arguments: Any, **named: Any) -> Any:
        async with self.pool.connection() as conn:
            return await step(conn, *arguments, **named)

    async def claim(self, alert: int, by: str = "operator") -> None:
        await self.act(actions.claim, self.settings, alert, by, self.now)

    async def close(self, alert: int, by: str = "operator", **changes: Any) -> None:
        values = {"cause": Cause.FALL_UP, "outcomes": [Outcome.REASSURED], "confirmed_by": ConfirmedBy.PERSON} | changes
        await self.act(actions.close, self.settings, alert, by, self.now, **{"how": "spoke to her", **values})


async def employ(conn: Connection, *names: str) -> None:
    """Operators whose passwords nobody knows: a real hash each would only cost time here."""
    for name in names:
        await conn.execute(
            """insert into staff (id, username, display_name, role, password_hash)
               values (gen_random_uuid(), %s, %s, 'operator', 'none')""",
            (name, name.title()),
        )


@pytest.fixture
async def world(pool: Pool, database_url: str) -> World:
    settings = Settings.model_validate({"database_url": database_url, "mqtt_url": "mqtt://127.0.0.1:1"})
    made = World(pool, settings, DemoProvider())
    async with pool.connection() as conn:
        await employ(conn, "operator", "second")
    await made.live_in(mary())
    return made


async def test_a_press_is_answered_helped_and_closed(world: World) -> None:
    await world.alarm()
    (alert,) = await world.open()
    assert (alert["person_name"], alert["kind"], alert["priority"], alert["state"]) == (
        "Mary Green",
        "button",
        2,
        "raised",
    )
    await world.claim(alert["id"])
    await world.act(actions.write_log, alert["id"], "operator", "note", {"text": "She is up"}, world.now)
    await world.act(actions.dispatch, world.settings, alert["id"], "operator", "Van 2", "", world.now)
    await world.close(alert["id"])
    assert await world.open() == []
    assert await world.history() == [
        "raised", "announced", "announced", "claimed", "note", "announced", "dispatched", "visit", "announced",
        "closed",
    ]  # fmt: skip
    announced = [row[0] for row in await rows(world.pool, "select text from commands order by created_at, id")]
    assert announced == ["help-is-coming", "answered", "on-the-way", "closed"]


async def test_nobody_hears_of_a_technical_alert(world: World) -> None:
    await world.alarm(kind="battery-low")
    (alert,) = await world.open()
    await world.claim(alert["id"])
    await world.act(actions.dispatch, world.settings, alert["id"], "operator", "Engineer", "", world.now)
    await world.close(alert["id"], cause=Cause.EQUIPMENT_FAULT, confirmed_by=ConfirmedBy.SYSTEM)
    assert await rows(world.pool, "select text from commands") == []
    assert "announced" not in await world.history()


async def test_who_has_not_called_hears_only_that_somebody_comes(world: World) -> None:
    found = Finding(world.hub, Kind.INACTIVITY, "no-movement", "no-movement-1", "No movement for 4 hours")
    await world.act(raise_finding, found, world.now)
    await world.engine.take_step()
    (alert,) = await world.open()
    assert alert["kind"] == "inactivity"
    await world.claim(alert["id"])
    await world.act(actions.dispatch, world.settings, alert["id"], "operator", "Van 2", "", world.now)
    await world.close(alert["id"])
    assert await rows(world.pool, "select text from commands") == [("on-the-way",)]


async def test_a_second_press_joins_and_sounds_again(world: World) -> None:
    await world.alarm()
    await world.alarm()
    (alert,) = await world.open()
    assert alert["alarm_count"] == 2
    assert (await world.history())[-3:] == ["alarm-joined", "re-sounded", "announced"]


async def test_the_level_rises_with_a_graver_alarm_and_never_falls(world: World) -> None:
    for kind, level in (("inactivity", 3), ("fall", 1), ("button", 1)):
        await world.alarm(kind=kind)
        (alert,) = await world.open()
        assert alert["priority"] == level
    assert alert["kind"] == "fall"


POSSIBLE = {"kind": "fall", "evidence": {"outcome": "possible-fall"}}


@pytest.mark.parametrize(
    ("alarms", "levels", "titles"),
    [
        # a fall that joins is the graver one, and gives its name; what comes later takes nothing back
        ([POSSIBLE, {"kind": "fall"}, POSSIBLE], [2, 1, 1], ["Possible fall", "Fall detected", "Fall detected"]),
        ([POSSIBLE, {"kind": "fall", "evidence": {"outcome": "fall"}}], [2, 1], ["Possible fall", "Fall detected"]),
        ([{"kind": "fall"}, POSSIBLE], [1, 1], ["Fall detected", "Fall detected"]),
        # a press is of the same level: it is counted and sounds again
        ([POSSIBLE, {"kind": "button"}], [2, 2], ["Possible fall", "Possible fall"]),
        ([{"kind": "inactivity"}, POSSIBLE], [3, 2], ["No movement", "Possible fall"]),
        ([POSSIBLE, {"kind": "smoke"}], [2, 1], ["Possible fall", "Smoke"]),
    ],
)
async def test_a_possible_fall_is_lower_than_a_fall_and_rises_with_it(
    world: World, alarms: list[dict[str, Any]], levels: list[int], titles: list[str]
) -> None:
    for number, (alarm, level, title) in enumerate(zip(alarms, levels, titles, strict=True), start=1):
        await world.alarm(**alarm)
        (alert,) = await world.open()
        assert (alert["priority"], alert["title"], alert["alarm_count"]) == (level, title, number)
        assert alert["possible"] is (title == "Possible fall")
        assert alert["reason"].startswith(title)
    whole = await world.alert()
    assert {alarm["title"] for alarm in whole["alarms"] if alarm["evidence"] == POSSIBLE["evidence"]} == {
        "Possible fall"
    }
    assert [entry["what"] for entry in whole["log"]].count("re-sounded") == len(alarms) - 1


async def test_those_that_come_together_take_the_gravest_name(world: World) -> None:
    await world.alarm(kind="inactivity")
    async with world.pool.connection() as conn:
        payloads = [POSSIBLE, {"kind": "fall"}]
        intakes = [
            take_in(world.hub, json.dumps({"id": str(uuid7()), "device": "pendant-1"} | one).encode(), world.now,
                    timedelta(minutes=5))
            for one in payloads
        ]  # fmt: skip
        await save_alarms(conn, intakes, world.now)
    assert await world.engine.take_step()
    (alert,) = await world.open()
    assert (alert["priority"], alert["title"], alert["alarm_count"]) == (1, "Fall detected", 3)


@pytest.mark.parametrize(
    "evidence",
    [
        {"outcome": ["possible-fall"]},
        {"outcome": {"possible-fall": "possible-fall"}},
        {"outcome": True},
        {"outcome": None},
        {"outcome": "possible-fall\u0000"},
        {"outcome": "x" * 3900},
        {"outcome": 1e308, "probability": "NaN"},
        "possible-fall",
        ["outcome", "possible-fall"],
        {"outcome": "possible-fall", "trace": "x" * 5000},  # larger than evidence may be: none of it is kept
    ],
)
async def test_whatever_a_fall_says_of_itself_it_is_taken_as_a_fall(world: World, evidence: Any) -> None:
    await world.alarm(kind="fall", evidence=evidence)
    (alert,) = await world.open()
    assert (alert["priority"], alert["title"]) == (1, "Fall detected")


async def test_a_press_after_the_close_is_a_new_alert(world: World) -> None:
    await world.alarm()
    first = (await world.open())[0]["id"]
    await world.claim(first)
    await world.close(first)
    await world.alarm()
    (second,) = await world.open()
    assert second["id"] != first


async def test_a_cancel_joins_its_alert_and_lowers_nothing(world: World) -> None:
    press = await world.alarm(kind="fall")
    await world.alarm(kind="cancel", evidence={"cancels": press})
    (alert,) = await world.open()
    assert (alert["alarm_count"], alert["priority"], alert["state"], alert["kind"]) == (2, 1, "raised", "fall")
    await world.claim(alert["id"])
    await world.close(alert["id"])
    await world.alarm(kind="cancel", evidence={"cancels": press})
    assert await world.open() == []
    assert (await world.alert())["alarm_count"] == 3


async def test_a_cancel_of_nothing_known_is_looked_at(world: World) -> None:
    await world.alarm(kind="cancel", evidence={"cancels": str(uuid7())})
    assert [alert["priority"] for alert in await world.open()] == [3]


async def test_equipment_and_people_never_share_an_alert(world: World) -> None:
    await world.alarm()
    await world.alarm(kind="battery-low")
    await world.alarm(kind="mains-lost")
    assert [(a["priority"], a["alarm_count"]) for a in await world.open()] == [(2, 1), (4, 2)]


async def test_a_test_is_recorded_and_never_open(world: World) -> None:
    await world.alarm(kind="test")
    assert await world.open() == []
    alert = await world.alert()
    assert (alert["state"], alert["cause"], len(alert["alarms"])) == ("closed", "test", 1)


async def test_a_practice_press_is_a_test_only_in_its_window(world: World) -> None:
    await world.alarm(test=True)
    assert len(await world.open()) == 1
    await world.act(homes.open_test_window, world.home, "pendant-1", "operator", world.now, timedelta(minutes=10))
    await world.alarm(test=True)
    assert [alert["alarm_count"] for alert in await world.open()] == [1]
    world.now += timedelta(minutes=11)
    await world.alarm(test=True)
    assert [alert["alarm_count"] for alert in await world.open()] == [2]


async def test_two_people_in_one_home_have_two_alerts(world: World) -> None:
    people = (NewPerson(name="Ann Lee"), NewPerson(name="Bo Lee"))
    devices = tuple(NewDevice(name=f"pendant-{n + 1}", kind="pendant", person=n) for n in range(2))
    await world.live_in(mary(people=people, devices=devices), "h-2")
    await world.alarm(device="pendant-1")
    await world.alarm(device="pendant-2")
    assert [alert["person_name"] for alert in await world.open()] == ["Ann Lee", "Bo Lee"]


async def test_a_device_of_another_home_raises_an_alert_that_names_everyone(world: World) -> None:
    await world.live_in(
        mary(people=(NewPerson(name="Ann Lee"),), devices=(NewDevice(name="p-ann", kind="p", person=0),)), "h-2"
    )
    world.hub = "h-1"
    await world.alarm(device="p-ann")
    (alert,) = await world.open()
    assert alert["person"] is None
    assert "Ann Lee or Mary Green" in alert["reason"]


async def test_an_unreadable_alarm_is_answered_as_a_press(world: World) -> None:
    async with world.pool.connection() as conn:
        await save_alarms(conn, [take_in("h-1", b"\xff\x00garbage", world.now, timedelta(minutes=5))], world.now)
    assert await world.engine.take_step()
    (alert,) = await world.open()
    assert (alert["kind"], alert["priority"], alert["person_name"]) == ("unknown", 2, "Mary Green")
    assert "could be read" in alert["reason"]


# ---------------------------------------------------------------- nobody answers


async def test_the_ladder_runs_with_nobody_there_and_ends_at_the_first_contact(world: World) -> None:
    await world.alarm()
    for seconds, what in (
        (29, "announced"),
        (1, "re-sounded"),
        (30, "escalated-supervisor"),
        (60, "escalated-second-site"),
    ):
        await world.later(seconds)
        assert (await world.history())[-1] == what
    assert await rows(world.pool, "select 1 from messages") == []
    await world.later(60)
    assert (await world.history())[-2:] == ["breached", "notified"]
    while await world.engine.message_step():
        pass
    (message,) = await rows(world.pool, "select recipient, state, body from messages")
    assert message[:2] == ("07700 900001", "sent")
    assert "Mary's alarm went off at 12:00" in message[2]
    for _ in range(20):
        await world.later(30)
    assert await one(world.pool, "select count(*) from messages") == 1
    assert all(alert["due_at"] > world.now for alert in await world.open())


async def test_nobody_is_written_to_about_a_claimed_press_unless_the_operator_says_so(world: World) -> None:
    await world.alarm()
    alert = (await world.open())[0]["id"]
    await world.claim(alert)
    await world.later(3600)
    assert await rows(world.pool, "select 1 from messages") == []
    assert (await world.history())[-1] == "re-sounded"
    await world.act(actions.ask_contact, world.settings, alert, "operator", world.now)
    assert await one(world.pool, "select count(*) from messages") == 1


async def test_without_a_contact_the_log_says_so(world: World) -> None:
    await world.live_in(mary(people=(NewPerson(name="Ann Lee", contacts=(NewContact(name="No Phone"),)),)), "h-2")
    await world.alarm()
    await world.later(200)
    assert (await world.history())[-2:] == ["notify-failed", "re-sounded"]


async def test_a_test_is_never_sent_to_a_contact(world: World) -> None:
    await world.alarm(kind="test")
    await world.later(10_000)
    assert await rows(world.pool, "select 1 from messages") == []


# ---------------------------------------------------------------- people


async def test_eight_claims_have_one_winner(world: World) -> None:
    await world.alarm()
    alert = (await world.open())[0]["id"]
    async with world.pool.connection() as conn:
        await employ(conn, *(f"op-{n}" for n in range(8)))
    results = await asyncio.gather(*(world.claim(alert, f"op-{n}") for n in range(8)), return_exceptions=True)
    losers = [result for result in results if isinstance(result, Conflict)]
    assert results.count(None) == 1
    assert len(losers) == 7
    winner = f"op-{results.index(None)}"
    assert {loser.claimed_by for loser in losers} == {winner}


async def test_a_stale_screen_cannot_undo_a_close(world: World) -> None:
    await world.alarm()
    alert = (await world.open())[0]["id"]
    await world.claim(alert)
    await world.close(alert)
    for step in (
        world.claim(alert),
        world.close(alert),
        world.act(actions.release, world.settings, alert, "operator", "", world.now),
        world.act(actions.dispatch, world.settings, alert, "operator", "Van 2", "", world.now),
        world.act(actions.mark_safe, alert, "operator", ConfirmedBy.PERSON, "spoke", world.now),
        world.act(actions.take_over, alert, "second", "shift", world.now),
        world.act(actions.write_log, alert, "operator", "note", {"text": "x"}, world.now),
    ):
        with pytest.raises(Conflict) as caught:
            await step
        assert caught.value.state == "closed"


async def test_only_the_owner_acts_and_anyone_may_note(world: World) -> None:
    await world.alarm()
    alert = (await world.open())[0]["id"]
    await world.claim(alert)
    with pytest.raises(Conflict, match="operator has this alert"):
        await world.close(alert, by="second")
    await world.act(actions.write_log, alert, "second", "note", {"text": "I know her"}, world.now)
    await world.act(actions.take_over, alert, "second", "end of shift", world.now)
    await world.close(alert, by="second")


async def test_a_released_alert_waits_anew(world: World) -> None:
    await world.alarm()
    alert = (await world.open())[0]["id"]
    await world.later(70)
    await world.claim(alert)
    await world.act(actions.release, world.settings, alert, "operator", "wrong desk", world.now)
    await world.later(31)
    assert (await world.history())[-2:] == ["released", "re-sounded"]


async def test_a_close_does_not_bury_an_alarm_that_the_closer_has_not_seen(world: World) -> None:
    await world.alarm()
    alert = (await world.open())[0]["id"]
    await world.claim(alert)
    await world.alarm(kind="fall")
    with pytest.raises(Conflict, match="another alarm has joined"):
        await world.close(alert, seen_alarms=1)
    await world.close(alert, seen_alarms=2)


async def test_what_closing_must_capture_is_asked_for(world: World) -> None:
    await world.alarm()
    alert = (await world.open())[0]["id"]
    await world.claim(alert)
    with pytest.raises(Incomplete) as caught:
        await world.close(alert, outcomes=[], how=" ", confirmed_by=ConfirmedBy.SYSTEM)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["outcomes", "how", "confirmed_by"]


@pytest.mark.parametrize("number", [0, -1, 10**6])
async def test_an_alert_that_does_not_exist(world: World, number: int) -> None:
    with pytest.raises(NotFound):
        await world.claim(number)


# ---------------------------------------------------------------- what must never be true


async def test_the_log_cannot_be_rewritten(world: World) -> None:
    await world.alarm()
    for sql in ("update alert_log set who = 'x'", "delete from alert_log", "truncate alert_log cascade"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="append-only"):
            await rows(world.pool, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "update alerts set due_at = null",
        "update alerts set state = 'closed', due_at = null",
        "update alerts set state = 'claimed'",
        "update alerts set claimed_by = 'operator'",
        "insert into alerts (case_key, home_id, hub, kind, priority, state, reason, raised_at, waiting_since, due_at, "
        "policy) select case_key, home_id, hub, kind, 1, 'raised', 'x', now(), now(), now(), 'Service 1' from alerts",
        "update alerts set policy = null",
        "update alerts set priority = 3",
        "update alerts set priority = 4",
        "insert into alert_alarms select alarm_id, alert_id, now() from alert_alarms",
    ],
)
async def test_the_database_refuses_what_must_never_be(world: World, sql: str) -> None:
    await world.alarm()
    with pytest.raises(psycopg.errors.IntegrityError):
        await rows(world.pool, sql)


async def test_changes_are_numbered_in_the_order_of_their_commits(world: World, database_url: str) -> None:
    """A reader that has seen number n never misses a smaller one that is still to be committed."""
    await world.alarm()
    async with world.pool.connection() as conn:
        before = await queue.last_event(conn)
    slow, alert = await psycopg.AsyncConnection.connect(database_url), (await world.open())[0]["id"]
    try:
        await slow.execute("select 1")  # begins a transaction, of which the step is then a part
        await actions.write_log(slow, alert, "operator", "note", {"text": "slow"}, world.now)
        fast = asyncio.create_task(world.act(actions.write_log, alert, "second", "note", {"text": "fast"}, world.now))
        await asyncio.sleep(0.2)
        async with world.pool.connection() as conn:
            assert await queue.events_after(conn, before) == []
        await slow.commit()
        await fast
    finally:
        await slow.close()
    async with world.pool.connection() as conn:
        assert [n for n, _ in await queue.events_after(conn, before)] == [before + 1, before + 2]


class FailingProvider:
    """A provider that never takes a message."""

    name, receipts = "failing", False

    async def send(self, message: Outgoing) -> Handed:
        raise ProviderUnavailable("busy")


class BrokenProvider:
    """A provider with a bug."""

    name, receipts = "broken", False

    async def send(self, message: Outgoing) -> Handed:
        raise KeyError("message")


async def test_the_demo_sends_with_its_log_on(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await DemoProvider().send(Outgoing(uuid7(), "key", "sms", "07700 900001", "Hello", uuid7()))
    assert "Hello" not in caplog.text
    assert "900001" not in caplog.text


@pytest.mark.parametrize(("provider", "attempts"), [(FailingProvider(), 3), (NoProvider(), 1), (BrokenProvider(), 3)])
async def test_a_message_that_cannot_be_sent_is_tried_and_then_said(world: World, provider: Any, attempts: int) -> None:
    world.engine.provider = provider
    await world.alarm()
    await world.later(180)
    for _ in range(10):
        await world.engine.message_step()
        world.now += timedelta(seconds=11)
    assert await rows(world.pool, "select state, attempts from messages") == [("failed", attempts)]
    assert "notify-failed" in await world.history()


async def store_press(world: World, number: int, *, crowding: bool = False) -> str:
    """Store an alarm as ingest does, and let it wait."""
    alarm = {"id": str(uuid7()), "seq": number, "device": "pendant-1", "kind": "button", "clock": "synced"}
    payload = json.dumps(alarm | {"at": world.now.isoformat()}).encode()
    async with world.pool.connection() as conn:
        intake = take_in(world.hub, payload, world.now, timedelta(minutes=5), crowding=crowding)
        assert await save_alarms(conn, [intake], world.now) == [Saved.NEW]
    return str(alarm["id"])


async def test_alarms_that_wait_together_are_taken_together_and_each_has_its_place(world: World) -> None:
    pressed = [await store_press(world, number) for number in range(3)]
    await world.live_in(mary(address="2 High Street"), "h-2")
    pressed += [await store_press(world, number) for number in range(2)]
    assert await world.engine.take_step()
    assert not await world.engine.take_step()
    alerts = await world.open()
    assert sorted(alert["alarm_count"] for alert in alerts) == [2, 3]
    places = await rows(world.pool, "select alarm_id::text, alert_id from alert_alarms")
    assert sorted(alarm for alarm, _ in places) == sorted(pressed)
    for alert in alerts:
        steps = await rows(world.pool, "select what from alert_log where alert_id = %s order by id", alert["id"])
        again = [("alarm-joined",), ("re-sounded",), ("announced",)]
        assert steps == [("raised",), ("announced",), *again * (alert["alarm_count"] - 1)]
    assert await one(world.pool, "select count(*) from commands") == 5
    assert await one(world.pool, "select array_agg(n order by n) from alert_events") == [1, 2]


async def test_a_mad_hubs_alarms_are_taken_beside_the_others_and_counted_in_one_line(world: World) -> None:
    mad = [await store_press(world, number, crowding=number > 0) for number in range(150)]
    await world.live_in(mary(address="2 High Street"), "h-2")
    await store_press(world, 1)
    assert await world.engine.take_step()
    assert not await world.engine.take_step()  # nobody waits but what is more than a home can need
    assert [alert["alarm_count"] for alert in await world.open()] == [1, 1]
    (first,) = [alert for alert in await world.open() if alert["hub"] == "h-1"]
    while await world.engine.crowd_step():
        pass
    await world.engine.take_step()  # the finding
    places = await rows(world.pool, "select alarm_id::text from alert_alarms where alert_id = %s", first["id"])
    assert sorted(alarm for (alarm,) in places) == sorted(mad)
    (fault,) = [alert for alert in await world.open() if alert["priority"] == 4]  # the engineer is told once
    assert "more alarms than a home can need" in fault["reason"]
    assert fault["alarm_count"] == 1
    lines = await rows(
        world.pool, "select what, detail ->> 'alarms' from alert_log where alert_id = %s order by id", first["id"]
    )
    assert lines == [("raised", None), ("announced", None), ("repeated", "100"), ("repeated", "49")]
