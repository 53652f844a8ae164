"""A console that watches the stream of alerts, comes back after every break, and writes down all it was shown."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

_AGAIN_S: Final = 0.5
_SILENT_S: Final = 15.0  # three missed beats: a screen gives such a stream up


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert as the stream showed it. `at` is in seconds since 1970."""

    n: int
    alert: int
    alarm_count: int
    at: float


@dataclass(slots=True)
class Transcript:
    """What came on the stream, in its order."""

    begun_at: int | None = None  # the number of the newest change when the console began to watch
    shown: list[Shown] = field(default_factory=list)
    resyncs: list[int] = field(default_factory=list)  # numbers at which it was told to load the list anew
    _lines: list[dict[str, Any]] = field(default_factory=list)
    breaks: int = 0
    last: int = 0

    def take(self, event: str, number: int, data: str) -> None:
        """One event."""
        if self.begun_at is None:
            self.begun_at = number
        if event == "alert":
            alert = json.loads(data)
            one = Shown(number, int(alert["id"]), int(alert["alarm_count"]), time.time())
            self.shown.append(one)
            self._lines.append({"n": one.n, "alert": one.alert, "alarm_count": one.alarm_count, "at": one.at})
        elif event == "resync":
            self.resyncs.append(number)
            self._lines.append({"n": number, "resync": True})
        self.last = number

    def lines(self) -> str:
        """As `telecare audit --stream` takes it: one JSON object a line."""
        return "".join(json.dumps(line) + "\n" for line in self._lines)


async def watch(url: str, token: str, transcript: Transcript) -> None:
    """Watch until cancelled."""
    timeout = httpx.Timeout(5, read=_SILENT_S)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=timeout) as client:
        while True:
            known = {} if transcript.begun_at is None else {"Last-Event-ID": str(transcript.last)}
            try:
                async with client.stream("GET", f"{url}/api/alerts/stream", headers=known) as answer:
                    if answer.status_code == httpx.codes.OK:
                        async for event, number, data in _events(answer):
                            transcript.take(event, number, data)
            except httpx.HTTPError:
                pass
            transcript.breaks += 1
            await asyncio.sleep(_AGAIN_S)


async def _events(answer: httpx.Response) -> AsyncIterator[tuple[str, int, str]]:
    """Server-sent events: name, number, data."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], int(fields["id"]), fields["data"]
            fields = {}


async def work(url: str, token: str, every_s: float, done: dict[str, int]) -> None:
    """An operator who claims the most urgent alert and closes it, unless an alarm has joined it since; again and again.

    `done` counts the answers.
    """
    close = {
        "cause": "accidental",
        "outcomes": ["no-help-needed"],
        "confirmed_by": "person",
        "how": "spoke to them",
        "note": "pressed by mistake",
    }
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, base_url=url, timeout=5) as client:
        while True:
            await asyncio.sleep(every_s)
            try:
                found: list[dict[str, Any]] = (await client.get("/api/alerts?state=open")).json()["alerts"]
                waiting = [alert for alert in found if alert["state"] != "closed" and alert["priority"] < 4][:1]
                for alert in waiting:
                    await client.post(f"/api/alerts/{alert['id']}/claim", json={})
                    body = close | {"seen_alarms": alert["alarm_count"]}
                    answer = await client.post(f"/api/alerts/{alert['id']}/close", json=body)
                    done[f"close {answer.status_code}"] = done.get(f"close {answer.status_code}", 0) + 1
            except (httpx.HTTPError, ValueError, KeyError):
                done["no answer"] = done.get("no answer", 0) + 1
