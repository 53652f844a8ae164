"""The HTTP API: each call, and each way in which it says no."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from dashboard import models
from dashboard.app import create_app
from dashboard.steps import Close
from telecare.ids import uuid7
from telecare.settings import Settings
from tests.dashboard.world import World

CLOSING: dict[str, Any] = {
    "cause": "fall-up", "outcomes": ["reassured"], "confirmed_by": "person", "how": "She told me", "note": "No injury",
}  # fmt: skip


class Caller:
    """A program that acts for one member of staff."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self.headers)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.client.post(path, json=body, headers=self.headers)


@pytest.fixture
async def operator(served: World, client: httpx.AsyncClient) -> Caller:
    return Caller(client, await served.token("operator"))


@pytest.fixture
async def supervisor(served: World, client: httpx.AsyncClient) -> Caller:
    return Caller(client, await served.token("supervisor"))


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= document.keys()
    assert document["status"] == status
    assert "Traceback" not in answer.text
    return document


async def test_open_alerts_come_most_urgent_first(served: World, operator: Caller) -> None:
    for number, kind in enumerate(("battery-low", "button", "inactivity", "fall"), start=2):
        await served.add_home(f"hub-{number}", f"Person {number}")
        await served.alert(f"hub-{number}", kind)
    answer = await operator.get("/api/alerts?state=open")
    found = answer.json()["alerts"]
    assert [alert["kind"] for alert in found] == ["fall", "button", "inactivity", "battery-low"]
    first = models.ListedAlert.model_validate(found[0])
    assert (first.priority, first.state, first.alarm_count, first.claimed_by) == (1, "raised", 1, None)
    assert str(first.person) == str(served.people["hub-5"])
    assert found[0]["raised_at"].endswith("Z")
    assert 0 <= first.wait_s < 10
    assert len((await operator.get("/api/alerts?limit=2")).json()["alerts"]) == 2


async def test_all_alerts_are_read_page_by_page(served: World, operator: Caller) -> None:
    numbers = []
    for _ in range(3):
        number = await served.alert("hub-1")
        await served.claim(number)
        await served.close(number)
        numbers.append(number)
    first = (await operator.get("/api/alerts?state=all&limit=2")).json()["alerts"]
    rest = (await operator.get(f"/api/alerts?state=all&after={first[-1]['id']}&limit=1000")).json()["alerts"]
    assert [alert["id"] for alert in first + rest] == numbers
    assert (await operator.get("/api/alerts")).json() == {"alerts": []}


async def test_a_wrong_query_is_refused(operator: Caller) -> None:
    for query in ("state=closed", "limit=0", "limit=1001", "limit=x", "after=-1", "after=x", f"after={2**63}"):
        document = is_problem(await operator.get(f"/api/alerts?{query}"), 422)
        assert document["problems"][0].startswith(query.split("=")[0])


async def test_the_whole_alert_has_its_alarms_and_its_log(served: World, operator: Caller) -> None:
    number = await served.alert("hub-1", "fall", evidence={"peak_g": 3.4}, doubts=["no time"], late=timedelta(hours=3))
    await served.alarm("hub-1")
    answer = await operator.get(f"/api/alerts/{number}")
    whole = models.WholeAlert.model_validate(answer.json())
    assert [alarm.kind for alarm in whole.alarms] == ["fall", "button"]
    assert whole.alarms[0].evidence == {"peak_g": 3.4}
    assert [entry.what for entry in whole.log][:2] == ["raised", "announced"]
    assert whole.alarm_count == 2


async def test_a_possible_fall_is_called_so_and_stands_below_a_fall(served: World, operator: Caller) -> None:
    await served.add_home("hub-2", "Ravi Patel")
    number = await served.alert("hub-1", "fall", evidence={"outcome": "possible-fall"})
    await served.alert("hub-2", "fall", evidence={"outcome": "fall"})
    listed = models.AlertList.model_validate((await operator.get("/api/alerts")).json()).alerts
    assert [(one.kind, one.title, one.possible, one.priority) for one in listed] == [
        ("fall", "Fall detected", False, 1), ("fall", "Possible fall", True, 2),
    ]  # fmt: skip
    whole = models.WholeAlert.model_validate((await operator.get(f"/api/alerts/{number}")).json())
    assert (whole.title, whole.alarms[0].title, whole.alarms[0].kind) == ("Possible fall", "Possible fall", "fall")
    timeline = (await operator.get(f"/api/homes/{served.homes['hub-1']}/timeline")).json()
    assert [alarm["title"] for alarm in timeline["alarms"]] == ["Possible fall"]


async def test_an_alert_that_does_not_exist_is_not_found(operator: Caller) -> None:
    for number in ("0", "99", str(2**63), "9" * 5000, "-1", "abc", "1.5", "%00", "١"):
        is_problem(await operator.get(f"/api/alerts/{number}"), 404)
        for step, body in (("claim", {}), ("log", {"what": "note", "detail": {"text": "x"}}), ("close", CLOSING)):
            is_problem(await operator.post(f"/api/alerts/{number}/{step}", body), 404)


async def test_of_many_claims_one_wins_and_the_others_hear_who(served: World, client: httpx.AsyncClient) -> None:
    number = await served.alert("hub-1")
    callers = []
    for name in ("anna", "bilal", "cleo", "dan"):
        await served.add_colleague(name)
        callers.append(Caller(client, await served.token(name)))
    answers = await asyncio.gather(*(caller.post(f"/api/alerts/{number}/claim", {}) for caller in callers))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert won["state"] == "claimed"
    for answer in answers:
        if answer.status_code == 409:
            document = is_problem(answer, 409)
            assert (document["claimed_by"], document["state"]) == (won["claimed_by"], "claimed")
            assert won["claimed_by"] in document["detail"]


async def test_a_claim_needs_no_body(served: World, client: httpx.AsyncClient) -> None:
    number = await served.alert("hub-1")
    headers = await served.token("operator")
    for body in (b"", b"{}", b" {} "):
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            answer = await client.post(
                f"/api/alerts/{number}/claim", content=body, headers=headers | {"content-type": kind}
            )
            assert answer.status_code == 200, answer.text


async def test_the_life_of_an_alert(served: World, operator: Caller, supervisor: Caller) -> None:
    number = await served.alert("hub-1")
    at = f"/api/alerts/{number}"
    steps: list[tuple[Caller, str, Any, str]] = [
        (operator, "claim", {}, "claimed"),
        (operator, "claim", {}, "claimed"),  # once more is no error
        (operator, "log", {"what": "note", "detail": {"text": "Speaking"}}, "claimed"),
        (supervisor, "log", {"what": "note", "detail": {"text": "Listening in"}}, "claimed"),
        (operator, "log", {"what": "contact-tried", "detail": {"text": "Susan: no answer"}}, "contacting"),
        (operator, "notify", {}, "acting"),
        (operator, "dispatch", {"responder": "Car 2", "note": "Two of you"}, "acting"),
        (supervisor, "take-over", {"reason": "End of shift"}, "acting"),
        (supervisor, "release", {"reason": "Wrong one"}, "raised"),
        (operator, "claim", None, "acting"),
        (operator, "safe", {"confirmed_by": "person", "how": "Her own words"}, "safe"),
        (operator, "close", CLOSING | {"seen_alarms": 1}, "closed"),
    ]
    for caller, step, body, state in steps:
        answer = await caller.post(f"{at}/{step}", body)
        assert answer.status_code == 200, (step, answer.text)
        assert answer.json()["state"] == state
        (models.NotifiedAlert if step == "notify" else models.ListedAlert).model_validate(answer.json())
    whole = (await operator.get(at)).json()
    assert whole["cause"] == "fall-up"
    by_hand = [entry["what"] for entry in whole["log"] if entry["who"] in ("operator", "supervisor")]
    assert by_hand == [
        "claimed", "note", "note", "contact-tried", "notified", "dispatched", "taken-over", "released", "claimed",
        "safe", "visit", "closed",
    ]  # fmt: skip


OWNERS_STEPS: list[tuple[str, Any]] = [
    ("log", {"what": "assessed", "detail": {"text": "x"}}),
    ("notify", {}),
    ("contact-there", {"contact": str(uuid7())}),
    ("dispatch", {"responder": "Car 2"}),
    ("release", {}),
    ("safe", {"confirmed_by": "person", "how": "x"}),
    ("close", CLOSING),
]


async def test_a_step_is_its_owners_alone(served: World, operator: Caller, supervisor: Caller) -> None:
    number = await served.alert("hub-1")

    async def all_refused(caller: Caller, claimed_by: str | None, state: str) -> None:
        for step, body in OWNERS_STEPS:
            document = is_problem(await caller.post(f"/api/alerts/{number}/{step}", body), 409)
            assert (document["claimed_by"], document["state"]) == (claimed_by, state), step

    await all_refused(operator, None, "raised")
    await served.claim(number)
    await all_refused(supervisor, "operator", "claimed")
    await served.close(number)
    await all_refused(operator, "operator", "closed")


async def test_an_alert_with_an_alarm_that_was_not_seen_is_not_closed(served: World, operator: Caller) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    await served.alarm("hub-1")
    is_problem(await operator.post(f"/api/alerts/{number}/close", CLOSING | {"seen_alarms": 1}), 409)
    assert (await operator.post(f"/api/alerts/{number}/close", CLOSING | {"seen_alarms": 2})).status_code == 200


LONG = "x" * 4001
WRONG = [
    ("close", {}, "cause"),
    ("close", CLOSING | {"cause": "bad luck"}, "cause"),
    ("close", CLOSING | {"outcomes": []}, "outcomes"),
    ("close", CLOSING | {"outcomes": ["none"]}, "outcomes.0"),
    ("close", CLOSING | {"outcomes": "reassured"}, "outcomes"),
    ("close", CLOSING | {"confirmed_by": "system"}, "confirmed_by"),
    ("close", CLOSING | {"how": " "}, "how"),
    ("close", CLOSING | {"cause": "not-known"}, "cause"),
    ("close", CLOSING | {"seen_alarms": 2**31}, "seen_alarms"),
    ("close", CLOSING | {"note": "a\0b"}, "note"),
    ("log", {"what": "note"}, "detail"),
    ("log", {"what": "note", "detail": {"text": ""}}, "detail.text"),
    ("log", {"what": "note", "detail": {"text": 5}}, "detail.text"),
    ("log", {"what": "note", "detail": {"text": LONG}}, "detail.text"),
    ("log", {"what": "note", "detail": {"text": "a\0b"}}, "detail.text"),
    ("log", {"what": "closed", "detail": {"text": "x"}}, "what"),
    ("dispatch", {}, "responder"),
    ("dispatch", {"responder": " "}, "responder"),
    ("dispatch", {"responder": "Car 2", "note": LONG}, "note"),
    ("safe", {"confirmed_by": "person"}, "how"),
    ("safe", {"how": "x"}, "confirmed_by"),
    ("take-over", {}, "reason"),
    ("take-over", {"reason": " "}, "reason"),
    ("release", {"reason": 5}, "reason"),
]


async def test_what_is_missing_or_wrong_is_named(served: World, operator: Caller) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    for step, body, field in WRONG:
        document = is_problem(await operator.post(f"/api/alerts/{number}/{step}", body), 422)
        assert document["problems"][0].startswith(f"{field}: "), (step, body, document)
    assert (await operator.get(f"/api/alerts/{number}")).json()["state"] == "claimed"


BODIES = [b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"what": "note", "detail": {"text": "\\ud800"}}']
BEYOND_A_PARSER = [b"5" * 5000, b"[" * 60_000]


async def test_a_body_that_is_no_object_is_refused(served: World, client: httpx.AsyncClient) -> None:
    number = await served.alert("hub-1")
    headers = await served.token("operator")
    for body in BODIES:
        is_problem(await client.post(f"/api/alerts/{number}/log", content=body, headers=headers), 422)
    for body in BEYOND_A_PARSER:
        is_problem(await client.post(f"/api/alerts/{number}/log", content=body, headers=headers), 400)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(CLOSING)), inner, max_size=5),
        max_leaves=8,
    )
)
def test_no_body_breaks_the_close_model(body: Any) -> None:
    with suppress(ValidationError):  # and nothing else
        Close.model_validate(body)


async def test_nobody_to_tell_is_said(served: World, operator: Caller) -> None:
    async with served.pool.connection() as conn:
        await conn.execute("update contacts set ended_at = now(), ended_by = 'admin', ended_why = 'moved'")
    number = await served.alert("hub-1")
    await served.claim(number)
    assert (await operator.post(f"/api/alerts/{number}/notify", {})).json()["told"] is False


async def test_unknown_addresses_and_methods_are_problems_too(operator: Caller) -> None:
    is_problem(await operator.get("/api/nothing"), 404)
    is_problem(await operator.get("/api"), 404)
    is_problem(await operator.post("/api/alerts", {}), 405)
    is_problem(await operator.get("/api/alerts/1/claim"), 405)
    is_problem(await operator.client.put("/api/alerts/1"), 405)


async def test_a_homes_timeline_has_its_alarms_and_readings(served: World, operator: Caller) -> None:
    number = await served.alert("hub-1", "fall")
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for minute, value in enumerate((1.0, 0.0, float("inf"))):
        await served.reading("hub-1", "pir-hall", "motion", value, noon + timedelta(minutes=minute))
    home = served.homes["hub-1"]
    answer = await operator.get(f"/api/homes/{home}/timeline?from=2026-11-20T12:00:00Z&to=2026-11-20T12:02:00Z")
    line = models.Timeline.model_validate(answer.json())
    assert [(reading.at, reading.value) for reading in line.readings] == [
        (noon, 1.0),
        (noon + timedelta(minutes=1), 0.0),
    ]
    assert not line.alarms
    now = (await operator.get(f"/api/homes/{home}/timeline")).json()
    assert [alarm["alert"] for alarm in now["alarms"]] == [number]
    unclear = await operator.get(f"/api/homes/{home}/timeline?from=2026-11-20T12:02:00Z&to=2026-11-20T12:03:00Z")
    assert unclear.json()["readings"][0]["value"] is None


PERIODS = ["from=yesterday", "to=2026-11-20", "from=2026-11-20T12:00:00Z&to=2026-11-20T12:00:00Z",
     "from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", "from=%00", "to=0001-01-01T00:00:00Z",
     "to=0001-01-01T00:00:00%2B05:00"]  # fmt: skip


async def test_a_wrong_period_is_refused(served: World, operator: Caller) -> None:
    for query in PERIODS:
        is_problem(await operator.get(f"/api/homes/{served.homes['hub-1']}/timeline?{query}"), 422)


async def test_a_home_that_does_not_exist_has_no_timeline(operator: Caller) -> None:
    for home in (str(uuid7()), "1", "%00", "x" * 300):
        is_problem(await operator.get(f"/api/homes/{home}/timeline"), 404)


async def test_a_long_timeline_says_that_it_was_cut(served: World, operator: Caller) -> None:
    async with served.pool.connection() as conn:
        await conn.execute("insert into series (hub, device, measure) values ('hub-1', 'env-1', 'temperature')")
        await conn.execute(
            """insert into readings (series_id, at, value, received_at)
               select s.id, now() - n * interval '1 second', 20, now() from series s, generate_series(1, 5001) n"""
        )
    found = (await operator.get(f"/api/homes/{served.homes['hub-1']}/timeline")).json()
    assert found["truncated"] is True
    assert len(found["readings"]) == 5000


async def test_the_description_names_every_call_and_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    described = (await client.get("/api/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    calls = {f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}
    assert "POST /api/alerts/{alert_id}/close" in calls
    assert "GET /api/homes/{home_id}/timeline" in calls
    page = await client.get("/api/docs")
    assert page.status_code == 200
    for call in calls:
        assert call in page.text
    assert "//" not in page.text.replace("<!DOCTYPE", "").replace("http://www.w3.org", "")
    assert create_app(Settings()).openapi()["info"]["title"] == "Telecare"


async def test_evidence_of_any_shape_is_given_back(served: World, operator: Caller) -> None:
    number = await served.alert("hub-1")
    async with served.pool.connection() as conn:
        await conn.execute("update alarms set evidence = %s", (Jsonb({"a": [1, None, {"b": "<i>"}]}),))
    whole = (await operator.get(f"/api/alerts/{number}")).json()
    assert whole["alarms"][0]["evidence"] == {"a": [1, None, {"b": "<i>"}]}
