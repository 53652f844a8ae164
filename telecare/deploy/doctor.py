"""`telecare doctor`: every part that a person needs to answer an alarm, looked at from outside, in plain words."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiomqtt
import psycopg
from psycopg import AsyncConnection

from telecare.db import Connection, database_now
from telecare.enrolment import accounts
from telecare.errors import TelecareError
from telecare.heartbeat import well_since
from telecare.https import ends_at, is_loopback
from telecare.migrate import all_migrations
from telecare.mqtt import client_for
from telecare.mqtt_accounts import read_password_file
from telecare.pages import ask_health, health_address
from telecare.register import on_call_now, own
from telecare.settings import Settings

SERVICES: Final = ("ingest", "ingest-readings", "ingest-states", "alerts", "detection")
_ANSWER_S: Final = 5.0
_CLOCKS_S: Final = 2.0  # our clock and the database's may differ by this much
_CERTIFICATE_WARN: Final = timedelta(days=30)
_BACKUP_OLD: Final = timedelta(hours=26)
_DISK_LEAST_GIB: Final = 2.0
_WAITING_S: Final = 10.0
_OVERDUE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: whether it is well, and what is so or what to do."""

    check: str
    well: bool
    words: str


class Unwell(Exception):
    """What is wrong, and what to do, in a sentence."""


async def examine(settings: Settings) -> list[Finding]:
    """Everything, in the order of an alarm's journey. One that fails does not keep the others from being made."""
    checks: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("disk", lambda: _disk(settings)),
        ("broker", lambda: _broker(settings)),
        ("certificate", lambda: _certificate(settings)),
    ]
    found = [await _made(name, check) for name, check in checks]
    try:
        async with await AsyncConnection.connect(settings.database, connect_timeout=int(_ANSWER_S)) as conn:
            for name, of_database in _OF_DATABASE:
                found.append(await _made(name, lambda c=of_database: c(conn, settings)))  # type: ignore[misc]
    except (psycopg.OperationalError, TelecareError) as problem:
        words = str(problem).strip().splitlines()[0]
        found.append(
            Finding("database", well=False, words=f"cannot be reached ({words}): start it, or check the setting")
        )
    found.append(await _made("pages", lambda: _pages(settings)))
    found.append(await _made("backup", lambda: _backup(settings)))
    found.append(await _made("on call", lambda: _oncall(settings)))
    return found


async def _made(name: str, check: Callable[[], Awaitable[str]]) -> Finding:
    try:
        async with asyncio.timeout(2 * _ANSWER_S):
            return Finding(name, well=True, words=await check())
    except Unwell as problem:
        return Finding(name, well=False, words=str(problem))
    except (TelecareError, OSError, psycopg.Error, aiomqtt.MqttError, TimeoutError) as problem:
        return Finding(
            name, well=False, words=str(problem).strip().splitlines()[0] if str(problem) else "no answer in time"
        )


async def _disk(settings: Settings) -> str:
    folder = settings.data_dir if settings.data_dir.exists() else Path.cwd()
    free = shutil.disk_usage(folder).free / 2**30
    if free < _DISK_LEAST_GIB:
        raise Unwell(f"only {free:.1f} GiB are free where {folder} is: make room")
    return f"{free:.0f} GiB free"


async def _broker(settings: Settings) -> str:
    try:
        async with client_for(settings.mqtt, ca_file=settings.mqtt_ca_file, timeout_s=_ANSWER_S):
            pass
    except aiomqtt.MqttError as problem:
        raise Unwell(
            f"does not let the service in ({problem}): is it running, and are its address and login right?"
        ) from None
    return "lets the service in"


async def _certificate(settings: Settings) -> str:
    if settings.https_certificate is None:
        if not is_loopback(settings.host):
            raise Unwell("pages are served beyond this machine without HTTPS")
        return "pages are for this machine only"
    left = ends_at(settings.https_certificate) - datetime.now(UTC)
    if left < _CERTIFICATE_WARN:
        raise Unwell(f"runs out in {max(left.days, 0)} days: renew {settings.https_certificate}")
    return f"good for {left.days} days"


# ---------------------------------------------------------------- of the database


async def _one(conn: Connection, sql: str) -> tuple[Any, ...]:
    row = await (await conn.execute(sql.encode())).fetchone()
    assert row is not None
    return row


async def _migrated(conn: Connection, settings: Settings) -> str:
    row = await _one(conn, "select to_regclass('schema_migrations')")
    applied: set[tuple[str, int]] = set()
    if row[0] is not None:
        applied = set(await (await conn.execute("select service, number from schema_migrations")).fetchall())
    missing = [f"{one.service}/{one.name}" for one in all_migrations() if (one.service, one.number) not in applied]
    if missing:
        raise Unwell(f"is {len(missing)} migrations behind: run `telecare migrate`")
    return "reachable, up to date"


async def _clock(conn: Connection, settings: Settings) -> str:
    before = datetime.now(UTC)
    theirs = await database_now(conn)
    apart = max(abs((theirs - before).total_seconds()), abs((theirs - datetime.now(UTC)).total_seconds()))
    if apart > _CLOCKS_S:
        raise Unwell(f"this machine and the database are {apart:.0f} s apart: set both by NTP")
    return "as the database's"


async def _services(conn: Connection, settings: Settings) -> str:
    now = await database_now(conn)
    away = [name for name in SERVICES if await well_since(conn, name, now) is None]
    if away:
        raise Unwell(f"not running, or not hearing their messages: {', '.join(away)}. Start them, and read their logs")
    return "all running"


async def _journey(conn: Connection, settings: Settings) -> str:
    waiting_s, overdue_s = await _one(
        conn,
        """select coalesce(extract(epoch from clock_timestamp() - (select min(received_at) from alarms_waiting)), 0),
                  coalesce(extract(epoch from clock_timestamp()
                           - (select min(due_at) from alerts where closed_at is null)), 0)""",
    )
    if waiting_s > _WAITING_S:
        raise Unwell(f"an alarm has waited {waiting_s:.0f} s to become an alert: is `telecare alerts` running?")
    if overdue_s > _OVERDUE_S:
        raise Unwell(f"an alert is {overdue_s:.0f} s past its deadline: is `telecare alerts` running?")
    row = await _one(
        conn,
        f"select max(received_at) from alarms where device <> 'detector' and hub <> '{own.HUB}'",  # noqa: S608
    )
    last = "no alarm has come yet" if row[0] is None else f"the last alarm came {row[0]:%Y-%m-%d %H:%M} UTC"
    return f"no alarm waits; {last}"


async def _accounts(conn: Connection, settings: Settings) -> str:
    hubs = await accounts(conn)
    if settings.mqtt_password_file is None:
        return f"{len(hubs)} hubs; the broker's accounts are kept by somebody else"
    there = {
        name: hashed for name, hashed in read_password_file(settings.mqtt_password_file).items() if "_" not in name
    }
    if there != hubs:
        different = len({*there.items()} ^ {*hubs.items()})
        raise Unwell(f"{different} of the broker's accounts differ from the register: enrol a hub, or restore again")
    return f"{len(hubs)} hubs may log in"


async def _people(conn: Connection, settings: Settings) -> str:
    operators, demo = await _one(
        conn,
        """select count(*) filter (where role in ('operator', 'supervisor') and active),
                  count(*) filter (where demo and active) from staff""",
    )
    if demo and not settings.demo:
        raise Unwell(f"{demo} demo users are active, and everybody knows their password: end them")
    if not operators:
        raise Unwell("there is no operator to answer an alarm: `telecare user add NAME --role operator`")
    return f"{operators} who can answer"


async def _messages(conn: Connection, settings: Settings) -> str:
    failed, waiting = await _one(
        conn,
        """select count(*) filter (where state = 'failed' and created_at > now() - interval '1 day'),
                  count(*) filter (where state in ('pending', 'sending') and created_at < now() - interval '5 minutes')
             from messages""",
    )
    if waiting:
        raise Unwell(f"{waiting} messages to contacts wait longer than 5 minutes: is `telecare alerts` running?")
    if failed:
        raise Unwell(
            f"{failed} messages to contacts could not be sent since yesterday: no provider is set up, or it fails"
        )
    return "none has failed since yesterday"


async def _rung(conn: Connection, settings: Settings) -> str:
    if missing := await on_call_now.missing_now(conn):
        raise Unwell(f"{' '.join(missing)} See the page /on-call")
    return "the ladder has somebody to ring, whose number was tested"


async def _watchdog(conn: Connection, settings: Settings) -> str:
    row = await (
        await conn.execute(
            """select extract(epoch from clock_timestamp() - pressed_at)::float8,
                      greatest(receipt_s, alert_s, shown_s), missing
                 from watchdog_presses order by pressed_at desc limit 1"""
        )
    ).fetchone()
    if row is None:
        raise Unwell("has not pressed its test pendant yet: is `telecare watchdog` running?")
    age_s, took_s, missing = row
    if age_s > settings.watchdog_press_every_s + 2 * settings.watchdog_within_s:
        raise Unwell(f"last pressed its test pendant {age_s:.0f} s ago: is `telecare watchdog` running?")
    if missing:
        raise Unwell(f"pressed its test pendant {age_s:.0f} s ago, and the press did not arrive: {missing}")
    return f"pressed {age_s:.0f} s ago, arrived in {took_s * 1000:.0f} ms"


async def _troubles(conn: Connection, settings: Settings) -> str:
    rows = await (await conn.execute("select words from troubles where ended_at is null order by id")).fetchall()
    if rows:
        raise Unwell("; ".join(row[0] for row in rows))
    return "the watchdog and the auditor find none"


_OF_DATABASE: Final[tuple[tuple[str, Callable[[Connection, Settings], Awaitable[str]]], ...]] = (
    ("database", _migrated),
    ("clock", _clock),
    ("services", _services),
    ("accounts", _accounts),
    ("alarms", _journey),
    ("people", _people),
    ("messages", _messages),
    ("ladder", _rung),
    ("watchdog", _watchdog),
    ("troubles", _troubles),
)


async def _pages(settings: Settings) -> str:
    address = health_address(settings)
    try:
        status, said = await asyncio.to_thread(ask_health, settings, _ANSWER_S)
    except OSError as problem:
        reason = getattr(problem, "reason", problem)
        raise Unwell(f"do not answer at {address} ({reason}): start `telecare dashboard`") from None
    if status != 200:
        raise Unwell(f"answer, and say that something is wrong: {'; '.join(map(str, said.get('problems', ())))}")
    return f"answer at {address}"


async def _backup(settings: Settings) -> str:
    if settings.backups is None:
        return "no folder is set (TELECARE_BACKUPS); nobody looks after backups here"
    newest = max((path.stat().st_mtime for path in settings.backups.glob("telecare-*.backup")), default=None)
    if newest is None:
        raise Unwell(f"there is none in {settings.backups}: run `telecare backup {settings.backups}`")
    age = datetime.now(UTC) - datetime.fromtimestamp(newest, UTC)
    if age > _BACKUP_OLD:
        raise Unwell(f"the newest is {age.total_seconds() / 3600:.0f} hours old: is telecare-backup.timer running?")
    return f"the newest is {age.total_seconds() / 3600:.0f} hours old"


async def _oncall(settings: Settings) -> str:
    told = "an engineer is told of troubles"
    if settings.oncall_webhook_url is None:
        told = "nobody's telephone is told of troubles (TELECARE_ONCALL_WEBHOOK_URL is not set)"
    if settings.deadman_url is None:
        return f"{told}; nobody outside misses us when this machine dies (TELECARE_DEADMAN_URL is not set)"
    return f"{told}; somebody outside misses us when this machine dies"
