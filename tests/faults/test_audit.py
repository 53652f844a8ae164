"""The comparison finds what is broken by hand; otherwise a table of zeros would prove nothing (T20)."""

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from telecare.db import Pool
from telecare.ids import uuid7
from telecare.register.homes import add_home, enrol_hub
from tests.faults.audit import Findings, Store, compare, console_shows, read_store
from tests.faults.console import Transcript
from tests.faults.ledger import Ledger, Press
from tests.helpers import mary

ALARM, OTHER, ALERT = str(uuid7()), str(uuid7()), 1


def pressed(alarm: str = ALARM, receipt_at: float | None = 11.0) -> Press:
    return Press("hub-1", "ref", 10.0, alarm, 10.1, receipt_at)


def good_store() -> Store:
    """One alarm, pressed, stored, in its alert, and nothing wrong."""
    return Store(
        alarms={ALARM: "hub-1"}, places=[(ALARM, ALERT, 10.5)], counts={ALERT: 1}, held=Counter({ALERT: 1}),
        logged=Counter({ALARM: 1}), crowds=Counter(), unnamed=Counter(), rungs={}, told={},
        announced=Counter({ALARM: 1}),
        unsent={}, waiting=set(), overdue={}, events={7: ALERT},
    )  # fmt: skip


def good_transcript() -> Transcript:
    made = Transcript()
    made.take("beat", 6, "{}")
    made.take("alert", 7, json.dumps({"id": ALERT, "alarm_count": 1}))
    return made


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    found = compare([pressed()], good_store(), good_transcript())
    assert found.all == []
    assert found.delays == {ALARM: 0.5}


def _no_alarm(store: Store) -> None:
    store.alarms.clear()


def _no_place(store: Store) -> None:
    store.places.clear()


def _no_log(store: Store) -> None:
    store.logged.clear()


def _another_alarm(store: Store) -> None:
    store.alarms[OTHER] = "hub-1"
    store.places.append((OTHER, ALERT, 11.0))
    store.logged[OTHER] = 1


def _logged_twice(store: Store) -> None:
    store.logged[ALARM] = 2


def _crowd_miscounted(store: Store) -> None:
    store.crowds[ALERT] = 3


def _announced_twice(store: Store) -> None:
    store.announced[ALARM] = 2


def _climbed_twice(store: Store) -> None:
    store.rungs["1 breached since x"] = 2


def _told_twice(store: Store) -> None:
    store.told["ask about alert 1 to x"] = 2


def _unsent(store: Store) -> None:
    store.unsent["m-1"] = 40.0


def _miscounted(store: Store) -> None:
    store.held[ALERT] = 2


def _still_waiting(store: Store) -> None:
    store.waiting.add(ALARM)


def _overdue(store: Store) -> None:
    store.overdue[ALERT] = 60.0


def _a_change_that_nobody_saw(store: Store) -> None:
    store.events[8] = ALERT


@pytest.mark.parametrize(
    ("break_it", "kind", "words"),
    [
        (_no_alarm, "lost", "not in the store"),
        (_no_place, "lost", "in no alert"),
        (_no_log, "lost", "whose log does not say so"),
        (_a_change_that_nobody_saw, "lost", "never shown"),
        (_another_alarm, "doubled", "nobody pressed it"),
        (_logged_twice, "doubled", "logged 2 times"),
        (_crowd_miscounted, "doubled", "counts 3 alarms that came in a crowd of 0"),
        (_announced_twice, "doubled", "announced 2 times"),
        (_climbed_twice, "doubled", "breached"),
        (_told_twice, "doubled", "message ask about alert 1 to x: 2 times"),
        (_unsent, "other", "should have gone 40 s ago"),
        (_miscounted, "other", "counts 1 alarms and has 2"),
        (_still_waiting, "other", "still waiting"),
        (_overdue, "other", "60 s overdue"),
    ],
)
def test_each_thing_that_is_wrong_in_the_store_is_found(break_it: Any, kind: str, words: str) -> None:
    store = good_store()
    break_it(store)
    found = compare([pressed()], store, good_transcript())
    assert any(words in one for one in getattr(found, kind)), found


def test_alarms_that_the_log_counts_together_are_not_missed_in_it() -> None:
    store = good_store()
    _no_log(store)
    store.crowds[ALERT] = 1
    assert compare([pressed()], store, good_transcript()).all == []


def test_a_press_that_is_not_kept_or_not_receipted_is_found() -> None:
    never = Press("hub-1", "never", 12.0)
    found = compare([pressed(receipt_at=None), never], good_store(), good_transcript())
    assert any("no receipt" in one for one in found.other)
    assert any("never kept: never" in one for one in found.other)


def test_an_alarm_that_was_rejected_is_lost() -> None:
    rejected = pressed()
    rejected.status = "rejected"
    assert any("can be no alarm" in one for one in compare([rejected], good_store(), good_transcript()).lost)


def test_what_is_wrong_on_the_stream_is_found_and_a_new_list_makes_up_for_a_gap() -> None:
    twice = good_transcript()
    twice.take("alert", 7, json.dumps({"id": ALERT, "alarm_count": 1}))
    assert any("shown 2 times" in one for one in compare([pressed()], good_store(), twice).doubled)
    stale = good_transcript()
    store = good_store()
    store.counts[ALERT] = store.held[ALERT] = 2
    assert any("showed 1 last" in one for one in compare([pressed()], store, stale).lost)
    store = good_store()
    store.events[8] = ALERT
    resynced = good_transcript()
    resynced.take("resync", 8, "{}")
    assert compare([pressed()], store, resynced).lost == []


def test_what_the_api_hides_or_repeats_is_found() -> None:
    alert = {"id": ALERT, "alarms": [{"id": ALARM}], "log": [{"what": "raised"}]}
    for alerts, kind in (([], "lost"), ([alert, alert], "doubled"), ([alert | {"log": []}], "lost"), ([alert], None)):
        found = Findings()
        console_shows(found, [pressed()], alerts)
        assert bool(found.all) == (kind is not None)
        assert kind is None or getattr(found, kind)


async def test_the_database_is_read_as_it_is(pool: Pool, database_url: str) -> None:
    """Rows that are broken by hand, in the tables themselves."""
    orphan, placed = uuid7(), uuid7()
    async with pool.connection() as conn:
        home = await add_home(conn, mary())
        await enrol_hub(conn, "hub-1", home)
        for alarm in (orphan, placed):
            await conn.execute(
                """insert into alarms (id, hub, given_id, device, kind, clock_synced, test, evidence, doubts,
                                       content_hash, received_at)
                   values (%s, 'hub-1', %s, 'pendant-1', 'button', true, false, '{}', '{}', '', now())""",
                (alarm, str(alarm)),
            )
        cursor = await conn.execute(
            """insert into alerts (case_key, home_id, hub, kind, priority, state, reason, raised_at, waiting_since,
                                   due_at, alarm_count, policy)
               values ('x', %s, 'hub-1', 'button', 1, 'raised', 'x', now(), now(), now() - interval '1 hour', 5,
                       'Service 1')
               returning id""",
            (home,),
        )
        (alert,) = await cursor.fetchone() or (0,)
        await conn.execute("insert into alert_alarms values (%s, %s, now())", (placed, alert))
    ledger = Ledger([_told(orphan), _told(placed), _told(uuid7())])
    found = compare(ledger.presses, await asyncio.to_thread(read_store, database_url, ["hub-1"]), None)
    words = "\n".join(found.all)
    assert f"in no alert: {orphan}" in words
    assert f"in an alert whose log does not say so: {placed}" in words
    assert "not in the store" in words
    assert f"alert {alert} counts 5 alarms and has 1" in words
    assert "3600 s overdue" in words


def _told(alarm: UUID) -> Press:
    return Press("hub-1", str(alarm), 1.0, str(alarm), 1.0, 2.0, 1, "stored")
