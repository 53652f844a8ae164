"""How a row ends: the pressing stops, everything comes to rest, the comparison is made and written into the table."""

import asyncio
import json
import subprocess
import time
from contextlib import suppress
from typing import Any

import httpx
import msgspec

from tests.faults import audit
from tests.faults.audit import Findings
from tests.faults.table import Row
from tests.faults.world import World, until
from tests.system import running as up

KEPT_WITHIN_S = 60.0
CALM_WITHIN_S = 120.0
SHOWN_WITHIN_S = 20.0


async def finish(made: World, row: Row, *, watched: bool = True) -> Findings:
    """Let everything come to rest, compare, fill the row, and refuse anything lost or doubled.

    `watched`: the console's stream is compared as well.
    """
    if made.pressing is not None:
        await made.pressing.stop(KEPT_WITHIN_S)
    await _calm(made)
    presses = made.ledger.presses
    store = await asyncio.to_thread(audit.read_store, made.settings.database, made.hub_names)
    if watched:  # what has changed since is on its way to the console
        with suppress(AssertionError):
            await until(lambda: made.transcript.last >= max(store.events, default=0), SHOWN_WITHIN_S)
    found = audit.compare(presses, store, made.transcript if watched else None)
    audit.console_shows(found, presses, await _whole_alerts(made, list(store.counts)))
    _fill(row, made, found)
    said = await asyncio.to_thread(_second_opinion, made)
    if said:
        row.figures["telecare audit finds"] = {name: f"{len(words)}, as: {words[0]}" for name, words in said.items()}
    assert not found.all, "\n".join(found.all[:40])
    contradicted = _contradicts(said)
    assert not contradicted, "the comparison finds nothing, and `telecare audit` does:\n" + "\n".join(contradicted)
    row.verdict = "passed"
    return found


async def _calm(made: World) -> None:
    """The hubs have their receipts, no alarm waits for its alert, the console has been shown the last change."""

    def receipted() -> bool:
        made.take_receipts()
        return not made.ledger.unreceipted

    deadline = time.monotonic() + CALM_WITHIN_S
    try:
        await made.well(CALM_WITHIN_S)
        await until(receipted, max(1.0, deadline - time.monotonic()))
        waiting = "select count(*) from alarms_waiting"
        await until(lambda: made.count(waiting) == 0, max(1.0, deadline - time.monotonic()))
        newest = made.count("select n from alert_event_counter")
        await until(lambda: made.transcript.last >= newest, SHOWN_WITHIN_S)
    except AssertionError:
        pass  # the comparison says what is missing


async def _whole_alerts(made: World, ids: list[int]) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {made.token}"}
    async with httpx.AsyncClient(base_url=made.system.url, headers=headers, timeout=20) as client:
        found = []
        for alert in ids:
            answer = await client.get(f"/api/alerts/{alert}")
            answer.raise_for_status()
            found.append(answer.json())
        return found


def _fill(row: Row, made: World, found: Findings) -> None:
    presses = made.ledger.presses
    row.pressed, row.kept = len(presses), len(made.ledger.kept)
    row.lost, row.doubled = len(found.lost), len(found.doubled)
    during, after = [], []
    for press in presses:
        if press.id in found.delays:
            delay = found.delays[press.id]
            met = any(press.pressed_at <= end and press.pressed_at + delay >= begin for begin, end in made.faults)
            (during if met else after).append(delay)
    row.worst_during_s, row.worst_after_s = max(during, default=None), max(after, default=None)
    if found.all:
        row.verdict = "FAILED: " + found.all[0]


def _second_opinion(made: World) -> dict[str, list[str]]:
    """What `telecare audit` finds broken, by invariant, given the devices' ledger, the hubs' and the stream."""
    ledger, stream = made.folder / "ledger.jsonl", made.folder / "stream.jsonl"
    ledger.write_text(made.ledger.lines(), encoding="utf-8")
    stream.write_text(made.transcript.lines(), encoding="utf-8")
    hubs = made.folder / "hub-ledgers.jsonl"
    hubs.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for all_ in made.hub_ledgers().values() for one in all_))
    done = subprocess.run(
        [up.TELECARE, "audit", "--ledger", str(ledger), "--ledger", str(hubs), "--stream", str(stream), "--json",
         "--data-dir", str(made.system.data_dir)],
        capture_output=True, text=True, check=False, env=up.clean_environment(**made.plan.environment), timeout=120,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return {one["id"]: one["examples"] for one in json.loads(done.stdout)["invariants"] if not one["holds"]}


def _contradicts(said: dict[str, list[str]]) -> list[str]:
    """Of what the auditor found, that which no fault excuses: loss, doubling, a gap, an alert without a next step.

    A step that was late while its engine was stopped is the fault itself, and is shown in the table's figures.
    """
    never = [f"{name}: {words}" for name in ("I1", "I2", "I4", "I7") for words in said.get(name, [])]
    return never + [f"I3: {words}" for words in said.get("I3", []) if "twice" in words]
