"""A carer's devices: turned on, tried and removed by their own carer alone; what browsers say with nobody logged in."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.channels import table_for
from alerts.providers import AtDevice
from alerts.push_store import Device
from alerts.service import Engine
from dashboard.app import create_app
from dashboard.carer_devices import line_of, name_of, trial_of
from telecare.clock import SystemClock
from telecare.errors import CannotStart
from telecare.ids import uuid7
from telecare.settings import Settings
from telecare.vocabulary import Role
from tests.dashboard.test_carers import is_carer
from tests.dashboard.world import World, csrf_of, listening
from tests.helpers import one, rows
from tests.push_service import VAPID_KEY, VAPID_PUBLIC_KEY, Browser, PushService, push_service

PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
DEVICES = "select s.username, p.name from push_subscriptions p join staff s on s.id = p.staff_id order by 1, 2"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PushService]:
    folder = tmp_path / "push-service"
    folder.mkdir()
    with push_service(folder, monkeypatch) as opened:
        yield opened


@pytest.fixture
async def ringing(world: World, service: PushService) -> AsyncIterator[World]:
    """A dashboard that listens, of a service that rings in browsers; the carer is Mary's contact."""
    given = service.settings
    secret = Settings.model_validate(given)  # with what is secret as such
    world.settings = world.settings.model_copy(update={name: getattr(secret, name) for name in given})
    await is_carer(world, "carer", "hub-1")
    async with listening(world.settings) as world.base:
        yield world


def form_of(browser: Browser) -> dict[str, str]:
    return {"endpoint": browser.endpoint, **browser.keys}


async def send(world: World) -> None:
    engine = Engine(world.pool, world.settings, table_for(world.settings), SystemClock())
    while await engine.message_step():
        pass


class Carer:
    """Somebody logged in, with one browser."""

    def __init__(self, client: httpx.AsyncClient, token: str, browser: Browser) -> None:
        self.client, self.browser = client, browser
        self.headers = {"X-CSRF-Token": token, "User-Agent": PHONE}

    async def post(self, path: str, **form: str) -> httpx.Response:
        return await self.client.post(path, data=form, headers=self.headers)

    async def turn_on(self, **changes: str) -> httpx.Response:
        return await self.post("/carer/devices", **form_of(self.browser) | changes)

    async def page(self) -> str:
        return (await self.client.get("/carer")).text


async def logged_in(client: httpx.AsyncClient, browser: Browser) -> Carer:
    return Carer(client, await csrf_of(client, "/carer"), browser)


@pytest.fixture
async def carer(ringing: World, service: PushService) -> AsyncIterator[Carer]:
    async with ringing.browser_session("carer") as client:
        yield await logged_in(client, service.browser())


# ---------------------------------------------------------------- a carer's own


async def test_a_device_is_turned_on_shown_and_removed(ringing: World, carer: Carer) -> None:
    page = await carer.page()
    assert f'data-key="{VAPID_PUBLIC_KEY}"' in page
    assert VAPID_KEY not in page
    assert "Your devices" not in page
    on = await carer.turn_on()
    assert (on.status_code, on.headers["location"]) == (303, "/carer?done=device#push")
    page = await carer.page()
    assert "Chrome on Android" in page
    assert "Not tested yet." in page
    assert carer.browser.endpoint not in page
    device = await one(ringing.pool, "select id from push_subscriptions")
    off = await carer.post(f"/carer/devices/{device}/remove")
    assert (off.status_code, off.headers["location"]) == (303, "/carer?done=removed#push")
    assert (await carer.post(f"/carer/devices/{device}/remove")).status_code == 404
    assert "Your devices" not in await carer.page()


async def test_a_form_of_nobodys_changes_nothing(ringing: World, carer: Carer, service: PushService) -> None:
    await carer.turn_on()
    device = await one(ringing.pool, "select id from push_subscriptions")
    form = form_of(service.browser("other"))
    tokens = {role: await ringing.token(role.value) for role in set(Role) - {Role.CARER}}
    async with httpx.AsyncClient(base_url=ringing.base) as program:
        for path in ("/carer/devices", "/carer/devices/test", f"/carer/devices/{device}/remove"):
            assert (await carer.client.post(path, data=form)).status_code == 403  # without the form's token
            for role, token in tokens.items():
                assert (await program.post(path, data=form, headers=token)).status_code == 403, (path, role)
    await ringing.add_colleague("other", Role.CARER)
    async with ringing.browser_session("other") as client:
        stranger = await logged_in(client, service.browser("other"))
        assert (await stranger.post(f"/carer/devices/{device}/remove")).status_code == 404
        assert "Chrome on Android" not in await stranger.page()
    assert await rows(ringing.pool, DEVICES) == [("carer", "Chrome on Android")]
    assert await one(ringing.pool, "select count(*) from messages") == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"endpoint": "https://evil.example/x"}, "This service sends nothing through evil.example"),
        ({"endpoint": "https://127.0.0.1/x"}, "This service sends nothing through 127.0.0.1"),
        ({"endpoint": "http://localhost/x"}, "must be https"),
        ({"endpoint": "https://localhost/\0"}, "must be https"),
        ({"endpoint": "https://" + "x" * 3000}, "too long"),
        ({"endpoint": ""}, "must be https"),
        ({"p256dh": "x"}, "must be 65 bytes"),
        ({"auth": "x" * 40}, "must be 16 bytes"),
    ],
)
async def test_what_a_browser_gives_is_refused_in_words(
    ringing: World, carer: Carer, wrong: dict[str, str], words: str
) -> None:
    answer = await carer.turn_on(**wrong)
    assert answer.status_code == 422
    assert "This device could not be turned on." in answer.text
    assert words in answer.text
    assert "Mary Ashworth" in answer.text  # the page is whole
    assert await rows(ringing.pool, DEVICES) == []


async def test_a_login_has_five_devices_at_most(ringing: World, carer: Carer, service: PushService) -> None:
    for number in range(5):
        assert (await carer.turn_on(**form_of(service.browser(f"{number}")))).status_code == 303
    answer = await carer.turn_on()
    assert answer.status_code == 422
    assert "At most 5 devices: remove one first" in answer.text
    assert (await carer.turn_on(**form_of(service.browser("3")))).status_code == 303  # one of the five, again
    assert await one(ringing.pool, "select count(*) from push_subscriptions") == 5


async def test_a_device_that_another_login_turns_on_is_theirs(
    ringing: World, carer: Carer, service: PushService
) -> None:
    await ringing.add_colleague("other", Role.CARER)
    await carer.turn_on()
    async with ringing.browser_session("other") as client:
        other = await logged_in(client, carer.browser)
        # By itself it does not change hands: both may open their page on one tablet.
        assert (await other.turn_on(again="yes")).json() == {"device": "others"}
        assert await rows(ringing.pool, DEVICES) == [("carer", "Chrome on Android")]
        assert (await other.turn_on()).status_code == 303
    assert await rows(ringing.pool, DEVICES) == [("other", "Chrome on Android")]
    assert (await carer.turn_on(again="yes")).json() == {"device": "others"}


async def test_a_browser_that_says_it_again_is_known_until_it_is_removed(
    ringing: World, carer: Carer, service: PushService
) -> None:
    assert (await carer.turn_on(again="yes")).json() == {"device": "unknown"}
    await carer.turn_on()
    assert (await carer.turn_on(again="yes")).json() == {"device": "known"}
    new = service.browser("new")
    again = await carer.turn_on(**form_of(new), again="yes", was=carer.browser.endpoint)
    assert again.json() == {"device": "known"}
    assert await rows(ringing.pool, "select endpoint from push_subscriptions") == [(new.endpoint,)]
    refused = await carer.turn_on(endpoint="https://evil.example/", again="yes")
    assert refused.json()["device"] == "unknown"
    assert "evil.example" in refused.json()["why"]


async def test_a_test_says_delivered_unreachable_or_no_device(
    ringing: World, carer: Carer, service: PushService
) -> None:
    none = await carer.post("/carer/devices/test")
    assert none.headers["location"] == "/carer?done=no-device#push"
    assert "No device: there is none to send a test to." in (await carer.client.get("/carer?done=no-device")).text
    await carer.turn_on()
    assert (await carer.post("/carer/devices/test")).headers["location"] == "/carer?done=device-test#push"
    assert 'data-state="waiting"' in await carer.page()
    await send(ringing)
    assert 'data-state="waiting"' in await carer.page()
    (said,) = carer.browser.received()
    receipt = {name: said[name] for name in ("id", "device", "proof")}
    assert (await carer.client.post("/hooks/push/receipts", json=receipt)).json() == {"taken": "noted"}
    page = await carer.page()
    assert 'data-state="delivered"' in page
    assert "A test arrived at" in page
    await rows(ringing.pool, "update messages set idempotency_key = 'x' returning 1")
    service.behaviour = "gone"
    await carer.post("/carer/devices/test")
    await send(ringing)
    page = await carer.page()
    assert 'data-state="unreachable"' in page
    assert "Cannot be rung any more" in page
    assert "data-gone" in page
    assert (await carer.post("/carer/devices/test")).headers["location"] == "/carer?done=no-device#push"
    assert "Cannot be rung" not in (await carer.page() if (await carer.turn_on()).status_code == 303 else "")


async def test_who_looks_after_nobody_has_nothing_to_test(ringing: World, carer: Carer) -> None:
    await carer.turn_on()
    await rows(ringing.pool, "update contacts set staff_id = null where staff_id is not null returning 1")
    assert (await carer.post("/carer/devices/test")).headers["location"] == "/carer?done=no-device#push"


async def test_where_nothing_is_configured_the_page_says_so(served: World) -> None:
    await is_carer(served, "carer", "hub-1")
    async with served.browser_session("carer") as client:
        page = (await client.get("/carer")).text
        assert "This service does not send messages to browsers." in page
        assert "data-key" not in page
        carer = await logged_in(client, PushService().browser())
        refused = await carer.turn_on()
        assert refused.status_code == 422
        assert "This service does not ring in browsers" in refused.text
    async with httpx.AsyncClient(base_url=served.base) as stranger:
        receipt = {"id": str(uuid7()), "device": str(uuid7()), "proof": "x"}
        assert (await stranger.post("/hooks/push/receipts", json=receipt)).status_code == 404


# ---------------------------------------------------------------- what a browser says with nobody logged in


async def test_a_receipt_needs_the_proof_that_was_in_the_message(ringing: World, carer: Carer) -> None:
    await carer.turn_on()
    await carer.post("/carer/devices/test")
    await send(ringing)
    (said,) = carer.browser.received()
    good = {name: said[name] for name in ("id", "device", "proof")}
    async with httpx.AsyncClient(base_url=ringing.base) as stranger:
        for wrong in ({"proof": "0" * 64}, {"proof": "ö"}, {"device": str(uuid7())}, {"id": str(uuid7())}):
            assert (await stranger.post("/hooks/push/receipts", json=good | wrong)).status_code == 403, wrong
        for unreadable in ({}, {"id": "x", "device": "y", "proof": "z"}, good | {"proof": "x" * 500}):
            assert (await stranger.post("/hooks/push/receipts", json=unreadable)).status_code == 422
        assert await one(ringing.pool, "select count(*) from message_receipts") == 0
        answers = [(await stranger.post("/hooks/push/receipts", json=good)).json() for _ in range(2)]
    assert answers == [{"taken": "noted"}, {"taken": "known"}]
    assert await one(ringing.pool, "select count(*) from message_receipts") == 1
    assert await rows(ringing.pool, "select channel from contact_ways_that_work") == [("push",)]


async def test_a_receipt_of_a_device_that_was_removed_still_says_that_it_arrived(ringing: World, carer: Carer) -> None:
    await carer.turn_on()
    await carer.post("/carer/devices/test")
    await send(ringing)
    (said,) = carer.browser.received()
    await carer.post(f"/carer/devices/{said['device']}/remove")
    good = {name: said[name] for name in ("id", "device", "proof")}
    assert (await carer.client.post("/hooks/push/receipts", json=good)).json() == {"taken": "noted"}
    assert await one(ringing.pool, "select state from messages") == "delivered"
    assert await rows(ringing.pool, "select channel from contact_ways_that_work") == []


async def test_a_browser_moves_by_its_secret(ringing: World, carer: Carer, service: PushService) -> None:
    await carer.turn_on()
    new, secret = service.browser("new"), carer.browser.keys["auth"]
    to = {"endpoint": new.endpoint, "keys": new.keys, "expirationTime": None}
    async with httpx.AsyncClient(base_url=ringing.base) as stranger:

        async def move(was: dict[str, Any], now: dict[str, Any]) -> int:
            return (await stranger.post("/hooks/push/renewals", json={"was": was, "now": now})).status_code

        right = {"endpoint": carer.browser.endpoint, "auth": secret}
        assert await move(right | {"auth": "wrong"}, to) == 404
        assert await move({"endpoint": new.endpoint, "auth": secret}, to) == 404
        assert await move(right, to | {"endpoint": "https://evil.example/x"}) == 409
        assert await move(right, {"endpoint": new.endpoint}) == 422
        assert await move(right, to) == 200
    assert await rows(ringing.pool, "select endpoint from push_subscriptions") == [(new.endpoint,)]


# ---------------------------------------------------------------- files, and words


async def test_the_worker_and_the_manifest_are_our_own_at_the_root(ringing: World) -> None:
    async with httpx.AsyncClient(base_url=ringing.base) as stranger:
        worker, manifest = await stranger.get("/push-worker.js"), await stranger.get("/manifest.webmanifest")
        assert worker.headers["content-type"].startswith("text/javascript")
        assert worker.headers["cache-control"] == "no-cache"
        assert "default-src 'none'" in worker.headers["content-security-policy"]
        described = manifest.json()
        assert manifest.headers["content-type"] == "application/manifest+json"
        assert (described["start_url"], described["display"]) == ("/carer", "standalone")
        for icon in described["icons"]:
            found = await stranger.get(icon["src"])
            assert found.headers["content-type"] == "image/png"


def test_a_key_that_is_none_stops_the_dashboard() -> None:
    given = {"push_providers": "webpush", "vapid_key": "no key"}
    with pytest.raises(CannotStart, match="TELECARE_VAPID_KEY"):
        create_app(Settings.model_validate(given))


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (PHONE, "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Mobile/15E Safari/604", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Windows"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        ("", "A browser"),
    ],
)  # fmt: skip
def test_a_browser_is_called_what_its_owner_calls_it(agent: str, name: str) -> None:
    assert name_of(agent) == name


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def line(now: datetime = NOON, **known: Any) -> str:
    device = Device(uuid7(), "x", "https://x/", NOON, **{"gone_at": None} | known)
    return line_of(device, now, MINUTE, lambda at: f"{at:%H:%M}")


def test_each_device_says_how_its_last_test_went() -> None:
    assert line() == "Not tested yet."
    accepted = {"tested_at": NOON, "outcome": "accepted"}
    assert line(**accepted) == "A test is on its way."
    assert line(NOON + MINUTE, **accepted) == "The test of 12:00 has not arrived."
    assert line(NOON + MINUTE, **accepted, shown_at=NOON) == "A test arrived at 12:00."
    for outcome in (AtDevice.REFUSED, AtDevice.UNAVAILABLE):
        assert line(tested_at=NOON, outcome=outcome.value) == "The test of 12:00 could not be sent there."
    assert line(gone_at=NOON).startswith("Cannot be rung any more, since 12:00.")


def test_a_test_is_unreachable_after_a_minute_and_delivered_whenever_it_is() -> None:
    device = [Device(uuid7(), "x", "https://x/", NOON, None)]

    def state(now: datetime, *devices: Device, **message: Any) -> str:
        known = {"created_at": NOON, "sent_at": None, "delivered_at": None, "failure": None} | message
        found = trial_of(known, devices, now, MINUTE, lambda at: f"{at:%H:%M}")
        assert found is not None
        return found.state

    assert trial_of(None, device, NOON, MINUTE, str) is None
    assert state(NOON, *device, state="pending") == "waiting"
    assert state(NOON, *device, state="sent", sent_at=NOON) == "waiting"
    assert state(NOON + MINUTE, *device, state="sent", sent_at=NOON) == "unreachable"
    assert state(NOON, *device, state="failed") == "unreachable"
    assert state(NOON, state="failed") == "no-device"
    assert state(NOON + MINUTE, *device, state="delivered", delivered_at=NOON) == "delivered"
