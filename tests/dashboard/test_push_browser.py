"""Ringing in a real browser: asked on the press of a button, shown by the service worker, and said to be shown.

`PushManager.subscribe` needs its maker's servers: that far edge alone is played, by a script in the page. What our
service encrypts is decrypted as the browser would and delivered by Chromium to the service worker.
"""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from alerts import actions
from telecare.db import database_now
from tests.dashboard.test_browser import (
    ARGUMENTS,
    CHROMIUM,
    RULES,
    keep,
    log_in,
    needs_chromium,
    sideways,
    watch_requests,
)
from tests.dashboard.test_carers import is_carer
from tests.dashboard.test_devices import ringing, send, service
from tests.dashboard.world import World
from tests.helpers import one, rows, until
from tests.push_service import Browser as Subscribed
from tests.push_service import PushService

__all__ = ["ringing", "service"]  # the fixtures

pytestmark = needs_chromium

# The browser's own push service, in the page and in the worker: what it gives is what the test says.
FAR_EDGE = """(given) => {
  const kept = () => JSON.parse(globalThis.localStorage?.getItem("subscription") ?? "null");
  const key = () => JSON.parse(globalThis.localStorage?.getItem("key") ?? "null");
  const made = (known) => known && ({
    ...known, options: { applicationServerKey: key() }, toJSON: () => known,
    unsubscribe: async () => { localStorage.removeItem("subscription"); return true; },
  });
  PushManager.prototype.subscribe = async (options) => {
    localStorage.setItem("asked", JSON.stringify([options.userVisibleOnly, [...options.applicationServerKey]]));
    localStorage.setItem("subscription", JSON.stringify(given));
    return made(given);
  };
  PushManager.prototype.getSubscription = async () => made(kept());
}"""


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        await launched.close()


def as_json(browser: Subscribed) -> str:
    return json.dumps({"endpoint": browser.endpoint, "keys": browser.keys})


async def phone(chromium: Browser, world: World, browser: Subscribed, **more: Any) -> BrowserContext:
    context = await chromium.new_context(viewport={"width": 390, "height": 800}, **more)
    await context.add_init_script(f"({FAR_EDGE})({as_json(browser)})")
    return context


async def allow(context: BrowserContext, world: World) -> None:
    await context.grant_permissions(["notifications"], origin=world.base)


async def for_everybody(page: Page, name: str) -> None:
    axe = Axe()
    for width in (320, 1280):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await sideways(page) <= 0
        await keep(page, f"carer-devices-{name}-{width}")
        result = await axe.run(page, options={"runOnly": {"type": "tag", "values": RULES}})
        assert result.violations_count == 0, result.generate_report()
    await page.set_viewport_size({"width": 390, "height": 800})


class Worker:
    """The service worker of a page, spoken to as Chromium's push client does."""

    def __init__(self, page: Page, world: World) -> None:
        self.page, self.world, self.registration = page, world, ""

    async def begin(self) -> None:
        self.cdp = await self.page.context.new_cdp_session(self.page)

        def note(event: dict[str, Any]) -> None:
            for found in event["registrations"]:
                self.registration = found["registrationId"]

        self.cdp.on("ServiceWorker.workerRegistrationUpdated", note)
        await self.cdp.send("ServiceWorker.enable")
        await until(lambda: self.registration != "")

    async def deliver(self, data: str) -> None:
        await self.cdp.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": self.world.base, "registrationId": self.registration, "data": data},
        )

    async def shown(self) -> list[dict[str, Any]]:
        """The notifications that the browser shows."""
        found: list[dict[str, Any]] = await self.page.evaluate(
            """async () => (await (await navigator.serviceWorker.getRegistration("/carer")).getNotifications())
                 .map(({ title, body, tag, data }) => ({ title, body, tag, data }))"""
        )
        return found

    async def inside(self, script: str, value: Any = None) -> Any:
        (worker,) = self.page.context.service_workers
        return await worker.evaluate(script, value)


async def turned_on(world: World, chromium: Browser, browser: Subscribed) -> tuple[Page, Worker]:
    context = await phone(chromium, world, browser)
    await allow(context, world)
    page = await log_in(context, world, "carer")
    await page.click("#push-on button")
    await expect(page.locator(".done").first).to_contain_text("We ring on this device from now on")
    worker = Worker(page, world)
    await worker.begin()
    return page, worker


async def test_from_the_press_of_the_button_to_a_test_that_arrived(
    ringing: World, chromium: Browser, service: PushService
) -> None:
    browser = service.browser()
    context = await phone(chromium, ringing, browser)
    requests, complaints = watch_requests(context), []
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    await context.add_init_script(
        """const ask = Notification.requestPermission.bind(Notification);
           Notification.requestPermission = () => { localStorage.setItem("permission", "asked"); return ask(); };"""
    )
    await allow(context, ringing)
    page = await log_in(context, ringing, "carer")
    await expect(page.locator("#push-on button")).to_be_visible()
    assert await page.evaluate("localStorage.getItem('permission')") is None  # nobody is asked by opening the page
    await for_everybody(page, "off")
    await page.click("#push-on button")
    await expect(page.locator(".done").first).to_contain_text("We ring on this device from now on")
    visible, key = json.loads(await page.evaluate("localStorage.getItem('asked')"))
    assert (visible, len(key), key[0]) == (True, 65, 4)
    await expect(page.locator("[data-push='on']")).to_be_visible()
    await expect(page.locator("#push-on")).to_be_hidden()
    await for_everybody(page, "on")

    await page.click("text=Send a test to my devices")
    await expect(page.locator("#push-test")).to_have_attribute("data-state", "waiting")
    await send(ringing)
    worker = Worker(page, ringing)
    await worker.begin()
    (said,) = browser.received()
    await worker.deliver(json.dumps(said))
    # The page says so by itself.
    await expect(page.locator("#push-test")).to_have_attribute("data-state", "delivered", timeout=15_000)
    await expect(page.locator(".device-line")).to_contain_text("A test arrived at")
    (shown,) = await worker.shown()
    assert (shown["title"], shown["body"], shown["tag"]) == (said["title"], said["body"], said["tag"])
    assert await rows(ringing.pool, "select state from messages") == [("delivered",)]
    await for_everybody(page, "delivered")
    assert {urlsplit(url).netloc for url in requests} == {urlsplit(ringing.base).netloc}
    assert complaints == []


async def test_a_question_is_shown_opens_its_link_and_is_not_answered_by_that(
    ringing: World, chromium: Browser, service: PushService
) -> None:
    browser = service.browser()
    page, worker = await turned_on(ringing, chromium, browser)
    number = await ringing.alert("hub-1")
    await ringing.claim(number)
    async with ringing.pool.connection() as conn:
        await actions.ask_contact(conn, ringing.settings, number, "operator", await database_now(conn))
    await send(ringing)
    (said,) = browser.received()
    await worker.deliver(json.dumps(said))
    state = "select state from messages where channel = 'push'"

    async def delivered() -> bool:
        return await one(ringing.pool, state) == "delivered"

    await until(delivered)
    (shown,) = await worker.shown()
    assert "Can you go?" in shown["body"]
    assert shown["data"]["link"] in shown["body"]
    assert await one(ringing.pool, "select count(*) from asks where answer is null") == 1

    # Pressed: Chromium lets nobody but a person open a window, so that one call is watched, and the page opened here.
    opened = await worker.inside(
        """async () => {
             const opened = [];
             self.clients.openWindow = async (address) => { opened.push(address); };
             const pause = () => new Promise((done) => setTimeout(done, 20));
             const press = async (link) => {
               await self.registration.showNotification("x", { tag: "x", data: { link } });
               const [notification] = await self.registration.getNotifications({ tag: "x" });
               const event = new NotificationEvent("notificationclick", { notification });
               self.dispatchEvent(event);
               for (let n = 0; n < 100 && opened.length === press.before; n++) await pause();
               press.before = opened.length;
             };
             press.before = 0;
             const [first] = await self.registration.getNotifications();
             const others = ["https://evil.example/a/x", "//evil.example/a", "javascript:1", null, "http://["];
             for (const link of [first.data.link, ...others]) await press(link);
             return [opened, (await self.registration.getNotifications({ tag: "x" })).length];
           }"""
    )
    addresses, left = opened
    assert addresses[0] == ringing.base + said["link"]
    assert set(addresses[1:]) == {f"{ringing.base}/carer"}
    assert len(addresses) == 6
    assert left == 0  # what was pressed is put away
    await page.goto(addresses[0])
    await page.click("text=20 minutes")
    await expect(page.locator(".done")).to_contain_text("We know that you are going, in about 20 minutes")


async def test_what_cannot_be_read_is_shown_and_not_said_to_have_arrived(
    ringing: World, chromium: Browser, service: PushService
) -> None:
    _, worker = await turned_on(ringing, chromium, service.browser())
    await worker.deliver("{")
    shown: list[dict[str, Any]] = []

    async def is_shown() -> bool:
        shown[:] = await worker.shown()
        return bool(shown)

    await until(is_shown)
    assert shown[0]["title"] == "A message for you"
    assert await one(ringing.pool, "select count(*) from message_receipts") == 0


async def test_a_browser_that_is_rung_elsewhere_says_so_by_itself(
    ringing: World, chromium: Browser, service: PushService
) -> None:
    browser, new, newest = service.browser(), service.browser("new"), service.browser("newest")
    page, worker = await turned_on(ringing, chromium, browser)
    endpoint = "select endpoint from push_subscriptions"

    async def moved(script: str, to: Subscribed) -> None:
        await worker.inside(
            """async ([script, given]) => {
                 const event = new ExtendableEvent("pushsubscriptionchange");
                 const fresh = { ...given, toJSON: () => given };
                 if (script === "given") Object.defineProperty(event, "newSubscription", { value: fresh });
                 else PushManager.prototype.subscribe = async () => fresh;
                 self.dispatchEvent(event);
               }""",
            [script, json.loads(as_json(to))],
        )

        async def known() -> bool:
            return await one(ringing.pool, endpoint) == to.endpoint

        await until(known)

    await moved("given", new)
    await moved("subscribed", newest)  # it remembers where it was
    # And where the worker was never told, the page says so when it is opened.
    await page.evaluate("given => localStorage.setItem('subscription', given)", as_json(browser))
    await page.goto(f"{ringing.base}/carer")
    await expect(page.locator("[data-push='on']")).to_be_visible()
    assert await one(ringing.pool, endpoint) == browser.endpoint


async def test_a_device_that_is_removed_is_silent_wherever_it_was_removed(
    ringing: World, chromium: Browser, service: PushService
) -> None:
    page, _ = await turned_on(ringing, chromium, service.browser())
    kept = "localStorage.getItem('subscription')"
    await page.click(".remove-device button")
    await expect(page.locator(".done").first).to_contain_text("The device has been removed")
    assert await page.evaluate(kept) is None
    await page.click("#push-on button")
    await expect(page.locator(".device-line")).to_have_text("Not tested yet.")
    await rows(ringing.pool, "delete from push_subscriptions returning 1")  # from another device
    await page.goto(f"{ringing.base}/carer")
    await expect(page.locator("#push-on button")).to_be_visible()
    assert await page.evaluate(kept) is None


async def test_a_device_that_is_gone_is_turned_on_again(
    ringing: World, chromium: Browser, service: PushService
) -> None:
    page, _ = await turned_on(ringing, chromium, service.browser())
    await rows(ringing.pool, "update push_subscriptions set gone_at = now() returning 1")
    await page.goto(f"{ringing.base}/carer")
    await expect(page.locator("[data-push='gone']")).to_be_visible()
    await expect(page.locator(".device-line")).to_contain_text("Cannot be rung any more")
    await for_everybody(page, "gone")
    await page.click("#push-on button")
    await expect(page.locator("[data-push='on']")).to_be_visible()
    assert await rows(ringing.pool, "select gone_at from push_subscriptions") == [(None,)]
    # So is one that knows another key than the service has now.
    await page.evaluate("localStorage.setItem('key', '[4, 1]')")
    await page.goto(f"{ringing.base}/carer")
    await expect(page.locator("[data-push='gone']")).to_be_visible()
    await expect(page.locator("#push-on button")).to_be_visible()


IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1"


@pytest.mark.parametrize(
    ("script", "more", "which"),
    [
        ("delete window.PushManager", {"user_agent": IPHONE}, "iphone"),
        ("delete window.PushManager", {}, "unsupported"),
        ("Object.defineProperty(Notification, 'permission', { value: 'denied' })", {}, "blocked"),
        ("Object.defineProperty(window, 'isSecureContext', { value: false })", {}, "insecure"),
    ],
)
async def test_where_a_browser_cannot_it_is_said_in_words(
    ringing: World, chromium: Browser, service: PushService, script: str, more: dict[str, Any], which: str
) -> None:
    context = await phone(chromium, ringing, service.browser(), **more)
    await context.add_init_script(script)
    page = await log_in(context, ringing, "carer")
    await expect(page.locator(f"[data-push='{which}']")).to_be_visible()
    await expect(page.locator("[data-push]:visible")).to_have_count(1)
    await expect(page.locator("#push-on")).to_be_hidden()
    await for_everybody(page, which)


async def test_without_script_devices_are_listed_removed_and_tried(
    ringing: World, chromium: Browser, service: PushService
) -> None:
    browser = service.browser()
    await is_carer(ringing, "carer", "hub-1")
    await rows(
        ringing.pool,
        """insert into push_subscriptions (id, staff_id, endpoint, p256dh, auth, name, created_at)
           select gen_random_uuid(), id, %s, %s, %s, 'Firefox on Linux', now() from staff where username = 'carer'
           returning 1""",
        browser.endpoint, browser.keys["p256dh"], browser.keys["auth"],
    )  # fmt: skip
    page = await log_in(await chromium.new_context(java_script_enabled=False), ringing, "carer")
    await expect(page.locator("#push noscript p")).to_be_visible()
    await page.click("text=Send a test to my devices")
    await expect(page.locator("#push-test")).to_contain_text("A test is on its way")
    await send(ringing)
    await page.click(".remove-device button")
    await expect(page.locator(".done").first).to_contain_text("The device has been removed")
