"""Those who watch alarms arrive, in a process of their own: what the hubs do in ours must not make them look late."""

import asyncio
import json
import multiprocessing
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from threading import Event
from typing import Final

from telecare.mqtt import client_for

_READY_WITHIN_S: Final = 30.0

Receipts = dict[
    str, float
]  # by alarm, when the first was heard: seconds of the performance counter, one for all processes
Shown = list[tuple[str, int, float]]  # a home, how many alarms its alert had, and when the console was told


class Watchers:
    """A listener for receipts and a console. `ended` gives what they saw."""

    def __init__(self, ours: Connection) -> None:
        self._ours = ours

    def ended(self) -> tuple[Receipts, Shown]:
        """Stop watching; what was seen."""
        self._ours.send("stop")
        receipts, shown = self._ours.recv()
        return receipts, shown


@contextmanager
def watching(mqtt_url: str, port: int, token: str) -> Iterator[Watchers]:
    """Watch from now on."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_watch, args=(theirs, mqtt_url, port, token), daemon=True)
    process.start()
    try:
        if not ours.poll(_READY_WITHIN_S):
            raise TimeoutError("the watchers did not begin")
        assert ours.recv() == "ready"
        yield Watchers(ours)
    finally:
        process.terminate()
        process.join()


def _watch(theirs: Connection, mqtt_url: str, port: int, token: str) -> None:
    asyncio.run(_until_told(theirs, mqtt_url, port, token))


async def _until_told(theirs: Connection, mqtt_url: str, port: int, token: str) -> None:
    receipts: Receipts = {}
    shown: Shown = []
    stop, open_now = Event(), Event()
    console = asyncio.create_task(asyncio.to_thread(_watch_console, port, token, shown, stop, open_now))
    async with client_for(mqtt_url) as client:
        await client.subscribe("telecare/v1/+/receipt", qos=0)
        listening = asyncio.create_task(_listen(client.messages, receipts))
        await asyncio.to_thread(open_now.wait, _READY_WITHIN_S)
        theirs.send("ready")
        await asyncio.to_thread(theirs.recv)
        stop.set()
        listening.cancel()
    await console
    theirs.send((receipts, shown))


async def _listen(messages: object, receipts: Receipts) -> None:
    async for message in messages:  # type: ignore[attr-defined]
        now = time.perf_counter()
        receipts.setdefault(json.loads(message.payload)["id"], now)


def _watch_console(port: int, token: str, shown: Shown, stop: Event, open_now: Event) -> None:
    """A console's stream, on a thread of its own; the beat of every 5 s lets it see `stop`."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/alerts/stream", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as stream:
        open_now.set()
        for line in stream:
            if line.startswith(b"data:") and b'"alarm_count"' in line:
                now = time.perf_counter()
                alert = json.loads(line[5:])
                shown.append((str(alert["home"]), int(alert["alarm_count"]), now))
            if stop.is_set():
                break
