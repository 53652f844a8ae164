"""The watchdog beside a running system: a test press arrives; what stands still is shouted about until it is back."""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.system import running as up

QUICK = {
    "TELECARE_WATCHDOG_PRESS_EVERY_S": "2", "TELECARE_WATCHDOG_WITHIN_S": "8", "TELECARE_WATCHDOG_LOOK_EVERY_S": "1",
    "TELECARE_WATCHDOG_PATIENCE_S": "3", "TELECARE_ONCALL_CLEAR_S": "1", "TELECARE_AUDIT_EVERY_S": "5",
    "TELECARE_BEAT_S": "1",
}  # fmt: skip
NOTICED_S = 45  # 10 s until a heartbeat is stale, a look, a press; and this machine may be busy


class Outside(BaseHTTPRequestHandler):
    """The engineer's telephone, and whoever misses us."""

    told: ClassVar[list[dict[str, Any]]] = []
    pings: ClassVar[list[float]] = []

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer()

    def do_GET(self) -> None:
        self.pings.append(time.monotonic())
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[up.System]:
    outside = ThreadingHTTPServer(("127.0.0.1", 0), Outside)
    thread = threading.Thread(target=outside.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{outside.server_address[1]}/"
    far = {"TELECARE_ONCALL_WEBHOOK_URL": f"{url}tell", "TELECARE_DEADMAN_URL": f"{url}ping"}
    try:
        with up.running(tmp_path_factory.mktemp("watchdog") / "data", "--homes", "0", **QUICK, **far) as made:
            yield made
    finally:
        outside.shutdown()
        outside.server_close()
        thread.join()


def health(system: up.System) -> tuple[int, list[str]]:
    """What /health says."""
    try:
        with urllib.request.urlopen(system.url + "/health", timeout=5) as answer:
            return answer.status, json.load(answer)["problems"]
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, json.load(problem)["problems"]


def says(system: up.System, words: str) -> bool:
    status, problems = health(system)
    return status == 503 and any(words in line for line in problems)


def troubles_in_stream(system: up.System, token: str) -> list[dict[str, Any]]:
    """What the first beats of a console's event stream carry."""
    request = urllib.request.Request(system.url + "/api/alerts/stream", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as stream:
        name = ""
        for raw in stream:
            field, _, value = raw.decode().strip().partition(": ")
            if field == "event":
                name = value
            elif field == "data" and name == "beat":
                return list(json.loads(value)["troubles"])
    return []


def test_a_press_arrives_and_everybody_who_listens_hears_of_it(system: up.System) -> None:
    assert "watchdog" in system.pids()
    up.wait_until(lambda: len(Outside.pings) >= 2, 40)  # each after a press that arrived
    status, problems = health(system)
    assert (status, problems) == (200, [])
    doctor = subprocess.run(
        [up.TELECARE, "doctor", "--data-dir", str(system.data_dir), "--json"],
        capture_output=True, text=True, check=False, env=up.clean_environment(**QUICK), timeout=60,
    )  # fmt: skip
    checks = {one["check"]: one for one in json.loads(doctor.stdout)["checks"]}
    assert "arrived in" in checks["watchdog"]["words"], checks
    assert checks["watchdog"]["well"]
    token = str(system.command("user", "token", "operator")["token"])
    assert system.get("/api/alerts?state=open", token)["alerts"] == []
    assert {alert["kind"] for alert in system.get("/api/alerts?state=all", token)["alerts"]} == {"test"}
    assert Outside.told == []


def test_an_engine_that_stands_still_is_shouted_about_until_it_goes_on(system: up.System) -> None:
    token = str(system.command("user", "token", "operator")["token"])
    pid = system.pids()["alerts"]
    os.kill(pid, signal.SIGSTOP)
    try:
        up.wait_until(lambda: says(system, "A test press did not arrive in 8 s"), NOTICED_S)
        assert says(system, "becomes no alert (the alert engine)")
        up.wait_until(lambda: [one["state"] for one in Outside.told[:1]] == ["trouble"], 15)
        up.wait_until(lambda: says(system, "The service alerts no longer says that it lives"), NOTICED_S)
        up.wait_until(lambda: any(one["grave"] for one in troubles_in_stream(system, token)), 15)
        pings = len(Outside.pings)
        time.sleep(3)
        assert len(Outside.pings) == pings
    finally:
        os.kill(pid, signal.SIGCONT)
    system.wait_healthy(NOTICED_S)
    up.wait_until(lambda: Outside.told[-1]["state"] == "clear", NOTICED_S)
    up.wait_until(lambda: len(Outside.pings) > pings, NOTICED_S)
    up.wait_until(lambda: troubles_in_stream(system, token) == [], 15)


def test_a_watchdog_that_stands_still_is_seen_by_health(system: up.System) -> None:
    pid = system.pids()["watchdog"]
    os.kill(pid, signal.SIGSTOP)
    try:
        up.wait_until(lambda: says(system, "the watchdog has been silent"), NOTICED_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    system.wait_healthy(NOTICED_S)


def test_a_watchdog_that_is_killed_comes_back(system: up.System) -> None:
    pid = system.pids()["watchdog"]
    os.kill(pid, signal.SIGKILL)
    up.wait_until(lambda: system.pids()["watchdog"] not in (pid, None), 15)
    pings = len(Outside.pings)
    up.wait_until(lambda: len(Outside.pings) > pings, NOTICED_S)
    system.wait_healthy(NOTICED_S)


def test_the_auditor_finds_that_everything_held_meanwhile(system: up.System) -> None:
    found = system.command("audit")
    assert found["holds"], found
    assert {one["id"]: one["checked"] > 0 for one in found["invariants"]}["I1"]
