"""Is it well: /health for whoever watches, /metrics for Prometheus."""

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, ProcessCollector, generate_latest

from alerts.watchdog.domain import SERVICE, SERVICES, Trouble
from alerts.watchdog.store import LastPress, last_press, open_troubles
from dashboard import store
from dashboard.auth import GuardedRoute
from dashboard.parts import database, parts_of
from dashboard.troubles import why_silent
from telecare.db import Connection
from telecare.heartbeat import STALE_AFTER_S
from telecare.settings import Settings
from telecare.vocabulary import Role

router = APIRouter(route_class=GuardedRoute)

WAITING_S: Final = 10.0  # an alarm this old that is in no alert
OVERDUE_S: Final = 30.0  # an alert this long past its deadline
FEED_LAG_S: Final = 300.0  # the oldest reading that roll-ups or detection have not read is older
_ANSWER_WITHIN_S: Final = 5.0
STATUS_FILE: Final = "status.json"  # what `telecare up` says of its processes


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watchdog says, and whether it can be relied upon."""

    troubles: Sequence[str] = ()  # the grave ones that last
    silent: str | None = None  # why it cannot


def problems(
    now: datetime,
    signs: dict[str, Any],
    beats: dict[str, Any],
    parts: dict[str, str],
    demo: bool,
    watched: Watched | None = None,
) -> list[str]:
    """Why alarms may not reach people, one line each; empty when all is well.

    `signs` are the vital signs, `beats` what the services last said of themselves, `parts` the state of each process
    under `telecare up`.
    """
    found = []
    for service in SERVICES:
        if parts.get(service, "running") != "running":
            found.append(f"{service} is {parts[service]}")
        elif why := _silent(beats.get(service), now):
            found.append(f"{service} {why}")
    if (signs["oldest_s"] or 0) > WAITING_S:
        found.append(f"{signs['waiting']} alarms wait to become alerts, the oldest for {signs['oldest_s']:.0f} s")
    if (signs["overdue_s"] or 0) > OVERDUE_S:
        found.append(f"an alert is {signs['overdue_s']:.0f} s past its deadline")
    for consumer, behind_s in signs.get("feed_lag_s", {}).items():
        if behind_s > FEED_LAG_S:
            found.append(f"{consumer} is {behind_s:.0f} s behind with reading readings")
    if demo and signs["demo_roles"] < len(Role):
        found.append("the demo users are not all there")
    return found + _of_watchdog(watched or Watched(), parts.get(SERVICE, "running"))


def _of_watchdog(watched: Watched, state: str) -> list[str]:
    found = [f"{SERVICE} is {state}"] if state != "running" else [watched.silent] if watched.silent else []
    return found + list(watched.troubles)


async def watched_now(conn: Connection, beats: dict[str, Any], now: datetime, settings: Settings) -> Watched:
    """What the watchdog says now."""
    open_now = await open_troubles(conn)
    silent = why_silent(beats, await last_press(conn, now), now, settings)
    return Watched([one.trouble.words for one in open_now if one.trouble.grave], silent)


def _silent(beat: dict[str, Any] | None, now: datetime) -> str:
    if beat is None:
        return "has never said that it lives"
    age = now - beat["at"]
    if age > timedelta(seconds=STALE_AFTER_S):
        return f"has been silent for {age.total_seconds():.0f} s"
    return "" if beat["detail"].get("subscribed") is True else "does not hear its messages"


def process_states(settings: Settings) -> dict[str, str]:
    """The state of each process, where `telecare up` runs in the data directory."""
    try:
        status = json.loads((settings.data_dir / STATUS_FILE).read_text(encoding="utf-8"))
        return {part["name"]: str(part["state"]) for part in status["parts"]}
    except (OSError, ValueError, KeyError, TypeError):  # elsewhere the heartbeats alone tell
        return {}


async def _problems_now(request: Request) -> list[str]:
    settings = parts_of(request).settings
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S), database(request) as (conn, now):
            signs, beats = await store.vital_signs(conn, now), await store.heartbeats(conn)
            watched = await watched_now(conn, beats, now, settings)
    except (psycopg.OperationalError, TimeoutError):
        return ["the database cannot be reached"]
    return problems(now, signs, beats, process_states(settings), settings.demo, watched)


@router.get("/health", summary="Whether alarms reach people")
async def health(request: Request) -> Response:
    """200 when they do, 503 with the reasons when they may not. `changes`: the newest one that the screens have."""
    found = await _problems_now(request)
    status = "unwell" if found else "well"
    document = {"status": status, "problems": found, "changes": parts_of(request).feed.position}
    return JSONResponse(document, 503 if found else 200)


class Figures:
    """The gauges of /metrics; each asking reads them anew."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.open = self._gauge("alerts_open", "Open alerts.", ["priority"])
        self.waiting = self._gauge("alarms_waiting", "Alarms that are in no alert yet.")
        self.oldest = self._gauge("alarms_waiting_oldest_seconds", "How long the oldest of them has waited.")
        self.overdue = self._gauge(
            "alerts_overdue_seconds", "How far the most overdue open alert is past its deadline."
        )
        self.unreadable = self._gauge("unreadable_messages", "Messages kept because they could not be understood.")
        self.failed = self._gauge("messages_failed", "Messages to contacts that could not be sent.")
        self.homes = self._gauge("homes", "Homes in the register.")
        self.hubs = self._gauge("hubs", "Hubs enrolled.")
        self.online = self._gauge("hubs_online", "Hubs that are online.")
        self.alive = self._gauge("service_heartbeat_age_seconds", "Since each service said that it lives.", ["service"])
        self.lag = self._gauge("feed_lag_seconds", "How old each consumer's oldest unread reading is.", ["consumer"])
        self.streams = self._gauge("dashboard_streams", "Event streams open in this process.")
        self.press_age = self._gauge("watchdog_press_age_seconds", "Since the newest test press whose end is known.")
        self.press = self._gauge("watchdog_press_seconds", "How long it took to arrive; NaN where it did not.")
        self.troubles = self._gauge("troubles_open", "Troubles that last.", ["grave"])
        self.audit = self._gauge("audit_broken", "Invariants that the watchdog's audit finds broken.")

    def _gauge(self, name: str, words: str, labels: list[str] | None = None) -> Gauge:
        return Gauge(f"telecare_{name}", words, labels or [], registry=self.registry)

    def _set_watchdog(self, press: LastPress | None, troubles: Sequence[Trouble]) -> None:
        took_s = press.took_s if press is not None else None
        self.press_age.set(press.age_s if press is not None else math.nan)
        self.press.set(took_s if took_s is not None else math.nan)
        for grave in (True, False):
            self.troubles.labels(str(grave).lower()).set(sum(one.grave is grave for one in troubles))
        self.audit.set(sum(one.source == "audit" for one in troubles))

    def text(
        self,
        now: datetime,
        signs: dict[str, Any],
        counts: dict[str, Any],
        beats: dict[str, Any],
        streams: int,
        press: LastPress | None,
        troubles: Sequence[Trouble],
    ) -> bytes:
        """The figures in Prometheus' text format."""
        for priority in range(1, 5):
            self.open.labels(str(priority)).set(counts["open"].get(str(priority), 0))
        self.waiting.set(signs["waiting"])
        self.oldest.set(signs["oldest_s"] or 0)
        self.overdue.set(max(signs["overdue_s"] or 0, 0))
        self.unreadable.set(counts["unreadable"])
        self.failed.set(counts["messages_failed"])
        self.homes.set(counts["homes"])
        self.hubs.set(counts["hubs"])
        self.online.set(counts["hubs_online"])
        for service, beat in beats.items():
            self.alive.labels(service).set((now - beat["at"]).total_seconds())
        for consumer, behind_s in signs["feed_lag_s"].items():
            self.lag.labels(consumer).set(behind_s)
        self.streams.set(streams)
        self._set_watchdog(press, troubles)
        return generate_latest(self.registry)


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Gauges from the database, and this process's own."""
    async with database(request) as (conn, now):
        signs = await store.vital_signs(conn, now)
        counts = await store.figures(conn) | await store.count_homes(conn)
        beats = await store.heartbeats(conn)
        press, troubles = await last_press(conn, now), [one.trouble for one in await open_troubles(conn)]
    figures: Figures = request.app.state.figures
    text = figures.text(now, signs, counts, beats, parts_of(request).feed.streams, press, troubles)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
