"""Chromium before the console: how soon the queue is painted, and how soon a new row stands in it."""

import asyncio
import secrets
import shutil
from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection

from bench import town
from bench.limits import percentiles
from telecare.db import Connection
from telecare.register import staff
from telecare.settings import Settings
from telecare.vocabulary import Role

USER: Final = "bench-browser"
_EVERY_S: Final = 0.3
# When each new alert's row has been painted, in seconds since 1970.
_WATCH: Final = """() => {
    window.painted = {};
    new MutationObserver((changes) => {
        const rows = changes.flatMap((change) => [...change.addedNodes]).flatMap((node) =>
            node.matches?.(".case") ? [node] : [...(node.querySelectorAll?.(".case") ?? [])]);
        requestAnimationFrame(() => setTimeout(() => {
            for (const row of rows)
                window.painted[row.id.slice(6)] ??= (performance.timeOrigin + performance.now()) / 1000;
        }));
    }).observe(document.getElementById("queue"), {childList: true, subtree: true});
}"""
_PAINTED: Final = """() => ({
    first_paint_ms: Math.round(performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1),
    rows: document.querySelectorAll("#queue .case").length,
})"""
# A change's time is that of its transaction, which is before its commit; one clock serves the database and the page.
_RAISED: Final = """select alert_id, extract(epoch from min(at))::float8 from alert_events
                     where alert_id = any(%s) group by alert_id"""


async def look(settings: Settings, conn: Connection, coming: Sequence[str]) -> dict[str, Any]:
    """Open the console, and press in these homes one after the other; says so where there is no Chromium."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        executable = None
    if executable is None:
        return {"skipped": "there is no Chromium here"}
    password = secrets.token_urlsafe()
    async with await AsyncConnection.connect(settings.database, autocommit=True) as own:
        await staff.add_member(own, USER, USER, Role.OPERATOR, password)
    base = f"http://127.0.0.1:{settings.port}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        try:
            page = await browser.new_page()
            await page.goto(f"{base}/login")
            await page.fill("#username", USER)
            await page.fill("#password", password)
            await page.click("button:has-text('Log in')")
            await page.goto(f"{base}/console")
            await page.wait_for_function("() => document.getElementById('connection')?.dataset.state === 'live'")
            await asyncio.sleep(1)
            painted: dict[str, Any] = await page.evaluate(_PAINTED)
            await page.evaluate(_WATCH)
            for hub in coming:
                await town.press(conn, [hub])
                await asyncio.sleep(_EVERY_S)
            await asyncio.sleep(1)
            seen: dict[str, float] = await page.evaluate("() => window.painted")
        finally:
            await browser.close()
    raised = await (await conn.execute(_RAISED, ([int(number) for number in seen],))).fetchall()
    updates = [1000 * (seen[str(number)] - at) for number, at in raised]
    return painted | {"presses": len(coming), "rows_painted": len(updates), "update_ms": percentiles(updates)}
