"""The auditor's shell: reads one moment, lets the core judge, and puts it into words."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alerts.audit import domain, store
from alerts.audit.domain import EXAMPLES, WORDS, Broken, Report, Runs
from alerts.audit.feed import Seen, feed_faults, transcript_faults
from alerts.audit.numbers import Kept, ledger_faults, missing_numbers, number_faults
from alerts.domain import Ladder
from alerts.watchdog.domain import SERVICES, Trouble, silent_after_s
from telecare.clock import format_instant
from telecare.db import Connection, database_now
from telecare.errors import Refused
from telecare.heartbeat import STALE_AFTER_S
from telecare.settings import Settings

_ONE_MOMENT = "begin transaction isolation level repeatable read, read only"


async def audit(
    conn: Connection,
    settings: Settings,
    ladder: Ladder,
    *,
    since: datetime | None = None,
    ledgers: Sequence[Kept] = (),
    stream: Sequence[Seen] = (),
) -> Report:
    """Compare everything since then (None: everything) in one moment of the database. The connection commits by itself.

    `ladder` is that of the settings; `ledgers` are what hubs kept, `stream` is what one console was shown.
    """
    await conn.execute(_ONE_MOMENT)
    try:
        now = await database_now(conn)
        report = Report(now, since)
        runs = await store.runs_of(conn, "alerts")
        await _alarms(conn, report, runs)
        await _steps(conn, report, runs, ladder)
        await _feed(conn, report, timedelta(days=settings.events_keep_days), stream)
        await _silence(conn, report, settings)
        await _numbers(conn, report)
        await _ledgers(conn, report, ledgers)
        return report
    finally:
        await conn.execute("rollback")


async def lately(conn: Connection, settings: Settings, ladder: Ladder) -> Report:
    """The cheap part: what came in the last minutes, and what is so now."""
    since = await database_now(conn) - timedelta(seconds=settings.audit_back_s)
    return await audit(conn, settings, ladder, since=since)


async def _alarms(conn: Connection, report: Report, runs: Runs) -> None:
    now = report.checked_at
    count, unplaced = await store.unplaced(conn, report.since, now)
    report.add("I1", count, domain.placing_faults(unplaced, runs, now))
    both = await store.both(conn)
    report.add(
        "I1", len(both), [Broken("I1", f"alarm {alarm}: in an alert, and still waiting for one") for alarm in both]
    )
    slow = await store.slow(conn, report.since, domain.PLACED)
    report.add("I6", count, (broken for one in slow for broken in domain.joining_faults(one, runs)))
    times = await store.times(conn, report.since)
    report.add("I6", len(times), (broken for one in times for broken in domain.time_faults(one, now)))


async def _steps(conn: Connection, report: Report, runs: Runs, ladder: Ladder) -> None:
    now = report.checked_at
    alerts = await store.open_alerts(conn)
    report.add("I2", len(alerts))
    report.add("I3", len(alerts), domain.overdue_faults(alerts, runs, now))
    for climbed in await store.climbed(conn, report.since):
        broken = domain.ladder_faults(climbed, ladder, runs, report.since, now)
        report.add("I3", len(climbed.steps), broken)
    standing = await store.standing(conn, now)
    report.add("I3", len(standing), domain.standing_faults(standing, runs, now))


async def _feed(conn: Connection, report: Report, kept: timedelta, stream: Sequence[Seen]) -> None:
    now = report.checked_at
    kept_from = now - kept + timedelta(hours=2)  # they go bit by bit, the oldest first
    feed = await store.feed(conn, report.since)
    # What is before `since` was not asked for, and is no gap.
    broken = feed_faults(**feed, kept_from=kept_from if report.since is None else now)
    report.add("I4", feed["count"], broken)
    for alert in await store.unshown(conn, report.since, kept_from):
        report.add("I4", 0, [Broken("I4", f"alert {alert}: changed after its last change in the feed")])
    if stream:
        numbers = [one.n for one in stream]
        events = await store.events(conn, min(numbers), max(numbers))
        last = await store.last_of_open(conn)
        report.add("I4", len(stream), transcript_faults(stream, events, last, now))


async def _silence(conn: Connection, report: Report, settings: Settings) -> None:
    now = report.checked_at
    count, hubs = await store.unnoticed(conn, now, timedelta(hours=settings.first_word_h))
    report.add("I5", count, domain.silence_faults(hubs, now))
    said = silent_after_s(settings.watchdog_look_every_s)
    wanted = dict.fromkeys(SERVICES, timedelta(seconds=STALE_AFTER_S + said)) | {"watchdog": timedelta(seconds=said)}
    faults = domain.service_faults(await store.beats(conn), wanted, await store.trouble_keys(conn), now)
    report.add("I5", len(wanted), faults)


async def _numbers(conn: Connection, report: Report) -> None:
    count, gaps = await store.numbers(conn, report.since)
    report.add("I7", count)
    for numbers in gaps:
        missing = missing_numbers(numbers, report.checked_at)
        if missing:
            there = await store.accounted_for(conn, numbers.hub, missing)
            missing = [number for number in missing if number not in there]
        report.add("I7", 0, number_faults(numbers.hub, missing, numbers.nameless))


async def _ledgers(conn: Connection, report: Report, ledgers: Sequence[Kept]) -> None:
    if not ledgers:
        return
    broken = ledger_faults(ledgers, await store.stored(conn, ledgers), await store.refused(conn, ledgers))
    report.add("I1", len(ledgers), [one for one in broken if one.invariant == "I1"])
    report.add("I7", len(ledgers), [one for one in broken if one.invariant == "I7"])


# ---------------------------------------------------------------- files


def read_ledger(path: Path) -> list[Kept]:
    """A hub's ledger, as `telecare hub-ledger` prints it.

    Raises:
        Refused: a line is none of a ledger.
    """
    return [_parsed(path, number, line, Kept.read) for number, line in _lines(path)]


def read_stream(path: Path) -> list[Seen]:
    """What a console was shown: `{"n", "alert", "alarm_count"}` a line, or `{"n", "resync": true}`.

    Raises:
        Refused: a line is none of a transcript.
    """
    return [_parsed(path, number, line, Seen.read) for number, line in _lines(path)]


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    text = path.read_text(encoding="utf-8")
    return [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _parsed(path: Path, number: int, line: str, read: Any) -> Any:
    try:
        found = json.loads(line)
        if not isinstance(found, dict):
            raise ValueError("it is no object")
        return read(found)
    except ValueError as problem:
        raise Refused(f"{path}, line {number}: {problem}") from problem


# ---------------------------------------------------------------- words


def as_document(report: Report) -> dict[str, Any]:
    """The report as JSON says it."""
    return {
        "checked_at": format_instant(report.checked_at),
        "since": format_instant(report.since) if report.since else None,
        "holds": report.holds,
        "invariants": [
            {
                "id": name,
                "words": words,
                "holds": not report.of(name),
                "checked": report.checked[name],
                "broken": len(report.of(name)),
                "examples": report.of(name)[:EXAMPLES],
            }
            for name, words in WORDS.items()
        ],
    }


_ADVICE: Mapping[bool, str] = {
    True: "Look for alerts that nobody sees: load the page again, and ring the engineer on call",
    False: "It has been, and may be over. The engineer looks into it; where a hub is named, ring its home",
}


def troubles_of(report: Report) -> list[Trouble]:
    """What the watchdog shouts about: one trouble for each invariant, and one for what only once was so."""
    found = []
    for name, words in WORDS.items():
        for is_now, ending in ((True, ""), (False, "-past")):
            broken = report.of(name, now=is_now)
            if broken:
                more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
                said = f"The auditor finds broken: “{words}”: {broken[0]}{more}."
                found.append(Trouble(key=f"audit:{name}{ending}", words=said, advice=_ADVICE[is_now], grave=is_now))
    return found
