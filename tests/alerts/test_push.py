"""Messages to browsers: sealed for one browser each, said to be shown by it, and what happens to one that is gone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import http_ece
import psycopg
import pytest
from py_vapid import Vapid02

from alerts import devices, push_store, receipts, sending_store, telling
from alerts.channels import table_for, vapid
from alerts.devices import Browser as Given
from alerts.devices import Seen
from telecare.db import Pool
from telecare.errors import CannotStart, NotFound, Refused
from telecare.register import rota
from telecare.rota import Channel, rota_problem
from telecare.settings import Settings
from tests.alerts.test_sending import Line, with_company
from tests.helpers import one, rows
from tests.phone_company import PhoneCompany, phone_company
from tests.push_service import VAPID_KEY, VAPID_PUBLIC_KEY, Behaviour, Browser, PushService, push_service

JO = "07700 900001"
WORKS = """select w.channel, w.address from contact_ways_that_work w join contacts c on c.id = w.contact_id
            where c.phone = %s order by w.channel"""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PushService]:
    folder = tmp_path / "push-service"
    folder.mkdir()
    with push_service(folder, monkeypatch) as opened:
        yield opened


@pytest.fixture
def company() -> Iterator[PhoneCompany]:
    with phone_company() as opened:
        yield opened


class Ringing(Line):
    """Mary's alert, and Jo with a login and whatever browsers she lets us ring in."""

    service: PushService
    login: UUID

    async def choose(self, **more: Any) -> None:
        self.settings = self.engine.settings = with_company(self.settings, self.company, **self.service.settings | more)
        self.engine.provider = table_for(self.settings)

    async def new_login(self, name: str) -> UUID:
        sql = """insert into staff (id, username, display_name, role, password_hash)
                 values (gen_random_uuid(), %s, 'Jo', 'carer', 'none') returning id"""
        found: UUID = await one(self.pool, sql, name)
        return found

    async def subscribe(self, path: str = "jo", login: UUID | None = None) -> tuple[Browser, UUID]:
        """A browser in which she lets us ring, and our id of it."""
        browser = self.service.browser(path)
        async with self.pool.connection() as conn:
            await devices.register(conn, self.settings, login or self.login, given(browser), path, self.now)
        return browser, await one(self.pool, "select id from push_subscriptions where endpoint = %s", browser.endpoint)

    async def test(self) -> None:
        """A test message to her browsers, and what is due after it."""
        jo = await one(self.pool, "select id from contacts where phone = %s", JO)
        async with self.pool.connection() as conn:
            assert await telling.send_test_to_devices(conn, self.settings, jo, "Jo Green", self.now, self.now)
        await self.step()

    async def shows(self, browser: Browser, number: int = -1) -> str:
        """A browser shows a message, and says so."""
        said = browser.received()[number]
        attempt, device = UUID(said["id"]), UUID(said["device"])
        async with self.pool.connection() as conn, conn.transaction():
            found = await sending_store.attempt_named(conn, "webpush", said["id"], "")
            assert found is not None
            content = f"{attempt} {device}".encode()
            became = await receipts.take(conn, self.settings, found, "webpush", "shown", None, content, self.now)
            await push_store.note_shown(conn, attempt, device, self.now)
        return became

    async def pushes(self) -> list[tuple[Any, ...]]:
        sql = "select purpose, state, attempts from messages where channel = 'push' order by created_at, id"
        return await rows(self.pool, sql)

    async def gone(self) -> list[str]:
        sql = "select name from push_subscriptions where gone_at is not null order by name"
        return [name for (name,) in await rows(self.pool, sql)]

    async def of_devices(self) -> dict[str, str]:
        sql = "select s.name, d.outcome from push_deliveries d join push_subscriptions s on s.id = d.subscription_id"
        return dict(await rows(self.pool, sql))  # type: ignore[arg-type]


def given(browser: Browser) -> Given:
    return Given(browser.endpoint, **browser.keys)


@pytest.fixture
async def ringing(pool: Pool, settings: Settings, company: PhoneCompany, service: PushService) -> Ringing:
    chosen = with_company(settings, company, **service.settings)
    made = Ringing(pool, chosen, table_for(chosen))
    made.company, made.service = company, service
    await made.begin()
    made.login = await made.new_login("jo")
    await rows(pool, "update contacts set staff_id = %s where phone = %s returning 1", made.login, JO)
    return made


# ---------------------------------------------------------------- what goes out


async def test_a_push_can_be_read_by_its_browser_alone(ringing: Ringing) -> None:
    browser, device = await ringing.subscribe()
    await ringing.ask()
    await ringing.step()
    assert await ringing.pushes() == [("ask", "sent", 1)]
    ((path, headers, raw),) = ringing.service.taken
    assert (path, headers["urgency"], headers["ttl"]) == ("jo", "high", "300")
    assert b"Mary" not in raw
    stranger = Browser(ringing.service, "jo")
    with pytest.raises(http_ece.ECEException):
        stranger.read(raw)
    said = browser.read(raw)
    body = await one(ringing.pool, "select body from messages where channel = 'push'")
    assert said["body"] == body
    assert said["link"] == body[body.index("/a/") :].split(" ")[0]
    assert said["title"] == ringing.settings.service_name
    attempt = await one(ringing.pool, "select id from message_attempts where provider = 'webpush'")
    assert (said["id"], said["device"]) == (str(attempt), str(device))
    assert said["proof"] == vapid.receipt_proof(VAPID_KEY, attempt, device)


async def test_a_push_says_whose_it_is_by_the_key_that_browsers_were_given(ringing: Ringing) -> None:
    await ringing.subscribe()
    await ringing.test()
    ((_, headers, _),) = ringing.service.taken
    assert headers["authorization"].endswith(f"k={VAPID_PUBLIC_KEY}")
    assert vapid.public_key(ringing.settings) == VAPID_PUBLIC_KEY
    assert Vapid02.verify(headers["authorization"])


async def test_a_message_without_a_link_leads_to_the_carers_page(ringing: Ringing) -> None:
    browser, _ = await ringing.subscribe()
    await ringing.test()
    (said,) = browser.received()
    assert said["link"] is None
    assert "test message" in said["body"]


@pytest.mark.parametrize(
    ("behaviour", "outcome", "device"),
    [
        ("refuse", "refused", "refused"),
        ("forbidden", "refused", "refused"),
        ("busy", "unavailable", "unavailable"),
        ("error", "unavailable", "unavailable"),
        ("elsewhere", "unavailable", "unavailable"),
        ("hang", "unavailable", "unavailable"),
        ("gone", "refused", "gone"),
        ("unknown", "refused", "gone"),
    ],
)
async def test_a_push_that_is_not_taken_is_told(
    ringing: Ringing, behaviour: Behaviour, outcome: str, device: str
) -> None:
    await ringing.choose(message_try_s=1, message_attempts=1)
    await ringing.subscribe()
    ringing.service.behaviour = behaviour
    await ringing.ask()
    await ringing.step()
    assert ("webpush", outcome) in await ringing.tries()
    assert await ringing.of_devices() == {"jo": device}
    assert ringing.service.asked == ["jo"]  # and no other address
    assert await ringing.pushes() == [("ask", "failed", 1)]
    assert "notify-failed" in await ringing.history()
    assert await ringing.gone() == (["jo"] if device == "gone" else [])


async def test_one_browser_that_is_gone_or_hangs_keeps_nothing_from_another(ringing: Ringing) -> None:
    await ringing.choose(message_try_s=2)
    for path in ("gone", "hangs", "phone"):
        await ringing.subscribe(path)
    ringing.service.of = {"gone": "gone", "hangs": "hang"}
    await ringing.test()
    assert await ringing.pushes() == [("test", "sent", 1)]
    assert await ringing.of_devices() == {"gone": "gone", "hangs": "unavailable", "phone": "accepted"}
    assert await ringing.gone() == ["gone"]
    ringing.service.of, ringing.service.asked = {}, []
    await ringing.step(10)
    await ringing.test()
    assert sorted(ringing.service.asked) == ["hangs", "phone"]


async def test_who_has_no_browser_left_is_written_to_without_one(ringing: Ringing) -> None:
    await ringing.subscribe()
    ringing.service.behaviour = "gone"
    await ringing.ask()
    await ringing.step()
    await ringing.ask()  # Ali
    ringing.service.behaviour = "accept"
    await ringing.answer(JO, "cannot")
    await ringing.close(ringing.number)
    assert [purpose for purpose, _, _ in await ringing.pushes()] == ["ask"]
    assert (JO, "over") in await ringing.told()


async def test_a_host_that_the_setting_names_no_more_gets_nothing(ringing: Ringing) -> None:
    await ringing.subscribe()
    await ringing.choose(push_hosts="fcm.googleapis.com")
    await ringing.test()
    assert ringing.service.asked == []
    assert await ringing.of_devices() == {"jo": "refused"}


async def test_no_endpoint_but_https_is_ever_kept(ringing: Ringing) -> None:
    _, device = await ringing.subscribe()
    with pytest.raises(psycopg.errors.CheckViolation):
        await rows(
            ringing.pool, "update push_subscriptions set endpoint = 'http://x' where id = %s returning 1", device
        )


# ---------------------------------------------------------------- shown, or not


async def test_that_a_browser_shows_it_is_a_receipt_and_no_answer(ringing: Ringing) -> None:
    browser, _ = await ringing.subscribe()
    await ringing.ask()
    await ringing.step()
    assert await ringing.shows(browser) == "noted"
    assert await ringing.shows(browser) == "known"
    assert await ringing.pushes() == [("ask", "delivered", 1)]
    assert await one(ringing.pool, "select count(*) from asks where answer is not null") == 0
    await ringing.wait(180)
    assert [who for who, purpose in await ringing.told() if purpose == "ask"] == [JO, "07700 900002"]


async def test_a_push_that_no_browser_shows_is_no_failure_and_hurries_nothing(ringing: Ringing) -> None:
    """A computer at home that is switched off: the telephone has its text, and is rung in its own time."""
    browser, _ = await ringing.subscribe()
    await ringing.ask()
    await ringing.step()
    begun = ringing.now
    await ringing.wait(60)
    await ringing.step()
    assert await ringing.pushes() == [("ask", "sent", 1)]
    assert await one(ringing.pool, "select unheard_at is not null from messages where channel = 'push'")
    assert "/a/..." in await one(ringing.pool, "select body from messages where channel = 'push'")
    assert [channel for _, _, channel in await ringing.sent()].count("voice") == 0
    await ringing.wait(30)
    assert [channel for _, _, channel in await ringing.sent()].count("voice") == 1
    ringing.now = begun
    await ringing.step(300)
    assert await ringing.pushes() == [("ask", "stale", 1)]
    assert "notify-failed" not in await ringing.history()
    ringing.now = begun
    assert await ringing.shows(browser) == "noted"  # after all
    assert await ringing.pushes() == [("ask", "delivered", 1)]


async def test_with_another_way_it_goes_by_that_after_sixty_seconds_unless_it_is_shown(ringing: Ringing) -> None:
    await ringing.choose(push_providers="webpush,webhook")
    browser, _ = await ringing.subscribe()
    await ringing.test()
    await ringing.step(59)
    assert ringing.company.asked == []
    await ringing.step(1)
    assert ringing.company.asked == ["gateway"]
    await ringing.test()
    await ringing.shows(browser)
    await ringing.step(60)
    assert ringing.company.asked == ["gateway"]


# ---------------------------------------------------------------- the way to a contact


async def test_a_test_that_a_browser_shows_tests_the_way_until_the_browser_is_gone(ringing: Ringing) -> None:
    browser, device = await ringing.subscribe()
    await ringing.test()
    assert await rows(ringing.pool, WORKS, JO) == []  # handed over is not shown
    await ringing.shows(browser)
    assert await rows(ringing.pool, WORKS, JO) == [("push", str(device))]
    await ringing.step(20)
    ringing.service.behaviour = "gone"
    await ringing.test()
    assert await rows(ringing.pool, WORKS, JO) == []
    assert await one(ringing.pool, "select count(*) from contact_ways where channel = 'push'") == 0


async def test_a_test_that_no_browser_shows_ends_the_way_and_a_late_one_mends_it(ringing: Ringing) -> None:
    browser, device = await ringing.subscribe()
    await ringing.test()
    await ringing.shows(browser)
    await ringing.step(20)
    await ringing.test()
    await ringing.step(299)
    assert await rows(ringing.pool, WORKS, JO) == [("push", str(device))]
    await ringing.step(2)
    assert [purpose for purpose, state, _ in await ringing.pushes() if state == "stale"] == ["test"]
    assert await rows(ringing.pool, WORKS, JO) == []
    await ringing.shows(browser)
    assert await rows(ringing.pool, WORKS, JO) == [("push", str(device))]


async def test_two_tested_ways_need_the_browser_to_be_there(ringing: Ringing) -> None:
    """A browser and a number: enough for a rota. Once the browser is gone, the plan says so."""
    browser, _ = await ringing.subscribe()
    person, jo = (await rows(ringing.pool, "select person_id, id from contacts where phone = %s", JO))[0]
    async with ringing.pool.connection() as conn:
        await rota.note_test(conn, person, jo, Channel.SMS, True, "operator", ringing.now)
    every_day = """insert into contact_windows (id, contact_id, days, from_min, until_min)
                   values (gen_random_uuid(), %s, '{1}', 0, 60) returning 1"""
    with pytest.raises(psycopg.errors.CheckViolation):
        await rows(ringing.pool, every_day, jo)
    await ringing.test()
    await ringing.shows(browser)
    await rows(ringing.pool, every_day, jo)

    async def problem() -> str | None:
        async with ringing.pool.connection() as conn:
            contact = {"id": jo, "phone": JO, "email": "", "channels": ["sms", "voice", "push"]}
            return rota_problem("Jo", await rota.ways_of(conn, contact))

    assert await problem() is None
    await ringing.step(20)
    ringing.service.behaviour = "gone"
    await ringing.test()
    assert "fewer than two ways to reach them are tested now (text message)" in (await problem() or "")


async def test_a_browser_that_moves_or_is_removed_is_no_way_any_more(ringing: Ringing) -> None:
    other = await ringing.new_login("other")
    for change in ("move", "remove", "contact"):
        browser, device = await ringing.subscribe()
        await ringing.step(20)
        await ringing.test()
        await ringing.shows(browser)
        assert await rows(ringing.pool, WORKS, JO) == [("push", str(device))]
        if change == "move":
            await ringing.subscribe(login=other)
            async with ringing.pool.connection() as conn:
                assert await push_store.devices_of(conn, ringing.login) == []
        elif change == "remove":
            async with ringing.pool.connection() as conn:
                assert not await push_store.remove(conn, other, device)
                assert await push_store.remove(conn, ringing.login, device)
        else:
            await rows(ringing.pool, "update contacts set staff_id = %s where phone = %s returning 1", other, JO)
        assert await rows(ringing.pool, WORKS, JO) == [], change


# ---------------------------------------------------------------- browsers come, come back and go


async def test_a_login_has_so_many_devices_and_a_browser_one_login(ringing: Ringing) -> None:
    await ringing.choose(push_devices=2)
    await ringing.subscribe("a")
    await ringing.subscribe("b")
    await ringing.subscribe("b")  # once more is no other
    with pytest.raises(Refused, match="At most 2 devices: remove one first"):
        await ringing.subscribe("c")
    ringing.service.of = {"a": "gone"}
    await ringing.test()
    await ringing.subscribe("c")  # one that is gone does not count
    with pytest.raises(Refused):
        await ringing.subscribe("a")
    assert await ringing.gone() == ["a"]


async def test_what_a_browser_gives_is_looked_at(ringing: Ringing) -> None:
    good = given(ringing.service.browser())
    for wrong in (
        Given("https://evil.example/x", good.p256dh, good.auth), Given(good.endpoint, "x", good.auth),
        Given(good.endpoint, good.p256dh, "x"), Given(good.endpoint.replace("https", "http"), good.p256dh, good.auth),
    ):  # fmt: skip
        async with ringing.pool.connection() as conn:
            with pytest.raises(Refused):
                await devices.register(conn, ringing.settings, ringing.login, wrong, "x", ringing.now)
            with pytest.raises(Refused):
                await devices.see_again(conn, ringing.settings, ringing.login, wrong, "")
    off = ringing.settings.model_copy(update={"push_providers": ""})
    async with ringing.pool.connection() as conn:
        with pytest.raises(Refused, match="does not ring in browsers"):
            await devices.register(conn, off, ringing.login, good, "x", ringing.now)


async def test_a_browser_that_comes_back_is_known_and_becomes_nobodys_by_itself(ringing: Ringing) -> None:
    browser, device = await ringing.subscribe()
    other, elsewhere = await ringing.new_login("other"), ringing.service.browser("elsewhere")

    async def again(of: Browser, login: UUID = ringing.login, was: str = "") -> Seen:
        async with ringing.pool.connection() as conn:
            return await devices.see_again(conn, ringing.settings, login, given(of), was)

    assert await again(browser) is Seen.KNOWN
    assert await again(browser, other) is Seen.OTHERS
    assert await again(elsewhere) is Seen.UNKNOWN
    assert await again(elsewhere, other, browser.endpoint) is Seen.UNKNOWN
    assert await again(elsewhere, was=browser.endpoint) is Seen.KNOWN  # the browser has changed where it is rung
    assert await rows(ringing.pool, "select id, endpoint from push_subscriptions") == [(device, elsewhere.endpoint)]
    ringing.service.behaviour = "gone"
    await ringing.test()
    assert await again(elsewhere) is Seen.GONE
    await ringing.subscribe("elsewhere")
    assert await again(elsewhere) is Seen.KNOWN


async def test_a_browser_moves_without_a_login_by_its_old_secret_alone(ringing: Ringing) -> None:
    browser, device = await ringing.subscribe()
    taken, _ = await ringing.subscribe("taken", await ringing.new_login("other"))
    new = ringing.service.browser("new")

    async def move(was: str, secret: str, to: Browser) -> None:
        async with ringing.pool.connection() as conn:
            await devices.move(conn, ringing.settings, was, secret, given(to))

    secret = browser.keys["auth"]
    for was, said, to in (
        (browser.endpoint, "wrong", new), (new.endpoint, secret, new), (browser.endpoint, secret, taken),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await move(was, said, to)
    await move(browser.endpoint, secret, new)
    assert (device, new.endpoint) in await rows(ringing.pool, "select id, endpoint from push_subscriptions")


async def test_browsers_that_are_gone_are_forgotten_after_their_time(ringing: Ringing) -> None:
    await ringing.subscribe("a")
    await ringing.subscribe("b")
    ringing.service.of = {"a": "gone"}
    await ringing.test()
    await ringing.step(29 * 86_400)
    while await ringing.engine.retire_step():
        pass
    assert await ringing.gone() == ["a"]
    await ringing.step(2 * 86_400)
    while await ringing.engine.retire_step():
        pass
    assert await rows(ringing.pool, "select name from push_subscriptions") == [("b",)]


# ---------------------------------------------------------------- the key


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"vapid_key": "x"}, "TELECARE_VAPID_KEY: is no key"),
        ({"vapid_key": "A" * 43}, "TELECARE_VAPID_KEY: is no key"),
        ({"vapid_key": "/etc/passwd"}, "TELECARE_VAPID_KEY: is no key"),
        ({"vapid_contact": "office"}, "TELECARE_VAPID_CONTACT: must be mailto:"),
        ({"vapid_key": None}, "webpush needs TELECARE_VAPID_KEY"),
    ],
)
def test_a_key_that_is_none_stops_the_start(settings: Settings, wrong: dict[str, Any], words: str) -> None:
    given = {"push_providers": "webpush", "vapid_key": VAPID_KEY, "vapid_contact": "mailto:a@b.org", "demo": False}
    with pytest.raises(CannotStart, match=words):
        table_for(settings.model_copy(update=Settings.model_validate(given | wrong).model_dump(include=set(given))))


def test_the_command_makes_a_key_that_the_service_takes(tmp_path: Path) -> None:
    def push_key(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "telecare", "push-key", "--data-dir", str(tmp_path), *options]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=True)

    made = json.loads(push_key("--json").stdout)
    given = {"push_providers": "webpush", "vapid_key": made["vapid_key"], "vapid_contact": "mailto:a@example.org"}
    settings = Settings.model_validate(given)
    assert table_for(settings)["push"][0].name == "webpush"
    assert vapid.public_key(settings) == made["public_key"]
    again = push_key(TELECARE_VAPID_KEY=made["vapid_key"])
    assert again.stdout.startswith("TELECARE_VAPID_KEY='")
    assert made["vapid_key"] not in again.stdout
    assert "each carer turns each device on again" in again.stderr


def test_browsers_are_given_no_key_where_nothing_would_be_sent(settings: Settings) -> None:
    given = {"push_providers": "webpush", "vapid_key": VAPID_KEY}
    assert vapid.public_key(Settings.model_validate(given)) == VAPID_PUBLIC_KEY
    for off in ({"push_providers": ""}, {"vapid_key": None}, {"demo": True}):
        assert vapid.public_key(Settings.model_validate(given | off)) is None
